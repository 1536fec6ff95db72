"""Plain lm-eval runs the same task files and reaches the same answers as Skald."""

import json
import os
import subprocess
import sys
import zipfile

import pytest
import support_harness
from skald_harness.running.evaluate import evaluate
from skald_harness.store.evaluation import score_of
from skald_harness.tasks.suites import EVALS
from skald_specs.errors import UserInputError
from skald_specs.files import write_jsonl
from skald_specs.records import ItemRecord, RequestRecord
from support_harness import CORE_KINDS

TAGS = ("dan_Latn", "deu_Latn")
TASKS = [f"skald_core_{kind}_{code}" for kind in CORE_KINDS for code in TAGS]
UD_KINDS = ("swap", "delete", "text", "ntrex")
UD_TASKS = [f"skald_ud_{kind}_{code}" for kind in UD_KINDS for code in TAGS]

#: The metric that is a task's score in the records.
HEADLINES = {
    task: "bits_per_byte"
    if task.split("_")[2] in ("text", "ntrex")
    else "acc_bytes"
    if "_delete_" in task
    else "acc"
    for task in TASKS + UD_TASKS
}


def write_users_items(folder, items, n=16):
    """Write a user's folder from the core items: two words exchanged or one missing, and sentences."""
    for language in ("da", "de"):
        pairs, sentences = [], []
        for row in support_harness.read_rows(items / "pairs" / f"{language}.jsonl")[:n]:
            words = row["good"].split()
            for kind, bad in (("swap", row["bad"]), ("delete", " ".join(words[:1] + words[2:]))):
                facts = {"good": row["good"], "bad": bad, "type": kind, "source_id": row["id"]}
                pairs.append(facts)
            sentences.append({"id": row["id"].removeprefix(language), "text": row["good"]})
        write_jsonl(folder / "pairs" / f"{language}.jsonl", pairs)
        write_jsonl(folder / "ntrex" / f"{language}.jsonl", sentences)
        write_jsonl(folder / "ud" / language / "test.jsonl", sentences)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("plain")
    support_harness.write_items(root / "items", n=16)
    write_users_items(root / "users", root / "items")
    support_harness.write_corpus(root / "corpus")
    for seed, name in ((1, "model"), (2, "stranger")):
        support_harness.write_export(root / name, seed=seed)
    exports = [root / "model", root / "stranger"]
    folders = {"core": root / "items", "ud": root / "users"}
    evaluate(exports, list(folders), root / "out", folders, root / "corpus")
    return root


def run_plain(made, model):
    """Run plain lm-eval, with its own data path and batches, once for each folder of items."""
    import lm_eval
    from lm_eval.tasks import TaskManager

    found = {"samples": {}, "results": {}}
    for folder, tasks in (("items", TASKS), ("users", UD_TASKS)):
        manager = TaskManager(
            include_path=str(EVALS),
            include_defaults=False,
            metadata={"items_dir": str(made / folder)},
        )
        done = lm_eval.simple_evaluate(
            model=model,
            model_args=f"pretrained={made / 'model'}",
            tasks=tasks,
            task_manager=manager,
            batch_size=4,
            device="cpu",
            bootstrap_iters=0,
        )
        for part, known in found.items():
            known |= done[part]
    return found


@pytest.fixture(scope="module")
def plain(made):
    return run_plain(made, "hf")


def read_suites(made, name):
    return [
        row
        for suite in ("core", "ud")
        for row in support_harness.read_rows(made / "out" / suite / name)
    ]


def answers(made, model):
    rows = read_suites(made, f"requests/{model}.jsonl")
    records = [RequestRecord.model_validate(row) for row in rows]
    return {(r.task, r.item_id, r.index): r.logprob_nats for r in records}


def plain_answers(plain):
    found = {}
    for task, samples in plain["samples"].items():
        for sample in samples:
            for index, response in enumerate(sample["filtered_resps"]):
                value = response if isinstance(response, float) else response[0]
                found[task, sample["doc"]["id"], index] = value
    return found


def scores(made, model):
    cells = {}
    for row in read_suites(made, "items.jsonl"):
        item = ItemRecord.model_validate(row)
        if item.model == model:
            cells.setdefault(item.task, []).append(item)
    return {task: score_of(items) for task, items in cells.items()}


def test_every_request_has_the_same_answer(made, plain):
    ours, theirs = answers(made, "model"), plain_answers(plain)
    assert ours.keys() == theirs.keys()
    # Pairs and numbers, documents, six kinds of choices among four; of a user two kinds of pairs and of text.
    assert len(ours) == 2 * 16 * (2 * 2 + 1 + 6 * 4 + 2 * 2 + 2)
    assert max(abs(ours[key] - theirs[key]) for key in ours) < 1e-4


def test_the_comparison_would_notice_another_model(made, plain):
    ours, theirs = answers(made, "stranger"), plain_answers(plain)
    assert max(abs(ours[key] - theirs[key]) for key in ours) > 1


def test_the_model_skald_of_plain_lm_eval_has_the_same_answers(made, plain):
    import skald_harness.adapter.network  # noqa: F401 - where it is not installed, this registers it

    skald = run_plain(made, "skald")
    ours, theirs = plain_answers(skald), plain_answers(plain)
    assert ours.keys() == theirs.keys()
    assert max(abs(ours[key] - theirs[key]) for key in ours) < 1e-4
    for task, samples in plain["samples"].items():
        mine = {sample["doc"]["id"]: sample for sample in skald["samples"][task]}
        for sample in samples:
            for metric in sample["metrics"]:
                value = mine[sample["doc"]["id"]][metric]
                assert value == pytest.approx(sample[metric], abs=1e-4)
    assert skald["results"].keys() == plain["results"].keys()


