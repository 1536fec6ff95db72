"""National numbers of persons: shape, date and checksum, one rule a country.

A rule says by what it knows a number: `checksum`, `date`, `shape` or `context`. What a rule cannot
decide it leaves, except the hyphened Danish and Faroese forms, which the date alone decides.
Nothing here asks what day it is: the same text gives the same result in any year.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import NamedTuple

from stdnum import luhn
from stdnum.de import idnr
from stdnum.dk import cpr
from stdnum.exceptions import ValidationError
from stdnum.is_ import kennitala
from stdnum.nl import bsn
from stdnum.no import fodselsnummer

#: No digit, letter or number goes on at either side.
BEFORE = r"(?<!\w)(?<!\d[.,/+-])"
AFTER = r"(?!\w)(?![.,/-]\d)"
#: A context word counts within so many characters before the number. Standing: assumed.
CONTEXT_CHARS = 40


class Rule(NamedTuple):
    """A kind of number: its pattern, and a check of match and text before it, '' for no."""

    kind: str
    pattern: re.Pattern[str]
    check: Callable[[re.Match[str], str], str]


def _compiled(shape: str) -> re.Pattern[str]:
    return re.compile(f"{BEFORE}{shape}{AFTER}", re.ASCII)


def _digits(match: re.Match[str]) -> str:
    return "".join(c for c in match.group() if c.isdigit())


def _context(words: str) -> Callable[[str], bool]:
    found = re.compile(words, re.IGNORECASE)
    return lambda before: found.search(before) is not None


def _is_date(day: int, month: int, year: int) -> bool:
    """Say whether a date exists in this century or the last; 29 February of 00 does."""
    for century in (1900, 2000):
        try:
            datetime.date(century + year, month, day)
        except ValueError:
            continue
        return True
    return False


_CPR_WORDS = _context(r"\bcpr|personnummer|person-?nr")


def _cpr(match: re.Match[str], before: str) -> str:
    """Danish CPR: ddmmyy-xxxx.

    The check digit is not promised since 2007 (cpr.dk), so it cannot refuse. With a hyphen the date
    decides; without, the check digit or a word before it must speak for the number, and one issued
    without check digit that stands alone is missed.
    """
    number = _digits(match)
    try:
        cpr.get_birth_date(number)
    except ValidationError:
        return ""
    if cpr.checksum(number) == 0:
        return "checksum"
    if "-" in match.group():
        return "date"
    return "context" if _CPR_WORDS(before) else ""


def _fodselsnummer(match: re.Match[str], before: str) -> str:
    """Norwegian fødselsnummer and D-number: ddmmyyiiikk, both check digits modulo 11."""
    number = _digits(match)
    try:
        fodselsnummer.get_birth_date(number)
    except ValidationError:
        return ""
    first = fodselsnummer.calc_check_digit1(number) == number[9]
    return "checksum" if first and fodselsnummer.calc_check_digit2(number) == number[10] else ""


def _personnummer(match: re.Match[str], before: str) -> str:
    """Swedish personnummer: (yy)yymmdd-nnnc, Luhn; a coordination number has 60 more in its day."""
    number = _digits(match)[-10:]
    year, month, day = int(number[:2]), int(number[2:4]), int(number[4:6])
    if not _is_date(day - 60 if day > 60 else day, month, year):
        return ""
    return "checksum" if luhn.is_valid(number) else ""


def _kennitala(match: re.Match[str], before: str) -> str:
    """Icelandic kennitala: ddmmyy-nncö, modulo 11. Those of organisations, day + 40, stay."""
    number = _digits(match)
    return "checksum" if int(number[:2]) <= 31 and kennitala.is_valid(number) else ""


_P_TAL_WORDS = _context(r"p-?tal|persóns?tal")


def _p_tal(match: re.Match[str], before: str) -> str:
    """Faroese p-tal: ddmmyy-nnn. We found no checksum published; the date alone knows the hyphened form.

    Nine bare digits need a word before them: one such number in 27 has a date.
    """
    number = _digits(match)
    if not _is_date(int(number[:2]), int(number[2:4]), int(number[4:6])):
        return ""
    if "-" in match.group():
        return "date"
    return "context" if _P_TAL_WORDS(before) else ""


_BSN_WORDS = _context(r"\bbsn|burger-?\s?service-?\s?(?:nummer|nr)|\bsofi|persoonsnummer")


def _bsn(match: re.Match[str], before: str) -> str:
    """Dutch BSN: nine digits, 11-test, which one in eleven random numbers passes.

    So it alone decides nothing: a word before the number or the form 1112.22.333 must be there.
    """
    if not bsn.is_valid(_digits(match)):
        return ""
    if "." in match.group():
        return "shape"
    return "context" if _BSN_WORDS(before) else ""


def _steuer_id(match: re.Match[str], before: str) -> str:
    """German Steuer-ID: eleven digits, one of the first ten repeated, ISO 7064 mod 11,10."""
    return "checksum" if idnr.is_valid(_digits(match)) else ""


_CPR = Rule("CPR", _compiled(r"[0-3]\d[01]\d{3}[- ]?\d{4}"), _cpr)
_FNR = Rule("FODSELSNUMMER", _compiled(r"[0-7]\d[0-5]\d{3}[- ]?\d{5}"), _fodselsnummer)
_PNR = Rule("PERSONNUMMER", _compiled(r"(?:19|20)?\d\d[01]\d{3}[-+]?\d{4}"), _personnummer)
_KT = Rule("KENNITALA", _compiled(r"[0-3]\d[01]\d{3}[- ]?\d{3}[09]"), _kennitala)
_PTAL = Rule("P-TAL", _compiled(r"[0-3]\d[01]\d{3}[- ]?\d{3}"), _p_tal)
_BSN = Rule("BSN", _compiled(r"(?:\d{9}|\d{4}\.\d\d\.\d{3})"), _bsn)
_STEUER = Rule("STEUER-ID", _compiled(r"[1-9]\d(?: ?\d{3}){3}"), _steuer_id)

#: Rules by language of the text: the shapes of neighbours collide.
NATIONAL: dict[str, tuple[Rule, ...]] = {
    "da": (_CPR,), "nb": (_FNR,), "nn": (_FNR,), "no": (_FNR,), "sv": (_PNR,), "is": (_KT,),
    "fo": (_PTAL,), "nl": (_BSN,), "fy": (_BSN,), "de": (_STEUER,), "nds": (_STEUER,),
}  # fmt: skip
