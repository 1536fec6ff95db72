"""The anchors against everyone, task by task and language by language."""

from __future__ import annotations

import numpy as np
import pandas as pd

from skald_report.statistics.comparison import verdicts
from skald_report.statistics.families import benjamini_hochberg
from skald_report.tables.cells import CELL
from skald_report.tables.pairs import NO_TEST, SEEDS, Pairs, higher_is_better
from skald_report.tables.table import Table

_COLUMNS = [*CELL, "model", "reference", "kind", "label", "difference", "low", "high", "p",
            "p_holm", "p_bh", "mde", "test", "n_items", "n_keys", "verdict"]  # fmt: skip
_UNITS = {"difference": "by kind", "low": "by kind", "high": "by kind", "p": "p", "p_holm": "p",
          "p_bh": "p", "n_items": "count", "n_keys": "count"}  # fmt: skip


def differences(pairs: Pairs) -> Table:
    """Compare each anchor with everyone else, on the items both answered.

    A pair of models is one family: the corrections run over its languages and tasks.

    Args:
        pairs: All pairs.

    Returns:
        A row for each pair, task and language; `mde` is the smallest true difference that would have
        been found with 80 % power at the strictest step of the pair's correction. The verdict of two seeds
        of one baseline is `SEEDS`.
    """
    n = pairs.n_anchored
    explored = benjamini_hochberg(pairs.p[:, :n]) if pairs.p[:, :n].size else pairs.p[:, :n]
    parts = []
    for number, (panel, found) in enumerate(zip(pairs.panels, pairs.anchored, strict=True)):
        shared = np.flatnonzero(found.n_items > 0)
        corrected = pairs.p_holm[number, shared]
        names = [pairs.names[at] for at in shared]
        part = pd.DataFrame(
            {
                "pair": shared,
                "suite": panel.task.suite,
                "task": panel.task.name,
                "language": panel.language,
                "model": [model for model, _ in names],
                "reference": [reference for _, reference in names],
                "kind": panel.task.kind,
                "label": panel.task.label,
                "difference": found.difference[shared],
                "low": found.low[shared],
                "high": found.high[shared],
                "p": found.p[shared],
                "p_holm": corrected,
                "p_bh": explored[number, shared],
                "mde": pairs.detectable[number, shared],
                "test": np.where(np.isnan(found.p[shared]), NO_TEST, found.test[shared]),
                "n_items": found.n_items[shared],
                "n_keys": found.n_keys[shared],
                "verdict": np.where(
                    pairs.seeds[shared],
                    SEEDS,
                    verdicts(found.difference[shared], corrected, higher_is_better(panel)),
                ),
            }
        )
        parts.append(part)
    frame = pd.concat(parts).sort_values("pair", kind="stable") if parts else pd.DataFrame()
    return Table(
        "differences",
        (*CELL, "model", "reference"),
        _UNITS,
        frame.reindex(columns=_COLUMNS).reset_index(drop=True),
    )
