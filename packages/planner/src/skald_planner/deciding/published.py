"""What others have published about learning rate, batch and weight decay, as numbers with sources.

Knows each law, what it was measured on, and where its constants come from; refuses to mix them into a
recommendation. A law whose level does not carry over (another optimizer, an exponent alone) answers
only from an anchor: a swept optimum moved by its exponent.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from skald_specs.exponents import (
    BJORCK,
    BJORCK_HORIZON,
    JSC,
    JSC_BEST_BATCH_HORIZON,
    JSC_LR_BATCH,
    JSC_LR_HORIZON,
    STEPLAW,
    STEPLAW_BATCH_HORIZON,
    STEPLAW_LR_HORIZON,
    STEPLAW_LR_SIZE,
    Constant,
)
from skald_specs.outlook import PublishedSays
from skald_specs.plan import Plan

from skald_planner.plans.weight_decay import POWER_LINES, TAU_SCALE, best_tau, hidden_rule, tau_ema


class Range(NamedTuple):
    """What a law was fitted on: from, to."""

    low: float
    high: float

    def octaves_outside(self, value: float) -> float:
        """Return the doublings between a value and the range; 0 within it."""
        return max(0.0, math.log2(value / self.high), math.log2(self.low / value))


#: Sequences that Power Lines counts batches in, tokens.
POWER_LINES_SEQUENCE_TOKENS = 2048

# Recomputed from the 1,000 bootstrap rows of the authors' repository.
STEPLAW_LR = Constant(1.797, "confirmed")
STEPLAW_BATCH = Constant(0.5807, "confirmed")
STEPLAW_SIZES, STEPLAW_HORIZONS = Range(0.215e9, 1.07e9), Range(4e9, 100e9)

POWER_LINES_BEST_BATCH = Constant(0.0306, "assumed")
POWER_LINES_BEST_BATCH_HORIZON = Constant(0.383, "assumed")
POWER_LINES_CRITICAL_BATCH = Constant(0.0471, "assumed")
POWER_LINES_CRITICAL_BATCH_HORIZON = Constant(0.462, "assumed")


class Prior(NamedTuple):
    """What is believed of an exponent before a sweep is seen: normal, with its sources."""

    mean: float
    sd: float
    source: str


#: Standing of all of them: assumed. Means and spreads are chosen to cover the published values named.
PRIORS: dict[
    Literal[
        "horizon_exponent",
        "batch_exponent",
        "best_batch_exponent",
        "size_drift",
        "size_drift_without_rules",
    ],
    Prior,
] = {
    # log2 base_lr for each octave of horizon, batch and size fixed.
    "horizon_exponent": Prior(
        -0.3, 0.2, f"-0.32 ({BJORCK}), -0.56 ({JSC}), -0.32 (arXiv 2603.28743)"
    ),
    # log2 base_lr for each octave of batch, horizon and size fixed.
    "batch_exponent": Prior(
        0.5, 0.15, f"0.62 ({JSC}); square root, below the critical batch (arXiv 2405.14578)"
    ),
    # log2 of the best batch for each octave of horizon.
    "best_batch_exponent": Prior(
        0.45, 0.1, f"0.571 ({STEPLAW}), 0.45 ({JSC}), 0.383 ({POWER_LINES})"
    ),
    # log2 base_lr for each octave of non-embedding parameters, under rules that hold it still.
    "size_drift": Prior(
        0.0, 0.04, "measured: -0.25 octaves over six octaves of parameters (reports/evidence/mup)"
    ),
    # The same without rules: the standard parametrisation moves, others do not.
    "size_drift_without_rules": Prior(-0.35, 0.35, f"-0.71 ({STEPLAW}) to 0 (muP)"),
}


def steplaw_lr(n_params_non_embedding: float, horizon_tokens: float) -> float:
    """Return StepLaw's best peak learning rate, with the batch at its best too.

    Args:
        n_params_non_embedding: Parameters without embedding and output matrix.
        horizon_tokens: Length of training, tokens.

    Source: arXiv 2503.04715: dense models of 0.2 to 1.1e9 parameters, 4e9 to 1e11 tokens, standard
        parametrisation, AdamW, cosine to a fixed 1e-5.
    Standing: confirmed.
    """
    size, horizon = STEPLAW_LR_SIZE.value, STEPLAW_LR_HORIZON.value
    return float(STEPLAW_LR.value * n_params_non_embedding**size * horizon_tokens**horizon)


def steplaw_batch_tokens(horizon_tokens: float) -> float:
    """Return StepLaw's best batch in tokens; see `steplaw_lr`."""
    return float(STEPLAW_BATCH.value * horizon_tokens**STEPLAW_BATCH_HORIZON.value)


