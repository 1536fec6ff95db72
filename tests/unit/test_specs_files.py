"""Files are written whole or not at all, and unreadable ones are named with the place."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skald_specs import files, shards
from skald_specs.errors import UserInputError


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    files.write_json(path, {"old": 1})

    def rows() -> object:
        yield {"fine": 1}
        raise OSError(28, os.strerror(28))

    with pytest.raises(UserInputError, match=r"a\.json: the disk is full\. Free some space"):
        files.write_jsonl(path, rows())  # type: ignore[arg-type]  # a generator is iterable
    assert files.read_json(path) == {"old": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_failed_folder_leaves_the_old_one(tmp_path: Path) -> None:
    with files.atomic_folder(tmp_path / "f", marker="old") as temporary:
        (temporary / "old").write_text("old")
    with (
        pytest.raises(KeyboardInterrupt),
        files.atomic_folder(tmp_path / "f", marker="old") as temporary,
    ):
        (temporary / "new").write_text("new")
        raise KeyboardInterrupt
    assert [p.name for p in (tmp_path / "f").iterdir()] == ["old"]
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def written(path: Path, content: str) -> None:
    with files.atomic_folder(path, marker="a") as temporary:
        (temporary / "a").write_text(content)


@pytest.mark.parametrize(
    ("moment", "step", "left"),
    [
        ("before", "retire", "old"),
        ("after", "retire", "old"),
        ("before", "come", "old"),
        ("after", "come", "new"),
        ("before", "sync", "new"),
        ("after", "sync", "new"),
    ],
)
def test_an_interrupt_at_any_step_of_a_swap_leaves_one_whole_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str, step: str, left: str
) -> None:
    folder = tmp_path / "f"
    written(folder, "old")
    whole, synced, raised = Path.replace, files._sync_folder, []

    def broken(call: Callable[[], object], now: bool) -> None:
        now = now and not raised
        raised.extend([moment] * now)
        if now and moment == "before":
            raise KeyboardInterrupt
        call()
        if now:
            raise KeyboardInterrupt

    def replace(path: Path, to: Path) -> None:
        broken(lambda: whole(path, to), step == ("retire" if path == folder else "come"))

    def sync(path: Path) -> None:
        broken(lambda: synced(path), step == "sync" and path == tmp_path)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", replace)
        patched.setattr(files, "_sync_folder", sync)
        with pytest.raises(KeyboardInterrupt):
            written(folder, "new")
    assert raised == [moment]
    assert (folder / "a").read_text() == left
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_what_a_kill_between_the_renames_left_is_put_back_by_the_next_call(tmp_path: Path) -> None:
    folder, other = tmp_path / "f", tmp_path / ".f.b.0123456789abcdef.old"
    written(folder, "old")
    folder.replace(tmp_path / ".f.0123456789abcdef.old")
    other.mkdir()
    with pytest.raises(KeyboardInterrupt), files.atomic_folder(folder, marker="a"):
        raise KeyboardInterrupt
    assert (folder / "a").read_text() == "old"
    assert sorted(tmp_path.iterdir()) == [other, folder], "that of a folder `f.b` is not touched"


def test_what_a_kill_after_the_renames_left_is_never_put_back(tmp_path: Path) -> None:
    folder, left = tmp_path / "f", tmp_path / ".f.0123456789abcdef.old"
    written(left, "old")
    written(folder, "new")
    assert (folder / "a").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_a_folder_in_place_of_a_link_leaves_what_the_link_led_to(tmp_path: Path) -> None:
    written(tmp_path / "far", "far")
    (tmp_path / "f").symlink_to(tmp_path / "far")
    written(tmp_path / "f", "new")
    assert not (tmp_path / "f").is_symlink() and (tmp_path / "far" / "a").read_text() == "far"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f", "far"]


def test_somebodys_own_files_are_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years")
    (tmp_path / "file").write_text("x")
    for name, message in (("mine", "holds other files"), ("file", "is a file, not a folder")):
        with (
            pytest.raises(UserInputError, match=message),
            files.atomic_folder(tmp_path / name, marker="corpus.json"),
        ):
            raise AssertionError("the block must not run")
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "years"
    (tmp_path / "empty").mkdir()
    with files.atomic_folder(tmp_path / "empty", marker="a") as temporary:
        (temporary / "a").write_text("1")
    assert (tmp_path / "empty" / "a").read_text() == "1"


def test_a_real_full_disk_is_one_clear_line() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(OSError, match="No space left") as caught, full.open("w") as out:
        out.write("x" * 100_000)
    assert "the disk is full" in str(files.disk_error(Path("x"), caught.value))


def test_a_stray_byte_is_named_with_its_offset(tmp_path: Path) -> None:
    path = tmp_path / "fo.txt"
    path.write_bytes("Føroyar".encode() + b"\xe6 latin-1")
    with pytest.raises(UserInputError, match=r"fo\.txt: not UTF-8: byte 0xe6 at offset 8.*iconv"):
        files.read_text(path)


def test_a_broken_json_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n\n{"a": \n')
    with pytest.raises(UserInputError, match=r"a\.jsonl:3: not JSON"):
        list(files.read_jsonl(path))


def test_a_line_separator_inside_a_string_is_no_line_end(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [{"text": "one\u2028two\u0085three"}, {"text": "next"}]
    files.write_jsonl(path, rows)
    assert list(files.read_jsonl(path)) == rows


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="no such file"):
        files.read_text(tmp_path / "nothing")
    with pytest.raises(UserInputError, match="is a folder"):
        files.read_text(tmp_path)
    (tmp_path / "a").write_text("x")
    with pytest.raises(UserInputError, match="cannot be read"):
        files.read_text(tmp_path / "a" / "corpus.json")


@given(
    documents=st.lists(st.lists(st.integers(0, 999), min_size=1, max_size=20), min_size=1),
    vocab_size=st.sampled_from([1000, 65_535, 65_536, 200_000]),
)
def test_shards_round_trip(
    tmp_path_factory: pytest.TempPathFactory, documents: list[list[int]], vocab_size: int
) -> None:
    path = tmp_path_factory.mktemp("s") / "da.train.ds"
    arrays = [np.asarray(document) for document in documents]
    total = shards.write_shard(path, arrays, vocab_size)
    tokens = shards.read_tokens(path, vocab_size)
    assert tokens.dtype == (np.uint16 if vocab_size <= 65_535 else np.uint32)
    assert tokens.tolist() == [token for document in documents for token in document]
    ends = shards.read_document_ends(path).tolist()
    assert ends[-1] == total
    assert np.diff([0, *ends]).tolist() == [len(document) for document in documents]


def test_a_cut_shard_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "da.train.ds"
    shards.write_shard(path, [np.arange(10)], 1000)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserInputError, match="19 bytes is no whole number of tokens"):
        shards.read_tokens(path, 1000)
