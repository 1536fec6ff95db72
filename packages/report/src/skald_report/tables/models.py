"""The evaluated models: who they are, in which order they are shown, and who is compared with whom."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd
from skald_specs.controls import TASK_CHECKS
from skald_specs.sizes import size_class

from skald_report.reading.inputs import Sources
from skald_report.tables.table import Table

_COLUMNS = ["model", "role", "about", "n_params_total", "dtype", "weights_sha256", "hub_id",
            "tuning", "size_class", "seed_group"]  # fmt: skip
_RANK = {"baseline": 0, "external": 1, "control": 2}


class Cast(NamedTuple):
    """Who takes part in comparisons, each in the order shown.

    Attributes:
        contestants: Models that are no controls.
        anchors: The baselines, or the first contestant where there is none: what others are set
            against, and whose languages and tasks a mean is over.
        rivals: Controls that are models, as a network before training is.
        seeds: Contestants by groups that differ in seeds alone: one baseline, trained more than once.
    """

    contestants: tuple[str, ...]
    anchors: tuple[str, ...]
    rivals: tuple[str, ...]
    seeds: tuple[tuple[str, ...], ...] = ()


def models(sources: Sources) -> Table:
    """Return the evaluated models, baselines first."""
    rows = {
        model.name: {
            "model": model.name,
            "role": model.role,
            "about": model.about,
            "n_params_total": model.n_params_total,
            "dtype": model.dtype,
            "weights_sha256": model.weights_sha256,
            "hub_id": model.hub_id or "",
            "tuning": model.tuning or "",
            "size_class": size_class(model.n_params_total),
            "seed_group": sources.seed_groups.get(model.name, ""),
        }
        for summary in sources.summaries
        for model in summary.models
    }
    # Baselines in the order of the plans, which is the user's.
    asked = {name: number for number, name in enumerate(sources.order or sources.plans)}
    ordered = sorted(
        rows.values(),
        key=lambda r: (_RANK[str(r["role"])], asked.get(str(r["model"]), len(asked))),
    )
    frame = pd.DataFrame(ordered, columns=_COLUMNS)
    frame["n_params_total"] = frame["n_params_total"].astype("Int64")
    return Table("models", ("model",), {"n_params_total": "parameters"}, frame)


def cast_of(frame: pd.DataFrame) -> Cast:
    """Return who takes part in comparisons, from the models' table."""
    names, roles = frame["model"], frame["role"]
    contestants = tuple(names[roles != "control"])
    baselines = tuple(names[roles == "baseline"])
    rivals = tuple(names[(roles == "control") & ~task_checks(frame)])
    named = frame[(roles != "control") & (frame["seed_group"] != "")]
    seeds = tuple(tuple(own["model"]) for _, own in named.groupby("seed_group", sort=False))
    return Cast(contestants, baselines or contestants[:1], rivals, seeds)


def task_checks(frame: pd.DataFrame) -> pd.Series[bool]:
    """Return for each row of a table with `model` and `role` whether it is a control of tasks alone."""
    return (frame["role"] == "control") & frame["model"].isin(TASK_CHECKS)
