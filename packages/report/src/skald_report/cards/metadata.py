"""The metadata block of a model card: languages, library, and every score with its interval.

`huggingface_hub` builds and writes the block, so that it reads it, too. The model index has no field for an
interval: it stands in the metric's name for people and in its `args` for programs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from huggingface_hub.repocard_data import EvalResult, ModelCardData
from skald_specs.languages import BY_TAG
from skald_specs.modelcard import LIBRARY, PIPELINE_TAG, TAGS, card_languages

from skald_report.tables.cells import AGAINST_CHANCE
from skald_report.tables.table import MACRO, Table

#: Names of metrics that the Hub knows.
_METRICS = {"acc": "accuracy"}
#: Six digits: finer than any interval, the same on every machine.
_DIGITS = 6
#: What the intervals cover.
CONFIDENCE = 0.95


def metadata(
    name: str,
    languages: Sequence[str],
    scores: pd.DataFrame,
    tasks: Table | None,
    licence: str | None,
) -> str:
    """Return the YAML of a card, without its `---` lines.

    Args:
        name: The model.
        languages: Of its training text.
        scores: Its rows of the scores that the card shows.
        tasks: The evaluated tasks, for metrics and the items' hashes.
        licence: SPDX id of the text, where all of it stands under one; None: not known, and none is named.
    """
    facts = _facts(tasks)
    results = [_result(row, facts) for row in scores.to_dict("records")]
    data = ModelCardData(
        language=card_languages(languages),
        license=licence,
        library_name=LIBRARY,
        pipeline_tag=PIPELINE_TAG,
        tags=[*TAGS, *(["code"] if "code" in languages else [])],
        metrics=sorted({result.metric_type for result in results}) or None,
        model_name=name,
        eval_results=results or None,
    )
    if not results:
        data.pop("model_name")
    text: str = data.to_yaml()
    return text


def shown(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the scores that a card shows: all languages and their mean, of few items the mean alone."""
    return scores[~scores["kind"].isin(AGAINST_CHANCE) | (scores["language"] == MACRO)]


def _facts(tasks: Table | None) -> Mapping[tuple[str, str, str], tuple[str, str | None]]:
    """Return metric and items' hash by suite, label and language; several wordings have no one hash."""
    if tasks is None:
        return {}
    found: dict[tuple[str, str, str], tuple[str, str | None]] = {}
    for (suite, label, tag), rows in tasks.frame.groupby(
        ["suite", "label", "language"], sort=False
    ):
        hashes = set(rows["data_sha256"])
        metric = str(rows["metric"].iloc[0])
        found[str(suite), str(label), str(tag)] = (metric, hashes.pop() if len(hashes) == 1 else None)  # fmt: skip
        found.setdefault((str(suite), str(label), MACRO), (metric, None))
    return found


def _result(row: Mapping[Any, Any], facts: Mapping[tuple[str, str, str], tuple[str, str | None]]) -> EvalResult:  # fmt: skip
    metric, revision = facts.get((row["suite"], row["label"], row["language"]), ("acc", None))
    if row["kind"] == "text":
        metric = "bits_per_byte"
    kind = _METRICS.get(metric, metric)
    low, high = row["low"], row["high"]
    bounded = not (math.isnan(low) or math.isnan(high))
    interval = f"95 % interval {low:.4f} to {high:.4f}" if bounded else "no interval"
    details: dict[str, Any] = {"n_items": int(row["n_items"]), "n_clusters": int(row["n_keys"])}
    if bounded:
        details |= {"confidence": CONFIDENCE, "low": _rounded(low), "high": _rounded(high),
                    "interval_method": str(row["method"])}  # fmt: skip
    if not math.isnan(row["chance"]):
        details["chance"] = _rounded(row["chance"])
    if row["language"] == MACRO:
        details["mean_over"] = str(row["languages"]).split()
    return EvalResult(
        task_type=PIPELINE_TAG,
        task_name=str(row["label"]),
        dataset_type=f"{row['suite']}/{row['task']}",
        dataset_name=f"{row['label']}, {_named(str(row['language']))} (suite {row['suite']})",
        dataset_config=str(row["language"]),
        dataset_revision=revision,
        metric_type=kind,
        metric_value=_rounded(row["score"]),
        metric_name=f"{kind.replace('_', ' ')} ({interval}, n = {details['n_items']})",
        metric_args=details,
    )


def _named(tag: str) -> str:
    if tag == MACRO:
        return "mean over languages"
    return BY_TAG[tag].english if tag in BY_TAG else tag


def _rounded(value: float) -> float:
    return round(float(value), _DIGITS)
