"""Items of the core suite as documents for lm-eval.

Knows where the items lie and which columns the templates name. Refuses to know Skald: plain
lm-eval runs these tasks with nothing else installed.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets

#: `<repository>/data/items`, found from this file so that the working directory does not matter.
ITEMS = Path(__file__).resolve().parents[2] / "data" / "items"


def load(
    kind: str, items: str, language: str, items_dir: str | None = None, **_: Any
) -> dict[str, datasets.Dataset]:
    """Read one language's items.

    Args:
        kind: A key of `_DOCUMENT`.
        items: Path of the file inside the items folder, with a place for the language.
        language: BCP-47 tag.
        items_dir: The items folder (lm-eval: `--metadata items_dir=DIR`); data/items by default.
        **_: What else lm-eval passes (model arguments, version).

    Returns:
        The split `test`.

    Raises:
        FileNotFoundError: The folder has no such items.
    """
    path = Path(items_dir or ITEMS).expanduser() / items.format(language=language)
    packed = path.with_name(path.name + ".gz")
    if path.is_file():
        text = path.read_text(encoding="utf-8")
    elif packed.is_file():
        text = gzip.decompress(packed.read_bytes()).decode("utf-8")
    else:
        raise FileNotFoundError(
            f"{path}: no such items; run `skald corpus generate` or pass items_dir"
        )
    # Only newlines end a line: str.splitlines would also split at U+2028 inside a string.
    rows = [json.loads(line) for line in text.split("\n") if line.strip()]
    return {"test": datasets.Dataset.from_list([_DOCUMENT[kind](row) for row in rows])}


def _pair(row: dict[str, Any]) -> dict[str, Any]:
    # lm-eval takes the first of two equal scores: the good side stands first in half of the items,
    # so that a model which cannot tell them apart comes out at chance.
    second = hashlib.sha256(row["id"].encode()).digest()[0] & 1
    choices = [row["bad"], row["good"]] if second else [row["good"], row["bad"]]
    return {
        "id": row["id"], "key": row["key"], "group": row["phenomenon"], "context": "",
        "choices": choices, "gold": second,
    }  # fmt: skip


def _cloze(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"], "key": row["key"], "group": "cloze", "context": row["context"],
        "choices": row["choices"], "gold": row["answer"],
    }  # fmt: skip


def _fact(row: dict[str, Any]) -> dict[str, Any]:
    # Whole lines without a context, so that the end-of-text token stands before them as in training
    # text; what the choices share decides nothing. A key begins with its family: "code DK".
    lines = [row["context"] + choice for choice in row["choices"]]
    return _cloze(row) | {"context": "", "choices": lines, "group": row["key"].split()[0]}


def _keyed(row: dict[str, Any]) -> dict[str, Any]:
    # A key begins with what is asked: "month 3", "recall_8 0".
    return _cloze(row) | {"group": row["key"].split()[0]}


def _text(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"], "key": row["key"], "group": row["id"], "context": "", "text": row["text"],
    }  # fmt: skip


_DOCUMENT: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "pairs": _pair,
    "cloze": _cloze,
    "text": _text,
    "transfer": _fact,
    "skill": _fact,
    "canary": _fact,
    "number": _pair,
    "calendar": _keyed,
    "copy": _keyed,
}
