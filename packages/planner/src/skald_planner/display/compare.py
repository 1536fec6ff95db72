"""Two plans or recipes side by side: what each comes to, and by how much they differ.

Knows which facts a reader compares; a plan's cost and outlook are taken as they stand in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from skald_mup.counts import n_params_non_embedding, n_params_total
from skald_mup.rules import tensor_rules
from skald_specs.outlook import Cost, Outlook
from skald_specs.plan import Plan, TensorKind, TensorRule
from skald_specs.recipe import Recipe, normalised
from skald_specs.shape import ModelShape
from skald_specs.timefit import Estimate

from skald_planner.display.layout import aligned, amount
from skald_planner.machine.cost import cost_of, trained_tokens
from skald_planner.plans.schedule import plan_schedule

#: A name and a value are cut to this, so that a row keeps to 100 columns.
NAME_WIDTH, VALUE_WIDTH = 30, 28
FROM_SWEEP = "from the sweep"


class Cell(NamedTuple):
    """One fact of one side. Numbers have a ratio, words are the same or not; `shown` is the text."""

    value: float | str
    shown: str

    @classmethod
    def of(cls, value: float | str) -> Cell:
        """Return a fact shown as it is."""
        if isinstance(value, bool):
            return cls.of("yes" if value else "no")
        if isinstance(value, str):
            return cls(value, value)
        whole = isinstance(value, int) or (value.is_integer() and value < 1e9)
        return cls(value, f"{value:,.0f}" if whole else f"{value:.4g}")


class Row(NamedTuple):
    """A fact of both sides; None: that side does not say."""

    name: str
    left: Cell | None
    right: Cell | None

    @property
    def differs(self) -> bool:
        """Whether both sides say something, and not the same."""
        return bool(self.left and self.right and self.left.value != self.right.value)

    @property
    def ratio(self) -> float | None:
        """Right over left; None where they are equal, no numbers, or not positive."""
        if not self.differs or self.left is None or self.right is None:
            return None
        left, right = self.left.value, self.right.value
        if isinstance(left, str) or isinstance(right, str) or left <= 0 or right <= 0:
            return None
        return right / left


def compare(left: Plan | Recipe, right: Plan | Recipe) -> list[Row]:
    """Return the facts of two plans or recipes, each a row, in reading order.

    Args:
        left: One.
        right: The other; ratios are this one over the first.
    """
    ours, theirs = facts_of(left), facts_of(right)
    names = list(ours)
    for before, name in zip((None, *theirs), theirs, strict=False):
        if name not in ours:
            names.insert(names.index(before) + 1 if before else 0, name)
    rows = [Row(name, ours.get(name), theirs.get(name)) for name in names]
    shares = _mixture(left), _mixture(right)
    for tag in sorted({*shares[0], *shares[1]}):
        # Rounded: the same mixture in another scale differs in its last bits.
        share = [Cell.of(float(f"{side.get(tag, 0.0):.9f}")) for side in shares]
        if share[0] != share[1]:
            rows.append(Row(f"mixture.{tag}", *share))
    return rows


def facts_of(source: Plan | Recipe) -> dict[str, Cell]:
    """Return what a plan or a recipe comes to, by name, in reading order."""
    shape, rules, facts = _shape(source), _rules(source), _schedule(source)
    values: dict[str, float | str] = shape.model_dump(mode="json")
    values["n_params_total"] = n_params_total(shape)
    values["n_params_non_embedding"] = n_params_non_embedding(shape)
    values |= facts
    values["tokens a parameter"] = trained_tokens(source) / n_params_total(shape)
    values |= _rates(source, rules, int(facts["n_steps"]))
    run = source.execution
    values["dp, tp, pp"] = f"{run.dp}, {run.tp}, {run.pp}"
    outlook = source.outlook if isinstance(source, Plan) else None
    cells = {name: Cell.of(value) for name, value in values.items()}
    return cells | _expected(outlook) | _costs(_cost(source, outlook))


def _shape(source: Plan | Recipe) -> ModelShape:
    return source.identity.model if isinstance(source, Plan) else source.model


def _mixture(source: Plan | Recipe) -> dict[str, float]:
    return source.identity.data.mixture if isinstance(source, Plan) else normalised(source.mixture)


def _rules(source: Plan | Recipe) -> Mapping[TensorKind, TensorRule]:
    """Return the rule table; that of base_lr = 1 where a recipe leaves it to the sweep."""
    if isinstance(source, Plan):
        return source.identity.rules
    asked = source.optimizer.base_lr
    return tensor_rules(source.model, source.parametrisation, 1.0 if asked == "sweep" else asked)


def _schedule(source: Plan | Recipe) -> dict[str, int]:
    if isinstance(source, Plan):
        it = source.identity
        planned, horizon = it.schedule, it.horizon_tokens.value
        batch = it.global_batch_tokens.value
    else:
        planned = plan_schedule(source.schedule, source.budget)
        horizon, batch = source.budget.horizon_tokens, source.budget.global_batch_tokens
    return {
        "horizon_tokens": horizon,
        "global_batch_tokens": batch,
        "n_steps": planned.n_steps.value,
        "warmup_steps": planned.warmup_steps.value,
        "decay_steps": planned.decay_steps.value,
    }


def _rates(
    source: Plan | Recipe, rules: Mapping[TensorKind, TensorRule], n_steps: int
) -> dict[str, float | str]:
    hidden = rules["q_proj"]
    # An independent decay removes the same share in a step whatever the learning rate.
    removed = hidden.lr * hidden.weight_decay
    found: dict[str, float | str] = {}
    given = (
        source.optimizer.base_lr
        if isinstance(source, Recipe)
        else source.identity.optimizer.base_lr.value
    )
    if given == "sweep":
        names = ("base_lr", "lr of hidden matrices", "lr of the embedding", "weight_decay, hidden")
        found = dict.fromkeys(names, FROM_SWEEP)
        if isinstance(source, Recipe) and source.parametrisation.decay == "coupled":
            removed = 0.0
    else:
        found["base_lr"] = given
        found["lr of hidden matrices"] = hidden.lr
        found["lr of the embedding"] = rules["embedding"].lr
        found["weight_decay, hidden"] = hidden.weight_decay
    if removed * n_steps > 0:
        found["tau_ema"] = 1.0 / (removed * n_steps)
    return found


def _expected(outlook: Outlook | None) -> dict[str, Cell]:
    cells = {}
    if outlook and outlook.final_loss is not None:
        name = ", ".join(filter(None, ("expected loss", outlook.loss_unit)))
        cells[name] = _with_interval(outlook.final_loss, ".4g")
    if outlook and outlook.regret is not None:
        cells["expected regret, of the loss"] = _with_interval(outlook.regret, ".2%")
    return cells


def _with_interval(estimate: Estimate, form: str) -> Cell:
    low, high = estimate.interval
    return Cell(estimate.value, f"{estimate.value:{form}} ({low:{form}} .. {high:{form}})")


def _cost(source: Plan | Recipe, outlook: Outlook | None) -> Cost:
    if outlook is not None and outlook.cost is not None:
        return outlook.cost
    return cost_of(source, source if isinstance(source, Recipe) else None)


def _costs(cost: Cost) -> dict[str, Cell]:
    cells = {"training FLOPs": Cell.of(cost.training_flops)}
    if cost.sweep_share is not None:
        cells["sweep, share of FLOPs"] = Cell(cost.sweep_share, f"{cost.sweep_share:.3%}")
    for site in cost.sites:
        cells[f"{site.site}: GPU-hours"] = Cell(site.gpu_hours, amount(site.gpu_hours))
        cells[f"{site.site}: MWh"] = Cell(site.energy_mwh, amount(site.energy_mwh))
        days = f"{amount(site.days)} on {site.nodes:,} nodes"
        cells[f"{site.site}: days"] = Cell(site.days, days)
    return cells


def render_compare(left: Plan | Recipe, right: Plan | Recipe) -> str:
    """Return two plans or recipes side by side as text.

    Args:
        left: One.
        right: The other.

    Returns:
        A table of at most 100 columns: each fact of both, and how many times the first one's the
        second one's is where they differ.
    """
    rows = [
        (row.name, row.left.shown if row.left else "-", row.right.shown if row.right else "-",
         _difference(row))
        for row in compare(left, right)
    ]  # fmt: skip
    header = ("", _titled(left), _titled(right), "right / left")
    table = [[_cut(cell, i) for i, cell in enumerate(row)] for row in (header, *rows)]
    return "\n".join(aligned(table))


def _titled(source: Plan | Recipe) -> str:
    return f"{'plan' if isinstance(source, Plan) else 'recipe'} {source.name}"


def _cut(cell: str, column: int) -> str:
    width = VALUE_WIDTH if column in (1, 2) else NAME_WIDTH
    return cell if len(cell) <= width else f"{cell[: width - 3]}..."


def _difference(row: Row) -> str:
    if row.ratio is not None:
        return f"{row.ratio:,.4g} x"
    return "differs" if row.differs else ""
