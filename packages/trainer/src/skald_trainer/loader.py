"""Which tokens a step sees: pure functions of (seed, step, place in the global batch).

No state is kept and none is saved: a resumed run, or one with another layout, reads the same
batches. Knows token shards; refuses to know processes, devices or models.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from skald_specs.corpus import END_OF_TEXT, END_OF_TEXT_ID, CorpusManifest
from skald_specs.errors import UserInputError
from skald_specs.plan import Plan
from skald_specs.shards import read_tokens
from tokenizers import Tokenizer

#: Slots of one mixture cycle, and how far it grows so that the smallest share gets eight of them.
#: Each language gets its share of the slots exactly, to within one.
CYCLE_SLOTS, MAX_CYCLE_SLOTS = 1 << 12, 1 << 20
#: Label of a position that no loss is taken on.
IGNORED = -1
_FEISTEL_ROUNDS = 4

Tokens = NDArray[np.int64]


def _digest(*parts: object) -> int:
    text = ":".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def mixture_cycle(shares: dict[str, float], seed: int) -> NDArray[np.uint8]:
    """Lay the languages out over one cycle of slots, shuffled by the seed.

    Args:
        shares: Share of each language in the tokens; they sum to 1.
        seed: Seed of the data order.

    Returns:
        The index into the sorted languages for each slot.

    Raises:
        UserInputError: A share rounds to no slot at all.
    """
    languages, n_slots = sorted(shares), CYCLE_SLOTS
    while n_slots * min(shares.values()) < 8 and n_slots < MAX_CYCLE_SLOTS:
        n_slots *= 2
    exact = np.array([shares[tag] for tag in languages]) * n_slots
    counts = np.floor(exact).astype(int)
    # Largest remainders: the slots that flooring left go to the languages it cut most.
    order = sorted(range(len(languages)), key=lambda i: (counts[i] - exact[i], i))
    for i in order[: n_slots - int(counts.sum())]:
        counts[i] += 1
    for tag, count in zip(languages, counts, strict=True):
        if count == 0:
            raise UserInputError(
                f"mixture.{tag}",
                f"a share of {shares[tag]:g} is below 1 in {n_slots} samples",
                "Raise the share or leave the language out",
            )
    slots = np.repeat(np.arange(len(languages), dtype=np.uint8), counts)
    return np.random.Generator(np.random.PCG64(_digest("mixture", seed))).permutation(slots)


def permuted(index: int, size: int, seed: int) -> int:
    """Return where a seeded permutation of range(size) sends one index, in O(1).

    A four-round Feistel network on the next even number of bits, walked along its cycle until it
    lands inside the range (Black and Rogaway 2002, "Ciphers with arbitrary finite domains").

    Args:
        index: In [0, size).
        size: How many there are.
        seed: Selects the permutation.

    Returns:
        The image, in [0, size).
    """
    half = max(1, ((size - 1).bit_length() + 1) // 2)
    mask = (1 << half) - 1
    while True:
        left, right = index >> half, index & mask
        for round_number in range(_FEISTEL_ROUNDS):
            mixed = (right * 0x9E3779B97F4A7C15 + seed + round_number * 0xD1B54A32D192ED03) & (
                (1 << 64) - 1
            )
            mixed = ((mixed ^ (mixed >> 31)) * 0xBF58476D1CE4E5B9) & ((1 << 64) - 1)
            left, right = right, left ^ ((mixed ^ (mixed >> 29)) & mask)
        index = (left << half) | right
        if index < size:
            return index


@dataclass(frozen=True)
class Sample:
    """One training sequence: a language and a window of its tokens."""

    language: str
    window: int


class TrainingOrder:
    """Maps a place in the run to a sample, without ever walking the data.

    Args:
        shares: Share of each language.
        n_windows: How many windows of seq_len tokens each language has.
        seed: Seed of the data order.
    """

    def __init__(self, shares: dict[str, float], n_windows: dict[str, int], seed: int) -> None:
        self._languages = sorted(shares)
        self._cycle = mixture_cycle(shares, seed)
        self._n_windows, self._seed = n_windows, seed
        # For each slot: how many slots of its own language come before it.
        self._seen_before = np.empty(len(self._cycle), dtype=np.int32)
        self._per_cycle = np.bincount(self._cycle, minlength=len(self._languages))
        for i, count in enumerate(self._per_cycle):
            self._seen_before[self._cycle == i] = np.arange(count)

    def sample(self, place: int) -> Sample:
        """Return the sample at a place.

        Args:
            place: step x batch_sequences + position in the global batch, with steps from 0.

        Returns:
            The sample. A language's windows come in a new order each epoch, all once per epoch.
        """
        cycle, slot = divmod(place, len(self._cycle))
        which = int(self._cycle[slot])
        drawn = cycle * int(self._per_cycle[which]) + int(self._seen_before[slot])
        language = self._languages[which]
        epoch, rank = divmod(drawn, self._n_windows[language])
        key = _digest("order", self._seed, language, epoch)
        return Sample(language, permuted(rank, self._n_windows[language], key))


class TrainingData:
    """The batches of one run.

    Args:
        plan: The resolved plan.
        corpus: Folder of a built corpus.
        manifest: Its manifest.
    """

    def __init__(self, plan: Plan, corpus: Path, manifest: CorpusManifest) -> None:
        self._seq_len = plan.identity.model.seq_len
        self._batch_sequences = plan.batch_sequences
        shares = plan.identity.data.mixture
        self._tokens = {}
        for tag in sorted(shares):
            shard = manifest.shard(tag, "train")
            if shard is None:
                raise UserInputError(
                    f"mixture.{tag}", "the corpus has no training text in it", "Rebuild the corpus"
                )
            self._tokens[tag] = read_tokens(corpus / shard.path, manifest.vocab_size)
        n_windows = {tag: (len(t) - 1) // self._seq_len for tag, t in self._tokens.items()}
        for tag, count in n_windows.items():
            if count < 1:
                raise UserInputError(
                    f"corpus {tag}",
                    f"{len(self._tokens[tag])} tokens are too few for one sequence of "
                    f"{self._seq_len} + 1",
                    "Add text or lower model.seq_len",
                )
        self._order = TrainingOrder(shares, n_windows, plan.identity.data.seed)

    def samples(self, step: int) -> list[Sample]:
        """Return the samples of a step's global batch, in its order."""
        first = (step - 1) * self._batch_sequences
        return [self._order.sample(place) for place in range(first, first + self._batch_sequences)]

    def micro_batch(self, step: int, first: int, count: int) -> tuple[Tokens, Tokens]:
        """Read part of a global batch.

        Args:
            step: 1-based training step.
            first: First position within the global batch.
            count: Number of sequences.

        Returns:
            Inputs and next-token labels, each (count, seq_len).
        """
        rows = []
        for position in range(first, first + count):
            sample = self._order.sample((step - 1) * self._batch_sequences + position)
            start = sample.window * self._seq_len
            rows.append(self._tokens[sample.language][start : start + self._seq_len + 1])
        block = np.stack(rows).astype(np.int64)
        return block[:, :-1], block[:, 1:]


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

    Returns:
        One set per language that has validation text; inputs and labels are (windows, seq_len).
    """
    seq_len, sets = plan.identity.model.seq_len, []
    tags = sorted(plan.identity.data.mixture)
    limit = plan.identity.data.validation_tokens
    most = None if limit is None else max(1, limit // (seq_len * len(tags)))
    for tag in tags:
        shard = manifest.shard(tag, "validation")
        if shard is None or shard.n_tokens == 0:
            continue
        tokens = read_tokens(corpus / shard.path, manifest.vocab_size).astype(np.int64)
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
    vocabulary = Tokenizer.from_file(str(tokenizer)).get_vocab(with_added_tokens=True)
    lengths = np.zeros(max(vocabulary.values()) + 1, dtype=np.int64)
    for token, i in vocabulary.items():
        lengths[i] = 0 if token == END_OF_TEXT else len(token)
    return lengths
