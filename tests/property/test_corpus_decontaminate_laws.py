"""Laws of words, spans and decontamination over any text."""

import unicodedata

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from skald_corpus.decontaminate.index import ItemIndex
from skald_corpus.decontaminate.scan import Decontaminator, Tally, count
from skald_corpus.decontaminate.spans import without, word_spans
from skald_corpus.words import hash_texts, normalised, pieces, words
from skald_specs.corpus import Document
from skald_specs.decontamination import Decontamination, ReferenceItem

GERMANIC = st.text("abcæøåäöüßþðýíéÆØÅÄÖÜÞÐ «»“”'’-–.,\n", max_size=60)
WORD = st.sampled_from(("ord", "æble", "straße", "þú", "hús", "ö", "to", "tre"))
SENTENCE = st.lists(WORD, min_size=1, max_size=16).map(" ".join)


@settings(deadline=None)
@given(st.text(max_size=60), st.sampled_from(("NFC", "NFD", "NFKC", "NFKD")))
def test_unicode_forms_have_the_same_words(text, form):
    assert words(unicodedata.normalize(form, text)) == words(text)
    assert normalised(normalised(text)) == normalised(text)


@settings(deadline=None)
@given(GERMANIC)
def test_casing_makes_no_difference(text):
    assert words(text.upper()) == words(text.lower()) == words(text)


@settings(deadline=None)
@given(st.lists(st.text(max_size=30), max_size=8))
def test_a_batch_is_its_texts(texts):
    batch = hash_texts(texts)
    assert batch.lengths.tolist() == [len(words(text)) for text in texts]
    assert all("".join(pieces(text)) == text for text in texts)


@settings(deadline=None)
@given(st.text(max_size=60), st.data())
def test_spans_cover_the_words_and_cutting_takes_no_others(text, data):
    spans, found = word_spans(text), words(text)
    if spans is None:
        return
    assert len(spans) == len(found)
    gone = data.draw(st.sets(st.sampled_from(spans))) if spans else set()
    left = words(without(text, gone))
    assert left == [w for w, span in zip(found, spans, strict=True) if span not in gone]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(SENTENCE, min_size=1, max_size=5),
    st.lists(SENTENCE, max_size=10),
    st.integers(1, 4),
    st.sampled_from(("drop", "cut", "report")),
    st.randoms(use_true_random=False),
)
def test_decisions_do_not_depend_on_order_and_lose_nothing(strings, texts, common, policy, rng):
    items = [
        ReferenceItem(task="t", item_id=str(i), language="da", strings=(s,))
        for i, s in enumerate(strings)
    ]
    rule = Decontamination(
        ngram_words=6, short_ngram_words=4, min_words=2, common_documents=common, policy=policy
    )
    docs = [Document(id=f"{i:03}", text=text) for i, text in enumerate(texts + strings)]
    index = ItemIndex(items, rule)
    results = []
    for _ in range(2):
        order = list(docs)
        rng.shuffle(order)
        half = rng.randrange(len(order) + 1)
        parts = (order[:half], order[half:])
        counts = [count(part, index) for part in parts]
        work = Decontaminator(index, np.sum([c.documents for c in counts], axis=0))
        tally, outcomes = Tally("da"), []
        for part, counted in zip(parts, counts, strict=True):
            mine = Tally("da")
            outcomes += list(work.apply(part, mine, counted.flags))
            tally.add(mine)
        report = work.report([tally])
        results.append((sorted(outcomes, key=lambda o: o.id), report))
        assert report.corpus[0].n_documents_read == len(docs)
        kept = sum(len(o.document.text.encode()) for o in outcomes if o.document)
        assert report.corpus[0].n_bytes_kept == kept
    assert results[0] == results[1]
    # Every string that is long enough is in the corpus, so its item is on a list.
    listed = {row.item_id for row in results[0][1].items}
    assert listed >= {str(i) for i, s in enumerate(strings) if words(s)}
