"""Published laws, the horizon's weight decay, critical batches: against numbers from elsewhere."""

import math

import _transfer_critical as proof
import numpy as np
import pandas as pd
import pytest
from skald_mup.counts import n_params_non_embedding
from skald_mup.rules import tensor_rules
from skald_planner.deciding.published import PRIORS, Anchor, panel, panel_of, steplaw_lr
from skald_planner.display.show import render_plan
from skald_planner.fitting.critical import (
    fit_steps,
    growth,
    overhead_batch,
    overhead_batches,
)  # fmt: skip
from skald_planner.plans.resolve import make_plan
from skald_planner.plans.weight_decay import (
    best_tau,
    planned_weight_decay,
    tau_of,
    with_weight_decay,
)  # fmt: skip
from skald_specs.errors import UserInputError
from skald_specs.recipe import Recipe, recipe_family
from support_planner import corpus_for, recipe

PLAIN = {
    "n_params_non_embedding": 1e9, "horizon_tokens": 2e10, "global_batch_tokens": 2**19,
    "base_lr": 0.01, "hidden_lr": 0.002, "hidden_weight_decay": 0.1, "one_lr": False,
}  # fmt: skip
ANCHOR = Anchor(base_lr=0.02, horizon_tokens=5e9, global_batch_tokens=2**19)


def horizon_recipe(name: str = "mini-7.8b", **changes: object) -> Recipe:
    given = recipe(name)
    asked = given.parametrisation.model_copy(update={"weight_decay": "horizon", **changes})
    return given.model_copy(update={"parametrisation": asked})


def by_law(rows):
    return {(row.law, row.quantity): row for row in rows}


def public_plan():
    public = recipe("trustllm-7.8b")
    return make_plan(public, corpus_for(public, 10**12, 100_000), None)


def test_the_public_recipe_beside_the_laws():
    """Numbers of 2.31e12 tokens and 6.98e9 parameters, worked out by hand from the published forms."""
    plan, rows = public_plan(), by_law(panel_of(public_plan()))
    assert tau_of(plan) == pytest.approx(0.0523, abs=5e-5)
    tau = rows["Power Lines", "tau_ema"]
    assert (tau.ours, tau.theirs) == pytest.approx((0.0523, 0.0509), abs=1e-4)
    lr = rows["StepLaw", "lr"]
    assert lr.theirs == pytest.approx(1.09e-3, rel=0.01)
    assert lr.comparable, "at the base every tensor has the one learning rate"
    assert lr.octaves == pytest.approx(math.log2(0.00390625 / 1.09e-3), abs=0.02)
    assert "4.5 octaves of horizon outside" in lr.note
    assert rows["StepLaw", "global_batch_tokens"].theirs == pytest.approx(6.64e6, rel=0.01)
    assert not any(law in {"Bjorck et al.", "Optimal norm"} for law, _ in rows), "no anchor"


def test_steplaw_where_it_was_measured():
    # 1.797 x (1e9)^-0.7129 x (2e10)^0.3075
    expected = 1.797 * 10 ** (-0.7129 * 9 + 0.3075 * math.log10(2e10))
    assert steplaw_lr(1e9, 2e10) == pytest.approx(expected, rel=1e-12)
    row = by_law(panel(**PLAIN))["StepLaw", "lr"]
    assert "outside" not in row.note
    assert row.ours == PLAIN["hidden_lr"]
    assert not row.comparable, "under width rules the matrices have another rate than the rest"


def test_exponent_laws_move_the_anchor():
    rows = by_law(panel(**PLAIN, anchor=ANCHOR))
    bjorck, norm = rows["Bjorck et al.", "lr"], rows["Optimal norm", "lr"]
    assert bjorck.theirs == pytest.approx(0.02 * 4**-0.32)
    assert norm.theirs == pytest.approx(0.02 * 4**-0.56)
    assert bjorck.comparable
    assert not norm.comparable, "another optimizer's"
    twice = by_law(panel(**{**PLAIN, "global_batch_tokens": 2**20}, anchor=ANCHOR))
    assert not twice["Bjorck et al.", "lr"].comparable
    assert twice["Optimal norm", "lr"].theirs == pytest.approx(0.02 * 4**-0.56 * 2**0.62)
    best = ANCHOR._replace(best_batch_tokens=2**18)
    moved = by_law(panel(**PLAIN, anchor=best))["Optimal norm", "global_batch_tokens"]
    assert moved.theirs == pytest.approx(2**18 * 4**0.45)


