"""Every number of the page is in `report.json`, and every one that follows from records is recomputed."""

from __future__ import annotations

import random
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from _report_cycle import Cycle, evaluation_of
from _report_html import Reader
from _report_shown import look_up
from skald_report.figures.style import Drawing
from skald_report.tables.file import read_report
from skald_report.verify import Checked, verify_report
from skald_specs.claims import Measure
from skald_specs.files import read_json, write_json

#: Digits changed on the page, each of which must be found.
_N_PLANTS = 200
_SEED = 8
#: Tables whose numbers figures write beside their marks.
_WRITTEN = ("overall", "pairwise")


def measures(source: Cycle, folder: Path) -> list[Measure]:
    """Look every number of the page up; then plant wrong digits and look again."""
    page = source.page
    report, text = read_report(page), (page / "index.html").read_text(encoding="utf-8")
    reader = Reader(text)
    shown = look_up(reader, report)
    checked = _verified(source, page)
    n_drawn, undrawn = _undrawn(source.drawings, report)
    return [
        Measure(
            measure="numbers of the page looked up in report.json", value=shown.n_numbers,
            unit="numbers", bound=">= 500", holds=shown.n_numbers >= 500, detail=source.source,
        ),
        _none("numbers of the page that report.json has not", shown.wrong),
        _none("cells with a number that do not say where it stands", shown.unsourced),
        _none("scores written into figures that their table has not", undrawn, f"of {n_drawn}"),
        _misdrawn(source, report),
        Measure(
            measure="cells of report.json recomputed from records", value=checked.n_cells,
            unit="cells", bound=">= 500", holds=checked.n_cells >= 500,
        ),
        _none("cells of report.json that do not follow from records", checked.changed),
        _on_page(text, report),
        _in_json(source, page, folder / "planted"),
        _in_record(source, page, folder / "eval"),
    ]  # fmt: skip


def _verified(source: Cycle, page: Path, evaluation: Path | None = None) -> Checked:
    corpus = source.artifacts / "corpus"
    folders = {source.evaluation.name: evaluation or source.evaluation}
    return verify_report(page, folders, corpus if corpus.is_dir() else None)


def _none(name: str, wrong: Any, of: str = "") -> Measure:
    detail = " | ".join([*([of] if of else []), *(str(one)[:200] for one in wrong[:3])])
    return Measure(
        measure=name, value=len(wrong), unit="", bound="== 0", holds=not wrong, detail=detail
    )


def _undrawn(drawings: Sequence[Drawing], report: dict[str, Any]) -> tuple[int, list[str]]:
    """Return how many scores are written into figures, and those that their table has not.

    Ticks of axes have fewer digits than scores.
    """
    n_labels, wrong = 0, []
    for drawing in drawings:
        if drawing.table not in _WRITTEN:
            continue
        labels = re.findall(r"<text[^>]*>\(?([+−]?\d+\.\d{2,})\)?</text>", drawing.svg)
        counts = Counter(label.lstrip("+−") for label in labels)
        # A matrix of pairs shows each difference from both sides.
        values = 2 * [abs(value) for value in _floats(report, [drawing.table])]
        have = Counter(f"{value:.{digits}f}" for value in values for digits in (2, 3))
        n_labels += len(labels)
        wrong += [f"{drawing.name}: {label}" for label in (counts - have).elements()]
    return n_labels, wrong


def _floats(report: dict[str, Any], names: Iterable[str]) -> Iterator[float]:
    for name in names:
        for row in report["tables"][name]["rows"]:
            yield from (value for value in row if isinstance(value, float))


def _misdrawn(source: Cycle, report: dict[str, Any]) -> Measure:
    """Write a number into a figure that no model has."""
    wrong = []
    for drawing in source.drawings:
        planted = re.sub(r">([+−]?)0\.\d\d</text>", r">\g<1>9.87</text>", drawing.svg, count=1)
        if drawing.table in _WRITTEN and planted != drawing.svg:
            wrong.append(bool(_undrawn([drawing._replace(svg=planted)], report)[1]))
    return Measure(
        measure="numbers planted in figures that were found", value=sum(wrong) / max(1, len(wrong)),
        unit="share", bound="== 1", holds=all(wrong) and bool(wrong), detail=f"of {len(wrong)}",
    )  # fmt: skip


def _on_page(text: str, report: dict[str, Any]) -> Measure:
    """Change one digit of one cell at a time."""
    chance = random.Random(_SEED)
    cells = list(re.finditer(r' data-of="[^"]+">([^<]*\d[^<]*)<', text))
    n_found = 0
    n = min(_N_PLANTS, len(cells))
    for cell in chance.sample(cells, n):
        places = [cell.start(1) + m.start() for m in re.finditer(r"\d", cell[1])]
        at = chance.choice(places)
        # Two apart: of a tie of rounding, such as 7.45, either neighbour is right.
        other = chance.choice(
            [digit for digit in "0123456789" if abs(int(digit) - int(text[at])) > 1]
        )
        # The row alone: reading the whole page two hundred times would take minutes.
        start, end = text.rfind("<tr", 0, at), text.find("</tr>", at)
        planted = text[start:at] + other + text[at + 1 : end] + "</tr>"
        n_found += bool(look_up(Reader(planted), report).wrong)
    return Measure(
        measure="wrong digits planted on the page that were found", value=n_found / n if n else 0,
        unit="share", bound="== 1", holds=n > 0 and n_found == n, detail=f"{n_found} of {n}",
    )  # fmt: skip


def _in_json(source: Cycle, page: Path, folder: Path) -> Measure:
    """Change one score in `report.json`: both the page and the records contradict it."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(page, folder)
    report = read_json(folder / "report.json")
    table = report["tables"]["scores"]
    table["rows"][0][table["columns"].index("score")] += 0.01
    write_json(folder / "report.json", report)
    reader = Reader((folder / "index.html").read_text(encoding="utf-8"))
    n_page = len(look_up(reader, report).wrong)
    n_records = len(_verified(source, folder).changed)
    return Measure(
        measure="a wrong score in report.json is found, on the page and by the records",
        value=min(n_page, n_records), unit="mismatches", bound=">= 1",
        holds=min(n_page, n_records) >= 1, detail=f"{n_page} on the page, {n_records} by records",
    )  # fmt: skip


def _in_record(source: Cycle, page: Path, folder: Path) -> Measure:
    """Change one answer of one record."""
    changed = iter([True])

    def spoilt(row: dict[str, Any]) -> list[dict[str, Any]]:
        if row["kind"] == "pairs" and row["model"] == source.baselines[0] and next(changed, False):
            return [row | {"score": 1 - row["score"]}]
        return [row]

    evaluation_of(source.evaluation, folder / "core", spoilt)
    n_found = len(_verified(source, page, folder / "core").changed)
    return Measure(
        measure="a wrong answer in one record is found", value=n_found, unit="mismatches",
        bound=">= 1", holds=n_found >= 1,
    )  # fmt: skip
