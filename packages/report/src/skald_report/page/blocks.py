"""What a page is made of, before it is HTML or Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from skald_report.figures.style import Drawing


class Paragraph(NamedTuple):
    """Plain text. `kind`: text, important, or gap (something the page cannot say)."""

    text: str
    kind: str = "text"


class Claims(NamedTuple):
    """Sentences derived from the data, as a list."""

    sentences: tuple[str, ...]


class Cell(NamedTuple):
    """A table's cell: the figure, a smaller second line, a mark (better, worse, strong), a third line.

    `of` says where its numbers stand in `report.json`: table, row and columns, as `formatting.of` writes it.
    """

    text: str
    detail: str = ""
    mark: str = ""
    note: str = ""
    of: str = ""


class Grid(NamedTuple):
    """A table; the first column heads the rows. `file` is the CSV with all digits."""

    name: str
    title: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    file: str = ""
    folded: bool = False


class Gallery(NamedTuple):
    """Figures that belong together, with one caption that states n and method."""

    drawings: tuple[Drawing, ...]
    caption: str


Block = Paragraph | Claims | Grid | Gallery


class Section(NamedTuple):
    """A heading and its blocks. `foreign` sets figures of others apart."""

    anchor: str
    title: str
    blocks: Sequence[Block]
    foreign: bool = False


class Page(NamedTuple):
    """The whole report."""

    title: str
    subtitle: str
    sections: tuple[Section, ...]
