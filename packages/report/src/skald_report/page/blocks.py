"""What a page is made of, before it is HTML or Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from skald_report.figures.style import Drawing
from skald_report.tables.table import Table


class Paragraph(NamedTuple):
    """Plain text. `kind`: text, lead (larger), important, gap (what the page cannot say), or heading."""

    text: str
    kind: str = "text"


class Claims(NamedTuple):
    """Sentences derived from the data, as a list; with a title they are folded under it."""

    sentences: tuple[str, ...]
    folded: str = ""


class Notes(NamedTuple):
    """How something was done, or what is left open, folded under its title."""

    title: str
    texts: tuple[str, ...]


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


class Column(NamedTuple):
    """A column of an explorer: text, or numbers with their interval below them.

    Attributes:
        name: Column of the table.
        title: What heads it.
        digits: Decimals shown; None for text.
        low: Column of the interval's lower end; empty for none.
        high: Column of its upper end.
        words: What is shown for a value of a text column, where not the value itself.
    """

    name: str
    title: str
    digits: int | None = None
    low: str = ""
    high: str = ""
    words: Mapping[str, str] = MappingProxyType({})


class Explorer(NamedTuple):
    """A whole table to search, filter, sort and leaf through, however long it is.

    `filters` names the text columns that can be narrowed to one value.
    """

    name: str
    title: str
    caption: str
    table: Table
    columns: tuple[Column, ...]
    filters: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """The CSV with all columns and digits."""
        return f"tables/{self.table.name}.csv"


@dataclass(frozen=True)
class Gallery:
    """Figures that belong together, with one caption that states n and method.

    With a title they are folded under it.
    """

    #: At least one.
    drawings: tuple[Drawing, ...]
    caption: str
    folded: str = ""

    def __post_init__(self) -> None:
        """Refuse a caption of nothing."""
        assert self.drawings, f"no figure to say of: {self.caption}"


class Term(NamedTuple):
    """A word of the field. `said`: its other forms, as a regular expression; captions link to it."""

    name: str
    meaning: str
    said: str = ""


class Glossary(NamedTuple):
    """What the page's terms mean."""

    terms: tuple[Term, ...]


Block = Paragraph | Claims | Notes | Grid | Explorer | Gallery | Glossary


class Section(NamedTuple):
    """A heading and its blocks. `foreign` sets figures of others apart; `brief`: the README has it too."""

    anchor: str
    title: str
    blocks: Sequence[Block]
    foreign: bool = False
    brief: bool = True


class Page(NamedTuple):
    """The whole report. `facts`: what its head states, as (what, how many); `files` lie beside it."""

    title: str
    subtitle: str
    sections: tuple[Section, ...]
    facts: tuple[tuple[str, str], ...] = ()
    files: tuple[str, ...] = ()
