"""Costs: arithmetic by hand, published runs, layouts, and what a sweep trains once."""

import math

import pytest
from skald_cli.main import main
from skald_mup.counts import flops_per_token, n_params_total
from skald_planner.display.cost_table import render_cost
from skald_planner.display.show import render_plan, render_recipe
from skald_planner.machine.cost import (
    TARGET_DAYS,
    cost_of,
    device_hours,
    energy_mwh,
    shared_steps,
    site_cost,
    sweep_flops,
    trained_tokens,
    training_flops,
)
from skald_planner.machine.memory import worst_rank
from skald_planner.machine.memory_states import Setting
from skald_planner.machine.memory_table import MAX_IDLE_SHARE, fits, layouts_on, leanest_on
from skald_planner.plans.proxy import proxy_plans
from skald_planner.plans.resolve import make_plan
from skald_specs.machines import MACHINES
from skald_specs.outlook import Outlook
from skald_specs.recipe import Recipe, ScheduleRecipe, SweepRecipe
from skald_specs.shape import ModelShape
from skald_trainer.trunk import tokens_trained
from support import ROOT
from support_planner import corpus_for, recipe

MACHINE = {machine.name: machine for machine in MACHINES}
LARGE = ("trustllm-2.6b", "trustllm-7.8b", "next-larger", "next-larger-optimal")


def site(cost, name):
    return next(each for each in cost.sites if each.site == name)


def test_the_public_baseline_by_hand():
    """6 x (7,799,574,528 - 100,096 x 4,096) + 12 x 32 x 4,096 x 4,096 operations a token."""
    public = recipe("trustllm-7.8b")
    a_token = 6 * (7_799_574_528 - 100_096 * 4096) + 12 * 32 * 4096 * 4096
    assert flops_per_token(public.model) == a_token
    flops = a_token * 489_553 * 4_718_592
    assert training_flops(public.model, trained_tokens(public)) == flops
    assert flops == pytest.approx(1.173e23, rel=1e-3)
    cost = cost_of(public, None)
    booster = site(cost, "JUWELS Booster")
    assert booster.gpu_hours == pytest.approx(flops / (312e12 * 0.4 * 3600))
    assert booster.gpu_hours == pytest.approx(261_000, rel=1e-3)
    assert booster.energy_mwh == pytest.approx(booster.gpu_hours * 400 / 1e6)
    assert booster.days == pytest.approx(booster.gpu_hours / (64 * 4 * 24))
    assert (booster.nodes, booster.n_devices) == (64, 256)
    assert site(cost, "MareNostrum 5").gpu_hours == pytest.approx(94_940, rel=1e-3)
    assert (cost.sweep_flops, cost.sweep_share) == (None, None)


def test_published_hours_of_a_large_run_are_near():
    """Llama 3.1 405B: 15.6T tokens in 30.84M hours of H100s (model card), all stops included."""
    shape = ModelShape(
        d_model=16384, n_layers=126, d_head=128, n_heads=128, n_kv_heads=8, d_ff=53248,
        vocab_size=128256, seq_len=8192,
    )  # fmt: skip
    assert n_params_total(shape) == pytest.approx(405.9e9, rel=1e-3)
    card = MACHINE["MareNostrum 5"]._replace(peak_tflops=989.4)
    hours = device_hours(training_flops(shape, 15_600_000_000_000), card)
    # Utilisation is that of a running step: published hours lie above, by less than a third.
    assert 1.0 < 30.84e6 / hours < 1.33
    assert energy_mwh(1000.0, card) == 0.7


