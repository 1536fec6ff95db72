"""Plans: what is resolved, what is refused, what the fingerprint sees."""

import numpy as np
import pytest
from skald_corpus.mixture import mix
from skald_mup.rules import tensor_rules
from skald_planner.deciding.predicted import predicted_plan
from skald_planner.display.show import render_plan, render_recipe
from skald_planner.fitting.transfer import fit_time
from skald_planner.plans.proxy import proxy_plans
from skald_planner.plans.resolve import Rates, make_plan
from skald_planner.plans.schedule import plan_schedule
from skald_specs.errors import UserInputError
from skald_specs.mixture import MixtureRule
from skald_specs.plan import NO_CORPUS, Plan, Quantity
from skald_specs.recipe import Budget, Recipe, ScheduleRecipe, recipe_family
from skald_trainer.loader import TrainingOrder
from support_planner import corpus_for, recipe, run_table

FIT = fit_time(
    run_table(np.random.default_rng(0), horizons=(131_072, 262_144, 524_288)),
    "a test",
    "bits/byte",
    n_draws=100,
)
RATES = Rates(
    Quantity[float](value=0.004, standing="fitted", source="a fit", interval=(0.003, 0.005))
)


@pytest.fixture
def target():
    return recipe("mini-2.6b")


@pytest.fixture
def plan(target):
    return make_plan(target, corpus_for(target), RATES)


def test_the_fitted_rate_reaches_the_rules(target, plan):
    rate = plan.identity.optimizer.base_lr
    assert rate == RATES.base_lr
    assert (rate.standing, rate.interval[0] < rate.value < rate.interval[1]) == ("fitted", True)
    assert plan.identity.rules == tensor_rules(target.model, target.parametrisation, rate.value)
    assert plan.identity.rules["q_proj"].lr == pytest.approx(2 * rate.value)


def test_a_given_rate_needs_no_fit(target):
    given = target.model_copy(
        update={"optimizer": target.optimizer.model_copy(update={"base_lr": 0.01})}
    )
    rate = make_plan(given, corpus_for(given), None).identity.optimizer.base_lr
    assert (rate.value, rate.standing, rate.interval) == (0.01, "given", None)


def test_the_public_schedule_comes_out_to_the_step():
    total, warmup, decay = 489_553, 119_209, 44_505
    resolved = plan_schedule(
        ScheduleRecipe(warmup_fraction=warmup / total, decay_fraction=decay / total),
        Budget(horizon_tokens=total * 4_718_592, global_batch_tokens=4_718_592),
    )
    got = resolved.n_steps.value, resolved.warmup_steps.value, resolved.decay_steps.value
    assert got == (total, warmup, decay)


@pytest.mark.parametrize(("horizon", "steps"), [(1024, 1), (2047, 1), (2048, 2)])
def test_an_unfilled_batch_is_not_trained(horizon, steps):
    resolved = plan_schedule(
        ScheduleRecipe(warmup_fraction=0.5, decay_fraction=0.5),
        Budget(horizon_tokens=horizon, global_batch_tokens=1024),
    )
    assert resolved.n_steps.value == steps
    assert resolved.warmup_steps.value + resolved.decay_steps.value <= steps


def test_mixture_is_normalised_and_ordered(target):
    odd = dict.fromkeys(target.mixture, 1) | {"sv": 4, "en": 0.5, "fo": 0.5}
    given = changed(changed(target, "mixture", odd), "optimizer.base_lr", 0.01)
    plan = make_plan(given, corpus_for(target), None)
    assert list(plan.identity.data.mixture) == sorted(odd)
    assert sum(plan.identity.data.mixture.values()) == pytest.approx(1)
    assert plan.identity.data.mixture["sv"] == pytest.approx(0.4)


def test_epochs_are_what_the_sampler_reads(target):
    """7 x 128 steps of 8 sequences; 100,000 tokens are 781 windows of 128."""
    odd = changed(changed(target, "mixture.sv", 0.4), "optimizer.base_lr", 0.01)
    plan = make_plan(odd, corpus_for(odd), None)
    shares = plan.identity.data.mixture
    order = TrainingOrder(shares, dict.fromkeys(shares, 781), plan.identity.data.seed)
    read = np.bincount(order.samples(np.arange(896 * 8)).languages)
    assert plan.epochs == {tag: n / 781 for tag, n in zip(sorted(shares), read, strict=True)}
    shown = next(x for x in render_plan(plan).splitlines() if x.startswith("epochs (at most 4): "))
    assert f"sv {plan.epochs['sv']:.4g}" in shown


