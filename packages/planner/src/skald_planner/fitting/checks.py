"""Which rows may stand in one table of runs: possible, in one unit, of one schedule and one family.

Knows rows whose cells are numbers already; refuses to judge a loss beyond its sign.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pandas as pd
from skald_specs.errors import UserInputError
from skald_specs.guesses import offer
from skald_specs.timefit import MOST_OCTAVES

from skald_planner.plans.difference import first_difference

#: No model is trained on fewer tokens a step. Assumed: four sequences of 64.
SMALLEST_BATCH_TOKENS = 256
#: No run takes more steps. Published sweeps stay below 2 million (StepLaw's longest is 1.5 million); a
#: batch in sequences makes a long run look hundreds of times longer.
MOST_STEPS = 20_000_000
#: Neighbouring batches of one table that lie farther apart are two units: sequences are 64 tokens and
#: more, and no published sweep leaves out six doublings in a row.
LARGEST_JUMP = 128
CELL = ("width", "depth", "n_params_non_embedding", "horizon_tokens")
RUN = (*CELL, "global_batch_tokens", "lr", "seed")
_SIZES = ("n_params_non_embedding", "horizon_tokens", "global_batch_tokens", "lr")
_WHOLE = (*CELL, "n_params_total", "global_batch_tokens", "seed")
#: Whole numbers are kept in 64 bits; what no learning rate is, no fit can hold.
_COUNTS = (0.5, 2.0**62)
_RATES = (2.0**-MOST_OCTAVES, 2.0**MOST_OCTAVES)
Row = Callable[[int], str]


def checked(table: pd.DataFrame, where: str, row: Row, schedule: str | None) -> pd.DataFrame:
    """Check a table of runs, and order it.

    Args:
        table: All columns of the run table, numbers as floats.
        where: The file, for messages.
        row: What the row at a position of the file is called.
        schedule: Keep the runs of this schedule only.

    Returns:
        See `skald_planner.fitting.runs.read_runs`.

    Raises:
        UserInputError: See there.
    """
    table = _of_one_schedule(table, where, schedule)
    _require_one_family(table, where)
    _require_possible(table, where, row)
    for name in _WHOLE:
        table[name] = table[name].round().astype(np.int64)
    _require_tokens(table, where, row)
    table, notes = _with_divergence(table, where, row)
    table, repeated = _without_repeats(table, where, row)
    if table["diverged"].all():
        raise UserInputError(
            where, f"all {len(table)} runs diverged", "Add runs at smaller learning rates"
        )
    table, pooled = _with_paired_seeds(table, where)
    table = table.sort_values(list(RUN), kind="stable", ignore_index=True)
    table.attrs["notes"] = (*notes, *repeated, *pooled)
    return table


def _with_paired_seeds(table: pd.DataFrame, where: str) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Take seeds as one where most runs have one of their own: then no two rates can be paired."""
    per_seed = table.groupby([*CELL, "seed"])["lr"].transform("size")
    if table["seed"].nunique() == 1 or per_seed.median() > 1:
        return table, ()
    note = f"{where}: most runs have a seed of their own, so seeds are not paired but taken as one"
    return table.assign(seed=0), (note,)


def _of_one_schedule(table: pd.DataFrame, where: str, schedule: str | None) -> pd.DataFrame:
    counts = table["schedule"].value_counts().sort_index()
    found = ", ".join(f"{name} ({n} rows)" for name, n in counts.items())
    if schedule is not None:
        if schedule not in counts.index:
            raise UserInputError(
                where,
                f"no run has the schedule {schedule!r}",
                offer(schedule, map(str, counts.index)),
            )
        return table[table["schedule"] == schedule].copy()
    if len(counts) > 1:
        raise UserInputError(
            where,
            f"it mixes schedules, and the best learning rate depends on the schedule: {found}",
            f"Fit one of them, such as --schedule {json.dumps(str(counts.idxmax()))}",
        )
    return table.copy()


def _require_one_family(table: pd.DataFrame, where: str) -> None:
    counts = table["family"].value_counts().sort_index()
    if "" in counts.index:
        raise UserInputError(
            where,
            f"{counts['']} runs name no `family`",
            "Run `skald sweep run` with a recipe again, or leave the column out",
        )
    if len(counts) > 1:
        first, second = (str(name) for name in counts.index[:2])
        raise UserInputError(
            where,
            f"it mixes {len(counts)} families of recipes ({counts.iloc[0]} and {counts.iloc[1]} "
            f"rows): {_difference(first, second)}",
            "Fit the runs of one family; keep each in a file of its own",
        )


def _difference(first: str, second: str) -> str:
    try:
        return first_difference(json.loads(first), json.loads(second))
    except json.JSONDecodeError:
        return f"{first} here, {second} there"


