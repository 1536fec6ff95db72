"""Shards, tokenizer and manifest agree with the text; too little of it is refused."""

import json
import os
import subprocess
import sys
from itertools import pairwise

import pytest
from skald_corpus.build import build
from skald_corpus.decontaminate.report import finding, read_items
from skald_corpus.tokenizer import sample_bytes, thinned, train_tokenizer
from skald_specs.corpus import END_OF_TEXT, END_OF_TEXT_ID, CorpusManifest
from skald_specs.decontamination import (
    CLEAN_FILE,
    REPORT_FILE,
    CleanSubset,
    DecontaminationReport,
    ReferenceItem,
)
from skald_specs.errors import UserInputError
from skald_specs.files import sha256_file
from skald_specs.recipe import TokenizerRecipe
from skald_specs.shards import read_document_ends, read_tokens
from support import REAL_TEXT
from support_corpus import small_recipe, some_text, write_rows
from tokenizers import Tokenizer


@pytest.fixture
def source(tmp_path):
    for tag in ("da", "sv"):
        texts = [*some_text(tag), f"{tag} {END_OF_TEXT} midt i teksten, og så videre"]
        write_rows(tmp_path / "text" / tag / "train.jsonl", texts)
        write_rows(tmp_path / "text" / tag / "validation.jsonl", some_text(tag, 30))
        write_rows(tmp_path / "text" / tag / "test.jsonl", ["hemmeligt ord: zyxwvut"] * 50)
    return tmp_path / "text"


def test_shards_decode_to_the_text(source, tmp_path):
    out = tmp_path / "corpus"
    manifest = build(small_recipe(), source, out)
    assert manifest == CorpusManifest.load(out / "corpus.json")
    assert {(s.language, s.split) for s in manifest.shards} == {
        (tag, split) for tag in ("da", "sv") for split in ("train", "validation")
    }
    tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
    assert tokenizer.token_to_id(END_OF_TEXT) == END_OF_TEXT_ID == 0
    assert manifest.tokenizer_sha256 == sha256_file(out / "tokenizer.json")
    for shard in manifest.shards:
        path = out / shard.path
        assert shard.sha256 == sha256_file(path)
        tokens = read_tokens(path, manifest.vocab_size)
        ends = read_document_ends(path)
        rows = (source / shard.language / f"{shard.split}.jsonl").read_text("utf-8").splitlines()
        texts = [json.loads(row)["text"] for row in rows]
        assert shard.n_tokens == len(tokens) == ends[-1]
        assert shard.n_documents == len(ends) == len(texts)
        assert shard.n_bytes == sum(len(text.encode()) for text in texts)
        start = 0
        for text, end in zip(texts, ends, strict=True):
            document = tokens[start:end].tolist()
            # The end-of-text token ends a document and stands nowhere else, even if spelled out.
            assert document[-1] == END_OF_TEXT_ID and END_OF_TEXT_ID not in document[:-1]
            assert tokenizer.decode(document[:-1], skip_special_tokens=False) == text
            start = end


def test_test_text_is_never_used(source, tmp_path):
    build(small_recipe(), source, tmp_path / "with")
    for tag in ("da", "sv"):
        (source / tag / "test.jsonl").unlink()
    build(small_recipe(), source, tmp_path / "without")
    for path in (tmp_path / "with").iterdir():
        assert path.read_bytes() == (tmp_path / "without" / path.name).read_bytes(), path.name


def searched(source, out, *items):
    build(small_recipe(), source, out, items)
    report = DecontaminationReport.load(out / REPORT_FILE)
    assert CleanSubset.load(out / CLEAN_FILE) == report.clean_subset()
    return report


def item(name, text, tag="da"):
    return ReferenceItem(task="t", item_id=name, language=tag, strings=(text,))


