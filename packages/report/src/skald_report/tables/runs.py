"""What the baselines were asked to be, what they were trained on, and how training went."""

from __future__ import annotations

from typing import Any

import pandas as pd
from skald_specs.plan import Plan

from skald_report.reading.inputs import Sources
from skald_report.tables.cells import page_names, short_name
from skald_report.tables.table import Table


def plans(sources: Sources) -> Table:
    """Return what each baseline was asked to be."""
    rows = [_plan(name, plan) for name, plan in sources.plans.items()]
    units = dict.fromkeys(("d_model", "n_layers", "vocab_size", "seq_len"), "count") | {
        "n_params_total": "parameters",
        "horizon_tokens": "count",
        "global_batch_tokens": "count",
        "n_steps": "count",
    }
    return Table("plans", ("model",), units, pd.DataFrame(rows))


def _plan(name: str, plan: Plan) -> dict[str, Any]:
    identity = plan.identity
    return {
        "model": name,
        "d_model": identity.model.d_model,
        "n_layers": identity.model.n_layers,
        "vocab_size": identity.model.vocab_size,
        "seq_len": identity.model.seq_len,
        "n_params_total": identity.n_params_total.value,
        "horizon_tokens": identity.horizon_tokens.value,
        "global_batch_tokens": identity.global_batch_tokens.value,
        "n_steps": identity.schedule.n_steps.value,
        "plan_fingerprint": plan.fingerprint,
        "corpus_fingerprint": identity.data.corpus_fingerprint,
    }


def training(sources: Sources) -> Table:
    """Return the training loss in nats per token."""
    units = {"tokens_seen": "count", "loss_nats": "nats/token"}
    return Table("training", ("model", "step"), units, sources.curves)


def validation(sources: Sources) -> Table:
    """Return validation bits per byte over training."""
    units = {"tokens_seen": "count", "bits_per_byte": "bits/byte"}
    return Table("validation", ("model", "language", "step"), units, sources.validation)


def curves(sources: Sources) -> Table:
    """Return the tasks' scores over training, under the names that the page uses."""
    columns = ["model", "suite", "task", "language", "step", "tokens", "score", "standard_error",
               "kind", "higher_is_better"]  # fmt: skip
    named = page_names(sources)
    frame = sources.points.copy()
    frame["task"] = [
        named.get((suite, task)) or short_name(task, suite, language)
        for suite, task, language in zip(
            frame["suite"], frame["task"], frame["language"], strict=True
        )
    ]
    frame = (
        frame.groupby(["model", "suite", "task", "language", "step"], as_index=False)
        .agg({"tokens": "first", "score": "mean", "standard_error": "mean", "kind": "first",
              "higher_is_better": "first"})
        .reindex(columns=columns)
    )  # fmt: skip
    units = {"tokens": "count", "score": "by kind"}
    return Table("curves", ("model", "suite", "task", "language", "step"), units, frame)
