"""A user's folder of minimal pairs as documents for lm-eval.

Layout: `<folder>/<language>.jsonl` or `.jsonl.gz`, one object a line with `good`, `bad`, `type`
(`swap` or `delete`) and `source_id`; other fields are ignored. Refuses to know Skald: plain lm-eval
runs these tasks with nothing else installed.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import datasets


def load(
    items: str, language: str, select: str, items_dir: str | None = None, **_: Any
) -> dict[str, datasets.Dataset]:
    """Read one language's pairs of one type.

    Args:
        items: Path of the file inside the folder, with a place for the language.
        language: BCP-47 tag.
        select: The type of pair to keep.
        items_dir: The folder (lm-eval: `--metadata items_dir=DIR`); there is no default.
        **_: What else lm-eval passes (model arguments, kind, version).

    Returns:
        The split `test`.

    Raises:
        FileNotFoundError: No folder was named, or it has no such pairs.
    """
    if not items_dir:
        raise FileNotFoundError("name your folder of pairs: --metadata items_dir=DIR")
    path = Path(items_dir).expanduser() / items.format(language=language)
    packed = path.with_name(path.name + ".gz")
    if path.is_file():
        text = path.read_text(encoding="utf-8")
    elif packed.is_file():
        text = gzip.decompress(packed.read_bytes()).decode("utf-8")
    else:
        raise FileNotFoundError(f"{path}: no such pairs")
    # Only newlines end a line: str.splitlines would also split at U+2028 inside a string.
    rows = [json.loads(line) for line in text.split("\n") if line.strip()]
    documents = [_document(row) for row in rows if row["type"] == select]
    return {"test": datasets.Dataset.from_list(documents)}


def _document(row: dict[str, Any]) -> dict[str, Any]:
    name = f"{row['type']}/{row['source_id']}"
    # lm-eval takes the first of two equal scores: the good side stands first in half of the items,
    # so that a model which cannot tell them apart comes out at chance.
    second = hashlib.sha256(name.encode()).digest()[0] & 1
    choices = [row["bad"], row["good"]] if second else [row["good"], row["bad"]]
    return {
        "id": name, "key": row["source_id"], "group": row["type"], "context": "",
        "choices": choices, "gold": second,
    }  # fmt: skip
