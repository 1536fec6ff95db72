"""Plans and recipes as readable text: every number with its standing.

Knows layout only; refuses to compute anything that is not in what it shows, parameter counts and
rules of a bare recipe excepted.
"""

from __future__ import annotations

from collections.abc import Mapping

from skald_mup.counts import flops_per_token, n_params_non_embedding, n_params_total
from skald_mup.rules import multipliers, tensor_rules
from skald_mup.shrink import widened
from skald_mup.tables import table_of
from skald_specs.errors import UserInputError
from skald_specs.models import Spec
from skald_specs.outlook import Cost
from skald_specs.parametrisation import Parametrisation
from skald_specs.plan import COVERAGE, Multipliers, Plan, Quantity, TensorKind, TensorRule
from skald_specs.recipe import Recipe
from skald_specs.shape import ModelShape

from skald_planner.display.cost_table import render_cost
from skald_planner.display.layout import aligned
from skald_planner.display.show_outlook import render_outlook
from skald_planner.machine.cost import cost_of, trained_tokens, training_flops


def render_plan(plan: Plan, nodes: int | None = None) -> str:
    """Return a plan as text.

    Args:
        plan: The plan.
        nodes: How many nodes of each machine its cost is shown for; None: as the plan has it.

    Returns:
        Lines: numbers with value, interval, standing and source, then rule table, multipliers and
        execution.
    """
    it = plan.identity
    flops, cost = training_flops(it.model, trained_tokens(plan)), _cost(plan, nodes)
    decay = it.optimizer.weight_decay
    numbers = [
        _row("base_lr", it.optimizer.base_lr),
        _row("horizon_tokens", it.horizon_tokens),
        _row("global_batch_tokens", it.global_batch_tokens),
        _row("n_steps", it.schedule.n_steps),
        _row("warmup_steps", it.schedule.warmup_steps),
        _row("decay_steps", it.schedule.decay_steps),
        _row("n_params_total", it.n_params_total),
        _row("n_params_non_embedding", it.n_params_non_embedding),
        ("training FLOPs", f"{flops:.4g}", "", "derived", "flops_per_token x trained tokens"),
        ("beta1, beta2", f"{it.optimizer.beta1:g}, {it.optimizer.beta2:g}", "", "given", "recipe"),
        *([] if decay is None else [_row("weight_decay", decay)]),
        ("grad_clip", f"{it.optimizer.grad_clip:g}", "", "given", "recipe"),
        ("final_lr_fraction", f"{it.schedule.final_lr_fraction:g}", "", "given", "recipe"),
        ("seeds model, data", f"{it.model_seed}, {it.data.seed}", "", "given", "recipe"),
        ("dtype", it.dtype, "", "given", "recipe"),
    ]
    header = ("number", "value", f"{COVERAGE:.0%} interval", "standing", "source")
    mixture = ", ".join(f"{tag} {share:.4g}" for tag, share in it.data.mixture.items())
    epochs = ", ".join(f"{tag} {count:.4g}" for tag, count in plan.epochs.items())
    return "\n".join(
        [
            f"plan {plan.name}, fingerprint {plan.fingerprint}",
            "",
            *aligned([header, *numbers]),
            "",
            *_shape(it.model),
            "",
            *_rules(it.rules),
            "",
            *_multipliers(it.multipliers),
            "",
            f"mixture (normalised): {mixture}",
            f"epochs (at most {plan.max_epochs:g}): {epochs or 'unknown, made without a corpus'}",
            f"attention: {'within a document' if it.data.mask_documents else 'over the window'}",
            f"corpus fingerprint: {it.data.corpus_fingerprint}",
            f"execution (not in the fingerprint): {_fields(plan.execution)}",
            *(["", *render_outlook(plan.outlook)] if plan.outlook else []),
            *(["", *render_cost(cost)] if cost else []),
        ]
    )


def _cost(plan: Plan, nodes: int | None) -> Cost | None:
    known = plan.outlook.cost if plan.outlook else None
    if nodes is None:
        return known
    asked = cost_of(plan, None, nodes)
    return known.model_copy(update={"sites": asked.sites}) if known else asked


