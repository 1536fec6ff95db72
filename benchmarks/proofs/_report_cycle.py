"""Records that the parts of `prove -- report` are made on: those of the last cycle, else simulated ones."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from skald_report.build import build
from skald_report.figures.style import Drawing
from skald_report.page import html
from skald_report.page.blocks import Gallery
from skald_report.reading.inputs import ReportInputs
from skald_specs.files import read_json, read_jsonl, write_json, write_jsonl
from skald_specs.params import Params

support_report: Any = importlib.import_module("support_report")

SUITE = "core"
PUBLISHED, EVIDENCE, PARAMS = Path("evals/published"), Path("reports/evidence"), Path("params.yaml")


class Cycle(NamedTuple):
    """Where the records lie, the baselines' names, what they are, and the report that was made of them.

    `source` is `the last cycle` or `simulated`; `drawings` are the figures of the report.
    """

    artifacts: Path
    baselines: tuple[str, ...]
    source: str
    page: Path
    drawings: tuple[Drawing, ...] = ()

    @property
    def evaluation(self) -> Path:
        """The folder of its one evaluation."""
        return self.artifacts / "eval" / SUITE

    def inputs(self) -> ReportInputs:
        """Return the inputs of its report."""
        return ReportInputs.from_folders(
            self.artifacts, self.baselines, [SUITE], PUBLISHED, evidence=EVIDENCE
        )


def cycle(artifacts: Path, folder: Path) -> Cycle:
    """Return the last cycle where one has left its records, else simulated ones; build the report."""
    page = folder / "page"
    if (artifacts / "eval" / SUITE / "items.jsonl").is_file():
        made = Cycle(artifacts, tuple(Params.load(PARAMS).baselines), "the last cycle", page)
    else:
        support_report.write_inputs(folder)
        made = Cycle(folder / "artifacts", support_report.BASELINES, "simulated", page)
    with mock.patch.object(html, "render", wraps=html.render) as rendered:
        build(made.inputs(), page)
    (laid_out,) = rendered.call_args.args
    blocks = (block for section in laid_out.sections for block in section.blocks)
    galleries = (block for block in blocks if isinstance(block, Gallery))
    return made._replace(drawings=tuple(d for gallery in galleries for d in gallery.drawings))


def evaluation_of(
    folder: Path, out: Path, row_of: Callable[[dict[str, Any]], Iterable[dict[str, Any]]]
) -> dict[str, Any]:
    """Write an evaluation whose records are made from those of another; return its summary to change."""
    shutil.rmtree(out, ignore_errors=True)
    rows = read_jsonl(folder / "items.jsonl")
    write_jsonl(out / "items.jsonl", (made for row in rows for made in row_of(row)))
    summary: dict[str, Any] = read_json(folder / "summary.json")
    write_json(out / "summary.json", summary)
    return summary