def test_a_cap_on_epochs_is_the_recipes(target):
    few = corpus_for(target, n_tokens=10_000)
    with pytest.raises(
        UserInputError, match=r"the 10,000 .* would be read 1\d\.\d\d times, .* = 4; so .* 7 more"
    ):
        make_plan(target, few, RATES)
    patient = changed(target, "max_epochs", 12.5)
    plan = make_plan(patient, few, RATES)
    assert (plan.max_epochs, min(plan.epochs.values()) > 10) == (12.5, True)
    enough = corpus_for(target)
    assert (
        make_plan(patient, enough, RATES).fingerprint
        == make_plan(target, enough, RATES).fingerprint
    )


def test_a_mixture_made_for_a_cap_passes_it(target):
    """UniMax puts languages on its cap; whole slots and windows must not throw them over it."""
    tokens = {tag: 30_000 + 17_001 * i for i, tag in enumerate(sorted(target.mixture))}
    shards = corpus_for(target).shards
    corpus = corpus_for(target).model_copy(
        update={
            "shards": tuple(s.model_copy(update={"n_tokens": tokens[s.language]}) for s in shards)
        }
    )
    rule = MixtureRule(method="unimax", max_epochs=1.5)
    made = mix(tokens, rule, target.budget.horizon_tokens)
    capped = changed(changed(target, "mixture", made.shares), "optimizer.base_lr", 0.01)
    plan = make_plan(changed(capped, "max_epochs", 1.5), corpus, None)
    assert max(plan.epochs.values()) == pytest.approx(1.5, rel=0.01)
    with pytest.raises(UserInputError, match=r"more than max_epochs = 1\.4"):
        make_plan(changed(capped, "max_epochs", 1.4), corpus, None)


def test_documents_are_masked_where_the_recipe_says_so(target, plan):
    masked = changed(changed(target, "mask_documents", True), "optimizer.base_lr", 0.01)
    made = make_plan(masked, corpus_for(masked), None)
    assert made.identity.data.mask_documents and not plan.identity.data.mask_documents
    assert "attention: within a document" in render_plan(made)
    with pytest.raises(UserInputError, match="mask_documents"):
        predicted_plan(changed(target, "mask_documents", True), corpus_for(target), FIT)


def test_yaml_round_trip(plan, tmp_path):
    plan.save(tmp_path / "plan.yaml")
    again = Plan.load(tmp_path / "plan.yaml")
    assert again == plan
    assert again.fingerprint == plan.fingerprint


def replaced(node, path, value):
    """Return plain data with one leaf replaced."""
    key, *rest = path
    return {**node, key: replaced(node[key], rest, value) if rest else value}


def leaves(node, path=()):
    if isinstance(node, dict):
        return [leaf for key, item in node.items() for leaf in leaves(item, (*path, key))]
    return [path]


def identity_paths():
    target = recipe("mini-2.6b")
    data = make_plan(target, corpus_for(target), RATES).model_dump(mode="json")
    paths = leaves(data["identity"])
    return [p for p in paths if p[-1] not in ("standing", "source", "interval", "role")]


@pytest.mark.parametrize("path", identity_paths(), ids=".".join)
def test_the_fingerprint_sees_every_value_of_the_identity(plan, path):
    data = plan.model_dump(mode="json")
    old = data["identity"]
    for key in path:
        old = old[key]
    named = {"dtype": "bfloat16", "corpus_fingerprint": "other", "seq_len": 64}
    if path[-2:] == ("global_batch_tokens", "value"):
        named["value"] = 2 * old
    new = named.get(
        path[-1],
        not old if isinstance(old, bool) else None if isinstance(old, str) else (old or 0) + 1,
    )
    changed = replaced(data, ("identity", *path), new)
    # A shape has to stay coherent: heads x width per head is the model's width.
    together = {"d_model": {"n_heads": 16}, "n_heads": {"d_model": 192}, "d_head": {"d_model": 192}}
    if path[0] == "model" and path[-1] in (*together, "n_kv_heads"):
        doubled = {path[-1]: 2 * old, **together.get(path[-1], {})}
        changed = replaced(data, ("identity", "model"), data["identity"]["model"] | doubled)
    assert Plan.check(changed, "test").fingerprint != plan.fingerprint


def test_the_fingerprint_sees_neither_execution_nor_standing(plan):
    data = plan.model_dump(mode="json")
    for path, value in [
        (("execution", "tp"), 2),
        (("execution", "micro_batch_sequences"), 4),
        (("execution", "device"), "cuda"),
        (("execution", "checkpoint_every_steps"), 1),
        (("identity", "optimizer", "base_lr", "source"), "another word"),
        (("identity", "optimizer", "base_lr", "standing"), "given"),
        (("identity", "optimizer", "base_lr", "interval"), None),
        (("name",), "another"),
    ]:
        changed = Plan.check(replaced(data, path, value), "test")
        assert changed != plan
        assert changed.fingerprint == plan.fingerprint


