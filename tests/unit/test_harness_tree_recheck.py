"""Planted bugs of the tree path are found, by the probe and by the recheck; memory stays bounded."""

import gc
import weakref
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
import support_networks
import torch
from skald_harness.scoring import cut, head, probe, recheck, tree
from skald_harness.scoring.network import Network, TrunkCache
from skald_harness.scoring.requests import Request
from skald_harness.scoring.scorer import Scorer

LENGTH = support_networks.LENGTH
SEEN_BY, TRIE_OF, HIDDEN = tree.seen_by, probe.trie_of, Network.hidden


def siblings_see_each_other(ends, n_above=0):
    seen = SEEN_BY(ends, n_above)
    before = torch.ones(seen.shape[1], seen.shape[1], dtype=torch.bool).tril()
    seen[..., n_above:] = before
    return seen


def trunk_is_hidden(ends, n_above=0):
    seen = SEEN_BY(ends, n_above)
    seen[..., :n_above] = False
    return seen


def positions_in_the_row(rows, n_targets):
    trie = TRIE_OF(rows, n_targets)
    return replace(trie, depths=np.arange(len(trie.depths)))


def one_further_below_a_trunk(self, tokens, positions=None, mask=None, cache=None, read_N=None):
    if cache is not None and cache.get_seq_length():
        positions = positions + 1
    return HIDDEN(self, tokens, positions, mask, cache, read_N)


