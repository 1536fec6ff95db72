"""The command line itself: which words and flags there are, and what it costs to ask."""

import argparse
import os
import re
import subprocess
import sys

import pytest
from skald_cli.main import build_parser, main
from skald_cli.parser import explain
from skald_specs.models import Spec
from skald_specs.recipe import Recipe

#: Every flag of every verb. A new one is a decision: no flag may change a result.
FLAGS = {
    "corpus generate": {"--out", "--pin"},
    "corpus build": {
        "--source",
        "--out",
        "--items",
        "--stage",
        "--workers",
        "--keep-going",
        "--engine",
    },
    "corpus contamination": {"--corpus"},
    "corpus why": set(),
    "corpus ablate": {"--recipe", "--seeds", "--on", "--pairs", "--out"},
    "sweep run": {"--corpus", "--out", "--next", "--towards", "--fit"},
    "plan fit": {"--columns", "--schedule", "--out"},
    "plan predict": {
        "--fit",
        "--corpus",
        "--no-corpus",
        "--extrapolate",
        "--untransferred",
        "--out",
    },
    "plan show": {"--width", "--depth", "--nodes"},
    "plan compare": set(),
    "plan memory": {"--layout"},
    "train": {"--corpus", "--out", "--resume"},
    "checkpoint inspect": {"--json"},
    "checkpoint verify": set(),
    "checkpoint convert": {"--out", "--plan", "--weights-dtype", "--corpus"},
    "export": {"--corpus", "--out"},
    "generate": {"--prompt", "--tokens", "--seed", "--corpus"},
    "evaluate": {
        "--suite",
        "--items",
        "--corpus",
        "--out",
        "--languages",
        "--models",
        "--backend",
        "--trust-remote-code",
        "--verify",
        "--watch",
    },
    "evals export": {"--format", "--out"},
    "evals validate": set(),
    "evals list": {"--suite", "--language", "--lang"},
    "evals check": {"--accept"},
    "evals items": {"--out", "--items", "--language"},
    "report build": {"--artifacts", "--suites", "--published", "--evidence", "--out"},
    "report cards": {"--hub", "--out"},
    "report compare": {"--records", "--out"},
    "report import-published": {"--date", "--source", "--out"},
    "report release": {"--report"},
    "launch": {
        "--site",
        "--account",
        "--time",
        "--container",
        "--evaluate",
        "--items",
        "--languages",
        "--models",
        "--corpus",
        "--out",
        "--resume",
        "--script",
    },
    "mup coord-check": {"--widths", "--depths", "--seeds", "--scale-heads", "--out"},
    "completion": set(),
    "doctor": set(),
    "help": set(),
}


def verbs(parser: argparse.ArgumentParser, words: str = "") -> dict[str, argparse.ArgumentParser]:
    """Return the parsers that do something, by the words that lead to them."""
    groups = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if not groups:
        return {words.strip(): parser}
    found = {}
    for name, child in groups[0].choices.items():
        found |= verbs(child, f"{words} {name}")
    return found


def flags_of(parser: argparse.ArgumentParser) -> set[str]:
    return {flag for a in parser._actions for flag in a.option_strings} - {"-h", "--help"}


def test_the_set_of_verbs_and_flags() -> None:
    assert {name: flags_of(parser) for name, parser in verbs(build_parser()).items()} == FLAGS


def recipe_fields(spec: type[Spec]) -> set[str]:
    names = set()
    for name, field in spec.model_fields.items():
        kind = field.annotation
        names.add(name)
        if isinstance(kind, type) and issubclass(kind, Spec):
            names |= recipe_fields(kind)
    return names


