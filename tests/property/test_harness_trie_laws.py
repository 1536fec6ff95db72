"""Laws of the token trie: structure, cutting, units of work, and equality with the plain path."""

import numpy as np
import pytest
import support_networks
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skald_harness.scoring import chunks, cut, tree
from skald_harness.scoring.chunks import chunks_of
from skald_harness.scoring.requests import Request, row_of
from skald_harness.scoring.scorer import Scorer
from skald_harness.scoring.trie import trie_of

#: Few tokens, so that prefixes, repetitions and rows that begin others are common.
ROWS = st.lists(st.lists(st.integers(0, 2), min_size=2, max_size=12), min_size=1, max_size=25)
LENGTH = 24


@st.composite
def asked_rows(draw):
    rows = draw(ROWS)
    return rows, [draw(st.integers(1, len(row) - 1)) for row in rows]


def prefixes(rows):
    """The distinct things that a model must see: every proper prefix."""
    return {tuple(row[:n]) for row in rows for n in range(1, len(row))}


def ancestors(trie, node):
    found = [node]
    while trie.parents[found[-1]] >= 0:
        found.append(int(trie.parents[found[-1]]))
    return found[::-1]


@given(asked_rows())
def test_every_distinct_prefix_is_one_input_and_every_target_is_recovered(case):
    rows, n_targets = case
    trie = trie_of(rows, n_targets)
    paths = [tuple(trie.tokens[ancestors(trie, i)].tolist()) for i in range(len(trie.tokens))]
    assert len(paths) == len(set(paths))
    assert set(paths) == prefixes(rows)
    assert trie.depths.tolist() == [len(path) - 1 for path in paths]
    above = np.repeat(np.arange(len(paths)), np.diff(trie.asked_from))
    asked = [(paths[i], t) for i, t in zip(above, trie.asked_tokens.tolist(), strict=True)]
    assert len(set(asked)) == len(asked)
    for row, n, steps in zip(rows, n_targets, np.split(trie.steps, trie.starts[1:]), strict=True):
        expected = [(tuple(row[:k]), row[k]) for k in range(len(row) - n, len(row))]
        assert [asked[step] for step in steps] == expected


@given(asked_rows(), st.randoms())
def test_the_order_of_requests_changes_nothing(case, rng):
    rows, n_targets = case
    trie = trie_of(rows, n_targets)
    order = list(range(len(rows)))
    rng.shuffle(order)
    other = trie_of([rows[r] for r in order], [n_targets[r] for r in order])
    for name in ("tokens", "depths", "parents", "ends", "asked_from", "asked_tokens"):
        assert getattr(trie, name).tolist() == getattr(other, name).tolist()


@given(asked_rows(), st.sampled_from([0, 3, 1000]))
def test_rows_and_trunks_hold_every_input_with_exactly_its_ancestors(case, longest_trunk):
    rows, n_targets = case
    trie = trie_of(rows, n_targets)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cut, "SMALL_ROW", 2)
        patch.setattr(cut, "SHORTEST_TRUNK", 2)
        patch.setattr(cut, "TRUNK_TOKENS", 0)
        patch.setattr(cut, "EVEN_KEYS", 8)
        scopes = cut.cut(trie, longest_trunk)
    new, held = [], []
    for scope in scopes:
        above = held[scope.parent] if scope.parent >= 0 else []
        for row in [*([scope.trunk] if scope.trunk else []), *scope.rows]:
            is_trunk = row is scope.trunk
            before = above if is_trunk else [*above, *(scope.trunk.nodes if scope.trunk else [])]
            seen = tree.seen_by(torch.as_tensor(row.ends[None]), len(before))[0]
            keys = np.array([*before, *row.nodes])
            for i, node in enumerate(row.nodes):
                assert keys[seen[i].numpy()].tolist() == ancestors(trie, int(node))
            new += row.nodes[row.n_seen :].tolist()
        held.append([*above, *(scope.trunk.nodes if scope.trunk else [])])
        assert len(held[-1]) == scope.length <= max(longest_trunk, 0)
    assert sorted(new) == list(range(len(trie.tokens)))


