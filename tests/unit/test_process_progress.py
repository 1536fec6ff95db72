"""Progress: nothing before two seconds, then lines on standard error alone, a line in place on a terminal."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from skald_process import progress
from skald_process.progress import Part, handed_over, part, shown, tracked

#: A verb that takes some seconds: told what to do by its arguments, it answers on standard output.
_VERB = """
import sys, time
from skald_process import progress
from skald_process.progress import handed_over, shown, tracked

progress.QUIET_SECONDS = progress.QUIET_SECONDS_IN_A_LOG = 0.3
with shown("skald x"):
    for i in tracked(range(8), "things"):
        time.sleep(0.1)
    print("half")
    with handed_over():
        time.sleep(0.5)
        print("alone")
    time.sleep(0.5)
print("whole")
"""


def test_a_log_gets_lines_and_standard_output_none() -> None:
    done = subprocess.run([sys.executable, "-c", _VERB], capture_output=True, text=True, check=True)
    assert done.stdout == "half\nalone\nwhole\n"
    lines = done.stderr.splitlines()
    assert 1 <= len(lines) <= 2, "a line, and no other within seconds"
    assert re.fullmatch(r"skald x: things [3-7]/8  0\.\ds left", lines[0])


def test_a_terminal_gets_a_line_in_place_that_leaves_no_trace(tmp_path: Path) -> None:
    screen, terminal = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "60"}
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", _VERB], stdout=out, stderr=terminal, env=environment
        )
        os.close(terminal)
        seen = b""
        while True:
            try:
                seen += os.read(screen, 1 << 16)
            except OSError:  # the process closed the terminal
                break
        assert process.wait() == 0
    os.close(screen)
    # What is printed to a file stays whole while a line is shown on the terminal.
    assert (tmp_path / "out").read_text() == "half\nalone\nwhole\n"
    text = seen.decode()
    frames = text.split("\r\x1b[2K")
    assert len(frames) > 3
    assert any(re.search(r"things \d/8", frame) for frame in frames)
    assert frames[-1] == "" and "\n" not in text


def test_short_work_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    before = threading.active_count()
    with shown("x"):
        assert list(tracked([1, 2], "things")) == [1, 2]
    assert capfd.readouterr() == ("", "")
    assert threading.active_count() == before


def test_nobody_shows_the_progress_of_a_library(capfd: pytest.CaptureFixture[str]) -> None:
    threads = threading.active_count()
    with handed_over(), part("work"):
        assert threading.active_count() == threads
        time.sleep(0.3)
    assert capfd.readouterr() == ("", "")


def test_only_the_first_of_several_ranks_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    threads = threading.active_count()
    with shown("x"):
        assert threading.active_count() == threads
    monkeypatch.setenv("RANK", "0")
    with shown("x"):
        assert threading.active_count() == threads + 1


def test_an_error_passes_and_leaves_nothing_behind() -> None:
    with pytest.raises(ZeroDivisionError), shown("x"):
        for _ in tracked([1, 2], "things"):
            raise ZeroDivisionError
    assert progress._ticker is None
    assert progress._parts == []


def test_what_is_left_is_told_by_what_was_done_now() -> None:
    work = Part("answers", total=100, done=60, found=50)
    work.began = 0.0
    assert work.times(10.0) == ["40s left"]
    assert Part("answers", total=100, began=0.0).times(10.0) == ["10s"]
    assert Part("answers", total=100, done=50, found=50, began=0.0).times(5.0) == ["5.0s"]


def test_a_stream_that_fails_does_not_end_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(progress, "QUIET_SECONDS_IN_A_LOG", 0.05)
    monkeypatch.setattr(sys, "stderr", Gone())
    with shown("x"):
        time.sleep(0.5)
