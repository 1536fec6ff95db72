"""`nox -s bench -- evaluate`: our scorer against lm-eval's own Hugging Face backend.

Same network, same requests, CPU seconds of one thread, in turn A B A B. lm-eval runs at the batch
size of 1, 8 and 32 that is fastest for it on a quarter of the requests. Counts of tokens that pass
through body and head explain each ratio: beyond them lie only padding, attention and log-softmax.
"""

from __future__ import annotations

import contextlib
import io
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import torch
from _conclude import conclude
from _evaluate_work import (
    BEGIN,
    CONTEXT,
    WORKS,
    Answers,
    Work,
    ask_peer,
    documents,
    network,
    ours,
    peer,
)
from _options import options
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
from skald_harness.scoring.requests import Request
from skald_specs.claims import Measure

P = ParamSpec("P")
T = TypeVar("T")
LEAST = {"four choices": 5.0, "600-token few-shot block": 10.0, "minimal pairs": 1.3}
#: Turns; the median of the ratios of single turns counts.
TURNS = 5
BATCH_SIZES, TRIES = (1, 8, 32), 3
MOST_NATS, MOST_BITS_PER_BYTE = 1e-4, 1e-6


def main() -> int:
    """Measure and conclude."""
    given = options(__doc__)
    torch.set_num_threads(1)
    model = network()
    measures = []
    for name in WORKS:
        measures += _work(model, name)
    measures.append(_bits_per_byte(model))
    return conclude("evaluate", "bench", measures, given)


def _work(model: Any, name: str) -> list[Measure]:
    work, scorer = WORKS[name](), ours(model)
    peers = {size: peer(model, size) for size in BATCH_SIZES}
    size = _best_size(peers, work.part(4).requests)
    (mine, counts), (theirs, their_counts) = (
        _counted(model, scorer.score, work.requests),
        _counted(model, ask_peer, peers[size], work.requests),
    )
    turns = []
    for _ in range(TURNS):
        turns.append(
            (_cpu(scorer.score, work.requests)[0], _cpu(ask_peer, peers[size], work.requests)[0])
        )
    ratio = statistics.median(b / a for a, b in turns)
    seconds = [statistics.median(column) for column in zip(*turns, strict=True)]
    return [
        Measure(
            measure=f"{name}: faster than lm-eval",
            value=round(ratio, 2),
            unit="times",
            bound=f">= {LEAST[name]:g}",
            holds=ratio >= LEAST[name],
            detail=f"{seconds[0]:.2f} against {seconds[1]:.2f} CPU s at its best batch size, {size}; "
            f"tokens {counts[0]} against {their_counts[0]} ({their_counts[0] / counts[0]:.2f}), "
            f"head positions {counts[1]} against {their_counts[1]}; {len(work.requests)} requests",
        ),
        *_sameness(name, work, mine, theirs),
        _memory(name, size),
    ]


def _best_size(peers: Mapping[int, HFLM], requests: Sequence[Request]) -> int:
    """Return the batch size with which lm-eval is fastest; two may lie a few percent apart, so each is tried thrice."""
    tried = [
        {size: _cpu(ask_peer, peer, requests)[0] for size, peer in peers.items()}
        for _ in range(TRIES)
    ]
    return min(peers, key=lambda size: statistics.median(turn[size] for turn in tried))


def _sameness(name: str, work: Work, mine: Answers, theirs: Answers) -> list[Measure]:
    apart = max(abs(a[0] - b[0]) for a, b in zip(mine, theirs, strict=True))
    chosen = zip(work.chosen(mine), work.chosen(theirs), strict=True)
    greedy = sum(a[1] != b[1] for a, b in zip(mine, theirs, strict=True))
    differ = sum(a != b for a, b in chosen)
    return [
        Measure(
            measure=f"{name}: largest difference",
            value=apart,
            unit="nats",
            bound=f"<= {MOST_NATS:g}",
            holds=apart <= MOST_NATS,
        ),
        Measure(
            measure=f"{name}: other choices",
            value=differ + greedy,
            unit="items",
            bound="= 0",
            holds=differ + greedy == 0,
            detail=f"of {len(work.requests) // work.n_choices} items; greedy flags included",
        ),
    ]


def _memory(name: str, size: int) -> Measure:
    grown = {arm: _child(arm, name, size) for arm in ("ours", "peer")}
    least = BATCH_SIZES[0]
    singly = grown["peer"] if size == least else _child("peer", name, least)
    return Measure(
        measure=f"{name}: memory against lm-eval",
        value=round(grown["ours"] / grown["peer"], 2),
        unit="times",
        bound="<= 1",
        holds=grown["ours"] <= grown["peer"],
        detail=f"{grown['ours']:.0f} against {grown['peer']:.0f} MB on top of what is loaded, a "
        f"process each; lm-eval at its best batch size, {size}; at {least} it takes {singly:.0f}",
    )


def _child(arm: str, name: str, size: int) -> float:
    script = Path(__file__).with_name("_evaluate_work.py")
    done = subprocess.run(
        [sys.executable, str(script), arm, name, str(size)],
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout.split("grew")[1])


def _bits_per_byte(model: Any) -> Measure:
    """Compare documents, in lm-eval's own windows."""
    texts = documents()
    n_bytes = sum(len(text.encode("utf-8")) for text in texts)
    asked = [Instance("loglikelihood_rolling", {}, (text,), i) for i, text in enumerate(texts)]
    # lm-eval draws a progress bar for each batch of windows, whatever it is told.
    with contextlib.redirect_stderr(io.StringIO()):
        theirs = sum(peer(model, 1).loglikelihood_rolling(asked, disable_tqdm=True))
    windows = [
        Request(*make_disjoint_window(window))
        for text in texts
        for window in get_rolling_token_windows(
            [int(word[1:]) for word in text.split()], BEGIN, CONTEXT, 1
        )
    ]
    mine = sum(score.logprob_nats for score in ours(model).score(windows))
    apart = abs(mine - theirs) / n_bytes / math.log(2)
    return Measure(
        measure="documents: difference of bits per byte",
        value=apart,
        unit="bits/byte",
        bound=f"<= {MOST_BITS_PER_BYTE:g}",
        holds=apart <= MOST_BITS_PER_BYTE,
        detail=f"{-mine / n_bytes / math.log(2):.6f} bits per byte in {len(windows)} windows",
    )


def _counted(
    model: Any, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> tuple[T, tuple[int, int]]:
    """Call a function; count tokens that pass the body and positions that pass the head."""
    counts = [0, 0]

    def of_body(_: Any, __: Any, inputs: dict[str, Any], ___: Any) -> None:
        counts[0] += inputs["input_ids"].numel()

    def of_head(_: Any, inputs: tuple[torch.Tensor], __: Any) -> None:
        counts[1] += inputs[0].shape[:-1].numel()

    handles = [
        model.base_model.register_forward_hook(of_body, with_kwargs=True),
        model.lm_head.register_forward_hook(of_head),
    ]
    result = function(*args, **kwargs)
    for handle in handles:
        handle.remove()
    return result, (counts[0], counts[1])


def _cpu(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> tuple[float, T]:
    start = time.process_time()
    result = function(*args, **kwargs)
    return time.process_time() - start, result


if __name__ == "__main__":
    sys.exit(main())
