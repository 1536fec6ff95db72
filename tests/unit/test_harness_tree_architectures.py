"""The tree path against the plain one and lm-eval's own, architecture by architecture."""

from types import SimpleNamespace

import pytest
import support_networks
import torch
from accelerate.hooks import ModelHook, add_hook_to_module
from lm_eval.models.huggingface import HFLM
from skald_harness.scoring import recheck, scorer
from skald_harness.scoring.reach import reach_of
from skald_harness.scoring.scorer import Scorer
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

LENGTH = support_networks.LENGTH
TREES = [
    "llama",
    "llama tied",
    "llama grouped",
    "mistral",
    "gemma",
    "cohere",
    "neox",
    "qwen2",
    "qwen3",
    "gpt2",
]
WINDOWS = {"mistral window": 24, "gemma2": 32}
PLAIN = {"bloom": "plain: a tree does not run", "mamba": "plain: a tree does not run"}


def lm_eval_scores(network, requests):
    """What lm-eval's own backend answers."""
    words = {str(i): i for i in range(support_networks.VOCABULARY)}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="0")), eos_token="2"
    )
    model = HFLM(pretrained=network, tokenizer=tokenizer, batch_size=4, max_length=LENGTH)
    asked = [(("", ""), list(request.condition), list(request.target)) for request in requests]
    return model._loglikelihood_tokens(asked, disable_tqdm=True)


def worst(scores, others):
    return max(abs(a[0] - b[0]) for a, b in zip(scores, others, strict=True))


@pytest.mark.parametrize("name", [*TREES, *WINDOWS, *PLAIN])
def test_scores_are_those_of_lm_eval(name):
    network, asked = support_networks.network(name), support_networks.requests()
    scorer = Scorer(network, LENGTH)
    if name in WINDOWS:
        limit = WINDOWS[name]
        assert scorer.how == f"tree up to {limit} tokens, plain beyond (sliding window)"
    else:
        assert scorer.how.startswith(PLAIN.get(name, "tree"))
    scores, expected = scorer.score(asked), lm_eval_scores(network, asked)
    assert worst(scores, expected) < 1e-4
    assert worst(scorer.score_plainly(asked), expected) < 1e-4
    assert [score.is_greedy for score in scores] == [hit for _, hit in expected]


@pytest.mark.parametrize("name", [*TREES, *WINDOWS])
def test_bfloat16_stays_within_the_tolerance_of_the_recheck(name):
    network, asked = support_networks.network(name, torch.bfloat16), support_networks.requests()
    scorer = Scorer(network, LENGTH)
    assert scorer.how.startswith("tree")
    scores, plain = scorer.score(asked), scorer.score_plainly(asked)
    recheck.check(asked, scores, plain, scorer)
    expected = lm_eval_scores(network, asked)
    recheck.check(asked, scores, [recheck.Score(*answer) for answer in expected], scorer)


@pytest.mark.parametrize("name", WINDOWS)
def test_a_window_that_bites_would_be_seen(name, monkeypatch):
    """The negation: scored in a tree beyond its window, a network gives other answers."""
    network, asked = support_networks.network(name), support_networks.requests()
    monkeypatch.setattr(scorer, "reach_of", lambda config, max_length: (max_length, ""))
    wrong = Scorer(network, LENGTH)
    assert wrong.how == "tree"
    scores, plain = wrong.score(asked), wrong.score_plainly(asked)
    assert worst(scores, plain) > 0.01
    with pytest.raises(recheck.RecheckError, match="apart, at most"):
        recheck.check(asked, scores, plain, wrong)


def test_a_network_that_does_more_after_its_head_is_scored_by_its_own_forward():
    """Soft caps and scales apply at chosen positions too; a bare head would miss them."""
    for name in ("gemma2", "cohere"):
        network, asked = support_networks.network(name), support_networks.requests()
        capped = Scorer(network, LENGTH).score(asked)
        network.config.final_logit_softcapping = None
        network.logit_scale = 1.0
        assert worst(capped, Scorer(network, LENGTH).score(asked)) > 0.1


def test_a_head_that_depends_on_more_than_its_hidden_state_is_not_used_alone():
    class Odd(type(support_networks.network("llama"))):
        def forward(self, input_ids=None, **more):
            output = super().forward(input_ids=input_ids, **more)
            if input_ids is not None:
                output.logits = output.logits * (1 + 0.1 * (input_ids[..., None] % 2))
            return output

    network, asked = support_networks.network("llama"), support_networks.requests()
    network.__class__ = Odd
    odd = Scorer(network, LENGTH)
    assert odd.how == "plain: its logits are not its head's"
    expected = lm_eval_scores(network, asked)
    assert worst(odd.score(asked), expected) < 1e-4


def test_a_network_spread_by_accelerate_is_scored_in_a_tree():
    network, asked = support_networks.network("llama"), support_networks.requests()
    expected = Scorer(network, LENGTH).score(asked)
    add_hook_to_module(network, ModelHook())
    hooked = Scorer(network, LENGTH)
    assert "forward" in vars(network)
    assert hooked.how == "tree"
    assert hooked.score(asked) == expected


def test_ties_are_decided_as_argmax_decides_them():
    network, asked = support_networks.network("llama"), support_networks.requests()
    with torch.no_grad():
        network.lm_head.weight.zero_()
    asked.append(asked[0]._replace(target=[0, 0]))
    hits = [score.is_greedy for score in Scorer(network, LENGTH).score(asked)]
    assert hits == [hit for _, hit in lm_eval_scores(network, asked)]
    assert hits == [False] * (len(asked) - 1) + [True]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, (64, "")),
        ({"sliding_window": 64}, (64, "")),
        ({"sliding_window": 24}, (24, "sliding window")),
        ({"sliding_window": 24, "layer_types": ["full_attention"]}, (64, "")),
        (
            {"sliding_window": 24, "layer_types": ["full_attention", "sliding_attention"]},
            (24, "sliding window"),
        ),
        (
            {"attention_chunk_size": 16, "layer_types": ["chunked_attention"]},
            (16, "chunked attention"),
        ),
        (
            {
                "rope_parameters": {
                    "rope_type": "longrope",
                    "original_max_position_embeddings": 32,
                }
            },
            (32, "positions scaled by length"),
        ),
        (
            {
                "rope_parameters": {"full_attention": {"rope_type": "dynamic"}},
                "max_position_embeddings": 8,
            },
            (8, "positions scaled by length"),
        ),
        ({"rope_parameters": {"rope_type": "llama3"}}, (64, "")),
    ],
)
def test_reach_is_where_a_configuration_says_that_more_than_ancestors_counts(facts, expected):
    assert reach_of(SimpleNamespace(**facts), 64) == expected
