"""Types are checked strictly, and whatever is left out says why on the same line."""

import re
import tomllib

import pytest
from support import ROOT

CHECKED = sorted(
    path
    for pattern in ("packages/*/src/**/*.py", "benchmarks/**/*.py", "noxfile.py")
    for path in ROOT.glob(pattern)
)
IGNORES = re.compile(r"#\s*(noqa|type:\s*ignore|mypy:|pyright:|ruff:|pragma: no)")
#: The rule that is ignored, by name, and after it words.
REASONED = re.compile(
    r"#\s*(noqa: ?[A-Z0-9, ]+|type: ?ignore\[[\w, -]+\]|pragma: no cover|pragma: no mutate)"
    r"\s*([-#]|\()\s*\w"
)


def unreasoned(text: str) -> list[str]:
    """Return the lines that switch a check off and do not say which, or not why."""
    return [
        line for line in text.splitlines() if IGNORES.search(line) and not REASONED.search(line)
    ]


def test_every_ignore_has_a_reason() -> None:
    assert len(CHECKED) > 250
    found = {str(path): unreasoned(path.read_text(encoding="utf-8")) for path in CHECKED}
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "line",
    [
        "x = f()  # type: ignore",
        "x = f()  # type: ignore  # torch has no types",
        "x = f()  # type: ignore[misc]",
        "import x  # noqa",
        "import x  # noqa: F401",
        "# mypy: ignore-errors",
        "# ruff: noqa",
    ],
)  # fmt: skip
def test_an_ignore_without_a_reason_is_noticed(line: str) -> None:
    assert unreasoned(line) == [line]
    assert unreasoned("x = f()  # type: ignore[misc, arg-type]  # torch has no types") == []
    assert unreasoned("import x  # noqa: F401 - registers it") == []


def test_mypy_is_strict_and_its_exceptions_are_explained() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    settings = tomllib.loads(text)["tool"]["mypy"]
    assert settings["strict"] is True and settings["warn_unreachable"] is True
    loosened = {
        "ignore_errors",
        "check_untyped_defs",
        "disallow_untyped_defs",
        "disable_error_code",
    }
    assert not loosened & {key for one in settings["overrides"] for key in one}
    headers = text.count("[[tool.mypy.overrides]]")
    assert headers == len(re.findall(r"\[\[tool\.mypy\.overrides\]\]\n# \w", text)) > 0
