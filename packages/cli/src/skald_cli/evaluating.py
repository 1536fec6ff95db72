"""`skald evaluate` and `skald evals`: run the suites, list and check their tasks."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from skald_specs.errors import EXIT_DONE, EXIT_USER_INPUT, UserInputError

from skald_cli import places
from skald_cli.parser import Verbs

if TYPE_CHECKING:
    from skald_harness.models.folder import Folder


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
    parser.add_argument("--suite", metavar="SUITE[,SUITE...]", help="folders under evals/")
    parser.add_argument(
        "--items",
        action="append",
        metavar="[SUITE=]DIR",
        help=f"folder of the items, of one suite or of all others (default: {places.ITEMS})",
    )
    parser.add_argument("--corpus", type=Path, default=places.CORPUS, help="built corpus")
    parser.add_argument("--out", type=Path, default=places.EVALUATIONS, help="folder of all suites")
    parser.add_argument("--languages", nargs="+", metavar="TAG", help="only these languages")
    parser.add_argument(
        "--models",
        nargs="+",
        default=[],
        metavar="NAME",
        help="other models: groups and short names of evals/models.yaml (eu-small), ids, folders",
    )
    parser.add_argument(
        "--trust-remote-code",
        action="append",
        default=[],
        metavar="ID",
        help="run the code that this model brings, if evals/models.yaml allows it",
    )
    parser.add_argument(
        "--verify", type=Path, nargs="*", metavar="FOLDER",
        help="compute every number of evaluations and reports again from their records; none: all",
    )  # fmt: skip

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
    parser = group.add("export", "write an evaluation in a format of others", run_export)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="such as artifacts/eval/core")
    parser.add_argument("--format", required=True, choices=("lm-eval", "every-eval-ever"))
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to")
    parser = group.add("validate", "check files of Every Eval Ever that Skald wrote", run_validate)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="logs or samples")


def run_evaluate(args: argparse.Namespace) -> int:
    """Evaluate into `<out>/<suite>/`, or verify what was."""
    from skald_specs.errors import UserInputError
    from skald_specs.manifest import recorded

    if args.verify is not None:
        from skald_cli.verifying import verify

        return verify(args.verify, args.out, args.corpus)
    if args.suite is None:
        raise UserInputError("--suite", "no suite named", "Add --suite core, or another")

    exports, languages = args.exports, args.languages
    models, problems = _others(args)
    if not exports and not args.models:
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

        done = evaluate(exports, suites, args.out, items, args.corpus, languages, models=models)
    if done is None:
        return EXIT_DONE
    for summary in done.summaries:
        folder = args.out / summary.suite
        print(f"{folder}: {len(summary.models)} models on {len(summary.tasks)} tasks")
    return EXIT_USER_INPUT if problems else done.exit_code


def items_by_suite(suites: Sequence[str], words: Sequence[str]) -> dict[str, Path]:
    """Return each suite's folder of items from words such as `DIR` and `ud=DIR`.

    Raises:
        UserInputError: A word names a suite that is not evaluated.
    """
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


def _others(args: argparse.Namespace) -> tuple[tuple[Folder, ...], tuple[UserInputError, ...]]:
    """Find what `--models` names; what cannot be had costs a line, and the rest goes on."""
    if not args.models:
        if args.trust_remote_code:
            raise UserInputError("--trust-remote-code", "no --models", "Name the model there")
        return (), ()
    from skald_harness.models.download import resolve

    found = resolve(args.models, args.trust_remote_code)
    for problem in found.problems:
        print(f"skald: {problem}", file=sys.stderr)
    if not found.folders and not args.exports:
        raise UserInputError("--models", "none can be had", "Mend what the lines above say")
    return found.folders, found.problems


def run_list(args: argparse.Namespace) -> int:
    """Print one line for each task."""
    from skald_harness.tasks.suites import list_tasks

    for task in list_tasks(args.suite, args.language):
        print(f"{task.name:<32}{task.suite:<10}{task.language:<6}{task.kind}")
    return EXIT_DONE


def run_check(args: argparse.Namespace) -> int:
    """Report every problem in the task files; the first one decides the exit code."""
    from skald_harness.tasks.suites import check_suites

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


def run_export(args: argparse.Namespace) -> int:
    """Write one log a model."""
    if args.format == "lm-eval":
        from skald_harness.store.lm_eval_results import export_lm_eval as export
    else:
        from skald_harness.store.every_eval_ever import export_every_eval_ever as export

    for path in export(args.folder, args.out):
        print(path)
    return EXIT_DONE


def run_validate(args: argparse.Namespace) -> int:
    """Check files in the order given; the first fault ends it."""
    from skald_harness.store.every_eval_ever import validate

    for path in args.files:
        print(f"{path}: {validate(path)} rows hold")
    return EXIT_DONE
