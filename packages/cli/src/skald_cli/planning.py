"""`skald sweep` and `skald plan`: from a recipe to proxy runs, a law, and resolved numbers."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from skald_specs.errors import EXIT_DONE

from skald_cli import places
from skald_cli.parser import Verbs

if TYPE_CHECKING:
    from skald_specs.plan import Plan
    from skald_specs.recipe import Recipe


def register(verbs: Verbs) -> None:
    """Add the verbs of this module."""
    group = verbs.group("sweep", "train a grid of small proxies")
    parser = group.add("run", "train the grid of a recipe's sweep block", run_sweep)
    parser.add_argument("recipe", type=Path, metavar="RECIPE", help="a file with a sweep block")
    parser.add_argument("--corpus", type=Path, default=places.CORPUS, help="built corpus")
    parser.add_argument("--out", type=Path, default=places.SWEEP, help="folder to write")

    group = verbs.group("plan", "resolve every number of a run")
    parser = group.add(
        "fit",
        "a recipe with a sweep block yields the law (law.json), any other one its plan",
        run_fit,
    )
    parser.add_argument(
        "recipes", type=Path, nargs="+", metavar="RECIPE", help="files under recipes/"
    )
    parser.add_argument("--sweep", type=Path, default=places.SWEEP, help="folder of the run table")
    parser.add_argument("--corpus", type=Path, default=places.CORPUS, help="built corpus")
    parser.add_argument("--out", type=Path, default=places.PLANS, help="folder to write")
    parser = group.add("show", "print the numbers of a plan, recipe or law", run_show)
    parser.add_argument(
        "file", type=Path, metavar="PLAN_OR_RECIPE", help="a plan, a recipe or law.json"
    )
    parser.add_argument(
        "--width", type=int, metavar="D_MODEL", help="the recipe's sister of another width"
    )
    parser.add_argument(
        "--depth", type=int, metavar="N_LAYERS", help="the recipe's sister of another depth"
    )
    parser.add_argument(
        "--nodes", type=int, metavar="N", help="show days and layouts for N nodes of each machine"
    )
    parser = group.add("compare", "put two plans or recipes side by side", run_compare)
    parser.add_argument("left", type=Path, metavar="PLAN_OR_RECIPE", help="a plan or a recipe")
    parser.add_argument("right", type=Path, metavar="PLAN_OR_RECIPE", help="the other one")
    parser = group.add("memory", "predict the bytes a GPU needs, by layout", run_memory)
    parser.add_argument("file", type=Path, metavar="PLAN_OR_RECIPE", help="a plan or a recipe")
    parser.add_argument(
        "--layout",
        action="append",
        default=[],
        metavar="DP,TP,PP",
        help="a layout to look at instead of searching for ones that fit; may be repeated",
    )


def run_sweep(args: argparse.Namespace) -> int:
    """Train the proxies and write the run table."""
    from skald_specs.corpus import CorpusManifest
    from skald_specs.manifest import recorded
    from skald_specs.recipe import Recipe

    recipe = Recipe.load(args.recipe)
    with recorded("sweep", recipe.name) as facts:
        from skald_planner.proxy import proxy_plans
        from skald_trainer.sweep import run_sweep as train_all
        from skald_trainer.trunk import tokens_trained

        plans = proxy_plans(recipe, CorpusManifest.load(args.corpus / places.CORPUS_FILE))
        train_all(plans, args.corpus, args.out)
        facts["tokens_seen"] = tokens_trained(plans)
    print(f"{args.out}: {len(plans)} proxy runs")
    return EXIT_DONE


def run_fit(args: argparse.Namespace) -> int:
    """Fit the law of the recipe that sweeps; write the plans of the others."""
    from skald_specs.recipe import Recipe

    recipes = [Recipe.load(path) for path in args.recipes]
    # The law comes first, whatever the order of the words: the plans read it.
    for recipe in sorted(recipes, key=lambda recipe: recipe.sweep is None):
        if recipe.sweep is not None:
            _write_law(recipe, args.sweep, args.out / places.LAW_FILE)
        else:
            _write_plan(recipe, args.corpus, args.out)
    return EXIT_DONE


def _write_law(recipe: Recipe, sweep: Path, out: Path) -> None:
    from skald_specs.errors import UserInputError
    from skald_specs.manifest import recorded

    with recorded("law", recipe.name):
        import pandas as pd
        from skald_planner.fit import fit_law

        table = sweep / "runs.parquet"
        if not table.is_file():
            raise UserInputError(str(table), "no such run table", "Run `skald sweep run` first")
        try:
            rows = pd.read_parquet(table)
        except (OSError, ValueError) as error:
            raise UserInputError(
                str(table), f"no run table ({error})", "Run `skald sweep run` again"
            ) from None
        if set(rows.get("width", [])) != {recipe.model.d_model}:
            raise UserInputError(
                str(table),
                "the runs of another recipe's sweep",
                "Run `skald sweep run` with this one",
            )
        fit_law(rows).save(out)
    print(f"{out}: fitted on {table}")


def _write_plan(recipe: Recipe, corpus: Path, out: Path) -> None:
    from skald_specs.manifest import recorded

    with recorded("plan", recipe.name) as facts:
        from skald_planner.law import Law
        from skald_planner.resolve import make_plan
        from skald_specs.corpus import CorpusManifest
        from skald_specs.order import readings

        law, law_file = None, out / places.LAW_FILE
        if recipe.optimizer.base_lr == "sweep" and law_file.is_file():
            law = Law.load(law_file)
        plan = make_plan(recipe, CorpusManifest.load(corpus / places.CORPUS_FILE), law)
        plan.save(out / f"{plan.name}.yaml")
        facts["plan_fingerprint"] = plan.fingerprint
    steps, base_lr = plan.identity.schedule.n_steps.value, plan.identity.optimizer.base_lr
    print(
        f"{out / plan.name}.yaml: {steps} steps, base_lr {base_lr.value:.4g} {base_lr.standing}, "
        f"epochs {readings(plan.epochs)}"
    )


def run_show(args: argparse.Namespace) -> int:
    """Print what a file resolves; which kind of file it is shows in its keys."""
    from skald_planner.law import Law
    from skald_planner.show import render_law, render_plan, render_recipe
    from skald_specs.errors import UserInputError
    from skald_specs.files import read_yaml
    from skald_specs.plan import Plan
    from skald_specs.recipe import Recipe

    # JSON is YAML, so one reader serves plans, recipes and laws.
    value, where = read_yaml(args.file), str(args.file)
    keys = set(value) if isinstance(value, dict) else set()
    resolved = {"identity": Plan, "optima": Law}
    kind = next((spec for key, spec in resolved.items() if key in keys), Recipe)
    if kind is not Recipe and (args.width or args.depth):
        raise UserInputError(where, f"a {kind.__name__.lower()} has one shape", "Name a recipe")
    if args.nodes is not None and (args.nodes < 1 or kind is Law):
        problem = (
            "a law runs on no machine" if kind is Law else f"{args.nodes} is no number of nodes"
        )
        raise UserInputError("--nodes", problem, "Name a plan or a recipe, and 1 or more")
    if kind is Plan:
        print(render_plan(Plan.check(value, where), args.nodes))
    elif kind is Law:
        print(render_law(Law.check(value, where)))
    else:
        recipe = Recipe.check(value, where)
        print(render_recipe(recipe, args.width, args.depth, args.nodes))
    return EXIT_DONE


def run_memory(args: argparse.Namespace) -> int:
    """Print what each layout needs of a GPU, and which cards have it."""
    from skald_planner.memory_states import Setting
    from skald_planner.memory_table import render_memory

    layouts = [_layout(words) for words in args.layout]
    source = _plan_or_recipe(args.file)
    print(render_memory(source.name, Setting.of(source), layouts))
    return EXIT_DONE


def run_compare(args: argparse.Namespace) -> int:
    """Print two plans or recipes side by side."""
    from skald_planner.compare import render_compare

    print(render_compare(_plan_or_recipe(args.left), _plan_or_recipe(args.right)))
    return EXIT_DONE


def _plan_or_recipe(path: Path) -> Plan | Recipe:
    """Read either; which one it is shows in its keys."""
    from skald_specs.files import read_yaml
    from skald_specs.plan import Plan
    from skald_specs.recipe import Recipe

    value, where = read_yaml(path), str(path)
    if isinstance(value, dict) and "identity" in value:
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