def render_recipe(
    recipe: Recipe,
    d_model: int | None = None,
    n_layers: int | None = None,
    nodes: int | None = None,
) -> str:
    """Return what a recipe resolves to without corpus and fit: counts, rules, multipliers, cost.

    Args:
        recipe: The recipe. Where it leaves the learning rate to the sweep, the table is that of
            base_lr = 1, so its learning rates read as multiples of base_lr.
        d_model: Another width of the same family.
        n_layers: Another depth of the same family.
        nodes: How many nodes of each machine the cost is shown for; None: see `cost.site_cost`.

    Returns:
        Lines of text; every column of the table with its source and standing.

    Raises:
        UserInputError: The family has no such shape, or the rules do not carry to it.
    """
    shape = _sister(recipe, d_model, n_layers)
    given, asked = recipe.parametrisation, recipe.optimizer.base_lr
    base_lr = 1.0 if asked == "sweep" else asked
    note = (
        "base_lr comes from the sweep; the table is that of base_lr = 1"
        if asked == "sweep"
        else f"base_lr = {base_lr:g} ({recipe.standing('optimizer.base_lr')})"
    )
    guessed = [f"assumed in the recipe: {', '.join(recipe.assumed)}"] if recipe.assumed else []
    return "\n".join(
        [
            f"recipe {recipe.name}: {recipe.about}",
            "",
            *_shape(shape),
            f"n_params_total = {n_params_total(shape):,}",
            f"n_params_non_embedding = {n_params_non_embedding(shape):,}",
            f"flops_per_token = {flops_per_token(shape):,}",
            *guessed,
            "",
            f"{note}; rules {given.rules}, base {_fields(given.base)}",
            *_rules(tensor_rules(shape, given, base_lr)),
            "",
            *_multipliers(multipliers(shape, given)),
            "",
            *_basis(given),
            "",
            *render_cost(cost_of(recipe.model_copy(update={"model": shape}), recipe, nodes)),
        ]
    )


def _sister(recipe: Recipe, d_model: int | None, n_layers: int | None) -> ModelShape:
    """Return the recipe's shape at another width or depth, if its rules carry there."""
    shape = recipe.model
    if d_model is not None:
        try:
            shape = widened(shape, d_model)
        except UserInputError as error:
            where = f"recipe {recipe.name}: --width"
            raise UserInputError(where, error.problem, error.remedy) from None
    if n_layers is not None:
        shape = shape.model_copy(update={"n_layers": n_layers})
    try:
        recipe.parametrisation.check_fits(shape)
    except ValueError as error:
        raise UserInputError(f"recipe {recipe.name}", str(error), "") from None
    return shape


def _basis(given: Parametrisation) -> list[str]:
    table = table_of(given.rules, given.depth_alpha)
    rows = [("column", "standing", "source")]
    rows += [(name, basis.standing, basis.source) for name, basis in table.basis.items()]
    return aligned(rows)


def _row(name: str, quantity: Quantity[int] | Quantity[float]) -> tuple[str, ...]:
    value = quantity.value
    shown = f"{value:,}" if isinstance(value, int) else f"{value:.6g}"
    ends = quantity.interval or ()
    interval = " .. ".join(
        f"{end:,.0f}" if isinstance(value, int) else f"{end:.4g}" for end in ends
    )
    return name, shown, interval, quantity.standing, quantity.source


def _shape(shape: ModelShape) -> list[str]:
    return [f"shape: {_fields(shape)}"]


def _fields(spec: Spec) -> str:
    return ", ".join(
        f"{name} {value}" for name, value in spec.model_dump(mode="json", exclude_none=True).items()
    )


def _rules(rules: Mapping[TensorKind, TensorRule]) -> list[str]:
    header = ("tensor", "role", "fan_in_mult", "init_std", "lr", "eps", "weight_decay")
    return aligned(
        [header]
        + [
            (
                kind,
                rule.role,
                *(
                    f"{value:.6g}"
                    for value in (
                        rule.fan_in_mult, rule.init_std, rule.lr, rule.eps, rule.weight_decay
                    )
                ),
            )
            for kind, rule in rules.items()
        ]
    )  # fmt: skip


def _multipliers(values: Multipliers) -> list[str]:
    return [
        f"forward multipliers: emb_mult {values.emb_mult:.6g}, attn_scale {values.attn_scale:.6g}, "
        f"residual_mult {values.residual_mult:.6g}, output_mult {values.output_mult:.6g}"
    ]
