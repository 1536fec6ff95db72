"""Which tokens a step sees: pure functions of (seed, step, place in the global batch).

No state is kept and none is saved: a resumed run, or one with another layout, reads the same
batches. Knows token shards; refuses to know processes, devices or models.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from skald_specs.corpus import END_OF_TEXT, END_OF_TEXT_ID, CorpusManifest
from skald_specs.errors import UserInputError
from skald_specs.files import read_by_library
from skald_specs.order import Indices, MixtureOrder, check_epochs, digest, epochs_of, n_windows
from skald_specs.plan import Plan
from skald_specs.shards import read_tokens
from tokenizers import Tokenizer

#: Label of a position that no loss is taken on.
IGNORED = -1
_FEISTEL_ROUNDS = 4
#: Places whose samples are worked out in one go.
_BLOCK = 4096

Tokens = NDArray[np.int64]


def permuted(indices: Indices, size: int, seeds: NDArray[np.uint64]) -> Indices:
    """Return where seeded permutations of range(size) send indices, in O(1) each.

    A four-round Feistel network on the next even number of bits, walked along its cycle until it
    lands inside the range (Black and Rogaway 2002, "Ciphers with arbitrary finite domains").

    Args:
        indices: In [0, size).
        size: How many there are.
        seeds: Select the permutation of each index.

    Returns:
        The images, in [0, size).
    """
    half = np.uint64(max(1, ((size - 1).bit_length() + 1) // 2))
    mask = np.uint64((1 << int(half)) - 1)
    images, outside = indices.astype(np.uint64), np.arange(len(indices))
    while len(outside):
        index, keys = images[outside], seeds[outside]
        left, right = index >> half, index & mask
        for _ in range(_FEISTEL_ROUNDS):
            # Sums and products are meant to wrap at 64 bits.
            mixed = right * np.uint64(0x9E3779B97F4A7C15) + keys
            keys = keys + np.uint64(0xD1B54A32D192ED03)
            mixed = (mixed ^ (mixed >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
            left, right = right, left ^ ((mixed ^ (mixed >> np.uint64(29))) & mask)
        images[outside] = (left << half) | right
        outside = outside[images[outside] >= size]
    return images.astype(np.int64)


class Samples(NamedTuple):
    """Training sequences: which of the sorted languages, and which window of its tokens."""

    languages: Indices
    windows: Indices


class TrainingOrder:
    """Maps places in the run to samples, without ever walking the data.

    Args:
        shares: Share of each language.
        n_windows: How many windows of seq_len tokens each language has.
        seed: Seed of the data order.
    """

    def __init__(self, shares: dict[str, float], n_windows: dict[str, int], seed: int) -> None:
        self._mixture = MixtureOrder(shares, seed)
        self._n_windows, self._seed = n_windows, seed

    def samples(self, places: Indices) -> Samples:
        """Return the samples at places.

        Args:
            places: Each is step x batch_sequences + position in the global batch, steps from 0.

        Returns:
            The samples. A language's windows come in a new order each epoch, all once per epoch.
        """
        languages, drawn = self._mixture.draws(places)
        windows = np.empty_like(drawn)
        for which in np.unique(languages):
            tag, here = self._mixture.languages[which], np.flatnonzero(languages == which)
            epochs, ranks = np.divmod(drawn[here], self._n_windows[tag])
            met, position = np.unique(epochs, return_inverse=True)
            keys = [digest("order", self._seed, tag, epoch) for epoch in met.tolist()]
            seeds = np.array(keys, dtype=np.uint64)[position]
            windows[here] = permuted(ranks, self._n_windows[tag], seeds)
        return Samples(languages, windows)


def first_positions(batch_sequences: int, dp: int, dp_rank: int, count: int) -> range:
    """Return where a rank's micro-batches begin within a global batch.

    Args:
        batch_sequences: Sequences of the global batch, a multiple of dp x count.
        dp: Data-parallel ranks.
        dp_rank: This one.
        count: Sequences of a micro-batch.
    """
    return range(dp_rank * count, batch_sequences, dp * count)


class TrainingData:
    """The batches of one run.

    Args:
        plan: The resolved plan.
        corpus: Folder of a built corpus.
        manifest: Its manifest.

    Raises:
        UserInputError: A shard is missing, is not what the manifest says or too small, or would be
            read more often than the plan allows.
    """

    def __init__(self, plan: Plan, corpus: Path, manifest: CorpusManifest) -> None:
        self._seq_len = seq_len = plan.identity.model.seq_len
        self._batch_sequences = plan.batch_sequences
        shares, seed = plan.identity.data.mixture, plan.identity.data.seed
        self._vocab_size = _vocab_size(plan, manifest)
        shards = {tag: _training_tokens(corpus, manifest, tag, seq_len) for tag in sorted(shares)}
        n_tokens = {tag: len(tokens) for tag, (_, tokens) in shards.items()}
        # Again from the shards: a plan may have been written by hand.
        n_samples = plan.identity.schedule.n_steps.value * plan.batch_sequences
        epochs = epochs_of(shares, n_tokens, seq_len, n_samples, seed)
        check_epochs(f"plan {plan.name}", epochs, n_tokens, plan.max_epochs)
        self._languages = list(shards)
        self._paths, self._tokens = zip(*shards.values(), strict=True)
        windows = {tag: n_windows(count, seq_len) for tag, count in n_tokens.items()}
        self._order = order = TrainingOrder(shares, windows, seed)
        # A call of numpy costs as much for thousands of places as for one. Two blocks: a batch may
        # lie across a border.
        self._block = lru_cache(maxsize=2)(
            lambda number: order.samples(np.arange(number * _BLOCK, (number + 1) * _BLOCK))
        )

    def windows(self, step: int) -> dict[str, list[int]]:
        """Return which windows of each language a step reads, in the batch's order.

        Args:
            step: 1-based training step.
        """
        first, found = (step - 1) * self._batch_sequences, {}
        samples = self._order.samples(np.arange(first, first + self._batch_sequences))
        for which in np.unique(samples.languages).tolist():
            found[self._languages[which]] = samples.windows[samples.languages == which].tolist()
        return found

    def micro_batch(self, step: int, first: int, count: int) -> tuple[Tokens, Tokens]:
        """Read part of a global batch.

        Args:
            step: 1-based training step.
            first: First position within the global batch.
            count: Number of sequences.

        Returns:
            Inputs and next-token labels, each (count, seq_len).

        Raises:
            UserInputError: A token is none of the vocabulary.
        """
        place = (step - 1) * self._batch_sequences + first
        rows = np.empty((count, self._seq_len + 1), dtype=np.int64)
        for row in range(count):
            which, start = self._window(place + row)
            rows[row] = self._tokens[which][start : start + self._seq_len + 1]
        # Once for all rows, and by its place, which numpy finds sooner than the largest value itself.
        if rows.flat[rows.argmax()] >= self._vocab_size:
            for row in range(count):
                which, start = self._window(place + row)
                _check_ids(self._paths[which], rows[row], start, self._vocab_size)
        return rows[:, :-1], rows[:, 1:]

    def _window(self, place: int) -> tuple[int, int]:
        """Return the language of the sample at a place of the run, and where in its shard it begins."""
        number, at = divmod(place, _BLOCK)
        samples = self._block(number)
        return int(samples.languages[at]), int(samples.windows[at]) * self._seq_len


def _vocab_size(plan: Plan, manifest: CorpusManifest) -> int:
    """Return how many tokens there are: the tokenizer's, of which the model may have no fewer.

    Args:
        plan: Its model may have more, which no text holds.
        manifest: Of the corpus that is read.
    """
    return min(plan.identity.model.vocab_size, manifest.vocab_size)


def _check_ids(path: Path, tokens: Tokens, start: int, vocab_size: int) -> None:
    """Refuse tokens that stand at `start` and on in a shard, where one is not in the vocabulary."""
    if len(wrong := np.flatnonzero(tokens >= vocab_size)):
        at = int(wrong[0])
        raise UserInputError(
            str(path),
            f"the token at position {start + at:,} has id {tokens[at]}, and the vocabulary ends at "
            f"{vocab_size - 1}: the shard is damaged, or of another corpus",
            "Copy the shard again, or rebuild the corpus",
        )


def _training_tokens(
    corpus: Path, manifest: CorpusManifest, tag: str, seq_len: int
) -> tuple[Path, NDArray[np.unsignedinteger]]:
    shard = manifest.shard(tag, "train")
    if shard is None:
        raise UserInputError(
            f"mixture.{tag}", "the corpus has no training text in it", "Rebuild the corpus"
        )
    path = corpus / shard.path
    tokens = read_tokens(path, manifest.vocab_size, shard.n_tokens)
    if n_windows(len(tokens), seq_len) < 1:
        raise UserInputError(
            f"corpus {tag}",
            f"{len(tokens)} tokens are too few for one sequence of {seq_len} + 1",
            f"Add {tag} text or lower model.seq_len",
        )
    return path, tokens


@dataclass(frozen=True)
class ValidationSet:
    """One language's validation text, cut so that every token is predicted exactly once."""

    language: str
    inputs: Tokens
    labels: Tokens
    n_bytes: int


