"""What counts as a near-duplicate: a value that changes a corpus, hence a format."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from skald_specs.models import Spec
from skald_specs.shape import Positive


class NearDuplicates(Spec):
    """MinHash with banding over word n-grams.

    Two documents become candidates when all `rows` minima of one of `bands` bands agree; at Jaccard
    similarity s of their n-gram sets that has the probability 1 - (1 - s^rows)^bands. With
    `verify_jaccard`, candidates are duplicates only at that true similarity or above.

    Source: the defaults are FineWeb-2's (5-grams, 14 x 8, 64-bit hashes).
    """

    shingle_words: Positive = 5
    bands: Positive = 14
    rows: Positive = 8
    verify_jaccard: Annotated[float, Field(gt=0, le=1)] | None = None

    @property
    def threshold(self) -> float:
        """Similarity around which the probability rises steeply: (1 / bands)^(1 / rows)."""
        return float((1 / self.bands) ** (1 / self.rows))

    def probability(self, jaccard: float) -> float:
        """Return the probability that two documents of a similarity become candidates.

        Source: Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, section 3.4.2.
        """
        return float(1 - (1 - jaccard**self.rows) ** self.bands)

    @property
    def rule(self) -> str:
        """Names how the hashes are made; hashes of different rules do not compare."""
        return f"minhash-1 {self.shingle_words}-grams {self.bands}x{self.rows}"
