"""A task or question that cannot be rendered, asked or measured costs itself, not the others.

And whether a model is asked in its chat template is a matter of the task.
"""

import json
import re
import shutil

import pytest
import support_harness
import support_public
from skald_harness.adapter.network import TrieLM
from skald_harness.models.folder import read_folder
from skald_harness.running import results
from skald_harness.running.evaluate import evaluate
from skald_harness.running.problems import TaskError, failures_named
from skald_harness.store.verify import verify_evaluation
from skald_harness.tasks.suites import EVALS, TaskDefinition
from skald_specs.errors import ClaimError, UserInputError
from skald_specs.files import read_json, write_json
from skald_specs.records import EvaluationSummary, LeftOut
from support_harness import CORE_KINDS

COPY = "skald_core_copy_dan_Latn"


@pytest.fixture
def root(tmp_path):
    return support_harness.write_inputs(tmp_path / "made")


def run(root, names=("base-a", "base-b"), models=(), **more):
    exports = [root / "exports" / name for name in names]
    return evaluate(
        exports, ["core"], root / "out", root / "items", root / "corpus", ["da"], models=models,
        controls=False, **more,
    )  # fmt: skip


def summary(root):
    return EvaluationSummary.load(root / "out" / "core" / "summary.json")


def tasks_of(root, model):
    rows = support_harness.read_rows(root / "out" / "core" / "items.jsonl")
    asked = support_harness.read_rows(root / "out" / "core" / "requests" / f"{model}.jsonl")
    scored = {row["task"] for row in rows if row["model"] == model}
    assert {row["task"] for row in asked} == scored
    return scored


def refusing(real, error):
    """Answer as `real` does, but refuse what holds the plant."""

    def answer(self, questions):
        if any("copyplant" in question.context for question in questions):
            raise error
        return real(self, questions)

    return answer


def plant(root):
    path = root / "items" / "copy" / "da.jsonl"
    rows = support_harness.read_rows(path)
    rows[0]["context"] = "copyplant"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_task_that_cannot_be_rendered_is_one_line(root, capfd):
    shutil.copytree(EVALS, root / "evals")
    template = root / "evals" / "core" / "_copy_yaml"
    broken = re.sub("doc_to_text:.*", "doc_to_text: '{{ context.no.such }}'", template.read_text())
    template.write_text(broken)
    done = run(root, evals=root / "evals")
    assert done.exit_code == 2
    (line,) = [x for x in capfd.readouterr().err.splitlines() if x.startswith("skald: ")]
    assert line.startswith(f"skald: {COPY}: cannot be rendered (UndefinedError: ")
    assert len(done.summaries[0].tasks) == len(CORE_KINDS) - 1
    assert done.summaries[0].left_out == ()
    assert verify_evaluation(root / "out" / "core").mismatches == []


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            UserInputError("max_gen_toks", "512 tokens, but there are 512", "Ask for fewer"),
            "512 tok",
        ),
        (RuntimeError("no such option\nand more"), r"\(RuntimeError: no such option\)"),
    ],
)
def test_a_question_that_one_model_cannot_be_asked_costs_that_pair(
    root, monkeypatch, capfd, error, said
):
    plant(root)
    real = TrieLM.answer
    refuses = refusing(real, error)
    monkeypatch.setattr(
        TrieLM, "answer",
        lambda self, q: (refuses if self.config.hidden_size == 32 else real)(self, q),
    )  # fmt: skip
    done = run(root)
    assert done.exit_code == 2
    (line,) = [x for x in capfd.readouterr().err.splitlines() if x.startswith("skald: ")]
    assert re.match(f"skald: base-a is left out of {COPY}: {COPY}: cannot be asked.*{said}", line)
    everything = {task.name for task in summary(root).tasks}
    assert len(everything) == len(CORE_KINDS)
    assert tasks_of(root, "base-b") == everything
    assert tasks_of(root, "base-a") == everything - {COPY}
    assert summary(root).left_out == (LeftOut(model="base-a", task=COPY),)
    assert verify_evaluation(root / "out" / "core").mismatches == []
    # A task that is not known to be left out is missed.
    path = root / "out" / "core" / "summary.json"
    write_json(path, read_json(path) | {"left_out": []})
    assert verify_evaluation(root / "out" / "core").mismatches
    # Once it can be asked, only that is asked.
    monkeypatch.setattr(TrieLM, "answer", real)
    done = run(root)
    assert done.exit_code == 0 and tasks_of(root, "base-a") == everything
    assert summary(root).left_out == ()


