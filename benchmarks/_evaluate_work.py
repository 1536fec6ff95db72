"""What `bench -- evaluate` scores, and the two that score it: ours, and lm-eval's own backend.

Also a program: `python benchmarks/_evaluate_work.py ARM WORK BATCH` prints by how many megabytes
scoring raised the largest resident memory of a process that had loaded everything (Linux only).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from _machine import forget_peak, peak_bytes
from lm_eval.models.huggingface import HFLM
from skald_harness.scoring.requests import Request
from skald_harness.scoring.scorer import Scorer
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

VOCABULARY, CONTEXT = 8192, 1024
#: The token that stands before a text without context.
BEGIN = 0
Answers = Sequence[tuple[float, bool]]


def network() -> Any:
    """Return a Llama of 4 layers of width 256 with random weights, 5.3 million parameters."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=256,
        intermediate_size=688,
        num_hidden_layers=4,
        num_attention_heads=4,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
    )
    return LlamaForCausalLM(config).eval()


@dataclass(frozen=True)
class Work:
    """Requests of one kind; each item's choices are `n_choices` requests in a row."""

    requests: list[Request]
    n_choices: int

    def chosen(self, answers: Answers) -> list[int]:
        """Return the most probable choice of each item."""
        logprobs = np.array([answer[0] for answer in answers])
        return [int(best) for best in logprobs.reshape(-1, self.n_choices).argmax(-1)]

    def part(self, step: int) -> Work:
        """Return every `step`-th item."""
        n = self.n_choices
        starts = range(0, len(self.requests), step * n)
        return Work([r for start in starts for r in self.requests[start : start + n]], n)


class _Words:
    """Token ids as frequent as words are: the probability falls with the rank."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        weights = 1 / np.arange(2, VOCABULARY + 1)
        self._probabilities = weights / weights.sum()

    def draw(self, low: int, high: int) -> list[int]:
        """Draw between `low` and `high` tokens."""
        size = int(self._rng.integers(low, high + 1))
        drawn = self._rng.choice(VOCABULARY - 1, size, p=self._probabilities) + 1
        return [int(token) for token in drawn]

    def number(self, low: int, high: int) -> int:
        """Draw a number from `low` to `high`."""
        return int(self._rng.integers(low, high + 1))


def four_choices() -> Work:
    """Return 200 items: a context of 60 to 200 tokens and four choices of 3 to 14."""
    words, requests = _Words(1), []
    for _ in range(200):
        context = words.draw(60, 200)
        requests += [Request(context, words.draw(3, 14)) for _ in range(4)]
    return Work(requests, 4)


def few_shot() -> Work:
    """Return 48 questions of 30 to 60 tokens after the same 600, with four choices of one token."""
    words, requests = _Words(2), []
    block = words.draw(600, 600)
    for _ in range(48):
        context = [*block, *words.draw(30, 60)]
        first = words.number(1, VOCABULARY - 4)
        requests += [Request(context, [first + i]) for i in range(4)]
    return Work(requests, 4)


def pairs() -> Work:
    """Return 400 sentences of 8 to 24 tokens, and each with two neighbouring words exchanged."""
    words, requests = _Words(3), []
    for _ in range(400):
        good = words.draw(8, 24)
        one, two = words.number(1, 2), words.number(1, 2)
        at = words.number(0, len(good) - one - two)
        middle, end = at + one, at + one + two
        bad = [*good[:at], *good[middle:end], *good[at:middle], *good[end:]]
        requests += [Request([BEGIN], good), Request([BEGIN], bad)]
    return Work(requests, 2)


WORKS: dict[str, Callable[[], Work]] = {
    "four choices": four_choices,
    "600-token few-shot block": few_shot,
    "minimal pairs": pairs,
}


def documents() -> list[str]:
    """Return texts of 200 to 2,500 tokens, written as `t17 t4`; some need several windows."""
    words = _Words(4)
    return [" ".join(f"t{token}" for token in words.draw(200, 2500)) for _ in range(6)]


def peer(model: Any, batch_size: int) -> HFLM:
    """Return lm-eval's own backend; its cache of one-token choices is on, as by default."""
    logging.getLogger(HFLM.__module__).setLevel(logging.ERROR)
    # `t0`, the begin of a text, is cut out wherever it stands: no other name holds it.
    words = {f"t{i}": i for i in range(VOCABULARY)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token=f"t{BEGIN}"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=f"t{BEGIN}")
    return HFLM(pretrained=model, tokenizer=fast, batch_size=batch_size, max_length=CONTEXT)


def ask_peer(model: HFLM, requests: Sequence[Request]) -> Answers:
    """Have lm-eval's backend score requests."""
    asked = [(("", ""), list(r.condition), list(r.target)) for r in requests]
    answers: Answers = model._loglikelihood_tokens(asked, disable_tqdm=True)
    return answers


def ours(model: Any) -> Scorer:
    """Return our scorer with one worker."""
    return Scorer(model, CONTEXT, workers=1)


def _growth(arm: str, name: str, batch_size: int) -> float:
    work, model = WORKS[name](), network()
    scorer, other = ours(model), peer(model, batch_size)
    score = scorer.score if arm == "ours" else lambda requests: ask_peer(other, requests)
    # Kernels and threads take memory of their own when they first run.
    score(work.requests[:2])
    forget_peak()
    before = peak_bytes()
    score(work.requests)
    return (peak_bytes() - before) / 2**20


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(f"grew {_growth(sys.argv[1], sys.argv[2], int(sys.argv[3])):.1f}")
