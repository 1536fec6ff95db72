"""Names that others chose: in files for spreadsheets, on a terminal, and on the page of a comparison."""

import csv
import io
import re

import pandas as pd
import pytest
from skald_cli.main import main
from skald_report.tables.file import as_csv
from skald_specs.files import read_json
from support_over_time import next_cycle, retrained
from support_report import BASELINES, write_inputs

#: Nothing here is asked of figures.
pytestmark = pytest.mark.usefixtures("undrawn")

NAME = "<script>x</script>\x1b[31m\u202e=1+1"
_FORMULA = re.compile(r"(^|[\t\n;,|])[=+@\t-]")


@pytest.mark.parametrize(
    "name",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "a\r=1",
        "a\r\n=1",
        "a;=1",
        "a,=1",
        "a|=1",
        "a\t=1",
    ],
)
def test_no_cell_starts_a_formula_whatever_separates_cells(name):
    text = as_csv(pd.DataFrame({"name": [name, "plain"], "n": [-1.5, 2.0]}))
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert [len(row) for row in rows] == [2, 2, 2]
    assert not _FORMULA.search(rows[1][0])
    assert rows[1][1] == "-1.5" and rows[2] == ["plain", "2.0"]
    # Split at semicolons, as a spreadsheet of many countries does.
    cut = [cell for row in csv.reader(io.StringIO(text, newline=""), delimiter=";") for cell in row]
    assert not [cell for cell in cut if cell.startswith(("=", "+", "@"))]


@pytest.mark.parametrize(
    "name", ["mini-2.6b", "a - b", "1e-5", "x=1", "ratio 2:1", "a, -0.32 (arXiv)"]
)
def test_harmless_text_is_left_as_it_is(name):
    assert next(csv.reader([as_csv(pd.DataFrame({name: []})).strip()])) == [name]
    assert as_csv(pd.DataFrame({"a": [name]})).splitlines()[1].strip('"') == name


def test_a_comparison_shows_hostile_names_and_runs_none(tmp_path, capsys):
    old = tmp_path / "old"
    write_inputs(old, languages=("da",), n_items=12)
    (old / "artifacts" / "plan" / "fit.json").unlink()
    hostile = {"mini-2.6b": NAME}

    def renamed(row):
        return row | {"model": hostile.get(row["model"], row["model"])}

    def summary(found):
        for model in found["models"]:
            model["name"] = hostile.get(model["name"], model["name"])

    first = next_cycle(old, tmp_path / "first", renamed, summary, BASELINES[1:])

    def worse(row):
        return row | {"score": row["score"] * 2} if row["kind"] == "text" else row

    second = next_cycle(first, tmp_path / "second", worse, retrained(NAME), BASELINES[1:])
    out = tmp_path / "out"
    words = [str(first / "report"), str(second / "report"), "--out", str(out)]
    assert main(["report", "compare", *words]) == 1
    said = capsys.readouterr().out
    assert "script" in said and not re.search("[\x1b\u202e]", said)
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;x" in page and "<script>x" not in page
    assert not re.search("[\x1b\u202e]", page)
    assert "<script>x" not in (out / "README.md").read_text(encoding="utf-8")
    models = {row[3] for row in read_json(out / "comparison.json")["tables"]["scores"]["rows"]}
    assert NAME in models
