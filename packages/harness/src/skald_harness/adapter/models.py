"""Networks behind lm-eval's interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lm_eval.api.model import TemplateLM
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
from skald_specs.errors import UserInputError

from skald_harness.scoring.plain import CausalScorer


def _no_generation() -> UserInputError:
    return UserInputError(
        "output_type", "generated answers are not scored", "Use a task that asks for likelihoods"
    )


class TokenLM(TemplateLM):  # type: ignore[misc]  # lm-eval has no type information
    """A causal model with its tokenizer, answering like lm-eval's own `hf` model.

    A continuation longer than the model's context, on which `hf` stops, is scored in windows like
    a document.

    Args:
        scorer: The network.
        tokenizer: A Hugging Face tokenizer; its begin-of-text token, or else its end-of-text
            token, conditions a text with no context.
    """

    def __init__(self, scorer: CausalScorer, tokenizer: Any) -> None:
        super().__init__()
        self._scorer, self.tokenizer = scorer, tokenizer
        self._encoded: dict[tuple[str, bool | None], list[int]] = {}

    @property
    def eot_token_id(self) -> int:
        """See `TemplateLM`."""
        return int(self.tokenizer.eos_token_id)

    @property
    def prefix_token_id(self) -> int:
        """The token that stands before a text with no context."""
        bos = self.tokenizer.bos_token_id
        return self.eot_token_id if bos is None else int(bos)

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, **_: Any
    ) -> list[int]:
        """Encode a text; None leaves special tokens to the tokenizer, as `hf` does."""
        key = (string, add_special_tokens)
        if key not in self._encoded:
            flag = {} if add_special_tokens is None else {"add_special_tokens": add_special_tokens}
            # Documents may be longer than the context: they are scored in windows.
            self._encoded[key] = self.tokenizer.encode(string, verbose=False, **flag)
        return self._encoded[key]

    def loglikelihood(
        self, requests: Sequence[Any], disable_tqdm: bool = True
    ) -> list[tuple[float, bool]]:
        """Return each continuation's log-probability in nats, and whether it is the greedy one."""
        answers: list[tuple[float, bool]] = super().loglikelihood(requests, disable_tqdm=True)
        return answers

    def _loglikelihood_tokens(
        self, requests: Sequence[tuple[Any, list[int], list[int]]], **_: Any
    ) -> list[tuple[float, bool]]:
        parts: list[tuple[list[int], list[int]]] = []
        counts = []
        for _text, context, continuation in requests:
            if not continuation:
                raise UserInputError("items", "a continuation has no tokens", "Lengthen it")
            long = len(continuation) > self._scorer.max_length
            windows = (
                self._windows(continuation, context[-1]) if long else [(context, continuation)]
            )
            parts += windows
            counts.append(len(windows))
        scores = iter(self._scorer.score(parts))
        answers = []
        for count in counts:
            mine = [next(scores) for _ in range(count)]
            answers.append((sum(s for s, _ in mine), all(greedy for _, greedy in mine)))
        return answers

    def _windows(self, tokens: list[int], prefix: int) -> list[tuple[list[int], list[int]]]:
        # Every token is predicted once, with as much context as fits (lm-eval's own windows).
        return [
            make_disjoint_window(window)
            for window in get_rolling_token_windows(tokens, prefix, self._scorer.max_length, 1)
        ]

    def loglikelihood_rolling(
        self, requests: Sequence[Any], disable_tqdm: bool = False
    ) -> list[float]:
        """Return each document's log-probability in nats."""
        windows = [
            self._windows(self.tok_encode(request.args[0]), self.prefix_token_id)
            for request in requests
        ]
        scores = iter(self._scorer.score([window for part in windows for window in part]))
        return [sum(next(scores)[0] for _ in part) for part in windows]

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """Refuse: nothing here compares generated text."""
        raise _no_generation()
