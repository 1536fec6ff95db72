"""Errors become one line and an exit code; only a bug of ours shows a traceback."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from skald_cli import doctor
from skald_cli.interrupts import INTERRUPTED
from skald_cli.main import main
from skald_cli.meant import path_meant
from skald_process.stopping import STOP_SIGNALS
from skald_specs.errors import ClaimError, InterruptedRunError, UserInputError
from skald_specs.files import DiskError
from support import ROOT

RECIPE = ROOT / "recipes" / "mini-7.8b.yaml"


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch):
    """Make `skald doctor` raise."""

    def arrange(error: BaseException) -> None:
        def run(args: Any) -> int:
            raise error

        monkeypatch.setattr(doctor, "run_doctor", run)

    return arrange


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UserInputError("a.yaml", "wrong", "Mend it"), 2),
        (ClaimError("two\nlines"), 1),
        (InterruptedRunError("stopped; run again"), 75),
        (KeyboardInterrupt(), 75),
    ],
)
def test_errors_are_one_line_with_their_exit_code(
    raising: Any, error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(error)
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    try:
        assert main(["doctor"]) == code
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    shown = capsys.readouterr().err
    assert shown.startswith("skald: ") and shown.count("\n") == 1


#: Interrupted in `skald doctor`; a signal arrives while it unwinds, or while Python ends.
_INTERRUPTED = """
import atexit, os, signal, sys, time
from skald_cli import doctor
from skald_cli.main import main
from skald_cli.meant import path_meant

def again():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.2)

class Late:
    def __del__(self, kill=os.kill, me=os.getpid(), number=signal.SIGINT):
        kill(me, number)

def run(args):
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
    finally:
        if sys.argv[1] == "unwinding":
            again()

doctor.run_doctor = run
code = main(["doctor"])
if sys.argv[1] == "ending":
    atexit.register(again)
    sys.late = Late()  # dies when Python has put the handlers of signals back already