def without_swedish(corpus):
    return corpus.model_copy(update={"shards": corpus.shards[:-1]})


def with_batch(recipe, tokens):
    return recipe.model_copy(
        update={"budget": Budget(horizon_tokens=786_432, global_batch_tokens=tokens)}
    )


def other_tokenizer(corpus):
    tokenizer = corpus.recipe.tokenizer.model_copy(update={"vocab_size": 999})
    changed = corpus.recipe.model_copy(update={"tokenizer": tokenizer})
    return corpus.model_copy(update={"recipe": changed})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda r, c: (r, c, None), "base_lr = sweep, and no fit is at hand"),
        (
            lambda r, c: (r, other_tokenizer(c), RATES),
            "corpus.tokenizer.vocab_size = 2048 here, 999",
        ),
        (
            lambda r, c: (r, corpus_for(r, vocab_size=2049), RATES),
            "vocab_size = 2048 is below.*2049",
        ),
        (lambda r, c: (r, without_swedish(c), RATES), "no train shard for language 'sv'"),
        (lambda r, c: (r, corpus_for(r, n_tokens=128), RATES), "'da' has 128 training tokens.*129"),
        (
            lambda r, c: (
                changed(with_batch(r, 2048), "optimizer.base_lr", 0.01),
                corpus_for(r, n_tokens=150),
                None,
            ),
            "1200 training tokens, fewer than one",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(target, spoil, message):
    spoiled, corpus, rates = spoil(target, corpus_for(target))
    with pytest.raises(UserInputError, match=message) as error:
        make_plan(spoiled, corpus, rates)
    assert "\n" not in str(error.value)
    assert error.value.exit_code == 2


def changed(recipe, path, value):
    return Recipe.check(replaced(recipe.model_dump(mode="json"), path.split("."), value), "test")


@pytest.mark.parametrize(
    ("path", "value", "shown"),
    [
        ("parametrisation.hidden_std", 0.08, "0.08 here, 0.072 there"),
        ("parametrisation.base.base_width", 96, "96 here, 192 there"),
        ("parametrisation.decay", "coupled", "coupled here, independent there"),
        ("schedule.decay_fraction", 0.2, "0.2 here, 0.3 there"),
        ("optimizer.beta2", 0.99, "0.99 here, 0.95 there"),
        ("optimizer.grad_clip", 2.0, "2.0 here, 1.0 there"),
        ("model.seq_len", 64, "64 here, 128 there"),
        ("model.vocab_size", 4096, "4096 here, 2048 there"),
        ("mixture.da", 0.4, "0.31372549 here, 0.125 there"),
        ("dtype", "bfloat16", "bfloat16 here, float32 there"),
    ],
)
def test_a_fit_of_another_family_is_refused_by_the_field_that_differs(target, path, value, shown):
    other = changed(target, path, value)
    if path == "model.seq_len":
        other = changed(other, "execution.micro_batch_sequences", 16)
    with pytest.raises(
        UserInputError, match=rf"another family.*{path} = {shown}.*Sweep a recipe"
    ) as error:
        predicted_plan(other, corpus_for(other), FIT)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("budget.horizon_tokens", 1_572_864),
        ("model.d_ff", 400),
        ("model.n_kv_heads", 4),
        ("seeds.model", 7),
        ("optimizer.base_lr", 0.01),
        ("execution.threads_per_process", 2),
        ("mixture", dict.fromkeys(recipe("mini-proxy").mixture, 1)),
    ],
)
def test_a_family_shares_what_the_fit_or_the_width_accounts_for(target, path, value):
    other = changed(target, path, value)
    assert recipe_family(other) == recipe_family(target) == recipe_family(recipe("mini-proxy"))
    assert make_plan(other, corpus_for(other), RATES).family == recipe_family(target)


def test_a_plan_needs_no_corpus_to_be_made(target):
    given = changed(target, "optimizer.base_lr", 0.01)
    plan, whole = make_plan(given, None, None), make_plan(given, corpus_for(given), None)
    assert plan.identity.data.corpus_fingerprint == NO_CORPUS != corpus_for(given).fingerprint
    assert plan.identity.data.mixture == whole.identity.data.mixture
    assert (plan.epochs, plan.fingerprint != whole.fingerprint) == ({}, True)
    assert plan.identity.rules == whole.identity.rules
    assert "unknown, made without a corpus" in render_plan(plan)
    assert "unknown" not in render_plan(whole)
    with pytest.raises(UserInputError, match="no fit is at hand"):
        make_plan(target, None, None)


def test_a_warmup_in_tokens_is_the_same_at_every_horizon():
    schedule = ScheduleRecipe(warmup_tokens=2048, decay_fraction=0.25)
    for horizon, expected in [(8192, (8, 2, 2)), (16384, (16, 2, 4)), (1024, (1, 1, 0))]:
        it = plan_schedule(schedule, Budget(horizon_tokens=horizon, global_batch_tokens=1024))
        assert (it.n_steps.value, it.warmup_steps.value, it.decay_steps.value) == expected


