"""`skald evaluate --watch`: a run is scored while it trains, and nothing of it is disturbed."""

import dataclasses
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import support_harness
from skald_cli.interrupts import STOP_SIGNALS
from skald_cli.main import main
from skald_harness.running import watch as watching
from skald_harness.running.evaluate import evaluate
from skald_harness.running.watch import Watched, checkpoints_of, read_points, watch
from skald_harness.store.evaluation import mean_of, read_evaluation
from skald_mup.export import export
from skald_process.locks import LockedError, held
from skald_specs.checkpoint import MANIFEST_FILE, MODEL_FILE, checkpoint_name, verify
from skald_specs.corpus import CorpusManifest
from skald_specs.curves import SignalReport
from skald_specs.errors import EXIT_RESUMABLE, UserInputError
from skald_specs.files import sha256_file, write_json
from support import ROOT
from support_trainer import tiny_plan

pytestmark = [pytest.mark.parallel, pytest.mark.slow]

STEPS = list(range(8, 49, 8))
_CHILD = """
import sys, time
from pathlib import Path
from skald_specs.plan import Plan
from skald_trainer.train import train
from support_faults import before_steps
if __name__ == "__main__":
    with before_steps(lambda step: time.sleep(float(sys.argv[4]))):
        train(Plan.load(Path(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[3]))
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run that was trained in a process of its own while it was watched here."""
    root = tmp_path_factory.mktemp("made")
    support_harness.write_items(root / "items", ["da"], n=6)
    rng = random.Random("train")
    texts = {"da": [support_harness.document(rng, "da", 6) for _ in range(60)]}
    manifest = _with_validation(support_harness.write_corpus(root / "corpus", texts))
    plan = tiny_plan(
        manifest, "seen", n_steps=STEPS[-1], checkpoint_every_steps=STEPS[0], keep_last=99,
        validate_every_steps=24, model={"vocab_size": manifest.vocab_size, "seq_len": 64},
        data={"mixture": {"da": 1.0}},
    )  # fmt: skip
    plan.save(root / "plan.yaml")
    (root / "child.py").write_text(_CHILD)
    run = root / "runs" / "seen"
    run.mkdir(parents=True)
    kept = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE")}
    paths = [str(ROOT / "tests"), str(ROOT / "benchmarks" / "proofs"), kept.get("PYTHONPATH", "")]
    words = [root / "child.py", root / "plan.yaml", root / "corpus", run, 0.12]
    with subprocess.Popen(
        [sys.executable, *map(str, words)], stderr=subprocess.PIPE, text=True,
        env=kept | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)},
    ) as child:  # fmt: skip
        during: list[bool] = []

        def sleep(seconds):
            assert child.poll() in (None, 0), child.stderr.read()
            time.sleep(seconds)

        def evaluate_and_look(*args, **kwargs):
            during.append(child.poll() is None)
            return evaluate(*args, **kwargs)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(watching, "evaluate", evaluate_and_look)
            report = watch(watched(root), 0.2, sleep)
        assert child.wait(60) == 0, child.stderr.read()
    return root, report, during


def _with_validation(corpus):
    """Give a corpus its training text as validation text, which the trainer wants."""
    for name in ("train.ds", "train.ds.index"):
        shutil.copy(corpus / f"da.{name}", corpus / f"da.{name.replace('train', 'validation')}")
    manifest = CorpusManifest.load(corpus / "corpus.json")
    (train,) = manifest.shards
    again = train.model_copy(update={"split": "validation", "path": "da.validation.ds"})
    manifest = manifest.model_copy(update={"shards": (train, again)})
    write_json(corpus / "corpus.json", manifest.model_dump(mode="json"))
    return manifest


def watched(root, **changes):
    whole = Watched(
        root / "runs" / "seen", ("core",), root / "items", root / "corpus", root / "eval", ("da",)
    )
    return dataclasses.replace(whole, **changes)


@pytest.fixture
def copy(made, tmp_path):
    return shutil.copytree(made[0], tmp_path / "copy")


def refuse(*args, **kwargs):
    raise AssertionError("nothing was to be scored")


def interrupt(*args, **kwargs):
    raise InterruptedError


