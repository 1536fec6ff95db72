"""Ctrl-C in a real process group: a corpus that is being built by workers, and what the proof would notice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import types
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path

import _interrupts_verbs as verbs
import pytest
from _interrupts_verbs import Ended, Verb, faults, run
from _interrupts_world import made_world
from skald_cli.scratch import scratch_of_workers
from skald_process.stopping import CONTINUE
from skald_specs.errors import EXIT_DONE, EXIT_RESUMABLE, InterruptedRunError
from skald_trainer.sweep import resident_workers
from support import ROOT

pytestmark = [pytest.mark.parallel, pytest.mark.slow]
CORPUS = Verb("corpus", "corpus build sources.yaml --workers 2")


def test_a_corpus_is_continued_whenever_it_is_interrupted(tmp_path: Path) -> None:
    world = made_world(tmp_path / "world")
    before = shutil.copytree(world, tmp_path / "before", symlinks=True)
    whole = run(CORPUS, world)
    assert whole.code == EXIT_DONE, whole.said
    # About where the workers start; the proof takes moments of chance, and all verbs.
    assert faults(CORPUS, before, world, whole, 0.35 * whole.seconds) == []


@pytest.mark.parametrize(
    ("stopped", "again", "left", "said"),
    [
        (Ended(EXIT_RESUMABLE, f"skald: interrupted; {CONTINUE}\n", 1), EXIT_DONE, "", []),
        (Ended(EXIT_DONE, "all done\n", 0.25), EXIT_DONE, "", None),
        (Ended(-2, "", 1), EXIT_DONE, "", ["code -2"]),
        (Ended(-2, f"{CONTINUE}\n", 1), EXIT_DONE, "", ["code -2"]),
        (Ended(EXIT_RESUMABLE, f"{CONTINUE}\n{CONTINUE}\n", 1), EXIT_DONE, "", ["code 75"]),
        (Ended(EXIT_RESUMABLE, f"{CONTINUE}\n", 1, ("tmp1",)), EXIT_DONE, "", ["left behind"]),
        (Ended(EXIT_RESUMABLE, f"Traceback\n{CONTINUE}\n", 1), EXIT_DONE, "", ["a traceback"]),
        (Ended(EXIT_RESUMABLE, f"{CONTINUE}\nmore\n", 1), EXIT_DONE, "", ["code 75"]),
        (Ended(EXIT_RESUMABLE, f"{CONTINUE}\n", 1), EXIT_DONE, ".half", ["left behind"]),
        (Ended(EXIT_RESUMABLE, f"{CONTINUE}\n", 1), 2, "", ["again"]),
        (Ended(EXIT_RESUMABLE, f"{CONTINUE}\n", 1), EXIT_DONE, "other", ["other bytes"]),
    ],
)
def test_the_proof_notices_what_is_wrong(
    stopped: Ended, again: int, left: str, said: list[str] | None, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for name in ("trial", "world"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "whole").write_text("bytes")
    ends = iter([stopped, Ended(again, "", 1)])
    monkeypatch.setattr(verbs, "run", lambda *given, **settings: next(ends))
    if left:
        (tmp_path / "trial" / left).write_text("x")
        if left == ".half":  # the rerun takes it away
            (tmp_path / "world" / left).write_text("x")
    found = faults(CORPUS, tmp_path / "trial", tmp_path / "world", Ended(0, "", 1), 0.5)
    if said is None:
        assert found == 0.25
        return
    assert isinstance(found, list) and len(found) == len(said)
    assert all(fault.startswith(start) for fault, start in zip(found, said, strict=True))


def test_a_verb_that_is_done_sooner_is_interrupted_sooner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The undisturbed run took ten seconds on a busy machine; all others take one."""
    waits = []

    def run_in_a_second(verb, folder, after_seconds=None, patience_seconds=0.0):
        if patience_seconds == verbs._PATIENCE_UNDISTURBED_SECONDS:
            return Ended(EXIT_DONE, "", 10.0)
        waits.append(after_seconds)
        in_time = after_seconds is not None and after_seconds < 1
        return Ended(EXIT_RESUMABLE, f"{CONTINUE}\n", 1.0) if in_time else Ended(EXIT_DONE, "", 1.0)

    monkeypatch.setattr(verbs, "run", run_in_a_second)
    (tmp_path / "world").mkdir()
    found = verbs.measured(CORPUS, tmp_path / "world", tmp_path)
    assert found.holds, found.detail
    assert len([wait for wait in waits if wait is not None and wait >= 1]) <= 2


