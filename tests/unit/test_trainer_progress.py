"""What a person sees: in place on a terminal, lines elsewhere, and nothing that costs a step."""

from __future__ import annotations

import io
import itertools
import re
import time
from typing import Any

import pytest
from skald_process.screens import Lines, Live, Pace, duration, screen_for
from skald_trainer.progress import Progress, scaled

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
HIDE_CURSOR = "\x1b[?25l"
#: Well below a millisecond, on a machine that others use, too.
MOST_SECONDS_A_STEP = 3e-4


class Clock:
    """A monotonic clock that tests move."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    ours = Clock()
    monkeypatch.setattr("time.monotonic", ours)
    return ours


class Terminal(io.StringIO):
    """A terminal that keeps what was written."""

    def isatty(self) -> bool:
        return True


def _progress(screen: Any, n_steps: int, mfu: float | None = None) -> Progress:
    return Progress(n_steps, 100, screen, lambda speed: mfu)


def _run(progress: Progress, clock: Clock, n_steps: int, seconds: float) -> None:
    for step in range(1, n_steps + 1):
        clock.now += seconds
        progress.step(step, 3.0 - step / n_steps, seconds)


def test_a_log_gets_plain_lines_now_and_then(clock: Clock) -> None:
    out = io.StringIO()
    progress = _progress(screen_for("run", 1000, out), 1000)
    _run(progress, clock, 1000, 0.1)
    progress.close(None)
    lines = out.getvalue().splitlines()
    # 100 s: a line each twentieth, and none twice.
    assert len(lines) == 21
    assert lines[1] == "run: step 50/1000  loss 2.950  1,000 tokens/s  1m 35s left"
    assert lines[-1] == "run: step 1000/1000  loss 2.000  1,000 tokens/s  took 1m 40s"
    assert not CONTROL.search(out.getvalue())


def test_a_long_run_gets_a_line_each_minute_at_last_and_a_short_one_few(clock: Clock) -> None:
    day, pace = 86400, Pace(86400)
    times = [second for second in range(1, day + 1) if pace.due(float(second), second)]
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert gaps[0] == 10
    assert max(gaps) == 60
    assert times[-1] == day
    pace = Pace(1000)
    assert sum(pace.due(step * 0.003, step) for step in range(1, 1001)) == 2, "3 s: first, last"


def test_only_what_is_known_is_shown(clock: Clock) -> None:
    for mfu, bits, joules in ((None, None, None), (0.4123, {"da": 1.0, "sv": 2.0}, 2.5e6)):
        out = io.StringIO()
        progress = _progress(Lines("run", 3, out), 3, mfu)
        progress.step(1, 2.0, 0.5)
        if bits:
            progress.validation(1, bits)
        clock.now += 20
        progress.step(2, 2.0, 0.5)
        progress.close(joules)
        text = out.getvalue()
        known = mfu is not None
        assert ("MFU 41.2%" in text) is known
        assert ("1.500 bits/byte" in text) is known
        assert ("bits/byte  da 1.000  sv 2.000" in text) is known
        assert ("2,500.0 kJ" in text.splitlines()[-1]) is known
        assert text.splitlines()[-1].startswith("run: step 2/3"), "an interrupted run says where"


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_a_terminal_gets_one_line_that_fits_and_its_cursor_back(
    clock: Clock, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", str(columns))
    out = Terminal()
    progress = _progress(screen_for("run", 100_000, out), 100_000, 0.5)
    _run(progress, clock, 50, 0.3)
    progress.validation(50, {"da": 1.0})
    _run(progress, clock, 20, 0.3)
    live = out.getvalue()
    progress.close(None)
    frames = [re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", part) for part in live.split("\r")]
    assert len(frames) > 60
    lines = [line for frame in frames for line in frame.split("\n")]
    # Two columns are left for the ^C that a terminal adds.
    assert all(len(line) <= columns - (2 if "loss" in line else 0) for line in lines)
    last = frames[-1]
    assert "20/100000" in last
    assert "loss 2.000" in last
    assert last.endswith("left") is (columns > 40)
    assert ("MFU" in last) is (columns > 60), "a narrow terminal loses the middle"
    assert ("━" in last) is (columns != 60), "a bar where there is room"
    # A kill must not leave the terminal without a cursor.
    assert HIDE_CURSOR not in out.getvalue()
    assert out.getvalue().endswith("\n")
    assert "took" in out.getvalue()


def test_a_dumb_terminal_is_treated_as_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(screen_for("run", 1, Terminal()), Live)
    assert isinstance(screen_for("run", 1, io.StringIO()), Lines)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(screen_for("run", 1, Terminal()), Lines)


def test_a_screen_that_fails_does_not_end_the_run(clock: Clock) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError("nobody reads")

    progress = _progress(Lines("run", 10, Gone()), 10)
    _run(progress, clock, 10, 20.0)
    progress.close(None)


@pytest.mark.parametrize("terminal", [True, False])
def test_a_step_costs_well_below_a_millisecond(
    terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    out, n_steps = Terminal() if terminal else io.StringIO(), 2000
    progress = _progress(screen_for("run", n_steps, out), n_steps, 0.5)
    spent, wall = time.process_time(), time.monotonic()
    # As fast as a small model's steps: the screen is due as often as it would be.
    step = 0
    while time.monotonic() - wall < 1.0 and step < n_steps - 1:
        step += 1
        progress.step(step, 2.0, 0.005)
        time.sleep(0.003)
    spent = time.process_time() - spent
    progress.close(None)
    assert out.getvalue()
    assert spent / step < MOST_SECONDS_A_STEP


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.04, "0.0s"), (9.4, "9.4s"), (59.4, "59s"), (59.6, "1m 00s"), (3599, "59m 59s"),
     (3600, "1h 00m"), (86399, "23h 59m"), (86400, "1d 00h"), (1e6, "11d 13h")],
)  # fmt: skip
def test_a_duration_is_told_in_its_two_largest_units(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_speeds_take_six_characters_at_most() -> None:
    numbers = (0.4, 999.0, 9999.4, 10_000, 123_456.0, 1.5e6, 2.5e7)
    assert [scaled(n) for n in numbers] == [
        "0",
        "999",
        "9,999",
        "10.0k",
        "123.5k",
        "1.50M",
        "25.00M",
    ]
