"""The writer works beside the run, one write at a time, and hands its errors over."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from skald_specs.errors import UserInputError
from skald_trainer.watchdog import Watchdog
from skald_trainer.writer import BackgroundWriter


def test_a_run_goes_on_while_it_writes_and_a_second_write_waits() -> None:
    may_end, events = threading.Event(), []

    def write(name: str) -> None:
        events.append(f"{name} begins")
        assert may_end.wait(10)
        events.append(f"{name} ends")

    with BackgroundWriter() as writer:
        writer.start(lambda: write("first"))
        writer.check()
        events.append("a step")
        threading.Timer(0.1, may_end.set).start()
        writer.start(lambda: write("second"))
        events.append("another step")
    assert set(events[:2]) == {"first begins", "a step"}
    assert events[2] == "first ends"
    assert "second ends" in events, "the end waits for it"


@pytest.mark.parametrize("when", ["check", "wait", "start", "end"])
def test_its_error_is_raised_by_the_next_call_and_once(when: str) -> None:
    def full() -> None:
        raise UserInputError("here", "the disk is full", "Free some space")

    writer = BackgroundWriter()
    with pytest.raises(UserInputError, match="the disk is full"), writer:
        writer.start(full)
        if when == "check":
            for _ in range(1000):
                writer.check()
                time.sleep(0.001)
        elif when == "wait":
            writer.wait()
        elif when == "start":
            writer.start(lambda: None)
    writer.wait()


def test_the_error_that_ended_the_run_stays_on_top(capsys: pytest.CaptureFixture[str]) -> None:
    def full() -> None:
        raise UserInputError("here", "the disk is full", "Free some space")

    with pytest.raises(ValueError, match="the run's own"), BackgroundWriter() as writer:
        writer.start(full)
        raise ValueError("the run's own")
    assert "not written: here: the disk is full" in capsys.readouterr().err


def test_an_ending_run_waits_whatever_ended_it() -> None:
    written = []

    def write() -> None:
        time.sleep(0.1)
        written.append(1)

    with pytest.raises(KeyboardInterrupt), BackgroundWriter() as writer:
        writer.start(write)
        raise KeyboardInterrupt
    assert written == [1]


@pytest.mark.parametrize("told", [True, False])
def test_a_slow_write_is_no_hang_to_a_watchdog_that_is_told(tmp_path: Path, told: bool) -> None:
    ends: list[str] = []
    watchdog = Watchdog(0, 1.5, tmp_path / "stacks.txt", ends.append)
    feeding = {"waiting": lambda: watchdog.feed("writing")} if told else {}
    with watchdog.watching(), BackgroundWriter(**feeding) as writer:
        watchdog.feed("a step")
        writer.start(lambda: time.sleep(4))
        assert writer.busy
    assert bool(ends) is not told
    assert not writer.busy


def test_whoever_waits_for_a_write_is_told_again_and_again_and_else_never(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("skald_trainer.writer._SECONDS_BETWEEN_BEATS", 0.01)
    told: list[bool] = []
    may_end = threading.Event()

    def waiting() -> None:
        told.append(True)
        if len(told) == 3:
            may_end.set()

    writer = BackgroundWriter(waiting)
    writer.wait()
    assert not writer.busy
    writer.start(may_end.wait)
    assert writer.busy and not told
    writer.wait()
    assert len(told) >= 3 and not writer.busy
    writer.check()


def test_an_error_at_the_end_is_the_runs_where_it_had_none() -> None:
    def full() -> None:
        raise UserInputError("here", "the disk is full", "Free some space")

    with pytest.raises(UserInputError, match="the disk is full"), BackgroundWriter() as writer:
        assert isinstance(writer, BackgroundWriter)
        writer.start(full)
