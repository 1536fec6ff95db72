"""Texts that say the same in another form have the same words; others have not."""

import unicodedata

import numpy as np
import pytest
from skald_corpus import words as module
from skald_corpus.words import (
    ngram_hashes,
    normalised,
    word_hashes,
    words,
)

TEXT = "Æblet er »rødt«, sagde hun – og faldt; Straße, Þórður, d’r, naïve ﬁn"
SAME = {
    "NFD": unicodedata.normalize("NFD", TEXT),
    "NFKD": unicodedata.normalize("NFKD", TEXT),
    "upper": TEXT.upper(),
    "quotes": TEXT.replace("»", '"').replace("«", "“").replace("–", "-").replace("’", "'"),
    "white space": TEXT.replace(" ", "\u00a0\n "),
    "invisible": TEXT.replace("faldt", "fa\u00adl\u200bdt"),
}


@pytest.mark.parametrize("form", SAME)
def test_other_forms_have_the_same_words(form):
    assert SAME[form] != TEXT
    assert words(SAME[form]) == words(TEXT)


@pytest.mark.parametrize("other", ["Æbler", "Aeblet", "Æblet er", "Æ blet"])
def test_other_words_differ(other):
    assert words("Æblet") != words(other)


def test_normalised_is_stable():
    assert normalised(normalised(TEXT)) == normalised(TEXT)
    assert words("") == words(" …!? ") == []


def test_a_long_text_is_the_sum_of_its_pieces(monkeypatch):
    text = " ".join(f"ord{i} æ\u0301\n" for i in range(500))
    whole = word_hashes(text)
    monkeypatch.setattr(module, "PIECE_CHARACTERS", 50)
    assert np.array_equal(word_hashes(text), whole)
    assert "".join(module.pieces(text)) == text
    assert "".join(module.pieces("x" * 501)) == "x" * 501


def test_a_full_table_of_words_changes_nothing(monkeypatch):
    whole = word_hashes("a b c d a b c d")
    monkeypatch.setattr(module, "_KNOWN_WORDS", 2)
    assert np.array_equal(word_hashes("a b c d a b c d"), whole)


def test_hashes_are_pinned():
    # A change of these values changes what every corpus keeps: then the rule's name changes too.
    assert word_hashes("Æblet faldt").tolist() == [2489261877085351783, 4653712989589341039]
    assert ngram_hashes(word_hashes("Æblet faldt ned"), 2).tolist() == [
        12371396766493089267,
        4674003308738823913,
    ]


def test_ngrams_depend_on_the_order_of_words():
    assert ngram_hashes(word_hashes("a b"), 2) != ngram_hashes(word_hashes("b a"), 2)
