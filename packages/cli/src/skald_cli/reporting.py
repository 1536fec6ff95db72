"""`skald report`: build the page of a cycle, compare two, keep one of a release, import published scores."""

from __future__ import annotations

import argparse
from pathlib import Path

from skald_specs.errors import EXIT_CLAIM_FAILED, EXIT_DONE

from skald_cli import importing, places
from skald_cli.parser import Verbs

#: So many numbers that differ are printed.
_SHOWN = 50


def register(verbs: Verbs) -> None:
    """Add the verbs of this module."""
    group = verbs.group("report", "statistics, figures and the page")
    parser = group.add("build", "build the page from the stations' outputs", run_build)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="plan names; none: the baselines of params.yaml"
    )
    parser.add_argument(
        "--artifacts", type=Path, default=places.ARTIFACTS, help="folder of the stations' outputs"
    )
    parser.add_argument(
        "--suites", nargs="+", metavar="SUITE", help="evaluated suites; none: those of params.yaml"
    )
    parser.add_argument("--published", type=Path, default=places.PUBLISHED, help="folder of CSVs")
    parser.add_argument(
        "--evidence", type=Path, default=places.EVIDENCE, help="folder of committed proofs"
    )
    parser.add_argument("--out", type=Path, default=places.REPORT, help="folder to write")
    parser = group.add("cards", "check the model cards of a report, and copy them", run_cards)
    parser.add_argument(
        "report", nargs="?", type=Path, default=places.REPORT, metavar="REPORT", help="its folder"
    )
    parser.add_argument("--out", type=Path, help="folder to copy them to, such as reports/cards")
    parser.add_argument("--hub", action="store_true", help="ask the Hub's own validator, too")
    parser = group.add("compare", "say what changed between two reports", run_compare)
    parser.add_argument("old", type=Path, metavar="OLD", help="folder of a report")
    parser.add_argument("new", type=Path, metavar="NEW", help="folder of another")
    parser.add_argument(
        "--records",
        nargs=2,
        type=Path,
        metavar=("OLD_EVAL", "NEW_EVAL"),
        help="folders of the evaluations they were made of, for tests on the same items",
    )
    parser.add_argument("--out", type=Path, help="folder for a page, JSON and CSV of the changes")
    parser = group.add("release", "keep a report under the name of a release", run_release)
    parser.add_argument("name", metavar="NAME", help="of the release, such as v0.2.0")
    parser.add_argument("--report", type=Path, default=places.REPORT, help="folder of the report")
    importing.register(group)


def run_build(args: argparse.Namespace) -> int:
    """Build the report of the named runs from one artifacts folder."""
    from skald_specs.manifest import recorded

    with recorded("report", args.out.name):
        from skald_report.build import build
        from skald_report.reading.inputs import ReportInputs

        names, suites = _named(args)
        _require(args, names)
        command = "nox -s cycle" if not args.names else f"skald report build {' '.join(names)}"
        inputs = ReportInputs.from_folders(
            args.artifacts, names, suites, args.published, command, args.evidence, places.MODELS
        )
        build(inputs, args.out)
    print(f"{args.out / 'index.html'}")
    return EXIT_DONE


def _require(args: argparse.Namespace, names: list[str]) -> None:
    """Refuse what was typed and does not exist; what a pipeline lacks, the page says itself."""
    from skald_specs.errors import UserInputError

    # The page does without published scores or evidence, and says so, unless a folder was named.
    wanted = [args.artifacts]
    wanted += [args.published] if args.published != places.PUBLISHED else []
    wanted += [args.evidence] if args.evidence != places.EVIDENCE else []
    wanted += [args.artifacts / "runs" / name for name in (names if args.names else [])]
    for folder in wanted:
        if not folder.is_dir():
            raise UserInputError(str(folder), "no such folder", "Check the name")


def _named(args: argparse.Namespace) -> tuple[list[str], list[str]]:
    if args.names and args.suites:
        return args.names, args.suites
    from skald_specs.params import Params

    params = Params.load(places.PARAMS)
    return args.names or list(params.baselines), args.suites or list(params.suites)


def run_cards(args: argparse.Namespace) -> int:
    """Print what is wrong with each card; exit 1 where anything is, and then copy none."""
    from skald_report.cards.check import ask_hub, check_report
    from skald_report.cards.model_card import CARDS_FOLDER
    from skald_specs.files import read_text, write_text

    found = check_report(args.report)
    texts = {
        name: read_text(path)
        for name in found
        if (path := args.report / CARDS_FOLDER / name).is_file()
    }
    for name, text in texts.items() if args.hub else ():
        found[name] += ask_hub(text)
    for name, said in found.items():
        print("\n".join(f"{name}: {problem}" for problem in said) or f"{name}: valid")
    if any(found.values()):
        return EXIT_CLAIM_FAILED
    if args.out is not None:
        for name, text in texts.items():
            write_text(args.out / name, text)
    asked = "" if args.hub else "; the Hub was not asked (--hub)"
    print(f"{len(found)} model card{'s' * (len(found) != 1)} of {args.report}{asked}")
    return EXIT_DONE


def run_compare(args: argparse.Namespace) -> int:
    """Print what changed; exit 1 when a number leaves the tolerance of a rerun."""
    from skald_report.over_time.writing import compared, write_comparison

    records = tuple(args.records) if args.records else None
    made = compared(args.old, args.new, records)
    failed = [measure for measure in made.measures if measure.holds is not True]
    for measure in failed[:_SHOWN]:
        print(_line(f"{measure.measure}: {measure.value} {measure.unit}, {measure.bound}"))
    if len(failed) > _SHOWN:
        print(f"{len(failed) - _SHOWN:,} more numbers differ")
    for sentence in made.said:
        print(_line(sentence))
    agreeing, n = len(made.measures) - len(failed), len(made.measures)
    print(f"{args.new} against {args.old}: {agreeing} of {n} agree")
    if args.out:
        write_comparison(made, args.out)
        print(f"{args.out / 'index.html'}")
    return EXIT_CLAIM_FAILED if failed else EXIT_DONE


def _line(text: str) -> str:
    """Return text that may hold names of others as one line without control characters."""
    from skald_report.page.prose import readable

    return readable(" ".join(text.split()))


def run_release(args: argparse.Namespace) -> int:
    """Copy a report to the releases and write their index anew."""
    from datetime import UTC, datetime

    from skald_report.over_time.releases import release

    print(release(args.report, places.REPORTS, args.name, datetime.now(UTC).date()))
    return EXIT_DONE
