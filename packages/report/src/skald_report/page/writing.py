"""A page's files: HTML, Markdown, and each drawing for those who want it alone."""

from __future__ import annotations

from pathlib import Path

from skald_specs.files import write_text

from skald_report.page import html, markdown
from skald_report.page.blocks import Gallery, Page


def write_page(page: Page, folder: Path) -> None:
    """Write index.html, README.md and figures/*.svg.

    Args:
        page: What is shown.
        folder: Where; it exists.
    """
    write_text(folder / "index.html", html.render(page))
    write_text(folder / "README.md", markdown.render(page))
    for section in page.sections:
        for block in section.blocks:
            for drawing in block.drawings if isinstance(block, Gallery) else ():
                write_text(folder / "figures" / f"{drawing.name}.svg", drawing.svg + "\n")
