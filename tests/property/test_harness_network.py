"""Any texts, cut anywhere: the tokens and log-probabilities of lm-eval's `hf`, and its refusals."""

import pytest
import support_harness
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from skald_harness.adapter.network import TrieLM
from skald_harness.models.folder import read_export
from skald_harness.models.loading import load_model, load_tokenizer
from skald_harness.scoring.questions import Question
from skald_specs.errors import UserInputError

#: Letters of one, two, three and four bytes, combining ones, and all that tokenizers treat apart.
PIECES = [
    "katten", "Hund", "e", "ø", "ß", "ð", "é", "e\u0301", "\u0301", "\u200d", "👩‍🔬", "字", "\ufffd",
    " ", "  ", "\n", "\t", "\u00a0", ".", "1", "23", "<|endoftext|>",
]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)
contexts = st.one_of(
    st.just(""),
    texts,
    # Longer than the 64 tokens that the model sees.
    st.tuples(texts, st.integers(20, 40)).map(lambda x: "Fuglen ser. " * x[1] + x[0]),
)


@pytest.fixture(scope="module", params=["plain", "begins"])
def models(request, tmp_path_factory):
    export = read_export(support_harness.write_export(tmp_path_factory.mktemp("x") / "tiny"))
    tokenizer = load_tokenizer(export)
    if request.param == "begins":
        tokenizer = support_harness.with_begin_token(tokenizer)
    network = load_model(export)
    # With its cache of logits, `hf` of lm-eval 0.4.13 mixes up requests of the same tokens that are
    # divided elsewhere: it reads the first positions for the shorter continuation, not the last.
    theirs = HFLM(network, tokenizer=tokenizer, batch_size=8, logits_cache=False)
    return TrieLM(network, tokenizer=tokenizer), theirs


def requests(asked):
    return [Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(asked)]


def divided(model, context, continuation):
    """Return the tokens of context and continuation as lm-eval divides them."""
    if context:
        return model._encode_pair(context, continuation)
    tokens = model.tok_encode(continuation, add_special_tokens=False)
    prefix = [model.prefix_token_id]
    return (prefix, tokens[1:]) if tokens[:1] == prefix else (prefix, tokens)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(pairs=st.lists(st.tuples(contexts, texts.filter(bool)), min_size=1, max_size=8))
def test_unicode_at_token_borders(models, pairs):
    ours, theirs = models
    asked = []
    for pair in pairs:
        condition, target = divided(theirs, *pair)
        if condition and target:
            asked.append(pair)
            continue
        with pytest.raises(AssertionError):
            theirs.loglikelihood(requests([pair]), disable_tqdm=True)
        if target:
            # A context of spaces, which lm-eval moves to the continuation: `hf` stops, we do not.
            (spaces,) = ours.answer([Question("loglikelihood", *pair)])
            assert [spaces] == ours.answer([Question("loglikelihood", "", "".join(pair))])
        else:
            with pytest.raises(UserInputError, match="no tokens"):
                ours.answer([Question("loglikelihood", *pair)])
    assume(asked)
    expected = theirs.loglikelihood(requests(asked), disable_tqdm=True)
    answers = ours.answer([Question("loglikelihood", *pair) for pair in asked])
    by_lm_eval = ours.loglikelihood(requests(asked), disable_tqdm=True)
    for answer, (nats, greedy), (reference, hit) in zip(answers, by_lm_eval, expected, strict=True):
        assert answer.logprob_nats == pytest.approx(reference, abs=1e-4)
        assert nats == pytest.approx(reference, abs=1e-4)
        assert answer.is_greedy == greedy == hit


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(documents=st.lists(st.one_of(texts, contexts), min_size=1, max_size=4))
def test_documents(models, documents):
    ours, theirs = models
    asked = [Instance("loglikelihood_rolling", {}, (text,), 0) for text in documents]
    expected = theirs.loglikelihood_rolling(asked, disable_tqdm=True)
    answers = ours.answer([Question("rolling", "", text) for text in documents])
    assert ours.loglikelihood_rolling(asked, disable_tqdm=True) == pytest.approx(expected, abs=1e-4)
    found = [answer.logprob_nats for answer in answers]
    assert found == pytest.approx(expected, abs=1e-4)
