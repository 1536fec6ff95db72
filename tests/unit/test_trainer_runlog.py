"""The run's log: continued where the run continues, free of timing where it is hashed."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from skald_specs.errors import UserInputError
from skald_specs.plan import Plan
from skald_trainer.metrics import curve_rows, energy_joules
from skald_trainer.runlog import RunLog
from skald_trainer.sinks import check_sinks, flat
from support_trainer import tiny_corpus, tiny_plan

STATISTICS = {"grad_norm": {"q_proj": 0.25}, "activation_rms": {"residual": 1.5}}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tiny_corpus(tmp_path_factory.mktemp("corpus"))


def _log(plan: Plan, root: Path, start_step: int = 0) -> RunLog:
    return RunLog(root / "metrics.jsonl", plan, start_step, "cpu")


def _step(log: RunLog, step: int, loss: float = 1.0, **more: Any) -> None:
    log.step(step, {"loss_nats": loss, "lr": 0.01, "grad_norm": 2.0, **more}, loss, seconds=0.5)


def _rows(root: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (root / "metrics.jsonl").read_text().splitlines()]


def test_rows_after_the_checkpoint_are_dropped_and_a_cut_line_is_forgiven(
    tmp_path: Path, manifest: Any
) -> None:
    plan = tiny_plan(manifest)
    first = _log(plan, tmp_path)
    for step in range(1, 6):
        _step(first, step, loss=1.0 / step)
    first.close()
    with (tmp_path / "metrics.jsonl").open("a") as out:
        out.write('{"step": 6, "loss_')
    second = _log(plan, tmp_path, start_step=3)
    _step(second, 4, loss=9.0)
    second.close()
    rows = _rows(tmp_path)
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    assert rows[-1]["loss_nats"] == 9.0
    assert rows[-1]["tokens_seen"] == 4 * plan.identity.global_batch_tokens.value
    assert rows[-1]["tokens_per_second"] == plan.identity.global_batch_tokens.value / 0.5


def test_the_curve_holds_what_the_plan_alone_decides(tmp_path: Path, manifest: Any) -> None:
    log = _log(tiny_plan(manifest, peak_tflops=1.0, statistics_every_steps=1), tmp_path)
    _step(log, 1, statistics=STATISTICS)
    log.validation(1, {"da": 1.25})
    log.energy(1, {"gpu": 20.0})
    log.close()
    timed = {"tokens_per_second", "mfu", "statistics", "energy_joules", "energy_since_step"}
    assert timed == timed & {key for row in _rows(tmp_path) for key in row}
    curve = curve_rows(tmp_path / "metrics.jsonl")
    assert [set(row) - {"step", "tokens_seen"} for row in curve] == [
        {"loss_nats", "lr", "grad_norm"}, {"bits_per_byte"},
    ]  # fmt: skip


def test_energy_adds_up_over_restarts_and_is_absent_where_a_stretch_is(
    tmp_path: Path, manifest: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, path = tiny_plan(manifest, n_steps=8), tmp_path / "metrics.jsonl"
    stretches = [
        (0, {"gpu": 1500.0, "cpu": 500.0}), (2, {"gpu": 500.0, "cpu": 250.0}), (4, {"gpu": 500.0}),
    ]  # fmt: skip
    for start, joules in stretches:
        log = _log(plan, tmp_path, start)
        for step in (start + 1, start + 2):
            _step(log, step)
        log.energy(start + 2, joules)
        log.close()
        if start == 2:
            assert energy_joules(path) == {"gpu": 2000.0, "cpu": 750.0}
            assert "2.8 kJ" in capsys.readouterr().err.splitlines()[-1]
    # The CPUs of the last stretch could not be read, so what the run took of them is not known.
    assert energy_joules(path) == {"gpu": 2500.0}
    unread = _log(plan, tmp_path, start_step=6)
    _step(unread, 7)
    unread.energy(7, {})
    unread.close()
    assert energy_joules(path) == {}
    assert "kJ" not in capsys.readouterr().err.splitlines()[-1]
    after = _log(plan, tmp_path, start_step=7)
    _step(after, 8)
    after.energy(8, {"gpu": 500.0})
    after.close()
    assert energy_joules(path) == {}, "step 7 is missing"


def test_tensorboard_files_hold_every_scalar_and_no_step_twice(
    tmp_path: Path, manifest: Any
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    plan = tiny_plan(manifest, tensorboard=True)
    first = _log(plan, tmp_path)
    for step in (1, 2, 3):
        _step(first, step, loss=float(step), statistics=STATISTICS)
    first.close()
    second = _log(plan, tmp_path, start_step=2)
    _step(second, 3, loss=9.0)
    second.validation(3, {"da": 1.25})
    second.close()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    tags = events.Tags()["scalars"]
    assert {"bits_per_byte/da", "loss_nats", "statistics/grad_norm/q_proj"} <= set(tags)
    assert [(e.step, e.value) for e in events.Scalars("bits_per_byte/da")] == [(3, 1.25)]
    assert [(e.step, e.value) for e in events.Scalars("loss_nats")] == [
        (1, 1.0),
        (2, 2.0),
        (3, 9.0),
    ]


def test_numbers_are_named_by_their_path() -> None:
    row = {"step": 3, "loss_nats": 2.0, "statistics": STATISTICS, "reason": "words are no number"}
    assert flat(row) == {
        "loss_nats": 2.0, "statistics/grad_norm/q_proj": 0.25, "statistics/activation_rms/residual": 1.5,
    }  # fmt: skip


class _FakeWandb(types.ModuleType):
    """What the sink touches of Weights & Biases, noted down."""

    class Error(Exception):
        """The package's own."""

    def __init__(self, refuses: bool = False) -> None:
        super().__init__("wandb")
        self.refuses = refuses
        self.started: list[dict[str, Any]] = []
        self.logged: list[dict[str, Any]] = []
        self.finished = 0

    def init(self, **how: Any) -> Any:
        if self.refuses:
            raise self.Error("api_key not configured (no-tty)")
        self.started.append(how)
        return types.SimpleNamespace(
            define_metric=lambda name, step_metric: None, log=self.logged.append, finish=self.finish
        )

    def finish(self) -> None:
        self.finished += 1

    @staticmethod
    def Settings(**how: Any) -> dict[str, Any]:  # noqa: N802  # wandb's own name
        return how