def power_lines_batch_tokens(horizon_tokens: float) -> float:
    """Return Power Lines' best batch in tokens.

    Source: arXiv 2505.13738.
    Standing: assumed (neither constant was checked against the paper).
    """
    sequences = POWER_LINES_BEST_BATCH.value * horizon_tokens**POWER_LINES_BEST_BATCH_HORIZON.value
    return float(sequences * POWER_LINES_SEQUENCE_TOKENS)


def power_lines_critical_tokens(horizon_tokens: float) -> float:
    """Return Power Lines' critical batch in tokens; see `power_lines_batch_tokens`."""
    sequences = (
        POWER_LINES_CRITICAL_BATCH.value * horizon_tokens**POWER_LINES_CRITICAL_BATCH_HORIZON.value
    )
    return float(sequences * POWER_LINES_SEQUENCE_TOKENS)


def bjorck_lr(lr: float, horizon_ratio: float) -> float:
    """Move a learning rate over the horizon as arXiv 2409.19913 does, the batch fixed.

    Args:
        lr: The optimum at the anchor.
        horizon_ratio: Horizon asked for over the anchor's.

    Standing: confirmed for the exponent; the law's own level is not used.
    """
    return float(lr * horizon_ratio**BJORCK_HORIZON.value)


def jsc_lr(lr: float, horizon_ratio: float, batch_ratio: float) -> float:
    """Move a learning rate over horizon and batch as arXiv 2510.03871 does.

    Args:
        lr: The optimum at the anchor.
        horizon_ratio: Horizon asked for over the anchor's.
        batch_ratio: Batch asked for over the anchor's.

    Standing: confirmed for the exponents; the level is another optimizer's (Scion).
    """
    moved = horizon_ratio**JSC_LR_HORIZON.value * batch_ratio**JSC_LR_BATCH.value
    return float(lr * moved)


def _jsc_batch_tokens(best_batch_tokens: float, horizon_ratio: float) -> float:
    """Move a best batch, in tokens, over the horizon as arXiv 2510.03871 does; see `jsc_lr`."""
    return float(best_batch_tokens * horizon_ratio**JSC_BEST_BATCH_HORIZON.value)


class Anchor(NamedTuple):
    """A swept optimum, for laws that are exponents only.

    `best_batch_tokens`: the batch the sweep found best at that horizon, None where it found none.
    """

    base_lr: float
    horizon_tokens: float
    global_batch_tokens: float
    best_batch_tokens: float | None = None


def panel(
    *,
    n_params_non_embedding: float,
    horizon_tokens: float,
    global_batch_tokens: float,
    base_lr: float,
    hidden_lr: float,
    hidden_weight_decay: float,
    one_lr: bool,
    anchor: Anchor | None = None,
) -> tuple[PublishedSays, ...]:
    """Set a plan beside the published laws.

    Args:
        n_params_non_embedding: Parameters of the planned model without embedding and output matrix.
        horizon_tokens: Length of training, tokens.
        global_batch_tokens: Tokens of an optimiser step.
        base_lr: Peak learning rate at the base shape.
        hidden_lr: Peak learning rate of the hidden matrices at the planned shape.
        hidden_weight_decay: Their weight decay as torch's AdamW reads it (a step decays by lr x it),
            whichever convention the recipe writes.
        one_lr: All tensors have one learning rate at this shape, as in the standard parametrisation.
        anchor: A swept optimum; without it the laws that are exponents only have no row.

    Returns:
        One row for each law that has an answer. Without weight decay there is no time scale to
        compare, and no row for it.
    """
    size, horizon, batch = n_params_non_embedding, horizon_tokens, global_batch_tokens
    rows = [
        *_steplaw(size, horizon, batch, hidden_lr, one_lr),
        *_power_lines(size, horizon, batch, hidden_lr, hidden_weight_decay),
    ]
    if anchor is not None:
        rows += _from_anchor(horizon, batch, base_lr, anchor)
    return tuple(rows)


def panel_of(plan: Plan, anchor: Anchor | None = None) -> tuple[PublishedSays, ...]:
    """Set a resolved plan beside the published laws; see `panel`.

    Args:
        plan: A resolved plan.
        anchor: The swept optimum that laws of exponents alone count from; None: they say nothing.
    """
    identity, hidden = plan.identity, hidden_rule(plan.identity.rules)
    return panel(
        n_params_non_embedding=identity.n_params_non_embedding.value,
        horizon_tokens=identity.horizon_tokens.value,
        global_batch_tokens=identity.global_batch_tokens.value,
        base_lr=identity.optimizer.base_lr.value,
        hidden_lr=hidden.lr,
        hidden_weight_decay=hidden.weight_decay,
        one_lr=len({rule.lr for rule in identity.rules.values()}) == 1,
        anchor=anchor,
    )


