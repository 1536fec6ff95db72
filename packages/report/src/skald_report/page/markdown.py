"""The page in short as Markdown, for a forge to show beside the HTML.

It has the words and the short tables of the brief sections and the first figure; the rest is linked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from skald_report.page.blocks import (
    Block,
    Cell,
    Claims,
    Explorer,
    Gallery,
    Glossary,
    Grid,
    Notes,
    Page,
    Paragraph,
    Section,
)
from skald_report.page.prose import readable

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~])")


#: Rows of a table that a forge's reader would still read.
_ROWS = 20


def render(page: Page) -> str:
    """Return the README text."""
    parts = [f"# {escape(page.title)}", escape(page.subtitle)]
    parts.append("**The whole report is [index.html](index.html)**, one file that opens offline.")
    parts.append("\n".join(f"- {escape(what)}: {escape(value)}" for what, value in page.facts))
    shown = next((b for s in page.sections for b in s.blocks if isinstance(b, Gallery)), None)
    for section in page.sections:
        parts += _section(section, shown)
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(section: Section, shown: Gallery | None) -> Iterator[str]:
    blocks = [block for block in section.blocks if not isinstance(block, Glossary)]
    if not blocks:
        return
    yield f"## {escape(section.title)}"
    if not section.brief:
        yield f"[In the report](index.html#{section.anchor})."
        found = [link for block in blocks if (link := _link(block))]
        yield "\n".join(found)
        return
    for block in blocks:
        yield _gallery(block, block is shown) if isinstance(block, Gallery) else _block(block)


def escape(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(readable(text).split()))


def _block(block: Block) -> str:
    if isinstance(block, Paragraph):
        form = {"text": "{}", "lead": "**{}**", "heading": "### {}"}.get(block.kind, "> {}")
        return form.format(_code(block.text))
    if isinstance(block, Claims):
        return "\n".join(f"- {_code(sentence)}" for sentence in block.sentences)
    if isinstance(block, Notes):
        return f"{escape(block.title)}: {' '.join(map(_code, block.texts))}"
    if isinstance(block, Grid) and not block.folded and len(block.rows) <= _ROWS:
        return _grid(block)
    return _link(block)


def _link(block: Block) -> str:
    """Return where the rows or the drawings of a block are; nothing for words."""
    if isinstance(block, Gallery):
        links = [f"[{escape(d.name)}](figures/{d.name}.svg)" for d in block.drawings]
        return f"- Figures: {', '.join(links)}."
    if isinstance(block, Grid | Explorer):
        where = f"[CSV]({block.file})" if block.file else "[in the report](index.html)"
        return f"- {escape(block.title)}: {where}."
    return ""


def _gallery(gallery: Gallery, shown: bool) -> str:
    if not shown:
        return _link(gallery)
    images = [f"![{escape(d.alt)}](figures/{d.name}.svg)" for d in gallery.drawings]
    return "\n".join([*images, "", f"*{_code(gallery.caption)}*"])


def _grid(grid: Grid) -> str:
    lines = [
        f"### {escape(grid.title)}",
        "",
        "| " + " | ".join(escape(name) for name in grid.header) + " |",
        "|" + "---|" + "---:|" * (len(grid.header) - 1),
        *("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in grid.rows),
    ]
    more = f" [All digits as CSV]({grid.file})." if grid.file else ""
    return "\n".join([*lines, "", f"*{escape(grid.caption)}*{more}"])


def _cell(cell: Cell) -> str:
    more = "; ".join(escape(line) for line in (cell.detail, cell.note) if line)
    return escape(cell.text) + (f" ({more})" if more else "")


def _code(text: str) -> str:
    """Escape text, keeping words between backticks as code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    kept = [f"`{part}`" if number % 2 else _loose(part) for number, part in enumerate(parts)]
    return "".join(kept)


def _loose(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", re.sub(r"\s+", " ", readable(text)))
