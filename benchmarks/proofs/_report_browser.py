"""What a browser says of a report's page: every check returns what is wrong with it, so nothing is good.

Debian's Chromium is driven through playwright's wheel, which brings no browser of its own; $SKALD_CHROMIUM
names another. axe-core judges contrast, names and structure.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

#: No sandbox, since builds run as root in containers; and nothing that asks the network by itself.
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
_NAMES = ("chromium", "chromium-browser", "google-chrome")
#: What a reader can do something with, where it is shown and not switched off.
_INTERACTIVE = (
    "[...document.querySelectorAll('a[href], button:enabled, input, select, summary, [tabindex=\"0\"]')]"
    ".filter((e) => e.checkVisibility({visibilityProperty: true}))"
)
#: A4 without its margins, in CSS pixels.
_A4_WIDTH = 688


class NoBrowserError(Exception):
    """There is no browser to ask; the message says why."""


class Opened(NamedTuple):
    """A page in a browser, what its console complained of, and what it asked for beside itself."""

    page: Page
    complaints: list[str]
    requests: list[str]


@contextmanager
def started() -> Iterator[Browser]:
    """Start the browser.

    Raises:
        NoBrowserError: None is installed.
    """
    found = os.environ.get("SKALD_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        raise NoBrowserError(f"no {', '.join(_NAMES)} on PATH and no $SKALD_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(_ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(
    browser: Browser, index: Path, width: int = 1280, dark: bool = False, fragment: str = ""
) -> Iterator[Opened]:
    """Open a page from its file.

    Args:
        browser: From `started`.
        index: The HTML file.
        width: Of the window, in CSS pixels.
        dark: Whether the reader prefers a dark scheme.
        fragment: What follows the # in the location.
    """
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
    )
    page = context.new_page()
    page.set_default_timeout(20_000)
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda m: complaints.append(m.text) if m.type != "info" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    address = index.resolve().as_uri()
    page.on("request", lambda r: requests.append(r.url) if r.url.split("#")[0] != address else None)
    page.goto(address + (f"#{fragment}" if fragment else ""))
    try:
        yield Opened(page, complaints, requests)
    finally:
        context.close()


def overflow(page: Page) -> int:
    """Return by how many pixels the document is wider than its window."""
    wide: int = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return wide


def without_words(page: Page) -> list[str]:
    """Return the figures that have no words for those who cannot see them."""
    found: list[str] = page.evaluate(
        """[...document.querySelectorAll("svg")].filter((svg) => svg.getAttribute("role") !== "img"
            || (svg.getAttribute("aria-label") ?? "").length < 20).map((svg) => svg.outerHTML.slice(0, 120))"""
    )
    return found


def violations(page: Page) -> list[str]:
    """Return what axe-core holds against the page as it looks now (contrast, names, structure)."""
    rules = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}
    response = Axe().run(page, options={"resultTypes": ["violations"], "runOnly": rules}).response
    return [
        f"{violation['id']}: {node['html'][:160]} ({node['failureSummary'][:200]})"
        for violation in response["violations"]
        for node in violation["nodes"][:5]
    ]


def unreachable(page: Page) -> list[str]:
    """Return what a reader can press or change but not reach by Tab alone."""
    page.evaluate(
        "document.addEventListener('focusin', (e) => { e.target.dataset.reached = '1'; });"
        "document.activeElement?.blur();"
    )
    n_elements: int = page.evaluate(f"{_INTERACTIVE}.length")
    for _ in range(n_elements + 5):
        page.keyboard.press("Tab")
    left: list[str] = page.evaluate(
        f"{_INTERACTIVE}.filter((e) => !e.dataset.reached).map((e) => e.outerHTML.slice(0, 120))"
    )
    return left


def not_operable(page: Page) -> list[str]:
    """Return which kinds of controls do not answer to the keyboard: scheme, sorting, folding, pages."""
    wrong = []

    def press(selector: str, key: str, state: str) -> None:
        control = page.locator(selector).first
        if control.count() == 0:
            return
        before = control.evaluate(state)
        control.focus()
        page.keyboard.press(key)
        if control.evaluate(state) == before:
            wrong.append(f"{selector} by {key}")

    for key in ("Enter", "Space"):
        press("#theme", key, "() => document.documentElement.dataset.theme")
        press("details.fold > summary", key, "(e) => e.parentElement.open")
        for table in ("div.grid", ".explorer"):
            press(f"{table} thead button", key, "(e) => e.closest('thead').outerHTML")
        press(".pager button:enabled", key, "(e) => e.parentElement.textContent")
    return wrong


def shown_column(page: Page, table: str, column: int) -> list[str]:
    """Return the first line of every cell of a column of a table, as shown.

    Args:
        page: The opened page.
        table: The id of the table's box.
        column: Its place, from 0.
    """
    found: list[str] = page.evaluate(
        """([id, at]) => [...document.getElementById(id).querySelectorAll("tbody tr")]
            .map((row) => row.cells[at].firstChild?.textContent ?? "")""",
        [table, column],
    )
    return found


def as_number(text: str) -> float | None:
    """Return the number that a cell shows; None for a missing one."""
    plain = text.replace("−", "-").replace(",", "").strip()
    return None if plain in ("", "–") else float(plain)


def in_order(values: list[float | None], down: bool = False) -> bool:
    """Return whether numbers are in order, missing ones last."""
    known = [value for value in values if value is not None]
    return values[: len(known)] == sorted(known, reverse=down)


def unprinted(page: Page, pdf: Path) -> list[str]:
    """Return what paper would not show, and write the page as PDF.

    Args:
        page: The opened page; it keeps the looks of print.
        pdf: Where to write.
    """
    page.emulate_media(media="print")
    page.set_viewport_size({"width": _A4_WIDTH, "height": 980})
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    wrong: list[str] = page.evaluate(
        """[...document.querySelectorAll("tbody tr, svg, p.caption, figcaption, h2, h3, dt")]
            .filter((e) => e.getBoundingClientRect().height < 1)
            .map((e) => "not shown: " + e.outerHTML.slice(0, 120))"""
    )
    wrong += page.evaluate(
        """[...document.querySelectorAll("nav, .controls, .pager, .skip, .anchor, #theme")]
            .filter((e) => e.checkVisibility()).map((e) => "of no use on paper: " + e.outerHTML.slice(0, 120))"""
    )
    if overflow(page) > 0:
        wrong.append(f"{overflow(page)} pixels wider than A4")
    page.pdf(path=str(pdf), format="A4", prefer_css_page_size=True)
    if pdf.read_bytes()[:5] != b"%PDF-":
        wrong.append("no PDF")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    return wrong
