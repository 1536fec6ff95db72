"""`skald report import-published`: public leaderboards as a folder that a report reads."""

from __future__ import annotations

import argparse
import shlex
from datetime import date
from pathlib import Path

from skald_specs.errors import EXIT_DONE, UserInputError

from skald_cli import places
from skald_cli.parser import Verbs


def register(group: Verbs) -> None:
    """Add the verb to those of `skald report`."""
    parser = group.add(
        "import-published",
        "read public leaderboards into a folder that a report shows",
        run_import,
        more="To see published scores of other models apart from the measured ones. Reads files, folders "
        "or addresses of EuroEval's CSVs; writes CSVs that `skald report build --published` reads. See "
        "docs/published.md.",
        examples={
            "files that you downloaded": (
                "skald report import-published danish_all.csv swedish_all.csv --date 2026-11-01"
            )
        },
    )
    parser.add_argument(
        "places", nargs="+", metavar="PATH_OR_URL",
        help="files, folders or addresses of EuroEval's <language>_all.csv, or of a collection",
    )  # fmt: skip
    parser.add_argument("--date", metavar="YYYY-MM-DD", help="day of the boards' snapshot")
    parser.add_argument(
        "--source", metavar="TEXT", help="where the boards are from, for their rows"
    )
    parser.add_argument(
        "--out", type=Path, default=places.IMPORTED, metavar="DIR", help="folder to write"
    )


def run_import(args: argparse.Namespace) -> int:
    """Import, and say what was taken and what was left out."""
    from skald_report.landscape.importing import import_published

    if args.date is not None and not _is_day(args.date):
        raise UserInputError("--date", f"{args.date!r} is no day", "Write it as YYYY-MM-DD")
    found = import_published(
        args.places, args.out, date=args.date, source=args.source,
        register=places.MODELS, known=places.PUBLISHED,
    )  # fmt: skip
    origin = f"{found.n_european} of them European"
    if found.n_unknown_origin:
        origin += f", {found.n_unknown_origin} of an origin that {places.MODELS} does not tell"
    print(f"{found.n_rows:,} scores of {found.n_models} models, {origin}, in {len(found.languages)} "
          f"languages ({', '.join(found.languages)})")  # fmt: skip
    for why, count in found.skipped.items():
        print(f"left out: {count:,} ({why})")
    named = shlex.quote(str(args.out))
    print(f"{args.out}: `skald report build --published {named}` shows them")
    return EXIT_DONE


def _is_day(text: str) -> bool:
    try:
        # Other forms of ISO 8601 are read too, and would stand on the page beside the usual one.
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
