"""`skald report`: build the page of a cycle, compare two, keep one of a release, import published scores."""

from __future__ import annotations

import argparse
from pathlib import Path

from skald_specs.errors import EXIT_CLAIM_FAILED, EXIT_DONE, UserInputError

from skald_cli import importing, places
from skald_cli.parser import Verbs

#: So many lines say how two reports differ, sentences first; if there are many, half are of each kind.
_SENTENCES, _LINES = 5, 10


def register(verbs: Verbs) -> None:
    """Add the verbs of this module."""
    group = verbs.group(
        "report",
        "statistics, figures and the page: which model is better, by how much, how sure",
        "The last station. It runs no model.",
    )
    parser = group.add(
        "build",
        "build the page from the stations' outputs",
        run_build,
        more="After an evaluation. Reads records, plans, metrics and published scores below one folder "
        "of artifacts. Writes index.html, which opens offline, report.json, CSVs, a README and a model "
        "card for each export. How to read it: docs/report.md.",
        examples={
            "the cycle's page": "skald report build",
            "one model on one suite, from other artifacts": (
                "skald report build own-text --artifacts artifacts/own-text --suites ud "
                "--out reports/own-text"
            ),
        },
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="RUN_NAME",
        help="plan names; none: the baselines of params.yaml",
    )
    parser.add_argument(
        "--artifacts",
        type=Path,
        default=places.ARTIFACTS,
        metavar="DIR",
        help="folder of the stations' outputs",
    )
    parser.add_argument(
        "--suites",
        nargs="+",
        metavar="SUITE",
        help="evaluated suites; none: those of params.yaml, or all there are of the names",
    )
    parser.add_argument(
        "--published", type=Path, default=places.PUBLISHED, metavar="DIR", help="folder of CSVs"
    )
    parser.add_argument(
        "--evidence",
        type=Path,
        default=places.EVIDENCE,
        metavar="DIR",
        help="folder of committed proofs",
    )
    parser.add_argument(
        "--out", type=Path, default=places.REPORT, metavar="DIR", help="folder to write"
    )
    parser = group.add(
        "cards",
        "check the model cards of a report, and copy them",
        run_cards,
        more="Before publishing a model. Reads a report; with --out writes the cards that are valid.",
        examples={"check and copy": "skald report cards --out reports/cards"},
    )
    parser.add_argument(
        "report", nargs="?", type=Path, default=places.REPORT, metavar="REPORT", help="its folder"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder to copy them to, such as reports/cards"
    )
    parser.add_argument("--hub", action="store_true", help="ask the Hub's own validator, too")
    parser = group.add(
        "compare",
        "say what changed between two reports",
        run_compare,
        more="After a rerun, or to see what a change brought. Reads two reports; exits 1 where a number "
        "leaves the tolerance of a rerun. With --out writes a page of the changes.",
        examples={
            "this cycle against the published one": (
                "skald report compare reports/reference reports/latest --out build/changes"
            )
        },
    )
    parser.add_argument("old", type=Path, metavar="OLD", help="folder of a report")
    parser.add_argument("new", type=Path, metavar="NEW", help="folder of another")
    parser.add_argument(
        "--records",
        nargs=2,
        type=Path,
        metavar=("OLD_EVAL", "NEW_EVAL"),
        help="folders of the evaluations they were made of, for tests on the same items",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for a page, JSON and CSV of the changes"
    )
    parser = group.add(
        "release",
        "keep a report under the name of a release",
        run_release,
        more="When a version is tagged. Reads a report; copies it to reports/ and writes the index of "
        "releases anew.",
        examples={"the last cycle's": "skald report release v0.1"},
    )
    parser.add_argument("name", metavar="NAME", help="of the release, such as v0.2.0")
    parser.add_argument(
        "--report", type=Path, default=places.REPORT, metavar="DIR", help="folder of the report"
    )
    importing.register(group)