def test_no_verb_that_makes_a_result_takes_a_hyperparameter() -> None:
    # A folder (`corpus`), a set of seeds of sampling (`generate`) and a selection (`plan fit --schedule`)
    # are no numbers of a run; everything else that a recipe has must come from the recipe.
    allowed = {"corpus", "languages", "schedule", "source", "sweep"}
    fields = recipe_fields(Recipe)
    assert {"base_lr", "d_model", "horizon_tokens", "dp"} <= fields
    for name, flags in FLAGS.items():
        # `mup coord-check` and `corpus ablate` are analysis: their seeds train nothing that
        # anything else reads.
        if name not in ("generate", "mup coord-check", "corpus ablate"):
            assert {flag[2:].replace("-", "_") for flag in flags} & fields <= allowed, name


def test_help_answers_at_once_and_imports_no_station() -> None:
    code = (
        "import sys; from skald_cli.main import build_parser; build_parser().format_help();"
        "print(sorted({m.split('.')[0] for m in sys.modules}))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    for heavy in ("torch", "pydantic", "numpy", "yaml", "pandas", "nanotron", "lm_eval"):
        assert repr(heavy) not in loaded.stdout, heavy
    assert "'skald_specs'" in loaded.stdout
    # CPU seconds: others may use the machine, too.
    seconds = []
    for _ in range(3):
        before = os.times()
        subprocess.run(
            [sys.executable, "-m", "skald_cli.main", "--help"], capture_output=True, check=True
        )
        after = os.times()
        user = after.children_user - before.children_user
        seconds.append(user + after.children_system - before.children_system)
    assert min(seconds) < 0.5


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["trian", "x"], "no verb 'trian'; did you mean 'train'? See `skald --help`"),
        (["plan", "ft", "x"], "no verb 'ft'; did you mean 'fit'? See `skald plan --help`"),
        (
            ["plan", "zzzz"],
            "no verb 'zzzz'; there are fit, predict, show, compare, memory. See `skald plan --help`",
        ),
        (
            ["plan"],
            "what shall `skald plan` do? There are fit, predict, show, compare, memory. "
            "See `skald plan --help`",
        ),
        (
            ["evaluate", "--suit", "core"],
            "no option --suit; did you mean --suite? See `skald evaluate --help`",
        ),
        (
            ["evaluate", "--item=x"],
            "no option --item; did you mean --items? See `skald evaluate --help`",
        ),
        (["--hlep"], "no option --hlep; did you mean --help? See `skald --help`"),
        (["train", "--hlep"], "no option --hlep; did you mean --help? See `skald train --help`"),
        (["eval", "x"], "no verb 'eval'; did you mean 'evaluate' or 'evals'? See `skald --help`"),
        (["help", "trian"], "no verb 'trian'; did you mean 'train'? See `skald --help`"),
        (
            ["completion", "fish"],
            "SHELL: no 'fish'; there are bash, zsh. See `skald completion --help`",
        ),
        (["evals", "list", "--zzz"], "no option --zzz. See `skald evals list --help`"),
        (
            ["train"],
            "PLAN missing, as in `skald train artifacts/plan/mini-7.8b.yaml`. "
            "See `skald train --help`",
        ),
    ],
)
def test_a_mistyped_command_is_one_line(
    words: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2
    shown = capsys.readouterr()
    assert shown.err == f"skald: {expected}\n"
    assert shown.out == ""


def test_help_pages_show_defaults_where_there_are_some() -> None:
    pages = {name: parser.format_help() for name, parser in verbs(build_parser()).items()}
    for name, page in pages.items():
        assert not re.search(r"\(default:\s+(None|False|\[\])\)", page), name
    assert "(default: artifacts/exports)" in " ".join(pages["export"].split())


def test_both_spellings_of_argparse_are_understood() -> None:
    older = "argument VERB: invalid choice: 'fti' (choose from 'fit', 'show')"
    newer = "argument VERB: invalid choice: 'fti' (choose from fit, show)"
    assert explain(older) == explain(newer) == "no verb 'fti'; did you mean 'fit'?"
    option = "argument --stage: invalid choice: 'qualiti' (choose from 'rights', 'quality')"
    assert explain(option) == "--stage: no 'qualiti'; did you mean 'quality'?"
