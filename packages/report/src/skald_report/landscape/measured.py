"""Models measured here among European ones: gaps on the same items, and beside what others published.

A gap is to the best European model of other makers of the same size class that was measured here. What
others published of a measured model is put beside it in columns of its own, since another protocol made it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri
from skald_specs.loss_law import GapCost, tokens_to_close

from skald_report.landscape.gaps import NEVER, verdict
from skald_report.landscape.protocol import TASK_KINDS
from skald_report.reading.inputs import Sources
from skald_report.statistics.comparison import LEVEL
from skald_report.statistics.spread import NORMAL_95, t_quantile
from skald_report.tables.measures import TASKS, TEXT
from skald_report.tables.table import MACRO, Table

#: Why a gap measured here has no price in tokens.
NO_GAP = "no gap beyond noise"
NO_INTERVAL = "no interval of the gap"
NO_LAW = "no fitted loss law"
NOT_TEXT = "the law is one of loss, not of tasks"
#: What a test of a gap tells.
_TESTED = ["gap", "low", "high", "interval_level", "p_corrected", "n_family"]
_GAP_COLUMNS = ["measure", "scope", "model", "size_class", "score", "best", "best_score", "n_rivals", *_TESTED,
                "verdict", "tokens", "tokens_low", "tokens_high", "why_no_tokens"]  # fmt: skip
_KINDS = {kind: kind.replace("-", "_") for kind in TASK_KINDS}


def measured_gaps(tables: Mapping[str, Table], sources: Sources) -> Table:
    """Return each baseline's distance to the best measured European model of its class.

    For tasks (chance-corrected) and text (bits per byte), in every language and as the mean: positive
    where the baseline is behind. Of a language the interval is that of two independent means; it stands at
    `interval_level`, 1 - 0.05 / n_family, and `p_corrected` is Bonferroni's, over all `n_family` languages
    and rivals that have an interval. Of the mean the test is the paired one of `pairwise`: p is the larger
    of Holm's over all pairs and Bonferroni's over the `n_rivals` that have a mean, the interval stands at
    1 - 0.05 / n_rivals, and it reaches zero where p tells no difference. Without an interval there is no p
    and no verdict. A model of one language has no mean.

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
    units |= {"p_corrected": "p", "n_rivals": "count", "n_family": "count"}
    units |= {"interval_level": "share"}
    units |= dict.fromkeys(("tokens", "tokens_low", "tokens_high"), "tokens by a law")
    return Table("measured_gaps", ("measure", "scope", "model"), units, frame)


def published_beside(tables: Mapping[str, Table]) -> Table:
    """Return what was measured here and what others published of the same model, by language.

    Args:
        tables: `models`, `overall` and `published`, where there are any.
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
        pairs = _in_languages(pairs, sign)
        for scope, found in pairs.groupby("scope", sort=False):
            best: Any = found.nlargest(1, "gap").to_dict("records")[0]
            yield _gap(own, str(measure), {
                "scope": scope, "score": best["score"], "best": best["model_rival"],
                "best_score": best["score_rival"], "n_rivals": len(found),
                **{name: best[name] for name in _TESTED},
            }, sources)  # fmt: skip
        mean = _mean(own, str(measure), sign, rivals, tables)
        if mean is not None:
            yield _gap(own, str(measure), mean, sources)


def _in_languages(pairs: pd.DataFrame, sign: float) -> pd.DataFrame:
    """Return the gaps of independent means, corrected for all that have an interval; others have no p."""
    gap = sign * (pairs["score_rival"] - pairs["score"])
    widths = np.hypot(pairs["high"] - pairs["low"], pairs["high_rival"] - pairs["low_rival"])
    half = pd.Series(widths / 2, pairs.index)
    n_family = int((gap.notna() & half.notna()).sum())
    level = 1 - LEVEL / max(n_family, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(half == 0, np.inf, NORMAL_95 * np.abs(gap) / half)
    p = np.where((gap == 0) & half.notna(), 1.0, 2 * ndtr(-z))
    wide = half * ndtri((1 + level) / 2) / NORMAL_95
    return pairs.assign(
        gap=gap,
        low=gap - wide,
        high=gap + wide,
        interval_level=level,
        p_corrected=np.minimum(1.0, p * n_family),
        n_family=n_family,
    )


def _mean(
    own: Mapping[Any, Any],
    measure: str,
    sign: float,
    rivals: set[str],
    tables: Mapping[str, Table],
) -> dict[str, Any] | None:
    """Return the gap to the rival of the best mean over languages, paired on the same items.

    Only models with that mean are rivals in it: over other cells a difference is another question's.
    """
    told = tables["overall"].frame
    scores = told[(told["measure"] == measure) & (told["scope"] == MACRO) & told["score"].notna()]
    level = dict(zip(scores["model"], scores["score"], strict=True))
    named = sorted(rivals & set(level))
    if own["model"] not in level or not named:
        return None
    rival = max(named, key=lambda name: sign * level[name])
    pairs = tables["pairwise"].frame
    pairs = pairs[pairs["measure"] == measure]
    found: list[Any] = pairs[
        (pairs["model"].eq(own["model"]) & pairs["reference"].eq(rival))
        | (pairs["model"].eq(rival) & pairs["reference"].eq(own["model"]))
    ].to_dict("records")
    if not found:
        return None
    (row,) = found
    # `difference` is the first model less the second; a gap is the rival's lead.
    gap = sign * (row["difference"] if row["model"] == rival else -row["difference"])
    # Holm's correction is the one that the table of pairs tells, Bonferroni's that of the interval.
    p = float(np.maximum(row["p_holm"], np.minimum(1.0, len(named) * row["p"])))
    coverage = 1 - LEVEL / len(named)
    half = (row["high"] - row["low"]) / 2
    half *= float(t_quantile(row["df"], (1 - coverage) / 2) / t_quantile(row["df"]))
    low, high = gap - half, gap + half
    if p >= LEVEL:
        low, high = min(low, 0.0), max(high, 0.0)
    return {
        "scope": MACRO, "score": level[own["model"]], "best": rival, "best_score": level[rival],
        "n_rivals": len(named), "gap": gap, "low": low, "high": high, "interval_level": coverage,
        "p_corrected": p, "n_family": int(pairs["p_holm"].notna().sum()),
    }  # fmt: skip


def _gap(
    own: Mapping[Any, Any], measure: str, row: dict[str, Any], sources: Sources
) -> dict[str, Any]:
    side = verdict(row["gap"], row["p_corrected"])
    told = row | {"measure": measure, "model": own["model"], "size_class": own["size_class"]}
    cost, why = _price(str(own["model"]), measure, side, row, sources)
    tokens = {} if cost is None else {
        "tokens": cost.tokens, "tokens_low": cost.at_least, "tokens_high": cost.at_most,
    }  # fmt: skip
    return told | {"verdict": side, "why_no_tokens": why} | tokens


def _price(
    model: str, measure: str, side: str, row: Mapping[str, Any], sources: Sources
) -> tuple[GapCost | None, str]:
    if side != "behind":
        return None, NO_GAP if side else NO_INTERVAL
    if measure != TEXT:
        return None, NOT_TEXT
    law = sources.fit.loss_law if sources.fit is not None else None
    plan = sources.plans.get(model)
    if law is None or plan is None or not law.horizon_scale:
        return None, NO_LAW
    identity = plan.identity
    cost = tokens_to_close(
        law,
        identity.n_params_non_embedding.value,
        identity.horizon_tokens.value,
        row["gap"] / row["score"],
    )
    return cost, NEVER if cost.tokens is None else ""
