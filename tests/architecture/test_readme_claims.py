"""Every sentence of the README that claims something links to what shows it.

To a row or a section of docs/claims.md (`[...](docs/claims.md#prove-faults-sigkills)`), or to a test
(`[...](tests/e2e/test_cycle_staleness.py)`). The rows must hold.
"""

import re

import pytest
from _claims import PAGE, anchor, read, scripts
from skald_report.tables.evidence import FAILS, UNKNOWN, verdict
from support import ROOT

README = ROOT / "README.md"
#: Sentences that sound like a claim and are none, by how they begin, each with the reason.
NO_CLAIM: dict[str, str] = {}
#: Figures that are names: shapes, versions, formats.
NAMES = re.compile(
    r"\b\d+(\.\d+)?B\b|\b(Python|nanotron|torch|lm-eval|DVC) \d[\d.]*|\b[A-Za-z]+-?v?\d[\w.]*|Apache-2\.0"
)
WORDS = re.compile(
    r"\d|\b(thirty|hundreds?|thousands?|millions?|same bytes|bit[- ]identical|to the (last )?bit|refuse[sd]?|never"
    r"|always|every|any|whatever|at most|at least|no more than|nothing|offline|reproduc\w+|faster|exactly"
    r"|guarantee\w*|intervals?|lost|continues?|goes on)\b",
    re.I,
)
SHOWN = re.compile(r"\]\((?:docs/claims\.md#[\w-]+|tests/[\w/]+\.py)\)")


def sentences(text: str) -> list[str]:
    """Return a page's sentences, points of lists and rows of tables, without code blocks and headings."""
    text = re.sub(r"^ *```.*?^ *```", "", text, flags=re.S | re.M)
    found = []
    for block in re.split(r"\n\s*\n", text):
        lines = [line for line in block.splitlines() if not re.match(r"#|!\[|\|[-:| ]+\|?$", line)]
        whole = re.sub(r"\n(?![|*-] ?)", " ", "\n".join(lines))
        for line in whole.splitlines():
            cells = line.startswith("|")
            found += [line] if cells else re.split(r"(?<=[.!?])\s+(?=[A-Z`*\[(\"'])", line)
    return [sentence.strip() for sentence in found if sentence.strip()]


def unshown(text: str) -> list[str]:
    """Return the sentences that claim something and lead to nothing that shows it."""
    found = []
    for sentence in sentences(text):
        said = re.sub(r"\]\([^)]*\)|`[^`]*`|<[^>]*>", " ", sentence)
        claims = WORDS.search(NAMES.sub(" ", said))
        if claims and not SHOWN.search(sentence) and not sentence.startswith(tuple(NO_CLAIM)):
            found.append(sentence)
    return found


def problems(text: str) -> list[str]:
    """Return the links to docs/claims.md that lead nowhere, or to what does not hold."""
    claims, page = read(), PAGE.read_text(encoding="utf-8")
    commits = {claim.run and claim.run.git_commit for claim in claims}
    of_one_run = len(commits) == 1 and None not in commits
    rows = {script.key: [] if of_one_run else None for script in scripts()}
    for claim in claims:
        rows[claim.key] = claim.measures
        rows |= {anchor(claim.key, m.measure): [m] for m in claim.measures}
    found = []
    for name in re.findall(r"\]\(docs/claims\.md#([\w-]*)\)", text):
        if name not in rows and any(
            name.startswith(f"{key}-") for key, one in rows.items() if one is None
        ):
            continue  # its script has no figures yet
        if name not in rows:
            found.append(f"{name}: no such row or section")
        elif rows[name] == [] and of_one_run:
            found.append(f"{name}: was not measured")
        elif bad := [m for m in rows[name] or () if verdict(m) in (FAILS, UNKNOWN)]:
            found.append(f"{name}: {verdict(bad[0])}")
        else:
            assert f'id="{name}"' in page or f"## {name}\n" in page
    return found


def test_what_the_readme_claims_is_shown() -> None:
    assert unshown(README.read_text(encoding="utf-8")) == []


def test_the_rows_that_the_readme_links_to_hold() -> None:
    assert problems(README.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "sentence",
    [
        "The cycle takes 12 minutes.",
        "An interrupted evaluation goes on where it was.",
        "It is refused.",
        "Any layout gives the same bytes.",
        "| the cycle on 2 cores | 10 minutes |",
        "See [there](docs/report.md): nothing is lost.",
    ],
)
def test_a_claim_without_a_link_is_noticed(sentence: str) -> None:
    assert unshown(f"# Skald\n\n{sentence}\n")
    shown = f"[this]({'docs/claims.md#prove-report'})"
    assert not unshown(f"# Skald\n\n{re.sub(r'[.|]?$', f' {shown}.', sentence)}\n")


def test_what_claims_nothing_needs_no_link() -> None:
    assert not unshown(
        "# 12 claims\n\nSkald trains a 7.8B model with nanotron 0.4 on FineWeb-2.\n\n"
        "```bash\nnox -s cycle  # 10 minutes, never more\n```\n\nSet `SEEDS=3`.\n"
    )


def test_links_to_nothing_are_noticed() -> None:
    assert problems("[a](docs/claims.md#prove-nothing)") == [
        "prove-nothing: no such row or section"
    ]


def test_sentences_that_are_no_claim_are_still_there() -> None:
    found = sentences(README.read_text(encoding="utf-8"))
    for beginning, reason in NO_CLAIM.items():
        assert reason and any(one.startswith(beginning) for one in found), beginning
