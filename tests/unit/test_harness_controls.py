"""The byte counts: how much text they count and that they say so, and what they answer."""

import random

import pytest
import support_harness
from hypothesis import given
from hypothesis import strategies as st
from skald_harness.models import counting
from skald_harness.models.counting import (
    NGRAM_BYTES,
    byte_counts,
    evenly,
    training_texts,
)
from skald_harness.scoring import byte_counts as answering
from skald_harness.scoring.byte_counts import BytesAnswerer
from skald_harness.scoring.ngram import ByteNgram
from skald_harness.scoring.questions import Question
from skald_specs.corpus import CorpusManifest
from skald_specs.errors import UserInputError


def documents(n_bytes, n):
    """Return `n` different documents of `n_bytes` bytes together."""
    rng = random.Random(f"{n_bytes} {n}")
    size = n_bytes // n
    text = support_harness.document(rng, "de", 400).encode("ascii", "replace").decode()
    starts = [rng.randrange(len(text) - size) for _ in range(n)]
    texts = [f"{i:06} {text[start:]}"[:size] for i, start in enumerate(starts)]
    texts[-1] += "." * (n_bytes - sum(map(len, texts)))
    assert sum(len(text.encode()) for text in texts) == n_bytes
    return texts


def counted(corpus):
    manifest = CorpusManifest.load(corpus / "corpus.json")
    return training_texts(corpus, manifest, "de")


def test_one_byte_too_many_costs_no_document(tmp_path):
    texts = documents(NGRAM_BYTES + 1, 1000)
    corpus = support_harness.write_corpus(tmp_path, {"de": texts})
    assert counted(corpus) == texts
    about = byte_counts(corpus, ["de"], print)[0].model.about
    assert about.endswith("counted on bytes of the corpus' training text: de 1,000,001")


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.9])
def test_more_text_is_thinned_to_the_share(tmp_path, monkeypatch, share):
    texts = documents(40_000, 200)
    corpus = support_harness.write_corpus(tmp_path, {"de": texts})
    monkeypatch.setattr(counting, "NGRAM_BYTES", int(40_000 * share))
    kept = counted(corpus)
    assert sum(map(len, kept)) == pytest.approx(40_000 * share, rel=0.02)
    assert [text for text in texts if text in set(kept)] == kept
    said = byte_counts(corpus, ["de"], print)[0].model.about.rpartition(" ")[2]
    assert int(said.replace(",", "")) == sum(map(len, kept))


def test_a_single_document_is_kept_however_long(tmp_path, monkeypatch):
    texts = documents(4000, 1)
    corpus = support_harness.write_corpus(tmp_path, {"de": texts})
    monkeypatch.setattr(counting, "NGRAM_BYTES", 1000)
    assert counted(corpus) == texts


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n))))
def test_kept_indices_are_as_many_as_asked_and_even(case):
    n, n_kept = case
    kept = evenly(n, n_kept)
    assert len(kept) == n_kept and kept[-1] == n - 1
    gaps = {b - a for a, b in zip([-1, *kept[:-1]], kept, strict=True)}
    assert max(gaps) - min(gaps) <= 1


def test_a_language_without_text_is_said_and_left_out(tmp_path):
    corpus = support_harness.write_corpus(tmp_path, {"de": documents(4000, 20)})
    said = []
    ngram, unigram = byte_counts(corpus, ["de", "fo"], said.append)
    assert said == [f"fo: no training text in {corpus}: byte counts left out"]
    for subject in (ngram, unigram):
        assert subject.takes("pairs", "de") and subject.takes("text", "de")
        assert not subject.takes("pairs", "fo") and not subject.takes("generate", "de")
    assert ngram.identity("de") != unigram.identity("de")
    assert byte_counts(corpus, ["fo"], said.append) == []
    assert byte_counts(tmp_path / "none", ["de"], said.append) == []
    assert said[-1] == f"{tmp_path / 'none'}: no corpus there: byte counts left out"


def test_answers_do_not_depend_on_what_is_asked_with_them(monkeypatch):
    model = ByteNgram(["abcab abcab", "bcabc"], 3)
    questions = [
        Question("loglikelihood", "ab", "cab"),
        Question("loglikelihood", "", "åb"),
        Question("rolling", "", "abc" * 9),
        Question("loglikelihood", "ab", "zzz"),
    ]
    answerer = BytesAnswerer(model)
    assert answerer.chunks(questions) == [[0, 1, 2, 3]]
    together = answerer.answer(questions)
    monkeypatch.setattr(answering, "_CHUNK_BYTES", 6)
    assert answerer.chunks(questions) == [[0, 1], [2], [3]]
    assert [answerer.answer([question])[0] for question in questions] == together
    whole, context = model.log_probabilities([b"abcab", b"ab"])
    assert together[0].logprob_nats == pytest.approx(whole.sum() - context.sum())
    assert together[0].logprob_nats > together[3].logprob_nats
    with pytest.raises(UserInputError, match="cannot answer a generate question"):
        answerer.answer([Question("generate", "ab", "")])