def test_a_failed_check_stops_the_whole_model(root, monkeypatch):
    plant(root)
    real = TrieLM.answer
    refuses = refusing(real, ClaimError("apart"))
    monkeypatch.setattr(
        TrieLM, "answer",
        lambda self, q: (refuses if self.config.hidden_size == 32 else real)(self, q),
    )  # fmt: skip
    done = run(root)
    assert done.exit_code == 1
    assert [model.name for model in done.summaries[0].models] == ["base-b"]


def test_answers_that_cannot_be_measured_cost_that_pair(root, monkeypatch):
    real, calls = results.measure, []

    def measure(task, asked, answers):
        calls.append(task.config.task)
        if len(calls) == 1:
            raise KeyError("mcc")
        return real(task, asked, answers)

    monkeypatch.setattr(results, "measure", measure)
    done = run(root)
    assert done.exit_code == 2
    assert "its answers cannot be measured (KeyError: 'mcc')" in str(done.problems[0])
    assert done.summaries[0].left_out == (LeftOut(model="base-a", task=calls[0]),)
    assert verify_evaluation(root / "out" / "core").mismatches == []


def test_a_model_that_fails_in_everything_is_not_there_and_nothing_is_no_result(root, monkeypatch):
    real = TrieLM.answer
    run(root)
    before = support_harness.folder_sha256(root / "out")
    shutil.rmtree(root / "out-store")

    def refuse(self, questions):
        if self.config.hidden_size == 32:
            raise ValueError("nothing")
        return real(self, questions)

    monkeypatch.setattr(TrieLM, "answer", refuse)
    with pytest.raises(TaskError, match="cannot be asked"):
        run(root, ("base-a",))
    assert support_harness.folder_sha256(root / "out") == before
    assert [model.name for model in run(root).summaries[0].models] == ["base-b"]
    assert not (root / "out" / "core" / "requests" / "base-a.jsonl").exists()


def test_an_interrupt_is_no_failure_of_a_task():
    with pytest.raises(KeyboardInterrupt), failures_named("t", "cannot be asked"):
        raise KeyboardInterrupt


def test_plain_text_is_asked_without_the_chat_template(root, monkeypatch):
    support_public.write_instruct(root / "exports" / "tuned", d_model=16)
    shutil.copytree(root / "exports" / "tuned", root / "exports" / "same")
    tuned = read_folder(root / "exports" / "tuned", role="external", tuning="instruct")
    same = read_folder(root / "exports" / "same", role="external", tuning="base")
    run(root, (), models=[tuned, same])
    models = {model.name: model for model in summary(root).models}
    assert models["tuned"].tuning == "instruct"
    assert models["tuned"].chat_template_sha256 is None
    files = [root / "out" / "core" / "requests" / f"{name}.jsonl" for name in models]
    assert files[0].read_bytes() == files[1].read_bytes(), "keys, prompts and answers are the same"
    assert verify_evaluation(root / "out" / "core").mismatches == []
    # The negation: a task that takes the template.
    monkeypatch.setattr(TaskDefinition, "takes_chat", True)
    run(root, (), models=[tuned, same])
    models = {model.name: model for model in summary(root).models}
    assert models["tuned"].chat_template_sha256 and models["same"].chat_template_sha256 is None
    contexts = [row["context"] for row in support_harness.read_rows(files[0])]
    assert all("[user]" in context for context in contexts if context)
    assert any(contexts) and files[0].read_bytes() != files[1].read_bytes()
    assert verify_evaluation(root / "out" / "core").mismatches == []
