"""Means of models and pairs of them, as sentences need them: who leads, and a pair seen from either side.

Knows the tables `overall` and `pairwise`; refuses to compute a statistic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd
from skald_specs.languages import BY_TAG

from skald_report.tables.pairs import mirrored
from skald_report.tables.table import MACRO, Table


class Measure(NamedTuple):
    """One of the two scales on which models are ranked.

    Attributes:
        name: Its name in the tables.
        place: How a sentence names it.
        noun: What its numbers are.
        scale: How they are to be read.
        lower_is_better: Whether the lowest number wins.
    """

    name: str
    place: str
    noun: str
    scale: str
    lower_is_better: bool


#: In the order of the page.
MEASURES = (
    Measure(
        "tasks",
        "on tasks",
        "score between chance (0) and perfect (1)",
        "0 is chance, 1 is all right",
        False,
    ),
    Measure("text", "in bits per byte", "bits per byte, lower is better", "lower is better", True),
)


def contestants(models: Table) -> list[str]:
    """Return the models that are ranked: all but the controls, in the order of the page."""
    frame = models.frame
    return list(frame.loc[frame["role"] != "control", "model"])


def seed_groups(models: Table) -> list[list[str]]:
    """Return the contestants that are one baseline trained with several seeds, group by group."""
    frame = models.frame
    own = frame[(frame["role"] != "control") & (frame["seed_group"] != "")]
    return [list(rows["model"]) for _, rows in own.groupby("seed_group", sort=False)]


def siblings(models: Table, name: str) -> set[str]:
    """Return a model with the other seeds of the same baseline.

    Args:
        models: The table `models`, whose `seed_group` says which runs are one baseline.
        name: A model; one without other seeds is alone in the answer.
    """
    return next((set(own) for own in seed_groups(models) if name in own), {name})


def whole(overall: Table | None, measure: Measure) -> pd.DataFrame:
    """Return the rows of `overall` over all languages, which are those of the language where it is one.

    Args:
        overall: The table of that name; None where no model has a mean.
        measure: One of `MEASURES`.
    """
    if overall is None:
        return pd.DataFrame(columns=["model", "score", "n_languages"])
    rows = overall.frame[overall.frame["measure"] == measure.name]
    single = rows[rows["scope_kind"] == "language"]
    if single["scope"].nunique() == 1:
        return single
    return rows[rows["scope"] == MACRO]


def means(overall: Table | None, measure: Measure, named: Sequence[str]) -> pd.DataFrame:
    """Return the overall means of the named models, the best first; equals in the order of the names.

    Args:
        overall: The table of that name; None where no model has a mean.
        measure: One of `MEASURES`; it says whether the lowest or the highest number is best.
        named: Models; one without a mean has no row.
    """
    rows = whole(overall, measure)
    rows = rows[rows["model"].isin(named) & rows["score"].notna()]
    placed = rows.assign(place=rows["model"].map({name: n for n, name in enumerate(named)}))
    order = ["score", "place"]
    return placed.sort_values(order, ascending=[measure.lower_is_better, True]).drop(
        columns="place"
    )


def seen_from(
    pairwise: Table | None, measure: Measure, models: Sequence[str], others: Sequence[str]
) -> pd.DataFrame:
    """Return every pair of some models with others, none of them, as `model` against `reference`.

    A pair that the table names the other way round is mirrored: signs, wins and verdict.

    Args:
        pairwise: The table of that name; None where there is no pair.
        measure: One of `MEASURES`.
        models: Whom a row is about.
        others: Whom they are set against; shares no name with `models`.
    """
    if pairwise is None:
        return pd.DataFrame(columns=["model", "reference", "verdict"])
    frame = pairwise.frame[pairwise.frame["measure"] == measure.name]
    own = frame[frame["model"].isin(models) & frame["reference"].isin(others)]
    turned = mirrored(frame[frame["reference"].isin(models) & frame["model"].isin(others)])
    return pd.concat([part for part in (own, turned) if len(part)] or [own])


def cells_of(differences: Table | None, model: str, reference: str) -> pd.DataFrame:
    """Return the differences of a pair task by task and language by language, seen from `model`.

    Args:
        differences: The table of that name; None where there is no pair.
        model: Whom signs and verdicts are about.
        reference: The other one.

    Returns:
        No row where the two were not compared.
    """
    if differences is None:
        return pd.DataFrame(columns=["kind", "verdict"])
    frame = differences.frame
    own = frame[(frame["model"] == model) & (frame["reference"] == reference)]
    if len(own):
        return own
    return mirrored(frame[(frame["model"] == reference) & (frame["reference"] == model)])


def english(tag: str) -> str:
    """Return a language's English name, or its tag where the register does not know it."""
    return BY_TAG[tag].english if tag in BY_TAG else tag


def branch_of(tag: str) -> str:
    """Return the branch of a language, empty where it has none."""
    return BY_TAG[tag].branch if tag in BY_TAG and BY_TAG[tag].branch != "-" else ""


def by_model(rows: pd.DataFrame, column: str) -> Mapping[str, float]:
    """Return a column by model.

    Args:
        rows: Of any table with a row a model.
        column: One of numbers.
    """
    return dict(zip(rows["model"], rows[column], strict=True))
