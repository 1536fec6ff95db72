"""Personal data planted among look-alikes in real sentences: what the rules find and mistake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from skald_corpus.filters.pii import find
from skald_corpus.filters.pii_plant import KINDS, Kind
from skald_corpus.keyed import Stream
from skald_specs.claims import Measure

#: Share of things of a row's shape that are the thing itself; the others are look-alikes. At the
#: second, harder share the precision is told as well, without a bound.
PREVALENCE, HARDER = 0.2, 0.1
RECALL, PRECISION = 0.98, 0.95
PLANTED, LOOKALIKES = 1000, 9000


def measure_kind(kind: Kind, sentences: Sequence[str]) -> tuple[float, float]:
    """Return the share of planted things found, and the share of look-alikes taken for anything.

    Each planted thing and each look-alike stands between two words of a sentence of its own; what
    is found elsewhere in the sentence is not counted.
    """
    stream = Stream(f"pii {kind.name} {kind.variant}")

    def found(thing: str, exact: bool) -> bool:
        words = stream.pick(sentences).split(" ")
        place = stream.below(len(words) + 1)
        before = " ".join(words[:place])
        start = len(before) + 1 if before else 0
        text = " ".join([*words[:place], thing, *words[place:]])
        end = start + len(thing)
        spans = [f for f in find(text, kind.language) if f.start < end and f.end > start]
        # Of "tlf. 12 34 56 78" the number alone is the thing.
        covered = [f for f in spans if f.kind == kind.name and f.end == end]
        return bool(covered if exact else spans)

    hits = sum(found(kind.planted(stream), True) for _ in range(PLANTED))
    mistaken = sum(found(kind.lookalike(stream), False) for _ in range(LOOKALIKES))
    return hits / PLANTED, mistaken / LOOKALIKES


def precision_at(prevalence: float, recall: float, mistaken: float) -> float:
    """Return the share of findings that are right, 0 where there are none."""
    right = prevalence * recall
    return right / (right + (1 - prevalence) * mistaken) if right else 0.0


def pii_measures(sentences: Mapping[str, Sequence[str]]) -> list[Measure]:
    """Measure every kind: bounds where the rule can decide, figures alone where it cannot.

    Args:
        sentences: Real sentences by language.
    """
    measures = []
    for kind in KINDS:
        recall, mistaken = measure_kind(kind, sentences[kind.language])
        name = f"{kind.name} {kind.variant}".strip()
        precision = precision_at(PREVALENCE, recall, mistaken)
        detail = (
            f"prevalence {PREVALENCE:g} of {PLANTED} and {LOOKALIKES} look-alikes; precision at "
            f"{HARDER:g}: {precision_at(HARDER, recall, mistaken):.3f}"
        )
        if not kind.decidable:
            detail = f"the rule cannot decide; {detail}"
        for what, value, bound in (("recall", recall, RECALL), ("precision", precision, PRECISION)):
            measures.append(
                Measure(
                    measure=f"PII, {name}: {what}",
                    value=round(value, 4),
                    unit="",
                    bound=f">= {bound}" if kind.decidable else "-",
                    holds=value >= bound if kind.decidable else True,
                    detail=detail,
                )
            )
    return measures
