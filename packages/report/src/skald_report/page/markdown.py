"""The page as Markdown, for a forge to show beside the HTML."""

from __future__ import annotations

import re

from skald_report.page.blocks import Block, Cell, Claims, Gallery, Grid, Page, Paragraph

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~])")


def render(page: Page) -> str:
    """Return the README text. Folded tables are linked as CSV instead of printed."""
    parts = [f"# {escape(page.title)}", escape(page.subtitle)]
    for section in page.sections:
        parts.append(f"## {escape(section.title)}")
        parts += [_block(block) for block in section.blocks]
    return "\n\n".join(part for part in parts if part) + "\n"


def escape(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _block(block: Block) -> str:
    if isinstance(block, Paragraph):
        plain = _code(block.text)
        return plain if block.kind == "text" else f"> {plain}"
    if isinstance(block, Claims):
        return "\n".join(f"- {_code(sentence)}" for sentence in block.sentences)
    if isinstance(block, Gallery):
        images = [f"![{escape(d.alt)}](figures/{d.name}.svg)" for d in block.drawings]
        return "\n".join([*images, "", f"*{_code(block.caption)}*"])
    return _grid(block)


def _grid(grid: Grid) -> str:
    if grid.folded:
        return f"- {escape(grid.title)}: [all rows as CSV]({grid.file}). {escape(grid.caption)}"
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
    return _SPECIAL.sub(r"\\\1", re.sub(r"\s+", " ", text))