@pytest.mark.parametrize("name", LARGE)
def test_the_sites_chosen_nodes_hold_the_run(name):
    source = recipe(name)
    setting, cost = Setting.of(source), cost_of(source, source)
    assert [each.site for each in cost.sites] == list(MACHINE)
    for each in cost.sites:
        machine = MACHINE[each.site]
        assert each.layout is not None and each.memory_gib is not None
        dp, tp, pp = each.layout
        assert dp * tp * pp == each.n_devices == each.nodes * machine.devices_per_node
        assert tp <= machine.devices_per_node
        assert setting.batch_sequences % dp == 0
        assert each.memory_gib <= machine.memory_gib * 0.94
        assert math.log2(each.nodes).is_integer() and each.nodes <= machine.n_nodes
        assert each.days <= TARGET_DAYS
        # Half as many nodes would take too long, or hold no layout.
        half = site_cost(setting, cost.training_flops, machine, each.nodes // 2)
        assert half.days > TARGET_DAYS or half.layout is None


@pytest.mark.parametrize("name", LARGE)
def test_the_recipes_own_layouts_fit_what_they_name(name):
    run = recipe(name).execution
    assert fits(worst_rank(Setting.of(recipe(name))), 64), run


def test_a_number_of_nodes_may_be_given():
    public = recipe("trustllm-7.8b")
    few, many = (cost_of(public, None, nodes) for nodes in (16, 48))
    assert {each.nodes for each in (*few.sites, *many.sites)} == {16, 48}
    for slow, fast in zip(few.sites, many.sites, strict=True):
        assert slow.gpu_hours == fast.gpu_hours
        assert slow.days == pytest.approx(3 * fast.days)
    # 1,152 sequences over 48 nodes of 4: dp = 192 or, in halves, 96; over 50 nodes: nothing.
    assert site(many, "JUPITER").layout == (192, 1, 1)
    odd = site(cost_of(public, None, 50), "JUPITER")
    assert (odd.layout, odd.memory_gib, odd.note) == (None, None, "batch does not divide")
    assert odd.days > 0
    assert "has 936 nodes" in site(cost_of(public, None, 1152), "JUWELS Booster").note
    one = site(cost_of(recipe("next-larger"), None, 1), "JUWELS Booster")
    assert (one.layout, one.note) == (None, "no layout fits")


def test_a_layout_neither_overflows_nor_stands_still():
    setting = Setting.of(recipe("next-larger"))
    candidates = list(layouts_on(setting, 2048, 4))
    for candidate in candidates:
        ahead = candidate.execution.pp - 1
        assert ahead / (candidate.n_micro_batches + ahead) <= MAX_IDLE_SHARE
        assert candidate.execution.tp <= 4
    found = leanest_on(setting, 2048, 40, 4)
    assert found is not None and found[0] in candidates
    leaner = candidates[: candidates.index(found[0])]
    assert leaner and not any(fits(worst_rank(each), 40) for each in leaner)


def test_machines_are_for_bf16():
    assert cost_of(recipe("mini-7.8b"), None).sites == ()
    assert cost_of(recipe("mini-7.8b"), None).training_flops > 0


def test_trunks_are_trained_once_where_warmups_agree():
    """Horizons of 8, 16 and 32 steps, decays of a quarter: 2 + 4 + 8, and a trunk of 24."""
    horizons = (800, 1600, 3200)
    proxy = recipe("mini-proxy")
    assert proxy.sweep is not None
    sweep = proxy.sweep.model_copy(update={"horizons_tokens": horizons})

    def steps(decay: float | str = 0.1, **warmup: float) -> int:
        schedule = ScheduleRecipe.model_validate({"decay_fraction": 0.25} | warmup)
        rules = proxy.parametrisation.model_copy(update={"weight_decay": decay})
        update = {"schedule": schedule, "sweep": sweep, "parametrisation": rules}
        return shared_steps(proxy.model_copy(update=update), 100)

    assert steps(warmup_tokens=200) == 24 + 2 + 4 + 8
    assert steps(warmup_fraction=0.25) == 8 + 16 + 32
    assert steps(warmup_fraction=0.0) == steps(warmup_tokens=200)
    # Rules that follow the horizon make every horizon a run of its own.
    assert steps("horizon", warmup_tokens=200) == 8 + 16 + 32


def test_a_sweep_costs_what_its_plans_do():
    proxy = recipe("mini-proxy")
    schedule = ScheduleRecipe(warmup_fraction=0.1, decay_fraction=0.3)
    proxy = proxy.model_copy(update={"schedule": schedule})
    plans = proxy_plans(proxy, corpus_for(proxy))
    alone = sum(training_flops(plan.identity.model, trained_tokens(plan)) for plan in plans)
    assert sweep_flops(proxy) == pytest.approx(alone)
    assert sweep_flops(recipe("mini-7.8b")) is None


@pytest.mark.parametrize("warmup", [{"warmup_tokens": 4096}, {"warmup_fraction": 0.1}])
def test_trunks_are_counted_as_the_trainer_trains_them(warmup):
    proxy = recipe("mini-proxy")
    schedule = ScheduleRecipe.model_validate({"decay_fraction": 0.3} | warmup)
    proxy = proxy.model_copy(update={"schedule": schedule})
    tokens = tokens_trained(proxy_plans(proxy, corpus_for(proxy)))
    assert sweep_flops(proxy) == flops_per_token(proxy.model) * tokens
    sweep = proxy.sweep
    assert sweep is not None
    apart = len(sweep.base_lrs) * len(sweep.seeds) * sum(sweep.horizons_tokens)
    assert tokens < apart if "warmup_tokens" in warmup else tokens == apart


def test_widths_batches_and_single_runs_of_a_sweep_count():
    sweep = SweepRecipe.model_validate(
        {
            "base_lrs": [0.01, 0.02, 0.04],
            "horizons_tokens": [131072],
            "seeds": [1, 2],
            "widths": [48, 96],
            "global_batches_tokens": [1024, 2048],
            "more": [{"base_lr": 0.01, "width": 192}],
        }
    )
    proxy = recipe("mini-proxy").model_copy(update={"sweep": sweep})
    by_width = {width: flops_per_token(recipe(name).model) for width, name in
                ((48, "mini-proxy"), (96, "mini-2.6b"), (192, "mini-7.8b"))}  # fmt: skip
    expected = 131072 * (3 * 2 * 2 * (by_width[48] + by_width[96]) + by_width[192])
    assert sweep_flops(proxy) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "tokens_a_parameter"), [("next-larger", 196), ("next-larger-optimal", 20)]
)
def test_the_next_step_and_its_sweep(name, tokens_a_parameter):
    source = recipe(name)
    assert n_params_total(source.model) == 30_674_737_152
    assert round(trained_tokens(source) / n_params_total(source.model)) == tokens_a_parameter
    share = cost_of(source, source).sweep_share
    assert share is not None and 0 < share < 0.02
    assert len((ROOT / "recipes" / f"{name}.yaml").read_text().splitlines()) <= 60


