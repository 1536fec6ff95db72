"""The part of the muP proof that trains sweeps: learning rates over width and over depth.

The readout's initial standard deviation is tuned at the base, where all parametrisations are one and
the same, before anything wider is trained. SP takes the best value there. muP takes the largest of
those that the base cannot tell from the best, because its initial logits fade with width.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from _grammar_corpus import grammar_corpus
from scipy import stats
from skald_mup.shrink import widened
from skald_planner.fitting.stability import best_lrs, drift
from skald_planner.plans.proxy import proxy_plans
from skald_report.figures.evidence import optimum_lines, transfer_curves
from skald_specs.claims import Measure
from skald_specs.corpus import CorpusManifest
from skald_specs.errors import SkaldError
from skald_specs.files import write_text
from skald_specs.parametrisation import RulesName
from skald_specs.plan import Plan
from skald_specs.recipe import Recipe, SweepRecipe
from skald_trainer.sweep import CURVES_FILE, TABLE_FILE, run_sweep

WIDTHS, DEPTHS, SEEDS = (32, 64, 128, 256), (2, 4, 8, 16), (1, 2, 3)
#: log2 of the base learning rates, around where each optimum is: muP's and CompleteP's stay, SP's
#: falls by an octave a doubling (arXiv 2203.03466, figure 1).
GRIDS: dict[str, dict[int, tuple[float, ...]]] = {
    "mup": {
        32: (-7, -6.5, -6, -5.5, -5, -4.5, -4),
        64: (-7, -6.5, -6, -5.5, -5, -4.5),
        128: (-7, -6.5, -6, -5.5, -5, -4.5),
        256: (-6, -5.5, -5, -4.5),
    },
    "sp": {64: (-8, -7, -6, -5), 128: (-9, -8, -7, -6), 256: (-10, -9, -8, -7)},
    "completep": dict.fromkeys(DEPTHS, (-7, -6.5, -6, -5.5, -5)),
    "mup over depth": {DEPTHS[-1]: (-7, -6.5, -6, -5.5)},
}
OUTPUT_STDS = tuple(factor / math.sqrt(32) for factor in (1.0, 2.0, 4.0, 8.0))
#: Mean losses at the base closer than this share are one: seeds scatter by a little more.
SAME_LOSS = 0.01
MUP_DRIFT, SP_DRIFT, DEPTH_DRIFT = 0.5, 2.0, 0.3
#: What a drift may be by its interval's outer end: a factor of two of learning rate.
MOST_BY_INTERVAL = 1.0
#: What any two optima may lie apart: a step of the grids that they were found on.
MOST_APART = 0.5
#: Steps averaged for one logged loss of the comparison of widths.
LOGGED_STEPS = 10


@dataclass(frozen=True)
class Case:
    """One parametrisation at one shape."""

    rules: str
    recipe: Recipe
    log2_lrs: tuple[float, ...]


def measures(folder: Path) -> list[Measure]:
    """Train, measure, and write tables and figures."""
    width_recipe = Recipe.load(Path("recipes/mup-transfer.yaml"))
    depth_recipe = Recipe.load(Path("recipes/mup-depth.yaml"))
    corpus, manifest = grammar_corpus(folder, width_recipe)
    sweeps = _Sweeps(folder, corpus, manifest)

    tuning = sweeps.run("readout", [_tuning_case(width_recipe, std) for std in OUTPUT_STDS])[0]
    tuned, told = _tuned(tuning)
    found = [told]
    widths, curves = sweeps.run("width", _width_cases(width_recipe, tuned))
    depths, _ = sweeps.run("depth", _depth_cases(_with_std(depth_recipe, tuned["mup"])))
    # At the base SP trains as muP does, to the last bit (a test holds it), so its runs are there.
    base = tuning[np.isclose(tuning["output_std"], tuned["sp"])].assign(rules="sp")
    widths = pd.concat([widths, base], ignore_index=True)
    _written(folder, "width", widths)
    found += _drifts(folder, widths, depths)
    return [*found, *_quality(widths, curves), _against_no_depth_rule(depths)]


class _Sweeps:
    """Runs sweeps into the proof's folder; finished runs of an earlier call are kept."""

    def __init__(self, folder: Path, corpus: Path, manifest: CorpusManifest) -> None:
        self.folder, self.corpus, self.manifest = folder, corpus, manifest

    def run(self, name: str, cases: Sequence[Case]) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Train every case; return its runs (with `rules`, `output_std`) and their loss curves."""
        plans: list[Plan] = []
        labels = {}
        for case in cases:
            for plan in proxy_plans(_swept(case), self.manifest):
                plans.append(plan)
                labels[plan.fingerprint] = case
        out = self.folder / name
        run_sweep(plans, self.corpus, out, kept=self.folder / "runs")
        runs = pd.read_parquet(out / TABLE_FILE)
        runs["rules"] = [labels[f].rules for f in runs["fingerprint"]]
        runs["output_std"] = [
            labels[f].recipe.parametrisation.output_std for f in runs["fingerprint"]
        ]
        _written(self.folder, name, runs)
        return runs, pd.read_parquet(out / CURVES_FILE)


def _written(folder: Path, name: str, runs: pd.DataFrame) -> None:
    columns = ["rules", "width", "depth", "output_std", "horizon_tokens", "lr", "seed", "loss"]
    table = runs[[*columns, "diverged"]]
    table.to_csv(folder / f"{name}.csv", index=False, float_format="%.6g")


def _swept(case: Case) -> Recipe:
    shape, recipe = case.recipe.model, case.recipe
    name = f"{case.rules.replace(' ', '-')}-w{shape.d_model}-l{shape.n_layers}"
    sweep = SweepRecipe(
        base_lrs=tuple(2.0**x for x in case.log2_lrs),
        horizons_tokens=(recipe.budget.horizon_tokens,),
        seeds=SEEDS,
        validation_tokens=recipe.sweep.validation_tokens if recipe.sweep else None,
    )
    std = f"-o{recipe.parametrisation.output_std:.3g}"
    return recipe.model_copy(update={"name": name + std, "sweep": sweep})


def _with_std(recipe: Recipe, std: float) -> Recipe:
    given = recipe.parametrisation.model_copy(update={"output_std": std})
    return recipe.model_copy(update={"parametrisation": given})


def _under(recipe: Recipe, rules: RulesName, **shape: int) -> Recipe:
    given = recipe.parametrisation.model_copy(
        update={"rules": rules, "depth_alpha": 1.0 if rules == "completep" else None}
    )
    model = widened(recipe.model, shape.get("d_model", recipe.model.d_model))
    model = model.model_copy(update={"n_layers": shape.get("n_layers", model.n_layers)})
    return recipe.model_copy(update={"parametrisation": given, "model": model})


def _tuning_case(recipe: Recipe, std: float) -> Case:
    return Case("mup", _with_std(recipe, std), (-6, -5.5, -5, -4.5))


def _width_cases(recipe: Recipe, output_stds: dict[RulesName, float]) -> list[Case]:
    return [
        Case(rules, _under(_with_std(recipe, std), rules, d_model=width), GRIDS[rules][width])
        for rules, std in output_stds.items()
        for width in GRIDS[rules]
    ]


def _depth_cases(recipe: Recipe) -> list[Case]:
    deepened = [
        Case("completep", _under(recipe, "completep", n_layers=depth), GRIDS["completep"][depth])
        for depth in DEPTHS
    ]
    deepest = DEPTHS[-1]
    unscaled = recipe.parametrisation.base.model_copy(update={"base_depth": None})
    control = _under(recipe, "mup", n_layers=deepest)
    given = control.parametrisation.model_copy(update={"base": unscaled})
    control = control.model_copy(update={"parametrisation": given})
    return [*deepened, Case("mup", control, GRIDS["mup over depth"][deepest])]


def _tuned(runs: pd.DataFrame) -> tuple[dict[RulesName, float], Measure]:
    losses = [
        float(runs[np.isclose(runs["output_std"], std)].groupby("lr")["loss"].mean().min())
        for std in OUTPUT_STDS
    ]
    best = min(losses)
    tuned: dict[RulesName, float] = {
        "mup": max(
            std for std, loss in zip(OUTPUT_STDS, losses, strict=True)
            if loss <= best * (1 + SAME_LOSS)
        ),
        "sp": OUTPUT_STDS[losses.index(best)],
    }  # fmt: skip
    root = math.sqrt(WIDTHS[0])
    at_best = ", ".join(
        f"{std * root:.2g}: {loss:.4f}" for std, loss in zip(OUTPUT_STDS, losses, strict=True)
    )
    return tuned, Measure(
        measure="readout init of muP, tuned at the base before anything wider",
        value=round(tuned["mup"] * root, 3),
        unit="/ sqrt(32)",
        bound="inside 1 .. 8",
        holds=OUTPUT_STDS[0] < tuned["mup"] < OUTPUT_STDS[-1],
        detail=f"SP: {tuned['sp'] * root:.2g}; bits per byte at the best rate: {at_best}",
    )


def _drifts(folder: Path, widths: pd.DataFrame, depths: pd.DataFrame) -> list[Measure]:
    mup, sp = (widths[widths["rules"] == rules] for rules in ("mup", "sp"))
    deepened = depths[depths["rules"] == "completep"]
    found = [
        *drift_measures("muP", mup, "width", MUP_DRIFT),
        *drift_measures("SP", sp, "width", SP_DRIFT, control=True),
        *drift_measures("CompleteP", deepened, "depth", DEPTH_DRIFT),
    ]
    _draw(folder, widths, "width", "learning-rate-width")
    _draw(folder, deepened, "depth", "learning-rate-depth")
    return found


def drift_measures(
    label: str, runs: pd.DataFrame, along: str, bound: float, control: bool = False
) -> list[Measure]:
    """Judge how far the best learning rate moves: its estimate, its interval, and any two sizes.

    Args:
        label: What the rows call the parametrisation.
        runs: Its runs.
        along: The column that holds the size.
        bound: Octaves between the smallest and the largest size.
        control: Whether it must move by the bound or more, by its interval too.

    Returns:
        The rows; a single one where no optimum is to be found.
    """
    sizes = sorted(runs[along].unique())
    where, sign = f"{along} {sizes[0]} to {sizes[-1]}", ">=" if control else "<="
    name = f"{label}: drift of the best learning rate, {where}"
    try:
        moved, optima = drift(runs, along), best_lrs(runs, [along]).sort_values(along)
    except SkaldError as error:
        return [
            Measure(
                measure=name, value=None, unit="octaves", bound=f"{sign} {bound:g}", holds=False,
                detail=str(error),
            )
        ]  # fmt: skip
    half = moved.standard_error * float(stats.t.ppf(0.975, len(SEEDS) - 1))
    size, told = abs(moved.octaves), f"{moved.octaves:+.2f} +- {moved.standard_error:.2f}"
    end = size - half if control else size + half
    by_interval = bound if control else MOST_BY_INTERVAL
    found = [
        Measure(
            measure=name,
            value=round(size, 3),
            unit="octaves",
            bound=f"{sign} {bound:g}",
            holds=size >= bound if control else size <= bound,
            detail=f"{told} over {len(SEEDS)} seeds; vertices of parabolas at "
            + _of_sizes(optima[along], optima["log2_lr"], "2^{:.2f}")
            + f"; {_grid_told(runs, along)}",
        ),
        Measure(
            measure=f"{label}: {'lower' if control else 'upper'} 95 % end of the drift, {where}",
            value=round(end, 3),
            unit="octaves",
            bound=f"{sign} {by_interval:g}",
            holds=end >= by_interval if control else end <= by_interval,
            detail=f"{told}, Student's t with {len(SEEDS) - 1} degrees of freedom: "
            f"{moved.octaves - half:+.2f} to {moved.octaves + half:+.2f}",
        ),
    ]
    if not control:
        found.append(_any_two(label, where, optima.set_index(along)["log2_lr"]))
    return found


def _any_two(label: str, where: str, optima: pd.Series[float]) -> Measure:
    apart = float(optima.max() - optima.min())
    return Measure(
        measure=f"{label}: best learning rates of any two sizes, {where}",
        value=round(apart, 3),
        unit="octaves",
        bound=f"<= {MOST_APART:g}",
        holds=apart <= MOST_APART,
        detail=f"the furthest apart: {optima.idxmin()} and {optima.idxmax()}",
    )


def _grid_told(runs: pd.DataFrame, along: str) -> str:
    """Say how fine each size's grid is and which of its rates is best: no vertex is surer than that."""
    # Rates are rounded where tables are written.
    steps, best = [], []
    sizes = sorted(runs[along].unique())
    for size in sizes:
        own = runs[runs[along] == size]
        steps.append(round(float(np.diff(np.log2(np.sort(own["lr"].unique()))).min()), 2))
        best.append(round(math.log2(_best(own)[0]), 2))
    told = _of_sizes(sizes, steps, "{:g}") if len(set(steps)) > 1 else f"{steps[0]:g}"
    return f"best of the grid {_of_sizes(sizes, best, '2^{:g}')}; its steps, octaves: {told}"


