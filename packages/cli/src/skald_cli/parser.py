"""An argument parser whose complaints are one line and guess the word that was meant.

Its help pages say what a verb does, when to use it, and show commands that run.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from skald_specs.errors import EXIT_USER_INPUT
from skald_specs.guesses import near

#: What a verb runs: the parsed arguments in, the exit code out.
Run = Callable[[argparse.Namespace], int]
#: What a command is for, and the command.
Examples = Mapping[str, str]

_INVALID_CHOICE = re.compile(r"invalid choice: '([^']*)' \(choose from (.*?)\)$")
_VERB = "VERB"
_REQUIRED = "the following arguments are required: "
_NARROWEST, _WIDEST = 80, 100


class HelpPage(argparse.ArgumentDefaultsHelpFormatter):
    """Shows defaults, where there is one; paragraphs are filled, indented lines stay as they are."""

    def __init__(self, prog: str) -> None:
        columns = shutil.get_terminal_size().columns
        super().__init__(prog, width=min(max(columns, _NARROWEST), _WIDEST))

    def add_argument(self, action: argparse.Action) -> None:
        """Leave the verbs out: `Parser.format_help` lists them by section, which argparse cannot."""
        if action.nargs != argparse.PARSER:
            super().add_argument(action)

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default in (None, False, []):
            return action.help
        if isinstance(action.default, list):
            return f"{action.help} (default: {' '.join(map(str, action.default))})"
        return super()._get_help_string(action)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        blocks = text.split("\n\n")
        return "\n\n".join(
            block if re.search(r"^ ", block, re.M) else textwrap.fill(block, width)
            for block in blocks
        )


class Parser(argparse.ArgumentParser):
    """`argparse`'s parser with one-line errors and exit code 2, and no shortened options.

    A shortened option would be taken for the one that it begins like, and `--item` for `--items`.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(formatter_class=HelpPage, allow_abbrev=False, **settings)
        #: Commands that run, by what they are for.
        self.examples: Examples = {}
        #: The verbs that may follow.
        self.verbs: Verbs | None = None
        self._typed: Sequence[str] = ()

    def parse_known_args(  # type: ignore[override]  # argparse's overloads only tell what is returned
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse, and refuse an unknown option where it stands, with the options there are."""
        self._typed = sys.argv[1:] if args is None else args
        found, rest = super().parse_known_args(args, namespace)
        self._refuse_unknown(word for word in rest if word.startswith("-"))
        return found, rest

    def _refuse_unknown(self, options: Iterable[str]) -> None:
        known = [word for action in self._actions for word in action.option_strings]
        for word in options:
            name = word.partition("=")[0]
            if name not in known:
                self.error(_no_option(name, known))

    def error(self, message: str) -> NoReturn:
        """Print one line with a remedy and exit."""
        if message.startswith(_REQUIRED):
            # A mistyped option is why something is missing, or at least to be mended first.
            self._refuse_unknown(
                word for word in self._typed if word.startswith("--") and word != "--"
            )
            message = self._missing(message.removeprefix(_REQUIRED))
        print(f"skald: {explain(message)} See `{self.prog} --help`", file=sys.stderr)
        raise SystemExit(EXIT_USER_INPUT)

    def _missing(self, names: str) -> str:
        if self.verbs is not None:
            return f"what shall `{self.prog}` do? There are {', '.join(self.verbs.abouts)}."
        example = next((f", as in `{command}`" for command in self.examples.values()), "")
        return f"{names} missing{example}."

    def format_help(self) -> str:
        """Return the page: what argparse writes, then verbs and examples."""
        page = super().format_help()
        if self.verbs is not None:
            page = page.replace("\noptions:\n", f"\n{self.verbs.listed()}\n\noptions:\n", 1)
        if self.examples:
            lines = (f"  # {why}\n  {command}\n" for why, command in self.examples.items())
            page += "\nexamples:\n" + "".join(lines)
        return page


class Verbs:
    """The verbs of one level of the command line.

    Args:
        parser: The words before them.
        sections: Titles, each with the verbs below it on the help page, in the order of both; none:
            all verbs, in the order in which they are added.
    """

    def __init__(self, parser: Parser, sections: Mapping[str, Sequence[str]] | None = None) -> None:
        self.parser, self._sections = parser, sections
        #: A sentence on each verb.
        self.abouts: dict[str, str] = {}
        parser.verbs = self
        self._choices = parser.add_subparsers(metavar=_VERB, required=True, parser_class=Parser)
        self._groups: dict[str, Verbs] = {}

    def add(self, name: str, about: str, run: Run, more: str, examples: Examples) -> Parser:
        """Add a verb that does something.

        Args:
            name: The word.
            about: One sentence for the help page of the level above.
            run: What it does.
            more: When to use it, what it reads and what it writes.
            examples: Commands that run, by what they are for.

        Returns:
            Its parser, to which the arguments are added.
        """
        parser: Parser = self._choices.add_parser(name, help=about, description=_page(about, more))
        parser.set_defaults(run=run, verb=parser.prog)
        parser.examples = examples
        self.abouts[name] = about
        return parser

    def group(self, name: str, about: str = "", more: str = "") -> Verbs:
        """Add a word that other verbs follow, unless it is there, and return those.

        Args:
            name: The word.
            about: One sentence for the help page of the level above; the first that adds the word
                says it.
            more: What follows that sentence on the word's own help page.
        """
        if name not in self._groups:
            parser: Parser = self._choices.add_parser(
                name, help=about, description=_page(about, more)
            )
            self.abouts[name] = about
            self._groups[name] = Verbs(parser)
        return self._groups[name]

    def listed(self) -> str:
        """Lay the verbs out by section, below a word those that follow it."""
        width = max(len(name) for name in self.abouts)
        blocks = []
        for title, names in (self._sections or {"verbs": list(self.abouts)}).items():
            rows = [f"{title}:"]
            for name in names:
                rows.append(f"  {name:<{width}}  {self.abouts[name]}")
                if name in self._groups:
                    rows.append(f"  {'':<{width}}  > {', '.join(self._groups[name].abouts)}")
            blocks.append("\n".join(rows))
        return "\n\n".join(blocks)


def _page(about: str, more: str) -> str:
    stop = "" if about.endswith("?") else "."
    first = f"{about[0].upper()}{about[1:]}{stop}" if about else ""
    return f"{first}\n\n{more}" if more else first


def _no_option(word: str, known: Iterable[str]) -> str:
    found = near(word, known)
    return f"no option {word}; did you mean {found[0]}?" if found else f"no option {word}."


def explain(message: str) -> str:
    """Turn argparse's complaint into a sentence, with the nearest word where one was mistyped."""
    found = _INVALID_CHOICE.search(message)
    if not found:
        return message if message.endswith((".", "?")) else f"{message}."
    word, choices = found[1], re.findall(r"[\w-]+", found[2])
    named = re.match(r"argument ([\w-]+):", message)
    what = f"{named[1]}: no" if named and named[1] != _VERB else "no verb"
    # A word cut short may be the beginning of several.
    begun = [choice for choice in choices if word and choice.startswith(word)]
    if meant := begun or near(word, choices):
        return f"{what} {word!r}; did you mean {' or '.join(map(repr, meant))}?"
    return f"{what} {word!r}; there are {', '.join(choices)}."
