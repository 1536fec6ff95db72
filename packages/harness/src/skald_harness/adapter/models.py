"""Models of ours behind lm-eval's interface: networks, controls, and recorded answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lm_eval.api.model import LM, TemplateLM
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
from skald_specs.errors import UserInputError

from skald_harness.scoring.plain import CausalScorer
from skald_harness.scoring.questions import Answerer, Question

#: A request's texts: (context, continuation), or (document,) for bits per byte.
Arguments = tuple[str, ...]


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


class AnsweredLM(LM):  # type: ignore[misc]  # lm-eval has no type information
    """An `Answerer` behind lm-eval's interface."""

    def __init__(self, answerer: Answerer) -> None:
        super().__init__()
        self._answerer = answerer

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        """Return each continuation's log-probability in nats; greediness is not computed."""
        questions = [
            Question("loglikelihood", r.args[0], r.args[1], is_right=r.idx == r.doc["gold"])
            for r in requests
        ]
        return [(value, False) for value in self._answered(questions)]

    def loglikelihood_rolling(self, requests: Sequence[Any]) -> list[float]:
        """Return each document's log-probability in nats."""
        return self._answered([Question("rolling", "", r.args[0]) for r in requests])

    def _answered(self, questions: Sequence[Question]) -> list[float]:
        found = [0.0] * len(questions)
        for chunk in self._answerer.chunks(questions):
            answers = self._answerer.answer([questions[index] for index in chunk])
            for index, answer in zip(chunk, answers, strict=True):
                found[index] = float(answer.logprob_nats or 0.0)
        return found

    def generate_until(self, requests: Sequence[Any]) -> list[str]:
        """Refuse: nothing here compares generated text."""
        raise _no_generation()


class MissingAnswerError(Exception):
    """A recorded model was asked something that it has no answer to."""


class RecordedLM(LM):  # type: ignore[misc]  # lm-eval has no type information
    """Answers that were given before; `MissingAnswerError` where there is none.

    Args:
        answers: Log-probabilities in nats by the request's texts.
    """

    def __init__(self, answers: Mapping[Arguments, float]) -> None:
        super().__init__()
        self._answers = answers

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        """Return the recorded log-probabilities; greediness is not recorded."""
        return [(answer, False) for answer in self.loglikelihood_rolling(requests)]

    def loglikelihood_rolling(self, requests: Sequence[Any]) -> list[float]:
        """Return the recorded log-probabilities of documents."""
        try:
            return [self._answers[tuple(request.args)] for request in requests]
        except KeyError as error:
            raise MissingAnswerError(str(error)) from None

    def generate_until(self, requests: Sequence[Any]) -> list[str]:
        """Refuse: nothing here compares generated text."""
        raise _no_generation()
