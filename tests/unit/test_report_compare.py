"""Comparing two reports: the same within tolerances, or what differs and by how much."""

import dataclasses
import shutil

import pytest
from skald_report.build import build
from skald_report.over_time.compare import compare
from skald_report.tables.file import rows_of
from skald_specs.errors import UserInputError
from skald_specs.files import read_json, write_json
from support_report import write_inputs

#: Nothing here is asked of figures.
pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def folder(undrawn, tmp_path_factory):
    root = tmp_path_factory.mktemp("compare")
    inputs = write_inputs(root, languages=("da", "sv"), n_items=12)
    build(dataclasses.replace(inputs, published=None), root / "old")
    return root / "old"


def _changed(folder, tmp_path, change):
    new = tmp_path / "new"
    shutil.copytree(folder, new)
    report = read_json(new / "report.json")
    rows = {name: rows_of(report, name) for name in report["tables"]}
    change(report | {"rows": rows})
    for name, table in report["tables"].items():
        table["rows"] = [[row[column] for column in table["columns"]] for row in rows[name]]
    write_json(new / "report.json", report)
    return [m for m in compare(folder, new) if m.holds is not True]


def test_a_report_equals_itself(folder):
    measures = compare(folder, folder)
    assert {m.measure for m in measures} >= {"scores", "differences", "optima", "training"}
    assert all(m.holds for m in measures)


def test_every_number_of_a_whole_report_has_a_tolerance(whole_report):
    _, whole = whole_report
    measures = compare(whole, whole)
    assert {m.measure for m in measures} >= {"published", "published_gaps", "cost", "noise"}
    assert all(m.holds for m in measures)


def _row(report, table, **wanted):
    return next(
        row
        for row in report["rows"][table]
        if all(row[key] == value for key, value in wanted.items())
    )


def test_a_small_drift_is_tolerated_and_a_large_one_is_named(folder, tmp_path):
    place = {"kind": "text", "language": "da", "model": "mini-2.6b"}

    def drift(factor):
        def change(report):
            _row(report, "scores", **place)["score"] *= factor

        return change

    assert _changed(folder, tmp_path / "a", drift(1.01)) == []
    table, number = _changed(folder, tmp_path / "b", drift(1.1))
    assert (table.measure, table.detail.split(" of ")[0]) == ("scores", "1")
    assert table.value == pytest.approx(10 / 3, rel=0.01)
    assert number.measure == "scores/core/text/da/mini-2.6b/score"
    assert number.bound == "<= 0.03 of old"


@pytest.mark.parametrize(("half_widths", "n_differing"), [(2.4, 0), (2.6, 1), (-2.6, 1)])
def test_a_score_moves_by_as_much_as_its_items_let_it(folder, tmp_path, half_widths, n_differing):
    place = {"kind": "pairs", "language": "da", "model": "mini-2.6b"}

    def change(report):
        row = _row(report, "scores", **place)
        half_width = (row["high"] - row["low"]) / 2
        assert 2.5 * half_width > 0.03, "else the absolute tolerance decides"
        row["score"] += half_widths * half_width

    numbers = _changed(folder, tmp_path, change)[1:]
    assert [m.measure for m in numbers] == ["scores/core/pairs/da/mini-2.6b/score"] * n_differing


def test_a_newer_interval_does_not_excuse_its_score(folder, tmp_path):
    place = {"kind": "pairs", "language": "da", "model": "mini-2.6b"}

    def change(report):
        row = _row(report, "scores", **place)
        row["score"], row["low"], row["high"] = row["score"] - 1.0, -10.0, 10.0

    assert "scores/core/pairs/da/mini-2.6b/score" in [
        m.measure for m in _changed(folder, tmp_path, change)
    ]


def test_counts_may_not_differ_at_all(folder, tmp_path):
    def change(report):
        _row(report, "data", language="da")["n_tokens"] += 1

    _, number = _changed(folder, tmp_path, change)
    assert number.measure == "data/da/n_tokens"
    assert number.value == 1


def test_a_number_that_one_report_lacks_is_named(folder, tmp_path):
    def change(report):
        report["rows"]["scores"].remove(
            _row(report, "scores", kind="pairs", language="sv", model="byte-ngram")
        )

    found = _changed(folder, tmp_path, change)
    assert all("only the old report has it" in m.detail for m in found[1:])
    assert found[1].measure.startswith("scores/core/pairs/sv/byte-ngram/")


def test_a_table_that_one_report_lacks_is_one_line_without_a_figure(folder, tmp_path):
    def change(report):
        del report["tables"]["cost"]

    table = _changed(folder, tmp_path, change)[0]
    assert (table.measure, table.value) == ("cost", None)
    assert table.detail == "only the old report has this table"


def test_another_corpus_is_another_experiment(folder, tmp_path):
    def change(report):
        report["provenance"]["corpus fingerprint"] = "0"

    (found,) = _changed(folder, tmp_path, change)
    assert found.measure == "corpus fingerprint"


def test_what_is_no_report_is_refused(folder, tmp_path):
    with pytest.raises(UserInputError, match="no such file"):
        compare(folder, tmp_path)
    write_json(tmp_path / "report.json", [])
    with pytest.raises(UserInputError, match="not a report"):
        compare(folder, tmp_path)
