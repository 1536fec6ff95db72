"""A suite that nobody vouched for is read, never run: neither its functions nor its templates."""

import pytest
from skald_cli.main import main
from skald_harness.adapter import public
from skald_harness.adapter.tasks import load_tasks
from skald_harness.running.asked import asked_tasks
from skald_harness.running.prompts import check_prompts
from skald_harness.running.reference import reference_items
from skald_harness.tasks.suites import EVALS, REGISTER, list_tasks, require_trusted
from skald_specs.errors import UserInputError
from skald_specs.files import write_jsonl

NAME = "skald_foreign_pairs_dan_Latn"


@pytest.fixture
def evals(tmp_path):
    """A suite from elsewhere whose function and template both leave a file where they ran."""
    (folder := tmp_path / "evals" / "foreign").mkdir(parents=True)
    (folder / "utils.py").write_text(
        "from pathlib import Path\n"
        "import datasets\n"
        "Path(__file__).with_name('imported').touch()\n"
        "def load(**_):\n"
        "    row = {'id': '1', 'key': '1', 'group': 'g', 'context': '', 'choices': ['a', 'b'], 'gold': 0}\n"
        "    return {'test': datasets.Dataset.from_list([row])}\n"
    )
    write = "cycler.__init__.__globals__.os.system('touch ' ~ '%s')" % (folder / "rendered")
    (folder / "pairs_dan_Latn.yaml").write_text(
        f"""
task: {NAME}
output_type: multiple_choice
custom_dataset: !function utils.load
dataset_kwargs: {{language: da}}
test_split: test
doc_to_text: "{{{{ {write} }}}}"
doc_to_choice: choices
doc_to_target: gold
metric_list: [{{metric: acc, aggregation: mean, higher_is_better: true}}]
metadata: {{version: 1.0, kind: pairs, items: "pairs/{{language}}.jsonl"}}
"""
    )
    row = {"id": "1", "key": "k", "good": "en hund", "bad": "et hund", "phenomenon": "gender"}
    write_jsonl(tmp_path / "items" / "pairs" / "da.jsonl", [row])
    return tmp_path / "evals"


def ways(evals):
    items = evals.parent / "items"
    return {
        "load": lambda: load_tasks(evals / "foreign", [NAME], items),
        "evaluate": lambda: asked_tasks("foreign", items, items, ["da"], evals, [], lambda _: None),
        "check": lambda: check_prompts(items, evals),
        "items": lambda: list(reference_items(["foreign"], items, evals=evals)),
    }


def ran(evals):
    return {path.name for path in (evals / "foreign").iterdir()} & {"imported", "rendered"}


@pytest.mark.parametrize("way", ["load", "evaluate", "check", "items"])
def test_nothing_of_an_unnamed_suite_runs(evals, way):
    assert [task.name for task in list_tasks("foreign", evals=evals)] == [NAME]
    with pytest.raises(
        UserInputError, match=r"add 'foreign' to `trusted` in .*suites\.yaml"
    ) as caught:
        ways(evals)[way]()
    assert "\n" not in str(caught.value) and ran(evals) == set()
    (evals / REGISTER).write_text("schema_version: 1\ntrusted: [core]\n")
    with pytest.raises(UserInputError, match="add 'foreign'"):
        ways(evals)[way]()
    assert ran(evals) == set()


def test_a_named_suite_runs_its_functions_and_its_templates(evals):
    (evals / REGISTER).write_text("schema_version: 1\ntrusted: [foreign]\n")
    loaded = ways(evals)["load"]()
    loaded[NAME].doc_to_text(next(iter(loaded[NAME].eval_docs)))
    assert ran(evals) == {"imported", "rendered"}, "which is why it must be named"


def test_the_register_is_a_format_like_others(evals):
    (evals / REGISTER).write_text("schema_version: 1\ntrusted: [foreign]\nextra: 1\n")
    with pytest.raises(UserInputError, match="extra"):
        require_trusted(evals / "foreign")
    for suite in ("core", "ud"):
        require_trusted(EVALS / suite)


def test_metrics_are_not_fetched_while_a_public_task_is_loaded(monkeypatch):
    tried = []

    class Manager:
        all_tasks = ("x",)
        task_index = dict.fromkeys(all_tasks)

        def __init__(self, **_):
            pass

        def load(self, names):
            try:
                import evaluate
            except ImportError:
                tried.append("refused")
            else:
                tried.append(evaluate)
            return {"tasks": {}}

    monkeypatch.setattr(public, "TaskManager", Manager)
    monkeypatch.setattr(public, "_folders_with", lambda name: [])
    monkeypatch.setattr(public, "_reaches_beyond", lambda name, index: False)
    monkeypatch.setattr(public.constants, "HF_HUB_OFFLINE", True)
    public.load_public("x")
    assert tried == ["refused"]


def test_a_folder_has_no_way_to_run_its_code(tmp_path, capsys):
    words = ["evaluate", "--suite", "core", "--trust-remote-code", "a/b"]
    assert main(words) == 2
    assert "no --models" in capsys.readouterr().err
