"""Hand-made tables for tests of what the page says: verdicts as they are given, no statistics."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence

import pandas as pd
from skald_report.figures.style import looks
from skald_report.page.blocks import Block, Grid
from skald_report.reading.inputs import ReportInputs, load
from skald_report.sections.claims import claims
from skald_report.sections.context import Context
from skald_report.sections.remarks import remarks
from skald_report.tables.table import Table

TAGS = ("da", "de", "fo")
_MIRRORED = {"better": "worse", "worse": "better", "tie": "tie"}


def models(named: Mapping[str, str], sizes: Mapping[str, str] | None = None) -> Table:
    """Return models by role."""
    frame = pd.DataFrame(
        {
            "model": list(named),
            "role": list(named.values()),
            "n_params_total": pd.array([1000 * (n + 1) for n in range(len(named))], dtype="Int64"),
            "size_class": [(sizes or {}).get(name, "") for name in named],
            "seed_group": "",
        }
    )
    return Table("models", ("model",), {}, frame)


def overall(
    scores: Mapping[str, Mapping[str, float]], tags: Sequence[str] = TAGS, half: float = 0.02
) -> Table:
    """Return means by measure and model; each language is one hundredth further from the mean."""
    rows = []
    for measure, by_model in scores.items():
        for model, score in by_model.items():
            base = {
                "measure": measure, "model": model, "n_languages": len(tags), "n_tasks": 2, "n_items": 300,
                "n_keys": 60, "method": "a method", "low_tasks": math.nan, "high_tasks": math.nan,
            }  # fmt: skip
            at = {tag: score + 0.01 * n for n, tag in enumerate(tags)}
            scopes = [("language", tag, tag, at[tag], 1) for tag in tags]
            if len(tags) > 1:
                worst = max(at, key=at.__getitem__) if measure == "text" else tags[0]
                scopes += [
                    ("mean", "mean", "", score, len(tags)),
                    ("branch", "North", "", at["da"], 1),
                    ("branch", "West", "", at["de"], 1),
                    ("worst", "worst", worst, at[worst], len(tags)),
                ]
            rows += [
                {**base, "scope_kind": kind, "scope": scope, "language": tag, "score": value,
                 "low": value - half, "high": value + half, "n_languages": n}
                for kind, scope, tag, value, n in scopes
            ]  # fmt: skip
    return Table("overall", ("measure", "scope", "model"), {}, pd.DataFrame(rows))


def pairwise(
    scores: Mapping[str, Mapping[str, float]],
    verdicts: Mapping[tuple[str, str, str], str],
    mde: float = 0.03,
) -> Table:
    """Return all pairs of models of each measure, a tie where no verdict is given."""
    rows = []
    for measure, by_model in scores.items():
        for model, reference in itertools.combinations(by_model, 2):
            verdict = verdicts.get((measure, model, reference))
            if verdict is None:
                verdict = _MIRRORED[verdicts.get((measure, reference, model), "tie")]
            difference = by_model[model] - by_model[reference]
            rows.append(
                {
                    "measure": measure, "model": model, "reference": reference, "difference": difference,
                    "low": difference - 0.02, "high": difference + 0.02, "verdict": verdict,
                    "p": 0.2 if verdict == "tie" else 1e-5, "p_holm": 0.4 if verdict == "tie" else 2e-5,
                    "mde": mde, "seed_difference": math.nan, "wins": 1, "losses": 0, "ties": 5, "n_cells": 6, "n_items": 300,
                    "test": "a test",
                }
            )  # fmt: skip
    return Table("pairwise", ("measure", "model", "reference"), {}, pd.DataFrame(rows))


def differences(
    model: str, reference: str, verdicts: Mapping[str, Sequence[str]], tags: Sequence[str] = TAGS
) -> Table:
    """Return the differences of one pair: verdicts by kind, one a language."""
    rows = [
        {
            "suite": "core", "task": kind, "language": tag, "model": model, "reference": reference,
            "kind": kind, "label": kind, "difference": 0.1 * (n + 1) * (-1 if kind == "text" else 1),
            "low": 0.0, "high": 0.2, "verdict": verdict, "test": "a test",
        }
        for kind, found in verdicts.items()
        for n, (tag, verdict) in enumerate(zip(tags, found, strict=True))
    ]  # fmt: skip
    return Table(
        "differences", ("suite", "task", "language", "model", "reference"), {}, pd.DataFrame(rows)
    )


def scores(named: Sequence[str], tags: Sequence[str] = TAGS) -> Table:
    """Return one task's scores of every model."""
    rows = [
        {
            "suite": "core", "task": "cloze", "language": tag, "model": model, "kind": "cloze",
            "label": "cloze", "score": 0.5, "low": 0.4, "high": 0.6, "n_items": 80, "n_keys": 20,
            "chance": 0.25, "p_chance_holm": math.nan, "method": "a method", "languages": tag, "n_wordings": 1,
            "lowest_wording": math.nan, "highest_wording": math.nan,
        }
        for model in named
        for tag in tags
    ]  # fmt: skip
    return Table("scores", ("suite", "task", "language", "model"), {}, pd.DataFrame(rows))


def tables(*made: Table) -> dict[str, Table]:
    """Return tables by name."""
    return {table.name: table for table in made}


def context(found: Mapping[str, Table]) -> Context:
    """Return what the sections are made from, without any other input than tables."""
    frame = found["models"].frame if "models" in found else pd.DataFrame(columns=["model", "role"])
    inputs = ReportInputs()
    roles = dict(zip(frame["model"], frame["role"], strict=True))
    sources, said = load(inputs), claims(found)
    beside = remarks(sources, found, said.gaps)
    return Context(sources, found, said, beside, inputs, tuple(roles), roles, looks(frame))


def untraced(blocks: Sequence[Block], found: Mapping[str, Table]) -> list[str]:
    """Return the numbers in cells that are not those of the row and columns that the cell names.

    Row heads aside; a number is looked up and rounded to the digits shown.
    """
    wrong = []
    for grid in blocks:
        for row in grid.rows if isinstance(grid, Grid) else ():
            for cell in row[1:]:
                shown = " ".join((cell.text, cell.detail, cell.note))
                numbers = re.findall(r"(?:<\u00a0)?[+−]?\d[\d,]*(?:\.\d+)?(?:e[+−]?\d+)?", shown)
                table, number, columns = cell.of.split(":") if cell.of else ("", "", "")
                values = [
                    found[table].frame[name][int(number)] for name in columns.split(",") if table
                ]
                texts = [text.replace(",", "").replace("−", "-") for text in numbers]
                if len(texts) != len(values) or any(map(_differs, texts, values)):
                    wrong.append(f"{grid.name}: {shown} is not {cell.of}")
    return wrong


def _differs(text: str, value: float) -> bool:
    if text.startswith("<"):
        return not value < float(text[1:])
    if "e" in text:
        return f"{float(value):.1e}" != f"{float(text):.1e}"
    return (
        f"{float(value):.{len(text.partition('.')[2])}f}"
        != f"{float(text):.{len(text.partition('.')[2])}f}"
    )
