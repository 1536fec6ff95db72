"""What a worker elsewhere found, as files: rows, counts and errors come back as they were.

Plain JSON and arrays, so that no file that somebody could have put there runs as code. Knows neither who
works nor where.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from skald_specs.errors import SkaldError, UserInputError
from skald_specs.files import atomic_path, read_by_library, read_json, write_json, write_text
from skald_specs.funnel import FunnelRow

from skald_corpus.decontaminate.scan import Counts

A = TypeVar("A")
_FAILED = "failed"


def carry(function: Callable[[A], object], item: A, folder: Path, rank: int) -> None:
    """Work on one item and write down what came of it, an error included.

    Nothing is done once any item failed: the work of the others would be thrown away.

    Args:
        function: The work.
        item: Its input.
        folder: One for all items.
        rank: The item's number.
    """
    if (folder / _FAILED).exists():
        return
    try:
        _save(function(item), folder, rank)
    except UserInputError as error:
        told = {"where": error.where, "problem": error.problem, "remedy": error.remedy}
        _fail(folder, rank, told)
    except SkaldError as error:
        _fail(folder, rank, {"message": str(error)})
    except Exception:  # the one who waits must learn of a bug, too; the log has the traceback
        write_text(_log_path(folder, rank), traceback.format_exc())
        _fail(folder, rank, {"log": _log_path(folder, rank).name})


def has_result(folder: Path, rank: int) -> bool:
    """Say whether an item came to an end.

    Args:
        folder: One for all items.
        rank: The item's number.
    """
    return _path(folder, rank, "json").is_file()


def failed(folder: Path) -> int | None:
    """Return the number of the first item that failed, None where none did."""
    return int((folder / _FAILED).read_text()) if (folder / _FAILED).is_file() else None


def _log_path(folder: Path, rank: int) -> Path:
    """Return where the traceback of an item stands, if there is one."""
    return _path(folder, rank, "log")


def result(folder: Path, rank: int, name: str) -> object:
    """Return what came of an item.

    Args:
        folder: The folder given to `carry`.
        rank: The item's number.
        name: What to call the item in an error.

    Raises:
        UserInputError: The work raised it, and it is the same as if it had been done here.
        SkaldError: The work failed otherwise.
    """
    path = _path(folder, rank, "json")
    told = read_json(path)
    with read_by_library(path, f"no result of {name}", "Remove its folder and run it again"):
        match told["kind"]:
            case "nothing":
                return None
            case "row":
                return FunnelRow.check(told["row"], name)
            case "counts":
                with np.load(_path(folder, rank, "npz"), allow_pickle=False) as arrays:
                    return Counts(arrays["documents"], bytearray(arrays["flags"].tobytes()))
        error = told["error"]
        if "where" in error:
            raise UserInputError(**error)
        log = folder / error.get("log", "")
        raise SkaldError(error.get("message") or f"{name}: the work on it failed, see {log}")


def _save(found: object, folder: Path, rank: int) -> None:
    match found:
        case None:
            told: dict[str, object] = {"kind": "nothing"}
        case FunnelRow():
            told = {"kind": "row", "row": found.model_dump(mode="json")}
        case Counts():
            told = {"kind": "counts"}
            flags = np.frombuffer(found.flags, dtype=np.uint8)
            with atomic_path(_path(folder, rank, "npz")) as path, path.open("wb") as stream:
                np.savez_compressed(stream, documents=found.documents, flags=flags)
        case _:
            raise TypeError(f"{type(found).__name__} cannot be carried; add it here")
    # Last: this file says that the item is done.
    write_json(_path(folder, rank, "json"), told)


def _fail(folder: Path, rank: int, error: dict[str, str]) -> None:
    write_json(_path(folder, rank, "json"), {"kind": "error", "error": error})
    write_text(folder / _FAILED, str(rank))


def _path(folder: Path, rank: int, suffix: str) -> Path:
    return folder / f"{rank:05d}.{suffix}"
