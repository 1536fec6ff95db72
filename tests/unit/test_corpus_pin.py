"""The pin: DVC's own hash, and a changed folder is refused with what is known of the change."""

import os
import subprocess
import sys

import pytest
from skald_corpus.pin import directory_md5, verify
from skald_specs.errors import UserInputError

FILES = {"about.json": "{}\n", "text/da/train.jsonl": "æ\n", "text/da.txt": "1", "text-b/x": ""}


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    root = tmp_path_factory.mktemp("pinned")
    for name, text in FILES.items():
        path = root / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    quiet = {**os.environ, "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(root / "site")}
    for words in (["init", "-q", "--no-scm"], ["add", "-q", "data"]):
        subprocess.run([sys.executable, "-m", "dvc", *words], cwd=root, env=quiet, check=True)
    return root


@pytest.fixture
def changed(repository):
    """Change one file for a test, then put it back."""
    path = repository / "data" / "text" / "da" / "train.jsonl"
    path.unlink()  # DVC may have linked it to its cache
    path.write_text("ø\n", encoding="utf-8")
    yield repository
    path.write_text(FILES["text/da/train.jsonl"], encoding="utf-8")


def test_the_hash_is_the_one_dvc_writes(repository):
    assert f"md5: {directory_md5(repository / 'data')}\n" in (repository / "data.dvc").read_text()
    verify(repository / "data", repository / "data.dvc")


def test_a_changed_file_is_named(changed):
    with pytest.raises(UserInputError) as caught:
        verify(changed / "data", changed / "data.dvc")
    message = str(caught.value)
    assert "text/da/train.jsonl was changed" in message
    assert "nox -s data" in message and "\n" not in message


def test_without_the_cache_counts_are_given(changed, tmp_path):
    pin = tmp_path / "data.dvc"
    pin.write_text((changed / "data.dvc").read_text())
    with pytest.raises(UserInputError, match=r"4 files and 7 bytes where 4 and 7 are pinned"):
        verify(changed / "data", pin)


def test_an_added_file_is_named(repository):
    extra = repository / "data" / "notes.txt"
    extra.write_text("mine")
    try:
        with pytest.raises(UserInputError, match=r"notes\.txt is not pinned"):
            verify(repository / "data", repository / "data.dvc")
    finally:
        extra.unlink()


def test_missing_folder_and_broken_pin(repository, tmp_path):
    with pytest.raises(UserInputError, match="no such folder"):
        verify(tmp_path / "data", repository / "data.dvc")
    pin = tmp_path / "data.dvc"
    pin.write_text("outs: []\n")
    with pytest.raises(UserInputError, match="pins no folder"):
        verify(repository / "data", pin)
    with pytest.raises(UserInputError, match="no such file"):
        verify(repository / "data", tmp_path / "other.dvc")
