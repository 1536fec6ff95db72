"""Generated answers, by whatever model of lm-eval's interface.

Refuses to know which model and how it decodes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import torch
from lm_eval.api.instance import Instance

from skald_harness.scoring.questions import Answer, Question


def generated(model: Any, questions: Sequence[Question]) -> list[Answer]:
    """Let a model of lm-eval's interface continue texts.

    What is sampled depends on the questions alone: the same ones together get the same answers.

    Args:
        model: An object with lm-eval's `generate_until` and `tok_encode`.
        questions: Of the kind `generate`.

    Returns:
        Texts with their numbers of tokens.
    """
    if not questions:
        return []
    requests = [
        Instance("generate_until", {}, (question.context, json.loads(question.options)), i)
        for i, question in enumerate(questions)
    ]
    digest = hashlib.sha256(repr([(q.context, q.options) for q in questions]).encode()).digest()
    with torch.random.fork_rng():
        torch.manual_seed(int.from_bytes(digest[:8], "big", signed=True))
        texts = model.generate_until(requests, disable_tqdm=True)
    return [
        Answer(None, text=text, n_tokens=len(model.tok_encode(text, add_special_tokens=False)))
        for text in texts
    ]
