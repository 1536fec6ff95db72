"""A network as lm-eval and as Skald ask it: the answers of lm-eval's `hf`, however they are parted."""

import json
import random

import pytest
import support_harness
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from skald_harness.adapter import vllm
from skald_harness.adapter.network import TrieLM
from skald_harness.models.folder import read_export
from skald_harness.models.loading import load_model, load_tokenizer
from skald_harness.scoring.questions import Answer, Question
from skald_specs.errors import ClaimError, UserInputError

TEMPLATE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"
CONTEXT_TOKENS = 64


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    return read_export(support_harness.write_export(tmp_path_factory.mktemp("x") / "tiny"))


@pytest.fixture(scope="module")
def network(export):
    return load_model(export)


@pytest.fixture(scope="module")
def ours(export, network):
    return TrieLM(network, tokenizer=load_tokenizer(export))


@pytest.fixture(scope="module")
def theirs(export, network):
    return HFLM(network, tokenizer=load_tokenizer(export), batch_size=4)


def text(rng, n_sentences):
    return support_harness.document(rng, "da", n_sentences)


def questions(n=30, seed=0):
    """Choices of every kind beside documents; some contexts and documents exceed 64 tokens."""
    rng = random.Random(seed)
    asked = []
    for i in range(n):
        context = ("", "", text(rng, 1), text(rng, 2) + " ", text(rng, 12))[i % 5]
        asked += [Question("loglikelihood", context, choice) for choice in (" ja", " nej, det er")]
        asked.append(Question("loglikelihood", context, "x"))
        asked.append(Question("rolling", "", text(rng, 1 + i % 7)))
    return asked


def instances(asked):
    return [
        Instance(
            "loglikelihood",
            {},
            (q.continuation,) if q.kind == "rolling" else (q.context, q.continuation),
            i,
        )
        for i, q in enumerate(asked)
    ]


def by_lm_eval(model, asked):
    """Ask through lm-eval's interface: log-probability and greediness (None for a document)."""
    found = {}
    for kind, ask in (
        ("loglikelihood", model.loglikelihood),
        ("rolling", lambda mine: [(nats, None) for nats in model.loglikelihood_rolling(mine)]),
    ):
        indices = [i for i, q in enumerate(asked) if q.kind == kind]
        mine = instances([asked[i] for i in indices])
        found |= dict(zip(indices, ask(mine) if mine else [], strict=True))
    return [found[i] for i in range(len(asked))]


def by_chunks(model, asked):
    parts = model.chunks(asked)
    assert sorted(i for part in parts for i in part) == list(range(len(asked)))
    answers = [None] * len(asked)
    for part in parts:
        for i, answer in zip(part, model.answer([asked[i] for i in part]), strict=True):
            answers[i] = answer
    return answers


def test_answers_are_those_of_hf(ours, theirs):
    asked = questions()
    expected = by_lm_eval(theirs, asked)
    assert max(nats for nats, _ in expected) - min(nats for nats, _ in expected) > 50
    for found in (
        by_lm_eval(ours, asked),
        [(answer.logprob_nats, answer.is_greedy) for answer in by_chunks(ours, asked)],
    ):
        for question, (nats, greedy), (reference, hit) in zip(asked, found, expected, strict=True):
            assert nats == pytest.approx(reference, abs=1e-4)
            assert question.kind == "rolling" or greedy == hit


def test_another_model_would_be_noticed(ours, theirs, tmp_path):
    other = read_export(support_harness.write_export(tmp_path / "other", seed=2))
    stranger = TrieLM(load_model(other), tokenizer=load_tokenizer(other))
    asked = questions(5)
    differences = [
        abs(a - b)
        for (a, _), (b, _) in zip(
            by_lm_eval(stranger, asked), by_lm_eval(theirs, asked), strict=True
        )
    ]
    assert max(differences) > 0.1


