"""`skald evaluate` and `skald evals`: run the suites, list and check their tasks."""

from __future__ import annotations

import argparse
from pathlib import Path

from skald_specs.errors import EXIT_DONE

from skald_cli import places
from skald_cli.parser import Verbs


def register(verbs: Verbs) -> None:
    """Add the verbs of this module."""
    parser = verbs.add("evaluate", "score exports, and controls beside them", run_evaluate)
    parser.add_argument(
        "exports",
        type=Path,
        nargs="*",
        metavar="EXPORT",
        help="exported folders; none: baselines and languages of params.yaml",
    )
    parser.add_argument("--suite", required=True, help="a folder under evals/")
    parser.add_argument("--items", type=Path, default=places.ITEMS, help="folder of the items")
    parser.add_argument("--corpus", type=Path, default=places.CORPUS, help="built corpus")
    parser.add_argument("--out", type=Path, default=places.EVALUATIONS, help="folder of all suites")
    parser.add_argument("--languages", nargs="+", metavar="TAG", help="only these languages")

    group = verbs.group("evals", "look at the evaluation suites")
    parser = group.add("list", "list tasks", run_list)
    parser.add_argument("--suite", help="only this suite")
    parser.add_argument("--language", help="only this language")
    parser = group.add("check", "check every task file", run_check)
    parser.add_argument(
        "--accept", action="store_true", help="accept the tasks of lm-eval as they now are"
    )
    parser = group.add("items", "write items as strings to look for in training text", run_items)
    parser.add_argument(
        "names", nargs="+", metavar="SUITE", help="a suite, or a task of a suite or of lm-eval"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="a .jsonl.gz file")
    parser.add_argument("--items", type=Path, default=places.ITEMS, help="folder of the items")
    parser.add_argument(
        "--language", metavar="TAG", help="of tasks of lm-eval whose name does not tell it"
    )


def run_evaluate(args: argparse.Namespace) -> int:
    """Evaluate into `<out>/<suite>/`."""
    from skald_specs.manifest import recorded

    exports, languages = args.exports, args.languages
    if not exports:
        from skald_specs.params import Params

        params = Params.load(places.PARAMS)
        exports = [places.EXPORTS / name for name in params.baselines]
        languages = languages or params.languages
    with recorded("evaluate", args.suite):
        from skald_harness.running.evaluate import evaluate

        summary = evaluate(exports, args.suite, args.out, args.items, args.corpus, languages)
    print(f"{args.out / args.suite}: {len(summary.models)} models on {len(summary.tasks)} tasks")
    return EXIT_DONE


def run_list(args: argparse.Namespace) -> int:
    """Print one line for each task."""
    from skald_harness.tasks.catalogue import catalogue

    for row in catalogue(args.suite, args.language):
        print(f"{row.name:<48} {row.suite:<6}{row.language:<5}{row.kind:<11}{row.about}".rstrip())
    return EXIT_DONE


def run_check(args: argparse.Namespace) -> int:
    """Report every problem in the task files; the first one decides the exit code."""
    from skald_harness.adapter.golden import check_hub, write_golden
    from skald_harness.tasks.suites import check_suites
    from skald_specs.errors import EXIT_USER_INPUT

    if args.accept:
        print(f"{write_golden()} tasks of lm-eval accepted")
    problems = check_suites() + check_hub()
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems")
    return EXIT_USER_INPUT if problems else EXIT_DONE


def run_items(args: argparse.Namespace) -> int:
    """Write the items of suites and tasks as `ReferenceItem` rows."""
    from skald_harness.running.reference import write_reference_items

    counts = write_reference_items(args.names, args.out, args.items, args.language)
    print(f"{args.out}: {sum(counts.values()):,} items of {len(counts)} tasks")
    return EXIT_DONE
