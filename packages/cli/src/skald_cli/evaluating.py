"""`skald evaluate` and `skald evals`: run the suites, list and check their tasks."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from contextlib import nullcontext
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
    parser.add_argument(
        "--suite", required=True, metavar="SUITE[,SUITE...]", help="folders under evals/"
    )
    parser.add_argument(
        "--items",
        action="append",
        metavar="[SUITE=]DIR",
        help=f"folder of the items, of one suite or of all others (default: {places.ITEMS})",
    )
    parser.add_argument("--corpus", type=Path, default=places.CORPUS, help="built corpus")
    parser.add_argument("--out", type=Path, default=places.EVALUATIONS, help="folder of all suites")
    parser.add_argument("--languages", nargs="+", metavar="TAG", help="only these languages")

    group = verbs.group("evals", "look at the evaluation suites")
    parser = group.add("list", "list tasks", run_list)
    parser.add_argument("--suite", help="only this suite")
    parser.add_argument("--language", help="only this language")
    group.add("check", "check every task file", run_check)
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
    suites = [suite for suite in args.suite.split(",") if suite]
    items = items_by_suite(suites, args.items or [])
    # Of several ranks one writes the manifest.
    first = int(os.environ.get("RANK", "0")) == 0
    with recorded("evaluate", "-".join(suites)) if first else nullcontext():
        from skald_harness.running.evaluate import evaluate

        done = evaluate(exports, suites, args.out, items, args.corpus, languages)
    if done is None:
        return EXIT_DONE
    for summary in done.summaries:
        folder = args.out / summary.suite
        print(f"{folder}: {len(summary.models)} models on {len(summary.tasks)} tasks")
    return done.exit_code


def items_by_suite(suites: Sequence[str], words: Sequence[str]) -> dict[str, Path]:
    """Return each suite's folder of items from words such as `DIR` and `ud=DIR`.

    Raises:
        UserInputError: A word names a suite that is not evaluated.
    """
    from skald_specs.errors import UserInputError

    folders, default = {}, places.ITEMS
    for word in words:
        suite, sign, folder = word.partition("=")
        if not sign or "/" in suite:
            default = Path(word)
        elif suite in suites:
            folders[suite] = Path(folder)
        else:
            raise UserInputError(
                "--items", f"{word!r} names no suite of --suite", f"Use one of {', '.join(suites)}"
            )
    return {suite: folders.get(suite, default) for suite in suites}


def run_list(args: argparse.Namespace) -> int:
    """Print one line for each task."""
    from skald_harness.tasks.suites import list_tasks

    for task in list_tasks(args.suite, args.language):
        print(f"{task.name:<32}{task.suite:<10}{task.language:<6}{task.kind}")
    return EXIT_DONE


def run_check(args: argparse.Namespace) -> int:
    """Report every problem in the task files; the first one decides the exit code."""
    from skald_harness.tasks.suites import check_suites
    from skald_specs.errors import EXIT_USER_INPUT

    problems = check_suites()
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
