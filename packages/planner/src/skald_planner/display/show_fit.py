"""A fit as readable text.

Knows layout only; refuses to compute anything that the fit does not hold.
"""

from __future__ import annotations

from collections.abc import Sequence

from skald_specs.plan import COVERAGE
from skald_specs.timefit import Estimate, LocalOptimum, TimeFit

from skald_planner.display.layout import aligned

_SIDES = {"at_least": ">=", "at_most": "<=", "unknown": "not told"}


def render_fit(fit: TimeFit) -> str:
    """Return a fit as text: table, exponents, families, optima, what it does not show."""
    facts = fit.table
    interval = f"{COVERAGE:.0%} interval"
    return "\n".join(
        [
            f"fit of {facts.n_runs} runs ({facts.source}): {facts.n_in_fit} in the fit, "
            f"{facts.n_diverged} diverged",
            f"widths {_span(facts.widths)}, horizons {_span(facts.horizons_tokens)} tokens, batches "
            f"{_span(facts.global_batches_tokens)} tokens, {len(facts.seeds)} seed{_s(facts.seeds)}, loss in "
            f"{facts.loss_unit}, schedule {facts.schedule}",
            f"noise {fit.noise_sd:.2%} of the loss; optima of single cells lie {fit.spread_octaves:.2f} "
            "octaves off the surface",
            "",
            *aligned([("changes with", "exponent", interval), *_exponents(fit)]),
            "",
            *aligned(
                [
                    ("form of the ridge", "weight", "error at horizons left out"),
                    *(
                        (one.kind, f"{one.weight:.0%}", _percent(one.held_out_error))
                        for one in fit.families
                    ),
                ]
            ),
            "",
            *aligned(
                [
                    ("parameters", "horizon, tokens", "batch, tokens", "best base_lr", interval, "one octave off"),
                    *(_optimum(one) for one in fit.local),
                ]
            ),
            *(f"critical batch ({one.definition}) at a horizon of {one.horizon_tokens:,} "
              f"tokens: {one.tokens:,.0f} tokens"
              for one in fit.critical),
            *(f"not shown: {gap}" for gap in fit.offered),
        ]
    )  # fmt: skip


def _s(counted: Sequence[int]) -> str:
    return "" if len(counted) == 1 else "s"


def _span(values: Sequence[int]) -> str:
    if len(values) <= 4:
        return ", ".join(f"{value:,}" for value in values)
    return f"{values[0]:,} to {values[-1]:,} ({len(values)})"


def _exponents(fit: TimeFit) -> list[tuple[str, ...]]:
    named = (
        ("base_lr with horizon, batch fixed", fit.horizon_exponent),
        ("base_lr with batch", fit.batch_exponent),
        ("base_lr with size", fit.size_drift),
        ("best batch with horizon", fit.best_batch_exponent),
        ("critical batch (knee) with horizon", fit.critical_exponent),
        ("critical batch (overhead) with horizon", fit.overhead_exponent),
        ("loss one octave off with horizon", fit.sensitivity_exponent),
    )
    return [(name, *_estimate(value)) for name, value in named]


def _estimate(value: Estimate | None) -> tuple[str, str]:
    if value is None:
        return "-", ""
    return f"{value.value:+.3f}", f"{value.interval[0]:+.3f} .. {value.interval[1]:+.3f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%} of the loss"


def _optimum(one: LocalOptimum) -> tuple[str, ...]:
    where = (
        f"{one.n_params_non_embedding:,}",
        f"{one.horizon_tokens:,}",
        f"{one.global_batch_tokens:,}",
    )
    if one.log2_lr is None or one.interval is None:
        side = _SIDES[one.bound or "unknown"]
        bound = "" if one.bound_log2_lr is None else f" {2**one.bound_log2_lr:.4g}"
        return (*where, f"{side}{bound}", "not enclosed", "")
    low, high = (2**end for end in one.interval)
    rise = "" if one.rise_at_one_octave is None else f"+{one.rise_at_one_octave:.2%}"
    return (*where, f"{2**one.log2_lr:.4g}", f"{low:.4g} .. {high:.4g}", rise)
