"""Two reports, number by number, through their `report.json`.

A rerun on another machine sums in another order: a sweep's losses differ in the last bits, the fitted
rates by hundredths of an octave, and what is then trained is another run of the same recipe. Figures that
training or a fit produced may differ by as much as two such runs do; counts and published figures may not
differ at all. The tolerances stand here and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from skald_specs.claims import Measure
from skald_specs.errors import UserInputError

from skald_report.tables.cells import AGAINST_CHANCE
from skald_report.tables.file import REBUILD, read_report


class Tolerance(NamedTuple):
    """The largest allowed difference: absolute, or relative to the older number."""

    absolute: float = 0.0
    relative: float = 0.0

    def allows(self, old: float, new: float) -> bool:
        """Return whether two numbers count as the same.

        Args:
            old: The number that `relative` is a share of.
            new: The same number of the later report, in the same unit.
        """
        return abs(new - old) <= max(self.absolute, self.relative * abs(old))

    def __str__(self) -> str:
        parts = [f"{self.absolute:.3g}"] if self.absolute else []
        parts += [f"{self.relative:.3g} of old"] if self.relative else []
        return "<= " + (" or ".join(parts) or "0")


#: Tolerance by unit. Standing: assumed, and measured once, the cycle on two processors: rates moved by up to
#: 0.03 octave, validation by 2.3 % (at the end by less), single losses by 3.2 %. `None`: not compared, for it
#: follows from numbers that are (a p value, degrees of freedom, how many are told apart).
TOLERANCES: Mapping[str, Tolerance | None] = {
    "accuracy": Tolerance(absolute=0.03),
    # Two dozen items a language: three of them.
    "accuracy, few items": Tolerance(absolute=0.12),
    "bits/byte": Tolerance(relative=0.03),
    "nats/token": Tolerance(relative=0.05),
    "log2 lr": Tolerance(absolute=0.5),
    "log2 tokens": Tolerance(absolute=1.0),
    "per octave^2": Tolerance(relative=0.5),
    "octaves": Tolerance(absolute=0.5),
    "exponent": Tolerance(absolute=0.3),
    "log loss": Tolerance(absolute=0.01),
    "share": Tolerance(absolute=0.3),
    "points": Tolerance(),
    "count": Tolerance(),
    "parameters": Tolerance(),
    # Of what lies between chance and all right, so twice as far as the share itself.
    "corrected share": Tolerance(absolute=0.06),
    # Planned, by formulas of the shape, the tokens and a machine's data sheet.
    "flops": Tolerance(relative=1e-6),
    "GPU-hours": Tolerance(relative=1e-6),
    "MWh": Tolerance(relative=1e-6),
    "days": Tolerance(relative=1e-6),
    "p": None,
    "degrees of freedom": None,
    "told apart": None,
    # Of the worst language, whichever it is.
    "clusters": Tolerance(relative=0.1),
    # Drawn, and a power of what little two checkpoints differ by: the gap itself is compared.
    "tokens by a law": None,
}
#: An item is right or wrong, so what another run of the same recipe moves follows from how many there are: so
#: many half-widths of the older report's 95 % interval, where that is more. Standing: measured once, the cycle
#: on two processors: the most of 128 scores is 1.85.
_HALF_WIDTHS = 2.5
_OF_ITEMS = ("accuracy", "accuracy, few items", "corrected share")
#: Unit of a whole table's measure; one above 1 differs.
TOLERANCE_UNIT = "tolerances"
#: A table that a report has only where training text has items: absent from one, it is not compared.
_MAY_BE_ABSENT = "clean"
_BY_KIND = {
    **dict.fromkeys(("pairs", "cloze", "choice", "generate"), "accuracy"),
    "text": "bits/byte",
    **dict.fromkeys(AGAINST_CHANCE, "accuracy, few items"),
}
_BY_MEASURE = {"tasks": "corrected share", "text": "bits/byte"}
#: A difference of two scores may move by as much as both of them, in absolute terms.
_DIFFERENCE = {
    "accuracy": Tolerance(absolute=0.06),
    "corrected share": Tolerance(absolute=0.12),
    "bits/byte": Tolerance(absolute=0.08),
}
_DIFFERING = "differing"
_OF_DIFFERENCES = ("differences", "pairwise", "untransferred")


class _Number(NamedTuple):
    value: float | None
    unit: str
    tolerance: Tolerance | None


def compare(old: Path, new: Path) -> list[Measure]:
    """Compare two report folders.

    Args:
        old: The reference.
        new: The report to judge.

    Returns:
        One measure a table (its largest difference in units of the tolerance; None without a number
        in common, or where none may differ), then one for every number that differs by more than its
        tolerance or that only one report has.

    Raises:
        UserInputError: A folder holds no report, or one of another schema.
    """
    before, after = read_report(old), read_report(new)
    summary: list[Measure] = [_corpus(before, after)]
    details: list[Measure] = []
    names = before["tables"].keys() | after["tables"].keys()
    if _MAY_BE_ABSENT not in before["tables"].keys() & after["tables"].keys():
        names -= {_MAY_BE_ABSENT}
    for name in sorted(names):
        first, second = _numbers(before, name), _numbers(after, name)
        found = [
            problem
            for key in sorted(first.keys() | second.keys())
            if (problem := _difference(f"{name}/{key}", first.get(key), second.get(key)))
        ]
        shared = first.keys() & second.keys()
        worst = max((_in_tolerances(first[k], second[k]) for k in shared), default=math.nan)
        detail = f"{len(found):,} of {len(first.keys() | second.keys()):,} numbers differ"
        if name not in before["tables"] or name not in after["tables"]:
            where = "old" if name in before["tables"] else "new"
            detail = f"only the {where} report has this table"
        summary.append(
            Measure(
                measure=name,
                value=worst if math.isfinite(worst) else None,
                unit=TOLERANCE_UNIT,
                bound="<= 1",
                holds=not found,
                detail=detail if found else "",
            )
        )
        details += found
    return summary + details


def tables_that_differ(measures: Iterable[Measure]) -> list[str]:
    """Return a line for each table, and for the corpus, in which two reports differ.

    Args:
        measures: As `compare` returns them.
    """
    return [
        f"{m.measure}: {m.detail}"
        + (f", the most by {m.value:.3g} times what a rerun may" if (m.value or 0) > 1 else "")
        for m in measures
        if m.holds is not True and m.unit in (TOLERANCE_UNIT, _DIFFERING)
    ]


def _corpus(before: Mapping[str, Any], after: Mapping[str, Any]) -> Measure:
    key = "corpus fingerprint"
    same = before["provenance"].get(key) == after["provenance"].get(key)
    return Measure(
        measure=key, value=float(not same), unit=_DIFFERING, bound="== 0", holds=same,
        detail="" if same else "the reports belong to different corpora",
    )  # fmt: skip


def _numbers(report: Mapping[str, Any], name: str) -> dict[str, _Number]:
    table = report["tables"].get(name)
    return dict(_named(name, table)) if table else {}


def _named(name: str, table: Mapping[str, Any]) -> Iterator[tuple[str, _Number]]:
    for values in table["rows"]:
        row = dict(zip(table["columns"], values, strict=True))
        key = "/".join(str(row[part]) for part in table["keys"])
        for column, unit in table["units"].items():
            try:
                known = _unit(unit, row)
                tolerance = TOLERANCES[known]
            except KeyError as error:
                raise UserInputError(
                    f"table `{name}` of a report", f"nobody knows the unit of {error}", REBUILD
                ) from None
            if name in _OF_DIFFERENCES and known in _DIFFERENCE:
                tolerance = _DIFFERENCE[known]
            if tolerance is not None and known in _OF_ITEMS:
                tolerance = _widened(tolerance, row)
            if tolerance is not None:
                yield f"{key}/{column}", _Number(row[column], known, tolerance)


def _widened(tolerance: Tolerance, row: Mapping[str, Any]) -> Tolerance:
    low, high = row.get("low"), row.get("high")
    if low is None or high is None:
        return tolerance
    return Tolerance(max(tolerance.absolute, _HALF_WIDTHS * (high - low) / 2), tolerance.relative)


def _unit(unit: str, row: Mapping[str, Any]) -> str:
    if unit == "by kind":
        return _BY_KIND[row["kind"]]
    return _BY_MEASURE[row["measure"]] if unit == "by measure" else unit


def _difference(name: str, old: _Number | None, new: _Number | None) -> Measure | None:
    if old is None or new is None:
        known = new or old
        where = "the new" if old is None else "the old"
        return Measure(
            measure=name, value=None, unit=known.unit if known else "", bound="in both reports",
            holds=False, detail=f"only {where} report has it",
        )  # fmt: skip
    if old.value is None and new.value is None:
        return None
    if old.value is None or new.value is None:
        return Measure(
            measure=name, value=None, unit=old.unit, bound="in both reports", holds=False,
            detail=f"old {old.value}, new {new.value}",
        )  # fmt: skip
    tolerance = old.tolerance or Tolerance()
    if tolerance.allows(old.value, new.value):
        return None
    return Measure(
        measure=name, value=new.value - old.value, unit=old.unit, bound=str(tolerance),
        holds=False, detail=f"old {old.value:.6g}, new {new.value:.6g}",
    )  # fmt: skip


def _in_tolerances(old: _Number, new: _Number) -> float:
    if old.value is None or new.value is None or old.tolerance is None:
        return 0.0
    allowed = max(old.tolerance.absolute, old.tolerance.relative * abs(old.value))
    moved = abs(new.value - old.value)
    return moved / allowed if allowed else (math.inf if moved else 0.0)
