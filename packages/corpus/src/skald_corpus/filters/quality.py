"""The quality filter: a text's figures against the limits of its language.

Knows limits and profiles; how limits come about is `quality_derive`'s, what the figures mean is
`quality_metrics`'.
"""

from __future__ import annotations

from importlib import resources
from typing import Literal

from pydantic import Field, field_validator, model_validator
from skald_specs.errors import UserInputError
from skald_specs.guesses import offer
from skald_specs.languages import BY_TAG
from skald_specs.models import Spec

from skald_corpus.filters.quality_metrics import METRICS, Metrics, measure
from skald_corpus.filters.verdict import KEPT, Verdict, removed

#: Texts with fewer words are judged by `SHORT_METRICS` alone: shares of a handful of words jump.
#: Standing: assumed.
SHORT_WORDS = 20
SHORT_METRICS = frozenset({"n_words", "alphabetic_share", "symbol_ratio"})


class Limit(Spec):
    """The range that a figure may have; an end that is None does not limit. Both ends are inside."""

    min: float | None = None
    max: float | None = None
    source: str = ""

    def allows(self, value: float) -> bool:
        """Say whether a value lies in the range."""
        return (self.min is None or value >= self.min) and (self.max is None or value <= self.max)


class LanguageQuality(Spec):
    """Limits by metric, the stop words that the metric of that name counts, and metrics left `off`."""

    n_documents: int
    stop_words: tuple[str, ...]
    limits: dict[str, Limit]
    off: dict[str, str] = Field(default_factory=dict)

    @field_validator("limits")
    @classmethod
    def _known_metrics(cls, limits: dict[str, Limit]) -> dict[str, Limit]:
        for name in limits:
            if name not in METRICS:
                raise ValueError(f"unknown metric {name!r}. {offer(name, METRICS)}")
        return limits


class QualityThresholds(Spec):
    """A YAML file of limits, each language with its own, and what they were derived from."""

    schema_version: Literal[1]
    source: str
    quantile: float
    languages: dict[str, LanguageQuality]

    @model_validator(mode="after")
    def _registered(self) -> QualityThresholds:
        for tag in self.languages:
            if tag not in BY_TAG:
                raise ValueError(f"unknown language {tag!r}. {offer(tag, BY_TAG)}")
        return self


#: Limits on top of the language's, by the kind of source.
#: Source of `web`: Gopher, at least 50 and at most 100,000 words a document.
PROFILES: dict[str, dict[str, Limit]] = {
    "curated": {"n_words": Limit(min=1)},
    "web": {"n_words": Limit(min=50, max=100_000)},
}


def shipped_thresholds() -> QualityThresholds:
    """Return the limits that come with the package; the file says from which text."""
    with resources.as_file(resources.files("skald_corpus.filters") / "quality.yaml") as path:
        return QualityThresholds.load(path)


class QualityFilter:
    """The filter; the score of a verdict is the figure that broke its limit.

    Args:
        thresholds: Limits by language.
        profile: `curated` or `web`.
    """

    def __init__(
        self, thresholds: QualityThresholds | None = None, profile: str = "curated"
    ) -> None:
        if profile not in PROFILES:
            raise UserInputError(
                "quality profile", f"unknown {profile!r}", offer(profile, PROFILES)
            )
        self.thresholds = thresholds or shipped_thresholds()
        self._rules: dict[str, tuple[frozenset[str], list[tuple[str, Limit]]]] = {
            tag: (
                frozenset(quality.stop_words),
                [*PROFILES[profile].items(), *quality.limits.items()],
            )
            for tag, quality in self.thresholds.languages.items()
        }

    def __call__(self, text: str, language: str) -> Verdict:
        """Judge one text.

        Raises:
            UserInputError: There are no limits for the language.
        """
        if language not in self._rules:
            raise UserInputError(
                "quality thresholds",
                f"none for {language!r}",
                f"Derive them from reference text; there are: {', '.join(self._rules)}",
            )
        stop_words, rules = self._rules[language]
        return judge(measure(text, stop_words), rules)


def judge(metrics: Metrics, rules: list[tuple[str, Limit]]) -> Verdict:
    """Return the verdict of the first broken limit, in the order given.

    Args:
        metrics: Of one text.
        rules: Name of a metric and its limit. Of a text under `SHORT_WORDS` only `SHORT_METRICS`
            are judged.

    Returns:
        The score of a removal is the metric's value.
    """
    short = metrics.n_words < SHORT_WORDS
    for name, limit in rules:
        value = getattr(metrics, name)
        if limit.allows(value) or (short and name not in SHORT_METRICS):
            continue
        low = limit.min is not None and value < limit.min
        bound = f"at least {limit.min:g}" if low else f"at most {limit.max:g}"
        reason = f"quality-{name.replace('_', '-')}"
        return removed(reason, float(value), f"{name} is {value:.4g}, {bound} is asked")
    return KEPT