sys.exit(code)
"""


@pytest.mark.parametrize("when", ["unwinding", "ending", "once"])
def test_a_second_interrupt_changes_nothing(when: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED, when],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (75, f"{INTERRUPTED}\n")


def test_a_bug_keeps_its_traceback(raising: Any) -> None:
    raising(ZeroDivisionError("ours"))
    with pytest.raises(ZeroDivisionError):
        main(["doctor"])


def edited(tmp_path: Path, *path: str, value: Any) -> Path:
    recipe = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))
    node = recipe
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (
            ("model", "d_modle"),
            96,
            ["unknown key `model.d_modle`", "Did you mean 'd_model'?", "Use one of: "],
        ),
        (("budget", "horizon_tokens"), -1, ["`budget.horizon_tokens` = -1", "greater than 0"]),
        (("execution", "tp"), 3, ["model.n_heads = 16", "not divisible by execution.tp = 3"]),
        (("model", "vocab_size"), 512, ["model.vocab_size = 512", "tokenizer's 2048", "raise it"]),
        (("schema_version",), 9, ["schema_version", "9"]),
    ],
)
def test_a_bad_recipe_is_refused_before_anything_is_written(
    tmp_path: Path,
    path: tuple[str, ...],
    value: Any,
    words: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    recipe = edited(tmp_path, *path, value=value)
    assert main(["corpus", "build", str(recipe), "--out", str(out)]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith(f"skald: {recipe}: ") and shown.count("\n") == 1
    for word in words:
        assert word in shown
    assert not out.exists()


def test_the_recipe_is_sound_unedited(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "show", str(RECIPE)]) == 0
    assert "n_params_total" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ["train", "missing.yaml"],
        ["export", "missing"],
        ["plan", "show", "missing.yaml"],
        ["checkpoint", "verify", "missing"],
        ["report", "compare", "missing", "missing"],
    ],
)
def test_a_missing_input_is_named(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    shown = capsys.readouterr().err
    assert words[-1] in shown and shown.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def kinds(tmp_path: Path) -> dict[str, str]:
    """One file of each kind, by kind; those of a plan and a fit hold what tells them only."""
    (tmp_path / "plan.yaml").write_text("identity: {}\n")
    (tmp_path / "fit.json").write_text('{"families": []}\n')
    (tmp_path / "empty.yaml").write_text("")
    return {
        "recipe": str(RECIPE),
        "plan": str(tmp_path / "plan.yaml"),
        "fit": str(tmp_path / "fit.json"),
        "map": str(ROOT / "recipes" / "columns" / "steplaw.yaml"),
        "empty": str(tmp_path / "empty.yaml"),
    }


@pytest.mark.parametrize(
    ("words", "wrong", "said"),
    [
        (["plan", "predict", "{recipe}", "--no-corpus", "--fit", "{plan}"], "plan",
         "a plan, not a fit. Name the fit.json that `skald plan fit` wrote"),
        (["plan", "predict", "{fit}"], "fit", "a fit, not a recipe. Name a file under recipes/"),
        (["plan", "predict", "{empty}"], "empty", "it is empty. Name a file under recipes/"),
        (["train", "{recipe}"], "recipe", "a recipe, not a plan. Run `skald plan predict` on it"),
        (["plan", "fit", "{recipe}", "--columns", "{recipe}"], "recipe",
         "a recipe, not a column map. Name a column map"),
        (["plan", "compare", "{recipe}", "{fit}"], "fit", "a fit, neither a recipe nor a plan."),
        (["plan", "show", "{map}"], "map", "a column map, neither a recipe nor a plan nor a fit."),
        (["plan", "show", "{empty}"], "empty", "it is empty."),
    ],
)  # fmt: skip
def test_a_file_of_another_kind_is_named(
    kinds: dict[str, str],
    words: list[str],
    wrong: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([word.format(**kinds) for word in words]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith(f"skald: {kinds[wrong]}: {said}") and shown.count("\n") == 1


@pytest.mark.parametrize(
    ("path", "typed", "word"),
    [
        (("optimizer", "base_lr"), "sweeep", "'sweep'"),
        (("parametrisation", "weight_decay"), "horizn", "'horizon'"),
    ],
)
def test_a_mistyped_word_names_the_right_one(
    path: tuple[str, ...], typed: str, word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = edited(tmp_path, *path, value=typed)
    assert main(["plan", "show", str(recipe)]) == 2
    said = f"`{'.'.join(path)}` = {typed!r}: Input should be a valid number or {word}. Did you mean {word}?"
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("recipes/mini-7.8.yaml", "recipes/mini-7.8b.yaml"),
        ("recipe/mini-7.8b.yaml", "recipes/mini-7.8b.yaml"),
        ("own-text", "recipes/own-text.yaml"),
        ("own-txet.yaml", "recipes/own-text.yaml"),
        ("nonexist.yaml", None),
        ("recipes/zzzz.yaml", None),
    ],
)
def test_a_path_is_offered_where_it_is_near(
    typed: str,
    meant: str | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["plan", "show", typed]) == 2
    said = capsys.readouterr().err
    assert (f"Did you mean {meant}?" in said) if meant else ("Did you mean" not in said)
    assert said.startswith(f"skald: {typed}: ") and said.count("\n") == 1


def test_the_line_of_a_file_that_is_there_is_no_mistyped_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("items").mkdir()
    Path("items/da.jsonl").touch()
    error = UserInputError("items/da.jsonl:1", "wrong", "Mend it")
    assert path_meant(error, ["evals", "items", "da.jsonl"]) is error
    full = DiskError("item/x", "the disk is full", "Free some space")
    assert path_meant(full, ["corpus", "build", "item"]) is full
    missing = UserInputError("item/da.jsonl", "no such file", "Check it")
    assert "items/da.jsonl?" in str(path_meant(missing, ["corpus", "build", "item/da.jsonl"]))