def test_items_in_the_training_text_are_reported_and_change_no_token(source, tmp_path):
    build(small_recipe(), source, tmp_path / "alone")
    planted = item("planted", some_text("sv")[7])
    held_out = item("held out", "hemmeligt ord zyxwvut hemmeligt ord zyxwvut")
    report = searched(source, tmp_path / "searched", planted, held_out)
    assert report.clean_subset().contaminated == {"t": ("planted",)}
    assert report.rule.policy == "report" and report.items[0].documents == ("sv/train.jsonl:8",)
    # Only what a model trains on counts: validation and test text is not read.
    assert [hits.n_documents_read for hits in report.corpus] == [201, 201]
    for path in (tmp_path / "alone").iterdir():
        assert path.read_bytes() == (tmp_path / "searched" / path.name).read_bytes(), path.name
    assert report.corpus[1].n_bytes_removed == 0 == report.corpus[1].n_documents_dropped


def test_nothing_found_is_said_and_nothing_asked_writes_nothing(source, tmp_path):
    report = searched(
        source, tmp_path / "corpus", item("other", "noget helt andet end det der står")
    )
    assert report.clean_subset().contaminated == {} and report.tasks[0].n_items == 1
    assert finding(report) == "none of 1 evaluation items found in the training text"
    build(small_recipe(), source, tmp_path / "corpus")
    assert not list((tmp_path / "corpus").glob("*clean*"))
    assert not (tmp_path / "corpus" / REPORT_FILE).exists()


def test_items_are_read_from_lists_and_both_kinds_of_folder(tmp_path):
    pair = {"good": "a b", "bad": "b a", "type": "swap", "source_id": "x"}
    rows = {
        "own/pairs/da.jsonl": {"id": "x", "key": "k", "phenomenon": "p", "good": "a", "bad": "b"},
        "users/pairs/da.jsonl": pair,
        "users/ntrex/da.jsonl": {"id": "n-1", "text": "en sætning"},
        "users/ud/da/test.jsonl": {"text": "en anden"},
        "only-pairs/pairs/da.jsonl": pair,
        "list.jsonl": item("x", "a b").model_dump(mode="json"),
    }
    for name, row in rows.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(json.dumps(row) + "\n")
    named = ("own", "only-pairs", "users", "list.jsonl")
    tasks = {name: [item.task for item in read_items(tmp_path / name)] for name in named}
    assert tasks == {
        "own": ["skald_core_pairs_dan_Latn"],
        "only-pairs": ["skald_ud_swap_dan_Latn"],
        "users": [f"skald_ud_{kind}_dan_Latn" for kind in ("swap", "ntrex", "text")],
        "list.jsonl": ["t"],
    }
    # A folder of pairs by itself is no layout: the suite `ud` would not take it either.
    with pytest.raises(UserInputError, match="no evaluation items there"):
        read_items(tmp_path / "only-pairs" / "pairs")
    with pytest.raises(UserInputError, match="no such items"):
        read_items(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserInputError, match="no evaluation items there"):
        read_items(tmp_path / "empty")


def test_a_rebuild_replaces_the_whole_folder(source, tmp_path):
    out = tmp_path / "corpus"
    first = build(small_recipe(), source, out)
    (out / "left.over").write_text("x")
    assert build(small_recipe(), source, out) == first
    assert not (out / "left.over").exists()


def test_a_failed_build_leaves_the_old_corpus_alone(source, tmp_path):
    out = tmp_path / "corpus"
    build(small_recipe(), source, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    (source / "sv" / "train.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(UserInputError, match="not UTF-8"):
        build(small_recipe(), source, out)
    with pytest.raises(UserInputError):
        build(small_recipe(batch=2**20), source.parent / "text", out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus", "text"]


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"vocab_size": 5000}, "corpus.tokenizer.vocab_size: 5000 tokens asked for"),
        ({"batch": 2**20}, "too few for one batch of 1048576"),
        ({"seq_len": 2**17, "batch": 2**17}, "too few for one sequence of 131072"),
    ],
)
def test_too_little_text_is_refused(source, tmp_path, settings, wanted):
    with pytest.raises(UserInputError, match=wanted) as caught:
        build(small_recipe(**settings), source, tmp_path / "corpus")
    assert "ower" in caught.value.remedy
    assert not (tmp_path / "corpus").exists()


