"""Documents on their way through the stages: one row each, in parts, with overlays.

`<root>/ingest/<language>/<part>.jsonl` holds the text. A later stage writes, for each part,
`<stage>/<language>/<part>.removed.jsonl` and `.changed.jsonl`; what a stage reads is the text with the
overlays of all stages before it. Plain JSON lines, so that every machine writes the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from skald_specs.corpus import Document
from skald_specs.errors import UserInputError
from skald_specs.stages import STAGES


class Row(NamedTuple):
    """One document.

    Args:
        id: `<source>/<id in the source>`, unique.
        text: The text as it stands at this stage.
        at: `file:line` it was read from.
        key: Groups what must stay in one split, '' where the document stands alone.
        url: Where it was published, '' where that is not known.
        licence: Its own licence, '' where it has that of its source.
        meta: Reservations as the source has them (`tdm-reservation` and the like).
    """

    id: str
    text: str
    at: str = ""
    key: str = ""
    url: str = ""
    licence: str = ""
    meta: dict[str, Any] | None = None

    def encoded(self) -> bytes:
        """Return the row as a line of JSON, empty fields left out."""
        fields = {name: value for name, value in self._asdict().items() if value}
        return orjson.dumps(fields) + b"\n"

    def document(self) -> Document:
        """Return what deduplication and decontamination take; unchecked, for speed."""
        return Document.model_construct(id=self.id, text=self.text, key=self.key)


class Part(NamedTuple):
    """A piece of one source: its language and its name, `<source>-<number>`."""

    language: str
    name: str

    @property
    def source(self) -> str:
        """The source that the part is of."""
        return self.name.rsplit("-", 1)[0]

    def file(self, stage: Path, what: str = "") -> Path:
        """Return a file of the part in a stage's folder: the text, or `removed` and `changed`.

        Args:
            stage: The stage's folder.
            what: Empty for the text, else `removed` or `changed`.
        """
        return stage / self.language / f"{self.name}{what and f'.{what}'}.jsonl"


def parts(root: Path) -> list[Part]:
    """Return all parts that ingest wrote, by language and name."""
    return sorted(
        Part(path.parent.name, path.name.removesuffix(".jsonl"))
        for path in (root / "ingest").glob("*/*.jsonl")
        if not path.name.endswith(".removed.jsonl")
    )


def before(stage: str) -> Sequence[str]:
    """Return the stages whose overlays a stage sees."""
    return STAGES[1 : STAGES.index(stage)]


def read_part(root: Path, part: Part, stages: Sequence[str]) -> Iterator[Row]:
    """Yield what some stages left of a part, in its order.

    Args:
        root: Folder of the pipeline.
        part: The part.
        stages: Stages whose overlays count, in their order; see `before`.
    """
    gone: set[str] = set()
    changed: dict[str, str] = {}
    for stage in stages:
        gone.update(row["id"] for row in json_rows(part.file(root / stage, "removed")))
        changed.update(
            (row["id"], row["text"]) for row in json_rows(part.file(root / stage, "changed"))
        )
    for fields in json_rows(part.file(root / "ingest")):
        name = fields["id"]
        if name not in gone:
            if name in changed:
                fields["text"] = changed[name]
            yield row_of(fields, root)


def row_of(fields: dict[str, Any], path: Path) -> Row:
    """Return a line of ingest as a row.

    Args:
        fields: A parsed line.
        path: Where it stood, for the message.

    Raises:
        UserInputError: It is none.
    """
    try:
        return Row(**fields)
    except TypeError:
        raise UserInputError(str(path), "damaged", "Build the corpus again") from None


def json_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file that a stage wrote; a stage that is off wrote none."""
    if path.is_file():
        with path.open("rb") as stream:
            for line in stream:
                yield row_of_line(line, path)


def row_of_line(line: bytes, path: Path) -> dict[str, Any]:
    """Return what a line of a file of a stage holds.

    Args:
        line: One of JSON.
        path: Where it stood, for the message.

    Raises:
        UserInputError: It is no row with an id.
    """
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        row = None
    if not isinstance(row, dict) or not isinstance(row.get("id"), str):
        raise UserInputError(str(path), "damaged", "Build the corpus again")
    return row


def n_bytes(text: str) -> int:
    """Return the size of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
