"""What changed between two reports, and whether it is more than noise; data frames, no wording of a page.

From two `report.json` alone nobody knows which items both answered alike, so the two figures count as
independent: the interval is then wider than need be, never narrower. Where item records are at hand,
`paired` tests take its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from skald_specs.errors import UserInputError
from skald_specs.languages import BY_TAG

from skald_report.statistics.comparison import LEVEL
from skald_report.statistics.families import holm
from skald_report.statistics.spread import NORMAL_95
from skald_report.tables.cells import AGAINST_CHANCE, CELL, LOWER_IS_BETTER
from skald_report.tables.file import REBUILD, rows_of
from skald_report.tables.pairs import mirrored
from skald_report.tables.table import MACRO, Table

#: The tables whose rows are judged, and the column that is: one family of Holm's correction each.
JUDGED: Mapping[str, str] = {
    "overall": "score",
    "pairwise": "difference",
    "scores": "score",
    "differences": "difference",
}
#: Tables of pairs, whose own verdict may have flipped.
_OF_PAIRS = ("pairwise", "differences")
#: Columns that must agree for a mean to be one of the same things.
_EXTENT = ("n_languages", "n_tasks", "n_cells", "languages")
#: Reports keep nine digits of either figure.
_SAME_CHANGE = 1e-6
INDEPENDENT = "independent, from the standard errors of both reports"
_COLUMNS = (
    "old",
    "new",
    "change",
    "low",
    "high",
    "p",
    "p_holm",
    "test",
    "weights",
    "verdict",
    "why",
)


class Moved(NamedTuple):
    """What one report has and the other lacks."""

    added: tuple[str, ...]
    gone: tuple[str, ...]


class Alone(NamedTuple):
    """How many rows of a table the other report lacks."""

    old: int
    new: int


class Changes(NamedTuple):
    """All that differs between two reports.

    Attributes:
        judged: Of every table in `JUDGED` that both have: old, new, change with its interval, p, Holm's
            p and verdict (better, worse, noise, same, not comparable, no interval).
        flipped: Pairs of models whose verdict is another one now; `why` where the two are of other things.
        alone: By table of `judged`, how many rows only one of the two reports has.
        moved: Models, tasks and languages added or gone.
        provenance: What the reports say differently of where they come from.
    """

    judged: Mapping[str, Table]
    flipped: Table
    alone: Mapping[str, Alone]
    moved: Mapping[str, Moved]
    provenance: Table


def changes(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    paired: Mapping[str, pd.DataFrame] = MappingProxyType({}),
) -> Changes:
    """Return what changed.

    Args:
        old: The earlier report, as `read_report` returns it.
        new: The later one.
        paired: Changes by item of some tables, as `records.paired_changes` returns them.

    Raises:
        UserInputError: A table has two rows of the same keys.
    """
    tasks = _other_tasks(old, new)
    judged, alone, flips = {}, {}, []
    for name, column in JUDGED.items():
        if name in old["tables"] and name in new["tables"]:
            keys = list(old["tables"][name]["keys"])
            before, after = (_frame(report, name, keys) for report in (old, new))
            if before.empty or after.empty:
                alone[name] = Alone(len(before), len(after))
                continue
            both = _named_alike(before, after, keys).merge(
                after, on=keys, suffixes=("_old", "_new"), validate="one_to_one"
            )
            alone[name] = Alone(len(before) - len(both), len(after) - len(both))
            weights = _weights(old, new, both)
            found = _judged(both, keys, column, tasks, weights, paired.get(name))
            units = dict.fromkeys(("old", "new", "change", "low", "high"), "by kind")
            judged[name] = Table(name, tuple(keys), units | {"p": "p", "p_holm": "p"}, found)
            if name in _OF_PAIRS:
                flips.append(_flips(name, both.assign(why=found["why"])))
    return Changes(judged, _flipped(flips), alone, _moved(old, new), _provenance(old, new))


def _frame(report: Mapping[str, Any], name: str, keys: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows_of(report, name))
    if not frame.empty and frame.duplicated(keys).any():
        raise UserInputError(
            f"table `{name}` of a report", f"has two rows of the same {', '.join(keys)}", REBUILD
        )
    return frame


def _named_alike(before: pd.DataFrame, after: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return the earlier rows with every pair of models named in the order of the later report.

    A report names its pairs by the order of its baselines, so that another order turns them round.
    """
    if "reference" not in keys:
        return before
    turned = {"model": "reference", "reference": "model"}
    later = set(after[keys].itertuples(index=False, name=None))
    other_way = before[[turned.get(key, key) for key in keys]].itertuples(index=False, name=None)
    round_ = np.fromiter((row in later for row in other_way), bool, len(before))
    return pd.concat([before[~round_], mirrored(before[round_])]).sort_index()