def validation_sets(plan: Plan, corpus: Path, manifest: CorpusManifest) -> list[ValidationSet]:
    """Cut the validation shards into windows of seq_len.

    End-of-text tokens are context but no targets: bits per byte counts text only. A plan that
    limits its validation tokens takes windows spread evenly over each language's text.

    Args:
        plan: Context length, languages and, if there is one, the limit of validation tokens.
        corpus: The built corpus's folder.
        manifest: That corpus's; a language without validation text gets no set.

    Returns:
        One set per language that has validation text; inputs and labels are (windows, seq_len).

    Raises:
        UserInputError: A shard is missing, is not what the manifest says, or holds a token that is
            none of the vocabulary.
    """
    seq_len, sets = plan.identity.model.seq_len, []
    tags = sorted(plan.identity.data.mixture)
    limit = plan.identity.data.validation_tokens
    most = None if limit is None else max(1, limit // (seq_len * len(tags)))
    for tag in tags:
        shard = manifest.shard(tag, "validation")
        if shard is None or shard.n_tokens == 0:
            continue
        path = corpus / shard.path
        tokens = read_tokens(path, manifest.vocab_size, shard.n_tokens).astype(np.int64)
        _check_ids(path, tokens, 0, _vocab_size(plan, manifest))
        inputs = np.concatenate(([END_OF_TEXT_ID], tokens[:-1]))
        labels = np.where(tokens == END_OF_TEXT_ID, IGNORED, tokens)
        padding = -len(tokens) % seq_len
        inputs = np.pad(inputs, (0, padding), constant_values=END_OF_TEXT_ID).reshape(-1, seq_len)
        labels = np.pad(labels, (0, padding), constant_values=IGNORED).reshape(-1, seq_len)
        n_bytes = shard.n_bytes
        if most is not None and most < len(inputs):
            chosen = np.linspace(0, len(inputs) - 1, most).round().astype(np.int64)
            inputs, labels = inputs[chosen], labels[chosen]
            lengths = token_bytes(corpus / "tokenizer.json")
            n_bytes = int(lengths[labels[labels != IGNORED]].sum())
        sets.append(ValidationSet(tag, inputs, labels, n_bytes))
    return sets


def token_bytes(tokenizer: Path) -> Tokens:
    """Return how many bytes of UTF-8 text each token stands for.

    Args:
        tokenizer: A byte-level `tokenizer.json`, which spells every byte as one character.

    Returns:
        Bytes by token id; 0 for the end-of-text token.
    """
    with read_by_library(tokenizer, "no tokenizer", "Run `skald corpus build` again"):
        vocabulary = Tokenizer.from_file(str(tokenizer)).get_vocab(with_added_tokens=True)
    lengths = np.zeros(max(vocabulary.values()) + 1, dtype=np.int64)
    for token, i in vocabulary.items():
        lengths[i] = 0 if token == END_OF_TEXT else len(token)
    return lengths