def test_every_checkpoint_is_scored_while_the_run_trains(made):
    root, report, during = made
    assert during[0], "the first one was scored while the run trained"
    assert len(during) == len(STEPS)
    points = read_points(watched(root).points)
    assert sorted({point.step for point in points}) == STEPS
    assert len(points) == len(STEPS) * len(support_harness.CORE_KINDS)
    assert {point.tokens for point in points} == {step * 8 * 64 for step in STEPS}
    bits = [p.score for p in points if p.kind == "text"]
    assert bits[-1] < bits[0]
    assert {p.higher_is_better for p in points if p.kind == "text"} == {False}
    assert SignalReport.load(root / "eval" / "curves" / "seen-signal.json") == report
    assert {task.n_points for task in report.tasks} == {len(STEPS)}
    text = next(task for task in report.tasks if task.metric == "bits_per_byte")
    assert text.verdict == "carries signal"
    verify(root / "runs" / "seen" / "final")
    assert not list((root / "eval" / "curves").glob("*.export"))


def test_the_scores_are_those_of_the_same_checkpoints_later(made, tmp_path):
    root, _, _ = made
    points = {(p.step, p.task): p.score for p in read_points(watched(root).points)}
    for step in (STEPS[0], STEPS[-1]):
        folder = root / "runs" / "seen" / "checkpoints" / checkpoint_name(step)
        export(folder, root / "corpus", tmp_path / f"at-{step}")
        evaluate(
            [tmp_path / f"at-{step}"], ["core"], tmp_path / "out", root / "items", root / "corpus",
            ["da"], controls=False,
        )  # fmt: skip
        found = read_evaluation(tmp_path / "out" / "core")
        for task in found.summary.tasks:
            items = [row.item for row in found.asked[f"at-{step}", task.name]]
            assert mean_of(items, task.metric, task.metric) == points[step, task.name]


def test_a_second_watch_scores_nothing_and_a_lost_curve_comes_from_the_store(copy, monkeypatch):
    before = watched(copy).points.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(watching, "evaluate", refuse)
        watch(watched(copy))
    assert watched(copy).points.read_bytes() == before
    watched(copy).points.unlink()
    with monkeypatch.context() as patch:
        patch.setattr("skald_harness.models.controls.load_model", refuse)
        watch(watched(copy))
    assert watched(copy).points.read_bytes() == before


def test_what_is_half_written_is_never_read(copy):
    checkpoints = copy / "runs" / "seen" / "checkpoints"
    whole, damaged = checkpoints_of(copy / "runs" / "seen")
    assert not damaged
    assert [checkpoint.step for checkpoint in whole] == STEPS
    shutil.copytree(checkpoints / checkpoint_name(8), checkpoints / ".step_00000080.x1y2")
    shutil.copytree(checkpoints / checkpoint_name(8), checkpoints / "step_00000080")
    (checkpoints / "step_00000080" / MANIFEST_FILE).unlink()
    assert checkpoints_of(copy / "runs" / "seen") == (whole, {})


def test_a_run_whose_end_is_damaged_is_not_waited_for(copy, capsys):
    run = copy / "runs" / "seen"
    (run / "final" / MANIFEST_FILE).write_text("{")

    def sleep(seconds):
        raise AssertionError("it waits")

    # Its last checkpoint is whole, so all of the run is there.
    watch(watched(copy), sleep=sleep)
    assert "seen: final left out: " in capsys.readouterr().err
    for folder in (run / "checkpoints").iterdir():
        (folder / MANIFEST_FILE).write_text("{")
    with pytest.raises(UserInputError, match=r"final/manifest\.json"):
        watch(watched(copy), sleep=sleep)
    said = capsys.readouterr().err
    assert [f"{checkpoint_name(step)} left out: " in said for step in STEPS] == [True] * len(STEPS)


def test_a_removed_or_damaged_checkpoint_is_left_out_and_said(copy, monkeypatch, capsys):
    checkpoints = copy / "runs" / "seen" / "checkpoints"
    watched(copy).points.unlink()
    path = checkpoints / checkpoint_name(16) / MODEL_FILE
    data = np.fromfile(path, np.uint8)
    data[-1] ^= 1
    data.tofile(path)
    import skald_mup.export

    whole = skald_mup.export.export

    def pruned_meanwhile(folder, *others):
        if folder.name == checkpoint_name(24):
            shutil.rmtree(folder)
        whole(folder, *others)

    monkeypatch.setattr(skald_mup.export, "export", pruned_meanwhile)
    watch(watched(copy))
    err = capsys.readouterr().err
    assert "seen: step 24 left out: the trainer removed it meanwhile" in err
    assert "seen: step 16 left out: " in err
    assert "its checksum differs from manifest.json" in err
    steps = {point.step for point in read_points(watched(copy).points)}
    assert steps == set(STEPS) - {16, 24}


