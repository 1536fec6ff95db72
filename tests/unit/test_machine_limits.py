"""What a machine refuses is one line and the exit code of the contract, whoever met it first."""

from __future__ import annotations

import errno
import os
import pickle
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from skald_cli import main as command
from skald_process.locks import LockedError, held
from skald_process.recording import recorded
from skald_specs.errors import EXIT_RESUMABLE, EXIT_USER_INPUT, UserInputError
from skald_specs.files import (
    DiskError,
    atomic_folder,
    disk_error,
    inside,
    lack_of_machine,
    write_text,
)
from skald_trainer.folder import RunFolder


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "x", "/out/a"), "/out/a: the disk is full. Free some space"),
        (OSError(errno.EDQUOT, "x", "/out/a"), "/out/a: the disk is full"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "the disk is full"),
        (OSError(errno.EMFILE, "x"), "Raise `ulimit -n`"),
        (RuntimeError("can't start new thread"), "Raise `ulimit -u`"),
        (RuntimeError("Resource temporarily unavailable"), "Raise `ulimit -u`"),
        (BlockingIOError(errno.EAGAIN, "x"), "Raise `ulimit -u`"),
        (PermissionError(errno.EACCES, "x", "/root/a"), "/root/a: permission denied"),
        (OSError(errno.EROFS, "x", "/usr/a"), "/usr/a: read-only file system"),
    ],
)
def test_a_refusal_of_the_system_is_one_line(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lack = lack_of_machine(error)
    assert lack is not None and said in str(lack) and "\n" not in str(lack)

    def raises(*_: object) -> int:
        raise error

    monkeypatch.setattr("skald_cli.doctor.run_doctor", raises)
    assert command.main(["doctor"]) == EXIT_USER_INPUT
    assert capsys.readouterr().err == f"skald: {lack}\n"


@pytest.mark.parametrize(
    "error",
    [ValueError("x"), RuntimeError("shapes differ"), OSError(errno.EIO, "x", "/a"), KeyError("a")],
)
def test_a_bug_keeps_its_traceback(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lack_of_machine(error) is None

    def raises(*_: object) -> int:
        raise error

    monkeypatch.setattr("skald_cli.doctor.run_doctor", raises)
    with pytest.raises(type(error)):
        command.main(["doctor"])


def test_an_error_of_the_disk_is_told_from_other_input_even_across_processes() -> None:
    error = disk_error(Path("/a"), OSError(errno.ENOSPC, "x"))
    assert type(pickle.loads(pickle.dumps(error))) is DiskError


@pytest.mark.parametrize("name", ["", ".", "..", "../a", "a/b", "/etc/passwd", "a\0b"])
def test_a_name_that_leads_out_of_its_folder_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="no name of a file"):
        inside(tmp_path, name)
    assert inside(tmp_path, "a b.ø") == tmp_path / "a b.ø"


@pytest.mark.parametrize(
    ("umask", "file", "folder"), [(0o077, 0o600, 0o700), (0o022, 0o644, 0o755)]
)
def test_what_is_written_is_as_private_as_the_umask_says(
    umask: int, file: int, folder: int, tmp_path: Path
) -> None:
    before = os.umask(umask)
    try:
        write_text(tmp_path / "a", "x")
        with atomic_folder(tmp_path / "b", marker="m") as made:
            write_text(made / "m", "x")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "b", "b/m")]
    assert modes == [file, folder, file]


def test_a_run_folder_has_one_writer_and_is_free_when_that_one_has_ended(tmp_path: Path) -> None:
    run, other = RunFolder(tmp_path / "run"), RunFolder(tmp_path / "other")
    with held(run.lock, run.refusal):
        with (
            pytest.raises(
                LockedError, match="Run the same command again when it has ended"
            ) as caught,
            held(run.lock, run.refusal),
        ):
            pass
        assert caught.value.exit_code == EXIT_RESUMABLE
        with held(other.lock, other.refusal):
            pass
    with held(run.lock, run.refusal):
        pass


def test_what_is_done_is_done_where_no_record_can_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with recorded("train", "tiny"):
        pass
    assert "no record of this" in capsys.readouterr().err and not list(tmp_path.iterdir())
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    with recorded("train", "tiny"):
        pass
    assert list(tmp_path.rglob("train-tiny.json"))


def ran(*around: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    code = "from skald_cli.main import main; import sys; sys.exit(main())"
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG", "PYTHONUTF8"))}
    return subprocess.run(
        [*around, sys.executable, "-c", code, "plan", "show", "ø.yaml"],
        env=kept | variables, capture_output=True, check=False,
    )  # fmt: skip


def test_a_missing_locale_and_ascii_streams_are_no_traceback() -> None:
    odd = {
        "LC_ALL": "xx_YY",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONIOENCODING": "ascii",
    }
    done = ran(**odd)
    assert done.returncode == EXIT_USER_INPUT
    assert done.stderr.startswith(b"skald: \\xf8.yaml: no such file")


def test_closed_streams_are_no_traceback_and_take_no_file_s_place() -> None:
    done = ran("sh", "-c", 'exec "$@" >&-', "sh")
    assert done.returncode == EXIT_USER_INPUT and done.stderr.startswith("skald: ø.yaml".encode())
    assert ran("sh", "-c", 'exec "$@" 2>&-', "sh").returncode == EXIT_USER_INPUT
    assert ran("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh").returncode == EXIT_USER_INPUT
