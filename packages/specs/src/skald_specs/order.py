"""What a run reads of each language: which samples are of it, and how often its text comes round.

The planner counts with it and the trainer reads by it, so that the two cannot differ. Knows shares,
counts and the cap on epochs, with the words for a text that is read too often; refuses to know files, and
which window of a text a sample is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from skald_specs.errors import UserInputError

Indices = NDArray[np.int64]

#: Slots of one mixture cycle, how far it grows, and how many the smallest share is to get of them,
#: so that rounding to whole slots costs it less than 2 %.
CYCLE_SLOTS, MAX_CYCLE_SLOTS, LEAST_SLOTS = 1 << 12, 1 << 20, 32
#: What rounding shares to slots and text to windows may add to a cap on epochs: a mixture that was
#: computed for just that cap (`unimax`) must pass.
_ROUNDING = 0.01


def digest(*parts: object) -> int:
    """Return 64 bits of a hash of the parts, to seed what is drawn."""
    text = ":".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def _n_slots(shares: Mapping[str, float]) -> tuple[int, list[str]]:
    """Return the length of a cycle, and the languages too rare for it if they have one another."""
    n_slots = CYCLE_SLOTS
    while True:
        rare = [tag for tag in shares if shares[tag] * n_slots < LEAST_SLOTS]
        enough = sum(shares[tag] for tag in rare) * n_slots >= LEAST_SLOTS
        if not rare or enough or n_slots == MAX_CYCLE_SLOTS:
            # A group of one would have no share of its own to be dealt out by.
            return n_slots, rare if len(rare) > 1 else []
        n_slots *= 2


class MixtureOrder:
    """Of which language each sample of a run is: a shuffled cycle of slots, over and over.

    Languages too rare for a cycle share slots of it, which a cycle of their own deals out among
    them: shares of one in a million need no tables of millions.

    Args:
        shares: Share of each language in the tokens; they sum to 1.
        seed: Seed of the data order.

    Raises:
        UserInputError: A share rounds to no slot at all.
    """

    def __init__(self, shares: Mapping[str, float], seed: int) -> None:
        self.languages = tuple(sorted(shares))
        n_slots, rare = _n_slots(shares)
        entries = {tag: shares[tag] for tag in self.languages if tag not in rare}
        self._rare: MixtureOrder | None = None
        if rare:
            total = sum(shares[tag] for tag in rare)
            of_group = {tag: shares[tag] / total for tag in rare}
            self._rare = MixtureOrder(of_group, digest("rare", seed))
            entries[", ".join(sorted(rare))] = total
        index = {tag: i for i, tag in enumerate(self.languages)}
        self._of_entry = np.array([index.get(name, -1) for name in entries])
        self._of_rare = np.array([index[tag] for tag in sorted(rare)], dtype=np.int64)
        counts = _whole_slots(entries, n_slots)
        slots = np.repeat(np.arange(len(entries), dtype=np.uint8), counts)
        self._cycle = np.random.Generator(np.random.PCG64(digest("mixture", seed))).permutation(
            slots
        )
        self._per_cycle = np.array(counts, dtype=np.int64)
        # For each slot: how many slots of its own entry come before it.
        self._seen_before = np.empty(n_slots, dtype=np.int64)
        for i, count in enumerate(counts):
            self._seen_before[self._cycle == i] = np.arange(count)

    def draws(self, places: Indices) -> tuple[Indices, Indices]:
        """Return the language at each place of the run, and how often it came up before.

        Args:
            places: Samples, counted from 0 over the whole run.

        Returns:
            Indices into `languages`, and for each how many earlier places had the same one.
        """
        cycles, slots = np.divmod(places, len(self._cycle))
        entries = self._cycle[slots]
        before = cycles * self._per_cycle[entries] + self._seen_before[slots]
        languages = self._of_entry[entries]
        if self._rare is not None:
            shared = np.flatnonzero(languages < 0)
            of_rare, before[shared] = self._rare.draws(before[shared])
            languages[shared] = self._of_rare[of_rare]
        return languages, before

    def counts(self, n_samples: int) -> dict[str, int]:
        """Return how many of the first samples are of each language."""
        whole, rest = divmod(n_samples, len(self._cycle))
        drawn = whole * self._per_cycle
        drawn = drawn + np.bincount(self._cycle[:rest], minlength=len(self._per_cycle))
        by_entry = dict(zip(self._of_entry.tolist(), drawn.tolist(), strict=True))
        found = {self.languages[i]: count for i, count in by_entry.items() if i >= 0}
        if self._rare is not None:
            found |= self._rare.counts(by_entry[-1])
        return {tag: found[tag] for tag in self.languages}


def _whole_slots(shares: Mapping[str, float], n_slots: int) -> list[int]:
    """Give each entry its share of the slots, to within one."""
    names = list(shares)
    exact = np.array([shares[name] for name in names]) * n_slots
    counts: list[int] = np.floor(exact).astype(int).tolist()
    # Largest remainders: the slots that flooring left go to the entries it cut most.
    order = sorted(range(len(names)), key=lambda i: (counts[i] - exact[i], i))
    for i in order[: n_slots - sum(counts)]:
        counts[i] += 1
    for name, count in zip(names, counts, strict=True):
        if count == 0:
            raise UserInputError(
                f"mixture.{name}",
                f"a share of {shares[name]:g} is below 1 in {n_slots} samples",
                "Raise the share or leave the language out",
            )
    return counts


def n_windows(n_tokens: int, seq_len: int) -> int:
    """Return how many samples of seq_len tokens, each with its next token, a text holds.

    Args:
        n_tokens: Tokens of the text, end-of-text among them.
        seq_len: Tokens of one sample; neighbours share none but the next token.
    """
    return max(0, (n_tokens - 1) // seq_len)


def epochs_of(
    shares: Mapping[str, float],
    n_tokens: Mapping[str, int],
    seq_len: int,
    n_samples: int,
    seed: int,
) -> dict[str, float]:
    """Return how often each language's text is read: samples drawn over samples there are.

    Args:
        shares: Share of each language; they sum to 1.
        n_tokens: Training tokens of each language; at least seq_len + 1.
        seq_len: Tokens of a sample.
        n_samples: Samples of the whole run.
        seed: Seed of the data order.

    Returns:
        Epochs by language, in alphabetical order.

    Raises:
        UserInputError: See `MixtureOrder`.

    Standing: derived; counted over the very slots that training walks.
    """
    counts = MixtureOrder(shares, seed).counts(n_samples)
    return {tag: count / n_windows(n_tokens[tag], seq_len) for tag, count in counts.items()}


def beyond(epochs: Mapping[str, float], max_epochs: float) -> list[str]:
    """Return the languages that are read more often than a cap, the worst first.

    Args:
        epochs: See `epochs_of`.
        max_epochs: The cap; rounding may exceed it by 1 %.
    """
    over = [tag for tag, count in epochs.items() if count > max_epochs * (1 + _ROUNDING)]
    return sorted(over, key=lambda tag: -epochs[tag])


def check_epochs(
    where: str, epochs: Mapping[str, float], n_tokens: Mapping[str, int], max_epochs: float
) -> None:
    """Refuse a run that would repeat a text more often than asked for.

    Args:
        where: The recipe or plan.
        epochs: See `epochs_of`.
        n_tokens: Training tokens of each language.
        max_epochs: The cap; see `beyond`.

    Raises:
        UserInputError: A language exceeds the cap; the message names the worst.
    """
    over = beyond(epochs, max_epochs)
    if not over:
        return
    tag, others = over[0], f"; so would those of {len(over) - 1} more" if len(over) > 1 else ""
    raise UserInputError(
        where,
        f"the {n_tokens[tag]:,} training tokens of language {tag!r} would be read "
        f"{epochs[tag]:.2f} times, more than max_epochs = {max_epochs:g}{others}",
        f"Add {tag} text, lower mixture.{tag}, shorten budget.horizon_tokens, or raise max_epochs",
    )


def readings(epochs: Mapping[str, float]) -> str:
    """Say how often texts are read, such as `0.23 (de) to 3.15 (fo)`; without a corpus none is known."""
    if not epochs:
        return "unknown"
    least, most = min(epochs, key=lambda tag: epochs[tag]), max(epochs, key=lambda tag: epochs[tag])
    return " to ".join(f"{epochs[tag]:.2f} ({tag})" for tag in dict.fromkeys((least, most)))
