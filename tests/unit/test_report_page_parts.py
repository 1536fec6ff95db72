"""Parts of the page: data for its script, plain text as HTML, anchors, the policy, and the README in short."""

import base64
import hashlib
import json
import re
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skald_report.figures.style import ACCENT, INK, MUTED, PAPER, RULE, Drawing
from skald_report.page import html, markdown
from skald_report.page.blocks import (
    Cell,
    Claims,
    Column,
    Explorer,
    Gallery,
    Glossary,
    Grid,
    Page,
    Paragraph,
    Section,
    Term,
)
from skald_report.page.exploring import LETTERS, as_script
from skald_report.page.formatting import bare_p, p_value
from skald_report.page.prose import Prose, readable
from skald_report.sections.glossary import glossary
from skald_report.tables.table import Table


def explorer(frame, *columns, filters=()):
    return Explorer("x", "All", "Rows.", Table("scores", (), {}, frame), columns, filters)


def unpacked(packed):
    if isinstance(packed, list):
        return packed
    if "runs" in packed:
        runs = packed["runs"]
        return [v for v, n in zip(runs[::2], runs[1::2], strict=True) for _ in range(n)]
    letters, values = iter(packed["text"]), []
    for letter in letters:
        place, short = LETTERS.index(letter), packed["short"]
        if place >= short:
            place = short + (place - short) * len(LETTERS) + LETTERS.index(next(letters))
        values.append(packed["distinct"][place])
    return values


def page(*blocks, **more):
    return html.render(Page("Title", "Subtitle", (Section("a", "A", blocks),), **more))


@given(st.lists(st.text(), min_size=1, max_size=20))
def test_any_text_comes_back_from_the_data_and_none_ends_the_script(names):
    frame = pd.DataFrame({"model": names})
    text = as_script(explorer(frame, Column("model", "model")))
    assert not set("<>&") & set(text)
    (column,) = json.loads(text)["columns"]
    back = [column["words"][code] for code in unpacked(column["codes"])]
    assert back == [readable(name) for name in names]


@given(
    st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), min_size=1, max_size=30),
    st.integers(0, 4),
)
def test_numbers_come_back_at_the_digits_shown(values, digits):
    frame = pd.DataFrame({"s": values, "l": np.array(values) - 0.5, "h": np.array(values) + 2.0})
    text = as_script(explorer(frame, Column("s", "score", digits, "l", "h")))
    (column,) = json.loads(text)["columns"]
    shown, below, above = (unpacked(column[part]) for part in ("values", "below", "above"))
    for row, value in enumerate(values):
        if np.isnan(value):
            assert (shown[row], below[row], above[row]) == (None, None, None)
            continue
        low, high = shown[row] - below[row], shown[row] + above[row]
        for found, meant in ((shown[row], value), (low, value - 0.5), (high, value + 2.0)):
            assert found / 10**digits == pytest.approx(float(f"{meant:.{digits}f}"), abs=1e-9)


@pytest.mark.parametrize("n_distinct", [2, 78, 79, 900, 6084, 6085])
def test_many_numbers_come_back_from_letters(n_distinct):
    values = np.random.default_rng(0).integers(0, n_distinct, 20_000)
    values[:n_distinct] = np.arange(n_distinct)
    text = as_script(explorer(pd.DataFrame({"n": values}), Column("n", "items", 0)))
    (column,) = json.loads(text)["columns"]
    assert unpacked(column["values"]) == values.tolist()
    assert isinstance(column["values"], list) == (n_distinct > len(LETTERS) ** 2)


def test_rows_that_were_picked_keep_their_numbers():
    frame = pd.DataFrame({"n": np.arange(10)})
    whole, some = (
        json.loads(as_script(explorer(rows, Column("n", "items", 0))))
        for rows in (frame, frame[frame["n"] % 3 == 1])
    )
    assert "steps" not in whole
    assert (np.cumsum(unpacked(some["steps"])) - 1).tolist() == [1, 4, 7]


def test_what_repeats_takes_little_room():
    frame = pd.DataFrame({"language": np.repeat(["da", "sv"], 5_000)})
    assert len(as_script(explorer(frame, Column("language", "language")))) < 300


def test_a_term_is_linked_once_a_section_and_own_names_have_their_language():
    terms = (Term("Cluster", "Items.", "[Cc]lusters?"), Term("Cluster bootstrap", "Draws."))
    linked: list[str] = []
    prose = Prose(terms)
    first = prose.caption("Cluster bootstrap over clusters, 3 clusters in Danish (dansk).", linked)
    assert first == (
        '<a class="term" href="#term-cluster-bootstrap">Cluster bootstrap</a> over '
        '<a class="term" href="#term-cluster">clusters</a>, 3 clusters in Danish '
        '(<span lang="da">dansk</span>).'
    )
    assert "<a" not in prose.caption("More clusters, a subcluster.", linked)
    assert "<a" not in Prose().caption("clusters", [])
    assert prose.text("`a<b` & Danish (danish)") == "<code>a&lt;b</code> &amp; Danish (danish)"


