"""Personal data: what each rule finds, and what looks alike and stays."""

import pytest
from skald_corpus.filters.pii import find, mask
from skald_corpus.filters.pii_plant import KINDS
from skald_corpus.keyed import Stream

# Numbers are made up, or the examples of the registers' own pages and of python-stdnum.
FOUND = [
    ("da", "Skriv til anna.b+x@firma.dk.", "Skriv til <PII:EMAIL>."),
    ("da", "jens@sub.ku.dk, per@x.no", "<PII:EMAIL>, <PII:EMAIL>"),
    ("sv", "<åsa.öst@exempel.se>", "<<PII:EMAIL>>"),
    ("de", "von 93.184.216.34 aus", "von <PII:IP> aus"),
    ("de", "2001:db8:85a3::8a2e:370:7334 und", "<PII:IP> und"),
    ("en", "pay DE89 3704 0044 0532 0130 00 now", "pay <PII:IBAN> now"),
    ("nb", "NO9386011117947, takk", "<PII:IBAN>, takk"),
    ("nb", "konto NO93 8601 1117 947 BIC DNBANOKK", "konto <PII:IBAN> BIC DNBANOKK"),
    ("da", "ring +45 12 34 56 78 i dag", "ring <PII:PHONE> i dag"),
    ("da", "tlf.: 12345678", "tlf.: <PII:PHONE>"),
    ("en", "call (713) 853-7557 or 312-666-2372", "call <PII:PHONE> or <PII:PHONE>"),
    ("da", "CPR 211062-5629", "CPR <PII:CPR>"),
    ("da", "2110625629", "<PII:CPR>"),
    ("da", "cpr-nr. 2110625620", "cpr-nr. <PII:CPR>"),
    ("nb", "født 151086 95088", "født <PII:FODSELSNUMMER>"),
    ("nb", "15108695088.", "<PII:FODSELSNUMMER>."),
    ("sv", "880320-0016", "<PII:PERSONNUMMER>"),
    ("sv", "19880320-0016 och 8803200016", "<PII:PERSONNUMMER> och <PII:PERSONNUMMER>"),
    ("is", "kt. 120174-3399", "kt. <PII:KENNITALA>"),
    ("fo", "120174-339", "<PII:P-TAL>"),
    ("fo", "p-tal: 120174339", "p-tal: <PII:P-TAL>"),
    ("nl", "BSN 111222333", "BSN <PII:BSN>"),
    ("nl", "1112.22.333", "<PII:BSN>"),
    ("de", "36 574 261 809 und 36574261809", "<PII:STEUER-ID> und <PII:STEUER-ID>"),
]
LEFT = [
    ("da", "@anna, a @ b, anna@, anna@firma, pakke@1.2.3"),
    ("de", "version 93.184.216.34, § 12.10.3.45, 1.2.3.4, 93.184.216.34.5, 300.1.1.1, 127.0.0.1"),
    ("de", "12:30:45, std::vector, a::b, ::1, 10:20"),
    ("en", "DE88370400440532013000, XX89370400440532013000, DE893704004405320130"),
    ("en", "NO93860111179470"),
    ("da", "1939-1945, 978-87-02-09876-1, 12 345 678 kr., nr. 12345678, +20 %, 24/12-1999"),
    ("da", "telefonen kostede 1234 kr."),
    ("da", "311362-5629, 2113625629, 2110625620, 12110625629, 2110625629.5"),
    ("nb", "15108695077, 151086950881, 99108695088"),
    ("sv", "880320-0018, 881320-0016, 880230-0016"),
    ("is", "320174-3399, 120174-3389, 5201743399"),
    ("fo", "120174339, 321374-339"),
    ("nl", "111222333, BSN 111222334, artikel 1112.22.334"),
    ("de", "36574261890, 36554266806, 06574261809"),
    # Another country's number is not looked for.
    ("sv", "211062-5629"),
    ("en", "15108695088, 880320-0016"),
]


@pytest.mark.parametrize(("language", "text", "masked"), FOUND)
def test_personal_data_is_replaced(language, text, masked):
    assert mask(text, language)[0] == masked


@pytest.mark.parametrize(("language", "text"), LEFT)
def test_look_alikes_stay(language, text):
    assert mask(text, language) == (text, [])


def test_a_finding_says_what_where_and_why_but_not_the_thing():
    text = "æøå: BSN 111222333, jan@firma.nl"
    one, two = find(text, "nl")
    assert (one.kind, one.rule, text[one.start : one.end]) == ("BSN", "context", "111222333")
    assert (two.kind, two.rule, text[two.start : two.end]) == ("EMAIL", "shape", "jan@firma.nl")
    assert one.digest == two.digest == ""
    assert not any("1112" in str(part) or "jan" in str(part) for part in (*one, *two))


def test_digests_need_the_key():
    def digests(key):
        return [
            found.digest for found in find("jan@firma.nl, jan@firma.nl, ann@firma.nl", "nl", key)
        ]

    first, again, other = digests(b"secret")
    assert first == again != other and len(first) == 16
    assert digests(b"another")[0] != first


def test_rules_say_how_they_know():
    assert [f.rule for f in find("211062-5629", "da")] == ["checksum"]
    assert [f.rule for f in find("211062-5620", "da")] == ["date"]
    assert [f.rule for f in find("personnummer 2110625620", "da")] == ["context"]


def test_of_overlapping_findings_the_surer_wins():
    text = "tlf. 211062-5629"
    assert mask(text, "da")[0] == "tlf. <PII:CPR>"
    assert mask(text, "sv")[0] == "tlf. <PII:PHONE>"


def test_a_date_decides_the_same_in_any_year():
    # 31 December 2036 has not been, and is a date.
    assert mask("311236-4000", "da")[0] == "<PII:CPR>"


def test_a_long_text_without_any_costs_no_more_than_its_length():
    for text in ("a." * 100_000, "1" * 100_000, "1 " * 50_000, "A1" * 50_000, "a@" * 50_000,
                 ":" * 100_000, "tel" * 30_000, "a-b." * 25_000 + "@"):  # fmt: skip
        find(text, "nl")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.name} {kind.variant}")
def test_what_is_planted_follows_the_rule(kind):
    stream = Stream(f"test {kind.name} {kind.variant}")
    things = [kind.planted(stream) for _ in range(50)]
    assert len(set(things)) > 5
    hits = sum(any(f.kind == kind.name for f in find(f"se {t} her", kind.language)) for t in things)
    if kind.decidable:
        assert hits >= 48
        alike = [kind.lookalike(stream) for _ in range(200)]
        assert sum(bool(find(f"se {thing} her", kind.language)) for thing in alike) <= 10
