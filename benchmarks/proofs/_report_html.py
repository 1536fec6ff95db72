"""A report's page as its reader meets it: elements, cells with the numbers they show, drawn labels."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from typing import NamedTuple

_VOID = {"meta", "link", "br", "img", "input", "hr", "col", "wbr", "source", "path", "use"}
_SPACE = re.compile(r"\s+")


class Cell(NamedTuple):
    """A cell of a table: its table's name, its row's head, what it shows, and where that stands."""

    table: str
    row: str
    text: str
    of: str
    heads: bool


class Label(NamedTuple):
    """A text in a figure, with the figure's words for those who cannot see it."""

    figure: str
    text: str


class Reader(HTMLParser):
    """Reads a page once.

    Attributes:
        elements: How often each element with these attributes occurs.
        cells: Cells of tables, row by row.
        labels: Texts in figures.
        claims: Leading paragraphs, and items of the lists of claims.
        data: What scripts of type application/json hold, by the name of their table.
        targets: Values of href and src.
        unclosed: Elements that nothing closes, or that close nothing.
    """

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: Counter[tuple[str, tuple[str, ...]]] = Counter()
        self.cells: list[Cell] = []
        self.labels: list[Label] = []
        self.claims: list[str] = []
        self.data: dict[str, str] = {}
        self.targets: list[str] = []
        self.unclosed: list[str] = []
        self._open: list[tuple[str, dict[str, str]]] = []
        self._text: list[str] = []
        self._row = ""
        self.feed(page)
        self.close()
        self.unclosed += [tag for tag, _ in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Count an element and remember that it is open."""
        known = {name: value or "" for name, value in attrs}
        self.elements[tag, tuple(sorted(known))] += 1
        self.targets += [known[name] for name in ("href", "src") if name in known]
        if tag in ("td", "th", "li", "script", "p") or (tag == "text" and self._inside("svg")):
            self._text = []
        if tag == "small":
            self._text.append(" ")
        if tag not in _VOID:
            self._open.append((tag, known))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Count an element that closes itself."""
        known = {name: value or "" for name, value in attrs}
        self.elements[tag, tuple(sorted(known))] += 1
        self.targets += [known[name] for name in ("href", "src") if name in known]

    def handle_data(self, data: str) -> None:
        """Gather text."""
        self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        """File what an element held."""
        if tag in _VOID:
            return
        if not self._open or self._open[-1][0] != tag:
            self.unclosed.append(f"/{tag}")
            return
        _, known = self._open.pop()
        text = _SPACE.sub(" ", "".join(self._text)).strip()
        if tag in ("td", "th"):
            heads = known.get("scope") == "col"
            self._row = text if known.get("scope") == "row" else self._row
            self.cells.append(Cell(self._table(), self._row, text, known.get("data-of", ""), heads))
        elif tag == "text" and (figure := self._inside("svg")) is not None:
            self.labels.append(Label(figure.get("aria-label", ""), text))
        elif self._claims(tag, known):
            self.claims.append(text)
        elif tag == "script" and known.get("type") == "application/json":
            self.data[self._table()] = "".join(self._text)

    def _inside(self, tag: str) -> dict[str, str] | None:
        return next((known for name, known in reversed(self._open) if name == tag), None)

    def _claims(self, tag: str, known: dict[str, str]) -> bool:
        if tag == "p":
            return "lead" in known.get("class", "").split()
        return tag == "li" and "claims" in (self._inside("ul") or {}).get("class", "")

    def _table(self) -> str:
        ids = (known.get("id", "") for _, known in reversed(self._open))
        return next((i.removeprefix("table-") for i in ids if i.startswith("table-")), "")
