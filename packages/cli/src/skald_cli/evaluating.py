"""`skald evaluate`: run suites of tasks on models, and verify what was written of them."""

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
    """Add the verb of this module."""
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
            raise UserInputError("--trust-remote-code", "no --models", "Name the model by --models")
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
