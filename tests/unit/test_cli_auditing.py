"""An audit says what a service said of the pins, and never that all is well where none was looked up."""

import json
import sys
from pathlib import Path

import pytest
from skald_cli.auditing import main, read
from skald_specs.errors import EXIT_CLAIM_FAILED, EXIT_DONE, EXIT_RESUMABLE

SOUND = {"name": "a", "version": "1", "vulns": []}
BAD = {"name": "b", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}
UNKNOWN = {
    "name": "c",
    "skip_reason": "Dependency not found on PyPI and could not be audited: c (1)",
}


def played(folder: Path, *rows: dict[str, object]) -> list[str]:
    """Return a program that answers as pip-audit does; without rows it fails as without a network."""
    text = json.dumps({"dependencies": list(rows), "fixes": []})
    code = f"import sys; print({text!r})" if rows else "import sys; sys.exit('ConnectionError')"
    (folder / "played.py").write_text(code)
    return [sys.executable, str(folder / "played.py")]


@pytest.mark.parametrize(
    ("rows", "code", "said"),
    [
        ((SOUND, SOUND), EXIT_DONE, "pypi: nothing known of 2 pins"),
        ((SOUND, BAD), EXIT_CLAIM_FAILED, "b 2: CVE-1 (mended in 3)"),
        ((SOUND, UNKNOWN), EXIT_DONE, "pypi does not know c"),
        ((UNKNOWN, UNKNOWN), EXIT_RESUMABLE, "nothing was looked up"),
        ((), EXIT_RESUMABLE, "nothing was looked up"),
    ],
)
def test_what_was_not_looked_up_is_not_called_sound(rows, code, said, tmp_path, capsys):
    assert main(played(tmp_path, *rows)) == code
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "Traceback", "[]", "{}", '{"dependencies": null}'])
def test_an_answer_that_is_none_is_no_audit(text):
    assert read(text) == (0, [], [])
