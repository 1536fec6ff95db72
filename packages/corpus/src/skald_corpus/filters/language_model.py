"""A naive Bayes model over hashed character n-grams: training, scores, file.

Knows counts and weights; the decision what to keep is `language`'s.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from skald_specs.errors import UserInputError
from skald_specs.files import atomic_path, read_by_library
from skald_specs.languages import BY_TAG
from skald_specs.languages import language as registered

from skald_corpus.filters.ngrams import BITS, ORDERS, buckets, encode, letter_bucket, other_share

#: Added to the count of every bucket that any language has. Standing: measured on UD dev text
#: (.003 to .3 lie within .001 of accuracy; .1 is best for a language with little text).
SMOOTHING = 0.1
#: Share of a language's characters that each letter of its alphabet has at least, whatever the
#: reference text holds: Faroese reference text may be an old Bible that writes ö for ø.
LETTER_SHARE = 0.002
#: Letters beyond a to z that are everyday letters of a language.
#: Source: CLDR 47, main exemplar characters, without letters of loan words.
LETTERS: dict[str, str] = {
    "da": "æøå", "nb": "æøå", "nn": "æøå", "sv": "åäö", "de": "äöüß", "is": "áðéíóúýþæö",
    "fo": "áðíóúýæø", "af": "êëôïé", "fy": "âêôûú", "lb": "äéë", "nds": "äöü", "gsw": "äöü",
}  # fmt: skip
#: Weights are kept in steps of this many nats: whole numbers add up alike on every machine.
STEP = 1 / 256
_SCHEMA = 1
#: Characters that are scored at once; more falls out of the processor's cache.
_BATCH_CHARS = 1 << 17
_MAX_BITS = 24


class LanguageModel:
    """Weights of n-gram buckets, one column a language.

    Args:
        languages: BCP-47 tags, sorted.
        weights: Shape (buckets, languages), in steps of `STEP`: the log of how much commoner an
            n-gram is in a language than in the mean of all.
    """

    def __init__(self, languages: Sequence[str], weights: NDArray[np.int16]) -> None:
        self.languages = tuple(languages)
        self.weights = weights
        self._wide = weights.astype(np.int32)

    @property
    def fingerprint(self) -> str:
        """Hash of all that decides; equal for equal models, whatever file they lie in."""
        head = json.dumps([_SCHEMA, self.languages, self.weights.shape]).encode()
        return hashlib.sha256(head + self.weights.astype("<i2").tobytes()).hexdigest()

    @classmethod
    def train(cls, reference: Mapping[str, Iterable[str]]) -> LanguageModel:
        """Train on reference text: two or more languages, equal priors, the order is of no matter.

        Source: multinomial naive Bayes with Lidstone smoothing over the buckets that occur, as
        scikit-learn's MultinomialNB with `fit_prior=False` has it (a test compares).

        Args:
            reference: Texts by language. Each text is one document or sentence.

        Raises:
            UserInputError: There are fewer than two languages, an unknown one, or one without
                letters.
        """
        languages = sorted(reference)
        if len(languages) < 2:
            raise UserInputError(
                "language identification",
                f"reference text for {len(languages)} language",
                "Give text of at least two languages, to tell one from the other",
            )
        bits = BITS
        counts = np.zeros((1 << bits, len(languages)), np.float64)
        for column, tag in enumerate(languages):
            registered(tag, "language identification")
            counts[:, column] = _count(reference[tag], bits)
            if not counts[:, column].any():
                raise UserInputError(
                    f"language identification, {tag}",
                    "no letters in the reference text that it is learnt from",
                    f"Add {tag} reference text, in files that are not named dev, validation or test",
                )
            singles = counts[:, column].sum() / len(ORDERS)
            for letter in LETTERS.get(tag, ""):
                bucket = letter_bucket(letter, bits)
                counts[bucket, column] = max(counts[bucket, column], LETTER_SHARE * singles)
        seen = counts.sum(axis=1) > 0
        shares = (counts + SMOOTHING) / (counts.sum(axis=0) + SMOOTHING * seen.sum())
        weights = np.log(shares / shares.mean(axis=1, keepdims=True))
        # What no language has seen speaks for none, whatever their sizes.
        weights[~seen] = 0.0
        return cls(languages, np.round(weights / STEP).astype(np.int16))

    def scores(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Score texts; what is said of one does not depend on the others.

        Args:
            texts: Any number of texts.

        Returns:
            Scores in nats per character, shape (texts, languages), higher is likelier; and each
            text's share of letters of another script.
        """
        rows, shares = [], []
        for batch in _batches(texts):
            encoded = encode(batch)
            summed = np.zeros((len(encoded.codes), len(self.languages)), np.int32)
            for found in buckets(encoded, self._bits):
                summed += self._wide[found]
            totals = np.add.reduceat(summed, encoded.starts, axis=0)
            lengths = (encoded.ends - encoded.starts)[:, None]
            rows.append((totals * STEP / lengths).astype(np.float32))
            shares.append(other_share(encoded))
        if not rows:
            return np.zeros((0, len(self.languages)), np.float32), np.zeros(0)
        return np.concatenate(rows), np.concatenate(shares)

    @property
    def _bits(self) -> int:
        return len(self.weights).bit_length() - 1

    def save(self, path: Path) -> None:
        """Write the model as `.npz`: buckets that weigh something, their weights, the languages."""
        rows = np.flatnonzero(self.weights.any(axis=1)).astype(np.uint32)
        head = {"schema_version": _SCHEMA, "languages": self.languages, "orders": ORDERS}
        head["buckets"] = len(self.weights)
        with atomic_path(path) as temporary, temporary.open("wb") as out:
            np.savez_compressed(
                out,
                head=np.frombuffer(json.dumps(head).encode(), np.uint8),
                rows=rows,
                weights=self.weights[rows].astype("<i2"),
            )

    @classmethod
    def load(cls, path: Path) -> LanguageModel:
        """Read a model.

        Raises:
            UserInputError: The file is missing, damaged, or of another version.
        """
        remedy = "Train it again from reference text"
        if not path.is_file():
            raise UserInputError(str(path), "no such language model", remedy)
        with read_by_library(path, "no language model", remedy):
            with np.load(path, allow_pickle=False) as file:
                head = json.loads(file["head"].tobytes())
                rows, weights = file["rows"], file["weights"]
            if head["schema_version"] != _SCHEMA or tuple(head["orders"]) != ORDERS:
                raise UserInputError(str(path), "a language model of another version", remedy)
            size, languages = int(head["buckets"]), head["languages"]
            if size & (size - 1) or not 1 < size <= 1 << _MAX_BITS:
                raise ValueError(f"{size} buckets")
            if weights.shape != (len(rows), len(languages)) or not set(languages) <= BY_TAG.keys():
                raise ValueError(f"weights of {weights.shape} for {languages}")
            table = np.zeros((size, len(languages)), np.int16)
            table[rows] = weights
        return cls(languages, table)


def _count(texts: Iterable[str], bits: int) -> NDArray[np.float64]:
    counts = np.zeros(1 << bits, np.float64)
    for batch in _batches(texts):
        for found in buckets(encode(batch), bits):
            counts += np.bincount(found, minlength=1 << bits)
    counts[0] = 0.0
    return counts


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size >= _BATCH_CHARS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
