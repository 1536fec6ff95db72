"""`skald launch`: a job script for a cluster, from a plan or from exports to evaluate.

Writes a file and prints the command that submits it; it never submits anything itself.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skald_specs.errors import EXIT_DONE, UserInputError
from skald_specs.guesses import offer

from skald_cli import places
from skald_cli.parser import Verbs

if TYPE_CHECKING:
    from skald_specs.execution import ExecutionRecipe
    from skald_specs.site import Site


def register(verbs: Verbs) -> None:
    """Add the verb of this module."""
    parser = verbs.add(
        "launch",
        "write a Slurm job script that trains or evaluates",
        run_launch,
        more="On a cluster, in place of `skald train` or `skald evaluate`. Reads a plan, or exports with "
        "--evaluate, and a site: a file under sites/ that says what a node has. Writes a script and "
        "prints the command that submits it; it submits nothing. A job that ends early goes back into "
        "the queue and continues. See docs/cluster.md.",
        examples={
            "train": "skald launch artifacts/plan/mini-7.8b.yaml --site generic-slurm",
            "evaluate, one job a suite": (
                "skald launch artifacts/exports/mini-7.8b --site generic-slurm --evaluate core"
            ),
            "on items of your own": (
                "skald launch artifacts/exports/mini-7.8b --site generic-slurm --evaluate ud "
                "--items my/items"
            ),
        },
    )
    parser.add_argument(
        "inputs", type=Path, nargs="+", metavar="PLAN", help="a plan; exports with --evaluate"
    )
    parser.add_argument(
        "--site", required=True, metavar="SITE", help="a name under sites/, or a file like those"
    )
    parser.add_argument(
        "--account", metavar="NAME", help="who pays for the job, unless the site's file says"
    )
    parser.add_argument("--time", metavar="D-HH:MM:SS", help="limit of one job, unless the site's")
    parser.add_argument("--container", metavar="IMAGE", help="run in this Apptainer image")
    parser.add_argument(
        "--evaluate", action="append", metavar="SUITE", help="a job array, one suite in each job"
    )
    parser.add_argument(
        "--items",
        action="append",
        metavar="[SUITE=]DIR",
        help="with --evaluate: folder of the items, of one suite or of all others",
    )
    parser.add_argument(
        "--languages",
        nargs="+",
        metavar="TAG[,TAG...]",
        help="with --evaluate: only these languages",
    )
    parser.add_argument(
        "--models",
        nargs="+",
        default=[],
        metavar="MODEL_NAME",
        help="with --evaluate: models of others beside the exports, fetched before",
    )
    parser.add_argument(
        "--resume", type=Path, metavar="CHECKPOINT", help="what a converted model starts from"
    )
    parser.add_argument(
        "--corpus", type=Path, default=places.CORPUS, metavar="DIR", help="built corpus"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of all runs, or of all suites"
    )
    parser.add_argument(
        "--script", type=Path, metavar="FILE", help="the script; logs lie beside it"
    )


def run_launch(args: argparse.Namespace) -> int:
    """Write the script, print the command that submits it."""
    from skald_specs.files import write_text

    site = load_site(args.site, account=args.account, time=args.time, container=args.container)
    # An image of this machine's; others (docker://...) are apptainer's to find.
    if args.container and "://" not in args.container and not Path(args.container).exists():
        raise UserInputError(
            args.container, "no such image", "Build it (docs/cluster.md), or leave --container out"
        )
    name, text, script = _evaluation(args, site) if args.evaluate else _training(args, site)
    write_text(script, text)
    print(
        f"{name} on {site.name}: {_summary(text)}; from the root of the checkout:", file=sys.stderr
    )
    print(f"sbatch {shlex.quote(str(script))}")
    return EXIT_DONE


def load_site(name: str, **overrides: str | None) -> Site:
    """Read a site by its name under `sites/`, or by its path; overrides replace its fields.

    Args:
        name: A name without suffix, or a path that ends in `.yaml`.
        **overrides: Fields by name, each an option of the same name; None and absent ones leave the
            file's value.

    Raises:
        UserInputError: There is no such site, its file or an override breaks a rule, or it needs an
            account and has none.
    """
    from skald_specs.files import read_yaml
    from skald_specs.site import Site, seconds_of

    path = Path(name) if name.endswith(".yaml") else places.SITES / f"{name}.yaml"
    if not path.is_file():
        raise UserInputError(
            "--site", *_unknown(name, sorted(p.stem for p in places.SITES.glob("*.yaml")))
        )
    site = Site.check(read_yaml(path), str(path))
    if site.name != path.stem:
        raise UserInputError(
            str(path), f"`name` = {site.name!r}, unlike the file", "Make the two the same"
        )
    limit = site.time
    for field, value in overrides.items():
        if value is not None:
            if field == "time":
                _require_time(value)
            site = Site.check({**site.model_dump(), field: value}, f"--{field}")
    if seconds_of(site.time) > seconds_of(limit):
        print(
            f"note: --time {site.time} is more than the {limit} of {path}; Slurm may refuse the job",
            file=sys.stderr,
        )
    if site.account_needed and not site.account:
        raise UserInputError(
            str(path), "`account` is empty", "Name yours there or by --account ACCOUNT"
        )
    return site


def _require_time(value: str) -> None:
    from pydantic import TypeAdapter, ValidationError
    from skald_specs.site import Time

    try:
        TypeAdapter(Time).validate_python(value)
    except ValidationError:
        raise UserInputError(
            "--time",
            f"{value!r} is no limit as Slurm writes it",
            "Write 08:00:00 (hours), or 2-00:00:00 (days)",
        ) from None


def nodes_for(site: Site, execution: ExecutionRecipe) -> int:
    """Return how many nodes a layout fills.

    Args:
        site: The cluster.
        execution: The layout, and what else of a plan a node must have.

    Returns:
        Nodes; 1 where the layout takes a part of one.

    Raises:
        UserInputError: It fills no whole number of nodes, or wants what the nodes do not have.
    """
    here, total = site.processes_per_node, execution.world_size
    layout = f"dp {execution.dp} x tp {execution.tp} x pp {execution.pp} = {total} processes"
    if total > here and total % here:
        raise UserInputError(
            "execution", f"{layout} do not fill nodes of {here} on {site.name}",
            f"Change the layout to a multiple of {here}",
        )  # fmt: skip
    kind = "no GPUs" if not site.gpus_per_node else f"{site.gpus_per_node} GPUs a node"
    if execution.device == ("cpu" if site.gpus_per_node else "cuda"):
        raise UserInputError(
            "execution.device", f"{execution.device}, but {site.name} has {kind}", "Use auto"
        )
    if execution.threads_per_process > site.cpus_per_process:
        raise UserInputError(
            "execution.threads_per_process",
            f"{execution.threads_per_process} exceeds cpus_per_process = {site.cpus_per_process} "
            f"of {site.name}", "Use fewer threads",
        )  # fmt: skip
    return max(1, total // here)


def _training(args: argparse.Namespace, site: Site) -> tuple[str, str, Path]:
    from skald_specs.plan import Plan

    from skald_cli.jobscript import training_script

    if len(args.inputs) > 1:
        raise UserInputError(
            "PLAN", f"{len(args.inputs)} are named", "Name one, or a suite by --evaluate"
        )
    for option in ("items", "languages", "models"):
        if getattr(args, option):
            raise UserInputError(
                f"--{option}", "is for an evaluation", "Add --evaluate SUITE, or leave it out"
            )
    if (args.inputs[0] / "config.json").is_file():
        raise UserInputError(
            str(args.inputs[0]), "an export, not a plan", "Add --evaluate SUITE, such as core"
        )
    plan = Plan.load(args.inputs[0])
    plan.check_corpus_known()  # refused here, before a job waits in the queue for it
    script = args.script or places.LAUNCH / f"{plan.name}.{site.name}.sbatch"
    words = ["train", args.inputs[0], "--corpus", args.corpus, "--out", args.out or places.RUNS]
    if args.resume is not None:
        words += ["--resume", args.resume]
    elif plan.identity.start_weights_sha256 is not None:
        raise UserInputError(
            str(args.inputs[0]), "the plan starts from given weights",
            "Name their checkpoint with --resume",
        )  # fmt: skip
    nodes = nodes_for(site, plan.execution)
    text = training_script(
        site, plan.name, plan.execution, nodes, [str(word) for word in words], _interpreter(),
        _logs(script),
    )  # fmt: skip
    return plan.name, text, script


def _evaluation(args: argparse.Namespace, site: Site) -> tuple[str, str, Path]:
    from skald_harness.tasks.suites import suite_names

    from skald_cli.evaluating import items_by_suite
    from skald_cli.jobscript import evaluation_script

    known = suite_names(places.EVALS)
    for suite in args.evaluate:
        if suite not in known:
            raise UserInputError("--evaluate", *_unknown(suite, known))
    for folder in args.inputs:
        if not (folder / "config.json").is_file():
            raise UserInputError(str(folder), "no export here", "Run `skald export` first")
    items = items_by_suite(args.evaluate, args.items or [])
    for suite in items:
        _require_items(suite, items[suite])
    script = args.script or places.LAUNCH / f"evaluate.{site.name}.sbatch"
    words = ["evaluate", *args.inputs, "--corpus", args.corpus]
    words += ["--out", args.out or places.EVALUATIONS]
    for option in ("languages", "models"):
        if chosen := getattr(args, option):
            words += [f"--{option}", *chosen]
    text = evaluation_script(
        site, items, [str(word) for word in words], _interpreter(), _logs(script)
    )
    return "evaluate", text, script


def _require_items(suite: str, folder: Path) -> None:
    """Refuse a suite that has nothing to ask, before a job waits in the queue for it."""
    from skald_harness.tasks.items import languages_with_items
    from skald_harness.tasks.suites import HUB, list_tasks

    if suite != HUB and not languages_with_items(list_tasks(suite), folder):
        raise UserInputError(
            "--items", f"{folder} has nothing for suite {suite}", f"Name its folder: {suite}=DIR"
        )


def _interpreter() -> Path:
    """Return this environment's Python, from the checkout where it lies in it."""
    python = Path(sys.executable)
    return python.relative_to(Path.cwd()) if python.is_relative_to(Path.cwd()) else python


def _logs(script: Path) -> Path:
    """Return the script's folder, if an `#SBATCH` line can name it."""
    from pydantic import TypeAdapter, ValidationError
    from skald_specs.site import Word

    try:
        TypeAdapter(Word).validate_python(str(script.parent))
    except ValidationError:
        raise UserInputError(
            "--script", f"{script.parent} cannot stand in an #SBATCH line",
            "Use letters, digits and ._/-",
        ) from None  # fmt: skip
    return script.parent


def _unknown(name: str, known: Sequence[str]) -> tuple[str, str]:
    return f"no {name!r}", offer(name, known)


def _summary(text: str) -> str:
    wanted: Any = ("--nodes=", "--cpus-per-task=", "--gres=", "--time=", "--array=")
    options = [line.removeprefix("#SBATCH ") for line in text.splitlines()]
    return " ".join(option.lstrip("-") for option in options if option.startswith(wanted))
