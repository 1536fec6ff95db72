"""Whether a tree suits a network: found out by running one, not by the network's name.

A small tree of random tokens is scored by the tree path (in one row, under a trunk, under a trunk
of two parts) and by the model's own forward, path by path. A network that ignores masks, changes
its logits after the head, or counts positions by itself, disagrees or stops.

Knows networks and tries; refuses to know architectures.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from skald_harness.scoring.cut import Row
from skald_harness.scoring.head import Answers
from skald_harness.scoring.network import Network, TrunkCache
from skald_harness.scoring.tree import TreeScorer
from skald_harness.scoring.trie import Trie, trie_of

#: Largest root mean square difference of log-probabilities, in standard deviations of the logits.
#: Standing: measured (fp32 1e-6 to 1e-5, bf16 1e-2, tests/unit/test_harness_tree_architectures).
TOLERANCES = {torch.float32: 1e-3, torch.float64: 1e-3}
COARSE_TOLERANCE = 0.1
#: And in root mean square differences of the same tree scored with no mask, so that a network
#: whose answers hardly depend on what a token sees is not waved through.
MOST_OF_BLIND = 0.1
#: Tokens of the random tree: a stem, branches on it, twigs on each branch.
STEM, BRANCHES, BRANCH, TWIGS, TWIG = 5, 3, 4, 2, 4


@dataclass(frozen=True)
class Verdict:
    """What the probe found.

    Attributes:
        is_headed: Whether logits computed at chosen positions are those of the model's forward.
        why_not: Why a tree does not suit, None where it does.
        layer_bytes: Bytes of one token's keys and values in one layer.
        n_layers: Layers that keep keys and values.
    """

    is_headed: bool
    why_not: str | None
    layer_bytes: int = 0
    n_layers: int = 0


@torch.inference_mode()
def probe(network: Network) -> Verdict:
    """Try a network out.

    Args:
        network: The network.

    Returns:
        What it can do. Exceptions of the network count as "cannot".
    """
    rows = _random_rows(network)
    # The stem is not asked, so that a body that leaves out what is not read is tried as such.
    trie = trie_of(rows, [len(row) - STEM for row in rows])
    expected, spread = _expected(network, rows, trie)
    try:
        error = _head_error(network, rows)
    except Exception as problem:
        return Verdict(False, _reason("its head does not run alone", problem))
    if not error <= _tolerance(network) * spread:
        return Verdict(False, "its logits are not its head's")
    for network.is_thrifty in (True, False):
        verdict = _try_tree(network, rows, trie, expected, spread)
        if verdict.why_not is None:
            break
    return verdict


def _try_tree(
    network: Network,
    rows: list[list[int]],
    trie: Trie,
    expected: NDArray[np.float64],
    spread: float,
) -> Verdict:
    try:
        layer_bytes, n_layers = _cache_size(network, rows)
        tree = TreeScorer(network, 1 << 40, layer_bytes, n_layers, 1)
        blind = _rms(_blind(network, trie) - expected)
        most = min(_tolerance(network) * spread, MOST_OF_BLIND * blind + 1e-6 * spread)
        for name, found in _ways(tree, trie):
            error = _rms(found - expected)
            if not error <= most:
                return Verdict(True, f"a tree {name} gives other answers")
    except Exception as problem:
        return Verdict(True, _reason("a tree does not run", problem))
    return Verdict(True, None, layer_bytes, n_layers)


def _random_rows(network: Network) -> list[list[int]]:
    rng = random.Random(0)
    n = min(network.n_vocabulary, int(network.model.get_input_embeddings().weight.shape[0]))

    def tokens(count: int) -> list[int]:
        return [rng.randrange(n) for _ in range(count)]

    stem = tokens(STEM)
    branches = [stem + tokens(BRANCH) for _ in range(BRANCHES)]
    return [branch + tokens(TWIG) for branch in branches for _ in range(TWIGS)]


def _expected(
    network: Network, rows: list[list[int]], trie: Trie
) -> tuple[NDArray[np.float64], float]:
    """Return every asked node's log-probability by plain forwards, and the logits' spread."""
    logprob_A = np.zeros(len(trie.asked_tokens))
    spreads = []
    for row, steps in zip(rows, np.split(trie.steps, trie.starts[1:]), strict=True):
        logits_TV = network.full_logits(network.tensor([row[:-1]]))[0].float()
        spreads.append(float(logits_TV.std(-1).mean()))
        target_T = network.tensor(row[-len(steps) :])
        logprob_T = torch.log_softmax(logits_TV[-len(steps) :], -1).gather(-1, target_T[:, None])[
            :, 0
        ]
        logprob_A[steps] = logprob_T.double().cpu().numpy()
    return logprob_A, float(np.mean(spreads))


def _head_error(network: Network, rows: list[list[int]]) -> float:
    tokens_BT = network.tensor([row[:-1] for row in rows])
    full = torch.log_softmax(network.full_logits(tokens_BT).float(), -1)
    logits_NV = network.logits(network.hidden(tokens_BT).flatten(0, 1))
    difference = torch.log_softmax(logits_NV, -1) - full.flatten(0, 1)
    return float(difference.square().mean().sqrt())


def _cache_size(network: Network, rows: list[list[int]]) -> tuple[int, int]:
    cache = TrunkCache(None, keep=True)
    network.hidden(network.tensor(rows[:1]), cache=cache)
    if not cache.kept:
        raise ValueError("its layers keep no keys and values")
    n_bytes = {key.nbytes + value.nbytes for key, value in cache.kept}
    return max(n_bytes) // len(rows[0]), len(cache.kept)


def _ways(tree: TreeScorer, trie: Trie) -> list[tuple[str, NDArray[np.float64]]]:
    n_inputs = len(trie.tokens)
    whole = _row(trie, 0, n_inputs)
    # Two rows, so that padding and a trunk expanded to a batch are tried too.
    middle = int(trie.ends[STEM])
    below = [_row(trie, STEM, middle), _row(trie, middle, n_inputs)]
    (short, long) = (tree.grow(trie, _row(trie, a, b), None) for a, b in ((0, STEM - 2), (0, STEM)))
    split = tree.grow(trie, _row(trie, STEM - 2, STEM), short[0])
    return [
        ("in one row", _gathered(trie, [tree.batch(trie, [whole])])),
        ("under a trunk", _gathered(trie, [long[1], tree.batch(trie, below, long[0])])),
        (
            "under two trunks",
            _gathered(trie, [short[1], split[1], tree.batch(trie, below, split[0])]),
        ),
    ]


def _row(trie: Trie, start: int, stop: int) -> Row:
    return Row(np.arange(start, stop), np.minimum(trie.ends[start:stop], stop) - start, 0)


def _gathered(trie: Trie, parts: list[tuple[NDArray[np.int64], Answers]]) -> NDArray[np.float64]:
    logprob_A = np.full(len(trie.asked_tokens), np.nan)
    for asked, (logprobs, _) in parts:
        logprob_A[asked] = logprobs
    return logprob_A


def _blind(network: Network, trie: Trie) -> NDArray[np.float64]:
    """Return what a network answers that takes the tree for one sequence."""
    logits_IV = network.logits(network.hidden(network.tensor(trie.tokens[None]))[0])
    parent_A = np.repeat(np.arange(len(trie.tokens)), np.diff(trie.asked_from))
    found_AV = torch.log_softmax(logits_IV, -1)[network.tensor(parent_A)]
    token_A = network.tensor(trie.asked_tokens)
    return np.asarray(found_AV.gather(-1, token_A[:, None])[:, 0].double().cpu().numpy())


def _tolerance(network: Network) -> float:
    return TOLERANCES.get(network.dtype, COARSE_TOLERANCE)


def _rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _reason(what: str, problem: Exception) -> str:
    lines = str(problem).splitlines() or [""]
    return f"{what} ({type(problem).__name__}: {lines[0][:80]})"