PLANTS = {
    "siblings see each other": (tree, "seen_by", siblings_see_each_other),
    "the trunk is hidden": (tree, "seen_by", trunk_is_hidden),
    "positions in the row": (probe, "trie_of", positions_in_the_row),
    "positions below a trunk": (Network, "hidden", one_further_below_a_trunk),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("plant", PLANTS)
def test_the_probe_finds_a_planted_bug(plant, dtype, monkeypatch):
    network, asked = support_networks.network("llama", dtype), support_networks.requests()
    assert Scorer(network, LENGTH).how == "tree"
    monkeypatch.setattr(*PLANTS[plant])
    scorer = Scorer(network, LENGTH)
    assert scorer.how.startswith("plain: a tree ")
    assert scorer.how.endswith(" gives other answers")
    assert scorer.score(asked) == scorer.score_plainly(asked)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_recheck_finds_a_bug_that_comes_after_the_probe(dtype, monkeypatch):
    network = support_networks.network("llama", getattr(torch, dtype))
    scorer, asked = Scorer(network, LENGTH), support_networks.requests(n_items=20)
    monkeypatch.setattr(tree, "seen_by", siblings_see_each_other)
    scores = scorer.score(asked)
    with pytest.raises(recheck.RecheckError, match=f"by the plain path.*in {dtype}"):
        recheck.check(asked, scores, scorer.score_plainly(asked), scorer)
    recheck.check(asked, scorer.score_plainly(asked), scorer.score_plainly(asked), scorer)


def test_no_number_is_not_within_a_tolerance():
    request, good = Request([1], [2]), recheck.Score(-1.0, True)
    with pytest.raises(recheck.RecheckError):
        recheck.check([request], [recheck.Score(float("nan"), True)], [good], Judge(0.0))


class Judge(NamedTuple):
    """Says of every request how clearly it is decided."""

    margin: float
    dtype: str = "float32"

    def margin_nats(self, request):
        return self.margin


def test_another_most_probable_token_is_found_unless_it_is_a_near_tie():
    network, asked = support_networks.network("llama"), support_networks.requests()
    scorer = Scorer(network, LENGTH)
    right = scorer.score_plainly(asked)
    flipped = [score._replace(is_greedy=not score.is_greedy) for score in right]
    with pytest.raises(recheck.RecheckError, match="by one path and not by the other"):
        recheck.check(asked, flipped, right, scorer)
    recheck.check(asked, flipped, right, Judge(0.0))
    # By hand, over all of a row's logits: what decides is the token that lacks the most.
    for request, score in zip(asked[:20], right, strict=False):
        row = torch.tensor([[*request.condition, *request.target]])
        with torch.inference_mode():
            logits = network(row).logits[0, -1 - len(request.target) : -1].double()
        leads = []
        for token, at in zip(request.target, logits, strict=True):
            others = at.clone()
            others[token] = -torch.inf
            leads.append(float(at[token] - others.max()))
        assert (min(leads) > 0) is score.is_greedy
        assert scorer.margin_nats(request) == pytest.approx(abs(min(leads)), abs=1e-4)


def test_a_hundredth_is_drawn_by_tokens_alone():
    asked = [Request((i, 5), (i + 1,)) for i in range(20_000)]
    drawn = recheck.drawn(asked)
    assert 150 <= len(drawn) <= 250
    tokens = {asked[r] for r in drawn}
    assert {asked[::-1][r] for r in recheck.drawn(asked[::-1])} == tokens
    for start in range(0, 200, 20):
        part = asked[start : start + 20]
        mine = recheck.drawn(part)
        assert len(mine) >= 1
        assert {part[r] for r in mine} >= tokens & set(part)
    assert recheck.drawn([]) == []
    # Where condition and target meet counts.
    assert recheck._share(Request([1, 2], [3])) != recheck._share(Request([1], [2, 3]))


def test_keys_and_values_stay_within_their_bound(monkeypatch):
    network = support_networks.network("llama grouped")
    for name, value in (("SMALL_ROW", 4), ("SHORTEST_TRUNK", 2), ("TRUNK_TOKENS", 0)):
        monkeypatch.setattr(cut, name, value)
    held, most_held, most_copied, n_trunks = 0, 0, 0, 0
    grow, update = tree.TreeScorer.grow, TrunkCache.update

    def let_go(n_bytes):
        nonlocal held
        held -= n_bytes

    def counted_grow(self, trie, row, parent):
        nonlocal held, most_held, n_trunks
        trunk, answered = grow(self, trie, row, parent)
        held, n_trunks = held + trunk.own_bytes, n_trunks + 1
        most_held = max(most_held, held)
        weakref.finalize(trunk, let_go, trunk.own_bytes)
        return trunk, answered

    def counted_update(self, keys, values, layer, *more, **named):
        nonlocal most_copied
        found = update(self, keys, values, layer, *more, **named)
        most_copied = max(most_copied, sum(t.nbytes for t in found))
        return found

    asked, scores, trunks = support_networks.requests(n_items=12), {}, {}
    scorers = {n: Scorer(network, LENGTH, n, workers=2) for n in (1 << 30, 64_000, 40_000, 0)}
    monkeypatch.setattr(tree.TreeScorer, "grow", counted_grow)
    monkeypatch.setattr(TrunkCache, "update", counted_update)
    for kv_bytes, scorer in scorers.items():
        most_held = most_copied = n_trunks = 0
        scores[kv_bytes] = scorer.score(asked)
        trunks[kv_bytes] = n_trunks
        gc.collect()
        assert held == 0
        if kv_bytes:
            assert most_held <= kv_bytes // 2
            assert most_copied <= kv_bytes // 2 // 2
        for score, free in zip(scores[kv_bytes], scores[1 << 30], strict=True):
            assert score.logprob_nats == pytest.approx(free.logprob_nats, abs=1e-4)
    assert trunks[1 << 30] >= trunks[40_000] > trunks[0] == 0


def test_a_large_vocabulary_is_scored_a_piece_at_a_time(monkeypatch):
    scorer = Scorer(support_networks.network("llama"), LENGTH)
    asked = support_networks.requests()
    scores = scorer.score(asked)
    monkeypatch.setattr(head, "CHUNK_LOGITS", 1)
    pieces = scorer.score(asked)
    assert [p.is_greedy for p in pieces] == [s.is_greedy for s in scores]
    for piece, score in zip(pieces, scores, strict=True):
        assert piece.logprob_nats == pytest.approx(score.logprob_nats, abs=1e-4)
