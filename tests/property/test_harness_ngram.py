"""The byte n-gram model: a distribution over bytes, equal to the textbook's recursion."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skald_harness.scoring.ngram import ByteNgram

TEXT = st.text(st.sampled_from("abcæø. "), min_size=1, max_size=30)
TEXTS = st.lists(TEXT, min_size=1, max_size=6)


def textbook(documents, order, history, byte):
    """Witten-Bell by its recursion, one byte at a time, counting by hand."""
    streams = [[0] * (order - 1) + list(d.encode()) for d in documents]
    probability = 1 / 256
    for length in range(order):
        context = history[len(history) - length :]
        following = [
            s[i] for s in streams for i in range(order - 1, len(s)) if s[i - length : i] == context
        ]
        if following:
            kinds = len(set(following))
            probability = (following.count(byte) + kinds * probability) / (len(following) + kinds)
    return probability


@settings(max_examples=30)
@given(documents=TEXTS, query=TEXT, order=st.integers(1, 6))
def test_equals_the_textbook(documents, query, order):
    (values,) = ByteNgram(documents, order).log_probabilities([query.encode()])
    stream = [0] * (order - 1) + list(query.encode())
    for i, value in enumerate(values):
        history = stream[i : i + order - 1]
        expected = textbook(documents, order, history, stream[i + order - 1])
        assert math.exp(value) == pytest.approx(expected, rel=1e-12)


@settings(max_examples=20)
@given(documents=TEXTS, history=TEXT, order=st.integers(1, 8))
def test_next_bytes_sum_to_one(documents, history, order):
    # Byte 0 marks the boundary and is never counted, yet as a byte it has its share.
    queries = [history.encode() + bytes([byte]) for byte in range(256)]
    values = ByteNgram(documents, order).log_probabilities(queries)
    assert sum(math.exp(v[-1]) for v in values) == pytest.approx(1, abs=1e-12)


@settings(max_examples=20)
@given(documents=TEXTS, queries=TEXTS)
def test_a_text_scores_the_same_in_any_company(documents, queries):
    model = ByteNgram(documents)
    together = model.log_probabilities([q.encode() for q in queries])
    for query, values in zip(queries, together, strict=True):
        (alone,) = model.log_probabilities([query.encode()])
        assert len(values) == len(query.encode())
        np.testing.assert_array_equal(values, alone)


def test_learns_what_it_counted_and_not_the_opposite():
    model = ByteNgram(["katten ser hunden"] * 20)
    seen, unseen = model.log_probabilities([b"katten ser hunden", b"hunden katten ser"])
    assert seen.sum() > unseen.sum() + 5


def test_identity_is_the_text_the_order_and_nothing_else():
    assert ByteNgram(["ab", "c"]).sha256 == ByteNgram(["ab", "c"]).sha256
    others = [ByteNgram(["ab", "c"], 5), ByteNgram(["a", "bc"]), ByteNgram(["c", "ab"])]
    assert len({ByteNgram(["ab", "c"]).sha256, *(model.sha256 for model in others)}) == 4


def test_an_order_beyond_a_word_of_memory_is_refused():
    with pytest.raises(ValueError, match="outside"):
        ByteNgram(["a"], 9)
