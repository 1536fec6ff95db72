"""How the models do in each language, in the branches, and in the language they are worst in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from skald_report.figures.forest import forest
from skald_report.figures.heat import MOST_ROWS, heat_map
from skald_report.page.blocks import (
    Block,
    Cell,
    Claims,
    Column,
    Explorer,
    Gallery,
    Grid,
    Paragraph,
)
from skald_report.page.formatting import (
    MAX_OPEN,
    join,
    language_cell,
    language_name,
    numbered,
    span,
)
from skald_report.sections.context import Context
from skald_report.sections.rivals import MEASURES, Measure, branch_of, contestants, english
from skald_report.sections.summary import mean_cell
from skald_report.tables.measures import TASKS, TEXT
from skald_report.tables.order import in_order
from skald_report.tables.table import MACRO, Table

#: Columns that a table of models beside each other may have; beyond, models are rows.
_MAX_ABREAST = 6
_WORST = "worst"
_TITLES = {TASKS: "Tasks", TEXT: "Bits per byte"}
_BRANCHES = ("North", "West", "Insular")


def language_blocks(context: Context) -> Iterator[Block]:
    """Show every model's mean in every language and branch, and its worst language."""
    if "overall" not in context.tables:
        yield Paragraph("No evaluation was given, so no language has a score.", "gap")
        return
    frame = context.tables["overall"].frame
    named = contestants(context.tables["models"])
    rows = frame[frame["model"].isin(named)]
    if rows.empty:
        yield Paragraph("No model but controls was evaluated, so no language is shown.", "gap")
        return
    yield Claims(context.said.languages)
    yield from _figures(context, rows)
    known = rows[rows["score"].notna()]
    if rows["model"].nunique() > MOST_ROWS:
        yield _explorer(context.tables["overall"], known)
        return
    measured = [m for m in MEASURES if (known["measure"] == m.name).any()]
    if len(named) * len(measured) <= _MAX_ABREAST:
        yield _together(measured, known, named)
        return
    for measure in measured:
        yield _grid(measure, known[known["measure"] == measure.name], named)


def _figures(context: Context, rows: pd.DataFrame) -> Iterator[Gallery]:
    """Draw the languages as heat maps and, one by one, as forest plots."""
    overall = context.tables["overall"]
    known = rows[rows["score"].notna()]
    tags = [str(tag) for tag in known.loc[known["scope_kind"] == "language", "scope"].unique()]
    if len(tags) < 2:
        return
    measured = [m for m in MEASURES if (known["measure"] == m.name).any()]
    methods = join(dict.fromkeys(map(str, known.loc[known["scope_kind"] == "language", "method"])))
    yield Gallery(
        tuple(heat_map(overall, measure.name, context.look) for measure in measured),
        "Every model's mean in every language; darker is better. The table below has the intervals.",
    )
    counts = known[known["scope_kind"] == "language"]
    yield Gallery(
        tuple(forest(overall, tag, context.look) for tag in in_order(tags)),
        f"One language each: means with 95 % intervals ({methods}) from {span(counts['n_items'])} items in "
        f"{span(counts['n_keys'])} clusters; grey marks are controls.",
    )


def _together(measured: Sequence[Measure], known: pd.DataFrame, named: Sequence[str]) -> Grid:
    """Return one table of few models: a row a language, beside each other the models by measure."""
    at = {(row["measure"], row["scope"], row["model"]): row for row in numbered(known)}
    columns = [
        (measure.name, name)
        for measure in measured
        for name in named
        if ((known["measure"] == measure.name) & (known["model"] == name)).any()
    ]
    body = tuple(
        (_head(scope, known), *(_cell(at.get((measure, scope, name))) for measure, name in columns))
        for scope in _scopes(known)
    )
    methods = join(dict.fromkeys(known.loc[known["scope_kind"] == "language", "method"]))
    return Grid(
        "languages",
        "Means by language",
        f"{'; '.join(f'{_TITLES[m.name]}: {m.scale}' for m in measured)}. Mean and 95 % interval ({methods}). "
        "Every task of a language and every language has the same weight, over the cells that all baselines have."
        f"{_of_the_worst(known)}",
        ("language", *(f"{name}, {_TITLES[measure].lower()}" for measure, name in columns)),
        body,
        "tables/overall.csv",
    )


