"""Reports that somebody mended by hand: a comparison names what is wrong, or compares what is left."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from skald_report.cards.check import check_report
from skald_report.over_time.writing import compared
from skald_specs.errors import UserInputError
from support import ROOT

KEPT = ("models", "tasks", "scores", "differences", "overall", "pairwise", "plans")
Table = dict[str, Any]


def small_report() -> dict[str, Any]:
    report = json.loads((ROOT / "reports/reference/report.json").read_bytes())
    tables = {
        name: table | {"rows": table["rows"][:2]}
        for name, table in report["tables"].items()
        if name in KEPT
    }
    return report | {"tables": tables, "remarks": {}}


def renamed(table: Table, column: str) -> None:
    for part in ("keys", "columns"):
        table[part] = ["other" if name == column else name for name in table[part]]
    table["units"] = {
        ("other" if name == column else name): unit for name, unit in table["units"].items()
    }


def without_key(table: Table, column: str) -> None:
    table["keys"] = [key for key in table["keys"] if key != column]


def emptied(table: Table, column: str) -> None:
    renamed(table, column)
    table["rows"] = []


def doubled(table: Table, column: str) -> None:
    table["rows"].append(table["rows"][0])


def of_text(table: Table, column: str) -> None:
    table["rows"][0][table["columns"].index(column)] = "no number"


def said(old: dict[str, Any], new: dict[str, Any], folder: Path) -> str:
    """Compare; return the refusal, or nothing where there is none."""
    for name, report in (("old", old), ("new", new)):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "report.json").write_text(json.dumps(report))
    try:
        compared(folder / "old", folder / "new")
    except UserInputError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("harm", [renamed, without_key, emptied, doubled, of_text])
@pytest.mark.parametrize("name", KEPT)
def test_whatever_a_table_lacks_is_named_or_not_needed(
    name: str, harm: Callable[[Table, str], None], tmp_path: Path
) -> None:
    whole = small_report()
    assert said(whole, whole, tmp_path) == ""
    table = whole["tables"][name]
    for column in table["columns" if harm in (renamed, of_text) else "keys"]:
        torn = copy.deepcopy(whole)
        harm(torn["tables"][name], column)
        for old, new in ((whole, torn), (torn, torn)):
            refusal = said(old, new, tmp_path)
            assert not refusal or ("table `" in refusal and "\n" not in refusal)


@pytest.mark.parametrize(
    ("harm", "column", "expected"),
    [
        (renamed, "kind", "table `scores` lacks the column `kind`"),
        (without_key, "task", "table `scores` has not the keys suite, task, language, model"),
        (doubled, "kind", "has two rows of the same suite, task, language, model"),
    ],
)
def test_the_refusal_says_what_is_wrong(
    harm: Callable[[Table, str], None], column: str, expected: str, tmp_path: Path
) -> None:
    whole, torn = small_report(), small_report()
    harm(torn["tables"]["scores"], column)
    assert expected in said(whole, torn, tmp_path)


@pytest.mark.parametrize("name", ["scores", "differences", "pairwise"])
def test_a_verdict_or_name_that_is_a_number_is_refused(name: str, tmp_path: Path) -> None:
    whole, torn = small_report(), small_report()
    table = torn["tables"][name]
    column = "verdict" if "verdict" in table["columns"] else "label"
    table["rows"][0][table["columns"].index(column)] = 7
    expected = f"table `{name}` has a cell of column `{column}` that is no text"
    assert expected in said(whole, torn, tmp_path)


def test_a_report_without_pairs_is_compared_with_itself(tmp_path: Path) -> None:
    alone = small_report()
    alone["tables"]["pairwise"]["rows"] = []
    assert said(alone, alone, tmp_path) == ""


@pytest.mark.parametrize(
    ("harm", "expected"),
    [(emptied, "has no scores of mini-2.6b"), (renamed, "lacks the column `n_items`")],
)
def test_cards_of_a_report_without_scores_are_refused(
    harm: Callable[[Table, str], None], expected: str, tmp_path: Path
) -> None:
    torn = small_report()
    torn["tables"]["models"] = json.loads((ROOT / "reports/reference/report.json").read_bytes())[
        "tables"
    ]["models"]
    harm(torn["tables"]["scores"], "n_items")
    (tmp_path / "report.json").write_text(json.dumps(torn))
    with pytest.raises(UserInputError, match=expected):
        check_report(tmp_path)
