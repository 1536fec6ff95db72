"""Reading and writing files so that nothing is ever half-written.

Every writer goes through a temporary name in the same folder, an fsync and a rename; a full disk
or a kill leaves the old file, or none.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from skald_specs.errors import SkaldError, UserInputError
from skald_specs.packed import read_packed
from skald_specs.plain import parse_json, parse_yaml

#: So much of a name that is too long is shown.
_SHOWN_OF_A_NAME = 60
#: What tells temporary names apart: so many random bytes, and the pattern of their hex digits.
_N_BYTES = 8
_HEX = "[0-9a-f]" * 2 * _N_BYTES


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it onto `path` when the block succeeds.

    Args:
        path: Final file. Its folder is made if it is missing.

    Yields:
        The temporary path to write to.

    Raises:
        UserInputError: The disk is full or the folder cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _beside(path)
        temporary.touch(exist_ok=False)
    except OSError as error:
        raise disk_error(path, error) from error
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        raise disk_error(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path, marker: str) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; swap it in for `path` when the block succeeds.

    A swap takes two renames. What a kill between them leaves beside the path, as `.NAME.*.old`, is put
    back by the next call for the same path.

    Args:
        path: Final folder; an existing one of the same kind is replaced as a whole.
        marker: A file that every folder of this kind holds. A folder with other content and
            without it is somebody's own, and is never replaced.

    Yields:
        The temporary folder to write into.

    Raises:
        UserInputError: The path is taken by something else, the disk is full, or the folder cannot
            be written to.
    """
    require_own(path, marker)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in path.parent.glob(f".{glob.escape(path.name)}.{_HEX}.old"):
            _settle(path, left)
        temporary = _beside(path)
        retired = temporary.with_name(temporary.name + ".old")
        temporary.mkdir()
    except OSError as error:
        raise disk_error(path, error) from error
    try:
        yield temporary
        for file in sorted(p for p in temporary.rglob("*") if p.is_file()):
            with file.open("rb") as stream:
                os.fsync(stream.fileno())
        _sync_folder(temporary)
        if path.exists():
            path.replace(retired)
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise disk_error(path, error) from error
    finally:
        _settle(path, retired)
        shutil.rmtree(temporary, ignore_errors=True)


def _settle(path: Path, retired: Path) -> None:
    """End a swap: what was retired comes back where nothing took its place, and goes where it did."""
    if not path.exists() and retired.exists():
        retired.replace(path)
    elif retired.is_symlink():
        retired.unlink()
    else:
        shutil.rmtree(retired, ignore_errors=True)


def _beside(path: Path) -> Path:
    """Return a new name beside a path. What is made there has the modes that the user's umask leaves."""
    return path.with_name(f".{path.name}.{secrets.token_hex(_N_BYTES)}")


def require_own(path: Path, marker: str) -> None:
    """Refuse a folder that is not to be replaced, before the work that would fill it.

    Args:
        path: The folder; it may be missing.
        marker: A file that every folder of this kind holds.

    Raises:
        UserInputError: The path is a file, or a folder of other content.
    """
    if path.exists() and not path.is_dir():
        raise UserInputError(str(path), "is a file, not a folder", "Choose another output folder")
    if path.is_dir() and any(path.iterdir()) and not (path / marker).is_file():
        raise UserInputError(
            str(path),
            f"holds other files (no {marker} among them) and is not replaced",
            "Choose an empty or new output folder",
        )


def inside(folder: Path, name: str) -> Path:
    """Return a file of a folder by a name that somebody chose.

    Args:
        folder: Where the file is to lie; it need not exist.
        name: One part of a path, by its user or by a file that was read: any text at all.

    Raises:
        UserInputError: The name is none of a file, or leads out of the folder.
    """
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise UserInputError(
            str(folder), f"{name!r} is no name of a file in it", "Give it a name without slashes"
        )
    return folder / name


