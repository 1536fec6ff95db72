"""What a plan expects, as readable text: distance, risk, expected loss, published laws beside it."""

from __future__ import annotations

from skald_specs.outlook import Outlook, PublishedSays
from skald_specs.plan import COVERAGE
from skald_specs.timefit import Estimate

from skald_planner.display.layout import aligned


def render_outlook(outlook: Outlook) -> list[str]:
    """Return the lines of an outlook; what it does not know is left out."""
    lines = []
    if (away := outlook.distance) is not None:
        lines.append(
            f"beyond the sweep: {away.horizon_octaves:g} octaves of horizon, {away.batch_octaves:g} of "
            f"batch, {away.size_octaves:g} of size"
        )
    if outlook.regret is not None:
        lines.append(
            f"expected cost of not knowing base_lr better: {outlook.regret.value:.2%} of the loss "
            f"(at most {outlook.regret.interval[1]:.2%} in {0.5 + COVERAGE / 2:.0%} of cases); chosen "
            f"{outlook.chosen_below_median_octaves:.2g} octaves below the middle"
        )
    lines += [
        f"{one.quantity}: {one.share:.0%} of the step beyond the sweep is {one.prior}"
        for one in outlook.priors
    ]
    if outlook.best_batch_tokens is not None:
        lines.append(f"best batch: {_estimate(outlook.best_batch_tokens, ',.0f')} tokens")
    if outlook.final_loss is not None:
        lines.append(f"expected final loss: {_estimate(outlook.final_loss)} {outlook.loss_unit}")
    if outlook.tau_ema is not None:
        lines.append(f"tau_ema: {outlook.tau_ema:.3g} of the run")
    if outlook.published:
        header = ("published law", "quantity", "says", "this plan", "octaves", "note")
        lines += ["", *aligned([header, *(_says(one) for one in outlook.published)])]
    return lines + [f"warning: {warning}" for warning in outlook.warnings]


def brief(outlook: Outlook) -> list[str]:
    """Return what has to be known before a run is started: reach, cost of not knowing, warnings."""
    told = []
    if (away := outlook.distance) is not None and away.horizon_octaves > 0:
        shares = [one.share for one in outlook.priors if one.quantity == "base_lr"]
        leaning = f", {shares[0]:.0%} of that step by published exponents" if shares else ""
        told.append(f"{away.horizon_octaves:.2g} octaves beyond the swept horizons{leaning}")
    if outlook.regret is not None:
        told.append(f"not knowing base_lr better costs {outlook.regret.value:.2g} of log loss")
    if outlook.final_loss is not None:
        told.append(f"expected loss {_estimate(outlook.final_loss)} {outlook.loss_unit}")
    return (["; ".join(told)] if told else []) + list(outlook.warnings)


def _estimate(one: Estimate, form: str = ".4g") -> str:
    # Not a comma between them: it separates thousands.
    return f"{one.value:{form}} [{one.interval[0]:{form}} .. {one.interval[1]:{form}}]"


def _says(one: PublishedSays) -> tuple[str, ...]:
    form = ",.0f" if one.quantity == "global_batch_tokens" else ".4g"
    note = one.note if one.comparable else f"not comparable: {one.note}"
    return (
        f"{one.law} ({one.source})",
        one.quantity,
        f"{one.theirs:{form}}",
        f"{one.ours:{form}}",
        f"{one.octaves:+.2f}",
        note,
    )
