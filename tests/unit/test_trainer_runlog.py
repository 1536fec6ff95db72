"""The run's log: continued where the run continues, free of timing where it is hashed."""

from __future__ import annotations

import json
from pathlib import Path

from skald_trainer.runlog import RunLog, curve_rows


def _log(path: Path, start_step: int = 0, tensorboard: Path | None = None) -> RunLog:
    return RunLog(path, start_step, n_steps=10, label="", tensorboard=tensorboard)


def test_rows_after_the_checkpoint_are_dropped_and_a_cut_line_is_forgiven(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    first = _log(path)
    for step in range(1, 6):
        first.write({"step": step, "loss_nats": 1.0 / step, "tokens_per_second": 7.0})
    first.close()
    with path.open("a") as out:
        out.write('{"step": 6, "loss_')
    second = _log(path, start_step=3)
    second.write({"step": 4, "loss_nats": 9.0, "tokens_per_second": 1.0})
    second.close()
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    assert rows[-1]["loss_nats"] == 9.0
    assert all("tokens_per_second" not in row for row in curve_rows(path))
    assert [row["loss_nats"] for row in curve_rows(path)][:2] == [1.0, 0.5]


def test_tensorboard_files_hold_every_scalar(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = _log(tmp_path / "metrics.jsonl", tensorboard=tmp_path / "board")
    log.write({"step": 3, "loss_nats": 2.5})
    log.write({"step": 3, "bits_per_byte": {"da": 1.25}})
    log.close()
    events = EventAccumulator(str(tmp_path / "board"))
    events.Reload()
    assert sorted(events.Tags()["scalars"]) == ["bits_per_byte/da", "loss_nats"]
    assert [(e.step, e.value) for e in events.Scalars("bits_per_byte/da")] == [(3, 1.25)]