def _grid(measure: Measure, own: pd.DataFrame, named: Sequence[str]) -> Grid:
    scopes = _scopes(own)
    at = {(row["scope"], row["model"]): row for row in numbered(own)}
    models = [name for name in named if name in set(own["model"])]
    if len(models) <= _MAX_ABREAST:
        header = ("language", *models)
        body = tuple(
            (_head(scope, own), *(_cell(at.get((scope, name))) for name in models))
            for scope in scopes
        )
    else:
        header = ("model", *scopes)
        body = tuple(
            (Cell(name), *(_cell(at.get((scope, name))) for scope in scopes)) for name in models
        )
    first = own.iloc[0]
    between = own["low_tasks"].notna().any()
    hierarchical = (
        " The file also has intervals for which the tasks of a language are drawn again too."
        if between
        else " Each language has fewer than five tasks, too few to draw tasks again."
    )
    return Grid(
        f"languages-{measure.name}",
        f"{_TITLES[measure.name]}, by language",
        f"{measure.noun[:1].upper()}{measure.noun[1:]}. Under each mean its 95 % interval ({first['method']}); "
        f"a mean has the same weight for every task of a language and every language, over the cells that all "
        f"baselines have.{hierarchical if measure.name == 'tasks' else ''}{_of_the_worst(own)}",
        header,
        body,
        "tables/overall.csv",
        len(body) > MAX_OPEN + 8,
    )


def _explorer(overall: Table, rows: pd.DataFrame) -> Explorer:
    """Return every mean of more models than a table can show beside their languages."""
    worst = rows["scope_kind"] == "worst"
    shown = rows.assign(
        measure=rows["measure"].map({"tasks": "tasks", "text": "bits per byte"}),
        worst=[english(str(tag)) if of else "" for tag, of in zip(rows["language"], worst, strict=True)],
    )  # fmt: skip
    ends = {MACRO: "mean of all languages", _WORST: "worst language"}
    ends |= {branch: f"{branch} branch" for branch in _BRANCHES}
    scopes = {str(s): ends.get(str(s)) or language_name(str(s)) for s in rows["scope"].unique()}
    nouns = "; ".join(
        f"{'tasks' if m.name == 'tasks' else 'bits per byte'}: {m.noun}" for m in MEASURES
    )
    return Explorer(
        "languages",
        "Every model's mean in every language",
        f"Mean and 95 % interval ({join(dict.fromkeys(map(str, rows['method'])))}). {nouns[:1].upper()}{nouns[1:]}. "
        "A mean has the same weight for every task of a language and every language, over the cells that all "
        "baselines have. The rows are those of the table `overall`.",
        Table(overall.name, overall.keys, overall.units, shown),
        (
            Column("measure", "measure"),
            Column("model", "model"),
            Column("scope", "mean over", words=scopes),
            Column("score", "mean", 3, "low", "high"),
            Column("worst", "which is worst"),
        ),
        ("measure", "model", "scope"),
    )


def _of_the_worst(rows: pd.DataFrame) -> str:
    """Say why the worst language has a wider interval than the same language in its own row."""
    if not (rows["scope"] == _WORST).any():
        return ""
    return " The interval of the worst language also covers that another language may be the worst."


def _scopes(own: pd.DataFrame) -> list[str]:
    present = set(own["scope"])
    tags = in_order(map(str, own.loc[own["scope_kind"] == "language", "scope"]))
    ends = [scope for scope in (MACRO, *_BRANCHES, _WORST) if scope in present]
    return [*ends, *tags] if len(tags) > 1 else tags


def _head(scope: str, own: pd.DataFrame) -> Cell:
    if scope == MACRO:
        return Cell("mean", "of all languages")
    if scope == _WORST:
        return Cell("worst language")
    if scope in _BRANCHES:
        tags = [str(t) for t in own.loc[own["scope_kind"] == "language", "scope"].unique()]
        return Cell(f"{scope} branch", ", ".join(sorted(t for t in tags if branch_of(t) == scope)))
    return language_cell(scope)


def _cell(row: Mapping[Any, Any] | None) -> Cell:
    cell = mean_cell(row)
    if row is not None and row["scope"] == _WORST:
        return cell._replace(note=english(str(row["language"])))
    return cell
