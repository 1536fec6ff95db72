"""Made-up personal numbers and their look-alikes, to measure the rules on.

A planted number follows its country's rule; a look-alike has the same shape, or one that people
mistake for it, and digits at random, so that it passes a checksum as often as chance has it.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import NamedTuple

from stdnum import luhn
from stdnum.de import idnr
from stdnum.dk import cpr
from stdnum.is_ import kennitala
from stdnum.iso7064 import mod_11_10, mod_97_10
from stdnum.nl import bsn
from stdnum.no import fodselsnummer

from skald_corpus.keyed import Stream


class Kind(NamedTuple):
    """One row of the measurement.

    Args:
        name: Kind of the finding that is expected.
        language: Language of the text around.
        variant: Which form, for the table.
        decidable: Whether the rule can tell the planted from the look-alike.
        planted: Makes one from a stream.
        lookalike: Makes one from a stream.
    """

    name: str
    language: str
    variant: str
    decidable: bool
    planted: Callable[[Stream], str]
    lookalike: Callable[[Stream], str]


def _digits(stream: Stream, n: int) -> str:
    """Return n random digits."""
    return "".join(str(stream.below(10)) for _ in range(n))


def _date(stream: Stream) -> tuple[str, str, str]:
    """Return day, month and year of two digits each, of 1930 to 1999."""
    return f"{1 + stream.below(28):02}", f"{1 + stream.below(12):02}", f"{30 + stream.below(70)}"


def _until(make: Callable[[], str], good: Callable[[str], bool]) -> str:
    while not good(number := make()):
        pass
    return number


def _cpr(stream: Stream, checked: bool) -> str:
    """Make ten digits; those without check digit are as issued since 2007."""

    def make() -> str:
        return "".join(_date(stream)) + str(stream.below(4)) + _digits(stream, 3)

    return _until(make, lambda number: not checked or cpr.checksum(number) == 0)


def _fodselsnummer(stream: Stream) -> str:
    def make() -> str:
        return "".join(_date(stream)) + f"{stream.below(500):03}"

    def good(number: str) -> bool:
        first = fodselsnummer.calc_check_digit1(number)
        return len(first) == 1 and len(fodselsnummer.calc_check_digit2(number + first)) == 1

    number = _until(make, good)
    number += fodselsnummer.calc_check_digit1(number)
    return number + fodselsnummer.calc_check_digit2(number)


def _personnummer(stream: Stream) -> str:
    day, month, year = _date(stream)
    number = year + month + day + _digits(stream, 3)
    return number + luhn.calc_check_digit(number)


def _kennitala(stream: Stream) -> str:
    return _until(
        lambda: "".join(_date(stream)) + _digits(stream, 3) + "9",
        kennitala.is_valid,
    )


def _bsn(stream: Stream) -> str:
    return _until(
        lambda: _digits(stream, 9), lambda number: number[0] != "0" and bsn.is_valid(number)
    )


def _steuer_id(stream: Stream) -> str:
    def make() -> str:
        once = stream.shuffled(string.digits)[:9]
        number = "".join(stream.shuffled([*once, once[0]]))
        return number + mod_11_10.calc_check_digit(number)

    return _until(make, idnr.is_valid)


def _iban(stream: Stream, valid: bool) -> str:
    country, n = stream.pick((("DK", 14), ("NO", 11), ("DE", 18), ("SE", 20), ("IS", 22)))
    account = _digits(stream, n)
    check = mod_97_10.calc_check_digits(account + country) if valid else _digits(stream, 2)
    number = country + check + account
    if stream.chance(0.5):
        return " ".join(number[i : i + 4] for i in range(0, len(number), 4))
    return number


_NAMES = ("anna", "jon.olsen", "birgit_k", "m-svensson", "k.de.vries", "hej+nyt", "sigga99")
_HOSTS = ("firma.dk", "post.example.no", "uni-koeln.de", "mail.is", "bedrijf.nl", "kth.se")


def _email(stream: Stream) -> str:
    return f"{stream.pick(_NAMES)}@{stream.pick(_HOSTS)}"


def _no_email(stream: Stream) -> str:
    name, host = stream.pick(_NAMES), stream.pick(_HOSTS)
    return stream.pick(
        (
            f"@{name}",
            f"{name} @ kl. 12",
            f"{name}@",
            f"{name}@1.2.3",
            f"{host}/{name}",
            f"a@{name[:1]}",
        )
    )


def _ipv4(stream: Stream) -> str:
    return f"{11 + stream.below(112)}." + ".".join(str(stream.below(256)) for _ in range(3))


def _no_ipv4(stream: Stream) -> str:
    four = [stream.below(256) for _ in range(4)]
    few = ".".join(str(stream.below(10)) for _ in range(4))
    shown = ".".join(map(str, four))
    return stream.pick(
        (few, f"version {shown}", f"{shown}.{four[0]}", f"{four[0] + 256}.{shown[:6]}.1.1",
         f"{four[0]}.{four[1]}.{1900 + four[2]}", f"v. {shown}", f"kapitel {few}")
    )  # fmt: skip


def _ipv6(stream: Stream) -> str:
    groups = [f"{stream.below(65536):x}" for _ in range(7)]
    full = f"2001:{':'.join(groups)}"
    return full if stream.chance(0.5) else f"2001:{groups[0]}:{groups[1]}::{1 + stream.below(9)}"


def _no_ipv6(stream: Stream) -> str:
    a, b, c = (f"{stream.below(60):02}" for _ in range(3))
    return stream.pick(
        (f"{a}:{b}:{c}", f"std::{stream.pick(_NAMES)}", f"{a}:{b}", "abe::bad", f"1::{a}")
    )


def _phone(stream: Stream) -> str:
    four = [_digits(stream, 2) for _ in range(4)]
    return stream.pick(
        (f"+45 {' '.join(four)}", f"+47 {''.join(four)}", f"tlf. {' '.join(four)}",
         f"0046 70 {_digits(stream, 3)} {four[0]} {four[1]}", f"Tel.: 030 {_digits(stream, 6)}",
         f"+354 {_digits(stream, 3)} {_digits(stream, 4)}", f"mobil {''.join(four)}")
    )  # fmt: skip


def _no_phone(stream: Stream) -> str:
    four = [_digits(stream, 2) for _ in range(4)]
    return stream.pick(
        (f"{1900 + stream.below(100)}-{2000 + stream.below(30)}", f"nr. {''.join(four)}",
         f"{_digits(stream, 3)}.{_digits(stream, 3)}.{_digits(stream, 3)} kr.", f"+{four[0]} %",
         f"ISBN 978-{_digits(stream, 2)}-{_digits(stream, 5)}-{_digits(stream, 2)}-1",
         f"{stream.below(28) + 1}/{stream.below(12) + 1}-{1900 + stream.below(99)}",
         f"{' '.join(four[:2])} {four[2]}", f"telefonen kostede {_digits(stream, 4)} kr.")
    )  # fmt: skip


def _cut(make: Callable[[Stream], str], at: int, by: str) -> Callable[[Stream], str]:
    def made(stream: Stream) -> str:
        number = make(stream)
        return number[:at] + by + number[at:]

    return made


def _random(n: int, at: int = 0, by: str = "") -> Callable[[Stream], str]:
    return _cut(lambda stream: _digits(stream, n), at, by)


def _bsn_said(stream: Stream) -> str:
    return f"{stream.pick(('BSN', 'burgerservicenummer:', 'sofinummer'))} {_bsn(stream)}"


def _p_tal(stream: Stream) -> str:
    return "".join(_date(stream)) + "-" + _digits(stream, 3)


KINDS: tuple[Kind, ...] = (
    Kind("EMAIL", "da", "", True, _email, _no_email),
    Kind("IP", "de", "v4", True, _ipv4, _no_ipv4),
    Kind("IP", "de", "v6", True, _ipv6, _no_ipv6),
    Kind("IBAN", "sv", "", True, lambda s: _iban(s, True), lambda s: _iban(s, False)),
    Kind("PHONE", "nb", "", True, _phone, _no_phone),
    Kind("FODSELSNUMMER", "nb", "bare", True, _fodselsnummer, _random(11)),
    Kind("FODSELSNUMMER", "nb", "spaced", True, _cut(_fodselsnummer, 6, " "), _random(11, 6, " ")),
    Kind("PERSONNUMMER", "sv", "hyphened", True, _cut(_personnummer, 6, "-"), _random(10, 6, "-")),
    Kind("PERSONNUMMER", "sv", "bare", True, _personnummer, _random(10)),
    Kind("KENNITALA", "is", "hyphened", True, _cut(_kennitala, 6, "-"), _random(10, 6, "-")),
    Kind("KENNITALA", "is", "bare", True, _kennitala, _random(10)),
    Kind("STEUER-ID", "de", "bare", True, _steuer_id, _random(11)),
    Kind("CPR", "da", "bare, check digit", True, lambda s: _cpr(s, True), _random(10)),
    Kind("BSN", "nl", "after a word", True, _bsn_said, _random(9)),
    Kind("CPR", "da", "hyphened, without check digit", False,
         _cut(lambda s: _cpr(s, False), 6, "-"), _random(10, 6, "-")),
    Kind("CPR", "da", "bare, without check digit", False, lambda s: _cpr(s, False), _random(10)),
    Kind("P-TAL", "fo", "hyphened", False, _p_tal, _random(9, 6, "-")),
    Kind("BSN", "nl", "bare", False, _bsn, _random(9)),
    Kind("BSN", "nl", "dotted", False, _cut(_cut(_bsn, 6, "."), 4, "."),
         _cut(_random(9, 6, "."), 4, ".")),
)  # fmt: skip
