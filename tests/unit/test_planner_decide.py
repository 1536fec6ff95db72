"""What is decided from a fit: rates, batches, plans and their outlook, next runs."""

import math

import numpy as np
import pytest
from skald_mup.counts import n_params_non_embedding
from skald_planner.deciding.best_batch import weigh
from skald_planner.deciding.predict import decide
from skald_planner.deciding.predicted import predicted_plan
from skald_planner.deciding.proposals import propose
from skald_planner.deciding.published import Prior
from skald_planner.deciding.reach import HORIZON_LIMIT, Asked
from skald_planner.display.show import render_plan
from skald_specs.errors import UserInputError
from skald_specs.plan import UNTRANSFERRED, Plan
from skald_specs.timefit import TimeFit
from support_planner import corpus_for, recipe
from support_transfer import HORIZONS, SIZE, asked, fitted, table


@pytest.fixture(scope="module")
def fit() -> TimeFit:
    return fitted(table())


def test_predictions_widen_and_the_priors_share_grows_with_distance(fit):
    told = [decide(fit, asked(HORIZONS[-1] * 2**octaves)) for octaves in range(5)]
    widths = [math.log2(one.base_lr.interval[1] / one.base_lr.interval[0]) for one in told]
    shares = [one.outlook.priors[0].share if one.outlook.priors else 0.0 for one in told]
    regrets = [one.outlook.regret.value for one in told]
    for rising in (widths, regrets):
        assert rising == sorted(rising) and rising[0] < rising[-1]
    assert shares[0] == 0 < shares[1] < shares[-1] < 1
    assert [one.outlook.distance.horizon_octaves for one in told] == [0, 1, 2, 3, 4]
    assert told[-1].outlook.final_loss.value < told[0].outlook.final_loss.value
    assert told[0].base_lr.interval[0] < 2 ** (-7.6 - 0.6) < told[0].base_lr.interval[1]


def test_a_learning_rate_is_put_below_the_middle(fit):
    near, far = decide(fit, asked()), decide(fit, asked(HORIZONS[-1] * 8))
    assert 0 < near.outlook.chosen_below_median_octaves < far.outlook.chosen_below_median_octaves


def test_far_beyond_the_sweep_is_refused_unless_asked_for(fit):
    far = HORIZONS[-1] * 2 ** (HORIZON_LIMIT + 1)
    with pytest.raises(UserInputError, match=r"5\.0 octaves outside .*--extrapolate") as error:
        decide(fit, asked(far))
    assert "\n" not in str(error.value)
    told = decide(fit, asked(far, extrapolate=True))
    assert told.base_lr.standing == "assumed"
    assert "5.0 octaves beyond" in told.outlook.warnings[0]
    with pytest.raises(UserInputError, match="global_batch_tokens"):
        decide(fit, asked(batch=2048 * 16))


def test_the_best_batch_is_chosen_in_steps_where_it_is_left_to_the_sweep(fit):
    told = decide(fit, asked(choose_batch=True, batch_step_tokens=256))
    batch = told.global_batch_tokens
    assert batch.value % 256 == 0 and batch.standing == "fitted"
    assert batch.interval[0] < 2048 < batch.interval[1] * 1.05
    assert decide(fit, asked()).global_batch_tokens is None
    with pytest.raises(UserInputError, match="shows no best batch"):
        decide(fitted(table(batches=(1024,))), asked(choose_batch=True))


def test_a_plan_from_a_fit_says_what_it_expects(fit):
    target = recipe("mini-2.6b")
    plan = predicted_plan(target, corpus_for(target, 10**6), fit)
    rate, outlook = plan.identity.optimizer.base_lr, plan.outlook
    # Of the way beyond the sweep, published exponents say more than three horizons do.
    assert rate.standing == "assumed" and outlook.priors[0].share > 0.5
    assert rate.interval[0] < rate.value < rate.interval[1]
    assert outlook.regret.value > 0 and outlook.final_loss is not None
    assert outlook.tau_ema > 0
    assert {one.law for one in outlook.published}
    assert outlook.cost.training_flops > 0
    text = render_plan(plan)
    for words in ("expected final loss", "published law", "beyond the sweep", "tau_ema"):
        assert words in text
    bare = plan.model_copy(update={"outlook": None})
    assert bare.fingerprint == plan.fingerprint


