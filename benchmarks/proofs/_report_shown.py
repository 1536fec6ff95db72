"""Whether a page shows the numbers of its `report.json`, to the digits that it shows."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from _report_html import Reader

#: A number as the page writes it: sign, thousands, exponent; what precedes or follows says how to read it.
_NUMBER = re.compile(
    r"(?P<bound>(?:[<>≤≥]|at least|at most)[ \u00a0]?)?(?P<number>[−+-]?\d[\d,]*(?:\.\d+)?(?:e[+−-]?\d+)?)(?P<scale> ?%|[kMBT]\b)?"
)
_SCALES = {"": 1.0, "%": 0.01, "k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
#: Tables whose cells are texts: words of the glossary, fingerprints, sources. Their numbers are
#: compared as text with the report's, or are no results.
TEXTS = frozenset({"provenance", "glossary"})


class Wrong(NamedTuple):
    """A number that the page shows and `report.json` does not have there."""

    where: str
    shown: str
    recorded: str


class Shown(NamedTuple):
    """How many numbers were looked up, those that are wrong, and cells that do not say whence."""

    n_numbers: int
    wrong: tuple[Wrong, ...]
    unsourced: tuple[Wrong, ...]


def look_up(page: Reader, report: Mapping[str, Any]) -> Shown:
    """Compare every number of tables and explorers with `report.json`."""
    wrong: list[Wrong] = []
    unsourced: list[Wrong] = []
    n_numbers, texts = 0, texts_of(report)
    for cell in page.cells:
        where = f"{cell.table}: {cell.row}"
        if cell.of:
            values = _values(report, cell.of)
            if values is None:
                wrong.append(Wrong(where, cell.text, f"no {cell.of}"))
                continue
            n_numbers += len(values)
            if not _agree(cell.text, values) and not _agree(_bare(cell.text, texts), values):
                wrong.append(Wrong(where, cell.text, f"{cell.of} = {values}"))
        elif not cell.heads and cell.table not in TEXTS and cell.text not in {cell.row, *texts}:
            unsourced += [Wrong(where, cell.text, "")] if re.search(r"\d", cell.text) else []
    for name, text in page.data.items():
        found = list(_explorer(name, json.loads(text), report))
        n_numbers += sum(count for count, _ in found)
        wrong += [problem for _, problems in found for problem in problems]
    return Shown(n_numbers, tuple(wrong), tuple(unsourced))


def _values(report: Mapping[str, Any], of: str) -> list[Any] | None:
    """Return the numbers that a cell names; None where there are none."""
    values: list[Any] = []
    for part in of.split(";"):
        name, row, columns = part.split(":")
        table = report["tables"].get(name)
        if table is None or not row.isdigit() or int(row) >= len(table["rows"]):
            return None
        if not set(columns.split(",")) <= set(table["columns"]):
            return None
        own = dict(zip(table["columns"], table["rows"][int(row)], strict=True))
        # A size in billions is shown with its letter.
        values += [
            own[column] * 1e9 if column.endswith("_b") and own[column] is not None else own[column]
            for column in columns.split(",")
        ]
    return values


def _agree(text: str, values: Sequence[Any]) -> bool:
    """Return whether the numbers of a text are these values, in their order."""
    numbers = [
        float(value)
        for value in values
        if isinstance(value, int | float) or (isinstance(value, str) and value.isdigit())
    ]
    for value in values:
        # A value that is a text, such as a unit, is shown as it is.
        if isinstance(value, str) and not value.isdigit():
            text = text.replace(value, " ", 1)
    shown = list(_NUMBER.finditer(text.replace("–", " to ")))
    return len(shown) == len(numbers) and all(map(_same, shown, numbers))


def _bare(text: str, texts: set[str]) -> str:
    """Return a cell's text without names that hold digits themselves, as `Apertus 8B`."""
    named = (name for name in texts if name in text and re.search(r"[^\W\d].*\d|\d.*[^\W\d]", name))
    for name in sorted(named, key=len, reverse=True):
        text = text.replace(name, " ")
    return text


def _same(shown: re.Match[str], value: float) -> bool:
    text = shown["number"].replace("−", "-").replace(",", "")
    scale = _SCALES[(shown["scale"] or "").strip()]
    number = float(text) * scale
    bound = (shown["bound"] or "").strip()
    if bound in ("<", ">"):
        # The least or most that is told apart is a power of ten.
        return (value < number if bound == "<" else value > number) and _is_round(number)
    if bound and _is_round(number):
        return value <= number if bound in ("≤", "at most") else value >= number
    mantissa, _, exponent = text.partition("e")
    decimals = len(mantissa.partition(".")[2])
    half = 0.5 * 10.0 ** (int(exponent or 0) - decimals) * scale
    # `report.json` keeps nine digits, and the page was rounded from all of them.
    return abs(number - value) <= half * (1 + 1e-6) + 1e-8 * abs(value)


def _is_round(number: float) -> bool:
    return number > 0 and abs(math.log10(number) - round(math.log10(number))) < 1e-9


def texts_of(report: Mapping[str, Any]) -> set[str]:
    """Return every text of a report's tables: names, details, bounds; they may hold digits."""
    rows = (row for table in report["tables"].values() for row in table["rows"])
    return {" ".join(value.split()) for row in rows for value in row if isinstance(value, str)}


def _explorer(
    name: str, data: Mapping[str, Any], report: Mapping[str, Any]
) -> Iterator[tuple[int, list[Wrong]]]:
    """Yield for each column of an explorer its number of values and those that are wrong."""
    table, letters = report["tables"][data["table"]], data["letters"]
    numbers = list(
        accumulate(_unpacked(data.get("steps", {"runs": [1, data["n"]]}), letters), initial=-1)
    )[1:]
    rows = [table["rows"][number] for number in numbers]
    for column in data["columns"]:
        if "values" not in column:
            continue
        unit = 10.0 ** -column["digits"]
        shown = [_unpacked(column["values"], letters)]
        if "below" in column:
            below, above = (_unpacked(column[part], letters) for part in ("below", "above"))
            shown.append([_sum(v, b, -1) for v, b in zip(shown[0], below, strict=True)])
            shown.append([_sum(v, a, 1) for v, a in zip(shown[0], above, strict=True)])
        for where, values in zip(column["of"].split(","), shown, strict=True):
            at = table["columns"].index(where)
            pairs = zip(numbers, values, (row[at] for row in rows), strict=True)
            yield (
                len(values),
                [
                    Wrong(f"{name}: row {number}, {where}", str(v), str(recorded))
                    for number, v, recorded in pairs
                    if not _near(v, recorded, unit)
                ],
            )


def _near(value: int | None, recorded: float | None, unit: float) -> bool:
    if value is None or recorded is None:
        # Without an interval the number itself still stands.
        return value is None
    return abs(value * unit - recorded) <= 0.5 * unit * (1 + 1e-6) + 1e-8 * abs(recorded)


def _sum(value: int | None, distance: int | None, sign: int) -> int | None:
    return None if value is None or distance is None else value + sign * distance


def _unpacked(values: Any, letters: str) -> list[Any]:
    if not isinstance(values, Mapping):
        return list(values)
    if runs := values.get("runs"):
        return [v for v, n in zip(runs[::2], runs[1::2], strict=True) for _ in range(n)]
    one, two = letters[: values["short"]], letters[values["short"] :]
    words = [*one, *(first + second for first in two for second in letters)]
    meant = dict(zip(words, values["distinct"], strict=False))
    found = re.findall(f"[{re.escape(two)}].|.", values["text"]) if two else values["text"]
    return [meant[word] for word in found]
