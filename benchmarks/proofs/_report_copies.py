"""A model against a byte-identical copy of itself under another name: tied in every way there is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from _report_cycle import Cycle, evaluation_of
from _report_html import Reader
from skald_report.build import build
from skald_report.reading.inputs import ReportInputs
from skald_report.tables.file import read_report, rows_of
from skald_specs.claims import Measure
from skald_specs.files import write_json

COPY = "same-under-another-name"
#: Tables that compare two models.
_PAIRED = ("differences", "pairwise")


def measures(source: Cycle, folder: Path) -> list[Measure]:
    """Put a copy of the first baseline in the place of the others, and look for any difference."""
    original, out = source.baselines[0], folder / "eval"

    def both(row: dict[str, Any]) -> Iterable[dict[str, Any]]:
        if row["model"] not in source.baselines[1:]:
            yield row
        if row["model"] == original:
            yield row | {"model": COPY}

    summary = evaluation_of(source.evaluation, out, both)
    own = next(model for model in summary["models"] if model["name"] == original)
    others = [m for m in summary["models"] if m["name"] not in source.baselines]
    summary["models"] = [own, own | {"name": COPY}, *others]
    write_json(out / "summary.json", summary)
    build(ReportInputs(evaluations=(out,)), folder / "page")
    report = read_report(folder / "page")
    found = [*_pairs(report, original), *_scores(report, original)]
    return [*found, _said(folder / "page", original)]


def _pairs(report: dict[str, Any], original: str) -> list[Measure]:
    found = []
    for name in _PAIRED:
        rows = rows_of(report, name)
        own = [r for r in rows if {r["model"], r["reference"]} == {original, COPY}]
        unlike = [r for r in own if not _tied(r)]
        found.append(
            _none(f"{name}: comparisons of a copy that are no tie with p = 1", unlike, len(own))
        )
        others = [r for r in rows if COPY not in (r["model"], r["reference"])]
        told = sum(r["verdict"] != "tie" for r in others)
        found.append(Measure(
            measure=f"{name}: other pairs told apart in the same report", value=told, unit="pairs",
            bound=">= 1", holds=told >= 1, detail=f"of {len(others)}: ties are no habit",
        ))  # fmt: skip
    return found


def _tied(row: dict[str, Any]) -> bool:
    sure = all(row[column] == 1 for column in ("p", "p_holm", "p_bh") if column in row)
    counts = row.get("wins", 0) == row.get("losses", 0) == 0
    return row["verdict"] == "tie" and row["difference"] == 0 and sure and counts


def _scores(report: dict[str, Any], original: str) -> list[Measure]:
    """Compare every row of scores and means of the two."""
    found = []
    for name in ("scores", "overall"):
        keys = [key for key in report["tables"].get(name, {}).get("keys", ()) if key != "model"]
        sides = [
            {
                tuple(row[key] for key in keys): {k: v for k, v in row.items() if k != "model"}
                for row in rows_of(report, name)
                if row["model"] == model
            }
            for model in (original, COPY)
        ]
        unlike = [
            key
            for key in sides[0].keys() | sides[1].keys()
            if sides[0].get(key) != sides[1].get(key)
        ]
        found.append(
            _none(f"{name}: rows of a copy that differ from the model's", unlike, len(sides[0]))
        )
    return found


def _said(page: Path, original: str) -> Measure:
    claims = Reader((page / "index.html").read_text(encoding="utf-8")).claims
    about = [c for c in claims if original in c and COPY in c]
    tied = [
        c for c in about if re.search(rf"({original}|{COPY}) and ({original}|{COPY}) are tied", c)
    ]
    ahead = [
        c for c in about if re.search(rf"({original}|{COPY}) is better than ({original}|{COPY})", c)
    ]
    return Measure(
        measure="sentences of the page that call a copy tied", value=len(tied), unit="sentences",
        bound=">= 1", holds=bool(tied) and not ahead,
        detail=(ahead or tied or about or ["the page names no such pair"])[0],
    )  # fmt: skip


def _none(name: str, wrong: list[Any], n: int) -> Measure:
    return Measure(
        measure=name, value=len(wrong), unit="rows", bound="== 0", holds=not wrong and n > 0,
        detail=f"of {n}" + (f"; first: {wrong[0]}" if wrong else ""),
    )  # fmt: skip
