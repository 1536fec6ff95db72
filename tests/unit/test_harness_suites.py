"""Task files: all of ours are sound, and a fault in one is named with its file and field."""

import shutil

import pytest
import yaml
from skald_corpus.grammar.register import LANGUAGES
from skald_harness.tasks.suites import EVALS, check_suites, list_tasks, read_task
from skald_specs.errors import UserInputError
from skald_specs.languages import BY_TAG
from support_harness import CORE_KINDS


@pytest.fixture
def evals(tmp_path):
    shutil.copytree(EVALS / "core", tmp_path / "core")
    return tmp_path


def test_our_suites_have_no_problem():
    assert check_suites() == []


@pytest.mark.parametrize(
    ("suite", "kinds", "languages"),
    [
        ("core", CORE_KINDS, tuple(LANGUAGES)),
        (
            "ud",
            ("delete", "ntrex", "swap", "text"),
            ("da", "de", "en", "fo", "is", "nb", "nl", "sv"),
        ),
    ],
)
def test_every_language_has_every_task(suite, kinds, languages):
    names = {f"skald_{suite}_{kind}_{BY_TAG[tag].flores}" for kind in kinds for tag in languages}
    tasks = list_tasks(suite)
    assert {task.name for task in tasks} == names
    assert {task.path.stem for task in tasks} == {n.removeprefix(f"skald_{suite}_") for n in names}
    assert [task.name for task in tasks] == sorted(names)
    if suite == "core":
        assert all(task.kind == task.name.split("_")[2] for task in tasks)


def test_a_language_takes_four_lines():
    for task in list_tasks():
        assert len(task.path.read_text().splitlines()) == 4


def test_deletion_pairs_have_no_sum_of_log_probabilities():
    for task in list_tasks("ud"):
        if task.kind != "pairs":
            continue
        assert ("acc" in task.metrics) == ("_swap_" in task.name)


@pytest.mark.parametrize(
    "field",
    ["task", "output_type", "metric_list", "metadata", "dataset_kwargs", "custom_dataset"],
)
def test_a_missing_field_is_named_with_its_file(evals, field):
    path = evals / "core" / "pairs_dan_Latn.yaml"
    task = read_task(path)
    config = {key: value for key, value in task.config.items() if key != field}
    config.pop("custom_dataset", None)
    path.write_text(yaml.safe_dump(config))
    if field != "custom_dataset":
        path.write_text(path.read_text() + "custom_dataset: !function utils.load\n")
    (problem,) = check_suites(evals)
    assert "pairs_dan_Latn.yaml" in problem
    assert f"missing field `{field}" in problem
    assert "\n" not in problem
    with pytest.raises(UserInputError, match="missing field"):
        list_tasks("core", evals=evals)


def test_a_metadata_without_version_is_named(evals):
    template = evals / "core" / "_text_yaml"
    template.write_text(template.read_text().replace("version: 1.0, ", ""))
    problems = check_suites(evals)
    assert len(problems) == 8
    assert all("missing field `metadata.version`" in problem for problem in problems)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("multiple_choice", "generate_until", "`output_type` = 'generate_until'"),
        ("metric: acc,", "metric: f1,", "`metric_list` = 'f1'"),
        ("kind: pairs", "kind: essay", "`metadata.kind` = 'essay'"),
        ("utils.load", "gone.load", "gone.py must lie beside"),
        ("test_split: test", "test_split: [", "_pairs_yaml:"),
        ("test_split: test", "include: _pairs_yaml", "includes itself"),
        ("test_split: test", "include: /dev/zero", "it leads out of"),
        ("test_split: test", "include: ../../passwd", "it leads out of"),
    ],
)
def test_a_wrong_value_is_named(evals, old, new, said):
    template = evals / "core" / "_pairs_yaml"
    assert old in template.read_text()
    template.write_text(template.read_text().replace(old, new))
    assert all(said in problem for problem in check_suites(evals))


def test_a_function_is_named_by_its_module_never_by_a_path(evals):
    (evals / "evil.py").write_text("def load(**_): ...\n")
    template = evals / "core" / "_pairs_yaml"
    template.write_text(template.read_text().replace("utils.load", f"{evals / 'evil'}.load"))
    problems = check_suites(evals)
    assert problems and all("evil.py must lie beside" in problem for problem in problems)
    assert len(check_suites(evals)) == 8


def test_a_function_whose_name_no_file_can_have_is_a_problem_and_no_error(evals):
    template = evals / "core" / "_pairs_yaml"
    template.write_text(template.read_text().replace("utils.load", f"{'u' * 300}.load"))
    assert len(check_suites(evals)) == 8


def test_a_name_must_end_in_its_language_and_be_unique(evals):
    path = evals / "core" / "pairs_dan_Latn.yaml"
    text = path.read_text()
    path.write_text(text.replace("pairs_dan_Latn", "pairs_swe_Latn"))
    assert "must end in _dan_Latn" in check_suites(evals)[0]
    path.write_text(text)
    shutil.copy(path, path.with_name("pairs_again.yaml"))
    assert "has that name too" in check_suites(evals)[0]


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(UserInputError, match=r"unknown suite 'cor'\. Did you mean 'core'\?"):
        list_tasks("cor")
    with pytest.raises(UserInputError, match="no task in language 'nn'"):
        list_tasks("core", "nn")
    assert {task.language for task in list_tasks("ud", "fo")} == {"fo"}


def test_a_missing_folder_of_suites_is_said(tmp_path):
    with pytest.raises(UserInputError, match="no such folder"):
        check_suites(tmp_path / "evals")


def test_a_change_of_template_code_or_text_changes_the_fingerprint(evals):
    path = evals / "core" / "pairs_dan_Latn.yaml"
    prints = {read_task(path).fingerprint}
    code, template = evals / "core" / "utils.py", evals / "core" / "_pairs_yaml"
    code.write_text(code.read_text() + "# changed\n")
    prints.add(read_task(path).fingerprint)
    template.write_text(template.read_text().replace("1.0", "1.1"))
    prints.add(read_task(path).fingerprint)
    assert len(prints) == 3
    assert read_task(EVALS / "core" / path.name).fingerprint in prints
