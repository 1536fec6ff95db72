"""A run in a real terminal: one line in place, Ctrl-C, and a terminal as it was."""

from __future__ import annotations

import os
import pty
import re
import select
import sys
import termios
import time
from pathlib import Path

import pytest
from skald_specs.errors import EXIT_RESUMABLE
from support_trainer import tiny_corpus, tiny_plan

pytestmark = [pytest.mark.parallel, pytest.mark.slow]

#: What a frame of the steps holds, and none of those that tell of imports on a busy machine.
_CTRL_C, _OF_STEPS = b"\x03", b" left"
_FRAMES_BEFORE, _SECONDS, _COLUMNS = 3, 120, 80


def _interrupted_in_terminal(command: list[str]) -> tuple[int, str, bool]:
    """Run a command in a terminal of its own and press Ctrl-C after some frames.

    Returns:
        Its exit code, what the screen was sent, and whether the terminal's modes are as before.
    """
    environment = {
        k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE", "COLUMNS")
    }
    process, terminal = pty.fork()
    if process == 0:
        # Before the first line of the program, so that no frame is drawn at another width.
        termios.tcsetwinsize(0, (24, _COLUMNS))
        given = {"OMP_NUM_THREADS": "1", "TERM": "xterm-256color"}
        os.execve(command[0], command, environment | given)
    modes, seen, pressed = termios.tcgetattr(terminal), b"", False
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        ready, _, _ = select.select([terminal], [], [], 0.2)
        try:
            more = os.read(terminal, 1 << 16) if ready else None
        except OSError:  # the last process closed the terminal
            break
        seen += more or b""
        if not pressed and seen.count(_OF_STEPS) >= _FRAMES_BEFORE:
            os.write(terminal, _CTRL_C)
            pressed = True
    as_before = termios.tcgetattr(terminal) == modes
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), seen.decode(), as_before


@pytest.mark.parametrize("layout", [{}, {"dp": 2}], ids=["one", "dp2"])
def test_ctrl_c_saves_and_leaves_the_terminal_sane(tmp_path: Path, layout: dict[str, int]) -> None:
    manifest = tiny_corpus(tmp_path / "corpus")
    plan = tiny_plan(
        manifest,
        n_steps=100_000,
        checkpoint_every_steps=50_000,
        validate_every_steps=50_000,
        **layout,
    )
    plan.save(tmp_path / "plan.yaml")
    code, seen, as_before = _interrupted_in_terminal(
        [sys.executable, "-m", "skald_cli.main", "train", str(tmp_path / "plan.yaml"),
         "--corpus", str(tmp_path / "corpus"), "--out", str(tmp_path / "runs")]
    )  # fmt: skip
    assert code == EXIT_RESUMABLE, seen
    assert as_before
    assert "\x1b[?25l" not in seen, "the cursor is hidden"
    assert "Traceback" not in seen
    told = [re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", line) for line in re.split(r"[\r\n]+", seen)]
    assert max(len(line) for line in told if " left" in line) <= _COLUMNS
    last = [line for line in told if line]
    assert re.search(r"^tiny: step \d+/100000  loss .* took ", last[-2]), last
    assert "stopped by SIGINT" in last[-1]
    assert seen.endswith("\n")
    assert sum("took" in line for line in last) == 1, "only one rank shows the run"
