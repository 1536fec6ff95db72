"""What a bad step is, and what is said about it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from skald_specs.checkpoint import CheckpointState
from skald_specs.files import read_json, write_json
from skald_specs.guard import GuardRecipe
from skald_trainer.guard import (
    BadStep,
    DivergedError,
    Guard,
    explained,
    facts,
    skipped_row,
)

SKIP = GuardRecipe(on_bad_step="skip", spike_nats=1.0, window_steps=3, max_skipped_steps=2)


@pytest.mark.parametrize(
    ("loss", "norm", "reason"),
    [
        (math.nan, 1.0, "its loss is nan"),
        (math.inf, 1.0, "its loss is inf"),
        (5.0, math.nan, "its gradient norm is not finite"),
        (5.0, math.inf, "its gradient norm is not finite"),
    ],
)
def test_what_is_not_finite_stops_by_default(loss: float, norm: float, reason: str) -> None:
    guard = Guard(GuardRecipe())
    assert guard.admits(1, 5.0, 1.0) and guard.bad is None
    with pytest.raises(DivergedError, match=f"step 2 is bad: {reason}"):
        guard.admits(2, loss, norm)
    assert guard.bad is not None and guard.bad.step == 2


def test_without_a_bound_no_finite_loss_is_a_spike_and_none_is_remembered() -> None:
    guard = Guard(GuardRecipe())
    assert guard.admits(1, 1.0, 1.0) and guard.admits(2, 1e9, 1.0)
    assert guard.memory() == {"n_skipped": 0, "recent_losses_nats": ()}


def test_a_spike_is_measured_from_the_median_of_the_last_good_steps() -> None:
    guard = Guard(SKIP)
    for step, loss in enumerate((9.0, 5.0, 4.0, 3.0), start=1):
        assert guard.admits(step, loss, 1.0)
    assert guard.memory()["recent_losses_nats"] == (5.0, 4.0, 3.0), "9.0 has left the window"
    assert guard.admits(5, 5.0, 1.0), "1.0 above the median 4.0 is not more than 1.0"
    assert not guard.admits(6, 5.1, 1.0), "the median of 4, 3 and 5 is 4"
    assert guard.bad is not None and "1.1000 above the median 4.0000" in guard.bad.reason
    assert guard.memory() == {"n_skipped": 1, "recent_losses_nats": (4.0, 3.0, 5.0)}, (
        "a bad step does not enter the window"
    )


def test_skips_are_counted_over_the_whole_run() -> None:
    guard = Guard(SKIP)
    assert guard.admits(1, 4.0, 1.0)
    assert not guard.admits(2, math.nan, 1.0)
    assert guard.admits(3, 4.0, 1.0) and guard.bad is None
    assert not guard.admits(4, 9.0, 1.0)
    resumed = Guard(SKIP)
    resumed.restore(**guard.memory())
    with pytest.raises(DivergedError, match=r"guard\.max_skipped_steps = 2"):
        resumed.admits(5, 9.0, 1.0)


def test_its_memory_survives_a_checkpoint_to_the_last_bit() -> None:
    guard = Guard(GuardRecipe(spike_nats=9.0))
    for step, loss in enumerate((0.1 + 0.2, 1 / 3, math.pi), start=1):
        guard.admits(step, loss, 1.0)
    state = CheckpointState(step=3, tokens_seen=9, samples_seen=1, **guard.memory())
    again = CheckpointState.model_validate_json(json.dumps(state.model_dump()))
    assert again.recent_losses_nats == (0.1 + 0.2, 1 / 3, math.pi)


def test_the_line_names_step_data_checkpoint_and_command(tmp_path: Path) -> None:
    windows = {"da": [5, 3, 9, 1, 8], "sv": [7]}
    bad = BadStep(12, "its loss is nan", math.nan, math.nan)
    report, last = tmp_path / "bad_step.json", Path("runs/x/checkpoints/step_00000010")
    error = explained(DivergedError("step 12 is bad"), bad, windows, report, last, "skald train P")
    line = str(error)
    assert "\n" not in line
    for words in (
        "step 12",
        "da 5, 3, 9, 1 and 1 more; sv 7",
        str(report),
        str(last),
        "`skald train P`",
    ):
        assert words in line
    assert "no checkpoint yet" in str(explained(DivergedError(""), bad, windows, report, None, ""))
    write_json(report, facts(bad, windows))
    assert read_json(report)["windows"] == windows
    assert read_json(report)["bad_loss_nats"] == "nan", "JSON has no NaN"


def test_a_skipped_step_is_no_point_of_the_curve() -> None:
    row = skipped_row(BadStep(3, "spike", 9.0, 1.0), {"da": [1]})
    assert row["skipped"] is True and row["step"] == 3
    assert "loss_nats" not in row and row["windows"] == {"da": [1]}
