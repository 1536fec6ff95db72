"""A user's folder of text as documents for lm-eval.

Layout, each file `.jsonl` or `.jsonl.gz`, one object a line; other fields are ignored:

- `pairs/<language>.jsonl`: minimal pairs, `good`, `bad`, `type` (`swap` or `delete`), `source_id`;
- `ntrex/<language>.jsonl`: sentences parallel by `id`, `text`, and `doc` where there is one;
- `ud/<language>/test.jsonl`: held-out text, `text`, and `id` and `doc` where there are some.

What is not there is not asked. Refuses to know Skald: plain lm-eval runs these tasks with nothing else
installed.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import datasets


def load(
    kind: str,
    items: str,
    language: str,
    items_dir: str | None = None,
    select: str | None = None,
    parallel: bool = False,
    **_: Any,
) -> dict[str, datasets.Dataset]:
    """Read one language's items.

    Args:
        kind: `pairs` or `text`.
        items: Path of the file inside the folder, with a place for the language.
        language: BCP-47 tag.
        items_dir: The folder (lm-eval: `--metadata items_dir=DIR`); there is no default.
        select: The type of pair to keep.
        parallel: Keep the ids that all languages of the folder have.
        **_: What else lm-eval passes (model arguments, version).

    Returns:
        The split `test`.

    Raises:
        FileNotFoundError: No folder was named, or it has no such file.
    """
    if not items_dir:
        raise FileNotFoundError("name your folder of text: --metadata items_dir=DIR")
    folder = Path(items_dir).expanduser()
    plain = folder / items.format(language=language)
    path = next((path for path in (plain, _packed(plain)) if path.is_file()), None)
    if path is None:
        raise FileNotFoundError(f"{plain}: no such items")
    rows = _rows(path)
    if kind == "pairs":
        documents = [_pair(row) for _, row in rows if row["type"] == select]
    else:
        shared = _shared_ids(folder, items) if parallel else None
        documents = [_text(*row) for row in rows if shared is None or row[1]["id"] in shared]
    return {"test": datasets.Dataset.from_list(documents)}


def _packed(path: Path) -> Path:
    return path.with_name(path.name + ".gz")


def _read(path: Path) -> str:
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")


def _rows(path: Path) -> list[tuple[int, dict[str, Any]]]:
    # Only newlines end a line: str.splitlines would also split at U+2028 inside a string.
    lines = enumerate(_read(path).split("\n"), start=1)
    return [(number, json.loads(line)) for number, line in lines if line.strip()]


def _shared_ids(folder: Path, items: str) -> frozenset[str]:
    """Return the ids that every language's file has."""
    plain = set(folder.glob(items.format(language="*")))
    packed = {
        path
        for path in folder.glob(items.format(language="*") + ".gz")
        if path.with_suffix("") not in plain
    }
    ids = [{row["id"] for _, row in _rows(path)} for path in sorted(plain | packed)]
    return frozenset(set.intersection(*ids))


def _pair(row: dict[str, Any]) -> dict[str, Any]:
    name = f"{row['type']}/{row['source_id']}"
    # lm-eval takes the first of two equal scores: the good side stands first in half of the items,
    # so that a model which cannot tell them apart comes out at chance.
    second = hashlib.sha256(name.encode()).digest()[0] & 1
    choices = [row["bad"], row["good"]] if second else [row["good"], row["bad"]]
    return {
        "id": name, "key": row["source_id"], "group": row["type"], "context": "",
        "choices": choices, "gold": second,
    }  # fmt: skip


def _text(number: int, row: dict[str, Any]) -> dict[str, Any]:
    # Sentences of one document are no independent evidence: they share its key.
    name = row.get("id") or f"line {number}"
    key = row.get("doc") or name
    return {"id": name, "key": key, "group": name, "context": "", "text": row["text"]}
