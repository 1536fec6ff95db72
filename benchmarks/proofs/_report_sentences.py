"""Every sentence of the page's lists is kept in `report.json`, and derived again when a report is verified."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from _report_cycle import Cycle
from _report_html import Reader
from skald_report.sections.remarks import OF_RECORDS
from skald_report.tables.file import read_report
from skald_report.verify import names_of_evaluations, verify_report
from skald_specs.claims import Measure
from skald_specs.files import read_json, write_json

_LIST = re.compile(r'<ul class="[^"]*claims[^"]*">.*?</ul>', re.DOTALL)
#: A digit between tags, not in one.
_DIGIT = re.compile(r"\d(?=[^<>]*<)")


def measures(source: Cycle, folder: Path) -> list[Measure]:
    """Look every sentence up; then plant a wrong digit in each, on the page and in `report.json`."""
    report = read_report(source.page)
    text = (source.page / "index.html").read_text(encoding="utf-8")
    wrong = unsaid(Reader(text), report)
    return [
        Measure(
            measure="sentences of the page's lists that report.json has not, or has and are not shown",
            value=len(wrong), unit="sentences", bound="== 0", holds=not wrong,
            detail=" | ".join(one[:200] for one in wrong[:3]) or _whence(report),
        ),
        _on_page(text, report),
        _in_json(source, report, folder / "planted"),
    ]  # fmt: skip


def unsaid(page: Reader, report: dict[str, Any]) -> list[str]:
    """Return sentences of lists that are neither claim nor remark, and remarks that the page does not show."""
    remarks = {_plain(sentence) for found in report["remarks"].values() for sentence in found}
    known = remarks | {_plain(claim) for claim in report["claims"]}
    return [said for said in page.claims if said not in known] + sorted(remarks - set(page.claims))


def _plain(sentence: str) -> str:
    """Return a sentence as the page has it: one space each, code without its quotes."""
    return " ".join(sentence.replace("`", "").split())


def planted(text: str) -> Iterator[str]:
    """Yield the items of the page's lists, each with one digit changed."""
    for found in _LIST.findall(text):
        for item in re.findall(r"<li.*?</li>", found, re.DOTALL):
            digits = list(_DIGIT.finditer(item))
            if digits:
                at = digits[len(digits) // 2].start()
                yield f'<ul class="claims">{item[:at]}{_other(item[at])}{item[at + 1 :]}</ul>'


def _other(digit: str) -> str:
    return str((int(digit) + 5) % 10)


def _on_page(text: str, report: dict[str, Any]) -> Measure:
    items = [Reader(item) for item in planted(text)]
    found = [set(item.claims) <= set(unsaid(item, report)) for item in items]
    return Measure(
        measure="wrong digits planted in sentences of the page that were found",
        value=sum(found) / max(1, len(found)), unit="share", bound="== 1",
        holds=bool(found) and all(found), detail=f"{sum(found)} of {len(found)}",
    )  # fmt: skip


def _in_json(source: Cycle, report: dict[str, Any], folder: Path) -> Measure:
    """Change a digit of one remark of every subject: what is derived again contradicts it."""
    shutil.rmtree(folder, ignore_errors=True)
    content = read_json(source.page / "report.json")
    changed = set()
    for subject, found in report["remarks"].items():
        wrong = [re.sub(r"\d", lambda at: _other(at[0]), sentence, count=1) for sentence in found]
        content["remarks"][subject] = wrong
        changed |= {f"remarks/{subject}"} if wrong != found else set()
    write_json(folder / "report.json", content)
    corpus = source.artifacts / "corpus"
    checked = verify_report(
        folder, {source.evaluation.name: source.evaluation}, corpus if corpus.is_dir() else None
    )
    found = {one.item for one in checked.changed}
    return Measure(
        measure="subjects with wrong digits in remarks of report.json that were found",
        value=len(found & changed) / max(1, len(changed)), unit="share", bound="== 1",
        holds=bool(changed) and found == changed, detail=f"{', '.join(sorted(changed))}",
    )  # fmt: skip


def _whence(report: dict[str, Any]) -> str:
    """Say which sentences follow from records, which from tables alone, and which tables are neither."""
    remarks = report["remarks"]
    n_records = sum(len(remarks[subject]) for subject in OF_RECORDS)
    others = [f"{len(remarks[s])} on {s}" for s in sorted(remarks.keys() - set(OF_RECORDS))]
    tables = sorted(report["tables"].keys() - set(names_of_evaluations()))
    return (
        f"{len(report['claims'])} claims and {n_records} remarks derived again from records; derived again from "
        f"tables of report.json alone: {', '.join(others)}; no record to derive these tables again from: "
        f"{', '.join(tables)}"
    )
