"""The page in a real browser: silent, searchable, readable by eye, keyboard, screen reader and on paper."""

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")

import _report_browser as browsing
from skald_report.page import html
from skald_report.page.blocks import Cell, Grid, Page, Section
from skald_specs.files import read_json

EXPLORER = "table-explorer"


@pytest.fixture(scope="module")
def browser():
    try:
        with browsing.started() as found:
            yield found
    except browsing.NoBrowserError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def index(whole_report):
    return whole_report[1] / "index.html"


def test_the_page_is_silent_and_asks_for_nothing(browser, index):
    with browsing.opened(browser, index) as at:
        at.page.mouse.wheel(0, 20_000)
        assert at.complaints == []
        assert at.requests == []


def test_a_page_that_asks_for_more_is_noticed_and_refused(browser, index, tmp_path):
    text = index.read_text(encoding="utf-8")
    other = tmp_path / "index.html"
    other.write_text(
        text.replace(
            "</main>", "<img src='picture.png'><script>document.title='no'</script></main>"
        )
    )
    with browsing.opened(browser, other) as at:
        assert any("Content Security Policy" in said for said in at.complaints)
        assert at.page.title() != "no"


@pytest.mark.parametrize(("width", "dark"), [(400, True), (1280, False)])
def test_anyone_can_read_it_at_any_width_and_in_either_scheme(browser, index, width, dark):
    with browsing.opened(browser, index, width, dark) as at:
        assert browsing.overflow(at.page) == 0
        assert browsing.without_words(at.page) == []
        assert browsing.violations(at.page) == []


def test_every_control_is_reached_by_tab_and_answers_to_keys(browser, index):
    with browsing.opened(browser, index) as at:
        assert browsing.unreachable(at.page) == []
        assert browsing.not_operable(at.page) == []


def test_a_page_with_faults_is_found_out(browser, tmp_path):
    path = tmp_path / "index.html"
    path.write_text(
        "<!doctype html><title>x</title><main style='color:#999'>pale<svg></svg>"
        "<div style='width:3000px'>wide</div><a href='#a' tabindex='-1'>away</a></main>"
    )
    with browsing.opened(browser, path) as at:
        assert browsing.overflow(at.page) > 0
        assert len(browsing.without_words(at.page)) == 1
        assert any(found.startswith("color-contrast") for found in browsing.violations(at.page))
        assert len(browsing.unreachable(at.page)) == 1


def test_the_explorer_sorts_filters_and_keeps_its_state_in_the_location(browser, index):
    report = read_json(index.parent / "report.json")["tables"]["scores"]
    at_score = report["columns"].index("score")
    with browsing.opened(browser, index) as at:
        page = at.page
        heads = page.locator(f"#{EXPLORER} thead button").all_inner_texts()
        score = heads.index("score")
        page.locator(f"#{EXPLORER} thead button").nth(score).click()
        page.locator(f"#{EXPLORER} thead button").nth(score).click()
        shown = [browsing.as_number(t) for t in browsing.shown_column(page, EXPLORER, score)]
        best = sorted((row[at_score] for row in report["rows"]), reverse=True)[: len(shown)]
        assert shown == [round(value, 3) for value in best]
        cell = page.locator(f"#{EXPLORER} thead th").nth(score)
        assert cell.get_attribute("aria-sort") == "descending"
        page.locator(f"#{EXPLORER}").get_by_label("language", exact=True).select_option(
            label="Danish (dansk)"
        )
        page.locator(f"#{EXPLORER}").get_by_label("model", exact=True).select_option("mini-7.8b")
        page.locator(f"#{EXPLORER}").get_by_label("Search", exact=True).fill("MINIMAL dansk")
        said = page.locator(f"#{EXPLORER} [aria-live]").inner_text()
        assert said.endswith(f"(filtered from {len(report['rows']):,})")
        assert set(browsing.shown_column(page, EXPLORER, 0)) == {"mini-7.8b"}
        assert set(browsing.shown_column(page, EXPLORER, 1)) == {"Danish"}
        assert set(browsing.shown_column(page, EXPLORER, 2)) == {"minimal pairs"}
        rows = page.locator(f"#{EXPLORER} tbody").inner_text()
        fragment = page.evaluate("location.hash.slice(1)")
    with browsing.opened(browser, index, fragment=fragment) as at:
        assert at.page.locator(f"#{EXPLORER} tbody").inner_text() == rows
        assert at.page.locator(f"#{EXPLORER} thead th").nth(score).get_attribute("aria-sort")
        at.page.evaluate("(name) => { location.hash = name; }", f"{EXPLORER}?q=mini-2.6b")
        at.page.wait_for_function("document.querySelector('.explorer input').value === 'mini-2.6b'")
        assert set(browsing.shown_column(at.page, EXPLORER, 1)) > {"Danish"}
        at.page.locator(f"#{EXPLORER}").get_by_text("Show all").click()
        assert at.page.evaluate("location.hash") == f"#{EXPLORER}"
        assert "filtered" not in at.page.locator(f"#{EXPLORER} [aria-live]").inner_text()


