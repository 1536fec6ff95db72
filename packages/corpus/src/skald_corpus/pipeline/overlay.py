"""Apply a judgement to one part and write what it removed and changed.

Knows nothing of any judgement; one line for each document that did not pass as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import orjson
from skald_specs.funnel import Amount, FunnelRow

from skald_corpus.filters.verdict import KEPT, Verdict
from skald_corpus.pipeline.rows import Part, Row, before, n_bytes, read_part

#: Rows judged at once: the language model is fastest on many short texts.
_BATCH = 512


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a stage says of one row.

    Args:
        verdict: Whether it stays.
        text: Its new text, None where it stays as it is.
        changes: Names of what was changed.
        noted: A remark on what stays, '' for none.
    """

    verdict: Verdict = KEPT
    text: str | None = None
    changes: Sequence[str] = ()
    noted: str = ""


PASSED = Outcome()
#: Judges rows of one source; the order of the outcomes is that of the rows.
Judge = Callable[[Sequence[Row]], Iterable[Outcome]]


def apply(judge: Judge, root: Path, stage: str, part: Part, out: Path) -> FunnelRow:
    """Judge a part and write its overlay.

    Args:
        judge: Says what becomes of rows.
        root: Folder of the pipeline.
        stage: The stage's name; the overlays of those before it are read.
        part: The part.
        out: The stage's folder, as long as it is not finished under another name.

    Returns:
        What was read, kept and removed.
    """
    tally = _Tally()
    with ExitStack() as files:
        removed = _Lazy(part.file(out, "removed"), files)
        changed = _Lazy(part.file(out, "changed"), files)
        for rows in _batched(read_part(root, part, before(stage)), _BATCH):
            for row, outcome in zip(rows, judge(rows), strict=True):
                size = n_bytes(row.text)
                tally.read(size)
                verdict = outcome.verdict
                if not verdict.kept:
                    tally.remove(verdict.reason, size)
                    told = {"id": row.id, "reason": verdict.reason, "score": verdict.score}
                    removed.write({**told, "detail": verdict.detail, "bytes": size})
                elif outcome.text is not None:
                    tally.change(n_bytes(outcome.text) - size)
                    changed.write(
                        {"id": row.id, "text": outcome.text, "changes": [*outcome.changes]}
                    )
                if verdict.kept and outcome.noted:
                    tally.noted[outcome.noted] = tally.noted.get(outcome.noted, 0) + 1
    return tally.row(part)


def _batched(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    """Yield rows in lists of a size, the last one shorter."""
    stream = iter(rows)
    while batch := list(islice(stream, size)):
        yield batch


class _Lazy:
    """A file of JSON lines that is made when the first line is written."""

    def __init__(self, path: Path, files: ExitStack) -> None:
        self._path, self._files = path, files
        self._write: Callable[[bytes], int] | None = None

    def write(self, row: dict[str, object]) -> None:
        if self._write is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._write = self._files.enter_context(self._path.open("wb")).write
        self._write(orjson.dumps(row) + b"\n")


class _Tally:
    def __init__(self) -> None:
        self.documents = self.bytes = self.changed = self.gained = 0
        self.gone: dict[str, list[int]] = {}
        self.noted: dict[str, int] = {}

    def read(self, size: int) -> None:
        self.documents += 1
        self.bytes += size

    def remove(self, reason: str, size: int) -> None:
        entry = self.gone.setdefault(reason, [0, 0])
        entry[0] += 1
        entry[1] += size

    def change(self, gained: int) -> None:
        self.changed += 1
        self.gained += gained

    def row(self, part: Part) -> FunnelRow:
        removed = {
            reason: Amount(documents=n, bytes=size) for reason, (n, size) in self.gone.items()
        }
        gone = sum(removed.values(), Amount())
        return FunnelRow(
            language=part.language,
            source=part.source,
            read=Amount(documents=self.documents, bytes=self.bytes),
            kept=Amount(
                documents=self.documents - gone.documents,
                bytes=self.bytes + self.gained - gone.bytes,
            ),
            removed=removed,
            changed=self.changed,
            bytes_gained=self.gained,
            noted=self.noted,
        )
