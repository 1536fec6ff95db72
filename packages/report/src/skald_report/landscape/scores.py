"""Published scores as tables: figures of others, kept apart from every measured one.

Knows the published protocol's units and its narrow intervals; refuses to mix, to rank over missing
cells and to average.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from skald_specs.languages import BY_TAG

from skald_report.reading.inputs import Sources
from skald_report.tables.table import Table

#: Replicates behind a published mean; sqrt of it turns its standard error into a sampling error.
REPLICATES = 10
_NORMAL_95 = 1.959963984540054
#: Task kinds in the order of the panels, and what a panel is headed.
TASK_KINDS = {
    "reading-comprehension": "reading",
    "sentiment-classification": "sentiment",
    "linguistic-acceptability": "ScaLA",
    "common-sense-reasoning": "common sense",
}
#: What a model's name holds when it is the model whose story this software retells.
HIGHLIGHT = "trustllm"


def landscape(sources: Sources) -> Table:
    """Return the published scores with the intervals the page draws.

    The published standard error is that of a mean of ten bootstrap replicates and shrinks with
    their number; times sqrt(10) it estimates the sampling error of one score. `floor` marks a
    score whose interval holds chance (0 of a Matthews correlation) or lies below it.

    Source: EuroEval's aggregation, mean +- 1.96 sd / sqrt(10) over ten bootstrapped test sets.
    """
    frame = sources.published.copy()
    half = _NORMAL_95 * math.sqrt(REPLICATES) * frame["stderr_of_mean"].astype(float)
    frame["low"], frame["high"] = frame["score"] - half, frame["score"] + half
    frame["floor"] = (frame["metric"] == "mcc") & (frame["low"].fillna(frame["score"]) <= 0)
    frame["task_kind"] = [_task_kind(task) for task in frame["task"]]
    frame["label"] = [sources.labels.get(m, m.rsplit("/", 1)[-1]) for m in frame["model"]]
    frame["highlight"] = frame["model"].str.lower().str.contains(HIGHLIGHT, regex=False)
    # A macro language is shown with its varieties: one panel for Norwegian.
    frame["page_language"] = [
        (BY_TAG[tag].macro or tag) if tag in BY_TAG else tag for tag in frame["language"]
    ]
    frame["column"] = [
        f"{TASK_KINDS.get(kind, kind)}{'' if tag == page else ' ' + tag}"
        for kind, tag, page in zip(
            frame["task_kind"], frame["language"], frame["page_language"], strict=True
        )
    ]
    units = {"score": "points", "low": "points", "high": "points", "stderr_of_mean": "points"}
    return Table("published", ("model", "language", "task"), units, frame)


def _task_kind(task: str) -> str:
    parts = task.split("/")
    return parts[1] if len(parts) > 2 else task


def columns_of(rows: pd.DataFrame) -> list[str]:
    """Return a language's columns in the order of the page, varieties in alphabetical order."""
    order = list(TASK_KINDS)
    pairs = {(kind, column) for kind, column in zip(rows["task_kind"], rows["column"], strict=True)}
    rank = {kind: number for number, kind in enumerate(order)}
    return [c for _, c in sorted(pairs, key=lambda p: (rank.get(p[0], len(order)), p[0], p[1]))]


def sorted_models(rows: pd.DataFrame) -> list[str]:
    """Return a language's models, best first in its first column; models without it come last.

    One column decides, because a mean over tasks would be one over missing cells.
    """
    first = columns_of(rows)[0]
    by = rows[rows["column"] == first].set_index("model")["score"]
    names = sorted(rows["model"].unique())
    return sorted(names, key=lambda m: (-float(by.get(m, -np.inf)), m))


def page_languages(rows: pd.DataFrame) -> list[str]:
    """Return the languages of the landscape in the order of the register."""
    present = set(rows["page_language"])
    known = [tag for tag in BY_TAG if tag in present]
    return known + sorted(present - set(known))
