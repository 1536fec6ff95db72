"""Plain lm-eval runs the same task files and reaches the same answers as Skald."""

import json
import os
import subprocess
import sys

import pytest
import support_harness
from skald_harness.running.evaluate import evaluate
from skald_harness.running.table import mean_score
from skald_harness.tasks.suites import EVALS
from skald_specs.records import ItemRecord, RequestRecord
from support_harness import CORE_KINDS

TASKS = [f"skald_core_{kind}_{code}" for kind in CORE_KINDS for code in ("dan_Latn", "deu_Latn")]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("plain")
    support_harness.write_items(root / "items", n=16)
    support_harness.write_corpus(root / "corpus")
    for seed, name in ((1, "model"), (2, "stranger")):
        support_harness.write_export(root / name, seed=seed)
    evaluate(
        [root / "model", root / "stranger"], ["core"], root / "out", root / "items", root / "corpus"
    )
    return root


@pytest.fixture(scope="module")
def plain(made):
    """lm-eval's own `hf` model, with its own data path and batches."""
    import lm_eval
    from lm_eval.tasks import TaskManager

    manager = TaskManager(
        include_path=str(EVALS), include_defaults=False, metadata={"items_dir": str(made / "items")}
    )
    return lm_eval.simple_evaluate(
        model="hf",
        model_args=f"pretrained={made / 'model'}",
        tasks=TASKS,
        task_manager=manager,
        batch_size=4,
        device="cpu",
        bootstrap_iters=0,
    )


def answers(made, model):
    rows = support_harness.read_rows(made / "out" / "core" / "requests" / f"{model}.jsonl")
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
    for row in support_harness.read_rows(made / "out" / "core" / "items.jsonl"):
        item = ItemRecord.model_validate(row)
        if item.model == model:
            cells.setdefault(item.task, []).append(item)
    return {task: mean_score(items) for task, items in cells.items()}


def test_every_request_has_the_same_answer(made, plain):
    ours, theirs = answers(made, "model"), plain_answers(plain)
    assert ours.keys() == theirs.keys()
    assert len(ours) == 2 * 16 * (2 + 1 + 4 * 4)
    assert max(abs(ours[key] - theirs[key]) for key in ours) < 1e-4


def test_the_comparison_would_notice_another_model(made, plain):
    ours, theirs = answers(made, "stranger"), plain_answers(plain)
    assert max(abs(ours[key] - theirs[key]) for key in ours) > 1


def test_every_choice_is_decided_alike_and_every_score_agrees(made, plain):
    theirs = {
        (task, sample["doc"]["id"]): sample["acc"]
        for task, samples in plain["samples"].items()
        for sample in samples
        if "acc" in sample
    }
    rows = support_harness.read_rows(made / "out" / "core" / "items.jsonl")
    ours = {
        (row["task"], row["item_id"]): row["score"]
        for row in rows
        if row["model"] == "model" and row["kind"] != "text"
    }
    assert ours == theirs
    for task, score in scores(made, "model").items():
        metric = "bits_per_byte,none" if "_text_" in task else "acc,none"
        assert plain["results"][task][metric] == pytest.approx(score, abs=1e-5)


@pytest.mark.slow
def test_the_command_line_of_lm_eval_gives_the_same_scores(made, tmp_path):
    done = subprocess.run(
        [
            sys.executable, "-m", "lm_eval", "--model", "hf",
            "--model_args", f"pretrained={made / 'model'}",
            "--include_path", str(EVALS), "--tasks", ",".join(TASKS[::2]),
            "--metadata", json.dumps({"items_dir": str(made / "items")}),
            "--device", "cpu", "--output_path", str(tmp_path / "result"),
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
    assert set(results) == set(TASKS[::2])
    for task, result in results.items():
        metric = "bits_per_byte,none" if "_text_" in task else "acc,none"
        assert result[metric] == pytest.approx(ours[task], abs=1e-5)
