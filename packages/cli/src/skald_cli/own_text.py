"""The whole way on a user's own text, as the commands one would type; see docs/own-text.md.

`nox -s own_text -- DIR [ITEMS_DIR]`. DIR holds one folder for each language; ITEMS_DIR holds what the
suite `ud` asks (docs/own-task.md): `pairs/<language>.jsonl`, `ntrex/<language>.jsonl`,
`ud/<language>/test.jsonl`, each plain or `.gz`. Without it the page shows training alone.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from skald_specs.errors import EXIT_DONE

from skald_cli.interrupts import raise_on_signals, report_interrupt, stop_listening
from skald_cli.main import main as skald
from skald_cli.parser import Parser
from skald_cli.places import ARTIFACTS

RECIPE = Path("recipes/own-text.yaml")
NAME = RECIPE.stem
REPORT = Path("reports") / NAME
_OUT = ARTIFACTS / NAME
_SUITE = "ud"


def commands(source: Path, items: Path | None) -> list[list[str]]:
    """Return the commands, in order, from text to page.

    Args:
        source: Folder with one sub-folder of text for each language.
        items: Folder of evaluation items, or None.
    """
    corpus = ["--corpus", str(_OUT / "corpus")]
    plan, run, export = (_OUT / "plan" / f"{NAME}.yaml", _OUT / "runs" / NAME, _OUT / "exports")
    evaluation = ["evaluate", str(export / NAME), "--suite", _SUITE, "--items", str(items)]
    report = ["report", "build", NAME, "--artifacts", str(_OUT)]
    build = ["corpus", "build", str(RECIPE), "--source", str(source), "--out", str(_OUT / "corpus")]
    return [
        [*build, *(["--items", str(items)] if items else [])],
        ["plan", "predict", str(RECIPE), *corpus, "--out", str(plan.parent)],
        ["train", str(plan), *corpus, "--out", str(run.parent)],
        ["export", str(run), *corpus, "--out", str(export)],
        *([[*evaluation, *corpus, "--out", str(_OUT / "eval")]] if items else []),
        [*report, *(["--suites", _SUITE] if items else []), "--out", str(REPORT)],
    ]


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
    raise_on_signals()
    try:
        code = _run_all(commands(args.source, args.items))
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