def _of_sizes(sizes: Iterable[int], values: Iterable[float], form: str) -> str:
    pairs = zip(sizes, values, strict=True)
    return ", ".join(f"{size}: {form.format(value)}" for size, value in pairs)


def _draw(folder: Path, runs: pd.DataFrame, along: str, name: str) -> None:
    try:
        optima = best_lrs(runs, ["rules", along])
    except SkaldError as error:
        print(f"no figure {name}: {error}", flush=True)
        return
    optima.to_csv(folder / f"optima-{along}.csv", index=False, float_format="%.5g")
    for drawing in (
        transfer_curves(runs, optima, name, along),
        optimum_lines(optima, f"optimum-{along}", along),
    ):
        write_text(folder / f"{drawing.name}.svg", drawing.svg + "\n")


def _quality(widths: pd.DataFrame, curves: pd.DataFrame) -> list[Measure]:
    """Transferred muP against tuned SP at the widest, and wider against narrower over training."""
    mup, widest = widths[widths["rules"] == "mup"], WIDTHS[-1]
    base = best_lrs(mup[mup["width"] == WIDTHS[0]], ["width"])["log2_lr"].iloc[0]
    offered = sorted(set(np.log2(mup[mup["width"] == widest]["lr"])))
    log2_lr = min(offered, key=lambda x: abs(x - base))
    at = mup[np.isclose(np.log2(mup["lr"]), log2_lr)]
    ours = at[at["width"] == widest].set_index("seed")["loss"]
    theirs = widths[(widths["rules"] == "sp") & (widths["width"] == widest)]
    sp_lr, tuned = _best(theirs)
    paired = ours - tuned
    detail = (
        f"muP {ours.mean():.4f} at 2^{log2_lr:g}, the grid's rate nearest the base optimum "
        f"2^{base:.2f}; SP {tuned.mean():.4f} at its best, 2^{math.log2(sp_lr):g}; paired "
        f"difference {paired.mean():+.4f} +- {paired.sem():.4f}"
    )
    better = Measure(
        measure=f"muP at the transferred rate against SP at its own best, width {widest}",
        value=round(float(paired.mean()), 4),
        unit="bits/byte",
        bound="<= 0",
        holds=float(paired.mean()) <= 0,
        detail=detail,
    )
    return [better, _wider(at, curves)]


