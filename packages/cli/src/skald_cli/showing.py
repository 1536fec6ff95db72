"""`skald plan show`, `compare`, `memory`: what plans and recipes resolve to, read and set side by side."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from skald_specs.errors import EXIT_DONE

from skald_cli.parser import Verbs

if TYPE_CHECKING:
    from skald_specs.plan import Plan
    from skald_specs.recipe import Recipe


def register(verbs: Verbs) -> None:
    """Add the verbs of this module."""
    # What the group says of itself stands with `plan fit`.
    group = verbs.group("plan")
    parser = group.add(
        "show",
        "print the numbers of a plan, a recipe or a fit, with where they are from",
        run_show,
        more="Whenever you want to see what a file means. Reads a plan, a recipe or fit.json, told "
        "apart by their keys; writes nothing.",
        examples={
            "every number of a plan": "skald plan show artifacts/plan/mini-7.8b.yaml",
            "parameters, memory and days of a recipe on eight nodes": (
                "skald plan show recipes/trustllm-7.8b.yaml --nodes 8"
            ),
            "what the sweep said": "skald plan show artifacts/plan/fit.json",
        },
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="a plan, a recipe or fit.json")
    parser.add_argument(
        "--width", type=int, metavar="D_MODEL", help="the recipe's sister of another width"
    )
    parser.add_argument(
        "--depth", type=int, metavar="N_LAYERS", help="the recipe's sister of another depth"
    )
    parser.add_argument(
        "--nodes", type=int, metavar="N", help="show days and layouts for N nodes of each machine"
    )
    parser = group.add(
        "compare",
        "put two plans or recipes side by side",
        run_compare,
        more="To see what one change costs or brings. Reads two plans or recipes; writes nothing.",
        examples={
            "two sizes": (
                "skald plan compare recipes/trustllm-2.6b.yaml recipes/trustllm-7.8b.yaml"
            )
        },
    )
    parser.add_argument("left", type=Path, metavar="PLAN_OR_RECIPE", help="a plan or a recipe")
    parser.add_argument("right", type=Path, metavar="PLAN_OR_RECIPE", help="the other one")
    parser = group.add(
        "memory",
        "predict the bytes that a GPU needs, by layout",
        run_memory,
        more="Before choosing dp, tp, pp and micro batch. Reads a plan or a recipe; writes nothing. "
        "Without --layout it looks for layouts that fit known cards.",
        examples={
            "which layouts fit": "skald plan memory recipes/trustllm-7.8b.yaml",
            "one of them": "skald plan memory recipes/trustllm-7.8b.yaml --layout 8,4,1",
        },
    )
    parser.add_argument("file", type=Path, metavar="PLAN_OR_RECIPE", help="a plan or a recipe")
    parser.add_argument(
        "--layout",
        action="append",
        default=[],
        metavar="DP,TP,PP",
        help="a layout to look at instead of searching for ones that fit; may be repeated",
    )


def run_show(args: argparse.Namespace) -> int:
    """Print what a file resolves; which kind of file it is shows in its keys.

    Args:
        args: `file`, `width`, `depth` and `nodes`, see `register`.

    Returns:
        The exit code.

    Raises:
        UserInputError: The file is no recipe, plan or fit, or an option does not go with it.
    """
    from skald_planner.display.show import render_plan, render_recipe
    from skald_planner.display.show_fit import render_fit
    from skald_specs.errors import UserInputError
    from skald_specs.files import read_yaml
    from skald_specs.kinds import check_kind, kind_of
    from skald_specs.plan import Plan
    from skald_specs.recipe import Recipe
    from skald_specs.timefit import TimeFit

    # JSON is YAML, so one reader serves plans, recipes and fits.
    value, where = read_yaml(args.file), str(args.file)
    check_kind(value, where, "recipe", "plan", "fit")
    kind = kind_of(value) or "recipe"
    if kind != "recipe" and (args.width or args.depth):
        raise UserInputError(where, "only a recipe has sisters", "Name a recipe")
    if args.nodes is not None and (args.nodes < 1 or kind == "fit"):
        problem = (
            "a fit runs on no machine" if kind == "fit" else f"{args.nodes} is no number of nodes"
        )
        raise UserInputError("--nodes", problem, "Name a plan or a recipe, and 1 or more")
    if kind == "plan":
        print(render_plan(Plan.check(value, where), args.nodes))
    elif kind == "fit":
        print(render_fit(TimeFit.check(value, where)))
    else:
        recipe = Recipe.check(value, where)
        print(render_recipe(recipe, args.width, args.depth, args.nodes))
    return EXIT_DONE


def run_memory(args: argparse.Namespace) -> int:
    """Print what each layout needs of a GPU, and which cards have it."""
    from skald_planner.display.show_memory import render_memory
    from skald_planner.machine.memory_states import Setting

    layouts = [_layout(words) for words in args.layout]
    source = _plan_or_recipe(args.file)
    print(render_memory(source.name, Setting.of(source), layouts))
    return EXIT_DONE


def run_compare(args: argparse.Namespace) -> int:
    """Print two plans or recipes side by side."""
    from skald_planner.display.compare import render_compare

    print(render_compare(_plan_or_recipe(args.left), _plan_or_recipe(args.right)))
    return EXIT_DONE


def _plan_or_recipe(path: Path) -> Plan | Recipe:
    """Read either; which one it is shows in its keys."""
    from skald_specs.files import read_yaml
    from skald_specs.kinds import check_kind, kind_of
    from skald_specs.plan import Plan
    from skald_specs.recipe import Recipe

    value, where = read_yaml(path), str(path)
    check_kind(value, where, "recipe", "plan")
    if kind_of(value) == "plan":
        return Plan.check(value, where)
    return Recipe.check(value, where)


def _layout(words: str) -> tuple[int, int, int]:
    """Read `dp,tp,pp`."""
    from skald_specs.errors import UserInputError

    numbers = words.split(",")
    if len(numbers) != 3 or not all(n.strip().isdecimal() and int(n) > 0 for n in numbers):
        raise UserInputError(
            "--layout", f"{words!r} is not dp,tp,pp", "Give three whole numbers, as in 8,2,1"
        )
    dp, tp, pp = (int(n) for n in numbers)
    return dp, tp, pp