def test_a_run_that_began_anew_has_a_new_curve(copy):
    points = watched(copy).points
    rows = [p.model_copy(update={"plan_fingerprint": "old"}) for p in read_points(points)]
    rows = [p.model_copy(update={"weights_sha256": "old"}) for p in rows]
    points.write_text("".join(f"{row.model_dump_json()}\n" for row in rows))
    watch(watched(copy))
    found = read_points(points)
    assert {point.plan_fingerprint for point in found} != {"old"}
    assert len(found) == len(rows)
    assert "old" not in {point.weights_sha256 for point in found}


def test_a_curve_is_scored_anew_where_its_items_or_task_changed(copy):
    points = watched(copy).points
    before = read_points(points)
    path = copy / "items" / "copy" / "da.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]))
    # The first checkpoint is gone: its points of the old items must not stay on the curve.
    shutil.rmtree(copy / "runs" / "seen" / "checkpoints" / checkpoint_name(STEPS[0]))
    rows = [
        p.model_copy(update={"version": 0.5, "score": 9.0}) if "_number_" in p.task else p
        for p in before
    ]
    points.write_text("".join(f"{row.model_dump_json()}\n" for row in rows))
    report = watch(watched(copy))
    found = {(p.step, p.task): p for p in read_points(points)}
    old = {(p.step, p.task): p for p in before}
    for (step, task), point in old.items():
        changed = "_copy_" in task or "_number_" in task
        if step == STEPS[0]:
            assert ((step, task) in found) is not changed
        elif "_copy_" in task:
            assert found[step, task].n_items == point.n_items - 1
            assert found[step, task].data_sha256 != point.data_sha256
        else:
            assert found[step, task] == point
    counts = {task.task: task.n_points for task in report.tasks}
    assert set(counts.values()) == {len(STEPS), len(STEPS) - 1}


def test_bad_input_is_one_line(copy):
    with pytest.raises(UserInputError, match="no such run"):
        watch(watched(copy, run=copy / "runs" / "sene"))
    (copy / "model").mkdir()
    (copy / "model" / "config.json").touch()
    for folder, said in ((copy / "model", "a model's folder, no run"), (copy, "neither a run nor")):
        with pytest.raises(UserInputError, match=said):
            watch(watched(copy, run=folder), sleep=refuse)
    (copy / "runs" / "soon").mkdir()
    with pytest.raises(InterruptedError):  # waited for
        watch(watched(copy, run=copy / "runs" / "soon"), sleep=interrupt)
    other = support_harness.write_corpus(copy / "other")
    watched(copy).points.unlink()
    with pytest.raises(UserInputError, match="not the corpus seen trains on"):
        watch(watched(copy, corpus=other))
    with (
        held(watched(copy).lock, watched(copy).refusal),
        pytest.raises(LockedError, match="is being watched already") as caught,
    ):
        watch(watched(copy))
    assert caught.value.exit_code == EXIT_RESUMABLE
    with pytest.raises(UserInputError, match="unknown suite 'cores'"):
        watch(watched(copy, suites=("cores",)))


def test_ctrl_c_ends_resumably_and_leaves_the_run_alone(copy, capsys):
    run = copy / "runs" / "seen"
    shutil.rmtree(run / "final")
    shutil.rmtree(run / "checkpoints" / checkpoint_name(STEPS[-1]))
    before = {path: sha256_file(path) for path in run.rglob("*") if path.is_file()}
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    timer = threading.Timer(2.0, os.kill, (os.getpid(), signal.SIGINT))
    words = ["--suite", "core", "--items", copy / "items", "--corpus", copy / "corpus"]
    words += ["--out", copy / "eval", "--languages", "da"]
    timer.start()
    try:
        assert main(["evaluate", "--watch", str(run), *map(str, words)]) == 75
    finally:
        timer.cancel()
        for number, handler in handlers.items():
            signal.signal(number, handler)
    err = capsys.readouterr().err
    assert "seen: scored up to step 40 of 48; waiting" in err
    assert "run the same command again" in err
    assert {path: sha256_file(path) for path in run.rglob("*") if path.is_file()} == before
    assert Path(copy / "eval" / "curves" / "seen-signal.json").is_file()
