"""`skald completion`: what a shell needs to complete verbs, options, files and names.

Knows which arguments are files and which are names; shtab knows the shells. Names of suites, sites
and models are looked up when Tab is pressed, in the folder that one is in.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from skald_specs.errors import EXIT_DONE

from skald_cli.parser import Parser, Verbs

SHELLS = ("bash", "zsh")
#: Shell commands that print names, one a line.
_LOOKED_UP = {
    "suites": "command ls -d evals/*/ 2>/dev/null | cut -d/ -f2 | grep -vx published",
    "sites": "command ls sites 2>/dev/null | sed 's/[.]yaml$//'",
    "models": r"sed -n 's|.*{hub_id: *[^/]*/\([^,} ]*\).*|\1|p' evals/models.yaml 2>/dev/null",
    "runs": "command ls artifacts/runs 2>/dev/null",
}
#: What stands at an argument that is no path, by its metavar.
_BY_METAVAR = {
    "SUITE": "suites",
    "SUITE[,SUITE...]": "suites",
    "SITE": "sites",
    "MODEL_NAME": "models",
    "RUN_NAME": "runs",
    "TAG": "languages",
    "TAG[,TAG...]": "languages",
}
#: Metavars of arguments that are paths, though they are read as words first.
_PATHS = {"[SUITE=]DIR", "PATH_OR_URL", "WHAT"}


def register(verbs: Verbs) -> None:
    """Add the verb of this module."""
    parser = verbs.add(
        "completion",
        "print the code by which bash or zsh completes this command line",
        run_completion,
        more="Once, in the start-up file of your shell, with `skald` on the path. Then Tab completes "
        "verbs, options, files, suites, sites, models and languages. Reads and writes nothing.",
        examples={
            "in ~/.bashrc: eval \"$(skald completion bash)\"": "skald completion bash",
            "in ~/.zshrc, after compinit: eval \"$(skald completion zsh)\"": "skald completion zsh",
        },
    )  # fmt: skip
    parser.set_defaults(whole=verbs.parser)
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=f"{' or '.join(SHELLS)}")


def run_completion(args: argparse.Namespace) -> int:
    """Print the shell's code."""
    import shtab

    parser: Parser = args.whole
    for action in actions(parser):
        if how := _how(action):
            action.complete = how  # type: ignore[attr-defined]  # where shtab looks
    print(shtab.complete(parser, args.shell, preamble=_functions(args.shell)))
    return EXIT_DONE


def actions(parser: Parser) -> Iterator[argparse.Action]:
    """Yield every argument of a parser and of the verbs below it."""
    for action in parser._actions:
        if action.nargs == argparse.PARSER and isinstance(action.choices, dict):
            for child in action.choices.values():
                yield from actions(child)
        else:
            yield action


def _how(action: argparse.Action) -> dict[str, str] | None:
    """Return what completes an argument, by shell; None where nothing can."""
    shown = action.metavar
    if isinstance(shown, str) and shown in _BY_METAVAR:
        return dict.fromkeys(SHELLS, f"_skald_{_BY_METAVAR[shown]}")
    if action.type is Path or shown in _PATHS:
        return {"bash": "_shtab_compgen_files", "zsh": "_files"}
    return None


def _functions(shell: str) -> str:
    """Return the functions that print names."""
    from skald_specs.languages import BY_TAG

    commands = {**_LOOKED_UP, "languages": f"printf '%s\\n' {' '.join(BY_TAG)}"}
    body = {"bash": 'compgen -W "$({})" -- "$1"', "zsh": 'compadd -- ${{(f)"$({})"}}'}[shell]
    return "\n".join(
        f"_skald_{name}() {{ {body.format(command)}; }}" for name, command in commands.items()
    )
