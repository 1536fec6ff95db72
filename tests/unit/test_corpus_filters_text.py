"""Normalising, licences and opt-outs: what changes or goes, and what must not."""

import pytest
from skald_corpus.filters.licence import ALLOWED, judge_licence
from skald_corpus.filters.normalise import normalise
from skald_corpus.filters.robots import RobotsSnapshot
from skald_corpus.filters.tdm import Ledger, judge_metadata, plain_url, text_sha256
from skald_corpus.filters.verdict import KEPT, Verdict, removed
from skald_specs.errors import UserInputError

CHANGED = [
    ("Smørrebrød pÃ¥ bordet".replace("ø", "Ã¸"), "Smørrebrød på bordet", ["mojibake"]),
    ("Hvað er þetta? Ég veit það ekki.".encode().decode("latin-1"),
     "Hvað er þetta? Ég veit það ekki.", ["mojibake"]),
    ("mu\u0308de", "müde", ["nfc"]),
    ("basic\u00adally\u200b \ufeffnow\x00\x1b", "basically now", ["invisible"]),
    ("lone \ud800 one", "lone one", ["invisible", "white-space"]),
    ("  a \t b\u00a0c \r\n\n\n\n d\u2028e ", "a b c\n\nd\ne", ["white-space"]),
    ("1\u202f000", "1 000", ["white-space"]),
]  # fmt: skip
CLEAN = [
    "", "plain", "Æblet – »godt« og “fint” …", "l’été", "ﬁne ligatures", "Ⅳ ½ m²", "👩‍👩‍👧 👍🏽",
    "en\nto\n\ntre", "Ã er ikke et dansk bogstav", "É” sagði hún", "&amp; stays",
]  # fmt: skip


@pytest.mark.parametrize(("text", "plain", "steps"), CHANGED)
def test_text_is_made_plain(text, plain, steps):
    assert normalise(text, "da") == (plain, steps)


@pytest.mark.parametrize("text", CLEAN)
def test_clean_text_comes_back_as_it_is(text):
    assert normalise(text) == (text, [])


def test_a_verdict_has_a_reason_if_and_only_if_it_removes():
    assert KEPT.kept and not removed("x", 1.5, "why").kept
    for kept, reason in ((True, "x"), (False, "")):
        with pytest.raises(AssertionError):
            Verdict(kept, reason)
    with pytest.raises(AttributeError):
        KEPT.kept = False


@pytest.mark.parametrize(
    "expression",
    ["CC0-1.0", "cc-by-sa-4.0", "CC BY-SA 4.0", "MIT OR CC-BY-NC-4.0", "(MIT AND CC-BY-4.0)",
     "GPL-3.0-only OR (MIT AND Apache-2.0)", "Apache-2.0 WITH LLVM-exception", " NLOD-2.0 "],
)  # fmt: skip
def test_allowed_licences(expression):
    assert judge_licence(expression).kept


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        (None, "unknown"), ("", "unknown"), ("unknown", "unknown"), ("NOASSERTION", "unknown"),
        ("CC-BY-NC-4.0", "nc"), ("CC BY-NC-SA 4.0", "nc"), ("CC-BY-ND-4.0", "nd"),
        ("MIT AND CC-BY-NC-4.0", "nc"), ("proprietary", "refused"), ("CC-BY-4.0 OR", "refused"),
        ("(MIT", "refused"), ("MIT)", "refused"), ("AND", "refused"), ("MIT Apache-2.0", "refused"),
        ("CC-BY-9.0", "refused"), ("(" * 5000, "refused"), ("LicenseRef-own", "refused"),
    ],
)  # fmt: skip
def test_refused_licences(expression, reason):
    verdict = judge_licence(expression)
    assert verdict.reason == f"licence-{reason}" and verdict.detail


def test_a_licence_may_be_allowed_by_name():
    assert judge_licence("CC-BY-NC-4.0", {"CC-BY-NC-4.0"}).kept
    assert judge_licence("CC BY-NC 4.0", {"cc by-nc 4.0"}).kept
    assert judge_licence("LicenseRef-own AND MIT", {"LicenseRef-own"}).kept
    assert not judge_licence("CC-BY-NC-SA-4.0", {"CC-BY-NC-4.0"}).kept
    assert not any("-NC" in name or "-ND" in name for name in ALLOWED)


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({}, ""),
        ({"tdm-reservation": "0"}, ""),
        ({"tdm-reservation": None, "title": "noai"}, ""),
        ({"tdm-policy": "https://x.no/policy"}, ""),
        ({"robots": "noindex, nofollow"}, ""),
        ({"TDM-Reservation": "1"}, "tdm-reserved"),
        ({"tdm_reservation": 1}, "tdm-reserved"),
        ({"tdm-reservation": True}, "tdm-reserved"),
        ({"tdm-reservation": "yes"}, "tdm-reserved"),
        ({"tdm-reservation": "1", "tdm-policy": "https://x.no/policy"}, "tdm-reserved"),
        ({"X-Robots-Tag": "noindex, NoAI"}, "robots-noai"),
        ({"robots": "noai, noimageai"}, "robots-noai"),
    ],
)
def test_reservations_in_metadata(metadata, reason):
    assert judge_metadata(metadata).reason == reason


