"""Names that somebody chose to do harm: the page is the same page, with other letters in it."""

from __future__ import annotations

import csv
import importlib
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from _report_html import Reader
from skald_report.build import build
from skald_report.reading.inputs import ReportInputs
from skald_specs.claims import Measure
from skald_specs.files import read_json, read_jsonl, write_json, write_jsonl

support_report: Any = importlib.import_module("support_report")

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</script><b>bold",
    "</style><h1>large",
    "<!-- open",
    "]]><![CDATA[",
    "&lt;i&gt;&amp;&#60;u&#62;",
    '=cmd|"/c calc"!A1',
    "+1+1",
    "-2+3",
    "@SUM(A1:A9)",
    "\t=1+1",
    "\r=1+1",
    "../../../outside",
    "/tmp/outside",
    "C:\\outside",
    "{{7*7}}{% include 'x' %}",
    "${7*7}#{7*7}",
    "\u202elive\u202c\u2067x",
    "zero\u200bwidth\u200d\ufeff",
    "x" * 3_000,
    "\x01\x07\x1b[31mred",
    "[text](javascript:alert(1))",
    "`code` `more`",
    "**bold** | a | b\n# head",
    "javascript:alert(1)",
    "line\u2028separator\u0085next",
    "ÆØÅ \u0301\u0308" + "\u0335" * 40,
    "scores:0:score",
)
_TAGS, _KINDS, _N_ITEMS = ("da", "sv"), ("pairs", "text"), 8
#: What a spreadsheet takes for the start of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069\x00-\x08\x0b\x0c\x0e-\x1f]")


def measures(folder: Path) -> list[Measure]:
    """Build one page of harmless and one of hostile names, and compare what they are made of."""
    around = folder / "hostile"
    harmless = tuple(_harmless(number, name) for number, name in enumerate(HOSTILE))
    pages = [_built(folder / "harmless", harmless), _built(around, HOSTILE)]
    first, second = (Reader((p / "index.html").read_text(encoding="utf-8")) for p in pages)
    added = (second.elements - first.elements) + (first.elements - second.elements)
    # Words between backticks are shown as code, also those of a name: another typeface, nothing more.
    del added["code", ()]
    outside = [p for p in folder.rglob("*") if p.is_file() and not _expected(p, folder)]
    outside += [p for p in (folder.parent / "outside", Path("/tmp/outside")) if p.exists()]
    text = (pages[1] / "index.html").read_text(encoding="utf-8")
    return [
        _none(
            "elements and attributes that a name made or lost, `code` aside",
            sorted(map(str, added.elements())),
        ),
        _none("elements left open", second.unclosed),
        _none("links that a name made", [t for t in second.targets if _led_away(t)]),
        _none("characters that turn or hide the text around them", _DIRECTION.findall(text)),
        _none("cells of CSV that a spreadsheet would run", _formulas(pages[1])),
        _none("files outside the report's folder, or with a name's letters", outside),
        _none("figures that are no XML", _no_xml(pages[1])),
        _none("markup of a name left in README.md", _markup(pages[1])),
        _none("names that the page does not show", _missing(second, HOSTILE)),
    ]


def _harmless(number: int, name: str) -> str:
    """Return a name of as many and as long words, which a title may set apart from each other."""
    words = enumerate(name.split())
    return " ".join(
        f"{number:02d}{at % 10}{'n' * len(word)}"[: max(3, len(word))] for at, word in words
    )


def _none(name: str, wrong: Sequence[Any]) -> Measure:
    detail = " | ".join(repr(str(one))[:120] for one in wrong[:4])
    return Measure(
        measure=f"hostile names: {name}", value=len(wrong), unit="", bound="== 0", holds=not wrong,
        detail=detail or f"{len(HOSTILE)} names of models, tasks, items, keys and sources",
    )  # fmt: skip


def _built(folder: Path, names: Sequence[str]) -> Path:
    """Build a page whose models, tasks, items, keys, licences and descriptions carry these names."""
    plain = [f"name-{number:02d}" for number in range(len(names))]
    evaluation = folder / "core"
    support_report.write_evaluation(evaluation, plain, list(_TAGS), n_items=_N_ITEMS, kinds=_KINDS)
    called = dict(zip(plain, names, strict=True))
    summary = read_json(evaluation / "summary.json")
    for number, model in enumerate(summary["models"]):
        model["name"] = called[model["name"]]
        # One size that all have, controls among them: nothing may hang on the name itself.
        model["role"] = ("baseline", "external", "control")[min(number // 2, 1 + (number > 20))]
        model["about"] = model["scorer"] = names[-1 - number]
    tasks = {}
    for number, task in enumerate(summary["tasks"]):
        name = f"{names[number]}{task['language']}"
        tasks[task["name"]] = name
        task |= {"name": name, "family": names[number // len(_TAGS)], "license": names[number],
                 "source": names[number + 4], "metric": names[number + 8]}  # fmt: skip
    write_json(evaluation / "summary.json", summary)
    rows = list(read_jsonl(evaluation / "items.jsonl"))
    for number, row in enumerate(rows):
        row |= {"model": called[row["model"]], "task": tasks[row["task"]],
                "key": names[int(row["item_id"].split("-")[1]) % len(names)],
                "item_id": names[int(row["item_id"].split("-")[1])], "group": names[number % 9]}  # fmt: skip
    write_jsonl(evaluation / "items.jsonl", rows)
    build(ReportInputs(evaluations=(evaluation,)), folder / "page")
    return folder / "page"


def _expected(path: Path, folder: Path) -> bool:
    parts = path.relative_to(folder).parts
    plain = all(re.fullmatch(r"[A-Za-z0-9._-]+", part) for part in parts)
    return plain and parts[0] in ("harmless", "hostile") and parts[1] in ("core", "page")


def _led_away(target: str) -> bool:
    return not re.fullmatch(r"#[\w.-]*|(?:tables/)?[\w.-]+\.(?:csv|json|md)", target)


def _formulas(page: Path) -> list[str]:
    found = []
    for path in sorted((page / "tables").glob("*.csv")):
        for row in csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")):
            found += [cell for cell in row if cell.startswith(_FORMULA) and not _number(cell)]
    return found


def _number(text: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?(e[+-]?\d+)?", text) is not None


def _no_xml(page: Path) -> list[str]:
    found = []
    for path in sorted((page / "figures").glob("*.svg")):
        try:
            ElementTree.fromstring(path.read_text(encoding="utf-8"))
        except ElementTree.ParseError as error:
            found.append(f"{path.name}: {error}")
    return found


def _markup(page: Path) -> list[str]:
    text = (page / "README.md").read_text(encoding="utf-8")
    return re.findall(r"(?<!\\)<[A-Za-z/!][^\n]{0,40}|(?<!\\)\]\(javascript:[^\n]{0,20}", text)


def _missing(page: Reader, names: Sequence[str]) -> list[str]:
    """Return names of which not even the letters stand in any cell."""
    shown = [re.sub(r"\W", "", cell.text) for cell in page.cells]
    wanted = {name: re.sub(r"\W", "", name) for name in names}
    return [n for n, letters in wanted.items() if not any(letters in text for text in shown)]
