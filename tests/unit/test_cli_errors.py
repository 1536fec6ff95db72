"""Errors become one line and an exit code; only a bug of ours shows a traceback."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from skald_cli import doctor
from skald_cli.main import main
from skald_specs.errors import ClaimError, InterruptedRunError, UserInputError
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
    assert main(["doctor"]) == code
    shown = capsys.readouterr().err
    assert shown.startswith("skald: ") and shown.count("\n") == 1


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
        (("model", "d_modle"), 96, ["unknown key `model.d_modle`", "use one of", "d_model"]),
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
