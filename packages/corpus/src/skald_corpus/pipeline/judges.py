"""The judgements of single documents by stage, made of the filters as the sources file has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from skald_specs.errors import UserInputError
from skald_specs.files import read_text
from skald_specs.sources import Source, SourcesFile

from skald_corpus.filters.glotlid import GlotLid
from skald_corpus.filters.language import LanguageFilter, LanguageRule
from skald_corpus.filters.language_model import LanguageModel
from skald_corpus.filters.licence import judge_licence
from skald_corpus.filters.normalise import normalise
from skald_corpus.filters.pii import mask
from skald_corpus.filters.quality import QualityFilter, QualityThresholds, shipped_thresholds
from skald_corpus.filters.robots import RobotsSnapshot
from skald_corpus.filters.tdm import Ledger, host_of, judge_metadata
from skald_corpus.filters.verdict import KEPT, Verdict, removed
from skald_corpus.pipeline.overlay import PASSED, Judge, Outcome
from skald_corpus.pipeline.rows import Row

#: What the stages `language` and `quality` write beside their overlays.
MODEL, THRESHOLDS = "model.npz", "thresholds.yaml"
_NOTHING_LEFT = Outcome(removed("empty", detail="nothing is left of the text"))


@dataclass(frozen=True)
class Judges:
    """Makes the judge of a stage for a source; picklable, so that a worker can make its own.

    Args:
        sources: The sources file.
        base: Its folder.
        learned: Folder with what the stage learned from reference text.
    """

    sources: SourcesFile
    base: Path
    learned: Path

    def of(self, stage: str, source: Source) -> Judge:
        """Return the judge of a stage of single documents.

        Args:
            stage: One that judges a document by itself: `rights`, `normalise`, `language`,
                `quality` or `pii`.
            source: Whose documents are judged; its language, licence and profile decide.
        """
        makers = {
            "rights": self._rights,
            "normalise": lambda _: _normalised,
            "language": self._language,
            "quality": self._quality,
            "pii": self._pii,
        }
        return makers[stage](source)

    @cached_property
    def _ledger(self) -> Ledger:
        name = self.sources.rights.ledger
        return Ledger() if name is None else Ledger.load(self.base / name)

    @cached_property
    def _robots(self) -> dict[str, RobotsSnapshot]:
        name = self.sources.rights.robots
        if name is None:
            return {}
        folder = self.base / name
        files = sorted(folder.glob("*.txt"))
        if not files:
            raise UserInputError(str(folder), "no robots.txt there", "Put <host>.txt files there")
        return {path.stem.lower(): RobotsSnapshot(read_text(path)) for path in files}

    def _rights(self, source: Source) -> Judge:
        rule, ledger, robots = self.sources.rights, self._ledger, self._robots
        known: dict[str, Verdict] = {}

        def reserved(row: Row) -> Verdict:
            if row.meta:
                verdict = judge_metadata(row.meta, rule.licensed_policies)
                if not verdict.kept:
                    return verdict
            snapshot = robots.get(host_of(row.url)) if row.url and robots else None
            return snapshot.judge(row.url) if snapshot else KEPT

        def one(row: Row) -> Outcome:
            licence = row.licence or source.licence
            if licence not in known:
                known[licence] = judge_licence(licence, rule.allow_licences)
            for verdict in (ledger.judge(row.text, row.id, row.url), known[licence]):
                if not verdict.kept:
                    return Outcome(verdict)
            verdict = reserved(row)
            if verdict.kept:
                return PASSED
            if rule.reservations == "annotate":
                return Outcome(noted=verdict.reason)
            return Outcome(verdict)

        return lambda rows: map(one, rows)

    @cached_property
    def _identify(self) -> LanguageFilter | GlotLid:
        rule = self.sources.language
        assert rule is not None
        if rule.glotlid is not None:
            return GlotLid(self.base / rule.glotlid)
        model = LanguageModel.load(self.learned / MODEL)
        return LanguageFilter(
            model, LanguageRule(margin=rule.margin, neighbour_margin=rule.neighbour_margin)
        )

    def _language(self, source: Source) -> Judge:
        identify = self._identify
        tag = source.language
        if isinstance(identify, GlotLid):
            return lambda rows: (Outcome(identify(row.text, tag)) for row in rows)
        return lambda rows: map(Outcome, identify.judge([row.text for row in rows], tag))

    @cached_property
    def _thresholds(self) -> QualityThresholds:
        rule = self.sources.quality
        assert rule is not None
        if rule.reference is not None:
            return QualityThresholds.load(self.learned / THRESHOLDS)
        if rule.thresholds is not None:
            return QualityThresholds.load(self.base / rule.thresholds)
        return shipped_thresholds()

    def _quality(self, source: Source) -> Judge:
        accept = QualityFilter(self._thresholds, "web" if source.kind == "web" else "curated")
        return lambda rows: (Outcome(accept(row.text, source.language)) for row in rows)

    def _pii(self, source: Source) -> Judge:
        rule = self.sources.pii
        assert rule is not None
        if rule.languages is not None and source.language not in rule.languages:
            return lambda rows: [PASSED] * len(rows)

        def one(row: Row) -> Outcome:
            text, findings = mask(row.text, source.language)
            if not findings:
                return PASSED
            return Outcome(text=text, changes=[f"{f.kind} by {f.rule}" for f in findings])

        return lambda rows: map(one, rows)


def _normalised(rows: Sequence[Row]) -> list[Outcome]:
    outcomes = []
    for row in rows:
        text, steps = normalise(row.text)
        if not text:
            outcomes.append(_NOTHING_LEFT)
        else:
            outcomes.append(Outcome(text=text, changes=steps) if steps else PASSED)
    return outcomes
