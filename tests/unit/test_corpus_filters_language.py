"""Language identification: what is in another language goes, what is not stays, alone or in company."""

import sys
import types
import zipfile
from itertools import islice

import numpy as np
import pytest
from skald_corpus.filters.glotlid import GlotLid
from skald_corpus.filters.language import (
    LanguageFilter,
    LanguageRule,
    accuracy,
    confusion,
    neighbours,
)
from skald_corpus.filters.language_model import SMOOTHING, STEP, LanguageModel
from skald_corpus.filters.ngrams import ORDERS, buckets, encode
from skald_corpus.generate import documents
from skald_corpus.grammar.register import LANGUAGES
from skald_specs.errors import UserInputError
from sklearn.naive_bayes import MultinomialNB


def texts(tag, split, n=300):
    return [document.text for document, _ in islice(documents(LANGUAGES[tag], split), n)]


@pytest.fixture(scope="module")
def reference():
    return {tag: texts(tag, "train") for tag in ("da", "de", "en", "nl", "sv")}


@pytest.fixture(scope="module")
def model(reference):
    return LanguageModel.train(reference)


def test_held_out_text_is_known_and_another_language_refused(model):
    judge = LanguageFilter(model)
    for tag in model.languages:
        held_out = texts(tag, "test", 40)
        assert all(verdict.kept for verdict in judge.judge(held_out, tag))
        for other in model.languages:
            if other != tag:
                verdicts = judge.judge(held_out, other)
                assert {verdict.reason for verdict in verdicts} == {"wrong-language"}


def test_the_confusion_matrix_counts_every_text_once(model):
    held_out = {tag: texts(tag, "test", 20) for tag in ("da", "sv")}
    counts = confusion(model, held_out)
    assert counts.sum() == 40
    shares = accuracy(counts)
    assert shares[model.languages.index("da")] == 1 and np.isnan(
        shares[model.languages.index("nl")]
    )
    swapped = confusion(model, {"da": held_out["sv"], "sv": held_out["da"]})
    assert accuracy(swapped)[model.languages.index("da")] == 0


def test_weights_are_those_of_scikit_learn(reference):
    # Without letters of an alphabet added, and before rounding, the two must agree.
    pair = {tag: reference[tag][:50] for tag in ("en", "nl")}
    model = LanguageModel.train(pair)
    rows = np.zeros((2, len(model.weights)))
    for row, tag in enumerate(model.languages):
        for found in buckets(encode(pair[tag])):
            rows[row] += np.bincount(found, minlength=rows.shape[1])
    rows[:, 0] = 0
    seen = np.flatnonzero(rows.sum(axis=0))
    peer = MultinomialNB(alpha=SMOOTHING, fit_prior=False).fit(rows[:, seen], [0, 1])
    theirs = peer.feature_log_prob_[0] - peer.feature_log_prob_[1]
    ours = (model.weights[seen, 0].astype(float) - model.weights[seen, 1]) * STEP
    assert np.abs(ours - theirs).max() <= STEP
    assert not model.weights[np.setdiff1d(np.arange(len(model.weights)), seen)].any()


def test_neighbours_have_a_margin_of_their_own():
    assert neighbours("da") == {"nb", "nn"} and neighbours("en") == frozenset()
    model = LanguageModel.train({"da": texts("da", "train"), "nb": texts("sv", "train")})
    mixed = texts("da", "test", 1)[0][:200]
    assert LanguageFilter(model)(mixed, "da").kept
    score = LanguageFilter(model)(mixed, "da").score
    strict = LanguageFilter(model, LanguageRule(neighbour_margin=score + 0.01))
    assert strict(mixed, "da").reason == "near-neighbour"
    far = LanguageFilter(model, LanguageRule(margin=score + 0.01))
    assert far(mixed, "da").kept


def test_a_macro_language_is_met_by_its_varieties():
    model = LanguageModel.train({"nb": texts("da", "train"), "en": texts("en", "train")})
    judge = LanguageFilter(model)
    assert judge(texts("da", "test", 1)[0], "no").kept
    assert not judge(texts("en", "test", 1)[0], "no").kept


def test_text_too_short_is_not_judged_and_gibberish_is_unfamiliar(model):
    judge = LanguageFilter(model)
    english = texts("en", "test", 1)[0][:39]
    assert judge(english, "da").kept and "too short" in judge(english, "da").detail
    assert not judge(english + " the", "da").kept
    letters = " ".join(("qxzw", "vkjq", "zzgh", "xwqv", "jqkz") * 60)
    nearest = model.languages[int(model.scores([letters])[0].argmax())]
    assert judge(letters, nearest).reason == "unfamiliar"
    assert judge("", "da").kept and not judge("1" * 50, "da").reason.startswith("wrong")


