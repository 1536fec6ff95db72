"""Laws of the filters over any text: nothing fails, nothing is lost, twice is once."""

import unicodedata
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from skald_corpus.filters.language import LanguageFilter
from skald_corpus.filters.language_model import LanguageModel
from skald_corpus.filters.licence import judge_licence
from skald_corpus.filters.normalise import normalise
from skald_corpus.filters.pii import find, mask
from skald_corpus.filters.pii_plant import KINDS
from skald_corpus.filters.quality import QualityFilter
from skald_corpus.filters.quality_metrics import METRICS, measure
from skald_corpus.filters.robots import RobotsSnapshot
from skald_corpus.keyed import Stream
from support_corpus import some_text

MODEL = LanguageModel.train({"da": some_text("da"), "en": ["the quick brown fox of the house"]})
LANGUAGE, QUALITY = LanguageFilter(MODEL), QualityFilter()
#: Text as it comes: any characters, and those that rules look for.
TEXT = st.one_of(st.text(), st.text("0123456789 .-+/:@abNO\nÃ¥Â\u00a0\u00ad", max_size=60))
TAGS = st.sampled_from(["da", "de", "en", "fo", "is", "nb", "nl", "sv"])


@given(TEXT)
def test_normalising_twice_is_normalising_once(text):
    plain, steps = normalise(text)
    assert normalise(plain) == (plain, [])
    assert bool(steps) == (plain != text)
    assert unicodedata.is_normalized("NFC", plain) and plain.encode("utf-8") is not None


@given(TEXT, TAGS)
def test_masking_replaces_what_is_found_and_nothing_else(text, language):
    masked, found = mask(text, language)
    assert all(0 <= f.start < f.end <= len(text) for f in found)
    assert all(a.end <= b.start for a, b in pairwise(found))
    left, last = [], 0
    for f in found:
        left += [text[last : f.start], f"<PII:{f.kind}>"]
        last = f.end
    assert masked == "".join([*left, text[last:]])


@given(st.sampled_from(KINDS), st.text(max_size=20), st.text(max_size=20), st.integers(0, 10**6))
def test_a_checksummed_number_is_found_in_any_neighbourhood(kind, before, after, seed):
    if kind.decidable and kind.name not in ("PHONE", "BSN", "EMAIL", "IP"):
        number = kind.planted(Stream(f"law {seed}"))
        text = f"{before}\n{number}\n{after}"
        start = len(before) + 1
        end = start + len(number)
        spans = [(f.start, f.end) for f in find(text, kind.language)]
        # Digits beside it may make a longer number of another kind; it is never left as it is.
        assert any(s < end and e > start for s, e in spans)


@given(TEXT, TAGS)
def test_figures_are_finite_shares(text, language):
    figures = measure(text, frozenset({"og", "the"}))
    for name in METRICS:
        value = getattr(figures, name)
        assert np.isfinite(value) and value >= 0
        if name.endswith("share"):
            assert value <= 1
    verdict = QUALITY(text, language)
    assert verdict.kept == (verdict.reason == "")


@given(st.lists(TEXT, max_size=6), st.sampled_from(["da", "en"]))
def test_company_changes_no_verdict(texts, language):
    assert LANGUAGE.judge(texts, language) == [LANGUAGE(text, language) for text in texts]


@given(st.text("()ANDORWITHMIT -NC.01x"))
def test_any_licence_has_a_verdict_and_none_with_nc_is_kept(expression):
    verdict = judge_licence(expression)
    assert verdict.kept == (not verdict.reason)
    assert not judge_licence(f"MIT AND CC-BY-NC-4.0 AND {expression}").kept


@settings(max_examples=50)
@given(st.text("UserAgntdislow:*/$ab \n#-"), st.text("/ab*?$", max_size=12))
def test_any_robots_file_has_a_verdict(text, path):
    verdict = RobotsSnapshot(text).judge(f"https://x.no/{path}")
    assert verdict.kept == (not verdict.reason)
    everything = "User-agent: *\nDisallow: /\n"
    assert not RobotsSnapshot(everything).judge(f"https://x.no/{path}").kept
