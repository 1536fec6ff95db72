"""Two simulated cycles whose records differ in stated ways, and the reports made of them."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from skald_report.build import build
from skald_report.reading.inputs import ReportInputs
from skald_specs.files import read_json, read_jsonl, write_json, write_jsonl
from support_report import BASELINES, write_inputs

EVALUATION = Path("artifacts/eval/core")


def first_cycle(root: Path, n_items: int = 40, **more: Any) -> Path:
    """Write inputs and their report (`root/report`); return the folder."""
    inputs = write_inputs(root, languages=("da", "sv"), n_items=n_items, **more)
    # No comparison speaks of the sweep, and its figures take a third of a small report's time.
    (root / "artifacts" / "plan" / "fit.json").unlink()
    build(dataclasses.replace(inputs, published=None, fit=None), root / "report")
    return root


def next_cycle(
    old: Path,
    root: Path,
    change_item: Callable[[dict[str, Any]], dict[str, Any] | None] = lambda row: row,
    change_summary: Callable[[dict[str, Any]], None] = lambda summary: None,
    names: Iterable[str] = BASELINES,
) -> Path:
    """Write another cycle's inputs from those of `old`, with changed records, and its report.

    Args:
        old: Folder of the first.
        root: Folder of the next.
        change_item: Returns an item's new record, or None to leave it out.
        change_summary: Changes `summary.json` in place.
        names: The baselines.
    """
    shutil.copytree(old / "artifacts", root / "artifacts")
    rows = map(change_item, read_jsonl(old / EVALUATION / "items.jsonl"))
    write_jsonl(root / EVALUATION / "items.jsonl", [row for row in rows if row is not None])
    summary = read_json(root / EVALUATION / "summary.json")
    change_summary(summary)
    write_json(root / EVALUATION / "summary.json", summary)
    build(ReportInputs.from_folders(root / "artifacts", names, ["core"], None), root / "report")
    return root


def retrained(model: str) -> Callable[[dict[str, Any]], None]:
    """Return a change of a summary that gives a model other weights."""

    def change(summary: dict[str, Any]) -> None:
        for row in summary["models"]:
            if row["name"] == model:
                row["weights_sha256"] = "f" * 64

    return change
