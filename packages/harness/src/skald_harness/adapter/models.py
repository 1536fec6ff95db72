"""A model without a network behind lm-eval's interface: byte counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lm_eval.api.model import LM
from skald_specs.errors import UserInputError

from skald_harness.scoring.ngram import ByteNgram


def _no_generation() -> UserInputError:
    return UserInputError(
        "output_type", "generated answers are not scored", "Use a task that asks for likelihoods"
    )


class ByteLM(LM):  # type: ignore[misc]  # lm-eval has no type information
    """A byte n-gram model behind lm-eval's interface; contexts and texts are raw UTF-8."""

    def __init__(self, ngram: ByteNgram) -> None:
        super().__init__()
        self._ngram = ngram

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        """Return each continuation's log-probability in nats; greediness is not computed."""
        pairs = [request.args for request in requests]
        whole = self._ngram.log_probabilities([(c + t).encode("utf-8") for c, t in pairs])
        return [
            (float(values[len(context.encode("utf-8")) :].sum()), False)
            for values, (context, _) in zip(whole, pairs, strict=True)
        ]

    def loglikelihood_rolling(self, requests: Sequence[Any]) -> list[float]:
        """Return each document's log-probability in nats."""
        texts = [request.args[0].encode("utf-8") for request in requests]
        return [float(values.sum()) for values in self._ngram.log_probabilities(texts)]

    def generate_until(self, requests: Sequence[Any]) -> list[str]:
        """Refuse: nothing here compares generated text."""
        raise _no_generation()
