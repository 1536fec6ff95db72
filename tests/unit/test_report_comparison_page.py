"""The page of a comparison and what the command line says and returns."""

import re

import pytest
from skald_cli.main import main
from skald_report.over_time.compare import TOLERANCE_UNIT, tables_that_differ
from skald_report.over_time.writing import compared, write_comparison
from skald_specs.claims import Measure
from skald_specs.errors import UserInputError
from skald_specs.files import read_json
from support_over_time import EVALUATION, first_cycle, next_cycle, retrained

#: Nothing here is asked of figures.
pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def both(undrawn, tmp_path_factory):
    def change(row):
        if (row["model"], row["kind"]) == ("mini-2.6b", "text"):
            return row | {"score": row["score"] * 0.8}
        return row

    old = first_cycle(tmp_path_factory.mktemp("first"))
    new = next_cycle(old, tmp_path_factory.mktemp("next"), change, retrained("mini-2.6b"))
    return old, new


def compare(*words):
    with pytest.raises(SystemExit) as stopped:
        raise SystemExit(main(["report", "compare", *map(str, words)]))
    return stopped.value.code


def test_the_page_says_what_the_json_says(both, tmp_path):
    old, new = both
    made = compared(old / "report", new / "report", names=("v1", "v2"))
    write_comparison(made, tmp_path / "out")
    written = read_json(tmp_path / "out" / "comparison.json")
    assert (written["old"], written["new"]) == ("v1", "v2")
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    readme = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "v2 against v1" in page and "v2 against v1" in readme
    for claim in written["claims"]:
        assert claim in page
    for name, table in written["tables"].items():
        csv = (tmp_path / "out" / "tables" / f"{name}.csv").read_text(encoding="utf-8")
        assert csv.count("\n") >= len(table["rows"]) + 1
    # A cell's numbers are those of the row that it names.
    cells = re.findall(r'data-of="(\w+):(\d+):old">([−\d.]+)<', page)
    assert cells
    for name, row, shown in cells:
        table = written["tables"][name]
        value = table["rows"][int(row)][table["columns"].index("old")]
        assert f"{value:.3f}".replace("-", "−") == shown


def test_the_page_is_replaced_whole_and_nobody_elses_folder_is(both, tmp_path):
    made = compared(both[0] / "report", both[1] / "report")
    write_comparison(made, tmp_path / "out")
    first = (tmp_path / "out" / "index.html").read_bytes()
    write_comparison(made, tmp_path / "out")
    assert (tmp_path / "out" / "index.html").read_bytes() == first
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "letter.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UserInputError, match="holds other files"):
        write_comparison(made, tmp_path / "own")
    assert [p.name for p in (tmp_path / "own").iterdir()] == ["letter.txt"]


def test_the_command_says_it_and_fails_where_a_tolerance_is_left(both, tmp_path, capsys):
    old, new = both
    records = ("--records", old / EVALUATION, new / EVALUATION)
    code = compare(old / "report", new / "report", *records, "--out", tmp_path / "out")
    said = capsys.readouterr().out
    assert code == 1
    lines = said.splitlines()
    # What it means first, then a line a table, and no single number.
    assert re.match(r"mini-2\.6b, bits per byte, lower is better, from ", lines[0])
    tables = [at for at, line in enumerate(lines) if re.search(r"of [\d,]+ numbers differ", line)]
    assert tables and min(tables) >= 3 and len(lines) <= 13
    assert not re.search(r"^\w+/", "\n".join(lines[:-2]), re.M)
    assert "tested on the same items" in said
    assert lines[-1] == str(tmp_path / "out" / "index.html")
    assert (tmp_path / "out" / "README.md").is_file()


def test_a_table_is_called_by_what_differs_in_it():
    def measure(name, value, detail, unit=TOLERANCE_UNIT, holds=False):
        return Measure(
            measure=name, value=value, unit=unit, bound="<= 1", holds=holds, detail=detail
        )

    found = tables_that_differ(
        [
            measure("scores", 3.21, "2 of 9 numbers differ"),
            measure("cost", None, "only the old report has this table"),
            measure("noise", 0.5, "", holds=True),
            measure("scores/core/da", 0.1, "old 1, new 2", "accuracy"),
        ]
    )
    assert found == [
        "scores: 2 of 9 numbers differ, the most by 3.21 times what a rerun may",
        "cost: only the old report has this table",
    ]


def test_a_bad_folder_to_write_to_is_refused_before_anything_is_compared(both, tmp_path, capsys):
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    report = both[0] / "report"
    for words in (
        ["compare", report, report, "--out", tmp_path / "file"],
        ["compare", report, report, "--out", both[1] / "report"],
        ["cards", report, "--out", tmp_path / "file"],
    ):
        assert main(["report", *map(str, words)]) == 2
        said = capsys.readouterr()
        assert said.out == "" and said.err.count("\n") == 1 and str(words[-1]) in said.err


def test_the_same_report_is_said_to_be_the_same(both, capsys):
    assert compare(both[0] / "report", both[0] / "report") == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == "The two reports are the same, byte for byte: nothing changed."
    assert second.endswith("agree")