def test_a_chat_template_is_applied_as_for_hf_and_a_base_model_is_refused(made):
    import lm_eval
    from lm_eval.models.huggingface import HFLM
    from skald_harness.adapter.network import TrieLM
    from skald_harness.adapter.tasks import load_tasks
    from transformers import AutoTokenizer

    (name,) = names = TASKS[2:3]
    loaded = load_tasks(EVALS / "core", names, made / "items")
    path = str(made / "model")

    def run(model):
        results = lm_eval.evaluate(model, loaded, apply_chat_template=True, bootstrap_iters=0)
        return results["samples"][name]

    tokenizer = AutoTokenizer.from_pretrained(path)
    tokenizer.chat_template = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
    ours = run(TrieLM(path, tokenizer=tokenizer, device="cpu"))
    theirs = run(HFLM(path, tokenizer=tokenizer, device="cpu"))
    assert ours[0]["arguments"][0][0].startswith("[user] ")
    for mine, other in zip(ours, theirs, strict=True):
        assert mine["arguments"] == other["arguments"]
        for (nats, _), (reference, _) in zip(
            mine["filtered_resps"], other["filtered_resps"], strict=True
        ):
            assert nats == pytest.approx(reference, abs=1e-4)
    with pytest.raises(UserInputError, match="no chat template"):
        run(TrieLM(path, device="cpu"))


def test_every_choice_is_decided_alike_and_every_score_agrees(made, plain):
    theirs = {
        (task, sample["doc"]["id"]): sample[HEADLINES[task]]
        for task, samples in plain["samples"].items()
        for sample in samples
        if HEADLINES[task] != "bits_per_byte"
    }
    rows = read_suites(made, "items.jsonl")
    ours = {
        (row["task"], row["item_id"]): row["score"]
        for row in rows
        if row["model"] == "model" and row["kind"] != "text"
    }
    assert ours == theirs
    for task, score in scores(made, "model").items():
        assert plain["results"][task][f"{HEADLINES[task]},none"] == pytest.approx(score, abs=1e-5)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """What pip puts into site-packages for an editable installation, made by the build backend."""
    folder = tmp_path_factory.mktemp("site")
    package = EVALS.parent / "packages" / "harness"
    subprocess.run(
        [sys.executable, "-c", BUILD, str(folder)], cwd=package, check=True, capture_output=True
    )
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder / wheel.stem)
    return folder


#: Build an editable and an ordinary wheel.
BUILD = """
import sys
from pathlib import Path
from hatchling import build
for kind in ("editable", "wheel"):
    folder = Path(sys.argv[1])
    name = getattr(build, f"build_{kind}")(str(folder))
    (folder / name).rename(folder / f"{kind}.whl")
"""
#: Run lm-eval as its command does, in a Python that has read the `.pth` files of a folder.
START = """
import runpy, site, sys
site.addsitedir(sys.argv.pop(1))
runpy.run_module("lm_eval", run_name="__main__", alter_sys=True)
"""


def test_both_kinds_of_wheel_bring_the_line_that_registers_the_model(installed):
    lines = (installed / "editable" / "skald_lm_eval.pth").read_text()
    assert lines == (installed / "wheel" / "skald_lm_eval.pth").read_text()
    assert lines.count("\n") == 1
    assert "import skald_lm_eval" in lines
    assert (installed / "wheel" / "skald_lm_eval" / "__init__.py").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("model", ["hf", "skald"])
def test_the_command_line_of_lm_eval_gives_the_same_scores(made, tmp_path, installed, model):
    # A choice, a document and a score per byte; lm-eval indexes its own tasks for seconds.
    tasks = [UD_TASKS[0], UD_TASKS[4], UD_TASKS[2]]
    done = subprocess.run(
        [
            sys.executable, "-c", START, str(installed / "editable"), "--model", model,
            "--model_args", f"pretrained={made / 'model'}",
            "--include_path", str(EVALS), "--tasks", ",".join(tasks),
            "--metadata", json.dumps({"items_dir": str(made / "users")}),
            "--device", "cpu", "--output_path", str(tmp_path / "result"), "--log_samples",
        ],
        cwd=tmp_path,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    (path,) = (tmp_path / "result").rglob("results_*.json")
    results = json.loads(path.read_text())["results"]
    ours = scores(made, "model")
    assert set(results) == set(tasks)
    for task, result in results.items():
        assert result[f"{HEADLINES[task]},none"] == pytest.approx(ours[task], abs=1e-5)
    recorded = answers(made, "model")
    logged = {}
    for file in (tmp_path / "result").rglob("samples_*.jsonl"):
        for sample in support_harness.read_rows(file):
            for index, response in enumerate(sample["filtered_resps"]):
                value = response[0] if isinstance(response, list) else response
                logged[file.name.split("_2")[0][8:], sample["doc"]["id"], index] = float(value)
    assert len(logged) == 16 * (2 + 1 + 2)
    for key, value in logged.items():
        assert value == pytest.approx(recorded[key], abs=1e-4)
