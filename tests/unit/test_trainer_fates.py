"""Which rank of a failed run is blamed."""

from __future__ import annotations

import signal

import pytest
from skald_specs.errors import EXIT_RESUMABLE, InterruptedRunError
from skald_trainer.fates import RankError, Report, blamed


def test_a_silent_death_is_the_cause_of_what_others_said() -> None:
    broken = {0: Report(1.0, 1, "rank 0 failed: Connection closed by peer", "Traceback ...")}
    error = blamed([(0, 1), (1, -signal.SIGKILL)], broken, "")
    assert isinstance(error, RankError) and error.exit_code == 1
    assert "rank 1 was killed by SIGKILL (out of memory?)" in str(error)
    assert error.details == ""
    assert "rank 2 ended with code 7" in str(blamed([(2, 7)], broken, ""))
    assert "out of memory" not in str(blamed([(1, -signal.SIGSEGV)], {}, ""))


def test_of_several_errors_the_first_in_time_counts() -> None:
    said = {
        0: Report(2.0, 1, "rank 0 failed: Connection closed", "of rank 0"),
        1: Report(1.0, 1, "rank 1 failed: LookupError", "of rank 1"),
    }
    error = blamed([(0, 1), (1, 1)], said, "")
    assert "LookupError" in str(error) and error.details == "of rank 1"


def test_a_users_error_keeps_its_exit_code() -> None:
    error = blamed([(0, 2)], {0: Report(1.0, 2, "x: the disk is full. Free some")}, "")
    assert error.exit_code == 2 and "disk is full" in str(error)


def test_every_hung_rank_is_told_and_the_run_is_resumable() -> None:
    said = {
        rank: Report(1.0 + rank, EXIT_RESUMABLE, f"rank {rank} stood still", hung=True)
        for rank in (1, 0)
    }
    error = blamed([(0, 75), (1, 75)], said, "")
    assert isinstance(error, InterruptedRunError)
    assert "rank 0 stood still; rank 1 stood still" in str(error)
    assert "run the same command again" in str(error)


@pytest.mark.parametrize(
    ("stopped_by", "kind"), [("SIGTERM", InterruptedRunError), ("", RankError)]
)
def test_dying_of_the_signal_that_was_passed_on_is_an_interruption(
    stopped_by: str, kind: type[Exception]
) -> None:
    assert isinstance(blamed([(0, -signal.SIGTERM)], {}, stopped_by), kind)
