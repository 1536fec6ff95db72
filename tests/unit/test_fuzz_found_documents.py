"""Documents that once made a traceback, a hang or a wrong value: each kind is refused in one line, or read."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from skald_corpus.pin import verify
from skald_harness.tasks.suites import EVALS, read_task
from skald_planner.fitting.runs import read_runs
from skald_report.cards.check import problems
from skald_report.over_time.compare import compare
from skald_report.reading.published import read_published
from skald_report.tables.file import read_report
from skald_specs.errors import UserInputError
from skald_specs.files import read_json, read_yaml
from skald_specs.plain import MAX_DEPTH, parse_json, parse_yaml
from skald_specs.plan import Plan
from skald_specs.recipe import Recipe
from skald_specs.timefit import TimeFit
from support import ROOT

BOMB = "a: &a [1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 8)}]\n"
    for old, new in zip("abcdefg", "bcdefgh", strict=True)
)
NOT_YAML = {
    "nests more than": "[" * 5000 + "]" * 5000,
    "aliases repeat": BOMB,
    "stands in itself": "a: &a [*a]",
    "cannot be read": "a: " + "9" * 5000,
    "timestamp": "a: !!timestamp x",
    "binary": "a: !!binary aGk=",
    "python": "a: !!python/object/apply:os.getcwd []",
    "the key 1 is no word": "1: 2",
    "stands twice": "a: 1\na: 2",
    "special characters|control characters": "a: \x00",
}


@pytest.mark.parametrize("said", NOT_YAML)
def test_what_is_no_plain_document_is_refused_in_one_line(said, tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(NOT_YAML[said])
    with pytest.raises(UserInputError, match=said) as caught:
        read_yaml(path)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("text", ['{"a": ' * 3000 + "1" + "}" * 3000, "9" * 5000, '"\\ud800"'])
def test_json_that_no_reader_can_carry_on_is_refused(text, tmp_path):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(UserInputError):
        read_json(path)


def test_what_is_deep_or_repeated_within_reason_is_read():
    deep = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert parse_json(deep, "") == parse_yaml(deep, "")
    assert parse_yaml("a: &a {x: 1}\nb: [*a, *a]\nc: {<<: *a, y: 2}", "")["c"] == {"x": 1, "y": 2}
    assert parse_json('"\\ud83d\\ude00"', "") == "\U0001f600"


def test_norwegian_off_noon_and_days_are_text():
    text = "no: 1.5\noff: no\nat: 12:00:00\nday: 2024-02-30\nyes: true\n"
    assert parse_yaml(text, "") == {
        "no": 1.5,
        "off": "no",
        "at": "12:00:00",
        "day": "2024-02-30",
        "yes": True,
    }


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=("Cs", "Cc")))
    | st.from_regex(r"[-+]?[0-9]{1,3}[._:eE]?[-+]?[0-9]{0,3}", fullmatch=True)
    | st.sampled_from(
        ["no", "off", "null", "~", "1e5", "0o7", "08", "1:30", "2024-01-01", "<<", "="]
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abno1", min_size=1), inner)
    ),
    max_leaves=6,
)


@given(VALUES)
def test_whatever_we_write_as_yaml_is_read_back_as_it_was(value):
    assert parse_yaml(yaml.safe_dump(value, allow_unicode=True), "") == value


def test_a_message_shows_what_a_file_holds_without_letting_it_steer_the_terminal():
    message = str(UserInputError("a\x1b[2J.yaml", "key \ud800\u202e" + "x" * 10**6, "Remove\nit"))
    assert message.isprintable() and len(message) < 4000
    assert "\\x1b[2J" in message and "Remove it" in message
    assert "fjärd" in str(UserInputError("fjärd", "ßæøþ", ""))


def own_text(**model):
    value = read_yaml(ROOT / "recipes" / "own-text.yaml")
    value["model"].update(model)
    return value


@pytest.mark.parametrize("change", [{"d_ff": 10**22}, {"n_layers": 10**7}, {"rope_theta": 1e300}])
def test_a_number_beyond_all_models_is_refused_before_it_is_computed_with(change):
    Recipe.check(own_text(), "own-text")
    with pytest.raises(UserInputError, match="less than or equal"):
        Recipe.check(own_text(**change), "own-text")


def test_a_sweep_without_end_is_refused():
    value = read_yaml(ROOT / "recipes" / "mini-proxy.yaml")
    value["sweep"]["base_lrs"] = [0.001 * (i + 1) for i in range(150)]
    value["sweep"]["seeds"] = list(range(150))
    with pytest.raises(UserInputError, match="more than 10000; list fewer"):
        Recipe.check(value, "recipe")


def plan_and_fit(folder):
    from support_report import _corpus, make_fit, make_plan

    make_plan("small", _corpus(["da"], "text"), 64).save(folder / "plan.yaml")
    make_fit().save(folder / "fit.json")
    return read_yaml(folder / "plan.yaml"), read_json(folder / "fit.json")


def test_a_plan_or_fit_that_was_mended_by_hand_says_what_it_lacks(tmp_path):
    plan, fit = plan_and_fit(tmp_path)
    Plan.check(plan, "plan"), TimeFit.check(fit, "fit")
    del plan["identity"]["rules"]["q_proj"]
    with pytest.raises(UserInputError, match="rules lack q_proj"):
        Plan.check(plan, "plan")
    changes = {
        "one number a name": lambda family: family["draws"][0].pop(),
        "no curvature": lambda family: family.update(names=["x"] * len(family["names"])),
        "less than or equal to 200": lambda family: family["values"].__setitem__(0, 1e6),
    }
    for said, change in changes.items():
        _, fit = plan_and_fit(tmp_path)
        change(fit["families"][0])
        with pytest.raises(UserInputError, match=said):
            TimeFit.check(fit, "fit")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda fit: fit["table"]["n_params_non_embedding"].append(0), "greater than 0"),
        (lambda fit: fit["table"].update(lr_range=[0.0, 0.1]), "lr_range"),
        (lambda fit: fit["table"].update(lr_range=[0.1, 1e250]), "lr_range"),
        (lambda fit: fit["local"][0].update(interval=[-2000.0, 2.0]), "interval"),
        (lambda fit: fit["local"][0].update(log2_lr=1e6), "log2_lr"),
        (lambda fit: fit["local"][0].update(bound_log2_lr=-1e6), "bound_log2_lr"),
    ],
)
def test_a_fit_holds_no_size_and_no_rate_that_no_run_has(tmp_path, change, said):
    _, fit = plan_and_fit(tmp_path)
    change(fit)
    with pytest.raises(UserInputError, match=said):
        TimeFit.check(fit, "fit")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("include: _cloze_yaml\ninclude: x", "stands twice"),
        ("include: [{a: 1}]", "name a file"),
        ("include: ../../../../etc/passwd", "leads out of"),
        ("custom_dataset: !function ....etc.passwd", "must lie beside"),
        ("metadata: {version: x, kind: cloze, items: y}", "valid number"),
        ("metric_list: [acc]", "metric_list"),
        ("dataset_kwargs: {language: {da: 1}}", "valid string"),
        ("task: !!binary aGk=", "not YAML"),
        ("doc_to_text: \x8e", "not YAML"),
        ("doc_to_text: " + "[" * 3000, "nests|not YAML"),
    ],
)
def test_a_task_file_of_any_form_is_refused_in_one_line(tmp_path, change, said):
    suite = tmp_path / "evals" / "core"
    suite.mkdir(parents=True)
    for name in ("_cloze_yaml", "utils.py", "cloze_dan_Latn.yaml"):
        (suite / name).write_bytes((EVALS / "core" / name).read_bytes())
    path = suite / "cloze_dan_Latn.yaml"
    read_task(path)
    key = change.partition(":")[0]
    kept = [line for line in path.read_text().splitlines() if not line.startswith(f"{key}:")]
    path.write_text("\n".join([*kept, change]))
    with pytest.raises(UserInputError, match=said):
        read_task(path)


def table(**parts):
    whole = {
        "keys": ["model"],
        "units": {"x": "count"},
        "columns": ["model", "x"],
        "rows": [["a", 1]],
    }
    return {"schema_version": 2, "provenance": {}, "claims": [], "tables": {"t": whole | parts}}


@pytest.mark.parametrize(
    "parts",
    [
        {"keys": [{"a": 1}]},
        {"rows": 3.5},
        {"rows": [1.5]},
        {"rows": [["a", [1]]]},
        {"units": ["x"]},
        {"columns": ["x", "x"], "keys": ["x"]},
        {"units": {"x": None}},
        {"rows": [["a", "1"]]},
        {"rows": [["a", 10**400]]},
    ],
)
def test_a_report_of_another_layout_is_refused(tmp_path, parts):
    (tmp_path / "report.json").write_text(json.dumps(table()))
    read_report(tmp_path)
    (tmp_path / "report.json").write_text(json.dumps(table(**parts)))
    with pytest.raises(UserInputError, match="table `t`"):
        read_report(tmp_path)


def test_a_unit_that_nobody_knows_is_named_in_a_comparison(tmp_path):
    (tmp_path / "report.json").write_text(json.dumps(table()))
    assert compare(tmp_path, tmp_path)
    for unit in ("furlong", "by kind"):
        (tmp_path / "report.json").write_text(json.dumps(table(units={"x": unit})))
        with pytest.raises(UserInputError, match="nobody knows the unit"):
            compare(tmp_path, tmp_path)


def test_a_score_table_that_is_no_csv_is_refused(tmp_path):
    (tmp_path / "scores.csv").write_bytes(b'model,eu\n"a' + b"x" * 200_000 + b'",yes\n')
    with pytest.raises(UserInputError, match="no CSV"):
        read_published(tmp_path)


def test_a_card_whose_interval_is_text_is_a_problem_and_no_crash():
    from _fuzz_text_reports import _card_scores, _card_seeds

    text = _card_seeds(None)[0].decode()
    changed = text.replace("low: 0.", "low: a0.", 1)
    assert changed != text
    found = problems(changed, "mini-2.6b", _card_scores())
    assert any("the low end of its interval" in line for line in found)


@pytest.mark.parametrize("md5", ["9" * 300 + ".dir", "../../x.dir", "[a.dir]", ""])
def test_a_pin_whose_hash_is_none_names_no_file(tmp_path, md5):
    (tmp_path / "data").mkdir()
    pin = tmp_path / "data.dvc"
    pin.write_text(f"outs:\n- md5: {md5}\n  path: data\n")
    with pytest.raises(UserInputError, match="pins no folder"):
        verify(tmp_path / "data", pin)


def test_a_table_of_runs_with_a_number_beyond_all_floats_names_the_cell(tmp_path):
    from _fuzz_text import _RUNS

    path = tmp_path / "runs.csv"
    path.write_text(_RUNS)
    assert len(read_runs(path)) == 3
    path.write_text(_RUNS.replace("8192", "9" * 400))
    with pytest.raises(UserInputError, match=r"line 4: .*9 is no number"):
        read_runs(path)