def test_a_long_text_is_read_at_three_places(model):
    judge = LanguageFilter(model, LanguageRule(head_chars=300))
    danish = "\n".join(texts("da", "train", 100))
    english = "\n".join(texts("en", "train", 100))
    assert judge(danish, "da").kept
    assert not judge(english, "da").kept
    assert not judge(english + danish[:300] + english, "da").kept


def test_what_is_said_of_a_text_does_not_depend_on_its_company(model):
    one = texts("da", "test", 3)
    alone = np.concatenate([model.scores([text])[0] for text in one])
    for company in (one, one[::-1], [*one, "", "x", "\0\0", "  ?! "], ["zz" * 9, *one]):
        scores = model.scores(company)[0]
        for text, row in zip(one, alone, strict=True):
            assert (scores[company.index(text)] == row).all()


def test_n_grams_know_word_ends_and_no_case():
    def grams(text):
        return sorted(int(b) for found in buckets(encode([text])) for b in found if b)

    assert grams("Hund, kat!") == grams("hund  kat") != grams("hundkat")
    # Six places with both ends; an end alone is no n-gram.
    assert len(grams("hund")) == sum(6 - n + 1 for n in ORDERS) - 2
    assert grams("") == grams("1 2 3") != grams("a")


def test_a_model_survives_its_file_and_a_damaged_one_is_named(model, tmp_path):
    path, again = tmp_path / "model.npz", tmp_path / "again.npz"
    model.save(path)
    loaded = LanguageModel.load(path)
    assert loaded.fingerprint == model.fingerprint
    loaded.save(again)
    assert again.read_bytes() == path.read_bytes()
    for content in (b"", b"PK\3\4 nothing", path.read_bytes()[:5000]):
        path.write_bytes(content)
        with pytest.raises(UserInputError, match=r"model\.npz: no language model"):
            LanguageModel.load(path)
    with pytest.raises(UserInputError, match="no such language model"):
        LanguageModel.load(tmp_path / "missing.npz")


def test_a_pickle_in_a_model_is_refused(tmp_path):
    path = tmp_path / "model.npz"
    np.savez(path, head=np.array([{"a": 1}], dtype=object), rows=[], weights=[])
    assert zipfile.is_zipfile(path)
    with pytest.raises(UserInputError, match="no language model"):
        LanguageModel.load(path)


def test_reference_text_that_cannot_train_is_named():
    with pytest.raises(UserInputError, match="at least two languages"):
        LanguageModel.train({"da": ["en hund"]})
    with pytest.raises(UserInputError, match=r"sv: no letters .* Add sv reference text"):
        LanguageModel.train({"da": ["en hund"], "sv": ["1 2 3"]})
    with pytest.raises(UserInputError, match="unknown language 'xx'"):
        LanguageModel.train({"da": ["en hund"], "xx": ["abc"]})


def test_a_language_that_the_model_does_not_know_is_named(model):
    with pytest.raises(UserInputError, match=r"does not know 'is'\. Give reference text"):
        LanguageFilter(model)("x" * 50, "is")


def test_order_of_languages_and_texts_is_of_no_matter(reference):
    few = {tag: reference[tag][:30] for tag in ("da", "sv", "en")}
    turned = {tag: few[tag][::-1] for tag in ("sv", "en", "da")}
    assert LanguageModel.train(few).fingerprint == LanguageModel.train(turned).fingerprint
    changed = {**few, "da": few["da"][:-1]}
    assert LanguageModel.train(few).fingerprint != LanguageModel.train(changed).fingerprint


def test_glotlid_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fasttext", None)
    with pytest.raises(UserInputError, match="pip install fasttext"):
        GlotLid(tmp_path / "model.bin")


def test_glotlid_decides_by_target_minimum_and_neighbour(tmp_path, monkeypatch):
    answers = {
        "klar\n": [(0.9, "__label__dan_Latn"), (0.05, "__label__nob_Latn")],
        "tvivl\n": [(0.45, "__label__dan_Latn"), (0.4, "__label__nob_Latn")],
        "svag\n": [(0.2, "__label__dan_Latn"), (0.6, "__label__deu_Latn")],
    }
    inner = types.SimpleNamespace(predict=lambda text, *_: answers[text])
    fake = types.SimpleNamespace(load_model=lambda _: types.SimpleNamespace(f=inner))
    monkeypatch.setitem(sys.modules, "fasttext", fake)
    with pytest.raises(UserInputError, match="no such fastText model"):
        GlotLid(tmp_path / "model.bin")
    (tmp_path / "model.bin").write_bytes(b"x")
    judge = GlotLid(tmp_path / "model.bin", margin=0.1)
    assert judge("klar", "da").kept and judge("klar", "da").score == 0.9
    assert judge("tvivl", "da").reason == "near-neighbour"
    assert GlotLid(tmp_path / "model.bin")("tvivl", "da").kept
    assert judge("svag", "da").reason == "wrong-language"
    assert not judge("klar", "nb").kept
    with pytest.raises(UserInputError, match="no label"):
        judge("klar", "code")
