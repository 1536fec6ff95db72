"""The words after the name of a proof or benchmark: read the same way by all, and none passed over in silence."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, NoReturn

from skald_specs.errors import UserInputError
from skald_specs.guesses import offer


class Amount(NamedTuple):
    """How much a script takes in, as `--NAME=N`: by default, and for the whole claim; the kind of number is `whole`'s."""

    name: str
    default: float
    whole: float
    about: str


class Parser(argparse.ArgumentParser):
    """A parser whose refusals are one line with the nearest of what there is, and exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Refuse the words."""
        self._refuse(UserInputError("options", message, "`--help` names what there is"))

    def read(self, words: Sequence[str] | None = None) -> argparse.Namespace:
        """Return what the words say; ends the program where they say nothing that is known."""
        try:
            given, unknown = self.parse_known_args(words)
            if unknown:
                known = [name for action in self._actions for name in action.option_strings]
                raise UserInputError(
                    unknown[0], "no such option", offer(unknown[0].partition("=")[0], known)
                )
        except UserInputError as error:
            self._refuse(error)
        return given

    def _refuse(self, error: UserInputError) -> NoReturn:
        print(f"{self.prog}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def options(
    about: str | None,
    *,
    parts: Collection[str] = (),
    part: str = "only",
    amount: Amount | None = None,
    flags: Mapping[str, str] | None = None,
    trials: Mapping[str, str] | None = None,
    words: Sequence[str] | None = None,
) -> argparse.Namespace:
    """Read a script's options; a wrong one ends it with one line and exit code 2.

    Args:
        about: The script's docstring, for `--help`.
        parts: What can be run by itself; `parts` of the result holds those that were named.
        part: Name of the option that names one.
        amount: How much the script takes in.
        flags: Its further options, with what they do.
        trials: Further options that make it less than what is claimed.
        words: The words; None: those of the command line.

    Returns:
        `allow_missing`, what was asked for, and `partial`: whether this is less than the whole claim.
    """
    parser = Parser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "--allow-missing", action="store_true", help="forgive what this machine cannot measure"
    )
    if parts:
        names = ", ".join(parts)
        parser.add_argument(
            f"--{part}", dest="parts", action="append", default=[], metavar="NAME",
            type=lambda word: one_of(f"--{part}", word, parts), help=f"this alone, may be repeated: {names}",
        )  # fmt: skip
    if amount is not None:
        told = f"{amount.about}; {amount.default:,} unless said, {amount.whole:,} are the claim"
        parser.add_argument(
            f"--{amount.name}", default=amount.default, metavar="N",
            type=lambda word: _number(amount, word), help=told,
        )  # fmt: skip
    further = {**(flags or {}), **(trials or {})}
    for name, told in further.items():
        parser.add_argument(f"--{name}", action="store_true", help=told)
    given = parser.read(words)
    given.partial = (
        bool(parts and given.parts and set(given.parts) != set(parts))
        or (amount is not None and getattr(given, amount.name) < amount.whole)
        or any(getattr(given, name) for name in trials or ())
    )
    return given


def one_of(where: str, word: str, names: Collection[str]) -> str:
    """Return a word if it is one of some names.

    Args:
        where: The option or argument that it was given for.
        word: What was typed.
        names: What there is.

    Raises:
        UserInputError: It is none of them.
    """
    if word not in names:
        raise UserInputError(where, f"there is no {word!r}", offer(word, names))
    return word


def _number(amount: Amount, word: str) -> float:
    kind = type(amount.whole)
    try:
        value = kind(word.replace("_", "").replace(",", ""))
    except ValueError:
        value = 0.0
    # Said so that NaN is refused, too.
    if not 0 < value < float("inf"):
        whole = "whole " if kind is int else ""
        example = f"such as --{amount.name}={amount.default}"
        raise UserInputError(
            f"--{amount.name}={word}", f"no {whole}number above 0", f"Give one, {example}"
        )
    return value
