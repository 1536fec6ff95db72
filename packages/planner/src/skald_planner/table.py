"""The run table as a fit may use it: checked, complete, ordered.

Knows what makes a table of runs unfit for one law; refuses to judge the losses themselves.
"""

from __future__ import annotations

import json
import math
from itertools import product

import pandas as pd
from skald_specs.errors import UserInputError

from skald_planner.difference import first_difference

WHERE = "run table"
#: A law holds for one value of each; a second one would need a term that this fit does not have.
SINGLE_VALUED = ("width", "depth", "global_batch_tokens", "schedule")
COLUMNS = (*SINGLE_VALUED, "family", "horizon_tokens", "lr", "seed", "loss", "diverged")


def checked(table: pd.DataFrame) -> pd.DataFrame:
    """Check a run table and order its rows by horizon, learning rate and seed.

    Args:
        table: Rows of `skald_specs.runtable.RunRow`.

    Returns:
        The ordered rows; a missing loss of a diverged run is NaN.

    Raises:
        UserInputError: A column is missing; the table is empty, mixes widths, depths, batches,
            schedules or families, names no family, repeats a run, lacks one of its grid, or has a loss that is no positive
            number although the run did not diverge.
    """
    missing = [column for column in COLUMNS if column not in table.columns]
    if missing:
        raise UserInputError(WHERE, f"no column `{missing[0]}`", "Run `skald sweep run` again")
    if table.empty:
        raise UserInputError(WHERE, "it has no rows", "Run `skald sweep run`")
    for column in SINGLE_VALUED:
        values = sorted(set(table[column]))
        if len(values) > 1:
            raise UserInputError(
                WHERE,
                f"it mixes {column} = {', '.join(map(str, values))}",
                f"Fit one {column} at a time",
            )
    _check_family(sorted(set(table["family"])))
    key = ["horizon_tokens", "lr", "seed"]
    rows = table.sort_values(key, kind="stable", ignore_index=True)
    repeated = rows[rows.duplicated(key)]
    if not repeated.empty:
        raise UserInputError(
            WHERE,
            f"two rows for {_run(repeated.iloc[0])}",
            "Keep one row for each run",
        )
    rows["diverged"] = rows["diverged"].astype(bool)
    rows["loss"] = pd.to_numeric(rows["loss"]).astype(float)
    bad = rows[~rows["diverged"] & ~rows["loss"].map(lambda x: math.isfinite(x) and x > 0)]
    if not bad.empty:
        raise UserInputError(
            WHERE,
            f"loss = {bad.iloc[0]['loss']} for {_run(bad.iloc[0])}, which did not diverge",
            "Mark the run as diverged or run it again",
        )
    _check_paired(rows)
    return rows


def _check_family(families: list[str]) -> None:
    if "" in families:
        raise UserInputError(
            WHERE, "a run names no `family`", "Run `skald sweep run` with a recipe again"
        )
    if len(families) > 1:
        first, second = (json.loads(family) for family in families[:2])
        raise UserInputError(
            WHERE,
            f"it mixes two families of recipes: {first_difference(first, second)}",
            "Fit one family at a time",
        )


def _check_paired(rows: pd.DataFrame) -> None:
    seeds = sorted(set(rows["seed"]))
    there = set(zip(rows["horizon_tokens"], rows["lr"], rows["seed"], strict=True))
    cells = sorted({(horizon, lr) for horizon, lr, _ in there})
    for (horizon, lr), seed in product(cells, seeds):
        if (horizon, lr, seed) not in there:
            raise UserInputError(
                WHERE,
                f"no run for horizon_tokens = {horizon}, lr = {lr:g}, seed = {seed}, while other "
                "learning rates have that seed",
                "Finish the sweep; seeds are compared in pairs",
            )


def _run(row: pd.Series) -> str:
    return f"horizon_tokens = {row['horizon_tokens']}, lr = {row['lr']:g}, seed = {row['seed']}"
