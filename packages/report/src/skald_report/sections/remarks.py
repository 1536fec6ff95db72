"""Sentences of the page's lists that are no claims, by what they speak of; `report.json` keeps them.

Those that follow from evaluations are derived again from the records. The others follow from tables of
`report.json` and are derived again from these, so both read them as filed: rounded to the digits kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from skald_specs.records import EvaluationSummary

from skald_report.reading.inputs import Sources
from skald_report.sections.controls import control_sentences
from skald_report.sections.cost_words import cost_sentences
from skald_report.sections.lacking import in_short
from skald_report.sections.measured_words import measured_sentences
from skald_report.sections.noise import contested, noise_sentences
from skald_report.sections.published_words import gap_sentences, published_sentences
from skald_report.tables.file import as_filed
from skald_report.tables.table import Table

#: The remarks that follow from evaluations alone.
OF_RECORDS = ("lacking", "noise", "controls", "rechecks")
#: The tables that the others follow from.
READ = ("models", "cost", "published", "published_gaps", "published_without_mean", "measured_gaps")


class Remarks(NamedTuple):
    """What the page's lists say besides the claims.

    Attributes:
        lacking: How many scores are missing, where they are too many to name.
        noise: Which tasks tell models apart.
        controls: Which controls were flagged.
        rechecks: What was scored a second time.
        cost: What training took.
        published: What the published figures are.
        published_gaps: How far the highlighted model is from the best of its class.
        measured_gaps: How far the models measured here are.
    """

    lacking: tuple[str, ...] = ()
    noise: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    rechecks: tuple[str, ...] = ()
    cost: tuple[str, ...] = ()
    published: tuple[str, ...] = ()
    published_gaps: tuple[str, ...] = ()
    measured_gaps: tuple[str, ...] = ()


def remarks(sources: Sources, tables: Mapping[str, Table], gaps: Sequence[str]) -> Remarks:
    """Return what the page's lists say besides the claims.

    Args:
        sources: The evaluations.
        tables: Of evaluations: all that there are. The others may be as `report.json` has them.
        gaps: The claims of what some model lacks.
    """
    read = {name: as_filed(tables[name]) for name in READ if name in tables}
    said = Remarks(
        published=tuple(published_sentences(read)),
        published_gaps=tuple(gap_sentences(read)),
        measured_gaps=tuple(measured_sentences(read)),
    )
    if "scores" not in tables:
        return said
    return said._replace(
        lacking=tuple(s for s in in_short(gaps) if s not in gaps),
        noise=tuple(noise_sentences(frame)) if len(frame := contested(tables.get("noise"))) else (),
        controls=tuple(control_sentences(sources, tables.get("controls"))),
        rechecks=tuple(_rechecks(sources.summaries)),
        cost=tuple(cost_sentences(read)),
    )


def _rechecks(summaries: Sequence[EvaluationSummary]) -> Iterator[str]:
    """Say how many requests were scored again by the plain path, and how far off the most was."""
    for summary in summaries:
        if not summary.rechecks:
            yield f"Recheck: in suite {summary.suite} no request was scored a second time by the plain path."
            continue
        drawn = sum(r.n_rechecked for r in summary.rechecks)
        asked = sum(r.n_requests for r in summary.rechecks)
        worst = max(summary.rechecks, key=lambda recheck: recheck.largest_nats)
        yield (
            f"Recheck: in suite {summary.suite} {drawn:,} of {asked:,} requests were scored again by the plain path; the "
            f"largest difference of log-probability is {worst.largest_nats:.1e} nats ({worst.model})."
        )
