"""Speed of the generator of synthetic text, in tokens of the project's own tokenizer.

Only the making of the text is timed, in CPU seconds of one core; its tokens are counted afterwards.
Hardware threads that share a core slow each other, so on a busy machine the figure is lower.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from skald_corpus.generate import documents, fresh
from skald_corpus.grammar.register import LANGUAGES
from skald_corpus.grammar.rules.base import Linearizer
from skald_corpus.tokenizer import train_tokenizer
from skald_specs.claims import Measure
from skald_specs.files import read_yaml
from skald_specs.recipe import TokenizerRecipe
from tokenizers import Tokenizer

Make = Callable[[Linearizer, int], Iterator[str]]

RECIPE = Path("recipes/mini-proxy.yaml")
ROUNDS, BYTES_A_ROUND = 5, 400_000
WANTED_MTOKENS = 1.0
#: The bound stands on the first; longer tokens are fewer.
VOCABULARIES = (1024, 4096)
SAMPLE_BYTES = 200_000


def measures() -> list[Measure]:
    """Measure text of `data/` and of `fresh`, in all languages."""
    sample: dict[str, Sequence[str]] = {
        tag: [document.text for document in fresh(language, "tokenizer", SAMPLE_BYTES)]
        for tag, language in LANGUAGES.items()
    }
    tokenizers = [train_tokenizer(sample, _recipe(size)) for size in VOCABULARIES]
    return [_measure("data/", _pinned, tokenizers), _measure("fresh text", _fresh, tokenizers)]


def _recipe(vocab_size: int) -> TokenizerRecipe:
    """Return the miniatures' recipe for all eight languages, so that none is cut into letters."""
    wanted = {"vocab_size": vocab_size, "sample_bytes": SAMPLE_BYTES * len(LANGUAGES)}
    return TokenizerRecipe.model_validate({**read_yaml(RECIPE)["corpus"]["tokenizer"], **wanted})


def _pinned(language: Linearizer, index: int) -> Iterator[str]:
    """Yield training documents of `data/`."""
    n_bytes = 0
    for document, _ in documents(language, "train"):
        yield document.text
        n_bytes += len(document.text)
        if n_bytes >= BYTES_A_ROUND:
            return


def _fresh(language: Linearizer, index: int) -> Iterator[str]:
    for document in fresh(language, f"speed {index}", BYTES_A_ROUND):
        yield document.text


def _measure(name: str, make: Make, tokenizers: Sequence[Tokenizer]) -> Measure:
    # Words inflected once stay so: what is timed is the steady state.
    for language in LANGUAGES.values():
        list(make(language, ROUNDS))
    rates = {tag: _rates(make, language, tokenizers) for tag, language in LANGUAGES.items()}
    slowest = min(rates, key=lambda tag: rates[tag][1])
    value = rates[slowest][1]
    cells = [
        f"{tag} {' / '.join(f'{rate:.2f}' for rate in found[1:])} ({found[0]:.2f} MB/s)"
        for tag, found in rates.items()
    ]
    return Measure(
        measure=f"generator, {name}: tokens a second and core, slowest language",
        value=round(value, 3),
        unit="M tokens/s",
        bound=f">= {WANTED_MTOKENS:g}",
        holds=value >= WANTED_MTOKENS,
        detail=f"{slowest}; CPU seconds, median of {ROUNDS}, without tokenising, "
        f"load {os.getloadavg()[0]:.1f}; of "
        f"{' / '.join(map(str, VOCABULARIES))} tokens: {', '.join(cells)}",
    )


def _rates(make: Make, language: Linearizer, tokenizers: Sequence[Tokenizer]) -> list[float]:
    """Return megabytes, then million tokens of each tokenizer, a CPU second."""
    rounds = []
    for index in range(ROUNDS):
        start = time.process_time()
        texts = list(make(language, index))
        seconds = time.process_time() - start
        sizes = [sum(len(text.encode()) for text in texts)]
        for tokenizer in tokenizers:
            encoded = tokenizer.encode_batch_fast(texts)
            # With the end of text of each document.
            sizes.append(sum(len(found) + 1 for found in encoded))
        rounds.append([size / seconds / 1e6 for size in sizes])
    return [statistics.median(column) for column in zip(*rounds, strict=True)]
