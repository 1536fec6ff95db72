"""What records lack, in words: models without items, tasks answered in part or not at all, means without them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from skald_report.page.formatting import counted, join
from skald_report.sections.cell_words import belongs
from skald_report.sections.rivals import MEASURES, english, whole
from skald_report.tables.cells import AGAINST_CHANCE, CELL
from skald_report.tables.measures import TASKS, TEXT
from skald_report.tables.models import cast_of
from skald_report.tables.table import MACRO, Table

_MEANS = {TASKS: "tasks", TEXT: "bits per byte"}
#: Models or tasks that a sentence names; of more it says how many.
_NAMED = 6
#: Gaps that the summary names one by one.
_MAX_GAPS = 2


def gaps(models: Table, scores: Table) -> list[str]:
    """Name the models that lack a task or a language others have, and the task's own means that leave it out.

    Args:
        models: The table `models`.
        scores: The table `scores`, with the means over languages.
    """
    roles = dict(zip(models.frame["model"], models.frame["role"], strict=True))
    single = scores.frame[scores.frame["language"] != MACRO]
    with_mean = set(scores.frame.loc[scores.frame["language"] == MACRO, "label"])
    found = list(_without_task(models.frame, single))
    for (_, _, label), rows in single.groupby(["suite", "task", "label"], sort=False):
        answered = pd.crosstab(rows["model"], rows["language"]).reindex(
            index=list(rows["model"].unique()), columns=list(rows["language"].unique())
        )
        lacks = answered.isna() | (answered == 0)
        for model in lacks.index[lacks.any(axis=1)]:
            missing = list(lacks.columns[lacks.loc[model]])
            said = f"{model} has no score on {label} for {join(missing)}"
            if roles[model] == "control":
                found.append(f"{said} and no mean.")
            elif label in with_mean:
                found.append(
                    f"{said}; the task's own mean over languages leaves "
                    f"{'it' if len(missing) == 1 else 'them'} out for all."
                )
            else:
                found.append(f"{said}, so the task has no mean over languages.")
    return found


def _without_task(models: pd.DataFrame, single: pd.DataFrame) -> Iterator[str]:
    """Name the tasks on which a model that is ranked has no score in any language."""
    contest = single[~single["kind"].isin(AGAINST_CHANCE)]
    labels = list(dict.fromkeys(contest["label"]))
    for model in cast_of(models).contestants:
        # Whoever answered nothing at all has a sentence of its own.
        own = single[single["model"] == model]
        without = [label for label in labels if label not in set(own["label"])]
        if len(own) and without:
            yield f"{model} has no score on {_some(without)} in any language."


def lacking(tables: Mapping[str, Table]) -> list[str]:
    """Return a sentence for each thing that cannot be said because records lack."""
    models, scores = tables["models"].frame, tables["scores"].frame
    single = scores[scores["language"] != MACRO]
    return [
        *_silent(models, single),
        *_partial(single),
        *_left_out(models, single),
        *_without_mean(models, tables),
    ]


def in_short(gaps: Sequence[str]) -> list[str]:
    """Return what the summary says of all that lacks: each gap, or how many there are."""
    if len(gaps) <= _MAX_GAPS:
        return list(gaps)
    return [f"{counted(len(gaps), 'gap')} in what the models answered, and in means for want of it: the section "
            "on trust names them."]  # fmt: skip


def _silent(models: pd.DataFrame, scores: pd.DataFrame) -> Iterator[str]:
    silent = list(models.loc[~models["model"].isin(scores["model"]), "model"])
    if silent:
        yield f"{_some(silent)} answered no item of any task, so nothing is said of {_it(silent)}."


def _partial(scores: pd.DataFrame) -> Iterator[str]:
    most = scores.groupby(CELL)["n_items"].transform("max")
    parts = scores[scores["n_items"] < most]
    for (model, label), own in parts.groupby(["model", "label"], sort=False):
        where = list(own["language"])
        yield (
            f"{model} answered {int(own['n_items'].sum()):,} of the {int(most[own.index].sum()):,} "
            f"items of {label} in {_some(where)}: its differences there are over those alone, and "
            "it counts as lacking the task in all means."
        )


def _left_out(models: pd.DataFrame, single: pd.DataFrame) -> Iterator[str]:
    """Say which tasks the means leave out for all, as one of those that they are set by lacks them."""
    anchors = [name for name in cast_of(models).anchors if name in set(single["model"])]
    most = single.groupby(CELL)["n_items"].transform("max")
    full = single[single["n_items"] == most]
    for measure in MEASURES:
        cells = single[belongs(single, measure)]
        if measure.name == TASKS:
            cells = cells[cells["chance"] < 1]
        cells = cells.drop_duplicates(CELL)
        names = list(cells[CELL].itertuples(index=False, name=None))
        parts, out = [], set()
        for anchor in anchors:
            own = full[full["model"] == anchor]
            having = set(own[CELL].itertuples(index=False, name=None))
            lacks = [name not in having for name in names]
            if any(lacks):
                out |= {name for name, missing in zip(names, lacks, strict=True) if missing}
                parts.append(
                    f"{_some(_cells(cells[lacks], cells))}, which {anchor} lacks in whole or part"
                )
        if parts and len(out) == len(names):
            yield f"No mean {measure.place} is taken, for want of {'; and '.join(parts)}."
        elif parts:
            yield f"The mean {measure.place} leaves out for all {'; and '.join(parts)}."


def _cells(lacks: pd.DataFrame, cells: pd.DataFrame) -> list[str]:
    """Name tasks, with the languages where others of them are not lacking."""
    asked = cells["label"].value_counts()
    return [
        str(label)
        if len(rows) == asked[label]
        else f"{label} in {_some([english(str(tag)) for tag in rows['language']])}"
        for label, rows in lacks.groupby("label", sort=False)
    ]


def _without_mean(models: pd.DataFrame, tables: Mapping[str, Table]) -> Iterator[str]:
    if "overall" not in tables:
        return
    for measure in MEASURES:
        having = set(whole(tables["overall"], measure)["model"])
        without = [name for name in cast_of(models).contestants if name not in having]
        if having and without:
            yield (
                f"{_some(without)} {'lacks' if len(without) == 1 else 'lack'} some task or language "
                f"that the mean of {_MEANS[measure.name]} is over, so "
                f"{'it has' if len(without) == 1 else 'they have'} none; no mean is taken over "
                "missing scores."
            )


def _some(names: list[str]) -> str:
    if len(names) <= _NAMED:
        return join(names)
    return join([*names[: _NAMED - 1], f"{len(names) - _NAMED + 1} others"])


def _it(names: list[str]) -> str:
    return "it" if len(names) == 1 else "them"
