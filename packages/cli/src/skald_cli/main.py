"""Entry point: the whole command line, and the one place where errors become exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from skald_process.progress import shown
from skald_specs.errors import EXIT_CLAIM_FAILED, EXIT_USER_INPUT, SkaldError

from skald_cli.interrupts import (
    leaving_at_once,
    raise_on_signals,
    report_interrupt,
    stop_listening,
    was_interrupted,
)
from skald_cli.meant import path_meant
from skald_cli.streams import settle

if TYPE_CHECKING:
    from skald_cli.parser import Parser

_ABOUT = """\
Train Germanic-language baseline models, evaluate them, and tell how they compare.

Every verb reads files and writes files. Run them in the root of the checkout: the paths that they take
for granted (recipes/, artifacts/, ...) are counted from there. `nox -s cycle` runs all stations in
miniature."""
_SECTIONS = {
    "stations, in their order": (
        "corpus", "sweep", "plan", "train", "export", "evaluate", "report",
    ),
    "beside them": ("mup", "checkpoint", "generate", "launch", "evals"),
    "this installation": ("doctor", "completion", "help"),
}  # fmt: skip
_EPILOG = """\
exit codes:
  0   done
  1   a check, claim or bound did not hold
  2   the input is wrong: one line says what, and what to do
  75  interrupted; the same command goes on from there

`skald VERB --help` says what a verb reads and writes, and shows commands that run."""


def build_parser() -> Parser:
    """Build the command line; imports no station."""
    # Imported here: a signal that comes during an import must meet a handler.
    from skald_specs import __version__

    from skald_cli import (
        ablating,
        completing,
        corpus,
        doctor,
        evaluating,
        helping,
        launching,
        parametrising,
        planning,
        reporting,
        showing,
        suites,
        sweeping,
        training,
    )
    from skald_cli.parser import Parser, Verbs

    parser = Parser(prog="skald", description=_ABOUT, epilog=_EPILOG)
    parser.add_argument("--version", action="version", version=f"skald {__version__}")
    verbs = Verbs(parser, _SECTIONS)
    stations = (
        corpus, ablating, sweeping, planning, showing, training, launching, evaluating, suites, reporting, parametrising, doctor, completing, helping,
    )  # fmt: skip
    for module in stations:
        module.register(verbs)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: The words after `skald`; the process's own by default.

    Returns:
        The exit code of the contract: 0 done, 1 a check failed, 2 the input is wrong, 75
        interrupted and resumable. A bug of ours keeps its traceback.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    with leaving_at_once():
        if argv is None:
            settle()
        parser = build_parser()
        if not words:
            parser.print_help(sys.stderr)
            return EXIT_USER_INPUT
        args = parser.parse_args(words)
    raise_on_signals()
    try:
        with shown(args.verb):
            code: int = args.run(args)
        sys.stdout.flush()
    except SkaldError as error:
        print(f"skald: {' '.join(str(path_meant(error, words)).split())}", file=sys.stderr)
        if error.details:
            print(error.details, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return report_interrupt()
    except BrokenPipeError:
        # The reader of our output left (`skald evals list | head`); nothing more can be printed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_CLAIM_FAILED
    except Exception as error:
        if was_interrupted():
            return report_interrupt()
        from skald_specs.files import lack_of_machine

        lack = lack_of_machine(error)
        if lack is None:
            raise
        print(f"skald: {lack}", file=sys.stderr)
        return lack.exit_code
    finally:
        if argv is None:
            stop_listening()
    return code


if __name__ == "__main__":
    sys.exit(main())
