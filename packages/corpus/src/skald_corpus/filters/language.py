"""Which language a text is in, asked of one target language at a time.

"Is this plausibly Danish?" is a smaller question than "which language is this?", and the one that a
corpus asks: a text stays when no other language explains it better by a margin, and the margin to
the languages that the target is mistaken for is a setting of its own.

Knows the model and the decision; ships no model, for it is trained from the user's reference text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from skald_specs.errors import UserInputError
from skald_specs.languages import REGISTER

from skald_corpus.filters.language_model import LanguageModel
from skald_corpus.filters.verdict import Verdict, removed

#: Languages mistaken for each other. Source: users' reports (fastText #1117, fairseq #5614, bigscience
#: data_tooling #61) and the documents that FineWeb-2 removes: 89 % of Nynorsk and Luxembourgish ones.
CONFUSABLE: tuple[frozenset[str], ...] = (
    frozenset({"da", "nb", "nn"}),
    frozenset({"nl", "af", "fy"}),
    frozenset({"is", "fo"}),
    frozenset({"de", "lb", "nds"}),
)


def neighbours(language: str) -> frozenset[str]:
    """Return the languages that a language is mistaken for."""
    return frozenset().union(*(group for group in CONFUSABLE if language in group)) - {language}


@dataclass(frozen=True)
class LanguageRule:
    """When a text is held to be in another language; scores are nats per character.

    Args:
        margin: The target's score less the best other language's must be at least this. Below 0,
            so that a Danish sentence full of foreign names stays.
        neighbour_margin: The same against the confusable neighbours; raise it above 0 for a corpus
            that must be pure, at the cost of plain sentences that both languages share.
        floor, floor_spread: Text of n characters that fits the target by less than
            `floor - floor_spread / sqrt(n)` is unlike the reference text: a language that the model
            was not trained on, or none. The longer the text, the surer this is.
        min_chars: Shorter texts are kept unjudged.
        head_chars: Of a longer text so much is read at its begin, its middle and its end.
        other_script: Largest share of letters that may belong to another script.

    Standing: margins and floor measured on UD dev text (docs/data-filters.md has the figures).
    """

    margin: float = -0.25
    neighbour_margin: float = -0.15
    floor: float = 0.2
    floor_spread: float = 12.0
    min_chars: int = 40
    head_chars: int = 2000
    other_script: float = 0.5


class _Seen(NamedTuple):
    """What the model says of one text."""

    scores: NDArray[np.float32]
    target: float
    other: float
    n_chars: int


class LanguageFilter:
    """The filter; calling it judges one text, `judge` many at once, which is faster.

    Args:
        model: Trained on the target languages and those they are to be told from.
        rule: Thresholds.
    """

    def __init__(self, model: LanguageModel, rule: LanguageRule | None = None) -> None:
        self.model = model
        self.rule = rule or LanguageRule()

    def __call__(self, text: str, language: str) -> Verdict:
        """Judge one text; the score of the verdict is the margin in nats per character."""
        return self.judge([text], language)[0]

    def judge(self, texts: Sequence[str], language: str) -> list[Verdict]:
        """Judge texts that should all be in one language.

        Args:
            texts: Those under `LanguageRule.min_chars` pass unjudged.
            language: Tag of the target.

        Returns:
            In the order of the texts; the score is the margin in nats per character.

        Raises:
            UserInputError: The model was not trained on the language.
        """
        own, near, far = self._columns(language)
        verdicts = [Verdict(True, detail="too short to judge")] * len(texts)
        chosen = [i for i, text in enumerate(texts) if len(text) >= self.rule.min_chars]
        if not chosen:
            return verdicts
        samples = [self._sample(texts[i]) for i in chosen]
        scores, other = self.model.scores(samples)
        target = scores[:, own].max(axis=1)
        gaps = {
            "near-neighbour": (near, self.rule.neighbour_margin),
            "wrong-language": (far, self.rule.margin),
        }
        for row, index in enumerate(chosen):
            seen = _Seen(scores[row], float(target[row]), float(other[row]), len(samples[row]))
            verdicts[index] = self._decide(seen, gaps)
        return verdicts

    def _sample(self, text: str) -> str:
        size = self.rule.head_chars
        if len(text) <= 3 * size:
            return text
        middle = len(text) // 2
        return f"{text[:size]} {text[middle : middle + size]} {text[-size:]}"

    def _columns(self, language: str) -> tuple[list[int], list[int], list[int]]:
        """Return the model's columns of the target, of its neighbours and of the others."""
        names = self.model.languages
        # A macro language such as `no` is met by any of its varieties.
        members = {language} | {row.tag for row in REGISTER if row.macro == language}
        own = [i for i, name in enumerate(names) if name in members]
        if not own:
            raise UserInputError(
                "language identification",
                f"the model does not know {language!r}",
                f"Give reference text for it; the model knows {', '.join(names)}",
            )
        beside = frozenset().union(*(neighbours(names[i]) for i in own)) - members
        near = [i for i, name in enumerate(names) if name in beside]
        return own, near, [i for i in range(len(names)) if i not in own and i not in near]

    def _decide(self, seen: _Seen, gaps: Mapping[str, tuple[list[int], float]]) -> Verdict:
        if seen.other > self.rule.other_script:
            share = f"{seen.other:.0%} of the letters are not Latin"
            return removed("other-script", round(seen.other, 4), share)
        closest = np.inf
        for reason, (columns, margin) in gaps.items():
            if columns:
                best = max(columns, key=lambda i: float(seen.scores[i]))
                gap = seen.target - float(seen.scores[best])
                closest = min(closest, gap)
                if gap < margin:
                    name = self.model.languages[best]
                    told = f"{name} fits better by {-gap:.2f} nats a character"
                    return removed(reason, round(gap, 4), told)
        floor = self.rule.floor - self.rule.floor_spread / math.sqrt(seen.n_chars)
        if seen.target < floor:
            told = f"fits the reference text by {seen.target:.2f}, {floor:.2f} is asked"
            return removed("unfamiliar", round(seen.target, 4), told)
        return Verdict(True, score=None if closest == np.inf else round(closest, 4))


def confusion(model: LanguageModel, texts: Mapping[str, Sequence[str]]) -> NDArray[np.int64]:
    """Count which language the model takes texts for, all languages allowed.

    Args:
        model: The model.
        texts: Held-out texts by their true language, each a language of the model.

    Returns:
        Counts, shape (true language, language taken for), both in the order of the model.
    """
    size = len(model.languages)
    counts = np.zeros((size, size), np.int64)
    for row, language in enumerate(model.languages):
        if texts.get(language):
            best = model.scores(texts[language])[0].argmax(axis=1)
            counts[row] = np.bincount(best, minlength=size)
    return counts


def accuracy(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the share of each language's texts that were taken for it, NaN where there are none."""
    totals = counts.sum(axis=1)
    return np.where(totals > 0, np.diag(counts) / np.maximum(totals, 1), np.nan)
