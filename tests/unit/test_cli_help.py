"""The help pages: every verb shows commands that run, every argument says what it is."""

from __future__ import annotations

import argparse
import re
import shlex

import pytest
from skald_cli.main import _SECTIONS, build_parser, main
from skald_cli.parser import Parser, Verbs
from skald_specs.errors import EXIT_DONE
from support import ROOT


def pages(parser: Parser) -> dict[str, Parser]:
    """Return a parser and those below it, by the words that lead to them."""
    found = {parser.prog: parser}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                found |= pages(child)
    return found


def faults(parser: Parser) -> list[str]:
    """Return what a help page lacks."""
    own = [action for action in parser._actions if action.nargs != argparse.PARSER]
    found = [f"no help: {action.dest}" for action in own if not action.help]
    if not parser.description:
        found.append("no description")
    if parser.verbs is None and not parser.examples:
        found.append("no example")
    found += [f"long: {line}" for line in parser.format_help().splitlines() if len(line) > 100]
    return found


PAGES = pages(build_parser())
EXAMPLES = {command: prog for prog, parser in PAGES.items() for command in parser.examples.values()}


@pytest.mark.parametrize("prog", PAGES)
def test_a_page_is_whole(prog: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for columns in ("20", "300"):
        monkeypatch.setenv("COLUMNS", columns)
        assert faults(PAGES[prog]) == []


def test_an_empty_page_is_noticed() -> None:
    verbs = Verbs(Parser(prog="x"))
    bare = verbs.add("bare", "", lambda args: 0, more="", examples={})
    bare.add_argument("file")
    assert faults(bare) == ["no help: file", "no description", "no example"]


@pytest.mark.parametrize("command", EXAMPLES)
def test_an_example_is_a_command_of_its_verb(command: str) -> None:
    assert command.startswith(EXAMPLES[command])
    args = build_parser().parse_args(shlex.split(command)[1:])
    assert callable(args.run)


def test_examples_name_files_of_the_checkout_that_exist() -> None:
    named = {
        word
        for command in EXAMPLES
        for word in shlex.split(command)
        if re.match(r"(recipes|sources|reports|evals)/", word)
    }
    assert len(named) > 5
    # A report's page and cards are written by the command itself.
    missing = {word for word in named if not (ROOT / word).exists()}
    assert missing <= {"reports/latest", "reports/own-text", "reports/cards"}


def test_every_verb_stands_in_one_section_of_the_main_page() -> None:
    top = build_parser()
    assert top.verbs is not None
    named = [name for names in _SECTIONS.values() for name in names]
    assert sorted(named) == sorted(top.verbs.abouts)
    page = top.format_help()
    places = [page.index(f"\n  {name} ") for name in named]
    assert places == sorted(places)
    for words in ("exit codes:", "0   done", "75  interrupted", "predict, show, compare"):
        assert words in page


def test_help_is_an_answer_and_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["corpus", "build", "--help"])
    assert stopped.value.code == EXIT_DONE
    shown = capsys.readouterr()
    assert "examples:\n  # " in shown.out
    assert shown.err == ""


def test_nothing_at_all_is_answered_with_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    shown = capsys.readouterr()
    assert shown.err == build_parser().format_help() and shown.out == ""
    with pytest.raises(SystemExit) as stopped:
        main(["corpus"])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "There are " in said and said.endswith("--help`\n")


@pytest.mark.parametrize("words", [[], ["train"], ["plan"], ["plan", "fit"]])
def test_help_before_a_verb_is_help_behind_it(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    pages = []
    for asked in (["help", *words], [*words, "--help"]):
        with pytest.raises(SystemExit) as stopped:
            main(asked)
        assert stopped.value.code == EXIT_DONE
        pages.append(capsys.readouterr())
    assert pages[0] == pages[1] and pages[0].err == ""


def test_a_question_is_asked_once_and_a_list_is_shown_as_it_is_typed() -> None:
    page = " ".join(PAGES["skald mup coord-check"].format_help().split())
    assert "model's size? Before" in page and "?." not in page
    assert "(default: 32 64 128 256)" in page
