"""Run the stages in order, each into a folder of its own that is there as a whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

from skald_process.progress import part, tracked
from skald_specs.dedup import NearDuplicates
from skald_specs.errors import UserInputError
from skald_specs.files import atomic_folder, write_json
from skald_specs.funnel import Funnel, FunnelRow, summed
from skald_specs.sources import QualityStage, SourcesFile
from skald_specs.stages import STAGES

from skald_corpus.decontaminate.report import write_findings
from skald_corpus.filters.licence import judge_licence
from skald_corpus.filters.tdm import Ledger
from skald_corpus.pipeline.contamination import decontaminate
from skald_corpus.pipeline.duplicates import Kind, deduplicate
from skald_corpus.pipeline.ingest import ingest
from skald_corpus.pipeline.judges import Judges
from skald_corpus.pipeline.overlay import apply
from skald_corpus.pipeline.pool import Pool
from skald_corpus.pipeline.reference import lint_given, settle_thresholds, train_identifier
from skald_corpus.pipeline.rows import Part, json_rows, parts
from skald_corpus.pipeline.splits import split

#: What stages write beside their overlays.
FUNNEL, CLUSTERS, LENGTHS = "funnel.json", "clusters.json", "lengths.json"
#: Entries of the ledger that met no document.
IDLE = "idle-opt-outs.json"


@dataclass(frozen=True)
class Pipeline:
    """One corpus in the making.

    Args:
        sources: What to make.
        base: Folder of the sources file, from which its paths are counted.
        root: Folder to write to; one folder a stage.
        pool: Workers.
        keep_going: Whether what cannot be read is left out and written down.
        say: Told of each stage that is done, and of what the lint has to say.
    """

    sources: SourcesFile
    base: Path
    root: Path
    pool: Pool
    keep_going: bool = False
    say: Callable[[str], object] = print

    def run(self, stages: Sequence[str] = STAGES) -> None:
        """Run some stages, in the order given; the others must have been run before.

        Raises:
            UserInputError: The input is wrong, or a stage before was not run.
        """
        for stage in stages:
            for earlier in STAGES[: STAGES.index(stage)]:
                load_funnel(self.root, earlier)
            with part(stage), atomic_folder(self.root / stage, marker=FUNNEL) as out:
                with self.pool.ended_by_errors():
                    rows = self._work(stage, out)
                funnel = Funnel.check(
                    {
                        "stage": stage,
                        "on": rows is not None,
                        "rows": [row.model_dump() for row in gathered(rows or ())],
                    },
                    stage,
                )
                write_json(out / FUNNEL, funnel.model_dump(mode="json"))
            self.say(told(funnel))

    def _work(self, stage: str, out: Path) -> Sequence[FunnelRow] | None:
        """Do the work of a stage; None where it is off."""
        sources = self.sources
        found = parts(self.root)
        match stage:
            case "ingest":
                self._check_licences()
                one = partial(ingest, base=self.base, out=out, keep_going=self.keep_going)
                done = self.pool.map(one, sources.sources)
                return list(tracked(done, "ingest, sources", len(sources.sources)))
            case "exact" if sources.duplicates and sources.duplicates.exact:
                return self._duplicates("exact", None, out)
            case "near" if sources.duplicates and sources.duplicates.near:
                return self._duplicates("near", sources.duplicates.near, out)
            case "decontaminate" if sources.decontamination:
                rows, report = decontaminate(
                    sources.decontamination, self.base, self.root, found, out, self.pool
                )
                write_findings(out, report)
                return rows
            case "split":
                return self._split(out)
            case "language" if sources.language:
                train_identifier(sources.language, self.base, out, sources.languages)
                return self._judged(stage, out)
            case "quality" if sources.quality:
                self._lint(sources.quality, out)
                return self._judged(stage, out)
            case "rights":
                rows = self._judged(stage, out)
                self._check_ledger(out)
                return rows
            case "normalise":
                return self._judged(stage, out)
            case "pii" if sources.pii:
                return self._judged(stage, out)
        return None

    def _check_licences(self) -> None:
        """Refuse a source whose licence does not do; its documents may have better ones."""
        for source in self.sources.sources:
            verdict = judge_licence(source.licence, self.sources.rights.allow_licences)
            if not verdict.kept and not self.keep_going:
                raise UserInputError(
                    f"source {source.id}, licence",
                    verdict.detail,
                    "Name it in rights.allow_licences, or leave its documents out with --keep-going",
                )

    def _check_ledger(self, out: Path) -> None:
        """Say which wishes met no document: one that is mistyped would go unheard in silence."""
        name = self.sources.rights.ledger
        if name is None:
            return
        ledger = Ledger.load(self.base / name)
        met = {
            row["detail"]
            for path in out.glob("*/*.removed.jsonl")
            for row in json_rows(path)
            if row["reason"] == "opted-out"
        }
        idle = [ledger.told(key) for key in ledger.entries if ledger.told(key) not in met]
        write_json(out / IDLE, idle)
        for entry in idle:
            self.say(f"rights, ledger: met by no document: {entry}")

    def _judged(self, stage: str, out: Path) -> list[FunnelRow]:
        judges = Judges(self.sources, self.base, out)
        judge = partial(_judge_part, judges, self.root, stage, out)
        found = parts(self.root)
        return list(tracked(self.pool.map(judge, found), f"{stage}, parts", len(found)))

    def _lint(self, rule: QualityStage, out: Path) -> None:
        language, tags = self.sources.language, self.sources.languages
        complaints = settle_thresholds(rule, self.base, out, tags)
        reference = language.reference if language else None
        complaints += lint_given(rule, self.base, out, reference, tags)
        for complaint in complaints:
            self.say(f"quality, lint: {complaint}")

    def _duplicates(self, kind: Kind, rule: NearDuplicates | None, out: Path) -> list[FunnelRow]:
        rows, sizes = list[FunnelRow](), dict[str, dict[int, int]]()
        for tag, mine in by_language(self.root):
            found, sizes[tag] = deduplicate(kind, rule, self.root, mine, out, self.pool)
            rows += found
        write_json(out / CLUSTERS, sizes)
        return rows

    def _split(self, out: Path) -> list[FunnelRow]:
        rows, lengths = list[FunnelRow](), dict[str, dict[int, int]]()
        for tag, mine in by_language(self.root):
            found, lengths[tag] = split(self.root, mine, self.sources.validation_fraction, out)
            rows += found
        write_json(out / LENGTHS, lengths)
        return rows


def load_funnel(root: Path, stage: str) -> Funnel:
    """Read what a stage did.

    Args:
        root: Work folder of the pipeline, with a folder for each stage.
        stage: Its name, one of `STAGES`.

    Raises:
        UserInputError: It was not run, or not to its end.
    """
    path = root / stage / FUNNEL
    if not path.is_file():
        raise UserInputError(str(root / stage), f"stage {stage} was not run", "Run it first")
    return Funnel.load(path)


def by_language(root: Path) -> list[tuple[str, list[Part]]]:
    """Return the parts that ingest wrote, by language."""
    grouped = groupby(parts(root), key=lambda part: part.language)
    return [(language, list(mine)) for language, mine in grouped]


def gathered(rows: Iterable[FunnelRow]) -> list[FunnelRow]:
    """Add the rows of parts up to one a language and source."""
    found: dict[tuple[str, str], list[FunnelRow]] = {}
    for row in rows:
        found.setdefault((row.language, row.source), []).append(row)
    return [summed(mine, *names) for names, mine in sorted(found.items())]


def told(funnel: Funnel) -> str:
    """Return one line on a stage."""
    if not funnel.on:
        return f"{funnel.stage:<13} off"
    row = summed(funnel.rows, "", "")
    reasons = ", ".join(
        f"{amount.documents:,} {reason}"
        for reason, amount in sorted(row.removed.items(), key=lambda item: -item[1].documents)
    )
    kept = (
        f"{row.kept.documents:,} of {row.read.documents:,} documents, {row.kept.bytes / 1e6:.1f} MB"
    )
    changed = f"; {row.changed:,} changed" if row.changed else ""
    noted = "".join(f"; {n:,} noted as {remark}" for remark, n in row.noted.items())
    return f"{funnel.stage:<13} {kept}{changed}{noted}{'; removed: ' if reasons else ''}{reasons}"


#: The judges of this process: what they learned is read once, not for every part.
_JUDGES: dict[Path, Judges] = {}


def _judge_part(judges: Judges, root: Path, stage: str, out: Path, part: Part) -> FunnelRow:
    mine = _JUDGES.setdefault(out, judges)
    judge = mine.of(stage, mine.sources.source(part.source))
    return apply(judge, root, stage, part, out)
