"""Ablation of data: one model and budget on several corpora, scored on the same held-out text.

What a run answers for each item is kept, so that the table can be made again without training.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from skald_specs.models import Spec
from skald_specs.shape import Positive, PositiveFloat

Metric = Literal["bits_per_byte", "pairs"]
Verdict = Literal["better", "worse", "tied"]
Count = Annotated[int, Field(ge=0)]


class AblationItem(Spec):
    """One thing to score: a held-out document (one text) or a minimal pair (right, wrong).

    Items of one `key` are not independent and are drawn together by the statistics.
    """

    language: str
    key: str
    texts: Annotated[tuple[str, ...], Field(min_length=1, max_length=2)]

    @property
    def metric(self) -> Metric:
        """What the item counts for."""
        return "bits_per_byte" if len(self.texts) == 1 else "pairs"


class AblationRun(Spec):
    """What one trained model answers: -log2 of the probability of every text, item by item.

    `bits` is missing when the run diverged.
    """

    schema_version: Literal[1]
    plan_fingerprint: str
    bits: tuple[tuple[float, ...], ...] | None


class AblationText(Spec):
    """The held-out text of one language: what was scored, and what was left out as seen in training."""

    language: str
    n_documents: Positive
    n_keys: Positive
    n_bytes: Positive
    n_documents_contaminated: Count
    n_pairs: Count
    n_pairs_contaminated: Count


class AblationLanguage(Spec):
    """One corpus in one language: training text there is, how often it is read, and the scores.

    Scores are means over seeds; `pairs_accuracy` is missing where there are no pairs.
    """

    language: str
    n_tokens: Positive
    n_bytes: Positive
    epochs: PositiveFloat
    bits_per_byte: float
    pairs_accuracy: float | None


class AblationCorpus(Spec):
    """One corpus. `rank` is 1 + the number of corpora that are better beyond chance.

    `bits_per_byte` and `pairs_accuracy` are unweighted means over languages, and over seeds;
    `bits_per_byte_by_seed` are the runs.
    """

    name: str
    fingerprint: str
    languages: Annotated[tuple[AblationLanguage, ...], Field(min_length=1)]
    bits_per_byte: float
    bits_per_byte_by_seed: tuple[float, ...]
    pairs_accuracy: float | None
    rank: Positive


class AblationDifference(Spec):
    """`corpus` minus `reference`, paired by seed and by item, with its 95 % interval.

    `verdict` is about `corpus`, at 5 % after Holm's correction over all pairs of corpora
    (`p_adjusted`); the interval is not corrected. `se_seeds` and `se_texts` are the parts of the
    standard error that more seeds, and more held-out text, would lower.
    """

    metric: Metric
    corpus: str
    reference: str
    estimate: float
    low: float
    high: float
    se_seeds: float
    se_texts: float
    p: Annotated[float, Field(ge=0, le=1)]
    p_adjusted: Annotated[float, Field(ge=0, le=1)]
    verdict: Verdict


class Ablation(Spec):
    """`ablation.json`: which data helps. The first corpus is the baseline."""

    schema_version: Literal[1]
    recipe: str
    n_params_total: Positive
    horizon_tokens: Positive
    seeds: Annotated[tuple[int, ...], Field(min_length=2)]
    held_out: str
    texts: tuple[AblationText, ...]
    corpora: Annotated[tuple[AblationCorpus, ...], Field(min_length=2)]
    differences: tuple[AblationDifference, ...]
