"""`skald plan fit` and `skald plan predict`: from a table of runs to a fit, from a recipe to its plan."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from skald_specs.errors import EXIT_DONE

from skald_cli import places
from skald_cli.parser import Verbs

if TYPE_CHECKING:
    from skald_specs.columns import ColumnMap
    from skald_specs.corpus import CorpusManifest
    from skald_specs.recipe import Recipe
    from skald_specs.timefit import TimeFit


def register(verbs: Verbs) -> None:
    """Add the verbs of this module."""
    group = verbs.group(
        "plan",
        "from recipes to plans: every number resolved, with its standing",
        "The third station. A recipe says what a run is; its plan says what follows: each number given, "
        "derived, fitted (with an interval) or assumed. The trainer reads nothing but a plan.",
    )
    parser = group.add(
        "fit",
        "fit how learning rate and batch move with the horizon, from a table of runs",
        run_fit,
        more="After a sweep, or with any table of runs (CSV or Parquet). Reads the table, and a column "
        "map where its columns have other names. Writes fit.json with intervals, which "
        "`skald plan predict` reads. See docs/time-transfer.md.",
        examples={
            "the sweep of this checkout": "skald plan fit artifacts/sweep",
            "a table of others": (
                "skald plan fit my-runs.csv --columns recipes/columns/steplaw.yaml --out build/fit.json"
            ),
        },
    )
    parser.add_argument(
        "runs", type=Path, metavar="RUNS", help="Parquet or CSV, or the folder of a sweep"
    )
    parser.add_argument(
        "--columns", type=Path, metavar="MAP", help="YAML that says where a foreign table has what"
    )
    parser.add_argument("--schedule", metavar="NAME", help="fit the runs of this schedule only")
    parser.add_argument(
        "--out",
        type=Path,
        default=places.PLANS / places.FIT_FILE,
        metavar="FILE",
        help="file to write",
    )
    parser = group.add(
        "predict",
        "write the plan of a recipe, with what it expects",
        run_predict,
        more="Before training. Reads recipes, the built corpus and, where a recipe leaves a number to "
        "the sweep, the fit. Writes one plan a recipe: learning rate, batch, steps and mixture with "
        "their standing, the loss it expects, and what not knowing better costs. Refuses what lies "
        "beyond the fit's data until you insist.",
        examples={
            "both baselines of the miniature": (
                "skald plan predict recipes/mini-2.6b.yaml recipes/mini-7.8b.yaml"
            ),
            "what would be planned, before there is a corpus": (
                "skald plan predict recipes/trustllm-7.8b.yaml --no-corpus --out build/plan"
            ),
        },
    )
    parser.add_argument(
        "recipes", type=Path, nargs="+", metavar="RECIPE", help="files under recipes/"
    )
    parser.add_argument(
        "--fit",
        type=Path,
        metavar="FIT",
        help="what a sweep said; where the recipe gives its rate, what it would have chosen. Left out: "
        f"{places.PLANS / places.FIT_FILE}, for recipes that leave a number to the sweep",
    )
    parser.add_argument(
        "--corpus", type=Path, default=places.CORPUS, metavar="DIR", help="built corpus"
    )
    parser.add_argument(
        "--no-corpus", action="store_true", help="plan without a corpus; such a plan does not train"
    )
    parser.add_argument(
        "--extrapolate",
        action="store_true",
        help="answer far beyond the sweep, leaning on published exponents",
    )
    parser.add_argument(
        "--untransferred",
        action="store_true",
        help="the control: the optimum of the longest swept horizon, not carried to the recipe's",
    )
    parser.add_argument(
        "--out", type=Path, default=places.PLANS, metavar="DIR", help="folder to write"
    )


def run_fit(args: argparse.Namespace) -> int:
    """Fit a table of runs."""
    from skald_process.recording import recorded
    from skald_specs.errors import ClaimError, UserInputError

    table = args.runs / places.RUNS_FILE if args.runs.is_dir() else args.runs
    with recorded("fit", args.runs.stem):
        from skald_planner.fitting.runs import read_runs
        from skald_planner.fitting.transfer import fit_time
        from skald_process.progress import part
        from skald_specs.columns import ColumnMap
        from skald_specs.files import sha256_file

        columns = None if args.columns is None else ColumnMap.load(args.columns)
        rows = read_runs(table, columns, args.schedule)
        try:
            with part(f"fitting {len(rows):,} runs"):
                fit = fit_time(rows, _source(table, columns), _unit(columns), sha256_file(table))
        except UserInputError as error:
            raise UserInputError(str(table), error.problem, error.remedy) from None
        except ClaimError as error:
            raise ClaimError(f"{table}: {error}") from None
        fit.save(args.out)
    for note in rows.attrs.get("notes", ()):
        print(note)
    for gap in fit.offered:
        print(f"not shown: {gap}")
    print(f"{args.out}: {fit.table.n_runs} runs, {fit.table.n_in_fit} near an optimum; see it with")
    print(f"  skald plan show {args.out}")
    return EXIT_DONE


def _source(table: Path, columns: ColumnMap | None) -> str:
    return columns.source if columns is not None and columns.source else str(table)


def _unit(columns: ColumnMap | None) -> str:
    return "bits/byte" if columns is None else columns.loss_unit


def run_predict(args: argparse.Namespace) -> int:
    """Write the plans of recipes."""
    from skald_specs.recipe import Recipe

    for path in args.recipes:
        _write_plan(Recipe.load(path), args)
    return EXIT_DONE


def _write_plan(recipe: Recipe, args: argparse.Namespace) -> None:
    from skald_process.recording import recorded
    from skald_specs.plan import UNTRANSFERRED

    with recorded("plan", recipe.name + (UNTRANSFERRED if args.untransferred else "")) as facts:
        from skald_planner.deciding.predicted import predicted_plan
        from skald_planner.display.show_outlook import brief
        from skald_specs.order import readings

        plan = predicted_plan(
            recipe,
            None if args.no_corpus else _corpus(args.corpus),
            _fit(recipe, args.fit),
            extrapolate=args.extrapolate,
            untransferred=args.untransferred,
            fit_name=f"the fit {args.fit or places.PLANS / places.FIT_FILE}",
        )
        plan.save(args.out / f"{plan.name}.yaml")
        facts["plan_fingerprint"] = plan.fingerprint
    steps, base_lr = plan.identity.schedule.n_steps.value, plan.identity.optimizer.base_lr
    between = (
        "" if base_lr.interval is None else f" [{base_lr.interval[0]:g}, {base_lr.interval[1]:g}]"
    )
    print(
        f"{args.out / plan.name}.yaml: {steps} steps, base_lr {base_lr.value:.4g}{between} "
        f"{base_lr.standing}, epochs {readings(plan.epochs)}"
    )
    if plan.outlook is not None:
        for line in brief(plan.outlook):
            print(f"  {line}")


def _corpus(folder: Path) -> CorpusManifest:
    from skald_specs.corpus import CorpusManifest
    from skald_specs.errors import UserInputError

    path = folder / places.CORPUS_FILE
    if not path.exists():
        remedy = "Build it with `skald corpus build`, or plan with --no-corpus"
        raise UserInputError(str(path), "no such file", remedy)
    return CorpusManifest.load(path)


def _fit(recipe: Recipe, asked: Path | None) -> TimeFit | None:
    """Read the fit that was asked for, or the cycle's where the recipe needs one.

    A missing one is the planner's to name.
    """
    from skald_specs.timefit import TimeFit

    if asked is not None:
        return TimeFit.load(asked)
    path = places.PLANS / places.FIT_FILE
    needed = recipe.optimizer.base_lr == "sweep" or recipe.budget.batch_from_sweep
    return TimeFit.load(path) if needed and path.is_file() else None
