"""Bad steps planted in real runs: stopped before they change a weight, or left out and logged."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from skald_specs.checkpoint import MODEL_FILE, OPTIMIZER_FILE
from skald_specs.corpus import CorpusManifest
from skald_specs.files import read_json, read_jsonl, sha256_file
from skald_specs.plan import Plan
from skald_trainer import checkpoint
from skald_trainer.fates import RankError
from skald_trainer.folder import RunFolder
from skald_trainer.guard import DivergedError, Guard
from skald_trainer.launch import run_ranks
from skald_trainer.loader import TrainingData
from skald_trainer.train import train
from support_faults import Fault, losses_multiplied, train_with_fault
from support_trainer import losses_of, tiny_corpus, tiny_plan

pytestmark = [pytest.mark.parallel, pytest.mark.slow]

SPIKES = {"on_bad_step": "skip", "spike_nats": 1.5, "window_steps": 4, "max_skipped_steps": 2}
STEPS = {"n_steps": 12, "checkpoint_every_steps": 1, "keep_last": 12}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    tiny_corpus(folder)
    return folder


def _plan(corpus: Path, **changes: Any) -> Plan:
    manifest = CorpusManifest.load(corpus / "corpus.json")
    return tiny_plan(manifest, **{**STEPS, **changes})


def _hashes(root: Path, step: int) -> list[str]:
    at = checkpoint.path_of(RunFolder(root).checkpoints, step)
    return [sha256_file(at / name) for name in (MODEL_FILE, OPTIMIZER_FILE)]


@pytest.fixture(scope="module")
def undisturbed(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs") / "undisturbed"
    train(_plan(corpus), corpus, root)
    return root


@pytest.fixture(scope="module")
def skipping(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that leaves out step 5, which is no number, and step 9, which is a spike."""
    root = tmp_path_factory.mktemp("runs") / "skipping"
    with losses_multiplied({5: math.nan, 9: 4.0}):
        train(_plan(corpus, guard=SPIKES), corpus, root)
    return root


@pytest.mark.parametrize(
    ("factor", "reason"), [(math.nan, "its loss is nan"), (4.0, "above the median")]
)
def test_a_bad_step_stops_the_run_before_it_changes_a_weight(
    corpus: Path, undisturbed: Path, tmp_path: Path, factor: float, reason: str
) -> None:
    plan = _plan(corpus, guard={"spike_nats": 1.5, "window_steps": 4}, checkpoint_every_steps=3)
    root = tmp_path / "tiny"
    with losses_multiplied({8: factor}), pytest.raises(DivergedError) as caught:
        train(plan, corpus, root)
    line, last = str(caught.value), root / "checkpoints" / "step_00000006"
    assert "step 8 is bad" in line and reason in line
    words = f"skald train {last}/plan.yaml --corpus {corpus} --out {tmp_path} --resume {last}"
    assert words in line
    data = TrainingData(plan, corpus, CorpusManifest.load(corpus / "corpus.json"))
    read = data.windows(8)
    assert read_json(root / "bad_step.json")["windows"] == read
    assert f"da {read['da'][0]}, {read['da'][1]}" in line
    assert not (root / "final").exists()
    # A fault of the machine does not come again.
    train(plan, corpus, root)
    assert sha256_file(root / "final" / MODEL_FILE) == sha256_file(
        undisturbed / "final" / MODEL_FILE
    )
    assert not (root / "bad_step.json").exists()


def test_a_guard_that_meets_no_bad_step_changes_nothing(
    corpus: Path, undisturbed: Path, tmp_path: Path
) -> None:
    train(_plan(corpus, guard=SPIKES), corpus, tmp_path / "guarded")
    assert _hashes(tmp_path / "guarded", 12) == _hashes(undisturbed, 12)


