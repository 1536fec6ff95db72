"""Laws over spaces: keyed randomness, sample shares, lossless documents."""

from _mentioned import events
from hypothesis import given, settings
from hypothesis import strategies as st
from skald_corpus.grammar.register import LANGUAGES
from skald_corpus.keyed import Stream, fraction, zipf
from skald_corpus.story import Story
from skald_corpus.tokenizer import sample_bytes, train_tokenizer
from skald_specs.recipe import TokenizerRecipe
from support_corpus import some_text

TOKENIZER = train_tokenizer({"da": some_text("da")}, TokenizerRecipe(vocab_size=300))


@given(st.text())
def test_a_key_decides_its_stream(key):
    one, two, other = Stream(key), Stream(key), Stream(key + "'")
    drawn = [one.below(1000) for _ in range(20)]
    assert drawn == [two.below(1000) for _ in range(20)]
    assert drawn != [other.below(1000) for _ in range(20)]
    assert 0 <= fraction(key) < 1


@given(st.text(), st.lists(st.integers(), min_size=1, max_size=30))
def test_choices_stay_inside(key, options):
    stream = Stream(key)
    assert stream.pick(options) in options
    assert stream.draw(options, zipf(len(options))) in options
    assert sorted(stream.shuffled(options)) == sorted(options)


def test_zipf_is_falling_and_draws_follow_it():
    stream, counts = Stream("zipf"), [0] * 5
    for _ in range(5000):
        counts[stream.draw(range(5), zipf(5))] += 1
    assert counts == sorted(counts, reverse=True)


@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 10**7), min_size=1),
    st.floats(0, 1),
    st.integers(1, 10**7),
)
def test_a_sample_is_filled_and_never_overdrawn(available, exponent, size):
    recipe = TokenizerRecipe(vocab_size=300, sampling_exponent=exponent, sample_bytes=size)
    shares = sample_bytes(available, recipe)
    assert all(0 <= share <= available[tag] for tag, share in shares.items())
    total = min(size, sum(available.values()))
    assert total - len(available) - 1 <= sum(shares.values()) <= size


@given(st.text(min_size=1))
def test_any_text_survives_the_tokenizer(text):
    assert TOKENIZER.decode(TOKENIZER.encode(text).ids) == text or "<|endoftext|>" in text


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**9),
    st.sampled_from(sorted(LANGUAGES)),
    st.sampled_from(["train", "validation", "test"]),
)
def test_any_story_can_be_told(seed, tag, split):
    language = LANGUAGES[tag]
    story = Story(Stream(f"any {seed}"), split, language.pronoun_key)
    for sentence in story.sentences:
        text = language.sentence(sentence)
        assert text[-1] in ".?" and "  " not in text and " ," not in text
    # Nothing is asserted and denied of the same thing.
    said = [
        (event, s.clause.adverb == "not")
        for s in story.sentences
        for event in events([s])
        if s.kind == "statement" and not s.reply
    ]
    assert len({event for event, _ in said}) == len(said)
