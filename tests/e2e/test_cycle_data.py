"""A fresh clone makes the pinned data by itself."""

from pathlib import Path

import pytest
from skald_cli.main import main
from support import ROOT


def test_the_generator_writes_the_pinned_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    # No folder yet: it is generated, then compared; again: it is compared alone.
    for lines in (2, 1):
        code = main(["corpus", "generate", "--pin", str(ROOT / "data.dvc")])
        shown = capsys.readouterr()
        assert code == 0, (
            f"{shown.err}After a change on purpose: `dvc add data`, see CONTRIBUTING.md"
        )
        assert len(shown.out.splitlines()) == lines
