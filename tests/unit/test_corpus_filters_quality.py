"""The quality filter and the lint of its limits."""

import pytest
from skald_corpus.filters.quality import (
    SHORT_METRICS,
    SHORT_WORDS,
    LanguageQuality,
    Limit,
    QualityFilter,
    QualityThresholds,
    shipped_thresholds,
)
from skald_corpus.filters.quality_derive import derive, lay_out, lint, save, spoil, stop_words
from skald_corpus.filters.quality_metrics import METRICS, measure
from skald_corpus.keyed import Stream
from skald_specs.errors import UserInputError

NOUNS = ["hund", "kat", "skov", "mand", "stemme", "lærer", "vogn", "fjord", "bakke", "vinter"]
VERBS = ["ser", "finder", "elsker", "kender", "henter", "maler"]


def sentence(stream):
    noun = stream.shuffled(NOUNS)
    return f"Nu ser den {noun[0]} og en {noun[1]} {stream.pick(VERBS)} i dag at det er {noun[2]} på {noun[3]}."


def some_documents(n=80, seed="docs"):
    stream = Stream(seed)
    return lay_out([sentence(stream) for _ in range(10 * n)])


def words(n, start=0):
    return " ".join(
        f"ord{chr(97 + (i + start) % 26)}{chr(97 + (i + start) // 26)}" for i in range(n)
    )


def test_figures_by_hand():
    m = measure("Den hund #1 ...\n- 12 34\nden hund\nden hund", frozenset({"den", "og"}))
    assert m.n_words == 11
    assert m.mean_word_length == pytest.approx((3 + 4 + 2 + 3 + 1 + 2 + 2 + 3 + 4 + 3 + 4) / 11)
    assert m.alphabetic_share == 6 / 11
    assert m.symbol_ratio == 2 / 11
    assert m.stop_words == 1
    assert m.duplicate_line_share == 8 / (15 + 7 + 8 + 8)
    assert m.line_end_share == m.ellipsis_line_share == m.bullet_line_share == 1 / 4
    assert m.new_line_ratio == 3 / 11
    assert m.top_2gram_share == 2 * 7 / 31
    assert m.duplicate_5gram_share == 0


def test_a_repeated_5gram_counts_its_later_words_once():
    five = words(5)
    assert measure(f"{five} {words(9, 5)}").duplicate_5gram_share == 0
    # 5 + 5 words, then one more that repeats nothing.
    m = measure(f"{five} {five} {words(1, 30)}")
    assert m.duplicate_5gram_share == pytest.approx(5 / 11)
    assert measure("a b c d e f a b c d e f").duplicate_5gram_share == 0.5
    assert measure("x x x x x x").duplicate_5gram_share == pytest.approx(5 / 6)


def test_a_single_occurrence_is_no_repetition():
    assert measure(words(3)).top_2gram_share == 0
    assert measure("ja ja ja").top_2gram_share == 1


def test_nothing_has_figures_too():
    for text in ("", " \n ", "\n\n"):
        m = measure(text)
        assert m.n_words == 0 and not any(getattr(m, name) for name in METRICS)


@pytest.fixture(scope="module")
def thresholds():
    return derive({"da": some_documents()}, "test")


def test_derived_limits_keep_the_reference_and_refuse_it_spoilt(thresholds):
    judge = QualityFilter(thresholds)
    assert sum(not judge(text, "da").kept for text in some_documents()) <= 4
    held_out = some_documents(seed="held out")
    assert sum(not judge(text, "da").kept for text in held_out) <= 4
    for number in range(len(spoil(held_out[0]))):
        spoilt = [spoil(text)[number] for text in held_out]
        spoilt = [text for text in spoilt if len(text.split()) >= SHORT_WORDS]
        assert spoilt and sum(judge(text, "da").kept for text in spoilt) <= 0.1 * len(spoilt), (
            number
        )


def test_stop_words_are_common_words_and_no_abbreviations():
    documents = [f"{text} kr Oslo 12 f. x" for text in some_documents()]
    found = stop_words(documents)
    assert {"den", "og", "en", "i", "at", "det", "er", "på"} <= set(found)
    assert not {"kr", "oslo", "12", "f", "f.", "x"} & set(found)


