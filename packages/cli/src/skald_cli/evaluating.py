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

#: What these options do not read, by the names of the parsed arguments.
_IGNORED = {
    "verify": (
        "exports",
        "suite",
        "languages",
        "models",
        "trust_remote_code",
        "watch",
        "backend",
    ),
    "watch": ("exports", "models", "trust_remote_code", "backend"),
}


def register(verbs: Verbs) -> None:
    """Add the verbs of this module."""
    parser = verbs.add(
        "evaluate",
        "score exports and models of others, with controls beside them",
        run_evaluate,
        more="The sixth station, after export. Reads exports, or models of others by --models, the tasks "
        "under evals/ and their items. Writes one record for each model, task and item, and a summary "
        "for each suite, under artifacts/eval/. Answers are kept one by one: run it again to continue. "
        "See docs/evaluation.md.",
        examples={
            "one export on a suite": "skald evaluate artifacts/exports/mini-7.8b --suite core",
            "small European models beside it, in two languages": (
                "skald evaluate artifacts/exports/mini-7.8b --suite core --models eu-small "
                "--languages da,sv"
            ),
            "every checkpoint of a run as it appears": (
                "skald evaluate --suite core --watch artifacts/runs/mini-7.8b"
            ),
            "are the written numbers those of the records?": "skald evaluate --verify",
        },
    )
    parser.add_argument(
        "exports",
        type=Path,
        nargs="*",
        metavar="EXPORT",
        help="exported folders; none: baselines and languages of params.yaml",
    )
    parser.add_argument("--suite", metavar="SUITE[,SUITE...]", help="folders under evals/")
    parser.add_argument(
        "--items", action="append", metavar="[SUITE=]DIR",
        help=f"folder of the items, of one suite or of all others (default: {places.ITEMS})",
    )  # fmt: skip
    parser.add_argument(
        "--corpus", type=Path, metavar="DIR",
        help=f"built corpus (default: {places.CORPUS}, if it is there)",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=places.EVALUATIONS, metavar="DIR", help="folder of all suites"
    )
    parser.add_argument(
        "--languages", nargs="+", metavar="TAG[,TAG...]", help="only these languages"
    )
    parser.add_argument(
        "--models",
        nargs="+",
        default=[],
        metavar="MODEL_NAME",
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
        "--backend",
        choices=("vllm",),
        help="let vLLM generate texts, where it is installed; tasks of likelihoods are left out",
    )
    parser.add_argument(
        "--verify", type=Path, nargs="*", metavar="FOLDER",
        help="compute what follows from the records of evaluations and reports again; none: all",
    )  # fmt: skip
    parser.add_argument(
        "--watch", type=Path, metavar="RUN", help="score a run's checkpoints as they appear"
    )

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


def run_evaluate(args: argparse.Namespace) -> int:
    """Evaluate into `<out>/<suite>/`, or verify what was."""
    from skald_process.recording import recorded

    for option, ignored in _IGNORED.items():
        if getattr(args, option) is not None:
            _refuse(args, option, ignored)
    corpus = _corpus(args.corpus)
    if args.verify is not None:
        from skald_cli.verifying import verify

        def items_of(names: Sequence[str]) -> dict[str, Path]:
            return items_by_suite(names, args.items or [])

        return verify(args.verify, args.out, corpus, items_of)
    if args.suite is None:
        raise UserInputError("--suite", "no suite named", "Add --suite core, or another")
    suites = [suite for suite in args.suite.split(",") if suite]
    items = items_by_suite(suites, args.items or [])
    languages = _languages(args.languages)
    if args.watch is not None:
        from skald_harness.running.watch import Watched, watch

        watched = Watched(args.watch, suites, items, corpus, args.out, languages)
        watch(watched)
        print(watched.points)
        return EXIT_DONE

    exports = list({path.resolve(): path for path in args.exports}.values())
    models, problems = _others(args)
    if not exports and not args.models:
        from skald_specs.params import Params

        params = Params.load(places.PARAMS)
        exports = [places.EXPORTS / name for name in params.baselines]
        languages = languages or list(params.languages)
    # Of several ranks one writes the manifest.
    with recorded("evaluate", "-".join(suites)) if _first_rank() else nullcontext():
        from skald_harness.running.evaluate import evaluate

        done = evaluate(
            exports, suites, args.out, items, corpus, languages,
            models=models, vllm=args.backend == "vllm",
        )  # fmt: skip
    if done is None:
        return EXIT_DONE
    for summary in done.summaries:
        folder = args.out / summary.suite
        counts = (_counted(len(summary.models), "model"), _counted(len(summary.tasks), "task"))
        print(f"{folder}: {' on '.join(counts)}")
    return EXIT_USER_INPUT if problems else done.exit_code


def _counted(n: int, name: str) -> str:
    """Return a number with its noun: `1 task`, `2 tasks`."""
    return f"{n:,} {name}{'' if n == 1 else 's'}"


def _refuse(args: argparse.Namespace, option: str, ignored: Sequence[str]) -> None:
    """Refuse what an option would pass over in silence."""
    for name in ignored:
        if getattr(args, name) not in (None, []):
            shown = "EXPORT" if name == "exports" else f"--{name.replace('_', '-')}"
            raise UserInputError(f"--{option}", f"does not take {shown}", "Leave one of them out")


def _corpus(named: Path | None) -> Path:
    if named is not None and not (named / places.CORPUS_FILE).is_file():
        raise UserInputError(
            "--corpus",
            f"no corpus in {named} ({places.CORPUS_FILE} is missing)",
            "Name the folder that `skald corpus build` wrote",
        )
    return places.CORPUS if named is None else named


def _languages(words: Sequence[str] | None) -> list[str] | None:
    """Part words at commas; a folder among them was meant as an export."""
    if words is None:
        return None
    for word in words:
        if os.sep in word or Path(word).is_dir():
            raise UserInputError(
                "--languages", f"{word!r} is no language tag", "Name exports before --languages"
            )
    tags = [tag for word in words for tag in word.split(",") if tag]
    if not tags:
        raise UserInputError("--languages", "no language named", "Name one, such as da")
    return tags


def _first_rank() -> bool:
    return int(os.environ.get("RANK", "0")) == 0


def items_by_suite(suites: Sequence[str], words: Sequence[str]) -> dict[str, Path]:
    """Return each suite's folder of items from words such as `DIR` and `ud=DIR`.

    Args:
        suites: Those that are evaluated.
        words: What `--items` was given.

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

    def say(line: str) -> None:
        if _first_rank():
            print(line, file=sys.stderr, flush=True)

    for word in args.models:
        if not Path(word).is_dir() and (places.EXPORTS / word).is_dir():
            own = places.EXPORTS / word
            raise UserInputError("--models", f"{word!r} is an export", f"Name it as {own}")
    found = resolve(args.models, args.trust_remote_code, progress=say)
    if not found.folders and not found.problems:
        raise UserInputError("--models", "no model named", "Name one, such as eu-small")
    last = None if found.folders or args.exports else found.problems[-1]
    for problem in found.problems:
        if problem is not last:
            say(f"skald: {problem}")
    if last is not None:
        raise last
    return found.folders, found.problems


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
