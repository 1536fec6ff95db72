"""Minimal pairs without cues: what length, case and punctuation alone tell of which side is right.

A classifier sees no word, only counts. It is shown both sides of a pair, in either order, as the
difference of their counts, and says which is the grammatical one; sides that it cannot tell apart
count half. Each item is judged by a classifier that saw no item of its key.
"""

from __future__ import annotations

import math
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from skald_corpus.grammar.register import LANGUAGES
from skald_corpus.pairs import pairs
from skald_specs.claims import Measure
from skald_specs.items import PairItem
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import GroupKFold

#: Share told right that chance may reach, and that a planted cue must.
BLIND, SEEN = 0.55, 0.9
FOLDS = 5
SEED = 1
_MARKS = ".,;:!?\"'()-–"

Floats = NDArray[np.float64]


def features(text: str) -> list[float]:
    """Return what is counted: lengths, case and punctuation, never which word or where it stands.

    The order of long and short words is no cue but the thing itself: who knows that a verb stands
    last knows some grammar.
    """
    words = text.split()
    # Without the full stop, which would tell which word stands last.
    sizes = [len(word.strip(string.punctuation)) for word in words]
    return [
        len(text),
        len(text.encode()),
        len(words),
        max(sizes),
        min(sizes),
        float(text[0].isupper()),
        sum(letter.isupper() for letter in text),
        sum(word[0].isupper() for word in words),
        *(text.count(mark) for mark in _MARKS),
        float(text[-1] in string.punctuation),
    ]


def told_apart(items: Sequence[PairItem]) -> Floats:
    """Return for each item 1 where counts tell the right side, 0 where the wrong one, else a half.

    The classifier is boosted trees, which see several counts together.
    """
    x = np.array([np.subtract(features(item.good), features(item.bad)) for item in items])
    told = np.empty(len(items))
    for train, test in GroupKFold(FOLDS).split(x, groups=[item.key for item in items]):
        model = HistGradientBoostingClassifier(max_iter=50, max_leaf_nodes=8, random_state=SEED)
        y = np.repeat([1, 0], len(train))
        model.fit(np.vstack([x[train], -x[train]]), y)
        # Asked in both orders, so that luck with the order decides nothing.
        good_first, bad_first = (model.predict_proba(side)[:, 1] for side in (x[test], -x[test]))
        told[test] = (1 + np.sign(np.round(good_first - bad_first, 9))) / 2
    return told


def upper_end(told: Floats) -> float:
    """Return the upper end of the 95 % interval of a share, from the spread over items."""
    return float(told.mean() + 1.96 * told.std(ddof=1) / math.sqrt(len(told)))


def lower_cased(item: PairItem) -> PairItem:
    """Plant a cue of case."""
    return item.model_copy(update={"bad": item.bad[0].lower() + item.bad[1:]})


def shortened(item: PairItem) -> PairItem:
    """Plant a cue of length: the wrong side lacks a word."""
    words = item.bad.split()
    return item.model_copy(update={"bad": " ".join([*words[:1], *words[2:]])})


PLANTS: dict[str, Callable[[PairItem], PairItem]] = {
    "the wrong side begins in lower case": lower_cased,
    "the wrong side lacks a word": shortened,
}


def measures() -> list[Measure]:
    """Measure each language, all together, and pairs with a planted cue."""
    items = {tag: list(pairs(language)) for tag, language in LANGUAGES.items()}
    pooled = [item for some in items.values() for item in some]
    told = {tag: told_apart(some) for tag, some in items.items()}
    found = [_blind(tag, told[tag]) for tag in items]
    found += [_blind("all languages", told_apart(pooled)), _worst(items, told)]
    found.append(_by_length(items))
    for name, plant in PLANTS.items():
        least = min(
            float(told_apart([plant(item) for item in some]).mean()) for some in items.values()
        )
        found.append(
            Measure(
                measure=f"pairs told apart by length, case and punctuation when {name}",
                value=round(least, 4),
                unit="",
                bound=f"> {SEEN:g}",
                holds=least > SEEN,
                detail=f"the language in which it is least; {FOLDS} folds by key",
            )
        )
    return found


def _blind(name: str, told: Floats) -> Measure:
    return Measure(
        measure=f"pairs told apart by length, case and punctuation: {name}",
        value=round(float(told.mean()), 4),
        unit="",
        bound=f"<= {BLIND:g}",
        holds=bool(told.mean() <= BLIND),
        detail=f"of {len(told)}, chance .5, 95 % up to {upper_end(told):.3f}",
    )


def _worst(items: Mapping[str, Sequence[PairItem]], told: Mapping[str, Floats]) -> Measure:
    """Name the phenomena that counts tell most of; no bound, as each has few items."""
    cells: dict[str, list[float]] = {}
    for tag, some in items.items():
        for item, right in zip(some, told[tag], strict=True):
            cells.setdefault(f"{tag} {item.phenomenon}", []).append(float(right))
    shares = sorted(((float(np.mean(some)), name) for name, some in cells.items()), reverse=True)
    return Measure(
        measure="pairs told apart by length, case and punctuation: the phenomenon told most of",
        value=round(shares[0][0], 4),
        unit="",
        bound="no bound",
        holds=True,
        detail=", ".join(f"{name} {share:.2f}" for share, name in shares[:5]),
    )


def _by_length(items: Mapping[str, Sequence[PairItem]]) -> Measure:
    """Say what one who knew all lengths of a phenomenon could tell by the difference alone."""
    shares = []
    for tag, some in items.items():
        gaps: dict[str, Counter[int]] = {}
        for item in some:
            gap = len(item.bad.encode()) - len(item.good.encode())
            gaps.setdefault(item.phenomenon, Counter())[gap] += 1
        for name, counts in gaps.items():
            right = sum(max(counts[d], counts[-d]) for d in {abs(gap) for gap in counts} if d)
            share = (right + counts[0] / 2) / sum(counts.values())
            shares.append((share, f"{tag} {name}"))
    shares.sort(reverse=True)
    return Measure(
        measure="pairs told apart by the difference of lengths, best rule of a phenomenon in hindsight",
        value=round(shares[0][0], 4),
        unit="",
        bound=f"<= {BLIND:g}",
        holds=shares[0][0] <= BLIND,
        detail=", ".join(f"{name} {share:.2f}" for share, name in shares[:5]),
    )
