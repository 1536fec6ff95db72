"""How well a tokenizer serves each language: tokens a word, bytes a token, cost against English."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from skald_specs.errors import UserInputError
from skald_specs.fertility import Fertility
from tokenizers import Tokenizer

_BATCH_DOCUMENTS = 2000


def measure_fertility(
    tokenizer: Tokenizer,
    texts: Mapping[str, Sequence[str]],
    parallel: bool = False,
    reference: str = "en",
) -> tuple[Fertility, ...]:
    """Measure a tokenizer on held-out text.

    Args:
        tokenizer: Any tokenizer; special tokens are not counted.
        texts: Held-out texts of each language. Text that trained the tokenizer flatters it.
        parallel: Whether the n-th texts of all languages say the same.
        reference: The language that parity is relative to.

    Returns:
        One row a language, in alphabetical order.

    Raises:
        UserInputError: A language has no words, or parallel texts differ in number or lack the
            reference.

    Source: parity as the premium of Petrov et al. 2023 (arXiv 2305.15425).
    """
    if parallel:
        counts = {tag: len(some) for tag, some in texts.items()}
        if reference not in texts or len(set(counts.values())) != 1:
            raise UserInputError(
                "parallel text",
                f"not the same texts in {reference} and every other language: {counts}",
                f"Give as many texts in each language, {reference} among them",
            )
    n_tokens = {tag: _tokens(tokenizer, some) for tag, some in texts.items()}
    rows = []
    for tag in sorted(texts):
        n_words = sum(len(text.split()) for text in texts[tag])
        if not n_words:
            raise UserInputError(
                f"held-out text of language {tag!r}",
                f"no word in its {len(texts[tag])} texts",
                f"Add {tag} text, so that more is held out, or leave the language out",
            )
        n_bytes = sum(len(text.encode()) for text in texts[tag])
        rows.append(
            Fertility(
                language=tag,
                n_texts=len(texts[tag]),
                n_words=n_words,
                n_tokens=n_tokens[tag],
                n_bytes=n_bytes,
                tokens_per_word=n_tokens[tag] / n_words,
                bytes_per_token=n_bytes / n_tokens[tag],
                parity=n_tokens[tag] / n_tokens[reference] if parallel else None,
            )
        )
    return tuple(rows)


def _tokens(tokenizer: Tokenizer, texts: Sequence[str]) -> int:
    return sum(
        len(encoding.ids)
        for start in range(0, len(texts), _BATCH_DOCUMENTS)
        for encoding in tokenizer.encode_batch_fast(
            list(texts[start : start + _BATCH_DOCUMENTS]), add_special_tokens=False
        )
    )