def _best(runs: pd.DataFrame) -> tuple[float, pd.Series[float]]:
    """Return the learning rate with the lowest mean loss, and its losses by seed."""
    mean = runs.groupby("lr")["loss"].mean()
    lr = min(set(runs["lr"]), key=lambda one: mean[one])
    return float(lr), runs[runs["lr"] == lr].set_index("seed")["loss"]


def _against_no_depth_rule(depths: pd.DataFrame) -> Measure:
    deepest = depths[depths["depth"] == DEPTHS[-1]]
    (ours_lr, ours), (theirs_lr, theirs) = (
        _best(deepest[deepest["rules"] == rules]) for rules in ("completep", "mup")
    )
    paired = (ours - theirs).to_numpy(dtype=np.float64)
    mean, error = float(paired.mean()), float(paired.std(ddof=1)) / math.sqrt(len(paired))
    return Measure(
        measure=f"CompleteP against muP without a depth rule, {DEPTHS[-1]} layers, each at its best",
        value=round(mean, 4),
        unit="bits/byte",
        bound="<= 0",
        holds=mean <= 0,
        detail=f"{ours.to_numpy().mean():.4f} at 2^{math.log2(ours_lr):g}, {theirs.to_numpy().mean():.4f} at "
        f"2^{math.log2(theirs_lr):g}; paired difference {mean:+.4f} +- {error:.4f}",
    )


