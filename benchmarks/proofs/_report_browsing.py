"""The page in a real browser; without one, or without playwright, nothing of this is measured and says why."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from _report_cycle import Cycle
from skald_specs.claims import Measure
from skald_specs.files import read_json, write_text

_EXPLORER = "table-explorer"
_WIDTHS = (400, 1280)
#: A page with one fault of each kind, which the checks must find.
_FAULTY = (
    "<!doctype html><title>x</title><main style='color:#999'>pale<svg></svg><div style='width:3000px'>"
    "wide</div><a href='#a' tabindex='-1'>away</a></main><img src='picture.png'>"
    "<script>console.error('no')</script>"
)


def measures(source: Cycle, folder: Path) -> list[Measure]:
    """Open the page at both widths and in both schemes, press, search and print it."""
    try:
        browsing: Any = importlib.import_module("_report_browser")
    except ImportError as error:
        return [_not_measured(f"{error.name} is not installed")]
    try:
        with browsing.started() as browser:
            index = source.page / "index.html"
            return [*_looks(browsing, browser, index), *_works(browsing, browser, index, folder),
                    *_faults(browsing, browser, folder)]  # fmt: skip
    except browsing.NoBrowserError as error:
        return [_not_measured(str(error))]


def _not_measured(why: str) -> Measure:
    return Measure(
        measure="the page in a browser", value=None, unit="", bound="== 0", holds=None, detail=why
    )


def _none(name: str, wrong: Sequence[Any]) -> Measure:
    detail = " | ".join(str(one)[:200] for one in wrong[:3])
    return Measure(
        measure=f"browser: {name}", value=len(wrong), unit="", bound="== 0", holds=not wrong,
        detail=detail,
    )  # fmt: skip


def _looks(browsing: Any, browser: Any, index: Path) -> Iterator[Measure]:
    complaints, requests, wide, mute, violations = [], [], [], [], []
    for width in _WIDTHS:
        for dark in (False, True):
            with browsing.opened(browser, index, width, dark) as at:
                at.page.mouse.wheel(0, 50_000)
                wide += [f"{width}: {n} pixels"] if (n := browsing.overflow(at.page)) > 0 else []
                mute += browsing.without_words(at.page)
                violations += browsing.violations(at.page)
                complaints += at.complaints
                requests += at.requests
    yield _none("complaints of the console", complaints)
    yield _none("requests beside the page itself", requests)
    yield _none(f"layouts wider than the window, of {_WIDTHS} pixels", wide)
    yield _none("figures without words", mute)
    yield _none("violations that axe-core finds, at both widths in both schemes", violations)


def _works(browsing: Any, browser: Any, index: Path, folder: Path) -> Iterator[Measure]:
    with browsing.opened(browser, index) as at:
        yield _none("controls that Tab does not reach", browsing.unreachable(at.page))
        yield _none("controls that keys do not work", browsing.not_operable(at.page))
    with browsing.opened(browser, index) as at:
        yield _none("columns that do not sort", _unsorted(browsing, at.page))
    with browsing.opened(browser, index) as at:
        yield _none(
            "filters that show other rows than asked for", _unfiltered(browsing, at.page, index)
        )
    with browsing.opened(browser, index, dark=True) as at:
        yield _none(
            "things that paper does not show", browsing.unprinted(at.page, folder / "page.pdf")
        )


def _unsorted(browsing: Any, page: Any) -> list[str]:
    """Press every column of numbers twice: rows must rise, then fall."""
    wrong = []
    heads = page.locator(f"#{_EXPLORER} thead button").all_inner_texts()
    for column, head in enumerate(heads):
        button = page.locator(f"#{_EXPLORER} thead button").nth(column)
        for down in (False, True):
            button.click()
            shown = browsing.shown_column(page, _EXPLORER, column)
            try:
                values = [browsing.as_number(text) for text in shown]
            except ValueError:
                # A column of text has an order of its own.
                continue
            if not browsing.in_order(values, down):
                wrong.append(f"{head}, {'falling' if down else 'rising'}: {shown[:4]}")
    return wrong if heads else ["there is no table to sort"]


def _unfiltered(browsing: Any, page: Any, index: Path) -> list[str]:
    """Ask for one model and count its rows."""
    table = read_json(index.parent / "report.json")["tables"]["scores"]
    at = table["columns"].index("model")
    name = str(table["rows"][0][at])
    page.get_by_label("model", exact=True).first.select_option(label=name)
    shown = set(browsing.shown_column(page, _EXPLORER, 0))
    said = page.locator(f"#{_EXPLORER} [aria-live]").inner_text()
    n_own = sum(row[at] == name for row in table["rows"])
    counted = f"{n_own:,} " in f"{said} " and f"{len(table['rows']):,}" in said
    return [] if shown == {name} and counted else [f"{said}: {sorted(shown)[:3]}, wanted {n_own}"]


def _faults(browsing: Any, browser: Any, folder: Path) -> Iterator[Measure]:
    """A check that finds nothing on a page full of faults would show nothing."""
    write_text(folder / "faulty.html", _FAULTY)
    with browsing.opened(browser, folder / "faulty.html") as at:
        found = {
            "console": bool(at.complaints),
            "request": bool(at.requests),
            "width": browsing.overflow(at.page) > 0,
            "words": bool(browsing.without_words(at.page)),
            "contrast": any(v.startswith("color-contrast") for v in browsing.violations(at.page)),
            "keyboard": bool(browsing.unreachable(at.page)),
        }
    missed = [name for name, told in found.items() if not told]
    yield _none(f"kinds of fault of a faulty page that go unnoticed, of {len(found)}", missed)
