"""Models measured here among European ones: gaps on the same items, and beside what others published.

A gap is to the best European model of other makers of the same size class that was measured here. What
others published of a measured model is put beside it in columns of its own, since another protocol made it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr
from skald_specs.loss_law import GapCost, tokens_to_close

from skald_report.landscape.gaps import LEVEL, NEVER
from skald_report.landscape.protocol import TASK_KINDS
from skald_report.landscape.scores import NORMAL_95
from skald_report.reading.inputs import Sources
from skald_report.statistics.families import holm
from skald_report.tables.measures import TASKS, TEXT
from skald_report.tables.table import MACRO, Table

#: Why a gap measured here has no price in tokens.
NO_GAP = "no gap beyond noise"
NO_LAW = "no fitted loss law"
NOT_TEXT = "the law is one of loss, not of tasks"
_GAP_COLUMNS = ["measure", "scope", "model", "size_class", "score", "best", "best_score", "n_rivals", "gap",
                "low", "high", "p_holm", "n_family", "verdict", "tokens", "tokens_low", "tokens_high",
                "why_no_tokens"]  # fmt: skip
_KINDS = {kind: kind.replace("-", "_") for kind in TASK_KINDS}


def measured_gaps(tables: Mapping[str, Table], sources: Sources) -> Table:
    """Return each baseline's distance to the best measured European model of its class.

    For tasks (chance-corrected) and text (bits per byte), in every language and as the mean: positive
    where the baseline is behind. Of a language the interval is that of two independent means and `p_holm`
    counts all languages and rivals; of the mean both are the paired ones of `pairwise`.

    Args:
        tables: `models`, `overall` and `pairwise`, where there are any.
        sources: The register says who is European; plans and the fit price a gap in loss.
    """
    rows: list[dict[str, Any]] = []
    if {"models", "overall", "pairwise"} <= set(tables):
        models = tables["models"].frame
        european = {name for name, entry in sources.register.items() if entry.eu}
        external = models[(models["role"] == "external") & models["hub_id"].isin(european)]
        for own in models[models["role"] == "baseline"].to_dict("records"):
            rivals = set(external.loc[external["size_class"] == own["size_class"], "model"])
            if own["size_class"] and rivals:
                rows += _of_model(own, rivals, tables, sources)
    frame = pd.DataFrame(rows, columns=_GAP_COLUMNS)
    units = dict.fromkeys(("score", "best_score", "gap", "low", "high"), "by measure")
    units |= {"p_holm": "p", "n_rivals": "count", "n_family": "count"}
    units |= dict.fromkeys(("tokens", "tokens_low", "tokens_high"), "tokens by a law")
    return Table("measured_gaps", ("measure", "scope", "model"), units, frame)


def published_beside(tables: Mapping[str, Table], sources: Sources) -> Table:
    """Return what was measured here and what others published of the same model, by language.

    Args:
        tables: `models`, `overall` and `published`, where there are any.
        sources: The evaluations, which know a model's id on the hub.
    """
    names = [f"{measure}{end}" for measure in (TASKS, TEXT) for end in ("", "_low", "_high")]
    columns = ["model", "language", "hub_id", *names, *_KINDS.values(), "source_date"]
    rows: list[dict[str, Any]] = []
    if {"models", "overall", "published"} <= set(tables):
        published = tables["published"].frame
        published = published[published["shown"]]
        base = published["model"].str.partition("#")[0]
        overall = tables["overall"].frame
        for model, hub_id in tables["models"].frame[["model", "hub_id"]].itertuples(index=False):
            theirs = published[(base == hub_id) & (hub_id != "")]
            ours = overall[(overall["model"] == model) & (overall["scope_kind"] == "language")]
            # A board's tasks in a macro language have no measured language beside them.
            for tag in dict.fromkeys(ours["scope"]):
                rows += _beside(model, hub_id, tag, ours, theirs[theirs["language"] == tag])
    frame = pd.DataFrame(rows, columns=columns)
    units = dict.fromkeys(_KINDS.values(), "points") | {
        name: "accuracy" if name.startswith(TASKS) else "bits/byte" for name in names
    }
    return Table("published_beside", ("model", "language"), units, frame)


def _beside(
    model: str, hub_id: str, tag: str, ours: pd.DataFrame, theirs: pd.DataFrame
) -> Iterator[dict[str, Any]]:
    if theirs.empty:
        return
    row: dict[str, Any] = {"model": model, "language": tag, "hub_id": hub_id}
    for found in ours[ours["scope"] == tag].to_dict("records"):
        for end, column in (("", "score"), ("_low", "low"), ("_high", "high")):
            row[f"{found['measure']}{end}"] = found[column]
    for kind, score in theirs.drop_duplicates("task_kind").set_index("task_kind")["score"].items():
        row[_KINDS[str(kind)]] = score
    yield row | {"source_date": "; ".join(sorted(set(theirs["source_date"])))}


def _of_model(
    own: Mapping[Any, Any], rivals: set[str], tables: Mapping[str, Table], sources: Sources
) -> Iterator[dict[str, Any]]:
    overall = tables["overall"].frame
    for measure, told in overall.groupby("measure", sort=False):
        sign = -1.0 if measure == TEXT else 1.0
        told = told[told["scope_kind"] == "language"]
        mine = told[told["model"] == own["model"]]
        pairs = mine.merge(told[told["model"].isin(rivals)], on="scope", suffixes=("", "_rival"))
        gap = sign * (pairs["score_rival"] - pairs["score"])
        widths = np.hypot(pairs["high"] - pairs["low"], pairs["high_rival"] - pairs["low_rival"])
        pairs = pairs.assign(gap=gap, half=widths / 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(pairs["half"] > 0, NORMAL_95 * np.abs(gap) / pairs["half"], np.inf)
        pairs["p_holm"] = holm(np.where(gap == 0, 1.0, 2 * ndtr(-z)))
        for scope, found in pairs.groupby("scope", sort=False):
            best: Any = found.nlargest(1, "gap").to_dict("records")[0]
            yield _gap(own, str(measure), {
                "scope": scope, "score": best["score"], "best": best["model_rival"],
                "best_score": best["score_rival"], "n_rivals": len(found), "gap": best["gap"],
                "low": best["gap"] - best["half"], "high": best["gap"] + best["half"],
                "p_holm": best["p_holm"], "n_family": len(pairs),
            }, sources)  # fmt: skip
        mean = _mean(own, str(measure), sign, rivals, tables)
        if mean is not None:
            yield _gap(own, str(measure), mean, sources)


def _mean(
    own: Mapping[Any, Any],
    measure: str,
    sign: float,
    rivals: set[str],
    tables: Mapping[str, Table],
) -> dict[str, Any] | None:
    """Return the gap of the means over languages, paired on the same items."""
    pairs = tables["pairwise"].frame
    pairs = pairs[pairs["measure"] == measure]
    told = tables["overall"].frame
    scores = told[(told["measure"] == measure) & (told["scope"] == MACRO)]
    level = dict(zip(scores["model"], scores["score"], strict=True))
    found: list[dict[str, Any]] = []
    for row in pairs.to_dict("records"):
        turned = row["reference"] == own["model"]
        rival = row["model"] if turned else row["reference"]
        if own["model"] not in (row["model"], row["reference"]) or rival not in rivals:
            continue
        # `difference` is the first model less the second; a gap is the rival's lead.
        to_gap = sign * (1.0 if turned else -1.0)
        ends = sorted((to_gap * row["low"], to_gap * row["high"]))
        found.append({
            "scope": MACRO, "score": level.get(own["model"], math.nan), "best": rival,
            "best_score": level.get(rival, math.nan), "n_rivals": len(rivals),
            "gap": to_gap * row["difference"], "low": ends[0], "high": ends[1],
            "p_holm": row["p_holm"], "n_family": len(pairs),
        })  # fmt: skip
    return max(found, key=lambda row: float(row["gap"])) if found else None


def _gap(
    own: Mapping[Any, Any], measure: str, row: dict[str, Any], sources: Sources
) -> dict[str, Any]:
    beyond = row["p_holm"] < LEVEL
    verdict = ("behind" if row["gap"] > 0 else "ahead") if beyond else "tie"
    told = row | {"measure": measure, "model": own["model"], "size_class": own["size_class"]}
    cost, why = _price(str(own["model"]), measure, verdict, row, sources)
    tokens = {} if cost is None else {
        "tokens": cost.tokens, "tokens_low": cost.at_least, "tokens_high": cost.at_most,
    }  # fmt: skip
    return told | {"verdict": verdict, "why_no_tokens": why} | tokens


def _price(
    model: str, measure: str, verdict: str, row: Mapping[str, Any], sources: Sources
) -> tuple[GapCost | None, str]:
    if verdict != "behind":
        return None, NO_GAP
    if measure != TEXT:
        return None, NOT_TEXT
    law = sources.fit.loss_law if sources.fit is not None else None
    plan = sources.plans.get(model)
    if law is None or plan is None or not law.horizon_scale or not row["score"] > 0:
        return None, NO_LAW
    identity = plan.identity
    cost = tokens_to_close(
        law,
        identity.n_params_non_embedding.value,
        identity.horizon_tokens.value,
        row["gap"] / row["score"],
    )
    return cost, NEVER if cost.tokens is None else ""
