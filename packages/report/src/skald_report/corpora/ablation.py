"""Which data helps: the table of an ablation from the answers of its runs.

Bits per byte decide; minimal pairs are shown beside them with verdicts of their own. Knows answers
and counts; refuses to know how they were trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from skald_specs.ablation import (
    Ablation,
    AblationCorpus,
    AblationDifference,
    AblationItem,
    AblationLanguage,
    AblationRun,
    AblationText,
    Metric,
    Verdict,
)
from skald_specs.corpus import CorpusManifest
from skald_specs.recipe import Recipe

from skald_report.statistics.comparison import LEVEL
from skald_report.statistics.crossed import Crossed, by_group, crossed_difference
from skald_report.statistics.families import holm
from skald_report.statistics.sums import Floats

#: What a larger figure of a metric means.
_GOOD_SIGN: dict[Metric, int] = {"bits_per_byte": -1, "pairs": 1}


class Trained(NamedTuple):
    """One corpus with its runs, one for each seed, and how often each language was read."""

    manifest: CorpusManifest
    epochs: Mapping[str, float]
    runs: Sequence[AblationRun]


class _Scores(NamedTuple):
    """One metric: numerators by corpus (seeds, items), and denominators, languages and keys."""

    tops: Mapping[str, Floats]
    bottoms: Floats
    languages: Sequence[str]
    keys: Sequence[str]


def conclude(
    recipe: Recipe,
    n_params_total: int,
    seeds: Sequence[int],
    held_out: str,
    items: Sequence[AblationItem],
    texts: Sequence[AblationText],
    trained: Mapping[str, Trained],
) -> Ablation:
    """Score every corpus and compare every two.

    Args:
        recipe: What was trained.
        n_params_total: Of the model.
        seeds: The seeds, in the order of the runs.
        held_out: What the items are, in words.
        items: What was scored.
        texts: The items by language.
        trained: The corpora by name; the first is the baseline. No run diverged.
    """
    scores = {metric: _scores(metric, items, trained) for metric in _GOOD_SIGN}
    differences = [
        difference
        for metric, table in scores.items()
        if table is not None
        for difference in _differences(metric, table, list(trained))
    ]
    better = {
        name: sum(_is_better(d, than=name) for d in differences if d.metric == "bits_per_byte")
        for name in trained
    }
    return Ablation(
        schema_version=1,
        recipe=recipe.name,
        n_params_total=n_params_total,
        horizon_tokens=recipe.budget.horizon_tokens,
        seeds=tuple(seeds),
        held_out=held_out,
        texts=tuple(texts),
        corpora=tuple(
            _corpus(name, entry, 1 + better[name], scores) for name, entry in trained.items()
        ),
        differences=tuple(differences),
    )


def _scores(
    metric: Metric, items: Sequence[AblationItem], trained: Mapping[str, Trained]
) -> _Scores | None:
    chosen = [i for i, item in enumerate(items) if item.metric == metric]
    if not chosen:
        return None
    sizes = [[len(text.encode()) for text in items[i].texts] for i in chosen]
    tops = {}
    for name, entry in trained.items():
        answers = [[(run.bits or ())[i] for i in chosen] for run in entry.runs]
        if metric == "bits_per_byte":
            tops[name] = np.array([[bits[0] for bits in run] for run in answers])
        else:
            # Per byte, as the harness' acc_bytes: the sum favours whichever side is shorter.
            tops[name] = np.array(
                [
                    [float(b[0] / n[0] < b[1] / n[1]) for b, n in zip(run, sizes, strict=True)]
                    for run in answers
                ]
            )
    bottoms = np.array([n[0] if metric == "bits_per_byte" else 1 for n in sizes], float)
    languages, keys = [items[i].language for i in chosen], [items[i].key for i in chosen]
    return _Scores(tops, bottoms, languages, keys)


def _differences(metric: Metric, table: _Scores, names: Sequence[str]) -> list[AblationDifference]:
    """Compare every two corpora; the later one is compared with the earlier one."""
    pairs = list(combinations(names, 2))
    found = [
        crossed_difference(
            table.tops[later] - table.tops[earlier], table.bottoms, table.languages, table.keys
        )
        for earlier, later in pairs
    ]
    adjusted = holm([one.p for one in found])
    return [
        AblationDifference(
            metric=metric,
            corpus=later,
            reference=earlier,
            estimate=one.estimate,
            low=one.low,
            high=one.high,
            se_seeds=one.se_seeds,
            se_texts=one.se_items,
            p=one.p,
            p_adjusted=p,
            verdict=_verdict(metric, one, p),
        )
        for (earlier, later), one, p in zip(pairs, found, adjusted, strict=True)
    ]


def _verdict(metric: Metric, found: Crossed, p_adjusted: float) -> Verdict:
    if p_adjusted >= LEVEL:
        return "tied"
    return "better" if found.estimate * _GOOD_SIGN[metric] > 0 else "worse"


def _is_better(difference: AblationDifference, than: str) -> bool:
    """Return whether a comparison shows another corpus to be better than this one."""
    return (difference.reference == than and difference.verdict == "better") or (
        difference.corpus == than and difference.verdict == "worse"
    )


def _corpus(
    name: str, entry: Trained, rank: int, scores: Mapping[Metric, _Scores | None]
) -> AblationCorpus:
    bits, pairs = scores["bits_per_byte"], scores["pairs"]
    assert bits is not None, "held-out text has documents"
    each = by_group(bits.tops[name], bits.bottoms, bits.languages)
    right: dict[str, float] = {}
    if pairs is not None:
        means = by_group(pairs.tops[name], pairs.bottoms, pairs.languages).mean(0)
        right = dict(zip(sorted(set(pairs.languages)), means.tolist(), strict=True))
    by_tag = dict(zip(sorted(set(bits.languages)), each.mean(0).tolist(), strict=True))
    return AblationCorpus(
        name=name,
        fingerprint=entry.manifest.fingerprint,
        languages=tuple(
            AblationLanguage(
                language=shard.language,
                n_tokens=shard.n_tokens,
                n_bytes=shard.n_bytes,
                epochs=entry.epochs[shard.language],
                bits_per_byte=by_tag[shard.language],
                pairs_accuracy=right.get(shard.language),
            )
            for shard in sorted(entry.manifest.shards, key=lambda s: s.language)
            if shard.split == "train"
        ),
        bits_per_byte=float(each.mean()),
        bits_per_byte_by_seed=tuple(each.mean(-1).tolist()),
        pairs_accuracy=float(np.mean(list(right.values()))) if right else None,
        rank=rank,
    )
