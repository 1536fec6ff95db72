"""The part of the muP proof that needs no sweep: slopes, negative control, mutants, eps."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pandas as pd
from skald_mup.coordcheck import Check, check_depths, check_widths
from skald_mup.mutants import MUTANTS
from skald_mup.slopes import CHANGE_BOUND
from skald_mup.tables import MUP, SAME
from skald_report.figures.evidence import coordinate_panels
from skald_specs.claims import Measure
from skald_specs.files import write_text
from skald_specs.parametrisation import Parametrisation, RulesName
from skald_specs.recipe import Recipe

SEEDS = (1, 2, 3)
SP_SLOPE = 0.5
#: At this factor of the loss, gradients of the widest models meet an eps of 1e-8.
SMALL_GRADIENTS = {"loss_mult": 1e-5, "eps": 1e-8}


def measures(folder: Path) -> list[Measure]:
    """Measure and write coordinates.csv, slopes.csv and the figures."""
    recipe = Recipe.load(Path("recipes/mup-transfer.yaml"))
    shape, given = recipe.model, recipe.parametrisation
    names: tuple[RulesName, ...] = ("mup", "sp", "completep", "sp_per_layer")
    checks = {name: check_widths(shape, _under(given, name), seeds=SEEDS) for name in names}
    depths = {
        name: check_depths(shape, _under(given, name), seeds=SEEDS) for name in ("completep", "mup")
    }
    # At one depth CompleteP is muP, and its lines would hide muP's.
    _write(folder, {name: checks[name] for name in ("mup", "sp", "sp_per_layer")}, depths)
    found = [
        _changes("mup", checks["mup"]),
        Measure(
            measure="SP: slope of the residual stream's change (negative control)",
            value=_slope(checks["sp"], "residual"),
            unit="",
            bound=f">= {SP_SLOPE}",
            holds=_slope(checks["sp"], "residual") >= SP_SLOPE,
            detail="5 steps, 3 seeds",
        ),
        _changes("completep", checks["completep"]),
        _changes("sp_per_layer", checks["sp_per_layer"]),
        *over_depth(depths["completep"], depths["mup"]),
    ]
    visible = [mutant for mutant in MUTANTS if mutant.visible]
    missed = [
        mutant.name
        for mutant in visible
        if check_widths(shape, given, seeds=SEEDS, table=mutant.table).holds
    ]
    found.append(
        Measure(
            measure="mutants of the rule table caught",
            value=len(visible) - len(missed),
            unit=f"of {len(visible)}",
            bound=f"= {len(visible)}",
            holds=not missed,
            detail=f"missed: {', '.join(missed)}" if missed else "the attention law: its unit test",
        )
    )
    found += _eps(recipe)
    return found


def _under(given: Parametrisation, rules: RulesName) -> Parametrisation:
    alpha = 1.0 if rules == "completep" else None
    return given.model_copy(update={"rules": rules, "depth_alpha": alpha})


def _slope(check: Check, quantity: str) -> float:
    return next(s.value for s in check.slopes if (s.moment, s.quantity) == ("change", quantity))


def _changes(name: str, check: Check) -> Measure:
    """The steepest slope of any change, over 8x of width."""
    changes = [slope for slope in check.slopes if slope.moment == "change"]
    worst = max(changes, key=lambda slope: abs(slope.value))
    return Measure(
        measure=f"{name}: steepest slope of any change at step {worst.step}, widths 32 to 256",
        value=round(abs(worst.value), 4),
        unit="",
        bound=f"<= {CHANGE_BOUND}",
        holds=abs(worst.value) <= CHANGE_BOUND,
        detail=", ".join(f"{s.quantity} {s.value:+.2f} +- {s.standard_error:.2f}" for s in changes),
    )


def over_depth(scaled: Check, unscaled: Check) -> list[Measure]:
    """Judge the changes over 2 to 16 layers: with the depth rule, and without it as negative control.

    Args:
        scaled: Under CompleteP.
        unscaled: Under muP, which has no depth rule.
    """
    changes = [slope for slope in scaled.slopes if slope.moment == "change"]
    outside = [slope.quantity for slope in changes if not slope.holds]
    told = ", ".join(
        f"{s.quantity} {s.value:+.2f} +- {s.standard_error:.2f} ({s.bounds[0]:g} to {s.bounds[1]:g})"
        for s in changes
    )
    reasons = sorted({slope.reason for slope in changes if slope.reason})
    control = _slope(unscaled, "residual")
    return [
        Measure(
            measure="completep: slopes of changes out of bounds, 2 to 16 layers",
            value=len(outside),
            unit=f"of {len(changes)}",
            bound="= 0",
            holds=not outside,
            detail="; ".join([told, *reasons]),
        ),
        Measure(
            measure="mup without a depth rule: residual slope, 2 to 16 layers (negative control)",
            value=round(control, 3),
            unit="",
            bound=f">= {SP_SLOPE}",
            holds=control >= SP_SLOPE,
            detail=f"5 steps, {len(SEEDS)} seeds",
        ),
    ]


def _eps(recipe: Recipe) -> list[Measure]:
    """One eps for all widths must fail where gradients are small, and the scaled one must not."""
    given = recipe.parametrisation.model_copy(update={"eps": SMALL_GRADIENTS["eps"]})
    unscaled = MUP.changed(tuple(MUP.rows), eps=SAME)
    mult = SMALL_GRADIENTS["loss_mult"]
    good = check_widths(recipe.model, given, seeds=SEEDS, loss_mult=mult)
    bad = check_widths(recipe.model, given, seeds=SEEDS, loss_mult=mult, table=unscaled)
    return [
        Measure(
            measure=f"eps {given.eps:g} at gradients x {mult:g}: the check {verb}",
            value=_slope(check, "residual"),
            unit="slope",
            bound=bound,
            holds=check.holds == wanted,
            detail=", ".join(
                f"{s.quantity} {s.value:+.2f}" for s in check.slopes if s.moment == "change"
            ),
        )
        for verb, check, wanted, bound in (
            ("holds when it shrinks with the width", good, True, "holds"),
            ("fails when it does not", bad, False, "fails"),
        )
    ]


def _write(folder: Path, checks: dict[RulesName, Check], depths: dict[str, Check]) -> None:
    rows = pd.DataFrame(
        [
            {"axis": check.axis, "rules": rules, **asdict(row)}
            for group in (checks, depths)
            for rules, check in group.items()
            for row in check.judged_rows
        ]
    )
    rows.to_csv(folder / "coordinates.csv", index=False, float_format="%.6g")
    fitted = pd.DataFrame(
        [
            {
                "axis": slope.axis, "rules": rules, "moment": slope.moment, "step": slope.step,
                "quantity": slope.quantity, "slope": slope.value,
                "standard_error": slope.standard_error,
            }
            for group in (checks, depths)
            for rules, check in group.items()
            for slope in check.slopes
        ]
    )  # fmt: skip
    fitted.to_csv(folder / "slopes.csv", index=False, float_format="%.4f")
    for axis, own in rows.groupby("axis", sort=False):
        drawing = coordinate_panels(own, str(axis))
        write_text(folder / f"{drawing.name}.svg", drawing.svg + "\n")