def test_every_row_says_where_it_stands_in_the_numbers(browser, index):
    report = read_json(index.parent / "report.json")["tables"]["scores"]
    with browsing.opened(browser, index, fragment=f"{EXPLORER}?sort=score&page=2") as at:
        cells = at.page.evaluate(
            f"""[...document.querySelectorAll("#{EXPLORER} tbody [data-of]")]
                .map((cell) => [cell.dataset.of, cell.firstChild.textContent])"""
        )
    assert len(cells) > 24
    for place, text in cells:
        table, row, columns = place.split(":")
        value = report["rows"][int(row)][report["columns"].index(columns.split(",")[0])]
        digits = len(text.partition(".")[2])
        assert (table, browsing.as_number(text)) == ("scores", round(value, digits))


@pytest.mark.parametrize(
    "fragment",
    [f"{EXPLORER}?sort=nothing&page=-3&language=<img src=x onerror=alert(1)>", "%E0%A4%A?x", "?",
     f"{EXPLORER}?q=%00<script>&page=999999999999", "table-nothing?sort=1", "__proto__?sort=__proto__"],
)  # fmt: skip
def test_a_location_typed_by_an_enemy_does_no_harm(browser, index, fragment):
    with browsing.opened(browser, index, fragment=fragment) as at:
        assert at.complaints == []
        assert at.page.locator(f"#{EXPLORER} [aria-live]").inner_text() != ""


def test_small_tables_sort_by_number_with_what_is_missing_last(browser, tmp_path):
    shown = ("0.5", "−1.25", "–", "1,200", "0.5", "1.2M", "3k")
    rows = tuple((Cell(name), Cell(text)) for name, text in zip("gfedcba", shown, strict=True))
    grid = Grid("small", "Small", "Few.", ("name", "number"), rows)
    path = tmp_path / "index.html"
    path.write_text(html.render(Page("T", "S", (Section("a", "A", (grid,)),))), encoding="utf-8")
    with browsing.opened(browser, path) as at:
        head = at.page.locator("#table-small thead button").nth(1)
        orders = []
        for _ in range(3):
            head.click()
            orders.append("".join(browsing.shown_column(at.page, "table-small", 0)))
        assert orders == ["fgcdabe", "bad" + "gc" + "fe", "gfedcba"]
        head.click()
        fragment = at.page.evaluate("location.hash.slice(1)")
    with browsing.opened(browser, path, fragment=fragment) as at:
        assert "".join(browsing.shown_column(at.page, "table-small", 0)) == "fgcdabe"


def test_a_link_to_a_folded_table_unfolds_it(browser, index):
    with browsing.opened(browser, index) as at:
        name = at.page.evaluate("document.querySelector('details.grid').id")
    with browsing.opened(browser, index, fragment=name) as at:
        assert at.page.evaluate("(id) => document.getElementById(id).open", name)
        assert at.page.locator(f"#{name} table").is_visible()


def test_paper_shows_everything(browser, index, tmp_path):
    with browsing.opened(browser, index, dark=True) as at:
        assert browsing.unprinted(at.page, tmp_path / "page.pdf") == []
        assert at.page.evaluate("getComputedStyle(document.body).backgroundColor") in (
            "rgb(255, 255, 255)", "color(srgb 1 1 1)")  # fmt: skip


def test_without_script_the_page_says_where_the_rows_are(browser, index):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(index.as_uri())
    assert page.locator(f"#{EXPLORER} noscript").inner_text().endswith("tables/scores.csv.")
    assert page.locator("div.grid tbody tr").first.is_visible()
    assert page.locator("#theme").is_hidden()
    context.close()
