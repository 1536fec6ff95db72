"""What the report reads: paths in, checked tables out.

Knows the files of the other stations and names what is missing; refuses to compute a statistic.
`curve.jsonl` is read as plain data by the keys the page needs, so that training may log more
without breaking the report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pandas as pd
import pyarrow as pa
from skald_specs.checkpoint import PLAN_FILE
from skald_specs.corpus import CorpusManifest
from skald_specs.datacard import DataCard
from skald_specs.decontamination import (
    CLEAN_FILE,
    REPORT_FILE,
    CleanSubset,
    DecontaminationReport,
)
from skald_specs.errors import UserInputError
from skald_specs.files import read_jsonl
from skald_specs.manifest import MANIFEST_FOLDER
from skald_specs.plan import UNTRANSFERRED, Plan
from skald_specs.published import PublishedModels
from skald_specs.records import EvaluationSummary
from skald_specs.runtable import RUN_TABLE_COLUMNS
from skald_specs.timefit import FittedRun, TimeFit

from skald_report.reading.agreement import check_agreement
from skald_report.reading.manifests import Manifests, read_manifests
from skald_report.reading.points import POINTS_FOLDER, read_points
from skald_report.reading.published import (
    Registered,
    read_published,
    read_register,
)
from skald_report.reading.records import read_items
from skald_report.reading.seeds import seed_groups

CURVE_FILE = "curve.jsonl"
_REBUILD = "Rebuild the file"
_POINT_COLUMNS = list(FittedRun.model_fields)


@dataclass(frozen=True)
class ReportInputs:
    """Where everything lies. What is None or empty is missing, and the page says so.

    Attributes:
        evaluations: Folders with `summary.json` and `items.jsonl`.
        points: Files of scores over training, `curves/<run>.jsonl`.
        runs: `final/` folders of trained runs.
        plans: Plans that have no run folder in `runs`, or the same ones again.
        untransferred: `final/` folders of the baselines' controls, named by `UNTRANSFERRED`.
        fit: `fit.json` of the planner.
        sweep: The run table; read only when there is no fit.
        corpus: `corpus.json`.
        searched: `decontamination.json` of a corpus that was searched for evaluation items.
        clean: `clean-subset.json` of the same.
        published: Folder of published scores.
        register: The register of other models, `evals/models.yaml`.
        evidence: Folder of committed evidence; muP's is in `mup/`, time transfer's in `transfer/`.
        manifests: Folder of run manifests.
        data_card: `card.json` of a corpus that has a data card.
        command: The command that makes this report again.
    """

    evaluations: tuple[Path, ...] = ()
    points: tuple[Path, ...] = ()
    runs: tuple[Path, ...] = ()
    plans: tuple[Path, ...] = ()
    untransferred: tuple[Path, ...] = ()
    fit: Path | None = None
    sweep: Path | None = None
    corpus: Path | None = None
    searched: Path | None = None
    clean: Path | None = None
    published: Path | None = None
    register: Path | None = None
    evidence: Path | None = None
    manifests: Path | None = None
    data_card: Path | None = None
    command: str = "nox -s cycle"

    @classmethod
    def from_folders(
        cls,
        artifacts: Path,
        names: Iterable[str],
        suites: Iterable[str],
        published: Path | None,
        command: str = "nox -s cycle",
        evidence: Path | None = None,
        register: Path | None = None,
    ) -> Self:
        """Find the standard files of named baselines and suites; absent ones are left out.

        Args:
            artifacts: The folder the stations write to.
            names: Names of the baselines (their recipes').
            suites: Names of the evaluation suites.
            published: Folder of published scores, or None.
            command: The command that makes this report again.
            evidence: Folder of committed evidence, or None.
            register: The register of other models, or None.
        """

        def there(path: Path) -> Path | None:
            return path if path.exists() else None

        plan, corpus, listed = artifacts / "plan", artifacts / "corpus", tuple(names)
        runs = [artifacts / "runs" / name / "final" for name in listed]
        controls = [artifacts / "runs" / f"{name}{UNTRANSFERRED}" / "final" for name in listed]
        points = [artifacts / "eval" / POINTS_FOLDER / f"{name}.jsonl" for name in listed]
        return cls(
            evaluations=tuple(p for s in suites if (p := artifacts / "eval" / s).exists()),
            points=tuple(path for path in points if path.exists()),
            runs=tuple(run for run in runs if run.exists()),
            plans=tuple(p for name in listed if (p := plan / f"{name}.yaml").exists()),
            untransferred=tuple(run for run in controls if run.exists()),
            fit=there(plan / "fit.json"),
            sweep=there(artifacts / "sweep" / "runs.parquet"),
            corpus=there(corpus / "corpus.json"),
            searched=there(corpus / REPORT_FILE),
            clean=there(corpus / CLEAN_FILE),
            published=there(published) if published else None,
            command=command,
            evidence=there(evidence) if evidence else None,
            register=there(register) if register else None,
            # A folder of artifacts below the usual one has its manifests where all are.
            manifests=there(artifacts / MANIFEST_FOLDER.name)
            or there(artifacts.parent / MANIFEST_FOLDER.name),
            data_card=there(artifacts / "card" / "card.json"),
        )


@dataclass(frozen=True)
class Sources:
    """Everything the report knows, checked.

    Attributes:
        summaries: One for each evaluation folder.
        items: One row an item: model, task, kind, language, item_id, key, suite (categories), score,
            n_bytes.
        plans: Plans by name, in the order given.
        points: Scores over training, columns of `ScorePoint` with the run as `model`.
        seed_groups: The group of every baseline that another one repeats with other seeds.
        curves: Training rows: model, step, tokens_seen, loss_nats.
        validation: Validation rows: model, language, step, tokens_seen, bits_per_byte.
        sweep: The sweep's runs, columns of `FittedRun`.
        fit: What the planner fitted on them, or None.
        untransferred: Plans of the controls of time transfer by their baseline's name;
            untransferred_validation: their validation rows under that name.
        searched: Which evaluation items were looked for in the training text, or None.
        clean: Those that it has, by task; None where nothing says.
        order: The baselines in the order to show them; empty: that of `plans`.
        published: Rows of `PublishedScore`; published_models: what is known of their models.
        register: What `evals/models.yaml` says of a model, by its hub id.
        manifests: What the stations took, by station and name; no result.
        data_card: What the stages of the corpus wrote down, or None.
    """

    summaries: tuple[EvaluationSummary, ...]
    items: pd.DataFrame
    plans: Mapping[str, Plan]
    curves: pd.DataFrame
    validation: pd.DataFrame
    sweep: pd.DataFrame
    fit: TimeFit | None
    corpus: CorpusManifest | None
    published: pd.DataFrame
    published_models: PublishedModels = field(default_factory=PublishedModels)
    register: Mapping[str, Registered] = field(default_factory=dict)
    searched: DecontaminationReport | None = None
    clean: CleanSubset | None = None
    order: tuple[str, ...] = ()
    points: pd.DataFrame = field(default_factory=lambda: read_points((), {}, ()))
    seed_groups: Mapping[str, str] = field(default_factory=dict)
    untransferred: Mapping[str, Plan] = field(default_factory=dict)
    untransferred_validation: pd.DataFrame = field(default_factory=lambda: _curves(())[1])
    manifests: Manifests = field(default_factory=dict)
    data_card: DataCard | None = None


def load(inputs: ReportInputs) -> Sources:
    """Read and check all inputs.

    Raises:
        UserInputError: A file is malformed, an item is scored twice, or two evaluations disagree
            about what a model or task is.
    """
    summaries = tuple(
        EvaluationSummary.load(folder / "summary.json") for folder in inputs.evaluations
    )
    check_agreement(inputs.evaluations, summaries)
    files = [folder / "items.jsonl" for folder in inputs.evaluations]
    plans = [Plan.load(path) for path in inputs.plans]
    plans += [Plan.load(run / PLAN_FILE) for run in inputs.runs if (run / PLAN_FILE).is_file()]
    named: dict[str, Plan] = {}
    for plan in plans:
        named.setdefault(plan.name, plan)
    curves, validation = _curves(inputs.runs)
    fit = TimeFit.load(inputs.fit) if inputs.fit else None
    published, published_models = read_published(inputs.published)
    searched = DecontaminationReport.load(inputs.searched) if inputs.searched else None
    clean = searched.clean_subset() if searched else None
    return Sources(
        summaries=summaries,
        items=read_items(list(zip(files, summaries, strict=True))),
        plans=named,
        points=read_points(inputs.points, named, summaries),
        seed_groups=seed_groups(named),
        curves=curves,
        validation=validation,
        sweep=_sweep(fit, inputs.sweep),
        fit=fit,
        corpus=CorpusManifest.load(inputs.corpus) if inputs.corpus else None,
        published=published,
        published_models=published_models,
        register=read_register(inputs.register),
        searched=searched,
        clean=CleanSubset.load(inputs.clean) if inputs.clean else clean,
        untransferred={
            _baseline_of(run): Plan.load(run / PLAN_FILE)
            for run in inputs.untransferred
            if (run / PLAN_FILE).is_file()
        },
        untransferred_validation=_curves(inputs.untransferred, _baseline_of)[1],
        manifests=read_manifests(
            inputs.manifests,
            [*named, *(run.parent.name for run in inputs.untransferred)],
            [summary.suite for summary in summaries],
        ),
        data_card=DataCard.load(inputs.data_card) if inputs.data_card else None,
    )


def _baseline_of(run: Path) -> str:
    return run.parent.name.removesuffix(UNTRANSFERRED)


def _planned_name(run: Path) -> str:
    plan = run / PLAN_FILE
    return Plan.load(plan).name if plan.is_file() else run.parent.name


def _curves(
    runs: Iterable[Path], name_of: Callable[[Path], str] = _planned_name
) -> tuple[pd.DataFrame, pd.DataFrame]:
    training: list[dict[str, Any]] = []
    validation: list[dict[str, Any]] = []
    for run in runs:
        path, name = run / CURVE_FILE, name_of(run)
        for number, row in enumerate(read_jsonl(path), start=1):
            where = f"{path}:{number}"
            if not isinstance(row, dict):
                raise UserInputError(where, "no row of a curve", _REBUILD)
            at = {key: _number(row, key, where) for key in ("step", "tokens_seen")}
            if "loss_nats" in row:
                training.append(
                    {"model": name, **at, "loss_nats": _number(row, "loss_nats", where)}
                )
            measured = row.get("bits_per_byte", {})
            if not isinstance(measured, dict):
                raise UserInputError(where, f"`bits_per_byte` = {measured!r} is no table", _REBUILD)
            for tag in sorted(measured):
                bits = _number(measured, tag, where)
                validation.append({"model": name, "language": tag, **at, "bits_per_byte": bits})
    return (
        pd.DataFrame(training, columns=["model", "step", "tokens_seen", "loss_nats"]),
        pd.DataFrame(
            validation, columns=["model", "language", "step", "tokens_seen", "bits_per_byte"]
        ),
    )


def _sweep(fit: TimeFit | None, path: Path | None) -> pd.DataFrame:
    """Return the sweep's runs, from the fit that was made of them or from the run table."""
    if fit is not None:
        return pd.DataFrame([run.model_dump() for run in fit.runs], columns=_POINT_COLUMNS)
    if path is None:
        return pd.DataFrame(columns=_POINT_COLUMNS)
    try:
        table = pd.read_parquet(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise UserInputError(str(path), f"unreadable ({error})", "Run the sweep again") from None
    missing = sorted(set(RUN_TABLE_COLUMNS) - set(table.columns))
    if missing:
        raise UserInputError(str(path), f"no column `{missing[0]}`", "Run the sweep again")
    return table.assign(in_fit=False)[_POINT_COLUMNS]


def _number(row: Mapping[str, Any], key: str, where: str) -> float:
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserInputError(where, f"`{key}` = {value!r} is no number", _REBUILD)
    return value
