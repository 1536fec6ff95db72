"""The form that a model tuned to follow instructions is asked in: its own chat template.

Messages become text by lm-eval's own code, so that it asks the same with `--apply_chat_template
--fewshot_as_multiturn`.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from lm_eval.models.huggingface import HFLM
from skald_specs.errors import UserInputError


@dataclass(frozen=True)
class ChatTemplate:
    """A chat template: `sha256` hashes its text; `apply` puts messages into its form."""

    sha256: str
    apply: Callable[..., str]


def chat_template(tokenizer: Any, name: str) -> ChatTemplate:
    """Return the template that a tokenizer brings.

    Args:
        tokenizer: One of transformers'.
        name: The model's, for an error.

    Raises:
        UserInputError: It brings none.
    """
    try:
        text = str(tokenizer.get_chat_template())
    except ValueError:
        raise UserInputError(
            name,
            "tuned to follow instructions, but its tokenizer has no chat template",
            "Add chat_template.jinja, or register it as a base model",
        ) from None
    asker = SimpleNamespace(tokenizer=tokenizer, chat_template_args={})
    return ChatTemplate(
        hashlib.sha256(text.encode("utf-8")).hexdigest(),
        functools.partial(HFLM.apply_chat_template, asker),
    )
