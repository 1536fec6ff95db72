"""Compare data/ with what data.dvc pins, without trusting DVC to notice.

`dvc repro` re-pins changed data in silence; a check before it makes a difference loud.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from skald_specs.errors import UserInputError
from skald_specs.files import read_json, read_yaml

#: What DVC writes of a folder; it becomes a path in DVC's cache.
_FOLDER_MD5 = re.compile(r"[0-9a-f]{32}\.dir")


def file_md5s(folder: Path) -> dict[str, str]:
    """Return the MD5 of every file below a folder, by POSIX path, in DVC's order."""
    found: dict[str, str] = {}
    paths = [path for path in folder.rglob("*") if path.is_file()]
    for name in sorted(path.relative_to(folder).as_posix() for path in paths):
        with (folder / name).open("rb") as stream:
            digest = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False))
        found[name] = digest.hexdigest()
    return found


def directory_md5(folder: Path) -> str:
    """Return DVC's hash of a directory.

    Source: DVC 3 hashes the JSON list of file hashes and POSIX paths, sorted by path as a string.
    Standing: measured (a test compares with DVC's own).
    """
    rows = [{"md5": md5, "relpath": path} for path, md5 in file_md5s(folder).items()]
    text = json.dumps(rows, sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() + ".dir"


def verify(folder: Path, pin: Path) -> None:
    """Check a data folder against its pin.

    Args:
        folder: The data, such as `data`.
        pin: The DVC file, such as `data.dvc`.

    Raises:
        UserInputError: The folder is missing or differs from the pin. The file that differs is
            named when DVC's cache beside the pin holds the pinned list; the pin itself has only
            the number of files and bytes.
    """
    remedy = f"Remove {folder}/ and run `nox -s data`, or pin it on purpose with `dvc add {folder}`"
    if not folder.is_dir():
        raise UserInputError(str(folder), "no such folder", "Run `nox -s data` to make it")
    content = read_yaml(pin)
    outs = content.get("outs") if isinstance(content, dict) else None
    first_out = outs[0] if isinstance(outs, list) and outs else None
    if not (isinstance(first_out, dict) and _FOLDER_MD5.fullmatch(str(first_out.get("md5")))):
        raise UserInputError(str(pin), "pins no folder", "Restore it with `git checkout`")
    pinned = first_out
    if directory_md5(folder) == pinned["md5"]:
        return
    found = file_md5s(folder)
    size = sum((folder / path).stat().st_size for path in found)
    counted = (
        f"{len(found)} files and {size} bytes where {pinned.get('nfiles', '?')} and "
        f"{pinned.get('size', '?')} are pinned"
    )
    name = pinned["md5"]
    listing = pin.parent / ".dvc" / "cache" / "files" / "md5" / name[:2] / name[2:]
    first = _first_difference(found, listing) if listing.is_file() else ""
    raise UserInputError(str(folder), f"differs from {pin}: {first}{counted}", remedy)


def _first_difference(found: dict[str, str], listing: Path) -> str:
    # DVC's list of the pinned files, the same JSON that its directory hash is taken of.
    pinned = {str(row["relpath"]): str(row["md5"]) for row in read_json(listing)}
    for path in sorted(found.keys() | pinned.keys()):
        if path not in found:
            return f"{path} is missing; "
        if path not in pinned:
            return f"{path} is not pinned; "
        if found[path] != pinned[path]:
            return f"{path} was changed; "
    return ""
