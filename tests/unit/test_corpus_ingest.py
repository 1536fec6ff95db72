"""A user's folder of text: read as it is, refused by file and line where it is broken."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from skald_corpus.ingest import hashed_split, read_language
from skald_specs.corpus import Document
from skald_specs.errors import UserInputError
from skald_specs.recipe import CorpusRecipe, TokenizerRecipe
from support import REAL_TEXT

RECIPE = CorpusRecipe(source="x", languages=("fo",), tokenizer=TokenizerRecipe(vocab_size=300))


def _read(folder: Path) -> list[tuple[str, Document]]:
    return list(read_language(folder, "fo", RECIPE))


def _file(folder: Path, name: str, content: bytes) -> Path:
    path = folder / "fo" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def test_file_names_decide_the_split(tmp_path: Path) -> None:
    row = json.dumps({"id": "a", "text": "Hvat er tað?"}).encode()
    for name in ("train.jsonl", "dev.jsonl", "test.jsonl"):
        _file(tmp_path, name, row)
    assert [split for split, _ in _read(tmp_path)] == ["validation", "test", "train"]


def test_paragraphs_of_a_text_file_are_documents(tmp_path: Path) -> None:
    _file(tmp_path, "train.txt", "\ufeffEin.\nTveir.\n\n\n  \nTrý.\n".encode())
    assert [document.text for _, document in _read(tmp_path)] == ["Ein.\nTveir.", "Trý."]


def test_decomposed_letters_are_composed(tmp_path: Path) -> None:
    _file(tmp_path, "train.txt", "ta\u0301".encode())
    assert _read(tmp_path)[0][1].text == "tá"


def test_unnamed_files_are_split_by_key_and_the_key_stays_together(tmp_path: Path) -> None:
    rows = [{"id": str(i), "text": "t", "key": f"k{i // 4}"} for i in range(2000)]
    _file(tmp_path, "all.jsonl.gz", gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    splits: dict[str, set[str]] = {}
    for split, document in _read(tmp_path):
        splits.setdefault(document.key, set()).add(split)
    assert all(len(found) == 1 for found in splits.values())
    share = sum(found == {"validation"} for found in splits.values()) / len(splits)
    assert 0 < share < 0.06, "the recipe asks for 0.02 of 500 keys"
    assert hashed_split("k1", 0.02) == hashed_split("k1", 0.02)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train.txt", b"", r"fo/train\.txt: no text in it"),
        ("train.jsonl", b"\n\n", r"fo/train\.jsonl: no text in it"),
        ("train.txt", "Føroyar\n".encode() + b"b\xe6ur\n", r"train\.txt:2: not UTF-8: byte 0xe6 at column 2.*iconv"),
        ("train.jsonl", b'{"text": "a"}\n{"text": 3}', r"train\.jsonl:2: no `text`"),
        ("train.jsonl", b'{"text": "a"}\n{"txt": "b"}', r"train\.jsonl:2: no `text`"),
        ("train.jsonl", b'{"text": "a"}\nnot json', r"train\.jsonl:2: not JSON"),
        ("train.jsonl", b'{"text": "\\ud800"}', r"train\.jsonl:1: `text` holds a lone surrogate"),
        ("train.jsonl.gz", gzip.compress(b'{"text": "abc"}' * 50)[:-10], r"gz:\d+: damaged gzip"),
        ("train.jsonl.gz", b"no gzip at all", r"train\.jsonl\.gz:1: damaged gzip"),
        ("train.doc", b"x", r"no text file in it\. Put \.jsonl"),
    ],
)  # fmt: skip
def test_broken_input_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    _file(tmp_path, name, content)
    with pytest.raises(UserInputError, match=message):
        _read(tmp_path)


def test_a_missing_language_offers_the_nearest_folder(tmp_path: Path) -> None:
    (tmp_path / "foo").mkdir()
    with pytest.raises(UserInputError, match=r"no folder for language fo\. Did you mean foo\?"):
        _read(tmp_path)
    with pytest.raises(UserInputError, match="There are: none"):
        list(read_language(tmp_path / "nowhere", "fo", RECIPE))


@pytest.mark.real_text
def test_the_real_layout_is_read() -> None:
    if not REAL_TEXT.is_dir():
        pytest.skip("the real text of ../shared/testdata is not here")
    splits = [split for split, _ in read_language(REAL_TEXT / "ud", "fo", RECIPE)]
    assert {split: splits.count(split) for split in ("train", "validation", "test")} == {
        "train": 1016,
        "validation": 300,
        "test": 1504,
    }