def _says(
    law: str,
    source: str,
    quantity: Literal["lr", "global_batch_tokens", "tau_ema", "weight_decay"],
    theirs: float,
    ours: float,
    notes: list[str],
    *,
    comparable: bool = True,
) -> PublishedSays:
    return PublishedSays(
        law=law,
        source=source,
        quantity=quantity,
        theirs=theirs,
        ours=ours,
        octaves=math.log2(ours / theirs),
        comparable=comparable,
        note="; ".join(notes),
    )


def _unchecked(*constants: Constant) -> list[str]:
    return (
        ["constants assumed; not checked against the paper"]
        if any(c.standing == "assumed" for c in constants)
        else []
    )


def _outside(pairs: list[tuple[str, float]]) -> list[str]:
    """Say how far beyond its own data a law is asked."""
    said = [f"{octaves:.1f} octaves of {what}" for what, octaves in pairs if octaves > 0]
    return [f"asked {' and '.join(said)} outside its data"] if said else []


def _steplaw(
    size: float, horizon: float, batch: float, hidden_lr: float, one_lr: bool
) -> list[PublishedSays]:
    beyond = ("horizon", STEPLAW_HORIZONS.octaves_outside(horizon))
    parametrised = [] if one_lr else [
        "one learning rate for all tensors, where ours is that of hidden matrices under width rules"
    ]  # fmt: skip
    schedule = "cosine to a fixed 1e-5, with the batch at its best"
    lr_notes = [*parametrised, schedule]
    lr_notes += _outside([("size", STEPLAW_SIZES.octaves_outside(size)), beyond])
    return [
        _says(
            "StepLaw", STEPLAW, "lr", steplaw_lr(size, horizon), hidden_lr, lr_notes,
            comparable=one_lr,
        ),
        _says(
            "StepLaw", STEPLAW, "global_batch_tokens", steplaw_batch_tokens(horizon), batch,
            _outside([beyond]),
        ),
    ]  # fmt: skip


def _power_lines(
    size: float, horizon: float, batch: float, hidden_lr: float, hidden_weight_decay: float
) -> list[PublishedSays]:
    limit = "a limit: beyond it more data parallelism no longer saves its share of time"
    rows = [
        _says(
            "Power Lines, best batch", POWER_LINES, "global_batch_tokens",
            power_lines_batch_tokens(horizon), batch,
            _unchecked(POWER_LINES_BEST_BATCH, POWER_LINES_BEST_BATCH_HORIZON),
        ),
        _says(
            "Power Lines, critical batch", POWER_LINES, "global_batch_tokens",
            power_lines_critical_tokens(horizon), batch,
            [limit, *_unchecked(POWER_LINES_CRITICAL_BATCH, POWER_LINES_CRITICAL_BATCH_HORIZON)],
            comparable=False,
        ),
    ]  # fmt: skip
    if hidden_weight_decay <= 0:
        return rows
    theirs = best_tau(size, horizon)
    ours = tau_ema(batch, hidden_lr, hidden_weight_decay, horizon)
    constant = f"its scale {TAU_SCALE:g} is assumed; not checked against the paper"
    at_ours = "torch's AdamW, hidden matrices, at the plan's learning rate and batch"
    decay = hidden_weight_decay * ours / theirs
    return [
        *rows,
        _says("Power Lines", POWER_LINES, "tau_ema", theirs, ours, [constant]),
        _says(
            "Power Lines", POWER_LINES, "weight_decay", decay, hidden_weight_decay,
            [at_ours, constant],
        ),
    ]  # fmt: skip


def _from_anchor(
    horizon: float, batch: float, base_lr: float, anchor: Anchor
) -> list[PublishedSays]:
    longer, larger = horizon / anchor.horizon_tokens, batch / anchor.global_batch_tokens
    moved = (
        f"our optimum {anchor.base_lr:.3g} at {anchor.horizon_tokens:.3g} tokens and a batch of "
        f"{anchor.global_batch_tokens:.3g}, moved by their exponent"
    )
    same_batch = math.isclose(larger, 1.0)
    bjorck = [moved] if same_batch else [moved, "it holds at one batch, and the plan's is another"]
    scion = "Scion without weight decay at a constant rate, where ours is AdamW"
    rows = [
        _says(
            "Bjorck et al.", BJORCK, "lr", bjorck_lr(anchor.base_lr, longer), base_lr, bjorck,
            comparable=same_batch,
        ),
        _says(
            "Optimal norm", JSC, "lr", jsc_lr(anchor.base_lr, longer, larger), base_lr,
            [moved, scion], comparable=False,
        ),
    ]  # fmt: skip
    if anchor.best_batch_tokens is not None:
        best = _jsc_batch_tokens(anchor.best_batch_tokens, longer)
        found = f"our best batch {anchor.best_batch_tokens:.3g}, moved by their exponent"
        rows.append(
            _says(
                "Optimal norm", JSC, "global_batch_tokens", best, batch, [found, scion],
                comparable=False,
            )
        )  # fmt: skip
    return rows