def run_build(args: argparse.Namespace) -> int:
    """Build the report of the named runs from one artifacts folder."""
    from contextlib import nullcontext

    from skald_process.recording import recorded

    # A manifest is of the cycle's own report; another one must not replace it or lie about it.
    own = (args.artifacts, args.out) == (places.ARTIFACTS, places.REPORT)
    with recorded("report", args.out.name) if own else nullcontext():
        from skald_report.build import build
        from skald_report.reading.inputs import ReportInputs

        names, suites = _named(args)
        _require(args, names)
        command = "nox -s cycle" if not args.names else f"skald report build {' '.join(names)}"
        inputs = ReportInputs.from_folders(
            args.artifacts, names, suites, args.published, command, args.evidence, places.MODELS
        )
        if not (inputs.evaluations or inputs.runs or inputs.plans):
            raise UserInputError(
                str(args.artifacts),
                f"holds no evaluation of {', '.join(suites)} and no plan or run of {', '.join(names)}",
                "Name the folder that `skald plan`, `train` and `evaluate` wrote to",
            )
        build(inputs, args.out)
    print(f"{args.out / 'index.html'}")
    return EXIT_DONE


def _require(args: argparse.Namespace, names: list[str]) -> None:
    """Refuse what was typed and does not exist; what a pipeline lacks, the page says itself."""
    # The page does without published scores or evidence, and says so, unless a folder was named.
    wanted = [args.artifacts]
    wanted += [args.published] if args.published != places.PUBLISHED else []
    wanted += [args.evidence] if args.evidence != places.EVIDENCE else []
    for folder in wanted:
        if not folder.is_dir():
            raise UserInputError(str(folder), "no such folder", "Check the name")
    for name in args.names:
        if not (folder := args.artifacts / "runs" / name).is_dir():
            raise UserInputError(
                str(folder),
                "no such run",
                "Check the name. Models without a run are on the page as they were evaluated: name the "
                "suites alone, `skald report build --suites SUITE`",
            )
    for suite in args.suites or ():
        folder = args.artifacts / "eval" / suite
        if not (folder / "summary.json").is_file():
            raise UserInputError(
                str(folder), "no evaluation (summary.json)", f"Run `skald evaluate --suite {suite}`"
            )
    if args.published != places.PUBLISHED and not any(args.published.glob("*.csv")):
        raise UserInputError(
            str(args.published),
            "no published scores (*.csv)",
            "Name a folder that `skald report import-published` wrote",
        )


def _named(args: argparse.Namespace) -> tuple[list[str], list[str]]:
    if args.names:
        found = (args.artifacts / "eval").glob("*/summary.json")
        return args.names, args.suites or sorted(path.parent.name for path in found)
    from skald_specs.params import Params

    params = Params.load(places.PARAMS)
    return list(params.baselines), args.suites or list(params.suites)


def run_cards(args: argparse.Namespace) -> int:
    """Print what is wrong with each card; exit 1 where anything is, and then copy none."""
    from skald_report.cards.check import ask_hub, check_report
    from skald_report.cards.model_card import CARDS_FOLDER
    from skald_specs.files import read_text, write_text

    if args.out is not None and args.out.exists() and not args.out.is_dir():
        raise UserInputError(str(args.out), "is a file, not a folder", "Choose another folder")
    found = check_report(args.report)
    if not found:
        raise UserInputError(
            str(args.report),
            "is of no model that was planned and evaluated, so it has no cards",
            "Run `skald evaluate`, then build it again",
        )
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
    from skald_report.over_time.compare import tables_that_differ
    from skald_report.over_time.writing import COMPARISON_FILE, compared, write_comparison
    from skald_specs.files import require_own

    if args.out:
        require_own(args.out, COMPARISON_FILE)
    records = tuple(args.records) if args.records else None
    made = compared(args.old, args.new, records)
    tables = tables_that_differ(made.measures)
    said = made.said[: max(_SENTENCES, _LINES - len(tables))]
    lines = [*said, *tables[: _LINES - len(said)]]
    for text in lines:
        print(_line(text))
    if more := len(made.said) + len(tables) - len(lines):
        rest = "on the page" if args.out else "with --out FOLDER"
        print(f"{more} more sentences and tables, and every number: {rest}")
    failed = [measure for measure in made.measures if measure.holds is not True]
    agreeing, n = len(made.measures) - len(failed), len(made.measures)
    print(f"{args.new} against {args.old}: {agreeing:,} of {n:,} agree")
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
