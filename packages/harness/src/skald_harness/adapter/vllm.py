"""vLLM for generation, by lm-eval's own door.

Not part of the environment: vllm pins a torch of its own. Refuses likelihoods, which vLLM computes
without its prefix cache and thus slower than our own scorer.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from typing import Any

from skald_specs.errors import UserInputError

from skald_harness.adapter.generation import generated
from skald_harness.scoring.questions import Answer, Question


class GenerationBackend:
    """Generates with a model of lm-eval's; an `Answerer` of `generate` questions alone.

    Args:
        model: An object with lm-eval's `generate_until` and `tok_encode`.
    """

    how = "generation by lm-eval's vllm"

    def __init__(self, model: Any) -> None:
        self._model = model

    def chunks(self, questions: Sequence[Question]) -> list[list[int]]:
        """See `Answerer`; vLLM batches by itself, so all are one unit."""
        return [list(range(len(questions)))] if questions else []

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """See `Answerer`.

        Raises:
            UserInputError: A question asks for a log-probability.
        """
        for question in questions:
            if question.kind != "generate":
                raise UserInputError(
                    "backend",
                    f"vllm does not answer questions of the kind {question.kind!r}",
                    "Leave the backend out for tasks that compare likelihoods",
                )
        return generated(self._model, questions)


def load_vllm(pretrained: str, **arguments: Any) -> GenerationBackend:
    """Load a model with vLLM.

    Args:
        pretrained: A folder or a hub id.
        arguments: Those of lm-eval's `--model vllm`, such as `tensor_parallel_size`.

    Raises:
        UserInputError: vllm is not installed.
    """
    require_vllm()
    from lm_eval.models.vllm_causallms import VLLM

    return GenerationBackend(VLLM(pretrained=pretrained, **arguments))


def require_vllm() -> str:
    """Return vLLM's version.

    Raises:
        UserInputError: vllm is not installed.
    """
    try:
        return metadata.version("vllm")
    except metadata.PackageNotFoundError:
        raise UserInputError(
            "backend",
            "vllm is not installed: it pins a torch of its own, so Skald's environment leaves it out",
            'Install "lm-eval[vllm]==0.4.13" and skald-harness in an environment of their own, or '
            "leave the backend out",
        ) from None
