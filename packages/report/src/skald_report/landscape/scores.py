"""Published scores as a table: figures of others, kept apart from every measured one.

Knows the published protocol's units and its narrow intervals; refuses to mix, to rank over missing
cells and to average.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from skald_specs.languages import BY_TAG
from skald_specs.sizes import size_class

from skald_report.landscape.protocol import SAMPLING, TASK_KINDS, task_kind
from skald_report.reading.inputs import Sources
from skald_report.statistics.spread import NORMAL_95
from skald_report.tables.table import Table

#: What a model's name holds when it is the model whose story this software retells.
HIGHLIGHT = "trustllm"


def landscape(sources: Sources) -> Table:
    """Return the published scores with the intervals the page draws.

    The published standard error is that of a mean of ten bootstrap replicates and shrinks with
    their number; times sqrt(10) it estimates the sampling error of one score, `standard_error`. `floor`
    marks a Matthews correlation whose interval holds chance (0) or lies below it. `size_b` is the
    register's, else the smallest that the rows of a model state. `shown`: of a kind that the page shows.

    Source: EuroEval's aggregation, mean +- 1.96 sd / sqrt(10) over ten bootstrapped test sets.
    """
    frame = sources.published.reset_index(drop=True)
    frame["eu"] = _european(frame, sources)
    frame["size_b"] = _sizes(frame, sources)
    frame["size_class"] = [size_class(1e9 * size) for size in frame["size_b"]]
    frame["standard_error"] = SAMPLING * frame["stderr_of_mean"].astype(float)
    half = frame["half_width"] = NORMAL_95 * frame["standard_error"]
    frame["low"], frame["high"] = frame["score"] - half, frame["score"] + half
    frame["floor"] = (frame["metric"] == "mcc") & (frame["low"].fillna(frame["score"]) <= 0)
    frame["task_kind"] = [task_kind(task) for task in frame["task"]]
    frame["shown"] = frame["task_kind"].isin(TASK_KINDS)
    labels = sources.published_models.labels
    frame["label"] = [labels.get(m, m.rsplit("/", 1)[-1]) for m in frame["model"]]
    frame["highlight"] = frame["model"].str.lower().str.contains(HIGHLIGHT, regex=False)
    # A macro language is shown with its varieties: one panel for Norwegian.
    frame["page_language"] = [
        (BY_TAG[tag].macro or tag) if tag in BY_TAG else tag for tag in frame["language"]
    ]
    frame["column"] = _columns(frame)
    points = ("score", "low", "high", "stderr_of_mean", "standard_error", "half_width")
    units = dict.fromkeys(points, "points") | {"size_b": "parameters"}
    return Table("published", ("model", "language", "task"), units, frame)


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


def leaders(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a readable panel: of each size class and column the best, and the highlighted.

    Base models alone, since few of the others are asked in the same way; a model without a known size
    is in no class.
    """
    base = rows[(rows["model_type"] == "base") & rows["eu"].eq(True)]
    classed = base[base["size_class"] != ""].sort_values(
        ["score", "model"], ascending=[False, True], kind="stable"
    )
    best = classed.drop_duplicates(["column", "size_class"])["model"]
    return base[base["model"].isin(set(best)) | base["highlight"]]


def page_languages(rows: pd.DataFrame) -> list[str]:
    """Return the languages of the landscape in the order of the register."""
    present = set(rows["page_language"])
    known = [tag for tag in BY_TAG if tag in present]
    return known + sorted(present - set(known))


def _columns(frame: pd.DataFrame) -> list[str]:
    """Return what heads a score's column: the kind, a variety, a data set where a kind has two."""
    counts = frame.groupby(["language", "task_kind"])["task"].nunique()
    return [
        TASK_KINDS.get(kind, kind)
        + ("" if tag == page else f" {tag}")
        + (f" {task.rsplit('/', 1)[-1]}" if counts[tag, kind] > 1 else "")
        for kind, tag, page, task in zip(
            frame["task_kind"],
            frame["language"],
            frame["page_language"],
            frame["task"],
            strict=True,
        )
    ]


def _european(frame: pd.DataFrame, sources: Sources) -> list[bool | None]:
    known = {name: entry.eu for name, entry in sources.register.items()}
    return [
        stated if stated is not None else known.get(model.partition("#")[0])
        for model, stated in zip(frame["model"], frame["eu"], strict=True)
    ]


def _sizes(frame: pd.DataFrame, sources: Sources) -> list[float]:
    stated = frame.assign(size=frame["params_b"].astype(float)).groupby("model")["size"].min()
    found = {}
    for model in frame["model"].unique():
        entry = sources.register.get(model.partition("#")[0])
        told = entry.params_b if entry is not None else None
        found[model] = float(stated[model]) if told is None else float(told)
    return [found[model] for model in frame["model"]]
