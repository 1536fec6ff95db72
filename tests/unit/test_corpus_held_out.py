"""The common held-out text: what is read, what was seen in training and is left out, what is refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from skald_corpus.build import build
from skald_corpus.held_out import (
    held_out_text,
    limited,
    read_pairs,
    shard_documents,
    unseen,
    validation_text,
)
from skald_specs.ablation import AblationItem
from skald_specs.errors import UserInputError
from support_corpus import small_recipe, some_text, write_rows


def sentences(first: int, n: int) -> list[str]:
    """Return sentences of fourteen words that share no run of five."""
    return [
        " ".join(f"ord{(7 * i + 1) * 31 + j}x{i}" for j in range(14))
        for i in range(first, first + n)
    ]


@pytest.fixture
def corpus(tmp_path: Path):
    for tag in ("da", "sv"):
        write_rows(tmp_path / "text" / tag / "train.jsonl", [*some_text(tag), *sentences(0, 40)])
        write_rows(tmp_path / "text" / tag / "dev.jsonl", [*sentences(50, 20), "æ <|endoftext|> ø"])
    return tmp_path / "corpus", build(small_recipe(), tmp_path / "text", tmp_path / "corpus")


def items(texts: list[str], tag: str = "da") -> list[AblationItem]:
    return [AblationItem(language=tag, key=text, texts=(text,)) for text in texts]


def test_a_shard_gives_its_text_back(corpus) -> None:
    folder, manifest = corpus
    expected = [*sentences(50, 20), "æ <|endoftext|> ø"]
    assert [d.text for d in shard_documents(folder, manifest, "da", "validation")] == expected
    assert [item.texts[0] for item in validation_text(folder, manifest, "sv")] == expected
    assert not list(shard_documents(folder, manifest, "da", "test"))


def test_what_any_corpus_trained_on_is_left_out_and_the_rest_stays(corpus) -> None:
    folder, manifest = corpus
    new = sentences(100, 10)
    upper = [text.upper() for text in sentences(3, 4)]
    pair = AblationItem(language="da", key="p", texts=(sentences(9, 1)[0], "noget andet"))
    other = AblationItem(language="da", key="q", texts=("noget helt nyt her", "nyt noget helt her"))
    kept = unseen([*items([*new, *upper]), pair, other, other.model_copy()], {folder: manifest})
    assert [item.texts[0] for item in kept.items] == [*new, *[other.texts[0]] * 2]
    (text,) = kept.texts
    assert (text.n_documents, text.n_documents_contaminated) == (10, 4)
    assert (text.n_pairs, text.n_pairs_contaminated) == (2, 1)
    assert text.n_bytes == sum(map(len, new))


def test_text_that_was_trained_on_is_refused(corpus) -> None:
    folder, manifest = corpus
    with pytest.raises(UserInputError, match="10 of 15 documents are in the training text"):
        unseen(items([*sentences(0, 10), *sentences(100, 5)]), {folder: manifest})
    with pytest.raises(UserInputError, match="held-out text da: 1 independent texts"):
        unseen(items([sentences(100, 1)[0]] * 4), {folder: manifest})


def test_held_out_files_count_and_without_them_all(tmp_path: Path) -> None:
    write_rows(tmp_path / "da" / "train.jsonl", ["trænet"])
    assert [item.texts[0] for item in held_out_text(tmp_path, "da")] == ["trænet"]
    write_rows(tmp_path / "da" / "test.jsonl", ["prøve", "mere"], doc="bog")
    write_rows(tmp_path / "da" / "dev.jsonl", ["anden"])
    found = held_out_text(tmp_path, "da")
    assert [item.texts[0] for item in found] == ["anden", "prøve", "mere"]
    assert found[1].key == found[2].key == "bog" != found[0].key


def test_the_limit_is_spread_over_the_text() -> None:
    chosen = limited(items([f"{i:010}" for i in range(1000)]), 1000)
    numbers = [int(item.texts[0]) for item in chosen]
    assert len(numbers) == 100 and numbers[0] == 0 and numbers[-1] >= 980
    assert len(limited(chosen, 10**6)) == 100


def test_pairs_are_read_packed_or_not_and_checked(tmp_path: Path) -> None:
    row = {"good": "Hun ser det.", "bad": "Hun det ser.", "type": "swap", "source_id": "1"}
    with gzip.open(tmp_path / "da.jsonl.gz", "wt", encoding="utf-8") as out:
        out.write(json.dumps(row) + "\n")
    (pair,) = read_pairs(tmp_path, "da")
    assert pair.texts == (row["good"], row["bad"]) and pair.metric == "pairs"
    assert read_pairs(tmp_path, "nb") == []
    (tmp_path / "sv.jsonl").write_text(json.dumps({"good": "x", "bad": "x"}), encoding="utf-8")
    with pytest.raises(UserInputError, match=r"sv.jsonl, row 1: .*same text"):
        read_pairs(tmp_path, "sv")
    (tmp_path / "fo.jsonl.gz").write_bytes(b"no gzip")
    with pytest.raises(UserInputError, match="damaged gzip"):
        read_pairs(tmp_path, "fo")
