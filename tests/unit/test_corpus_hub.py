"""Files of the hub without a hub: what the cache has is read, and anything else is one line."""

import json
from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants
from skald_corpus.pipeline.hub import hub_files
from skald_specs.errors import UserInputError
from skald_specs.sources import HubFiles

SHA = "0123456789abcdef0123456789abcdef01234567"
FILES = (
    "data/dan_Latn/train/000.jsonl",
    "data/dan_Latn/train/001.jsonl",
    "data/deu_Latn/000.jsonl",
)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache as a download leaves it, but for the listing of the commit."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    folder = tmp_path / "datasets--org--texts"
    for name in FILES:
        file = folder / "snapshots" / SHA / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"text": name}) + "\n")
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(SHA)
    return folder


def list_tree(cache: Path, *names: str) -> None:
    """Write the listing that a download leaves, as huggingface_hub 2.4 has it."""
    entries = {name: {"size": 1, "blob_id": "0" * 40} for name in names}
    (cache / "trees").mkdir()
    (cache / "trees" / f"{SHA}.json").write_text(
        json.dumps({"format_version": 1, "files": entries})
    )


def names(cache: Path, **changes: object) -> list[str]:
    value = {"dataset": "org/texts", "revision": SHA, "files": ["data/dan_Latn/*.jsonl"]}
    found = hub_files(HubFiles.check({**value, **changes}, "test"), "source a")
    return [path.relative_to(cache / "snapshots" / SHA).as_posix() for path in found]


def problem(cache: Path, **changes: object) -> str:
    with pytest.raises(UserInputError) as error:
        names(cache, **changes)
    told = str(error.value)
    assert "\n" not in told and told.startswith("source a, org/texts")
    return told


def test_the_cache_serves_without_a_connection(cache: Path) -> None:
    assert names(cache) == list(FILES[:2])
    assert names(cache, files=["data/deu_Latn/*", FILES[0]]) == [FILES[0], FILES[2]]


def test_the_first_files_are_those_of_the_listing_not_of_the_cache(cache: Path) -> None:
    list_tree(cache, *FILES)
    assert names(cache, most_files=1) == [FILES[0]]
    # Somebody fetched another file alone: it does not pass for the first one.
    (cache / "snapshots" / SHA / FILES[0]).unlink()
    assert "cannot be fetched" in problem(cache, most_files=1)


def test_a_download_that_was_cut_short_is_noticed(cache: Path) -> None:
    list_tree(cache, *FILES, "data/dan_Latn/train/002.jsonl")
    assert "cannot be fetched" in problem(cache)
    assert names(cache, files=["data/deu_Latn/*"]) == [FILES[2]]


def test_without_connection_or_files_it_is_one_line(cache: Path) -> None:
    other = "f" * 40
    assert "cannot be fetched" in problem(cache, revision=other)
    assert "HF_HUB_OFFLINE" in problem(cache, revision=other, most_files=2)
    assert "no files data/fao_Latn/*" in problem(cache, files=["data/fao_Latn/*"])


def test_a_branch_is_refused_even_where_the_cache_knows_it(cache: Path) -> None:
    told = problem(cache, revision="main")
    assert "revision main is no commit" in told and "commits" in told


def test_a_branch_is_refused_with_the_commit_of_today(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Info:
        sha = SHA

    monkeypatch.setattr(HfApi, "dataset_info", lambda *_, **__: Info())
    assert f"commit {SHA}" in problem(cache, revision="main")
