"""The user's own folder: what is read, how it is split, and each error in one line."""

import gzip
import json
import unicodedata
from itertools import pairwise

import pytest
from skald_corpus.ingest import BLOCK_PARAGRAPHS, Texts, validation_rule
from skald_specs.corpus import SPLITS
from skald_specs.errors import EXIT_USER_INPUT, UserInputError
from support import REAL_TEXT
from support_corpus import small_recipe, some_text, write_rows

RECIPE = small_recipe().corpus


def read(source, tag="da"):
    texts = Texts(source, tag, RECIPE)
    return [(split, document) for split in SPLITS for document in texts.of(split)]


def refused(source, tag="da"):
    with pytest.raises(UserInputError) as caught:
        read(source, tag)
    message = str(caught.value)
    assert "\n" not in message and caught.value.exit_code == EXIT_USER_INPUT
    return message


def test_file_names_decide_the_split(tmp_path):
    for name in ("train", "dev", "test"):
        write_rows(tmp_path / "da" / f"{name}.jsonl", [f"{name} et", f"{name} to"])
    splits = {document.text: split for split, document in read(tmp_path)}
    assert splits == {
        "train et": "train", "train to": "train", "dev et": "validation", "dev to": "validation",
        "test et": "test", "test to": "test",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["train.jsonl", "anything.jsonl"])
def test_without_a_validation_file_a_share_is_set_aside(tmp_path, name):
    write_rows(tmp_path / "da" / name, some_text("da", 1000))
    found = [split for split, _ in read(tmp_path)]
    assert 150 < found.count("validation") < 250
    assert found.count("validation") + found.count("train") == 1000


def test_documents_of_one_key_stay_together(tmp_path):
    path = tmp_path / "da" / "x.jsonl"
    path.parent.mkdir()
    rows = [{"text": f"linje {i}", "doc": f"d{i % 40}"} for i in range(400)]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    homes = {}
    for split, document in read(tmp_path):
        homes.setdefault(document.key, set()).add(split)
    assert len(homes) == 40 and all(len(home) == 1 for home in homes.values())
    assert {"train"} in homes.values() and {"validation"} in homes.values()


def plain(path, paragraphs):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join(paragraphs), encoding="utf-8")


def test_neighbouring_paragraphs_stay_together(tmp_path):
    n = 40 * BLOCK_PARAGRAPHS
    plain(tmp_path / "da" / "bog.txt", [f"afsnit {i}" for i in range(n)])
    splits = [split for split, _ in read(tmp_path)]
    blocks = [set(splits[i : i + BLOCK_PARAGRAPHS]) for i in range(0, n, BLOCK_PARAGRAPHS)]
    assert len(splits) == n and all(len(block) == 1 for block in blocks)
    assert 2 <= blocks.count({"validation"}) <= 16 and {"train"} in blocks
    # Neighbours that part do so at the edge of a block, and nowhere else.
    assert sum(a != b for a, b in pairwise(splits)) <= 2 * blocks.count({"validation"})


def test_a_copy_of_a_book_is_no_validation_text(tmp_path):
    paragraphs = [f"afsnit {i}" for i in range(20 * BLOCK_PARAGRAPHS)]
    plain(tmp_path / "da" / "bog.txt", paragraphs)
    plain(tmp_path / "da" / "kopi.txt", paragraphs)
    homes = {}
    for split, document in read(tmp_path):
        homes.setdefault(document.text, []).append(split)
    assert all(len(home) == 2 and len(set(home)) == 1 for home in homes.values())
    assert {home[0] for home in homes.values()} == {"train", "validation"}


def test_a_short_book_has_validation_text_and_a_single_block_has_none(tmp_path):
    for seed in range(20):
        paragraphs = [f"afsnit {seed} {i}" for i in range(3 * BLOCK_PARAGRAPHS)]
        plain(tmp_path / "da" / "bog.txt", paragraphs)
        assert {split for split, _ in read(tmp_path)} == {"train", "validation"}
    plain(tmp_path / "da" / "bog.txt", paragraphs[:BLOCK_PARAGRAPHS])
    assert len({split for split, _ in read(tmp_path)}) == 1


def test_unnamed_files_are_training_text_beside_a_validation_file(tmp_path):
    write_rows(tmp_path / "da" / "avis.jsonl", some_text("da", 300))
    plain(tmp_path / "da" / "bog.txt", [f"afsnit {i}" for i in range(300)])
    assert {split for split, _ in read(tmp_path)} == {"train", "validation"}
    write_rows(tmp_path / "da" / "dev.jsonl", ["et", "to"])
    found = read(tmp_path)
    assert [document.text for split, document in found if split == "validation"] == ["et", "to"]
    assert sum(split == "train" for split, _ in found) == 600