def test_a_licensed_policy_lifts_a_reservation():
    page = {"tdm-reservation": "1", "tdm-policy": "https://x.no/policy"}
    assert judge_metadata(page, {"https://x.no/policy"}).kept
    assert not judge_metadata({"tdm-reservation": "1"}, {"https://x.no/policy", ""}).kept


ROBOTS = """\ufeff
User-agent: *
Disallow: /admin
Allow: /admin/open
Disallow: /*.pdf$
Disallow:

User-agent: GPTBot
user-agent: CCBot   # both
Disallow: /private*
nonsense
"""


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/", True), ("", True), ("/public", True), ("/private", False), ("/private-life", False),
        ("/a/private", True), ("/%70rivate", False), ("/admin/open/x", True),
        ("/a.pdf", False), ("/a.pdf?x=1", True), ("/a.pdfx", True),
    ],
)  # fmt: skip
def test_robots_are_followed_by_the_longest_rule(path, kept):
    assert RobotsSnapshot(ROBOTS).judge(f"https://x.no{path}").kept == kept


def test_robots_groups_and_absence():
    site = RobotsSnapshot(ROBOTS)
    # An agent with a group of its own does not heed the others' rules.
    assert RobotsSnapshot(ROBOTS, ["CCBot"]).judge("x.no/admin").kept
    assert "ClaudeBot" in RobotsSnapshot(ROBOTS, ["CCBot", "ClaudeBot"]).judge("x.no/admin").detail
    assert site.judge("x.no/private").detail == "robots.txt refuses CCBot"
    assert RobotsSnapshot("").judge("https://x.no/a").kept
    assert not RobotsSnapshot("User-agent: *\nDisallow: /").judge("https://x.no/a").kept
    assert RobotsSnapshot("User-agent: other\nDisallow: /").judge("https://x.no/a").kept
    assert not site.judge("https://[broken").kept


LEDGER = """# date kind value reason
2026-01-31 domain Example.org asked by letter

2026-02-01 url https://www.avis.no/sak/1/#top author's wish
2026-02-02 id ud/da/17 withdrawn   by the source
2026-02-03 sha256 {hash} court order
"""


@pytest.fixture
def ledger(tmp_path):
    path = tmp_path / "ledger.txt"
    path.write_text(LEDGER.format(hash=text_sha256("Hemmelig  tekst.")), encoding="utf-8")
    return Ledger.load(path)


@pytest.mark.parametrize(
    ("text", "document_id", "url", "detail"),
    [
        ("a", "x", "", ""),
        ("a", "", "https://other.org/example.org", ""),
        ("a", "", "https://notexample.org", ""),
        ("a", "", "http://example.org/a", "domain example.org, 2026-01-31: asked by letter"),
        (
            "a",
            "",
            "https://shop.example.org:8080/a",
            "domain example.org, 2026-01-31: asked by letter",
        ),
        ("a", "", "http://avis.no/sak/1", "url avis.no/sak/1, 2026-02-01: author's wish"),
        ("a", "", "http://avis.no/sak/12", ""),
        ("a", "ud/da/17", "", "id ud/da/17, 2026-02-02: withdrawn by the source"),
        ("a", "ud/da/1", "", ""),
        (
            " Hemmelig\ntekst.",
            "",
            "",
            f"sha256 {text_sha256('Hemmelig tekst.')}, 2026-02-03: court order",
        ),
        ("Hemmelig tekst", "", "", ""),
        ("a", "", "https://[broken", ""),
    ],
)
def test_the_ledger_takes_out_what_it_names(ledger, text, document_id, url, detail):
    verdict = ledger.judge(text, document_id, url)
    assert verdict.detail == detail and verdict.reason == ("opted-out" if detail else "")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("2026-01-31 domain example.org", r":2: 3 words"),
        ("31.1.2026 domain example.org why", ":2: '31.1.2026' is no date"),
        ("2026-01-31 host example.org why", ":2: unknown kind 'host'"),
        ("2026-01-31 sha256 abc why", ":2: no SHA-256"),
        ("2026-01-31 domain / why", ":2: no domain in '/'"),
    ],
)
def test_a_malformed_line_refuses_the_whole_ledger(tmp_path, line, problem):
    path = tmp_path / "ledger.txt"
    path.write_text(f"# comment\n{line}\n", encoding="utf-8")
    with pytest.raises(UserInputError, match=problem):
        Ledger.load(path)
    with pytest.raises(UserInputError, match="no such file"):
        Ledger.load(tmp_path / "none.txt")


def test_an_empty_ledger_takes_nothing_out(tmp_path):
    path = tmp_path / "ledger.txt"
    path.write_text("# nothing yet\n", encoding="utf-8")
    assert Ledger.load(path).judge("a", "b", "c") == KEPT


def test_urls_are_compared_without_what_does_not_matter():
    assert plain_url("HTTPS://WWW.Avis.no:443/Sak/?q=1#x") == plain_url("http://avis.no/Sak?q=1")
    assert plain_url("http://avis.no/Sak") != plain_url("http://avis.no/sak")
    assert plain_url("http://avis.no:8080/") != plain_url("http://avis.no/")
    assert plain_url("http://[x") == "http://[x"
