"""Seeing a run changes nothing of it: no hook stays, and the finished run is the same to the byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from skald_specs.files import sha256_file
from skald_trainer import rank
from skald_trainer.energy import EnergyMeter
from skald_trainer.loader import TrainingData
from skald_trainer.metrics import energy_joules, rows
from skald_trainer.run import drive
from skald_trainer.train import train
from support_trainer import tiny_corpus, tiny_plan


def _hooks(trainer: Any) -> int:
    base = trainer.optimizer.get_base_optimizer()
    count = len(base._optimizer_step_pre_hooks) + len(base._optimizer_step_post_hooks)
    for module in trainer.unwrapped_model.modules():
        count += len(module._forward_hooks) + len(module._forward_pre_hooks)
        count += "queries_keys" in vars(module)
    return count


def test_no_hook_is_left_and_only_the_chosen_steps_have_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = tiny_corpus(tmp_path)
    plan = tiny_plan(manifest, statistics_every_steps=3)
    inside: dict[int, int] = {}
    after: list[int] = []
    original = TrainingData.micro_batch
    trainers: list[Any] = []

    def counted(self: TrainingData, step: int, *place: int) -> Any:
        if trainers:
            inside[step] = max(inside.get(step, 0), _hooks(trainers[0]))
        return original(self, step, *place)

    def on_step(trainer: Any, step: int, loss: float, seconds: float) -> None:
        trainers[:] = [trainer]
        after.append(_hooks(trainer))

    monkeypatch.setattr(TrainingData, "micro_batch", counted)
    drive(0, 1, tmp_path / "meeting", plan, TrainingData(plan, tmp_path, manifest), on_step)
    assert after == [0] * 6
    assert [step for step, hooks in inside.items() if hooks] == [3, 6]


class _Steady:
    """A counter that grows by a joule at each look."""

    def __init__(self) -> None:
        self.total = 0.0

    def joules(self) -> float:
        self.total += 1.0
        return self.total


def test_the_finished_run_is_the_same_however_closely_it_is_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = tiny_corpus(tmp_path / "corpus")
    plain, watched = tmp_path / "plain", tmp_path / "watched"
    train(tiny_plan(manifest), tmp_path / "corpus", plain)
    unread = capsys.readouterr().err
    monkeypatch.setattr(
        rank, "meter_of_rank", lambda *where: EnergyMeter({"gpu": [_Steady()], "cpu": None})
    )
    plan = tiny_plan(manifest, statistics_every_steps=1, peak_tflops=1e-3, tensorboard=True)
    train(plan, tmp_path / "corpus", watched)
    seen = capsys.readouterr().err
    for file in ("curve.jsonl", "model.safetensors"):
        assert sha256_file(plain / "final" / file) == sha256_file(watched / "final" / file)
    assert energy_joules(plain / "metrics.jsonl") == {}
    # Saves at steps 3 and 6: a joule at each, and at looks in between where a step takes long.
    joules = energy_joules(watched / "metrics.jsonl")
    assert joules.keys() == {"gpu"}
    assert joules["gpu"] >= 2.0
    assert [row["step"] for row in rows(watched / "metrics.jsonl") if "energy_joules" in row] == [
        3,
        6,
    ]
    assert sum("statistics" in row for row in rows(watched / "metrics.jsonl")) == 6
    assert "kJ" not in unread
    assert "MFU" not in unread
    assert "0.0 kJ" in seen.splitlines()[-1]
    assert "MFU" in seen.splitlines()[-1]