def _require_possible(table: pd.DataFrame, where: str, row: Row) -> None:
    for name in (*_SIZES, "width", "depth", "n_params_total", "seed"):
        values = table[name]
        least = "above 0" if name in _SIZES else "0 or more"
        below = values <= 0 if name in _SIZES else values < 0
        fits = values.between(*(_RATES if name == "lr" else _COUNTS))
        bad = ~np.isfinite(values) | ~(fits | (values == 0)) | below
        if bad.any():
            at = _first(bad)
            why = f"not {least}" if below[at] else "no size that a run has"
            found = f"= {values[at]:g} is {why}" if np.isfinite(values[at]) else "is no number"
            hint = "; give the rate itself, not its logarithm" if name == "lr" else ""
            raise UserInputError(
                where,
                f"{name}, {row(at)}: {name} {found} ({bad.sum()} such rows)",
                f"Correct it{hint}; the other rows can be fitted without it",
            )
    bad = table["loss"] <= 0
    if bad.any():
        at = _first(bad)
        raise UserInputError(
            where,
            f"loss, {row(at)}: loss = {table['loss'][at]:g} is not above 0 ({bad.sum()} such rows)",
            "Give the loss itself, not its logarithm or a difference",
        )


def _require_tokens(table: pd.DataFrame, where: str, row: Row) -> None:
    batch, horizon = table["global_batch_tokens"], table["horizon_tokens"]
    remedy = (
        "Give tokens: in a column map, `scale` or `times` multiplies a batch by its sequence length"
    )
    for bad, why in (
        (batch < SMALLEST_BATCH_TOKENS, f"is below {SMALLEST_BATCH_TOKENS} tokens"),
        (horizon / batch > MOST_STEPS, f"means more than {MOST_STEPS:,} steps"),
    ):
        if bad.any():
            at = _first(bad)
            mixed = f" ({bad.sum()} of {len(table)} rows)"
            raise UserInputError(
                where,
                f"global_batch_tokens, {row(at)}: {batch[at]} {why}, so it looks like "
                f"sequences{mixed}",
                remedy,
            )
    bad = horizon < batch
    if bad.any():
        at = _first(bad)
        raise UserInputError(
            where,
            f"horizon_tokens, {row(at)}: {horizon[at]} is below one batch of {batch[at]} tokens",
            "Give the horizon in tokens, not in steps, sequences or billions",
        )
    for low, high in pairwise(sorted(set(batch))):
        if high / low > LARGEST_JUMP:
            n_low = int((batch <= low).sum())
            raise UserInputError(
                where,
                f"global_batch_tokens jumps from {low} to {high}, so it looks as if {n_low} rows "
                f"count sequences and {len(table) - n_low} tokens",
                f"{remedy}; either part can be fitted alone",
            )


def _with_divergence(
    table: pd.DataFrame, where: str, row: Row
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """A loss that is no number is a divergence; a diverged run has no loss."""
    unflagged = ~np.isfinite(table["loss"]) & ~table["diverged"]
    table["diverged"] |= unflagged
    table.loc[table["diverged"], "loss"] = np.nan
    if not unflagged.any():
        return table, ()
    n, first = int(unflagged.sum()), row(_first(unflagged))
    counted = "1 run has" if n == 1 else f"{n} runs have"
    return table, (f"{where}: {counted} no finite loss ({first}) and counted as diverged",)


def _without_repeats(
    table: pd.DataFrame, where: str, row: Row
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    groups = table.groupby(list(RUN), sort=False)
    low, high = groups["loss"].transform("min"), groups["loss"].transform("max")
    flags = groups["diverged"].transform("nunique")
    bad = (low != high) & low.notna() | (flags > 1)
    if bad.any():
        first = _first(bad)
        same = (table[list(RUN)] == table.loc[first, list(RUN)]).all(axis=1)
        one, two = (int(at) for at in table.index[same][:2])
        raise UserInputError(
            where,
            f"{row(one)} and {row(two)} are the same run with losses {table['loss'][one]:g} and "
            f"{table['loss'][two]:g} ({_run(table, one)})",
            "Keep one of them, or tell them apart by `seed`",
        )
    repeats = table.duplicated(list(RUN))
    if not repeats.any():
        return table, ()
    n, at = int(repeats.sum()), row(_first(repeats))
    noun = "1 row repeats a run" if n == 1 else f"{n} rows repeat a run"
    return table[~repeats], (f"{where}: {noun} and agrees with it ({at}); counted once",)


def _first(bad: pd.Series) -> int:
    return int(bad.index[bad.to_numpy()][0])


def _run(table: pd.DataFrame, at: int) -> str:
    return ", ".join(f"{name} = {table[name][at]:g}" for name in RUN)
