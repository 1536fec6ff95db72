"""Personal data replaced by tags: addresses, accounts, telephone and national numbers.

Knows the rules that hold in any language; national numbers are `pii_numbers`'. Names, street
addresses and the like have no rule and are not looked for.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterator
from typing import NamedTuple

from stdnum import iban

from skald_corpus.filters.pii_numbers import AFTER, BEFORE, CONTEXT_CHARS, NATIONAL, Rule


class Finding(NamedTuple):
    """One thing that was replaced; never the thing itself.

    Args:
        kind: Such as `IBAN`; the tag is `<PII:IBAN>`.
        start: First character, in the text as it was.
        end: Character after the last.
        rule: By what it was known: `checksum`, `date`, `shape` or `context`.
        digest: Keyed hash of the thing, empty without a key.
    """

    kind: str
    start: int
    end: int
    rule: str
    digest: str = ""


_EMAIL = re.compile(
    r"(?<![\w.%+-])\w[\w.%+-]{0,63}@(?:[^\W_](?:[\w-]{0,62}[^\W_])?\.){1,8}[^\W\d_]{2,24}(?![\w-])"
)
_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_IPV4 = re.compile(rf"(?<![\w.])(?:{_OCTET}\.){{3}}{_OCTET}(?!\w)(?!\.\d)", re.ASCII)
_IPV6 = re.compile(
    r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}(?:[0-9A-Fa-f]{1,4}|(?<=::))(?![\w:])", re.ASCII
)
#: Four numbers after these words are a version or a section.
_VERSION = re.compile(
    r"(?:\bv|\bver|versi?on|versjon|útgáfu?a?|versie|release|firmware|build|§|section|kap|kapit\w+|"
    r"abschnitt|artik\w+|punkt|paragra\w+)\.?\s*$",
    re.IGNORECASE,
)
#: Addresses of no one: loopback, unspecified, broadcast, private (RFC 1918, RFC 4193, RFC 4291).
_NO_ONES = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
        "255.255.255.255/32", "::/127", "fc00::/7", "fe80::/10",
    )
)  # fmt: skip
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d\d(?:[ -]?[A-Z0-9]){11,30}", re.ASCII)
#: Source: SWIFT IBAN registry, lengths by country.
_IBAN_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO", 16: "BE", 18: "DK FI FO GL NL", 19: "MK SI", 20: "AT BA EE KZ LT LU XK",
        21: "CH HR LI LV", 22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG", 25: "PT ST", 26: "IS TR", 27: "FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HU LB PL SV", 29: "BR EG PS QA UA", 30: "JO KW MU", 31: "MT SC",
        32: "LC",
    }.items()
    for country in countries.split()
}  # fmt: skip
_DIGITS = r"\d(?:[ ./()-]{0,2}\d)"
_PHONE_ABROAD = re.compile(
    rf"(?<![\w+])(?:\+|(?<!\d[ .-])00(?=[1-9]\d?\d?[ ./-]))[1-9](?:[ ./()-]{{0,2}}\d){{7,13}}{AFTER}",
    re.ASCII,
)
_PHONE_WORD = re.compile(
    r"\b(?:tlf|tfn|tel|telefon\w*|telefoon\w*|telephone|phone|mobil\w*|mobiel|mob|cell|fax|fon|handy"
    r"|gsm|ring|call|bel|rufen|hringið|sími|síma|farsími|telefaks|kontakttelefon)(?:-?(?:nr|no|nummer"
    rf"|number))?[.:]{{0,2}}\s{{0,2}}(?P<number>\(?{_DIGITS}{{5,12}}){AFTER}",
    re.IGNORECASE,
)
#: North American numbers, in English text. Source: NANP, area and exchange begin with 2 to 9.
_PHONE_NANP = re.compile(
    rf"(?:{BEFORE}[2-9]\d\d[-.]|(?<!\w)\([2-9]\d\d\)[ -]?)[2-9]\d\d[-.]\d{{4}}{AFTER}", re.ASCII
)
#: What any rule for numbers needs to be there, so that most text costs one look.
_NUMBERISH = re.compile(r"\d[\d ./()+-]{4,}\d", re.ASCII)


def mask(text: str, language: str, key: bytes = b"") -> tuple[str, list[Finding]]:
    """Replace personal data by tags such as `<PII:IBAN>`; text without any comes back as it is.

    Args:
        text: Any text.
        language: Its language, which says whose national numbers are looked for.
        key: Secret for the digests, at most 64 bytes. Without one there are none: ten digits behind
            a plain hash are found again by trying all of them in seconds.

    Returns:
        The new text, and what was replaced in order of place.
    """
    found = find(text, language, key)
    if not found:
        return text, found
    parts, last = [], 0
    for finding in found:
        parts += [text[last : finding.start], f"<PII:{finding.kind}>"]
        last = finding.end
    return "".join([*parts, text[last:]]), found


def find(text: str, language: str, key: bytes = b"") -> list[Finding]:
    """Find personal data; of overlapping findings the surer rule wins, see `mask`.

    Args:
        text: Any text.
        language: Its tag, which says whose national numbers are looked for.
        key: Secret for the digests, see `mask`; empty for none.

    Returns:
        Findings that do not overlap, in order of place.
    """
    taken: list[Finding] = []
    for kind, start, end, rule in _candidates(text, language):
        if all(end <= other.start or start >= other.end for other in taken):
            digest = ""
            if key:
                value = text[start:end].encode("utf-8", "replace")
                digest = hashlib.blake2b(value, key=key, digest_size=8).hexdigest()
            taken.append(Finding(kind, start, end, rule, digest))
    return sorted(taken, key=lambda finding: finding.start)


def _candidates(text: str, language: str) -> Iterator[tuple[str, int, int, str]]:
    """Yield kind, span and rule, the surest rules first."""
    if "@" in text:
        for match in _EMAIL.finditer(text):
            yield "EMAIL", match.start(), match.end(), "shape"
    if text.count(":") > 1:
        for match in _IPV6.finditer(text):
            if _is_ipv6(match.group()):
                yield "IP", match.start(), match.end(), "shape"
    if not _NUMBERISH.search(text):
        return
    for match in _IBAN.finditer(text):
        if end := _iban_end(match, text):
            yield "IBAN", match.start(), end, "checksum"
    for match in _IPV4.finditer(text):
        if _is_ipv4(match, text):
            yield "IP", match.start(), match.end(), "shape"
    for rule in NATIONAL.get(language, ()):
        yield from _national(rule, text)
    for match in _PHONE_ABROAD.finditer(text):
        yield "PHONE", match.start(), match.end(), "shape"
    for match in _PHONE_WORD.finditer(text):
        yield "PHONE", match.start("number"), match.end("number"), "context"
    if language == "en":
        for match in _PHONE_NANP.finditer(text):
            yield "PHONE", match.start(), match.end(), "shape"


def _national(rule: Rule, text: str) -> Iterator[tuple[str, int, int, str]]:
    for match in rule.pattern.finditer(text):
        before = text[max(0, match.start() - CONTEXT_CHARS) : match.start()]
        if known_by := rule.check(match, before):
            yield rule.kind, match.start(), match.end(), known_by


def _is_ipv4(match: re.Match[str], text: str) -> bool:
    """Say whether four numbers are somebody's address.

    Four single digits are a section or a version: one address in 430,000 looks so.
    """
    if all(len(octet) == 1 for octet in match.group().split(".")):
        return False
    if _VERSION.search(text[max(0, match.start() - 16) : match.start()]):
        return False
    return _somebodys(match.group())


def _is_ipv6(written: str) -> bool:
    """Say whether groups with colons are an address; `a::b` is a name in a program."""
    groups = [group for group in written.split(":") if group]
    return len(groups) >= 3 and any(c.isdigit() for c in written) and _somebodys(written)


def _somebodys(written: str) -> bool:
    try:
        address = ipaddress.ip_address(written)
    except ValueError:
        return False
    return not any(address in network for network in _NO_ONES)


def _iban_end(match: re.Match[str], text: str) -> int:
    """Return where the account number ends, by its country's length, or 0 if it is none."""
    length = _IBAN_LENGTHS.get(match.group()[:2], 0)
    kept = 0
    for place in range(match.start(), match.end()):
        kept += text[place] not in " -"
        if kept == length:
            goes_on = text[place + 1 : place + 2].isalnum()
            written = match.string[match.start() : place + 1]
            valid = not goes_on and iban.is_valid(written, check_country=False)
            return place + 1 if valid else 0
    return 0