def test_without_weight_decay_there_is_no_time_scale():
    rows = by_law(panel(**{**PLAIN, "hidden_weight_decay": 0.0}))
    assert not any(quantity in {"tau_ema", "weight_decay"} for _, quantity in rows)


def test_priors_cover_the_values_they_quote():
    for name, quoted in {
        "horizon_exponent": (-0.32, -0.56), "batch_exponent": (0.62, 0.5),
        "best_batch_exponent": (0.571, 0.45, 0.383), "size_drift": (-0.25 / 6,),
    }.items():  # fmt: skip
        for value in quoted:
            assert abs(value - PRIORS[name].mean) <= 1.645 * PRIORS[name].sd, name


@pytest.mark.parametrize("decay", ["coupled", "independent"])
@pytest.mark.parametrize("name", ["mini-7.8b", "trustllm-7.8b", "mup-depth"])
def test_the_horizon_gives_the_laws_time_scale(name, decay):
    asked = horizon_recipe(name, decay=decay)
    batch, horizon = asked.budget.global_batch_tokens, asked.budget.horizon_tokens
    filled = with_weight_decay(asked, 0.01, batch)
    hidden = tensor_rules(filled.model, filled.parametrisation, 0.01)["q_proj"]
    plan_like = batch / (hidden.lr * hidden.weight_decay * horizon)
    assert plan_like == pytest.approx(
        best_tau(n_params_non_embedding(asked.model), horizon), rel=1e-3
    )
    quantity = planned_weight_decay(asked, 0.01, batch)
    assert quantity.standing == "assumed"
    assert quantity.interval[0] < quantity.value < quantity.interval[1]
    assert filled.parametrisation.weight_decay == quantity.value


def test_the_public_weight_decay_is_what_the_law_would_have_said():
    public = horizon_recipe("trustllm-7.8b", decay="coupled")
    said = planned_weight_decay(public, 2**-8, 4_718_592)
    assert said.value == pytest.approx(0.01, rel=0.04)
    assert said.interval[0] < 0.01 < said.interval[1]


def test_a_plan_has_the_resolved_weight_decay():
    asked = horizon_recipe("trustllm-7.8b")
    plan = make_plan(asked, corpus_for(asked, 10**12, 100_000), None)
    quantity = plan.identity.optimizer.weight_decay
    assert (
        plan.identity.rules["q_proj"].weight_decay
        == quantity.value
        == pytest.approx(0.01, rel=0.04)
    )
    assert plan.family == recipe_family(asked)
    shown = next(line for line in render_plan(plan).splitlines() if line.startswith("weight_decay"))
    assert "assumed" in shown
    assert "tau_ema 0.0509" in shown
    written = recipe("trustllm-7.8b")
    plain = make_plan(written, corpus_for(written, 10**12, 100_000), None)
    assert "weight_decay" not in plain.identity.optimizer.model_dump()
    assert plain.fingerprint != plan.fingerprint


def test_a_recipe_that_gives_the_number_keeps_it():
    given = recipe("mini-7.8b")
    assert with_weight_decay(given, 0.01, 1024) is given
    assert planned_weight_decay(given, 0.01, 1024) is None


def test_an_unresolved_weight_decay_is_refused_in_one_line():
    asked = horizon_recipe()
    with pytest.raises(UserInputError, match="weight_decay = horizon is a number only in a plan"):
        tensor_rules(asked.model, asked.parametrisation, 0.01)