@given(asked_rows())
def test_the_mask_is_the_ancestor_relation(case):
    trie = trie_of(*case)
    seen = tree.seen_by(torch.as_tensor(trie.ends[None]))[0].numpy()
    for i in range(len(trie.tokens)):
        assert np.flatnonzero(seen[i]).tolist() == ancestors(trie, i)


@given(ROWS, st.integers(8, 40), st.integers(1, 9))
def test_units_hold_every_request_once_within_their_bounds(rows, most_tokens, most_requests):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "UNIT_TOKENS", most_tokens)
        patch.setattr(chunks, "UNIT_REQUESTS", most_requests)
        units = chunks_of(rows)
        assert sorted(r for unit in units for r in unit) == list(range(len(rows)))
        for unit in units:
            mine = [rows[r] for r in unit]
            assert len(unit) <= most_requests
            n_tokens = len(prefixes([[*row, -1] for row in mine]))
            assert n_tokens <= most_tokens or len(unit) == 1
            # A unit is one unit again: resumed work has the same bits.
            assert chunks_of(mine) == [list(range(len(mine)))]
    assert chunks_of(rows) == chunks_of(rows)


@st.composite
def random_requests(draw):
    token = st.integers(3, support_networks.VOCABULARY - 1)
    stems = draw(st.lists(st.lists(token, min_size=1, max_size=40), min_size=1, max_size=4))
    found = []
    for _ in range(draw(st.integers(1, 14))):
        stem = draw(st.sampled_from(stems))
        condition = stem[: draw(st.integers(1, len(stem)))]
        target = draw(st.lists(token, min_size=1, max_size=8))
        # Targets that go on along a stem are prefixes of each other.
        target = (stem[len(condition) :][:5] or target) if draw(st.booleans()) else target
        found.append(Request(condition, target))
    return found + found[: draw(st.integers(0, 3))]


@pytest.fixture(scope="module")
def scorers():
    network = support_networks.network("llama grouped")
    return Scorer(network, LENGTH), network


@settings(max_examples=60, deadline=None)
@given(random_requests(), st.booleans())
def test_tree_scores_are_plain_scores(scorers, asked, is_cut_fine):
    scorer, network = scorers
    assert scorer.how == "tree"
    with pytest.MonkeyPatch.context() as patch:
        if is_cut_fine:
            for name, value in (("SMALL_ROW", 4), ("SHORTEST_TRUNK", 2), ("TRUNK_TOKENS", 0)):
                patch.setattr(cut, name, value)
        scores = scorer.score(asked)
    for score, plain, request in zip(scores, scorer.score_plainly(asked), asked, strict=True):
        assert score.logprob_nats == pytest.approx(plain.logprob_nats, abs=1e-4)
        assert score.is_greedy == plain.is_greedy
        row = row_of(request, LENGTH)
        with torch.no_grad():
            logits = network(torch.tensor([row[:-1]])).logits[0, -len(request.target) :]
        picked = torch.log_softmax(logits, -1)[range(len(request.target)), list(request.target)]
        assert score.logprob_nats == pytest.approx(float(picked.sum()), abs=1e-4)


@settings(max_examples=20, deadline=None)
@given(random_requests(), st.randoms())
def test_a_unit_has_the_same_bits_in_any_order_and_with_any_workers(scorers, asked, rng):
    scorer, network = scorers
    scores = scorer.score(asked)
    order = list(range(len(asked)))
    rng.shuffle(order)
    again = Scorer(network, LENGTH, workers=3).score([asked[r] for r in order])
    assert again == [scores[r] for r in order]


@pytest.mark.parametrize(("condition", "target"), [([], [1]), ([1], []), ([1], [2] * (LENGTH + 1))])
def test_a_request_that_cannot_be_scored_is_refused(scorers, condition, target):
    with pytest.raises(ValueError, match="both need one"):
        scorers[0].score([Request(condition, target)])
