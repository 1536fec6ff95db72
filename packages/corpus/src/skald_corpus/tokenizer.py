"""A byte-level BPE tokenizer, trained on a sample in which small languages count for more.

The `tokenizers` library does the training; this module chooses the sample.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from skald_specs.corpus import END_OF_TEXT, END_OF_TEXT_ID, reserved_token
from skald_specs.errors import UserInputError
from skald_specs.recipe import TokenizerRecipe
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

T = TypeVar("T")


def sample_bytes(available: dict[str, int], recipe: TokenizerRecipe) -> dict[str, int]:
    """Divide the sample among languages in proportion to bytes^alpha, none beyond what it has.

    What a small language cannot fill goes to the others in the same proportion.

    Args:
        available: UTF-8 bytes of training text of each language.
        recipe: Alpha and the size of the whole sample.

    Returns:
        Bytes to take from each language.
    """
    weights = {tag: n**recipe.sampling_exponent for tag, n in available.items() if n}
    room, total = float(recipe.sample_bytes), sum(weights.values())
    shares: dict[str, int] = {}
    for tag in sorted(weights, key=lambda tag: (available[tag] / weights[tag], tag)):
        shares[tag] = min(available[tag], int(room * weights[tag] / total))
        room, total = room - shares[tag], total - weights[tag]
    return shares


def train_tokenizer(texts: Mapping[str, Iterable[str]], recipe: TokenizerRecipe) -> Tokenizer:
    """Train the tokenizer.

    Args:
        texts: Training documents of each language, read twice: no iterators.
        recipe: Vocabulary size, sampling and reserved tokens.

    Returns:
        A tokenizer whose token 0 is the end-of-text token; the reserved ones follow it.

    Raises:
        UserInputError: The sample is too small for so large a vocabulary.
    """
    available = {tag: sum(len(t.encode()) for t in docs) for tag, docs in texts.items()}
    shares = sample_bytes(available, recipe)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=recipe.vocab_size,
        special_tokens=[END_OF_TEXT, *map(reserved_token, range(recipe.reserved_tokens))],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    sample = (
        text for tag in sorted(shares) for text in thinned(texts[tag], available[tag], shares[tag])
    )
    tokenizer.train_from_iterator(sample, trainer)
    learned = tokenizer.get_vocab_size()
    if learned < recipe.vocab_size:
        raise UserInputError(
            "corpus.tokenizer.vocab_size",
            f"{recipe.vocab_size} tokens asked for, but the text yields only {learned}",
            f"Lower it to {learned} or less, or add text",
        )
    assert tokenizer.token_to_id(END_OF_TEXT) == END_OF_TEXT_ID
    return tokenizer


def thinned(documents: Iterable[str], total: int, share: int) -> Iterator[str]:
    """Yield documents spread evenly over a source, see `spread`.

    Args:
        documents: The source.
        total: Its UTF-8 bytes.
        share: UTF-8 bytes to yield; exceeded by less than one document.
    """
    return spread(((document, len(document.encode())) for document in documents), total, share)


def spread(items: Iterable[tuple[T, int]], total: int, share: int) -> Iterator[T]:
    """Choose items spread evenly over a source, so that a sorted one is sampled throughout.

    An item is kept when what was kept before it is no more than its share of what went by;
    with items of one size and k of n wanted, every n/k-th.

    Args:
        items: Each with its size, such as UTF-8 bytes.
        total: The size of all.
        share: Size to keep; exceeded by less than one item.
    """
    passed = taken = 0
    for item, size in items:
        if taken * total <= share * passed and taken < share:
            taken += size
            yield item
        passed += size
