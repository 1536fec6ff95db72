"""A link to a heading leads to one, by the names that forges and the docs site give headings."""

import re
from collections import Counter
from pathlib import Path

import pytest
from support import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("sources/*.md")])
FENCE = re.compile(r"^ *```.*?^ *```", re.S | re.M)


def slug(heading: str) -> str:
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    return re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")


def anchors(path: Path) -> set[str]:
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    headings = re.findall(r"^#{1,6} (.+)$", text, re.M)
    return {slug(one) for one in headings} | set(re.findall(r'<a id="([^"]+)"', text))


def broken(path: Path, text: str) -> list[str]:
    found = []
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", FENCE.sub("", text)):
        leads = (path.parent / target) if target else path
        # Rows of claims are there once they were measured; test_readme_claims.py looks at them.
        ours = "://" not in target and leads.suffix == ".md" and leads.name != "claims.md"
        if ours and anchor not in anchors(leads):
            found.append(f"{target}#{anchor}")
    return found


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_to_headings_lead_there(path: Path) -> None:
    assert broken(path, path.read_text(encoding="utf-8")) == []


def test_a_heading_that_is_gone_is_noticed() -> None:
    path = ROOT / "docs" / "mup.md"
    assert not broken(path, "[a](#coordinates) [b](data.md#real-text-a-sources-file)")
    assert broken(path, "[a](#coordinate) [b](data.md#your-own-text)") == [
        "#coordinate",
        "data.md#your-own-text",
    ]


def test_every_page_is_in_the_sites_navigation() -> None:
    conf = (ROOT / "docs" / "conf.py").read_text(encoding="utf-8")
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")} - {"README"}
    assert {page for page in pages if f'"{page}"' not in conf} == set()


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = set(re.findall(r"^\| \[([\w-]+)\]", (folder / "README.md").read_text("utf-8"), re.M))
    assert listed == {path.stem for path in folder.glob("*.md")} - {"README"}


def test_pages_that_the_code_names_are_there() -> None:
    for path in [*ROOT.glob("packages/*/src/**/*.py"), *ROOT.glob("*/*.yaml"), ROOT / "noxfile.py"]:
        for page in re.findall(r"\bdocs/[\w/-]+\.md", path.read_text(encoding="utf-8")):
            assert (ROOT / page).is_file(), f"{path}: {page}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_page_says_a_line_twice(path: Path) -> None:
    """As a careless merge leaves it."""
    prose = [
        line
        for line in path.read_text(encoding="utf-8").splitlines()
        if len(line) > 70 and not line.startswith(("|", " " * 4))
    ]
    assert [line for line, n in Counter(prose).items() if n > 1] == []
