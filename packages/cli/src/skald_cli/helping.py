"""`skald help`: the help page of a verb, for who types it as one does with git."""

from __future__ import annotations

import argparse

from skald_specs.errors import EXIT_DONE

from skald_cli.parser import Verbs


def register(verbs: Verbs) -> None:
    """Add the verb of this module."""
    parser = verbs.add(
        "help",
        "print the help page of a verb, or this one",
        run_help,
        more="The same as --help behind the verb. Reads and writes nothing.",
        examples={"all verbs": "skald help", "one of them": "skald help plan fit"},
    )
    parser.set_defaults(whole=verbs.parser)
    parser.add_argument("words", nargs="*", metavar="VERB", help="a verb, with the one behind it")


def run_help(args: argparse.Namespace) -> int:
    """Print a page; argparse ends the program behind it."""
    args.whole.parse_args([*args.words, "--help"])
    return EXIT_DONE
