"""A report is made again from its records: a changed digit of any table is found."""

import json
import math

import pytest
from skald_report.build import build
from skald_report.reading.inputs import ReportInputs
from skald_report.verify import names_of_evaluations, verify_report
from skald_specs.curves import ScorePoint
from skald_specs.errors import UserInputError
from skald_specs.files import read_json, write_json, write_jsonl
from skald_specs.plan import Plan
from support_report import BASELINES, write_inputs

#: Nothing here is asked of figures.
pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def made(undrawn, tmp_path_factory):
    root = tmp_path_factory.mktemp("made")
    inputs = write_inputs(root, languages=("da", "is"), n_items=12)
    plan = Plan.load(inputs.plans[0])
    point = ScorePoint(
        run=plan.name, step=0, tokens=10, plan_fingerprint=plan.fingerprint, weights_sha256="0",
        suite="core", task="core_pairs_da", version=1.0, data_sha256="0" * 64, kind="pairs",
        language="da", metric="acc", score=0.5, standard_error=0.1, n_items=12,
        higher_is_better=True,
    )  # fmt: skip
    points = [
        point.model_copy(update={"step": step, "score": math.sin(step)}).model_dump()
        for step in range(8)
    ]
    write_jsonl(root / "artifacts" / "eval" / "curves" / f"{plan.name}.jsonl", points)
    inputs = ReportInputs.from_folders(root / "artifacts", BASELINES, ["core"], None)
    build(inputs, root / "report")
    return root


def checked(root):
    return verify_report(root / "report", {"core": root / "artifacts" / "eval" / "core"})


def test_an_untouched_report_follows_from_its_records(made):
    found = checked(made)
    assert found.changed == () and found.n_cells > 2000


def test_every_table_is_there_to_be_changed(made):
    tables = read_json(made / "report" / "report.json")["tables"]
    assert set(names_of_evaluations()) - set(tables) == {"clean"}


def test_a_changed_digit_is_found_in_every_column_of_every_table(made):
    path = made / "report" / "report.json"
    text = path.read_text(encoding="utf-8")
    try:
        report = json.loads(text)
        changed = set()
        for name in set(names_of_evaluations()) - {"clean"}:
            table = report["tables"][name]
            for number, column in enumerate(table["columns"]):
                row = next(
                    (r for r in table["rows"] if isinstance(r[number], int | float)
                     and not isinstance(r[number], bool)), None
                )  # fmt: skip
                if row is not None and column not in table["keys"]:
                    row[number] += 1e-7 * max(1, abs(row[number]))
                    changed.add((name, column))
        write_json(path, report)
        items = [change.item.split("/") for change in checked(made).changed]
        assert {(item[0], item[-1]) for item in items} == changed
        assert {name for name, _ in changed} == set(names_of_evaluations()) - {"clean"}
    finally:
        path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("change", [lambda rows: rows.pop(), lambda rows: rows.append(rows[0])])
def test_a_row_that_lacks_or_stands_twice_is_found(made, change):
    path = made / "report" / "report.json"
    text = path.read_text(encoding="utf-8")
    try:
        report = json.loads(text)
        change(report["tables"]["pairwise"]["rows"])
        write_json(path, report)
        assert any(found.item == "pairwise, rows" for found in checked(made).changed)
    finally:
        path.write_text(text, encoding="utf-8")


def test_a_remark_contradicts_a_changed_table_that_no_record_is_of(made):
    path = made / "report" / "report.json"
    text = path.read_text(encoding="utf-8")
    try:
        report = json.loads(text)
        cost = report["tables"]["cost"]
        cost["rows"][0][cost["columns"].index("flops_train")] *= 3
        write_json(path, report)
        assert [found.item for found in checked(made).changed] == ["remarks/cost"]
    finally:
        path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [("models", "seed_group", None), ("cost", "model", None), ("cost", "energy_kwh", "much")],
)
def test_a_table_that_no_sentence_follows_from_is_refused(made, name, column, value):
    """None as a value: the column is called otherwise."""
    path = made / "report" / "report.json"
    text = path.read_text(encoding="utf-8")
    try:
        report = json.loads(text)
        table = report["tables"][name]
        if value is None:
            for part in ("columns", "keys"):
                table[part] = ["other" if word == column else word for word in table[part]]
        else:
            table["rows"][0][table["columns"].index(column)] = value
        write_json(path, report)
        with pytest.raises(UserInputError, match=rf"report\.json: .*table.*{name}.*Build") as error:
            checked(made)
        assert str(error.value).isprintable()
    finally:
        path.write_text(text, encoding="utf-8")
