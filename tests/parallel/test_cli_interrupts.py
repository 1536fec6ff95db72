"""Ctrl-C in a real process group: a corpus that is being built by workers, and what the proof would notice."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import types
from pathlib import Path

import _faults_verbs as verbs
import pytest
from _faults_verbs import Ended, Verb, faults, made_world, run
from skald_specs.errors import EXIT_DONE, EXIT_RESUMABLE
from skald_specs.stopping import CONTINUE
from support import ROOT

pytestmark = [pytest.mark.parallel, pytest.mark.slow]
CORPUS = Verb("corpus", "corpus build sources.yaml --workers 2")


class Moment(random.Random):
    """Chooses one moment of a run, as a share of it."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def uniform(self, low: float, high: float) -> float:
        return self.share


def test_a_corpus_is_continued_whenever_it_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    world = made_world(tmp_path / "world")
    before = shutil.copytree(world, tmp_path / "before", symlinks=True)
    whole = run(CORPUS.words, world)
    assert whole.code == EXIT_DONE, whole.said
    # About where the workers start; the proof takes moments of chance, and all verbs.
    assert list(faults(CORPUS, before, world, whole, Moment(0.35))) == []


@pytest.mark.parametrize(
    ("stopped", "again", "left", "said"),
    [
        (Ended(EXIT_RESUMABLE, f"skald: interrupted; {CONTINUE}\n", 1), EXIT_DONE, "", []),
        (Ended(-2, "", 1), EXIT_DONE, "", ["code -2"]),
        (Ended(EXIT_RESUMABLE, f"Traceback\n{CONTINUE}\n", 1), EXIT_DONE, "", ["a traceback"]),
        (Ended(EXIT_RESUMABLE, f"{CONTINUE}\nmore\n", 1), EXIT_DONE, "", ["code 75"]),
        (Ended(EXIT_RESUMABLE, f"{CONTINUE}\n", 1), EXIT_DONE, ".half", ["left behind"]),
        (Ended(EXIT_RESUMABLE, f"{CONTINUE}\n", 1), 2, "", ["again"]),
        (Ended(EXIT_RESUMABLE, f"{CONTINUE}\n", 1), EXIT_DONE, "other", ["other bytes"]),
    ],
)
def test_the_proof_notices_what_is_wrong(
    stopped: Ended, again: int, left: str, said: list[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for name in ("trial", "world"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "whole").write_text("bytes")
    ends = iter([stopped, Ended(again, "", 1)])
    monkeypatch.setattr(verbs, "run", lambda *words: next(ends))
    if left:
        (tmp_path / "trial" / left).write_text("x")
        if left == ".half":  # the rerun takes it away
            (tmp_path / "world" / left).write_text("x")
    found = list(
        faults(CORPUS, tmp_path / "trial", tmp_path / "world", Ended(0, "", 1), Moment(0.5))
    )
    assert len(found) == len(said)
    assert all(fault.startswith(start) for fault, start in zip(found, said, strict=True))


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
