"""The page as one HTML file that needs nothing else: no network, no script, no second file.

Figures are drawn inline; their neutral tones and the accent become the page's, so that they follow its light
or dark scheme.
"""

from __future__ import annotations

import re
from functools import lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from skald_report.figures.style import ACCENT, INK, MUTED, PAPER, RULE, Drawing
from skald_report.page.blocks import Page

_TONES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    RULE: "var(--rule)",
    PAPER: "var(--paper)",
    ACCENT: "var(--accent)",
}


def render(page: Page) -> str:
    """Return the HTML text."""
    return _environment().get_template("page.html.j2").render(page=page) + "\n"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("skald_report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["inline"] = inline
    environment.filters["code"] = code
    return environment


def inline(drawing: Drawing) -> Markup:
    """Return a drawing for use inside the page.

    Several drawings on one page must not share an id, and none may restyle the page: ids that
    nothing refers to go, the others get the drawing's name, and the style sheet goes.
    """
    svg = drawing.svg[drawing.svg.index("<svg") :]
    svg = re.sub(r"<(metadata|title)>.*?</\1>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>\s*", "", svg, flags=re.DOTALL)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    svg = re.sub(
        r' id="([^"]*)"',
        lambda m: f' id="{drawing.name}-{m[1]}"' if m[1] in used else "",
        svg,
    )
    svg = re.sub(r'(href="#|url\(#)', rf"\1{drawing.name}-", svg)
    for tone, variable in _TONES.items():
        svg = svg.replace(tone, variable)
    label = f'<svg role="img" aria-label="{escape(" ".join(drawing.alt.split()))}"'
    return Markup(svg.replace("<svg", label, 1))  # our own drawing, its texts already escaped


def code(text: str) -> Markup:
    """Escape text and show words between backticks as code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part)
        for number, part in enumerate(parts)
    )