def test_order_and_batch_size_change_nothing(export, network, ours):
    asked = questions()
    expected = by_lm_eval(ours, asked)
    order = random.Random(1).sample(range(len(asked)), len(asked))
    for batch_size in (1, 4, "auto"):
        model = TrieLM(network, tokenizer=load_tokenizer(export), batch_size=batch_size)
        found = by_lm_eval(model, [asked[i] for i in order])
        for i, (nats, greedy) in zip(order, found, strict=True):
            assert nats == pytest.approx(expected[i][0], abs=1e-4)
            assert greedy == expected[i][1]


def test_a_chunk_has_the_same_bits_every_time(ours):
    asked = questions()
    assert ours.chunks(asked) == ours.chunks(asked)
    assert by_chunks(ours, asked) == by_chunks(ours, asked)
    part = ours.chunks(asked)[-1]
    again = ours.answer([asked[i] for i in part])
    assert again == [by_chunks(ours, asked)[i] for i in part]


def test_a_continuation_longer_than_the_context_is_scored_in_windows(export, network):
    def plain(condition, target):
        row = torch.tensor([condition + target[:-1]])
        with torch.no_grad():
            logits = network(row).logits[0, -len(target) :]
        return float(torch.log_softmax(logits, -1)[range(len(target)), target].sum())

    tokens = [random.Random(5).randrange(320) for _ in range(100)]
    model = TrieLM(network, tokenizer=load_tokenizer(export), max_length=32)
    ((logprob, _),) = model._loglikelihood_tokens([(("", ""), [0], tokens)])
    # First window: 32 tokens after the condition; later ones see up to 32 tokens before each.
    expected, start = 0.0, 0
    while start < len(tokens):
        end = min(start + 32, len(tokens))
        before = [0, *tokens][max(0, end - 32) : start + 1]
        expected += plain(before, tokens[start:end])
        start = end
    assert logprob == pytest.approx(expected, abs=1e-3)


def test_models_share_what_a_tokenizer_made_of_texts_and_never_another_tokenizers(
    export, network, tmp_path
):
    one = TrieLM(network, tokenizer=load_tokenizer(export))
    asked = questions()
    one.chunks(asked)
    twin = TrieLM(network, tokenizer=load_tokenizer(export))
    assert twin._remembered is one._remembered and one._remembered
    other = read_export(support_harness.write_export(tmp_path / "other", languages=("de",)))
    stranger = TrieLM(load_model(other), tokenizer=load_tokenizer(other))
    assert not stranger._remembered
    plain = HFLM(load_model(other), tokenizer=load_tokenizer(other))
    for question in asked:
        text = question.continuation
        assert stranger.tok_encode(text, False) == plain.tok_encode(text, False)
    assert any(one.tok_encode(q.continuation) != stranger.tok_encode(q.continuation) for q in asked)


def test_tokens_are_counted_and_an_empty_document_costs_nothing(ours, export):
    tokenizer = load_tokenizer(export)
    document = text(random.Random(2), 9)
    whole, empty, choice = by_chunks(
        ours,
        [
            Question("rolling", "", document),
            Question("rolling", "", ""),
            Question("loglikelihood", "", "katten"),
        ],
    )
    assert whole.n_tokens == len(tokenizer.encode(document)) > CONTEXT_TOKENS
    assert (empty.logprob_nats, empty.n_tokens) == (0.0, 0)
    assert choice.n_tokens == len(tokenizer.encode("katten"))


def test_a_continuation_without_tokens_is_refused(ours):
    for context in ("", "katten"):
        with pytest.raises(UserInputError, match="has no tokens"):
            ours.answer([Question("loglikelihood", context, "")])


def test_some_answers_are_scored_twice_and_a_planted_difference_is_noticed(
    export, network, monkeypatch
):
    model = TrieLM(network, tokenizer=load_tokenizer(export))
    assert model.how == "tree"
    asked = questions()
    answers = by_chunks(model, asked)
    for part in model.chunks(asked):
        assert any(answers[i].recheck_nats is not None for i in part)
    for answer in answers:
        if answer.recheck_nats is not None:
            assert answer.recheck_nats == pytest.approx(answer.logprob_nats, abs=1e-4)
    right = model._scorer.score
    planted = 0.01

    def wrong(requests):
        return [type(s)(s.logprob_nats + planted, s.is_greedy) for s in right(requests)]

    monkeypatch.setattr(model._scorer, "score", wrong)
    with pytest.raises(ClaimError, match="by the plain path"):
        model.answer([asked[i] for i in model.chunks(asked)[0]])
    with pytest.raises(ClaimError, match="by the plain path"):
        by_lm_eval(model, asked)