def test_what_turns_or_breaks_text_is_shown_as_unreadable():
    assert readable("a\u202eb\x00c\ud800d\u2066") == "a\ufffdb\ufffdc\ufffdd\ufffd"
    assert readable("שלום עולם, føroyskt\n") == "שלום עולם, føroyskt\n"
    shown = page(Paragraph("\u202eevil"), Grid("g", "T", "C", ("h",), ((Cell("\x1b[31m"),),)))
    assert "\u202e" not in shown and "\x1b" not in shown and "\ufffdevil" in shown


def test_two_parts_of_one_name_have_anchors_of_their_own():
    grid = Grid("same name", "T", "C", ("h",), ((Cell("1"),),))
    shown = page(grid, grid, grid._replace(name='"><script>'))
    ids = re.findall(r' id="([^"]*)"', shown)
    assert len(ids) == len(set(ids))
    assert {"table-same_name", "table-same_name-2", "table-_script_"} <= set(ids)
    assert set(re.findall(r'href="#([^"]*)"', shown)) <= set(ids)


def test_the_policy_allows_this_script_alone():
    shown = page(Paragraph("x"))
    (script,) = re.findall(r"<script>(.*?)</script>", shown, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in shown
    assert "default-src 'none'" in shown


def test_every_term_has_an_anchor_and_every_link_of_a_caption_leads_to_one():
    (block,) = glossary()
    assert isinstance(block, Glossary)
    names = [term.name for term in block.terms]
    assert names == sorted(names, key=str.lower)
    caption = "A tie after Holm's correction; 95 % intervals, chance-corrected, MDE, p values, muP."
    shown = page(Grid("g", "T", caption, ("h",), ((Cell("1"),),)), block)
    links = re.findall(r'class="term" href="#([^"]*)"', shown)
    assert len(links) == len(set(links)) == 7
    assert set(links) <= set(re.findall(r' id="([^"]*)"', shown))


def test_columns_of_numbers_words_and_prose_are_told_apart():
    long = "a sentence that is longer than a column of words"
    rows = ((Cell("m"), Cell("−0.5"), Cell("yes"), Cell(long)), (Cell("n"), Cell("–"), Cell("no"), Cell("")))  # fmt: skip
    grid = Grid("g", "T", "C", ("model", "score", "verdict", "detail"), rows)
    assert html.column_looks(grid) == ["word", "number", "word", "prose"]


def test_sentences_and_figures_with_a_title_are_folded_under_it_and_others_stand_open():
    drawing = Drawing("f", "<svg></svg>", "Something drawn")
    text = page(Claims(("open",)), Claims(("shut",), "More"), Gallery((drawing,), "F.", "Drawn"))
    for shut in ("shut", "<svg"):
        before = text[: text.index(shut)]
        assert (
            before.count('<details class="fold">')
            - before.count("</details>")
            + before.count("<details open>")
            == 1
        )
    before = text[: text.index("open</li>")]
    assert "<summary>More</summary>" in text and 'class="fold"' not in before
    assert '</b> Drawn <span class="size">1 panel</span></summary>' in text


def test_a_folded_table_says_how_long_it_is():
    grid = Grid("g", "T", "C", ("h",), ((Cell("1"),),), folded=True)
    assert "1 row<" in page(grid) and "2 rows<" in page(grid._replace(rows=grid.rows * 2))


def test_the_readme_is_short_and_links_the_rest():
    row = (Cell("a|b"), Cell("1"))
    short = Grid("short", "Short", "C", ("h", "n"), (row,), "tables/short.csv")
    long = short._replace(title="Long", rows=(row,) * 50, file="tables/long.csv")
    drawings = [Gallery((Drawing(name, "<svg/>", "words"),), "Cap.") for name in "xy"]
    sections = (
        Section("s", "Summary", (Paragraph("Better.", "lead"), drawings[0], short, long, drawings[1])),
        Section("d", "Details", (Paragraph("Wordy."), short, Claims(("c",))), brief=False),
    )  # fmt: skip
    text = markdown.render(Page("T", "S", sections, (("Models", "2"),)))
    assert "**Better.**" in text and "- Models: 2" in text
    assert "![words](figures/x.svg)" in text and "![words](figures/y.svg)" not in text
    assert "[y](figures/y.svg)" in text
    assert text.count("| a\\|b | 1 |") == 1
    assert "- Long: [CSV](tables/long.csv)." in text
    assert "Wordy" not in text and "index.html#d" in text
    assert text.count("tables/short.csv") == 2


def test_drawings_that_stand_alone_have_the_tones_of_the_page():
    css = (files("skald_report.page") / "templates" / "page.css").read_text(encoding="utf-8")
    tones = dict(re.findall(r"--(\w+): light-dark\((#\w{6}),", css))
    named = {"ink": INK, "muted": MUTED, "rule": RULE, "paper": PAPER, "accent": ACCENT}
    assert {name: tones[name] for name in named} == named


@pytest.mark.parametrize(
    ("p", "told"),
    [(1.0, "1.0"), (0.4, "0.40"), (0.0123, "0.012"), (0.001, "0.0010"), (1.5e-46, "<\u00a00.001")],
)
def test_a_p_value_looks_the_same_in_cells_and_sentences(p, told):
    assert bare_p(p) == told
    assert p_value(p) == ("p\u00a0" if told.startswith("<") else "p\u00a0=\u00a0") + told


def test_no_p_value_is_a_dash():
    assert (bare_p(float("nan")), p_value(float("nan"))) == ("–", "no p value")