def test_an_error_that_an_import_makes_of_an_interrupt_is_still_an_interrupt() -> None:
    code = """
import os, signal, sys
from skald_cli import doctor
from skald_cli.main import main

def run(args):
    try:
        os.kill(os.getpid(), signal.SIGINT)
        signal.pause()
    except KeyboardInterrupt:
        raise ImportError("half imported")

doctor.run_doctor = run
sys.exit(main(["doctor"]))
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr.count("\n")) == (EXIT_RESUMABLE, 1)


@pytest.mark.parametrize(
    ("moment", "code"),
    [
        # `namedtuple` evaluates a text; a Ctrl-C in it is what `python -m` would die of in the end.
        ("def run(args): eval('os.kill(os.getpid(), signal.SIGINT) or signal.pause()')", 75),
        # Python's own end, once everything is written.
        ("def run(args): atexit.register(os.kill, os.getpid(), signal.SIGINT); return 0", 0),
    ],
)
def test_python_itself_does_not_change_the_exit_code(
    moment: str, code: int, tmp_path: Path
) -> None:
    (tmp_path / "planted.py").write_text(
        f"import atexit, os, signal, sys\nfrom skald_cli import doctor, main\n{moment}\n"
        "doctor.run_doctor = run\nsys.argv[1:] = ['doctor']\nsys.exit(main.main())\n"
    )
    ended = subprocess.run(
        [sys.executable, "-m", "planted"], cwd=tmp_path, capture_output=True, check=False
    )
    assert ended.returncode == code, ended.stderr


def test_what_workers_leave_in_the_temporary_folder_goes_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    killed = "import os, tempfile; tempfile.mkdtemp(); os.kill(os.getpid(), 9)"
    with suppress(KeyboardInterrupt), scratch_of_workers():
        subprocess.run([sys.executable, "-c", killed], check=False)
        assert len(list(tmp_path.glob("*/*"))) == 1
        raise KeyboardInterrupt
    assert os.environ["TMPDIR"] == str(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_sweep_whose_worker_is_killed_can_be_continued() -> None:
    with pytest.raises(InterruptedRunError, match=CONTINUE), resident_workers(1):
        raise BrokenProcessPool


class FakeSession:
    """What `run` of noxfile.py asks of a session."""

    cache_dir, name = "/tmp/.nox/.cache", "cycle"

    def run(self, *words: str, **settings: object) -> None:
        assert settings["interrupt_timeout"] is None
        raise KeyboardInterrupt


def test_under_nox_the_last_word_is_ours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # nox is no part of the environment; of it the file needs but names.
    nox = types.ModuleType("nox")
    nox.options = types.SimpleNamespace()
    nox.project = types.SimpleNamespace(load_toml=lambda path: {})
    nox.session = lambda *a, **k: a[0] if a else lambda function: function
    monkeypatch.setitem(sys.modules, "nox", nox)
    names: dict[str, object] = {"__file__": str(ROOT / "noxfile.py"), "__name__": "noxfile"}
    exec(compile((ROOT / "noxfile.py").read_text(), "noxfile.py", "exec"), names)
    with pytest.raises(SystemExit) as stopped:
        names["run"](FakeSession(), "dvc", "repro")
    assert stopped.value.code == EXIT_RESUMABLE
    assert capsys.readouterr().err == f"nox -s cycle: interrupted; {CONTINUE}\n"