def _judged(
    both: pd.DataFrame,
    keys: list[str],
    column: str,
    tasks: pd.DataFrame,
    weights: pd.Series[str],
    paired: pd.DataFrame | None,
) -> pd.DataFrame:
    rows = both[keys].copy()
    for shown in ("kind", "label"):
        if f"{shown}_new" in both:
            rows[shown] = both[f"{shown}_new"]
    rows["old"], rows["new"] = both[f"{column}_old"], both[f"{column}_new"]
    rows["change"] = rows["new"] - rows["old"]
    error = np.hypot(_error(both, "_old"), _error(both, "_new"))
    half = NORMAL_95 * error
    rows["low"], rows["high"] = rows["change"] - half, rows["change"] + half
    with np.errstate(divide="ignore", invalid="ignore"):
        rows["p"] = 2 * stats.norm.sf(np.abs(rows["change"]) / error)
    rows["test"] = INDEPENDENT
    if paired is not None:
        rows = _with_paired(rows, keys, paired)
    same = rows["change"] == 0
    rows.loc[same, "p"] = 1.0
    rows["weights"] = weights
    rows["why"] = _incomparable(both, rows, tasks)
    # Where neither weights nor figure are others, there was nothing to be found.
    untouched = same & (rows["weights"] == "same")
    comparable = rows["why"] == ""
    rows["p_holm"] = holm(rows["p"].where(comparable & ~untouched))
    rows.loc[untouched & comparable, "p_holm"] = 1.0
    lower = rows["kind"].isin(LOWER_IS_BETTER) if "kind" in rows else rows["measure"] == "text"
    better = (rows["change"] > 0) != lower
    clear = rows["p_holm"] < LEVEL
    rows["verdict"] = np.select(
        [rows["why"] != "", same, rows["p"].isna(), clear & better, clear],
        ["not comparable", "same", "no interval", "better", "worse"],
        "noise",
    )
    named = [c for c in rows.columns if c not in _COLUMNS]
    return rows[[*named, *_COLUMNS]].reset_index(drop=True)


def _error(both: pd.DataFrame, side: str) -> pd.Series[float]:
    """Return standard errors: half an interval's width over the normal quantile, or a larger one given."""
    width = both[f"high{side}"].astype(float) - both[f"low{side}"].astype(float)
    error = width / (2 * NORMAL_95)
    given = f"standard_error{side}"
    # The larger one; the only one where the other is missing.
    return (
        pd.concat([error, pd.to_numeric(both[given], errors="coerce")], axis=1).max(axis=1)
        if given in both
        else error
    )


def _with_paired(rows: pd.DataFrame, keys: list[str], paired: pd.DataFrame) -> pd.DataFrame:
    """Put paired intervals and p values where the records give the change that the reports show.

    Where they give another, they are of other items or languages, and say nothing of this row.
    """
    found = rows[keys].merge(paired, on=keys, how="left", validate="one_to_one")
    moved = found["difference"].astype(float).to_numpy() - rows["change"].to_numpy()
    there = (np.abs(moved) <= _SAME_CHANGE) & found["p"].notna().to_numpy()
    for column in ("low", "high", "p", "test"):
        rows[column] = np.where(there, found[column], rows[column])
    return rows


def _weights(old: Mapping[str, Any], new: Mapping[str, Any], rows: pd.DataFrame) -> pd.Series[str]:
    """Say whether a row's models have the weights they had."""
    before, after = (
        {row["model"]: row["weights_sha256"] for row in rows_of(report, "models")}
        for report in (old, new)
    )
    kept = {name for name in before.keys() & after.keys() if before[name] == after[name]}
    same = rows["model"].isin(kept)
    if "reference" in rows:
        same &= rows["reference"].isin(kept)
    return same.map({True: "same", False: "other"})


