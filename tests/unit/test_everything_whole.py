"""`nox -s all` from its words to its exit code, with steps that take no time."""

import json
import subprocess

import _everything
import pytest
from _everything_steps import Step


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Stand in a clean repository in which two steps pass, one fails and one waits for that."""
    steps = [
        Step("good", "program", ("-c", "print('fine')"), 0.01),
        Step("bad", "program", ("-c", "import pathlib; assert pathlib.Path('mended').exists(), 'not mended'"), 0.01),
        Step("user", "program", ("-c", "pass"), 0.01, needs=("bad",)),
        Step("tests", "program", ("-c", "pass"), 0.01, wide=True),
    ]  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".gitignore").write_text("build/\nmended\n")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.example"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        subprocess.run([*git, *words], check=True)
    monkeypatch.setattr(_everything, "chosen", lambda names: steps)
    monkeypatch.setattr(_everything, "can_cut", lambda: "this is a test")
    monkeypatch.setattr(_everything._claims, "main", lambda words: 0)
    monkeypatch.setattr(_everything.os, "sched_setaffinity", lambda *_: None)
    return tmp_path


def rows(checkout):
    found = json.loads((checkout / "build" / "bench" / "all.json").read_text())
    return {row["measure"]: row for row in found}


def test_failures_are_listed_and_a_rerun_takes_up_what_is_left(checkout, capsys):
    assert _everything.main([]) == 1
    told = capsys.readouterr().out
    assert "2 of 4 steps passed" in told and "user" in told and "not run: needs bad" in told
    assert "FAILED bad: AssertionError: not mended (build/all/bad.log)" in told
    first = rows(checkout)
    assert first["steps that failed or could not begin"]["detail"] == "bad, user"
    assert first["everything, with the environment"]["holds"] is True
    assert first["building the environment"]["holds"] is None

    (checkout / "mended").touch()
    assert _everything.main([]) == 0
    told = capsys.readouterr().out
    assert "begins  bad" in told and "begins  good" not in told
    assert rows(checkout)["everything, with the environment"]["holds"] is None, "two runs"
    assert rows(checkout)["steps that failed or could not begin"]["holds"] is True

    assert _everything.main(["--again"]) == 0
    assert "begins  good" in capsys.readouterr().out


def test_nothing_counts_as_passed_where_the_tree_has_changes(checkout, capsys):
    (checkout / "new").touch()
    (checkout / "mended").touch()
    assert [_everything.main([]), _everything.main([])] == [0, 0]
    told = capsys.readouterr().out
    assert told.count("begins  good") == 2 and "the tree has changes" in told


def test_the_plan_runs_nothing_and_an_unknown_step_is_refused(checkout, capsys):
    assert _everything.main(["--plan"]) == 0
    assert "with the environment" in capsys.readouterr().out
    assert not (checkout / "build").exists()
    with pytest.raises(SystemExit) as ended:
        _everything.main(["no-such-step"])
    assert ended.value.code == 2


def test_a_bound_that_is_missed_is_a_failure_though_every_step_passed(
    checkout, capsys, monkeypatch
):
    (checkout / "mended").touch()
    monkeypatch.setattr(_everything, "MOST_MINUTES", 0.0)
    assert _everything.main([]) == 1
    assert "FAILED everything, with the environment" in capsys.readouterr().out


def test_what_passed_with_forgiveness_has_not_passed_without(checkout, capsys, monkeypatch):
    (checkout / "mended").touch()
    script = Step("script", "script", ("benchmarks/none.py",), 0.01)
    monkeypatch.setattr(_everything, "chosen", lambda names: [script])
    (checkout / "benchmarks").mkdir()
    (checkout / "benchmarks" / "none.py").write_text("")
    (checkout / ".gitignore").write_text("build/\nmended\nbenchmarks/\n.gitignore\n")
    assert _everything.main(["--allow-missing"]) == 0
    capsys.readouterr()
    assert _everything.main([]) == 0
    assert "begins  script" in capsys.readouterr().out
