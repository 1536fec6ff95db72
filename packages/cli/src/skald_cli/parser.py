"""An argument parser whose complaints are one line and guess the word that was meant."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from skald_specs.errors import EXIT_USER_INPUT

#: What a verb runs: the parsed arguments in, the exit code out.
Run = Callable[[argparse.Namespace], int]

_INVALID_CHOICE = re.compile(r"invalid choice: '([^']*)' \(choose from (.*?)\)$")


class HelpPage(argparse.ArgumentDefaultsHelpFormatter):
    """Shows defaults, where there is one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default in (None, False, []):
            return action.help
        return super()._get_help_string(action)


class Parser(argparse.ArgumentParser):
    """`argparse`'s parser with one-line errors and exit code 2, and no shortened options.

    A shortened option would be taken for the one that it begins like, and `--item` for `--items`.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(formatter_class=HelpPage, allow_abbrev=False, **settings)

    def parse_known_args(  # type: ignore[override]  # argparse's overloads only tell what is returned
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse, and refuse an unknown option where it stands, with the options there are."""
        found, rest = super().parse_known_args(args, namespace)
        unknown = next((word for word in rest if word.startswith("-")), None)
        if unknown is not None:
            known = [word for action in self._actions for word in action.option_strings]
            self.error(_no_option(unknown.partition("=")[0], known))
        return found, rest

    def error(self, message: str) -> NoReturn:
        """Print one line with a remedy and exit."""
        print(f"skald: {explain(message)} See `{self.prog} --help`", file=sys.stderr)
        raise SystemExit(EXIT_USER_INPUT)


class Verbs:
    """The verbs of one level of the command line."""

    def __init__(self, parser: Parser) -> None:
        self._choices = parser.add_subparsers(metavar="VERB", required=True, parser_class=Parser)
        self._groups: dict[str, Verbs] = {}

    def add(self, name: str, about: str, run: Run) -> Parser:
        """Add a verb that does something.

        Args:
            name: The word.
            about: One sentence for the help page.
            run: What it does.

        Returns:
            Its parser, to which the arguments are added.
        """
        parser = self._choices.add_parser(name, help=about, description=about)
        parser.set_defaults(run=run)
        return parser

    def group(self, name: str, about: str) -> Verbs:
        """Add a word that other verbs follow, unless it is there, and return those."""
        if name not in self._groups:
            parser = self._choices.add_parser(name, help=about, description=about)
            self._groups[name] = Verbs(parser)
        return self._groups[name]


def _no_option(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.65)
    return f"no option {word}; did you mean {near[0]}?" if near else f"no option {word}."


def explain(message: str) -> str:
    """Turn argparse's complaint into a sentence, with the nearest word where one was mistyped."""
    found = _INVALID_CHOICE.search(message)
    if not found:
        return message if message.endswith((".", "?")) else f"{message}."
    word, choices = found[1], re.findall(r"[\w-]+", found[2])
    option = re.match(r"argument (--[\w-]+)", message)
    what = f"{option[1]}: no" if option else "no verb"
    near = difflib.get_close_matches(word, choices, n=1, cutoff=0.65)
    if near:
        return f"{what} {word!r}; did you mean {near[0]!r}?"
    return f"{what} {word!r}; there are {', '.join(choices)}."
