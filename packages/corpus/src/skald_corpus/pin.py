"""Compare data/ with what data.dvc pins, without trusting DVC to notice.

`dvc repro` re-pins changed data in silence; a check before it makes a difference loud.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from skald_specs.errors import UserInputError
from skald_specs.files import read_yaml


def directory_md5(folder: Path) -> str:
    """Return DVC's hash of a directory.

    Source: DVC 3 hashes the JSON list of file hashes and POSIX paths, sorted by path parts.
    Standing: measured (a test compares with `dvc add`).
    """
    rows = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False))
        rows.append({"md5": digest.hexdigest(), "relpath": path.relative_to(folder).as_posix()})
    rows.sort(key=lambda row: tuple(row["relpath"].split("/")))
    text = json.dumps(rows, sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() + ".dir"


def verify(folder: Path, pin: Path) -> None:
    """Check a data folder against its pin.

    Args:
        folder: The data, such as `data`.
        pin: The DVC file, such as `data.dvc`.

    Raises:
        UserInputError: The folder differs from the pin, with what is known of the difference.
    """
    expected = read_yaml(pin)["outs"][0]
    found = directory_md5(folder)
    if found == expected["md5"]:
        return
    files = [p for p in folder.rglob("*") if p.is_file()]
    size = sum(p.stat().st_size for p in files)
    newest = max(files, key=lambda p: p.stat().st_mtime_ns, default=folder)
    raise UserInputError(
        str(folder),
        f"differs from {pin}: {len(files)} files and {size} bytes, pinned are "
        f"{expected.get('nfiles', '?')} and {expected.get('size', '?')}; last changed {newest}",
        f"Remove {folder}/ and run `nox -s data` to rebuild it, or pin your own with `dvc add`",
    )