def _other_tasks(old: Mapping[str, Any], new: Mapping[str, Any]) -> pd.DataFrame:
    """Return the tasks whose version or items are others: suite, label, language, kind, why."""
    columns = ["suite", "label", "language", "kind", "why"]
    signatures = []
    for report in (old, new):
        found: dict[tuple[str, ...], set[tuple[Any, ...]]] = {}
        for row in rows_of(report, "tasks"):
            at = tuple(str(row[name]) for name in columns[:-1])
            found.setdefault(at, set()).add((row["version"], row["data_sha256"]))
        signatures.append(found)
    before, after = signatures
    rows = []
    for at in sorted(before.keys() & after.keys()):
        if before[at] != after[at]:
            versions = [{version for version, _ in side[at]} for side in signatures]
            why = "other task version" if versions[0] != versions[1] else "other items"
            rows.append((*at, why))
    return pd.DataFrame(rows, columns=columns)


def _incomparable(both: pd.DataFrame, rows: pd.DataFrame, tasks: pd.DataFrame) -> list[str]:
    """Return for each row why its two figures are of different things; "" where they are not."""
    extents = [c for c in _EXTENT if f"{c}_old" in both]
    counts = [c for c in ("n_items",) if f"{c}_old" in both]
    other = pd.Series(False, index=both.index)
    for column in extents:
        other |= _extent(both[f"{column}_old"]) != _extent(both[f"{column}_new"])
    fewer = pd.Series(False, index=both.index)
    for column in counts:
        fewer |= both[f"{column}_old"] != both[f"{column}_new"]
    changed = _by_task(rows, tasks) if "task" in rows else _by_scope(rows, tasks)
    return [
        "other tasks or languages" if a else w or ("other items" if f else "")
        for a, w, f in zip(other, changed, fewer, strict=True)
    ]


def _extent(values: pd.Series[Any]) -> pd.Series[Any]:
    """Return what figures are over; names in another order are the same."""
    return values.fillna("").map(lambda v: sorted(v.split()) if isinstance(v, str) else v)


def _by_task(rows: pd.DataFrame, tasks: pd.DataFrame) -> list[str]:
    whys = {tuple(row[:3]): row[4] for row in tasks.itertuples(index=False, name=None)}
    # A mean over languages is of other items as soon as one of them is.
    for suite, label, _, _, why in tasks.itertuples(index=False, name=None):
        whys.setdefault((suite, label, MACRO), why)
    at = zip(rows[CELL[0]], rows["label"], rows[CELL[2]], strict=True)
    return [whys.get(key, "") for key in at]


def _by_scope(rows: pd.DataFrame, tasks: pd.DataFrame) -> list[str]:
    """Return what changed among the contest tasks of a mean's languages."""
    contest = tasks[~tasks["kind"].isin(AGAINST_CHANCE)]
    whys: dict[tuple[str, str], str] = {}
    for row in contest.to_dict("records"):
        measure, tag = "text" if row["kind"] == "text" else "tasks", str(row["language"])
        branch = BY_TAG[tag].branch if tag in BY_TAG else ""
        for scope in (tag, branch, "mean", "worst"):
            whys.setdefault((measure, str(scope)), str(row["why"]))
    scopes = list(rows["scope"]) if "scope" in rows else ["mean"] * len(rows)
    return [whys.get((m, str(s)), "") for m, s in zip(rows["measure"], scopes, strict=True)]


def _flips(name: str, both: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of one table of pairs whose verdict is another one now."""
    return both[both["verdict_old"] != both["verdict_new"]].assign(table=name)


def _flipped(parts: list[pd.DataFrame]) -> Table:
    names = ["table", "measure", "task", "language", "model", "reference"]
    columns = [*names, "verdict_old", "verdict_new", "why"]
    frame = pd.concat(parts) if parts else pd.DataFrame(columns=columns)
    return Table("flipped", tuple(names), {}, frame.reindex(columns=columns).reset_index(drop=True))


def _moved(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Moved]:
    def seen(report: Mapping[str, Any], column: str) -> list[str]:
        names = [str(row[column]) for row in rows_of(report, "scores")]
        return [name for name in dict.fromkeys(names) if name != MACRO]

    found = {}
    for what, column in (("models", "model"), ("tasks", "label"), ("languages", "language")):
        before, after = seen(old, column), seen(new, column)
        found[what] = Moved(
            tuple(name for name in after if name not in before),
            tuple(name for name in before if name not in after),
        )
    return found


def _provenance(old: Mapping[str, Any], new: Mapping[str, Any]) -> Table:
    before, after = old["provenance"], new["provenance"]
    rows = [
        {"what": key, "old": before.get(key, ""), "new": after.get(key, "")}
        for key in [*before, *(key for key in after if key not in before)]
        if before.get(key) != after.get(key)
    ]
    return Table("provenance", ("what",), {}, pd.DataFrame(rows, columns=["what", "old", "new"]))