def test_copies_of_a_text_share_a_split_and_others_do_not(tmp_path):
    texts = [f"linje nummer {i} med \u00e5" for i in range(200)]
    write_rows(tmp_path / "da" / "a.jsonl", texts)
    # The same text in another normal form, with other spaces and under another id.
    copies = [unicodedata.normalize("NFD", text).replace(" ", "  ") for text in texts]
    write_rows(tmp_path / "da" / "b.jsonl", copies, id="x")
    homes = {}
    for split, document in read(tmp_path):
        homes.setdefault(document.key, []).append(split)
    assert len(homes) == 200
    assert all(len(home) == 2 and len(set(home)) == 1 for home in homes.values())
    assert {home[0] for home in homes.values()} == {"train", "validation"}


def test_paragraphs_of_plain_text(tmp_path):
    path = tmp_path / "da" / "bog.txt"
    path.parent.mkdir()
    path.write_bytes("\ufeffEn linje\r\nog en til\r\n\r\n\r\nNæste  \n".encode())
    assert [document.text for _, document in read(tmp_path)] == ["En linje\nog en til", "Næste"]


def test_text_is_normalised_and_packed_files_are_read(tmp_path):
    path = tmp_path / "da" / "train.jsonl.gz"
    path.parent.mkdir()
    path.write_bytes(gzip.compress(json.dumps({"text": "A\u030al"}).encode()))
    (tmp_path / "da" / ".hidden").write_text("x")
    (tmp_path / "da" / "README.md").write_text("x")
    assert [document.text for _, document in read(tmp_path)] == ["Ål"]


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("tom.txt", b"", "tom.txt: no text in it"),
        ("tom.txt", b"\n \n\n", "tom.txt: no text in it"),
        ("a.txt", b"god dag\nbl\xe5b\xe6r\n", "a.txt:2: not UTF-8: byte 0xe5 at byte 3"),
        ("a.jsonl", b'{"text": "ja"}\n{"tekst": "nej"}\n', "a.jsonl:2: no `text`"),
        ("a.jsonl", b'{"text": "ja"}\n[1]\n', "a.jsonl:2: no `text`"),
        ("a.jsonl", b'{"text": "ja"}\n{"text": 3}\n', "a.jsonl:2: no `text`"),
        ("a.jsonl", b'{"text": "ja"\n', "a.jsonl:1: not JSON"),
        ("a.jsonl", b'{"text": "\\ud800"}\n', "a.jsonl:1: not JSON (a lone surrogate)"),
        ("a.jsonl.gz", gzip.compress(b'{"text": "ja"}\n' * 900, mtime=0)[:-9], "damaged gzip"),
        ("a.jsonl.gz", b"not gzip at all", "a.jsonl.gz:1: damaged gzip"),
        ("a.parquet", b"PAR1", "a.parquet: not a text file"),
    ],
)
def test_bad_files_are_named(tmp_path, name, content, wanted):
    path = tmp_path / "da" / name
    path.parent.mkdir()
    path.write_bytes(content)
    assert wanted in refused(tmp_path)


def test_a_missing_language_names_the_nearest(tmp_path):
    (tmp_path / "nb").mkdir()
    (tmp_path / "de").mkdir()
    assert "no folder for language nn. Did you mean nb?" in refused(tmp_path, "nn")
    assert "There are: de, nb" in refused(tmp_path, "is")
    assert "no such folder of text" in refused(tmp_path / "nowhere", "is")
    assert "no text file in it" in refused(tmp_path, "nb")


def test_the_share_of_hashed_keys():
    keys = {f"key {i}" for i in range(4000)}

    def chosen_of(keys, share):
        rule = validation_rule(iter(sorted(keys)), share)
        return {key for key in keys if rule(key)}

    chosen = chosen_of(keys, 0.25)
    assert chosen < keys and 0.22 < len(chosen) / 4000 < 0.28
    # More text moves no key, and a small share leaves some of several.
    assert chosen_of(keys | {f"other {i}" for i in range(99)}, 0.25) & keys == chosen
    assert len(chosen_of(keys, 1e-9)) == 1
    assert chosen_of({"one"}, 1e-9) == set() == chosen_of(set(), 0.25)


@pytest.mark.real_text
@pytest.mark.skipif(not REAL_TEXT.is_dir(), reason="no real text at $SKALD_REAL_TEXT")
@pytest.mark.parametrize("tag", ["fo", "is", "nb"])
def test_real_text(tag):
    found = read(REAL_TEXT / "ud", tag)
    splits = {split: sum(s == split for s, _ in found) for split in ("train", "validation", "test")}
    assert splits["train"] > 500 and splits["validation"] > 50 and splits["test"] > 50
    assert all(document.text.strip() for _, document in found)