def test_the_control_takes_the_rate_of_the_swept_horizon(fit):
    target = recipe("mini-2.6b")
    corpus = corpus_for(target, 10**6)
    plan, control = (predicted_plan(target, corpus, fit, untransferred=u) for u in (False, True))
    assert control.name == f"mini-2.6b{UNTRANSFERRED}"
    swept = decide(fit, at_swept_horizon(target, fit))
    assert control.outlook.final_loss == plan.outlook.final_loss
    assert control.outlook.distance == plan.outlook.distance
    assert control.outlook.regret.value > plan.outlook.regret.value
    given = target.model_copy(
        update={"optimizer": target.optimizer.model_copy(update={"base_lr": 0.01})}
    )
    with pytest.raises(UserInputError, match="nothing is transferred"):
        predicted_plan(given, corpus, fit, untransferred=True)
    told = predicted_plan(given, corpus, fit).outlook
    assert told.regret.value > plan.outlook.regret.value
    assert told.published[0].law == "this fit"
    foreign = predicted_plan(given, corpus, fit.model_copy(update={"family": {}})).outlook
    assert (foreign.regret, foreign.priors, control.outlook.priors) == (None, (), ())
    assert control.identity.optimizer.base_lr.value == swept.base_lr.value
    assert control.identity.optimizer.base_lr.value > plan.identity.optimizer.base_lr.value
    assert control.identity.schedule == plan.identity.schedule


def at_swept_horizon(target, fit):
    return Asked(
        "a test",
        max(fit.table.horizons_tokens),
        target.budget.global_batch_tokens,
        n_params_non_embedding(target.model),
    )


def test_a_fit_of_another_family_is_refused_by_the_field_that_differs(fit):
    target = recipe("mini-2.6b")
    other = target.model_copy(
        update={"optimizer": target.optimizer.model_copy(update={"beta2": 0.99})}
    )
    with pytest.raises(UserInputError, match=r"optimizer\.beta2 = 0\.99 here, 0\.95 there"):
        predicted_plan(other, corpus_for(other, 10**6), fit)
    foreign = fit.model_copy(update={"family": {}})
    assert predicted_plan(other, corpus_for(other, 10**6), foreign).outlook is not None


def test_without_a_fit_a_rate_left_open_is_refused():
    target = recipe("mini-2.6b")
    with pytest.raises(UserInputError, match="base_lr = sweep, and no fit is at hand"):
        predicted_plan(target, corpus_for(target, 10**6), None)


def test_a_plan_with_its_outlook_survives_its_file(fit, tmp_path):
    for name in ("mini-2.6b", "trustllm-7.8b", "next-larger"):
        target = recipe(name)
        foreign = fit if name == "mini-2.6b" else fit.model_copy(update={"family": {}})
        plan = predicted_plan(target, None, foreign, extrapolate=True)
        plan.save(tmp_path / "plan.yaml")
        assert Plan.load(tmp_path / "plan.yaml") == plan
        assert render_plan(Plan.load(tmp_path / "plan.yaml")) == render_plan(plan)


def test_next_runs_are_proposed_for_what_the_sweep_carries(fit):
    proxy = recipe("mini-proxy")
    text = propose(proxy, fit, 3, recipe("mini-2.6b"))
    assert "more:" in text and text.count("- {base_lr") >= 1
    with pytest.raises(UserInputError, match="another family"):
        propose(proxy, fit, 3, recipe("trustllm-7.8b"))
    budget = proxy.budget.model_copy(update={"horizon_tokens": 10**9})
    with pytest.raises(UserInputError, match="octaves outside the sweep"):
        propose(proxy, fit, 3, proxy.model_copy(update={"budget": budget}))


def test_a_rate_outside_all_swept_ones_is_no_fitted_one(fit):
    narrow = fit.model_copy(
        update={"table": fit.table.model_copy(update={"lr_range": (1e-5, 1e-4)})}
    )
    told = decide(narrow, asked())
    assert told.base_lr.standing == "assumed"
    assert any("outside the swept ones" in warning for warning in told.outlook.warnings)


def test_a_foreign_table_of_one_size_knows_nothing_of_others(fit):
    foreign = fit.model_copy(update={"family": {}})
    larger = asked()._replace(n_params_non_embedding=SIZE * 64)
    wide, ruled = decide(foreign, larger), decide(fit, larger)
    spread = [math.log2(one.base_lr.interval[1] / one.base_lr.interval[0]) for one in (wide, ruled)]
    assert spread[0] > 2 * spread[1]
    assert any("size" in one.prior for one in wide.outlook.priors)


@pytest.mark.parametrize(("own_sd", "share"), [(0.02, 0.0099), (0.2, 0.5), (2.0, 0.9901)])
def test_a_step_is_weighed_by_inverse_variance(own_sd, share):
    rng = np.random.default_rng(0)
    own = 1.0 + own_sd * rng.standard_normal(20_000)
    joined, of_prior = weigh(own, own.size, 0.0, Prior(-1.0, 0.2, ""), rng)
    assert of_prior == pytest.approx(share, rel=0.05)
    assert joined.mean() == pytest.approx((1 - share) * 1.0 - share, abs=0.05)
    assert joined.std() == pytest.approx(1 / math.hypot(1 / own_sd, 1 / 0.2), rel=0.03)
    alone, all_of_it = weigh(None, 20_000, 0.0, Prior(-1.0, 0.2, ""), rng)
    assert all_of_it == 1 and alone.mean() == pytest.approx(-1.0, abs=0.01)