def test_the_family_is_what_was_written():
    asked = horizon_recipe()
    longer = asked.budget.model_copy(update={"horizon_tokens": 2 * asked.budget.horizon_tokens})
    assert recipe_family(asked) == recipe_family(asked.model_copy(update={"budget": longer}))
    assert recipe_family(asked) != recipe_family(recipe("mini-7.8b"))


def test_raw_counts_give_the_published_growth():
    told = {m.measure.split(":")[0]: m for m in proof.measures()}
    assert all(m.holds for m in told.values())
    by_count = next(m for name, m in told.items() if "raw counts" in name)
    by_fit = next(m for name, m in told.items() if "fitted S(B)" in name)
    assert by_count.value == pytest.approx(0.465, abs=0.001)
    assert by_fit.value == pytest.approx(0.607, abs=0.001)


def test_counts_of_the_fitted_form_come_back():
    batches = [64 * 2**i for i in range(9)]
    line = fit_steps(batches, [1000 * (1 + 2000 / b) for b in batches])
    assert line.min_steps == pytest.approx(1000)
    assert line.critical_batch.value == pytest.approx(2000)
    # Within the form, 20 % more tokens are spent at a fifth of B_c; from the grid's smallest, later.
    tokens = [b * 1000 * (1 + 2000 / b) for b in batches]
    assert overhead_batch(batches, tokens) == pytest.approx(0.2 * 2064 + 64, rel=0.02)


def test_what_is_not_enclosed_is_not_told():
    assert overhead_batch([1, 2, 4], [100, 101, 110]) is None, "never 20 % more"
    assert overhead_batch([1, 2, 4], [100, 105, math.inf]) is None, "the next never got there"
    assert overhead_batch([1, 2, 4], [100, 130, 110]) is None, "the largest is within it"
    assert overhead_batch([], []) is None
    assert overhead_batch([1, 2], [math.inf, math.inf]) is None, "nothing got there"
    assert overhead_batch([1, 2, 4], [100, 105, 150]) == pytest.approx(2.6, abs=0.1)


def test_two_horizons_have_a_slope_and_no_error():
    assert growth([1e9, 2e9], [100, 140]) is None
    horizons = [10**6, 10**7, 10**8]
    assert growth(horizons, [t**0.5 for t in horizons]).value == pytest.approx(0.5)
    assert growth([1e9] * 3, [100, 140, 160]) is None, "one horizon"


def runs_of(critical, lrs=(0.25, 0.5, 1.0, 2.0, 4.0), smallest=8):
    """Runs that need 1 + B / critical(T) times their tokens; the best learning rate is 1."""
    rows = [
        {
            "width": 64, "depth": 2, "n_params_non_embedding": 10**5, "horizon_tokens": horizon,
            "global_batch_tokens": batch, "lr": lr, "seed": 1, "diverged": False,
            "loss": (horizon / (1 + batch / critical(horizon))) ** -0.1
            * math.exp(0.02 * math.log2(lr) ** 2),
        }
        for horizon in 2 ** np.arange(18, 27)
        for batch in 2 ** np.arange(smallest, 15)
        for lr in lrs
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_a_table_shows_its_critical_batch():
    found, missing = overhead_batches(runs_of(lambda horizon: 2**12))
    assert len(found) >= 5
    # Over the smallest batch of the grid: (1 + B/c) = 1.2 (1 + 2^8/c).
    expected = 0.2 * 2**12 + 1.2 * 2**8
    for one in found:
        assert one.tokens == pytest.approx(expected, rel=0.05)
    assert any("encloses" in reason for reason in missing), (
        "the longest has no longer runs beside it"
    )
    growing = runs_of(lambda horizon: 2**12 * (horizon / 2**22) ** 0.4, smallest=4)
    found = overhead_batches(growing).found
    exponent = growth([one.horizon_tokens for one in found], [one.tokens for one in found])
    assert exponent.value == pytest.approx(0.4, abs=0.05)


def test_batches_without_an_enclosed_learning_rate_show_nothing():
    found, missing = overhead_batches(runs_of(lambda horizon: 2**12, lrs=(1.0, 2.0, 4.0)))
    assert not found
    assert "no batch has an enclosed learning rate" in missing[0]
