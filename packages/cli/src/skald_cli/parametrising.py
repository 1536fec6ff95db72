"""`skald mup`: does this recipe's parametrisation do what it promises?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from skald_specs.errors import EXIT_CLAIM_FAILED, EXIT_DONE

from skald_cli import places
from skald_cli.parser import Verbs

if TYPE_CHECKING:
    from skald_mup.coordcheck import Check


def register(verbs: Verbs) -> None:
    """Add the verbs of this module."""
    group = verbs.group(
        "mup",
        "check that a parametrisation does what it promises",
        "muP carries learning rates from small widths to large ones; see docs/mup.md.",
    )
    parser = group.add(
        "coord-check",
        "does any activation depend on the model's size?",
        run_coord_check,
        more="Before trusting a recipe's parametrisation. Reads a recipe and no text; trains its small "
        "sisters for five steps. Writes two tables and a figure; exits 1 where an activation grows or "
        "shrinks with the width.",
        examples={
            "widths": "skald mup coord-check recipes/mini-proxy.yaml",
            "depths, too": "skald mup coord-check recipes/mup-depth.yaml --depths 2 4 8",
        },
    )
    parser.add_argument("recipe", type=Path, metavar="RECIPE", help="a file under recipes/")
    parser.add_argument(
        "--widths", type=int, nargs="+", metavar="D_MODEL", default=[32, 64, 128, 256],
        help="residual widths to compare, at least three",
    )  # fmt: skip
    parser.add_argument(
        "--depths", type=int, nargs="+", metavar="N_LAYERS", default=[],
        help="also compare numbers of layers, at least three",
    )  # fmt: skip
    parser.add_argument(
        "--seeds", type=int, default=5, metavar="N", help="seeds of weights and batch"
    )
    parser.add_argument(
        "--scale-heads", action="store_true",
        help="let d_head grow with the width instead of the number of heads",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=places.COORD_CHECK, metavar="DIR", help="folder of all checks"
    )


def run_coord_check(args: argparse.Namespace) -> int:
    """Check widths, and depths where asked; write tables and a figure; the verdict is the exit code."""
    from skald_specs.errors import UserInputError
    from skald_specs.parametrisation import RULES
    from skald_specs.recipe import Recipe

    recipe = Recipe.load(args.recipe)
    if args.seeds < 1:
        raise UserInputError("--seeds", f"{args.seeds} is not a positive number", "Use 5")
    from skald_mup.coordcheck import check_depths, check_widths

    asked, seeds = recipe.optimizer.base_lr, range(1, args.seeds + 1)
    base_lr = None if asked == "sweep" else asked
    rules = recipe.parametrisation.rules
    checks = [
        check_widths(
            recipe.model, recipe.parametrisation, base_lr, args.widths, seeds, args.scale_heads
        )
    ]
    if args.depths:
        checks.append(
            check_depths(recipe.model, recipe.parametrisation, base_lr, args.depths, seeds)
        )
    for check in checks:
        print(_rendered(recipe.name, rules, check), end="\n\n")
    _write(checks, args.out / recipe.name)
    good = all(check.holds for check in checks)
    hint = "" if good or not args.depths or RULES[rules].scales_depth else (
        f"; rules {rules!r} do not scale depth"
    )  # fmt: skip
    print(f"{recipe.name}: {'holds' if good else 'does NOT hold'}{hint}; {args.out / recipe.name}")
    return EXIT_DONE if good else EXIT_CLAIM_FAILED


def _rendered(name: str, rules: str, check: Check) -> str:
    sizes = sorted({row.d_model if check.axis == "width" else row.n_layers for row in check.rows})
    seeds = len({row.seed for row in check.rows})
    lines = [
        f"coordinate check of {name} (rules {rules}): {check.axis}s {' '.join(map(str, sizes))}, "
        f"{seeds} seed{'s' if seeds > 1 else ''}",
        f"run here: {', '.join(check.notes) or 'as in the recipe'}",
        f"{'activation':<16}{'when':<18}{'slope':>8} +- se    {'bounds':<16} holds",
    ]
    for slope in check.slopes:
        when = "at step 0" if slope.moment == "initial" else f"change, step {slope.step}"
        low, high = slope.bounds
        bounds = f"{low:+.2f} .. {high:+.2f}"
        lines.append(
            f"{slope.quantity:<16}{when:<18}{slope.value:>+8.2f} +- {slope.standard_error:<5.2f} "
            f"{bounds:<16} {'yes' if slope.holds else 'NO'}{slope.reason and f'  ({slope.reason})'}"
        )
    return "\n".join(lines)


def _write(checks: list[Check], out: Path) -> None:
    from dataclasses import asdict

    import pandas as pd
    from skald_report.figures.evidence import coordinate_panels
    from skald_specs.files import atomic_folder, write_text

    rows = pd.concat(
        [pd.DataFrame([{"axis": c.axis, **asdict(row)} for row in c.judged_rows]) for c in checks]
    )
    fitted = pd.DataFrame(
        [
            {
                **{k: v for k, v in asdict(slope).items() if k != "bounds"},
                "low": slope.bounds[0],
                "high": slope.bounds[1],
                "holds": slope.holds,
            }
            for check in checks
            for slope in check.slopes
        ]
    )
    with atomic_folder(out, marker="slopes.csv") as folder:
        rows.to_csv(folder / "coordinates.csv", index=False)
        fitted.to_csv(folder / "slopes.csv", index=False)
        for axis, own in rows.groupby("axis", sort=False):
            drawing = coordinate_panels(own, str(axis))
            write_text(folder / f"{drawing.name}.svg", drawing.svg + "\n")