def test_a_template_is_applied_and_hashed_and_a_model_without_one_is_refused(export, network, ours):
    tokenizer = load_tokenizer(export)
    tokenizer.chat_template = TEMPLATE
    model = TrieLM(network, tokenizer=tokenizer)
    assert model.apply_chat_template([{"role": "user", "content": "Hej"}]) == "<user>Hej<assistant>"
    assert model.chat_template(True) == TEMPLATE
    digest = model.chat_template_sha256(True)
    assert digest is not None
    tokenizer.chat_template = TEMPLATE + " "
    assert model.chat_template_sha256(True) != digest
    assert model.chat_template_sha256(False) is None
    assert ours.chat_template_sha256(False) is None
    with pytest.raises(UserInputError, match="no chat template") as caught:
        ours.chat_template_sha256(True)
    assert "\n" not in str(caught.value)


def test_answers_reach_lm_evals_own_cache(export, network):
    class Hook:
        def __init__(self):
            self.found = {}

        def add_partial(self, kind, arguments, answer):
            self.found[kind, arguments] = answer

    asked = questions(5)
    hooks = []
    for kind in (TrieLM, HFLM):
        model = kind(network, tokenizer=load_tokenizer(export))
        model.set_cache_hook(Hook())
        by_lm_eval(model, asked)
        hooks.append(model.cache_hook.found)
    ours, theirs = hooks
    assert ours.keys() == theirs.keys()
    for key, answer in theirs.items():
        assert ours[key] == pytest.approx(answer, abs=1e-4)


@pytest.mark.parametrize(
    "arguments",
    [
        {"dtype": "bfloat16", "softmax_dtype": "float32"},
        {"mixed_precision_dtype": "bfloat16", "softmax_dtype": "float32"},
        {"max_length": 24, "add_bos_token": True, "prefix_token_id": 7},
    ],
    ids=lambda arguments: next(iter(arguments)),
)
def test_arguments_are_those_of_hf(export, arguments):
    path = {"pretrained": str(export.path), "device": "cpu"}
    model, reference = (
        kind.create_from_arg_obj(path | arguments, {"batch_size": 4, "max_batch_size": None})
        for kind in (TrieLM, HFLM)
    )
    assert model.how.startswith("plain: mixed" if "mixed_precision_dtype" in arguments else "tree")
    assert next(model.model.parameters()).dtype == next(reference.model.parameters()).dtype
    asked = questions(5)
    exact = "max_length" in arguments
    for (nats, _), (expected, _), answer in zip(
        by_lm_eval(model, asked), by_lm_eval(reference, asked), by_chunks(model, asked), strict=True
    ):
        # In 16 bits another grouping of rows rounds differently.
        close = pytest.approx(expected, abs=1e-4 if exact else 0.1 * answer.n_tokens**0.5)
        assert nats == close
        assert answer.logprob_nats == close


def test_an_encoder_decoder_is_refused(export, network):
    with pytest.raises(UserInputError, match="not a causal language model"):
        TrieLM(network, tokenizer=load_tokenizer(export), backend="seq2seq")


def test_vllm_is_a_door_for_generation_and_says_when_it_is_missing(ours):
    with pytest.raises(UserInputError, match="vllm is not installed") as caught:
        vllm.load_vllm("somewhere")
    assert "\n" not in str(caught.value)
    backend = vllm.GenerationBackend(ours)
    asked = [Question("generate", "Katten ser", "", json.dumps({"until": [], "max_gen_toks": 3}))]
    assert backend.chunks(asked) == [[0]]
    (answer,) = backend.answer(asked)
    assert isinstance(answer, Answer)
    assert answer.text == ours.answer(asked)[0].text
    with pytest.raises(UserInputError, match="does not answer"):
        backend.answer([Question("rolling", "", "Katten")])
