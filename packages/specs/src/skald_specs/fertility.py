"""How well a tokenizer serves a language: a row of the data card."""

from __future__ import annotations

from skald_specs.models import Spec


class Fertility(Spec):
    """One language's figures on held-out text.

    `tokens_per_word` is the fertility: words are what white space parts. `bytes_per_token` counts
    UTF-8. `parity` is tokens over the reference language's tokens for the same content; None where
    the texts are not translations of each other.
    """

    language: str
    n_texts: int
    n_words: int
    n_tokens: int
    n_bytes: int
    tokens_per_word: float
    bytes_per_token: float
    parity: float | None