def test_a_derived_file_passes_the_lint_and_each_fault_is_reported(thresholds, tmp_path):
    reference = {"da": some_documents()}
    assert lint(thresholds, reference) == []
    save(thresholds, tmp_path / "quality.yaml")
    assert QualityThresholds.load(tmp_path / "quality.yaml") == thresholds

    def broken(stop_words=None, **limits):
        old = thresholds.languages["da"]
        changed = LanguageQuality(
            n_documents=old.n_documents,
            stop_words=stop_words or old.stop_words,
            limits={**old.limits, **limits},
        )
        found = lint(thresholds.model_copy(update={"languages": {"da": changed}}), reference)
        return {(complaint.subject, complaint.problem.split(" ")[0]) for complaint in found}

    # The published limits that filter nothing: FineWeb-2's for Faroese and Nynorsk.
    assert broken(new_line_ratio=Limit(max=2.0)) == {("new_line_ratio", "filters")}
    assert broken(top_2gram_share=Limit(max=0.899)) == {("top_2gram_share", "filters")}
    assert broken(line_end_share=Limit(min=0.0)) == {("line_end_share", "filters")}
    assert ("mean_word_length", "removes") in broken(mean_word_length=Limit(max=3.0))
    words = (*thresholds.languages["da"].stop_words, "kr", "f.", "regie")
    assert broken(stop_words=words) == {("kr", "as"), ("f.", "as"), ("regie", "as")}
    assert [c.problem for c in lint(thresholds, {})] == ["is missing, nothing could be checked"]


def test_a_limit_that_the_reference_pushes_open_is_left_out_by_name():
    reference = {"da": [text.replace(".", "") for text in some_documents()]}
    derived = derive(reference, "test").languages["da"]
    assert "line_end_share" not in derived.limits and "line_end_share" in derived.off


def test_short_text_is_judged_by_its_words_alone(thresholds):
    judge = QualityFilter(thresholds)
    assert judge("Overskrift uden punktum", "da").kept
    assert judge("12345 23456", "da").reason == "quality-alphabetic-share"
    assert judge("ordene # # ...", "da").reason in {
        "quality-alphabetic-share",
        "quality-symbol-ratio",
    }
    assert judge("", "da").reason == "quality-n-words"
    assert set(METRICS) >= SHORT_METRICS


def test_the_web_profile_asks_for_fifty_words(thresholds):
    short = some_documents()[0][:150] + "."
    assert QualityFilter(thresholds)(short, "da").kept
    verdict = QualityFilter(thresholds, "web")(short, "da")
    assert verdict.reason == "quality-n-words" and verdict.score == len(short.split())


def test_what_is_asked_wrongly_is_named(thresholds, tmp_path):
    with pytest.raises(UserInputError, match="unknown 'blog'"):
        QualityFilter(thresholds, "blog")
    with pytest.raises(UserInputError, match="none for 'sv'"):
        QualityFilter(thresholds)("text", "sv")
    with pytest.raises(UserInputError, match="12 documents"):
        derive({"da": some_documents(12)}, "test")
    path = tmp_path / "quality.yaml"
    save(thresholds, path)
    path.write_text(path.read_text().replace("new_line_ratio", "newline_ratio"))
    with pytest.raises(UserInputError, match="unknown metric 'newline_ratio'"):
        QualityThresholds.load(path)
    save(thresholds, path)
    path.write_text(path.read_text().replace("  da:", "  xx:"))
    with pytest.raises(UserInputError, match="unknown language 'xx'"):
        QualityThresholds.load(path)


def test_the_shipped_limits_name_their_source_and_no_text():
    shipped = shipped_thresholds()
    assert "CC BY-SA" in shipped.source
    assert set(shipped.languages) == {"da", "de", "en", "fo", "is", "nb", "nl", "sv"}
    for quality in shipped.languages.values():
        assert set(quality.limits) | set(quality.off) == set(METRICS) - {"n_words"}
        assert all(" " not in word for word in quality.stop_words)
