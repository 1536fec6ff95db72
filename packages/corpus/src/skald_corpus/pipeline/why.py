"""What happened to one document, stage by stage: `skald corpus why ID`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from skald_specs.errors import UserInputError
from skald_specs.files import read_by_library
from skald_specs.stages import STAGES

from skald_corpus.pipeline.rows import Part, n_bytes, parts, row_of_line
from skald_corpus.pipeline.run import load_funnel


def why(root: Path, name: str) -> Iterator[str]:
    """Yield one line for each stage that a document came to.

    Args:
        root: Folder of the pipeline.
        name: The document's id, `<source>/<id in the source>`, or where it stood: `file:line`.

    Raises:
        UserInputError: No source has it, or a file of the pipeline is damaged.
    """
    with read_by_library(root, "a file of it is damaged", "Build the corpus again"):
        yield from _stages(root, name)


def _stages(root: Path, name: str) -> Iterator[str]:
    load_funnel(root, "ingest")
    part, row = _found(root, name)
    if row.get("reason"):
        yield f"ingest: left out, {row['reason']}: {row['detail']}"
        return
    size = n_bytes(row["text"])
    yield f"ingest: {row['id']}, {part.language}, {size} bytes, from {row['at']}"
    for stage in STAGES[1:-1]:
        if not load_funnel(root, stage).on:
            continue
        folder = root / stage
        if gone := _row(part.file(folder, "removed"), row["id"]):
            score = "" if gone["score"] is None else f", score {gone['score']:.4g}"
            yield f"{stage}: removed, {gone['reason']}{score}: {gone['detail']}"
            return
        if changed := _row(part.file(folder, "changed"), row["id"]):
            gained = n_bytes(changed["text"]) - size
            size += gained
            yield f"{stage}: changed ({', '.join(changed['changes'])}), {gained:+d} bytes"
        else:
            yield f"{stage}: kept as it was"
    for split in ("train", "validation"):
        if _row(root / "split" / part.language / f"{split}.jsonl", row["id"]):
            yield f"split: {split}"


def _found(root: Path, name: str) -> tuple[Part, dict[str, Any]]:
    """Find a document by its id or place, also one that ingest left out."""
    for part in parts(root):
        for what in ("", "removed"):
            path = part.file(root / "ingest", what)
            for key in ("id", "at"):
                if row := _row(path, name, key):
                    return part, row
    raise UserInputError(
        name, f"no such document in {root}", "Give an id, <source>/<id>, or file:line"
    )


def _row(path: Path, name: str, key: str = "id") -> dict[str, Any] | None:
    """Return the row of a file with a name; only lines that hold it are parsed."""
    wanted = orjson.dumps(name)
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        for line in stream:
            if wanted in line:
                row = row_of_line(line, path)
                if row.get(key) == name:
                    return row
    return None