@pytest.mark.parametrize(
    ("missing", "wanted"), [("train", "lower corpus"), ("validation", "raise corpus")]
)
def test_a_folder_without_text_for_a_split_is_refused(source, tmp_path, missing, wanted):
    (source / "sv" / f"{missing}.jsonl").unlink()
    if missing == "validation":
        # One text, which chance puts into training.
        write_rows(source / "sv" / "train.jsonl", ["en katt"])
    with pytest.raises(UserInputError, match=rf"sv: no {missing} text") as caught:
        build(small_recipe(), source, tmp_path / "corpus")
    assert wanted in caught.value.remedy


def test_the_sample_is_shared_out():
    recipe = TokenizerRecipe(vocab_size=300, sampling_exponent=0.0, sample_bytes=900)
    assert sample_bytes({"da": 1000, "fo": 100, "sv": 1000}, recipe) == {
        "fo": 100, "da": 400, "sv": 400,
    }  # fmt: skip
    proportional = TokenizerRecipe(vocab_size=300, sampling_exponent=1.0, sample_bytes=210)
    assert sample_bytes({"da": 1000, "fo": 100, "sv": 1000}, proportional) == {
        "da": 100, "fo": 10, "sv": 100,
    }  # fmt: skip


@pytest.mark.parametrize("wanted", [1000, 999, 900, 667, 501, 500, 334, 200, 7, 1])
def test_the_sample_is_spread_over_the_whole_source(wanted):
    documents = [f"{i:04d}" for i in range(1000)]
    kept = [int(document) for document in thinned(documents, 4000, 4 * wanted)]
    assert len(kept) == wanted
    # What was kept is never more than a document from its share of what went by.
    passed = [i * wanted / 1000 for i in kept]
    assert all(abs(n - share) <= 1 for n, share in enumerate(passed))
    gaps = {b - a for a, b in pairwise(kept)}
    assert not gaps or max(gaps) - min(gaps) <= 1


def test_documents_of_all_sizes_fill_the_sample():
    documents = ["a" * (1 + 37 * i % 101) for i in range(500)]
    total = sum(map(len, documents))
    for share in (total, total * 2 // 3, total // 3, total // 50):
        assert share <= sum(map(len, thinned(documents, total, share))) + 101 <= share + 202
    assert list(thinned(documents, total, 0)) == [] == list(thinned([], 0, 10))


def test_every_byte_has_a_token():
    recipe = TokenizerRecipe(vocab_size=300, sample_bytes=10**6)
    tokenizer = train_tokenizer({"da": some_text("da")}, recipe)
    text = "\x00\x07 \U0001f9ca þæð 漢字 \u2028\t\n  "
    assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_two_processes_make_the_same_tokenizer():
    """A new process has new hash seeds; equal counts must not make merges depend on them."""
    program = (
        "from support_corpus import some_text\n"
        "from skald_corpus.tokenizer import train_tokenizer\n"
        "from skald_specs.recipe import TokenizerRecipe\n"
        "texts = {t: some_text(t, 50) + [c * 3 + d * 3 for c in 'abcxyz' for d in 'uvw']\n"
        "         for t in ('da', 'sv')}\n"
        "print(train_tokenizer(texts, TokenizerRecipe(vocab_size=300)).to_str())\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": seed,
                 "TOKENIZERS_PARALLELISM": parallel},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed, parallel in (("1", "false"), ("2", "true"), ("3", "true"))
    }  # fmt: skip
    assert len(outputs) == 1


@pytest.mark.real_text
@pytest.mark.skipif(not REAL_TEXT.is_dir(), reason="no real text at $SKALD_REAL_TEXT")
def test_real_text(tmp_path):
    recipe = small_recipe(("fo", "nb"), vocab_size=600, sample_bytes=100_000)
    manifest = build(recipe, REAL_TEXT / "ud", tmp_path / "corpus")
    for shard in manifest.shards:
        assert shard.n_tokens > 2000 and 1.2 < shard.n_bytes / shard.n_tokens < 4