def _wider(runs: pd.DataFrame, curves: pd.DataFrame) -> Measure:
    """Count logged steps at which a wider model is worse than the next narrower one."""
    joined = curves.merge(runs[["fingerprint", "width", "seed"]], on="fingerprint")
    n_steps = int(joined["step"].max())
    joined["block"] = (joined["step"] - 1) // LOGGED_STEPS
    # Rows are seeds, columns logged steps; the warmup, a tenth of the run, is left out.
    warm = joined[joined["block"] * LOGGED_STEPS >= n_steps // 10]
    logged = {
        width: warm[warm["width"] == width]
        .pivot_table(index="seed", columns="block", values="loss_nats")
        .to_numpy(dtype=np.float64)
        for width in WIDTHS
    }
    worse, n_compared, closest = 0, 0, -math.inf
    for narrow, wide in pairwise(WIDTHS):
        excess = logged[wide] - logged[narrow]
        mean, error = excess.mean(axis=0), excess.std(axis=0, ddof=1) / math.sqrt(len(excess))
        worse += int((mean > 2 * error).sum())
        n_compared += len(mean)
        closest = max(closest, float(mean.max()))
    return Measure(
        measure="wider is better: logged steps after warmup at which a wider model is worse",
        value=worse,
        unit=f"of {n_compared}",
        bound="= 0",
        holds=worse == 0,
        detail=f"means of {LOGGED_STEPS} steps, {len(SEEDS)} paired seeds, by more than two standard "
        f"errors; largest mean excess {closest:+.3f} nats",
    )
