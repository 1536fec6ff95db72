"""The whole way on a user's own text, as the commands one would type; see docs/own-text.md.

`nox -s own_text -- DIR [ITEMS_DIR]`. DIR holds one folder for each language; ITEMS_DIR holds what the
suite `ud` asks (docs/own-task.md): `pairs/<language>.jsonl`, `ntrex/<language>.jsonl`,
`ud/<language>/test.jsonl`, each plain or `.gz`. Without it the page shows training alone. Where DIR lacks
languages of the recipe, it is cut to those there are, and the recipe that ran is written beside the run.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from skald_specs.errors import EXIT_DONE, SkaldError, UserInputError

from skald_cli.interrupts import raise_on_signals, report_interrupt, stop_listening
from skald_cli.main import main as skald
from skald_cli.parser import Parser
from skald_cli.places import ARTIFACTS

RECIPE = Path("recipes/own-text.yaml")
NAME = RECIPE.stem
REPORT = Path("reports") / NAME
_OUT = ARTIFACTS / NAME
#: The recipe that ran, where the checkout's has other languages than the text.
CUT = _OUT / "recipe" / RECIPE.name
_SUITE = "ud"


def commands(source: Path, items: Path | None, recipe: Path = RECIPE) -> list[list[str]]:
    """Return the commands, in order, from text to page.

    Args:
        source: Folder with one sub-folder of text for each language.
        items: Folder of evaluation items, or None.
        recipe: What is trained.
    """
    corpus = ["--corpus", str(_OUT / "corpus")]
    plan, run, export = (_OUT / "plan" / f"{NAME}.yaml", _OUT / "runs" / NAME, _OUT / "exports")
    evaluation = ["evaluate", str(export / NAME), "--suite", _SUITE, "--items", str(items)]
    report = ["report", "build", NAME, "--artifacts", str(_OUT)]
    build = ["corpus", "build", str(recipe), "--source", str(source), "--out", str(_OUT / "corpus")]
    return [
        [*build, *(["--items", str(items)] if items else [])],
        ["plan", "predict", str(recipe), *corpus, "--out", str(plan.parent)],
        ["train", str(plan), *corpus, "--out", str(run.parent)],
        ["export", str(run), *corpus, "--out", str(export)],
        *([[*evaluation, *corpus, "--out", str(_OUT / "eval")]] if items else []),
        [*report, *(["--suites", _SUITE] if items else []), "--out", str(REPORT)],
    ]


def recipe_for(source: Path) -> Path:
    """Return the recipe that trains on what a folder holds; say how it differs from the checkout's.

    The same folder gives the same bytes.

    Args:
        source: Folder with one sub-folder of text for each language.

    Returns:
        The checkout's recipe where the folder has all its languages, or none at all; else one cut
        to those that it has, which is written.

    Raises:
        UserInputError: The recipe is malformed, none of its languages is there, or a folder's name
            is no language.
    """
    from skald_specs.files import read_yaml, write_yaml
    from skald_specs.languages import language
    from skald_specs.recipe import Recipe

    mixture = Recipe.load(RECIPE).mixture
    found = source.iterdir() if source.is_dir() else ()
    there = sorted(path.name for path in found if path.is_dir() and path.name[0] != ".")
    missing = [tag for tag in mixture if tag not in there]
    if not there or not missing:
        return RECIPE
    for name in there:
        language(name, str(source / name))  # a mistyped folder would be left out
    kept = {tag: share for tag, share in mixture.items() if tag in there}
    if not kept:
        raise UserInputError(
            str(source),
            f"has {', '.join(there)}, and {RECIPE} has none of them",
            f"Set `languages: [{', '.join(there)}]` and "
            f"`mixture: {{{', '.join(f'{tag}: 1.0' for tag in there)}}}` in it",
        )
    value = read_yaml(RECIPE)
    value["corpus"]["languages"] = [tag for tag in value["corpus"]["languages"] if tag in kept]
    value["mixture"] = kept
    write_yaml(CUT, value)
    shares = ", ".join(f"{tag} {share:g}" for tag, share in kept.items())
    print(f"{CUT}: {RECIPE} without {', '.join(missing)}; mixture: {shares}", flush=True)
    for name in there:
        if name not in kept:
            print(f"note: {source / name} is left out: {RECIPE} does not have it", flush=True)
    return CUT


def main(words: list[str] | None = None) -> int:
    """Run the commands one after the other; stop at the first that fails."""
    parser = Parser(
        prog="nox -s own_text --", description=__doc__, usage="%(prog)s DIR [ITEMS_DIR]"
    )
    parser.add_argument(
        "source", type=Path, metavar="DIR", help="one folder of text for each language"
    )
    parser.add_argument(
        "items", type=Path, nargs="?", metavar="ITEMS_DIR", help="what the suite `ud` asks"
    )
    args: argparse.Namespace = parser.parse_args(words)
    # All stations run in this process, and tqdm reads this when the first of them imports it.
    os.environ.setdefault("TQDM_DISABLE", "1")
    try:
        recipe = recipe_for(args.source)
    except SkaldError as error:
        print(f"skald: {error}", file=sys.stderr)
        return error.exit_code
    raise_on_signals()
    try:
        code = _run_all(commands(args.source, args.items, recipe))
    except KeyboardInterrupt:  # between two of them
        return report_interrupt()
    stop_listening()
    return code


def _run_all(words: Sequence[Sequence[str]]) -> int:
    for command in words:
        print(f"+ skald {shlex.join(command)}", flush=True)
        code = skald(command)
        if code != EXIT_DONE:
            return code
    print(f"report: {(Path.cwd() / REPORT / 'index.html').as_posix()}")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
