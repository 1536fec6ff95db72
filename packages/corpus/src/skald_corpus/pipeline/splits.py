"""The last stage: what is left becomes training and validation text, by key.

`<root>/split/<language>/{train,validation}.jsonl` is the layout that a recipe's source has.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import orjson
from skald_specs.errors import UserInputError
from skald_specs.funnel import Amount, FunnelRow
from skald_specs.stages import STAGES

from skald_corpus.keyed import fraction
from skald_corpus.pipeline.rows import Part, Row, n_bytes, read_part


def split(
    root: Path, parts: Sequence[Part], validation_fraction: float, out: Path
) -> tuple[list[FunnelRow], dict[int, int]]:
    """Write the text of one language.

    Args:
        root: Folder of the pipeline.
        parts: All parts of the language.
        validation_fraction: Probability that a key goes to validation.
        out: The stage's folder; `<out>/<language>/` is written to.

    Returns:
        A row a part, and how many documents have 2^n to 2^(n+1) - 1 bytes, by n.

    Raises:
        UserInputError: Nothing is left, or nothing for one of the two splits.
    """
    language = parts[0].language
    lowest = min((fraction(_key(row)) for part in parts for row in _rows(root, part)), default=None)
    if lowest is None:
        raise UserInputError(
            f"language {language}", "no text is left", "See its funnel, and loosen what removed it"
        )
    # Where chance leaves no key for validation, the one with the lowest hash goes.
    below = max(validation_fraction, lowest * (1 + 1e-12) + 1e-15)
    lengths: Counter[int] = Counter()
    found: list[FunnelRow] = []
    n = Counter[str]()
    with ExitStack() as files:
        folder = out / language
        folder.mkdir(parents=True, exist_ok=True)
        streams = {
            name: files.enter_context((folder / f"{name}.jsonl").open("wb"))
            for name in ("train", "validation")
        }
        for part in parts:
            kept = Amount()
            for row in _rows(root, part):
                key = _key(row)
                name = "validation" if fraction(key) < below else "train"
                size = n_bytes(row.text)
                lengths[size.bit_length() - 1] += 1
                n[name] += 1
                kept = Amount.model_construct(documents=kept.documents + 1, bytes=kept.bytes + size)
                fields = {"id": row.id, "text": row.text, "key": key}
                streams[name].write(orjson.dumps(fields) + b"\n")
            found.append(
                FunnelRow(language=language, source=part.source, read=kept, kept=kept, removed={})
            )
    if not n["train"]:
        raise UserInputError(
            f"language {language}",
            f"{n['validation']} documents of one key leave no training text",
            f"Add {language} text, or name another column under fields.key (id parts every document)",
        )
    return found, dict(sorted(lengths.items()))


def _rows(root: Path, part: Part) -> Iterator[Row]:
    return read_part(root, part, STAGES[1:-1])


def _key(row: Row) -> str:
    """Return what must stay together: the given key, or the words of the text."""
    if row.key:
        return f"{row.id.split('/', 1)[0]}/{row.key}"
    return hashlib.sha256(" ".join(row.text.split()).encode()).hexdigest()
