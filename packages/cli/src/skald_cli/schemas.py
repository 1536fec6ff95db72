"""The formats between stations as JSON Schema: `python -m skald_cli.schemas docs/schemas`.

Generated, never written by hand; a test compares the committed files with the models.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from skald_specs.ablation import Ablation, AblationItem, AblationRun
from skald_specs.checkpoint import CheckpointManifest, CheckpointState
from skald_specs.columns import ColumnMap
from skald_specs.contamination import Contamination
from skald_specs.corpus import CorpusManifest, Document
from skald_specs.curves import ScorePoint, SignalReport
from skald_specs.datacard import DataCard
from skald_specs.decontamination import CleanSubset, DecontaminationReport, ReferenceItem
from skald_specs.files import write_json
from skald_specs.funnel import Funnel
from skald_specs.items import ClozeItem, PairItem, TextItem
from skald_specs.manifest import RunManifest
from skald_specs.mixture import Mixture
from skald_specs.models import Spec
from skald_specs.params import Params
from skald_specs.plan import Plan
from skald_specs.published import PublishedScore
from skald_specs.recipe import Recipe
from skald_specs.records import EvaluationSummary, ItemRecord, RequestRecord
from skald_specs.runtable import CurvePoint, FinishedRun, RunRow
from skald_specs.site import Site
from skald_specs.slurm import SlurmSettings
from skald_specs.sources import SourcesFile
from skald_specs.timefit import TimeFit

#: Every format that passes between stations or is written by a user.
FORMATS: tuple[type[Spec], ...] = (
    Recipe, Params, Document, PairItem, ClozeItem, TextItem, CorpusManifest, RunRow, FinishedRun, CurvePoint, Plan,
    CheckpointManifest, CheckpointState, RequestRecord, ItemRecord, EvaluationSummary, ScorePoint, SignalReport,
    PublishedScore, RunManifest, ReferenceItem, DecontaminationReport, CleanSubset, Contamination, Mixture,
    SourcesFile, Funnel, DataCard,
    Ablation, AblationItem, AblationRun,
    SlurmSettings, Site, ColumnMap, TimeFit,
)  # fmt: skip


def schemas() -> dict[str, dict[str, Any]]:
    """Return every format's JSON Schema by file name."""
    return {
        f"{_file_stem(spec.__name__)}.schema.json": spec.model_json_schema() for spec in FORMATS
    }


def _file_stem(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


def main(folder: Path) -> None:
    """Write every schema into a folder."""
    for name, schema in schemas().items():
        write_json(folder / name, schema)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
