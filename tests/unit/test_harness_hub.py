"""The suite `hub`: lm-eval's tasks as data, checked against the lm-eval that is installed."""

import csv
import gzip
import re
import shutil
from collections import Counter, defaultdict

import pytest
import yaml
from skald_cli.main import main
from skald_harness.adapter import index
from skald_harness.adapter.golden import changed_upstream, check_hub
from skald_harness.adapter.index import define, define_all, files_of, read_config, tasks_folder
from skald_harness.tasks.hub import TABLE, hub_tasks, read_table
from skald_harness.tasks.suites import EVALS, HUB
from skald_specs.errors import UserInputError
from skald_specs.files import read_yaml, write_yaml
from support import ROOT

#: The 709 Germanic tasks of lm-eval 0.4.13 that are not English.
GERMANIC = ROOT.parent / "shared" / "reference" / "lm_eval_germanic_tasks.csv.gz"


@pytest.fixture(scope="module")
def table():
    return read_table()


@pytest.fixture(scope="module")
def tasks(table):
    return hub_tasks(table=table)


@pytest.fixture
def evals(tmp_path):
    shutil.copytree(EVALS / HUB, tmp_path / HUB)
    return tmp_path


def replaced(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_every_task_is_in_the_installed_lm_eval_as_accepted():
    assert check_hub() == [] and changed_upstream() == []


def test_languages_and_families(tasks):
    assert Counter(task.language for task in tasks).keys() == {
        "af", "da", "de", "en", "fo", "is", "nb", "nds", "nl", "nn", "sv",
    }  # fmt: skip
    # A language learns of no family that its file does not name.
    assert {task.family for task in tasks if task.language == "fo"} == {
        "multiblimp", "global_piqa_parallel", "global_piqa_nonparallel",
    }  # fmt: skip


def test_wordings_of_the_same_items_are_data(tasks):
    wordings = defaultdict(set)
    for task in tasks:
        wordings[task.language, task.asked].add(task.variant)
    assert wordings["nb", "belebele"] == {"", "p0", "p1", "p2", "p3", "p4"}
    assert wordings["nn", "noridiom"] == {"p0", "p1", "p2", "p3", "p4"}
    assert wordings["nl", "include/stem"] == {"", "en", "og"}
    # Other items of one family are no wordings.
    assert wordings["de", "global_mmlu_lite/stem"] == {""}
    # lm-eval has three files of English sums, but two of them ask the same.
    assert wordings["en", "mgsm"] == {"direct", "en_cot"}
    several = {family for (_, family), found in wordings.items() if len(found) > 1}
    assert all(
        len(found) >= 3
        for (tag, f), found in wordings.items()
        if f in several and found != {""} and (tag, f) != ("en", "mgsm")
    )


def test_no_wording_claims_examples_that_are_not_given(tasks):
    """A wording's name is what a reader sees; lm-eval's own names cannot be changed."""
    defined = {task.name: task for task in define_all(tasks)[0]}
    shots = {task.name for task in tasks if "shot" in task.variant or "shot" in task.facts.about}
    assert not {name for name in shots if not defined[name].config.get("num_fewshot")}
    assert any("few_shot" in task.name for task in tasks)


def test_two_wordings_that_ask_the_same_are_a_fault(evals):
    replaced(
        evals / HUB / "eng_Latn.yaml",
        "mgsm_en_cot_en\n",
        "mgsm_en_cot_en\n  - mgsm_native_cot_en\n",
    )
    (line,) = check_hub(evals)
    assert line.startswith("mgsm_native_cot_en: asks the same as mgsm_en_cot_en in the same words")


def test_wordings_read_the_same_data(tasks):
    """One data set, configuration and split, or a mean over them means nothing."""
    read = defaultdict(set)
    for task in define_all(tasks)[0]:
        config = task.config
        split = config.get("test_split") or config.get("validation_split")
        read[task.language, task.family].add(
            (
                config["dataset_path"],
                config.get("dataset_name"),
                split,
                config.get("num_fewshot") or 0,
            )
        )
    assert {key: found for key, found in read.items() if len(found) > 1} == {}


def test_few_items_are_marked(tasks):
    low = {(task.language, task.family) for task in tasks if task.low_power}
    assert low == {
        ("da", "multiblimp"), ("nn", "norcommonsenseqa"), ("nn", "noropenbookqa"),
        ("nn", "nortruthfulqa_mc"),
    }  # fmt: skip


def test_what_was_translated_is_marked_by_language(tasks):
    by_name = {task.name: task for task in tasks}
    assert by_name["belebele_dan_Latn"].translated is True
    assert by_name["belebele_eng_Latn"].translated is False
    assert by_name["multiblimp_dan"].translated is False
    assert by_name["mlqa_de_de"].translated is None


def test_headlines_have_a_value_for_each_item(tasks):
    defined = {task.name: task for task in define_all(tasks)[0]}
    assert defined["mela_is"].metrics == ("acc",)
    assert defined["sib_afr_prompt_1"].metrics == ("acc",)
    assert defined["mgsm_direct_de"].metrics[0] == "exact_match,flexible-extract"
    assert defined["noridiom_nob_p0"].metrics == ("em", "fscore")


@pytest.mark.skipif(not GERMANIC.is_file(), reason="the list of tasks is not beside the checkout")
def test_every_germanic_task_is_asked_or_left_out_for_a_reason(table, tasks):
    with gzip.open(GERMANIC, "rt", encoding="utf-8") as stream:
        names = {row["task"] for row in csv.DictReader(stream)}
    asked = {task.name for task in tasks if task.language != "en"}
    assert len(names) == 709 and asked <= names
    patterns = [pattern for row in table.left_out for pattern in row.match]
    left_out = {name for name in names if any(re.fullmatch(p, name) for p in patterns)}
    assert left_out == names - asked


def test_our_reading_of_a_file_is_that_of_lm_eval(tasks):
    """Ours keeps functions as text; the rest must be equal, and every function must be importable."""
    from lm_eval.tasks._yaml_loader import load_yaml

    for task in tasks:
        path = files_of(task.facts.folders)[task.name]
        ours, modules = read_config(path)
        theirs = load_yaml(path)
        for key in ("tag", "group"):
            theirs.pop(key, None)
        assert ours.keys() == theirs.keys(), task.name
        for key, value in ours.items():
            if isinstance(value, str) and value.startswith("!function "):
                assert callable(theirs[key]) and modules, task.name
            elif key != "metric_list":
                assert value == theirs[key], (task.name, key)


def test_a_configuration_holds_no_path_of_this_machine(tasks):
    root = str(tasks_folder())
    assert not any(root in repr(task.config) for task in define_all(tasks)[0])


def test_a_changed_task_is_noticed_and_can_be_accepted(evals, monkeypatch):
    before = index.read_config

    def after(path):
        config, modules = before(path)
        if config["task"] == "belebele_dan_Latn":
            config["doc_to_text"] += " "
        return config, modules

    assert changed_upstream(evals) == []
    monkeypatch.setattr(index, "read_config", after)
    (line,) = changed_upstream(evals)
    assert line.startswith("belebele_dan_Latn: changed between lm-eval ") and "--accept" in line
    changed_upstream(evals, accept=True)
    assert changed_upstream(evals) == []


def test_changed_code_is_noticed(evals, monkeypatch, tmp_path):
    [task] = [t for t in hub_tasks(languages=["is"]) if t.name == "icelandic_winogrande"]
    before = define(task).fingerprint
    copy = tmp_path / "lm_eval" / "tasks"
    shutil.copytree(tasks_folder() / "icelandic_winogrande", copy / "icelandic_winogrande")
    monkeypatch.setattr(index, "tasks_folder", lambda: copy)
    files_of.cache_clear()
    try:
        assert define(task).fingerprint == before
        replaced(copy / "icelandic_winogrande" / "preprocess_winogrande.py", "strip()", "lstrip()")
        assert define(task).fingerprint != before
    finally:
        files_of.cache_clear()


def test_a_task_that_is_not_accepted_and_one_that_is_gone(evals):
    path = evals / HUB / "golden.json"
    text = path.read_text(encoding="utf-8").replace('"multiblimp_fao"', '"multiblimp_xxx"')
    path.write_text(text, encoding="utf-8")
    lines = changed_upstream(evals)
    assert [line.split(":")[0] for line in lines] == ["multiblimp_fao", "multiblimp_xxx"]


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        ("dan_Latn.yaml", "multiblimp_dan", "multiblimp_dxn", "multiblimp_dxn: not in lm-eval's"),
        ("dan_Latn.yaml", "multiblimp_dan", "pairs_dan", "no family has pairs_dan"),
        ("dan_Latn.yaml", "multiblimp_dan", "multiblimp_swe", "multiblimp_swe stands twice"),
        ("dan_Latn.yaml", "skald_hub_dan", "skald_hub_da", "`group` must be skald_hub_dan_Latn"),
        (TABLE, "jumelet/multiblimp", "jumelet/blimp", "`source` is jumelet/blimp for multiblimp"),
        (TABLE, "metric: em\n", "metric: f1\n", "`metric` is f1 for noridiom, but lm-eval has"),
        (TABLE, "    filter: flexible-extract\n", "", "`filter` is not named for mgsm"),
        (TABLE, "    made: original\n", "    made: found\n", "families.multiblimp.made"),
        (TABLE, "    license: CC-BY-4.0\n", "", "a license needs `license_from`"),
        (
            TABLE,
            "    labels: true\n",
            "    labels: true\n    chance: 0.5\n",
            "`labels` are of a choice",
        ),
        (TABLE, "'multiblimp_[a-z]{3}'", "'multiblimp_[a-z{3}'", "is no pattern"),
        (TABLE, "'ncb'", "'ncb', 'belebele_[a-z]+_Latn'", "is of belebele and ncb"),
    ],
)
def test_a_fault_is_one_line_that_names_it(evals, file, old, new, problem):
    replaced(evals / HUB / file, old, new)
    lines = check_hub(evals)
    assert lines and problem in lines[0], lines


