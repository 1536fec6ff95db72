"""`skald evaluate` before anything is asked: what it refuses, and what its words mean."""

import os
import subprocess
import sys

import pytest
from skald_cli.evaluating import _counted, _languages
from skald_cli.main import main
from skald_process.locks import LockedError
from skald_specs.errors import UserInputError


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--verify", "--suite", "ud"], "--verify: does not take --suite."),
        (["x", "--verify"], "--verify: does not take EXPORT."),
        (["--verify", "--watch", "run"], "--verify: does not take --watch."),
        (["x", "--suite", "core", "--watch", "run"], "--watch: does not take EXPORT."),
        (
            ["--suite", "core", "--watch", "run", "--models", "m"],
            "--watch: does not take --models.",
        ),
        (["--suite", "core", "--corpus", "nowhere"], "--corpus: no corpus in nowhere"),
        (["--verify", "--corpus", "nowhere"], "--corpus: no corpus in nowhere"),
        (["--suite", "core", "--languages", "fo", "folder"], "'folder' is no language tag. Name"),
        (["--suite", "core", "--languages", ","], "--languages: no language named"),
        (["--suite", "core", "--models", ""], "--models: no model named"),
        (["--suite", "core", "--models", "zzzz"], "--models: unknown model or group 'zzzz'"),
        (["--suite", "core", "--models", "mini"], "'mini' is an export. Name it as artifacts/exp"),
        (["--suite", "core", "--watch", "folder"], "folder: neither a run nor empty"),
        # What is allowed reaches the next check.
        (["--verify"], "artifacts/eval: no evaluation here"),
        (["--suite", "core", "--watch", "run"], "run: no such run"),
        (["folder", "--suite", "core"], "data/items: no such items folder"),
    ],
)
def test_one_line_before_anything_is_asked(words, said, tmp_path, monkeypatch, capsys):
    (tmp_path / "folder" / "sub").mkdir(parents=True)
    (tmp_path / "artifacts" / "exports" / "mini").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", *words]) == 2
    shown = capsys.readouterr()
    assert said in shown.err and shown.err.count("\n") == 1 and shown.out == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["artifacts", "folder"]
    assert [path.name for path in (tmp_path / "artifacts").iterdir()] == ["exports"]


def test_languages_may_be_parted_by_commas_and_spaces():
    assert _languages(["fo,is", "da"]) == ["fo", "is", "da"]
    assert _languages(None) is None


def test_numbers_agree_with_their_nouns():
    assert [_counted(n, "task") for n in (0, 1, 2)] == ["0 tasks", "1 task", "2 tasks"]


def test_who_comes_second_is_told_to_try_again_and_bad_input_is_not():
    assert LockedError("a", "b", "c").exit_code == 75
    assert UserInputError("a", "b", "c").exit_code == 2


def test_no_library_draws_bars_where_the_harness_is_imported_first():
    bar = "from tqdm import tqdm; list(tqdm(range(3)))"
    environment = {name: value for name, value in os.environ.items() if name != "TQDM_DISABLE"}
    drawn = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, env=environment, check=True
        ).stderr
        for code in (bar, f"import skald_harness.models.groups; {bar}")
    ]
    assert b"3/3" in drawn[0] and drawn[1] == b""
