"""`skald evals`: list and check the tasks of the suites, write their items, hand on what was evaluated."""

from __future__ import annotations

import argparse
from pathlib import Path

from skald_specs.errors import EXIT_DONE, EXIT_USER_INPUT

from skald_cli import places
from skald_cli.parser import Verbs


def register(verbs: Verbs) -> None:
    """Add the verbs of this module."""
    group = verbs.group(
        "evals",
        "look at the evaluation suites: their tasks, items and formats",
        "A suite is a folder under evals/ with tasks of lm-eval.",
    )
    parser = group.add(
        "list",
        "list the tasks of the suites, one a line",
        run_list,
        more="To see what can be asked. Reads evals/; writes nothing.",
        examples={
            "everything in Danish": "skald evals list --language da",
            "one suite": "skald evals list --suite core",
        },
    )
    parser.add_argument("--suite", metavar="SUITE", help="only this suite")
    parser.add_argument("--language", "--lang", metavar="TAG", help="only this language")
    parser = group.add(
        "check",
        "check every task file, and the prompts that it makes",
        run_check,
        more="After editing or adding a task. Reads evals/ and the items; exits 1 where a prompt is not "
        "the one that was accepted. With --accept writes the new ones.",
        examples={
            "all suites": "skald evals check",
            "keep the prompts of new tasks": "skald evals check --accept",
        },
    )
    parser.add_argument(
        "--accept",
        action="store_true",
        help="keep the prompts of new tasks and new versions, and lm-eval's tasks as they are now",
    )
    parser = group.add(
        "items",
        "write items as strings to look for in training text",
        run_items,
        more="Before building a corpus that is to be searched for them: `skald corpus build --items`, "
        "`skald corpus contamination`. Reads suites, or tasks of lm-eval by name; writes one file.",
        examples={
            "a suite": "skald evals items core --out build/items.jsonl.gz",
            "items of your own": "skald evals items ud --items my/items --out build/items.jsonl.gz",
            "a task of lm-eval": (
                "skald evals items belebele_dan_Latn --language da --out build/belebele.jsonl.gz"
            ),
        },
    )
    parser.add_argument(
        "names", nargs="+", metavar="SUITE", help="a suite, or a task of a suite or of lm-eval"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="a .jsonl.gz file")
    parser.add_argument(
        "--items", type=Path, default=places.ITEMS, metavar="DIR", help="folder of the items"
    )
    parser.add_argument(
        "--language", metavar="TAG", help="of tasks of lm-eval whose name does not tell it"
    )
    parser = group.add(
        "export",
        "write an evaluation in a format of others",
        run_export,
        more="To hand results on. Reads a suite's folder that `skald evaluate` wrote; writes one log a "
        "model, as lm-eval itself does or in the schema of Every Eval Ever.",
        examples={
            "as lm-eval writes them": (
                "skald evals export artifacts/eval/core --format lm-eval --out build/lm-eval"
            ),
            "as Every Eval Ever has them": (
                "skald evals export artifacts/eval/core --format every-eval-ever --out build/eee"
            ),
        },
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="such as artifacts/eval/core")
    parser.add_argument(
        "--format", required=True, choices=("lm-eval", "every-eval-ever"), help="whose"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to")
    parser = group.add(
        "validate",
        "check files of Every Eval Ever that Skald wrote",
        run_validate,
        more="Before handing them on. Reads logs or samples; writes nothing.",
        examples={"all logs": "skald evals validate build/eee/data/*/*/*/*.json"},
    )
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="logs or samples")


def run_list(args: argparse.Namespace) -> int:
    """Print one line for each task."""
    from skald_harness.tasks.listing import listed, table

    print(table(listed(args.suite, args.language, places.ITEMS)))
    return EXIT_DONE


def run_check(args: argparse.Namespace) -> int:
    """Report every problem of the task files, then of what they ask."""
    from skald_harness.adapter.golden import changed_upstream, check_hub
    from skald_harness.tasks.suites import check_suites
    from skald_specs.errors import EXIT_CLAIM_FAILED

    problems = check_suites() + check_hub()
    if problems:
        print("\n".join((*problems, f"{len(problems)} problems; prompts were not looked at")))
        return EXIT_USER_INPUT
    from skald_harness.running.prompts import check_prompts
    from skald_process.progress import part

    with part("prompts of every task"):
        checked = check_prompts(places.ITEMS, accept=args.accept)
    failed = (*checked.problems, *changed_upstream(accept=args.accept))
    for line in (*checked.notes, *failed):
        print(line)
    print(f"{len(failed)} problems")
    return EXIT_CLAIM_FAILED if failed else EXIT_DONE


def run_items(args: argparse.Namespace) -> int:
    """Write the items of suites and tasks as `ReferenceItem` rows."""
    from skald_harness.running.reference import write_reference_items
    from skald_process.progress import part

    with part("rendering items"):
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
