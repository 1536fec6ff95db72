"""The last layer's feed-forward part runs where it is read, and only where that changes nothing."""

import support_networks
import torch
from skald_harness.scoring.scorer import Scorer

LENGTH = support_networks.LENGTH


class Mixing(torch.nn.Module):
    """A feed-forward part that looks at all positions of its row."""

    def __init__(self, part):
        super().__init__()
        self.part = part

    def forward(self, hidden):
        before = hidden.cumsum(1) / torch.arange(1, hidden.shape[1] + 1)[:, None]
        return self.part(hidden + before)


class Counting(torch.nn.Module):
    def __init__(self, part):
        super().__init__()
        self.part, self.n_tokens = part, 0

    def forward(self, hidden):
        self.n_tokens += hidden.shape[:-1].numel()
        return self.part(hidden)


def scored(network, asked):
    for layer in network.model.layers:
        layer.mlp = Counting(layer.mlp)
    scorer = Scorer(network, LENGTH, workers=2)
    assert scorer.how == "tree"
    for layer in network.model.layers:
        layer.mlp.n_tokens = 0
    scores = scorer.score(asked)
    counted = [layer.mlp.n_tokens for layer in network.model.layers]
    return scorer, scores, counted


def test_the_last_layer_works_for_what_is_read_only():
    network, asked = support_networks.network("llama"), support_networks.requests()
    keys = set(network.state_dict())
    Scorer(network, LENGTH)
    assert set(network.state_dict()) == keys
    scorer, scores, (first, last) = scored(network, asked)
    rows = [list(r.condition) + list(r.target) for r in asked]
    read = {
        tuple(row[-(LENGTH + 1) :][:-k])
        for row, r in zip(rows, asked, strict=True)
        for k in range(1, len(r.target) + 1)
    }
    assert last == len(read) < first
    for score, plain in zip(scores, scorer.score_plainly(asked), strict=True):
        assert abs(score.logprob_nats - plain.logprob_nats) < 1e-4


def test_a_part_that_mixes_positions_is_run_whole_or_the_tree_is_refused():
    network, asked = support_networks.network("llama"), support_networks.requests()
    network.model.layers[-1].mlp = Mixing(network.model.layers[-1].mlp)
    scorer = Scorer(network, LENGTH)
    assert scorer.how == "plain: a tree in one row gives other answers"
    assert not scorer._plain._network.is_thrifty
    for score, plain in zip(scorer.score(asked), scorer.score_plainly(asked), strict=True):
        assert score == plain


def test_a_part_with_more_than_one_result_is_run_whole():
    network = support_networks.network("llama")
    layer = network.model.layers[-1]

    class Paired(torch.nn.Module):
        def __init__(self, part):
            super().__init__()
            self.part = part

        def forward(self, hidden):
            return self.part(hidden), None

    paired = Paired(layer.mlp)
    layer.mlp = paired
    forward = type(layer).forward

    class Layer(type(layer)):
        def forward(self, *inputs, **named):
            # As mixtures of experts do: the layer looks at what kind of part it has.
            if not isinstance(self.mlp, Paired):
                raise TypeError("an unknown part")
            self._modules["mlp"] = paired.part
            try:
                return forward(self, *inputs, **named)
            finally:
                self._modules["mlp"] = paired

    layer.__class__ = Layer
    scorer = Scorer(network, LENGTH, workers=1)
    assert scorer.how == "tree"
    assert not scorer._plain._network.is_thrifty