def test_weights_and_biases_gets_every_row_of_one_run(
    tmp_path: Path, manifest: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, plan = _FakeWandb(), tiny_plan(manifest, wandb=True)
    monkeypatch.setitem(sys.modules, "wandb", fake)
    for start in (0, 1):
        log = _log(plan, tmp_path, start)
        _step(log, start + 1)
        log.close()
    assert fake.finished == 2
    assert [row["step"] for row in fake.logged] == [1, 2]
    assert fake.logged[0]["loss_nats"] == 1.0
    first, second = fake.started
    assert first["id"] == second["id"], "a continued training is one run"
    assert (first["name"], first["dir"], first["resume"]) == ("tiny", str(tmp_path), "allow")
    assert first["config"]["identity"]["model"]["d_model"] == 32
    other = RunLog(tmp_path / "other" / "metrics.jsonl", plan, 0, "cpu")
    other.close()
    assert fake.started[2]["id"] != first["id"]


def test_weights_and_biases_that_does_not_start_is_one_line(
    tmp_path: Path, manifest: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", _FakeWandb(refuses=True))
    with pytest.raises(
        UserInputError, match=r"api_key not configured.*WANDB_MODE=offline"
    ) as error:
        _log(tiny_plan(manifest, wandb=True), tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("package", ["wandb", "tensorboard"])
def test_a_missing_package_is_named_before_training(
    manifest: Any, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    check_sinks(tiny_plan(manifest).execution)
    with pytest.raises(UserInputError, match=rf"execution.{package}.*pip install {package}") as e:
        check_sinks(tiny_plan(manifest, **{package: True}).execution)
    assert "\n" not in str(e.value)