def test_a_family_without_tasks_is_a_fault(evals):
    (evals / HUB / "nds_Latn.yaml").unlink()
    path = evals / HUB / "isl_Latn.yaml"
    group = read_yaml(path)
    write_yaml(path, group | {"task": [n for n in group["task"] if n != "icelandic_winogrande"]})
    (line,) = check_hub(evals)
    assert "no task of family icelandic_winogrande" in line


def test_a_group_file_is_lm_evals_own_format():
    """Plain lm-eval runs them, so they hold nothing that it does not know."""
    for path in sorted((EVALS / HUB).glob("*.yaml")):
        assert yaml.safe_load(path.read_text(encoding="utf-8")).keys() == {"group", "task"}


def test_the_list_says_what_a_reader_must_know(capsys):
    assert main(["evals", "list", "--suite", "hub", "--lang", "da"]) == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "n = 50, low power" in rows["multiblimp_dan"]
    assert "translated" not in rows["multiblimp_dan"]
    assert "translated (machine)" in rows["hellaswag_da"] and "CC-BY-NC-4.0" in rows["hellaswag_da"]
    assert main(["evals", "list", "--language", "nds"]) == 0
    assert "multiblimp_nds" in capsys.readouterr().out
    assert main(["evals", "list", "--suite", "hub", "--language", "fy"]) == 2
    with pytest.raises(UserInputError, match="no task in language 'fy'"):
        hub_tasks(languages=["fy"])


def test_names_are_found_in_the_folders_of_their_family_alone():
    found = files_of(("belebele",))
    assert found["belebele_dan_Latn"].name == "belebele_dan_Latn.yaml" and len(found) == 122
    assert "multiblimp_fao" not in found