def test_a_skipped_step_leaves_weights_and_moments_alone(skipping: Path, undisturbed: Path) -> None:
    for step in (5, 9):
        assert _hashes(skipping, step) == _hashes(skipping, step - 1)
    assert _hashes(skipping, 6) != _hashes(skipping, 5), "training goes on"
    assert _hashes(skipping, 12) != _hashes(undisturbed, 12), "the plants did something"


def test_a_skipped_step_is_logged_with_what_it_read_and_is_no_gap(skipping: Path) -> None:
    rows = [row for row in read_jsonl(skipping / "final" / "curve.jsonl") if "skipped" in row]
    assert [row["step"] for row in rows] == [5, 9]
    assert sum(map(len, rows[0]["windows"].values())) == 8
    assert "above the median" in rows[1]["reason"]
    assert len(losses_of(skipping / "final" / "curve.jsonl")) == 10


def test_a_run_resumed_between_two_skips_is_the_undisturbed_one(
    corpus: Path, skipping: Path, tmp_path: Path
) -> None:
    plan = _plan(corpus, guard=SPIKES)

    def resumed(name: str) -> list[str]:
        at = checkpoint.path_of(RunFolder(skipping).checkpoints, 8)
        with losses_multiplied({9: 4.0}):
            train(plan, corpus, tmp_path / name, at)
        return _hashes(tmp_path / name, 12)

    assert resumed("again") == _hashes(skipping, 12)
    own, forget = Guard.restore, {"n_skipped": 0, "recent_losses_nats": ()}
    for name in forget:

        def forgetting(
            self: Guard, n_skipped: int, recent_losses_nats: Any, name: str = name
        ) -> None:
            memory = {"n_skipped": n_skipped, "recent_losses_nats": recent_losses_nats}
            own(self, **{**memory, name: forget[name]})

        with patch.object(Guard, "restore", forgetting):
            assert resumed(f"without {name}") != _hashes(skipping, 12), f"{name} is needed"


def test_too_many_skips_end_the_run(corpus: Path, tmp_path: Path) -> None:
    with (
        losses_multiplied(dict.fromkeys((4, 6, 7), math.inf)),
        pytest.raises(DivergedError, match=r"step 7 is bad.*guard\.max_skipped_steps = 2"),
    ):
        train(_plan(corpus, guard=SPIKES), corpus, tmp_path / "run")


def test_a_number_lost_on_one_rank_is_skipped_by_all(corpus: Path, tmp_path: Path) -> None:
    """Weights, fp32 masters and sharded moments stay; were the ranks to disagree, this would hang."""
    layouts = {
        "dp2": {"dp": 2},
        "zero1": {"dp": 2, "zero_stage": 1},
        "bf16_zero1": {"dp": 2, "zero_stage": 1, "dtype": "bfloat16"},
        "tp2": {"tp": 2},
        "pp2": {"pp": 2},
    }
    jobs = [
        (
            _plan(corpus, guard=SPIKES, n_steps=6, **layout).model_dump_json(),
            tmp_path / name,
            Fault(factors={4: math.nan}),
        )
        for name, layout in layouts.items()
    ]
    run_ranks(2, train_with_fault, jobs, corpus)
    for name in layouts:
        assert _hashes(tmp_path / name, 4) == _hashes(tmp_path / name, 3), name
        assert _hashes(tmp_path / name, 5) != _hashes(tmp_path / name, 4), name
        rows = list(read_jsonl(RunFolder(tmp_path / name).metrics))
        assert [row["step"] for row in rows if "skipped" in row] == [4], name


def test_a_number_lost_on_one_rank_stops_all_with_one_line(corpus: Path, tmp_path: Path) -> None:
    plan = _plan(corpus, dp=2)
    job = (plan.model_dump_json(), tmp_path / "run", Fault(factors={4: math.nan}))
    with pytest.raises(RankError, match="step 4 is bad: its loss is nan") as caught:
        run_ranks(2, train_with_fault, [job], corpus)
    assert caught.value.exit_code == 1 and caught.value.details == ""
    assert "step_00000003" in str(caught.value)
    assert (tmp_path / "run" / "bad_step.json").is_file()
