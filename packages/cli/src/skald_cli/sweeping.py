"""`skald sweep`: small proxies over learning rate, batch, width and horizon."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from skald_specs.errors import EXIT_DONE

from skald_cli import places
from skald_cli.parser import Verbs
from skald_cli.scratch import scratch_of_workers

if TYPE_CHECKING:
    from skald_specs.recipe import Recipe


def register(verbs: Verbs) -> None:
    """Add the verbs of this module."""
    group = verbs.group(
        "sweep",
        "train many small proxies, from which learning rates are fitted",
        "The second station: which learning rate and batch are best at small widths and horizons.",
    )
    parser = group.add(
        "run",
        "train the grid of a recipe's sweep block",
        run_sweep,
        more="After `skald corpus build`, before `skald plan fit`; or leave it out and fit a table of "
        "runs of your own. Reads a recipe with a sweep block and a built corpus. Writes one row a run "
        "to runs.parquet. Finished runs are kept: run it again to continue. With --next it trains "
        "nothing and says which runs would tell most.",
        examples={
            "the miniature's sweep": "skald sweep run recipes/mini-proxy.yaml",
            "which five runs to add": (
                "skald sweep run recipes/mini-proxy.yaml --next 5 --towards recipes/mini-7.8b.yaml"
            ),
        },
    )
    parser.add_argument("recipe", type=Path, metavar="RECIPE", help="a file with a sweep block")
    parser.add_argument(
        "--corpus", type=Path, default=places.CORPUS, metavar="DIR", help="built corpus"
    )
    parser.add_argument(
        "--out", type=Path, default=places.SWEEP, metavar="DIR", help="folder to write"
    )
    parser.add_argument(
        "--next",
        type=int,
        metavar="N",
        help="train nothing: propose the N runs that would tell most about an optimum",
    )
    parser.add_argument(
        "--towards",
        type=Path,
        metavar="RECIPE",
        help="whose optimum --next is after; RECIPE itself",
    )
    parser.add_argument(
        "--fit",
        type=Path,
        metavar="FIT",
        help=f"what --next starts from; left out: {places.PLANS / places.FIT_FILE}",
    )


def run_sweep(args: argparse.Namespace) -> int:
    """Train the proxies and write the run table, or propose what to train next."""
    from skald_process.recording import recorded
    from skald_specs.corpus import CorpusManifest
    from skald_specs.errors import UserInputError
    from skald_specs.recipe import Recipe

    recipe = Recipe.load(args.recipe)
    if args.next is not None:
        fit = args.fit or places.PLANS / places.FIT_FILE
        return _propose(recipe, fit, args.next, args.towards)
    if args.towards is not None or args.fit is not None:
        given = "--towards" if args.towards is not None else "--fit"
        raise UserInputError(given, "it belongs to --next", "Add --next N, or leave it out")
    with recorded("sweep", recipe.name) as facts:
        from skald_planner.plans.proxy import proxy_plans
        from skald_trainer.sweep import run_sweep as train_all
        from skald_trainer.trunk import tokens_trained

        plans = proxy_plans(recipe, CorpusManifest.load(args.corpus / places.CORPUS_FILE))
        with scratch_of_workers():
            train_all(plans, args.corpus, args.out)
        facts["tokens_seen"] = tokens_trained(plans)
    print(f"{args.out}: {len(plans)} proxy runs")
    return EXIT_DONE


def _propose(recipe: Recipe, fit: Path, count: int, towards: Path | None) -> int:
    """Print the next runs, and the lines that put them into the recipe."""
    from skald_planner.deciding.proposals import propose
    from skald_specs.recipe import Recipe
    from skald_specs.timefit import TimeFit

    goal = recipe if towards is None else Recipe.load(towards)
    print(propose(recipe, TimeFit.load(fit), count, goal))
    return EXIT_DONE