def _sync_folder(path: Path) -> None:
    """Have a folder's entries on the disk: a rename is safe from a power cut only then."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class DiskError(UserInputError):
    """What is to be written cannot be: no fault of what is written."""


def disk_error(path: Path, error: OSError) -> DiskError:
    """Turn what the system says of a path that is written to into one line.

    Args:
        path: What could not be written, as the user should see it.
        error: What writing it raised; its `errno` decides the words.
    """
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskError(
            str(path), "the disk is full", "Free some space and run the same command again"
        )
    if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        return DiskError(str(path), "cannot be written to", "Choose a writable output folder")
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return DiskError(
            str(path), "a file is in the way of a folder", "Choose another output folder"
        )
    return DiskError(str(path), f"cannot be written ({error.strerror})", "Check the path")


#: What Python and torch say where the system starts no thread for them.
_NO_MORE_PROCESSES = ("can't start new thread", "Resource temporarily unavailable")


def lack_of_machine(error: BaseException) -> UserInputError | None:
    """Put into one line what no writer above met: the system refused, whoever asked.

    Args:
        error: Of Python, or of a library that only its text tells.

    Returns:
        The line; None where it is a fault of ours.
    """
    number = error.errno if isinstance(error, OSError) else None
    text = str(error)
    name = getattr(error, "filename", None)
    if number in (errno.ENOSPC, errno.EDQUOT) or "No space left on device" in text:
        return disk_error(Path(name or tempfile.gettempdir()), OSError(errno.ENOSPC, ""))
    if number in (errno.EMFILE, errno.ENFILE) or "Too many open files" in text:
        return UserInputError(
            "open files", "this machine lets a program open no more", "Raise `ulimit -n`"
        )
    if number == errno.EAGAIN or any(said in text for said in _NO_MORE_PROCESSES):
        return UserInputError(
            "processes", "this machine lets you start no more", "Raise `ulimit -u`, or end some"
        )
    if number == errno.ENAMETOOLONG:
        shown = f"{str(name)[:_SHOWN_OF_A_NAME]}..."
        return UserInputError(shown, "no system takes so long a name", "Use a shorter one")
    if number in (errno.EACCES, errno.EPERM, errno.EROFS) and name is not None:
        problem = os.strerror(number).lower()
        return UserInputError(str(name), problem, "Choose a folder that you may read and write")
    return None


@contextmanager
def read_by_library(path: Path, problem: str, remedy: str) -> Iterator[None]:
    """Say in one line that a library cannot read a file, whatever it raises.

    Libraries raise what the layers below them happen to: for a damaged file, errors of six modules, and
    those in Rust may panic, which is no `Exception`.

    Args:
        path: The file or folder.
        problem: What it then is, such as `no tokenizer`; what the library said follows.
        remedy: What to do.

    Raises:
        UserInputError: The block raised anything but an error of ours or an interrupt.
    """
    try:
        yield
    except SkaldError:
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserInputError(str(path), f"{problem} ({said})", remedy) from None


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically, with newline line ends on every system.

    Args:
        path: The file; its folder is made, and what stood there before is replaced.
        text: The whole content.

    Raises:
        DiskError: It cannot be written; what stood there before is whole.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON with sorted keys atomically (same value, same bytes).

    Args:
        path: See `write_text`.
        value: What JSON can hold; NaN, which it cannot, is not refused.
    """
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def write_jsonl(path: Path, rows: Iterable[Any]) -> None:
    """Write one compact JSON value a line, atomically.

    Args:
        path: See `write_text`.
        rows: The values in the file's order; read once, and never held all at once.
    """
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as out:
        for row in rows:
            out.write(json.dumps(row, sort_keys=True, ensure_ascii=False) + "\n")


def write_yaml(path: Path, value: Any) -> None:
    """Write YAML in the given key order, atomically.

    Args:
        path: See `write_text`.
        value: What YAML's safe subset holds: no objects of Python's.
    """
    write_text(path, yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100))


def read_text(path: Path) -> str:
    """Read a UTF-8 text file; one whose name ends in `.gz` is unpacked.

    Raises:
        UserInputError: The file is missing, a damaged gzip, or not UTF-8 (with the byte offset).
    """
    try:
        return read_packed(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserInputError(
            str(path),
            f"not UTF-8: byte 0x{error.object[error.start]:02x} at offset {error.start}",
            "Convert it, for example with `iconv -f LATIN1 -t UTF-8`",
        ) from None


def read_json(path: Path) -> Any:
    """Read a JSON file; a syntax error names the line."""
    return parse_json(read_text(path), str(path))


def read_jsonl(path: Path) -> Iterator[Any]:
    """Yield the JSON values of a file with one a line; a bad line is named."""
    return (value for _, value in read_rows(path))


def read_rows(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield each line's place, `file:line`, with its JSON value, as `read_jsonl` does."""
    # Not splitlines(): it also cuts at U+2028 and U+0085, which JSON strings may hold.
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            yield f"{path}:{number}", parse_json(line, str(path), number)


def read_yaml(path: Path) -> Any:
    """Read a YAML file with the safe loader; a syntax error names the line."""
    return parse_yaml(read_text(path), str(path))


def sha256_file(path: Path) -> str:
    """Return the hex SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