def test_the_two_variants_share_one_family_and_one_sweep():
    ours, theirs = recipe("next-larger"), recipe("next-larger-optimal")
    assert ours.model == theirs.model and ours.parametrisation == theirs.parametrisation
    assert ours.mixture == theirs.mixture == recipe("trustllm-7.8b").mixture
    runs = [
        {(run.width, run.global_batch_tokens, round(run.base_lr, 4)) for run in
         each.sweep.runs(each.model.d_model, each.budget.global_batch_tokens)}
        for each in (ours, theirs)
    ]  # fmt: skip
    assert runs[0] == runs[1] and len(runs[0]) == 17
    base = ours.parametrisation.base
    assert base.base_d_ff / base.base_width == ours.model.d_ff / ours.model.d_model


def given_rate(source: Recipe) -> Recipe:
    optimizer = source.optimizer.model_copy(update={"base_lr": 0.004})
    return source.model_copy(update={"optimizer": optimizer})


def test_plans_show_their_cost_where_they_have_it():
    source = given_rate(recipe("next-larger"))
    plan = make_plan(source, None, None)
    assert "GPU-hours" not in render_plan(plan)
    priced = plan.model_copy(update={"outlook": Outlook(cost=cost_of(plan, source))})
    assert priced.fingerprint == plan.fingerprint
    assert "\n".join(render_cost(priced.outlook.cost)) in render_plan(priced)
    asked = render_plan(priced, nodes=64).splitlines()
    assert any(line.startswith("sweep FLOPs") for line in asked)
    row = next(line.split() for line in asked if line.startswith("JUPITER"))
    assert row[1:3] == ["64", "256"]
    assert cost_of(plan, source) == cost_of(source, source)


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_recipe_shows_and_keeps_to_the_page(path):
    source = Recipe.load(path)
    shown = render_recipe(source)
    assert f"training FLOPs = {cost_of(source, None).training_flops:.4g}" in shown
    assert ("GPU-hours" in shown) == (source.dtype == "bfloat16")
    assert max(map(len, render_cost(cost_of(source, source)))) <= 100


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["recipes/mini-proxy.yaml", "--nodes", "0"], "0 is no number of nodes"),
        (["recipes/mini-proxy.yaml", "--nodes", "-4"], "-4 is no number of nodes"),
    ],
)
def test_a_wrong_number_of_nodes_is_one_line(words, problem, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert main(["plan", "show", *words]) == 2
    shown = capsys.readouterr()
    assert shown.err == f"skald: --nodes: {problem}. Name a plan or a recipe, and 1 or more\n"
    assert shown.out == ""
