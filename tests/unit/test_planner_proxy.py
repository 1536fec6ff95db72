"""A sweep's runs as plans: sister widths, batches, and warmups in tokens."""

import pytest
from skald_mup.counts import flops_per_token
from skald_planner.plans.proxy import proxy_plans
from skald_planner.plans.schedule import plan_schedule
from skald_specs.errors import UserInputError
from skald_specs.recipe import Budget, Recipe, ScheduleRecipe, recipe_family
from skald_trainer.trunk import tokens_trained, trunk_groups, trunk_steps
from support_planner import corpus_for, recipe


def swept(proxy, **update):
    """Return a recipe with another sweep, validated."""
    data = proxy.model_dump(mode="json")
    return Recipe.check(data | {"sweep": data["sweep"] | update}, "test")


def test_a_sweep_over_widths_and_batches():
    """Sister shapes, rates that follow the batch, and names that tell all runs apart."""
    proxy = swept(
        recipe("mini-proxy"),
        base_lrs=[0.004, 0.008, 0.016],
        seeds=[1],
        horizons_tokens=[131_072, 262_144],
        widths=[48, 96],
        global_batches_tokens=[1024, 4096],
        lr_batch_exponent=0.5,
        more=[{"base_lr": 0.5, "width": 144, "seed": 2}],
    )
    plans = {plan.name: plan for plan in proxy_plans(proxy, corpus_for(proxy))}
    assert len(plans) == len({p.fingerprint for p in plans.values()}) == 2 * (2 * 2 * 3 + 1)
    wide = plans["mini-proxy-w96-b4096-h131072-lr0.008-s1"]
    assert (wide.identity.model.n_heads, wide.identity.model.d_ff) == (8, 336)
    assert wide.identity.global_batch_tokens.value == 4096
    assert wide.identity.schedule.n_steps.value == 32
    assert wide.execution.micro_batch_sequences == 32
    assert wide.identity.n_params_non_embedding.value > 2 * 90_192
    assert wide.family == recipe_family(proxy)
    beside = plans["mini-proxy-w144-b1024-h262144-lr0.5-s2"].identity
    assert (beside.model.d_model, beside.optimizer.base_lr.value) == (144, 0.5)
    one_batch = swept(proxy, global_batches_tokens=[1024], more=[])
    names = [plan.name for plan in proxy_plans(one_batch, corpus_for(proxy))]
    assert names[0] == "mini-proxy-w48-h131072-lr0.004-s1"
    one_of_each = swept(one_batch, widths=[])
    names = [plan.name for plan in proxy_plans(one_of_each, corpus_for(proxy))]
    assert names[0] == "mini-proxy-h131072-lr0.004-s1"


def test_a_name_of_a_run_has_no_plus_sign():
    proxy = swept(recipe("mini-proxy"), base_lrs=[0.004, 0.008, 1e30])
    names = {plan.name for plan in proxy_plans(proxy, corpus_for(proxy))}
    assert any("-lr1e30-" in name for name in names)


def test_a_width_that_does_not_divide_into_heads_is_refused():
    proxy = swept(recipe("mini-proxy"), widths=[48, 100])
    with pytest.raises(UserInputError, match=r"mini-proxy: sweep\.widths: 100 is not a") as error:
        proxy_plans(proxy, corpus_for(proxy))
    assert "\n" not in str(error.value)


def test_the_sweep_for_a_gpu_is_as_large_as_its_recipe_says():
    """Its comments estimate a time from these figures."""
    gpu = recipe("gpu-time-transfer")
    plans = proxy_plans(gpu, corpus_for(gpu, 1_000_000))
    groups = trunk_groups(plans)
    assert (len(plans), len(groups)) == (210, 35)
    assert sum(map(trunk_steps, groups)) == 111_104
    assert tokens_trained(plans) == pytest.approx(1.2e9, rel=0.03)
    apart = sum(plan.identity.horizon_tokens.value for plan in plans)
    assert apart / tokens_trained(plans) == pytest.approx(2, rel=0.02)
    assert max(max(plan.epochs.values()) for plan in plans) == pytest.approx(4.2, abs=0.05)
    assert flops_per_token(gpu.model) == pytest.approx(2.3e7, rel=0.01)


@pytest.mark.parametrize(
    ("warmup_tokens", "batch", "steps"),
    [(0, 1024, 0), (8192, 1024, 8), (8192, 16384, 0), (8193, 16384, 1), (3000, 2048, 1)],
)
def test_a_warmup_in_tokens_is_the_same_steps_at_every_horizon(warmup_tokens, batch, steps):
    schedule = ScheduleRecipe(warmup_tokens=warmup_tokens, decay_fraction=0.25)
    for horizon in (65_536, 1_048_576):
        resolved = plan_schedule(
            schedule, Budget(horizon_tokens=horizon, global_batch_tokens=batch)
        )
        assert resolved.warmup_steps.value == steps
        assert resolved.decay_steps.value == round(0.25 * horizon / batch)
        assert f"warmup_tokens = {warmup_tokens}" in resolved.warmup_steps.source
    short = plan_schedule(schedule, Budget(horizon_tokens=batch, global_batch_tokens=batch))
    assert short.warmup_steps.value + short.decay_steps.value <= 1