def test_a_base_that_does_not_divide_is_fine(target):
    given = changed(target, "optimizer.base_lr", 0.01)
    odd = changed(given, "parametrisation.base.base_width", 108)
    plan = make_plan(odd, corpus_for(odd), None)
    assert plan.identity.rules["q_proj"].fan_in_mult == 96 / 108


def test_the_public_recipe_resolves_to_its_published_numbers():
    public = recipe("trustllm-7.8b")
    it = make_plan(public, corpus_for(public, 10**12, 100_000), None).identity
    schedule = it.schedule
    assert it.n_params_total.value == 7_799_574_528
    assert (schedule.n_steps.value, schedule.warmup_steps.value) == (489_553, 119_209)
    assert schedule.decay_steps.value == 44_505
    assert 489_553 - 119_209 - 44_505 - 325_839 == 0, "the constant part is what is left"
    assert (it.optimizer.base_lr.value, it.optimizer.base_lr.standing) == (2**-8, "given")
    assert (it.optimizer.beta1, it.optimizer.beta2, it.optimizer.grad_clip) == (0.9, 0.98, 1.0)
    assert it.global_batch_tokens.value == 1152 * 4096 == 4_718_592
    assert it.horizon_tokens.value == 489_553 * 4_718_592
    assert (it.model.vocab_size, it.model.rope_theta, it.dtype) == (100_096, 5e5, "bfloat16")
    assert len(it.data.mixture) == 17
    for tag, share in public.mixture.items():
        assert it.data.mixture[tag] == pytest.approx(share, abs=5e-5), tag
    assert {rule.weight_decay for rule in it.rules.values()} == {0.01}
    assert {rule.eps for rule in it.rules.values()} == {1e-15}


def test_what_a_recipe_assumes_stays_assumed_in_the_plan():
    guessed = recipe("trustllm-2.6b")
    it = make_plan(guessed, corpus_for(guessed, 10**12, 100_000), None).identity
    assert it.n_params_total.value == 2_591_197_184
    for quantity in (it.optimizer.base_lr, it.horizon_tokens, it.global_batch_tokens):
        assert quantity.standing == "assumed"
    assert guessed.standing("model.n_layers") == "assumed"
    assert guessed.standing("model.d_head") == "given"


def test_the_sweep_is_a_grid_of_plans():
    proxy = recipe("mini-proxy")
    sweep, plans = proxy.sweep, proxy_plans(proxy, corpus_for(proxy))
    size = len(sweep.base_lrs) * len(sweep.horizons_tokens) * len(sweep.seeds)
    assert len({plan.fingerprint for plan in plans}) == len({p.name for p in plans}) == size
    plan = next(p for p in plans if p.name == "mini-proxy-h98304-lr0.004-s1")
    assert plan.identity.optimizer.base_lr.standing == "given"
    assert plan.identity.schedule.n_steps.value == 96
    assert plan.identity.rules["q_proj"].lr == 0.016
    assert plan.grad_accum_steps == 1
    assert (plan.execution.dp, plan.execution.tp, plan.execution.pp) == (1, 1, 1)


def test_a_seed_of_the_sweep_sets_weights_and_data():
    proxy = recipe("mini-proxy")
    seeded = proxy.model_copy(update={"sweep": proxy.sweep.model_copy(update={"seeds": (5, 7)})})
    plans = proxy_plans(seeded, corpus_for(proxy))
    assert {(p.identity.model_seed, p.identity.data.seed) for p in plans} == {(5, 5), (7, 7)}


def test_a_recipe_without_sweep(target):
    with pytest.raises(UserInputError, match="no `sweep` block"):
        proxy_plans(target, corpus_for(target))


def test_a_shown_plan_names_every_number_and_tensor(plan, target):
    text = render_plan(plan)
    for kind, rule in plan.identity.rules.items():
        assert f"{rule.lr:.6g}" in next(x for x in text.splitlines() if x.startswith(kind))
    assert "753,312" in text
    assert plan.fingerprint in text
    assert "fitted" in next(x for x in text.splitlines() if x.startswith("base_lr"))
    assert "753,312" in render_recipe(target)
    assert "base_lr = 1" in render_recipe(target)


def test_the_plan_names_its_recipe_whatever_the_layout(target):
    moved = changed(target, "execution.threads_per_process", 2)
    other = changed(target, "seeds.model", 7)
    names = [make_plan(r, corpus_for(r), RATES).recipe_fingerprint for r in (target, moved, other)]
    assert len(names[0]) == 64
    assert names[0] == names[1] != names[2]
