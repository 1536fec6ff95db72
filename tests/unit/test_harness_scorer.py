"""The scorer: equal to a plain forward pass, whatever the company and the batch."""

import random

import pytest
import support_harness
import torch
from skald_harness.models.folder import load_model, read_export
from skald_harness.scoring import plain as scorer
from skald_harness.scoring.plain import CausalScorer


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    return read_export(support_harness.write_export(tmp_path_factory.mktemp("x") / "tiny"))


@pytest.fixture(scope="module")
def network(export):
    return load_model(export)


def plain(network, condition, target, max_length=64):
    """One request, one forward pass over all positions, no batching."""
    row = (condition + target)[-(max_length + 1) :]
    with torch.no_grad():
        logits = network(torch.tensor([row[:-1]])).logits[0, -len(target) :]
    picked = torch.log_softmax(logits, -1)[range(len(target)), target]
    return float(picked.sum()), bool((logits.argmax(-1) == torch.tensor(target)).all())


def requests(n=40, seed=0):
    rng = random.Random(seed)

    def tokens(low, high):
        return [rng.randrange(320) for _ in range(rng.randint(low, high))]

    return [(tokens(1, 30), tokens(1, 30)) for _ in range(n)]


def test_equals_a_plain_forward_pass(network):
    asked = requests()
    greedy = plain(network, asked[0][0], asked[0][1][:1])
    with torch.no_grad():
        best = int(network(torch.tensor([asked[0][0]])).logits[0, -1].argmax())
    asked.append((asked[0][0], [best]))
    answers = CausalScorer(network, 64).score(asked)
    for (logprob, hit), (condition, target) in zip(answers, asked, strict=True):
        expected, expected_hit = plain(network, condition, target)
        assert logprob == pytest.approx(expected, abs=1e-4)
        assert hit == expected_hit
    assert answers[-1][1] is True
    assert greedy[1] is (asked[0][1][0] == best)


def test_the_batch_does_not_matter(network, monkeypatch):
    asked = requests()
    normal = CausalScorer(network, 64).score(asked)
    assert CausalScorer(network, 64).score(asked) == normal
    monkeypatch.setattr(scorer, "BATCH_TOKENS", 1)
    monkeypatch.setattr(scorer, "CHUNK_LOGITS", 1)
    alone = CausalScorer(network, 64).score(asked)
    assert [a[0] for a in alone] == pytest.approx([n[0] for n in normal], abs=1e-4)
    assert [a[1] for a in alone] == [n[1] for n in normal]


def test_a_condition_too_long_loses_its_beginning(network):
    condition, target = requests(1, seed=3)[0]
    padded = [7] * 200 + condition * 4
    (answer,) = CausalScorer(network, 32).score([(padded, target)])
    kept = padded[-(33 - len(target)) :]
    assert answer[0] == pytest.approx(plain(network, kept, target, 32)[0], abs=1e-4)
