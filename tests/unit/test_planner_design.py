"""The next runs: the telling ones, for their work, and none that tell nothing."""

import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import yaml
from skald_mup.counts import n_params_non_embedding
from skald_planner.deciding.design import Candidate, Target, next_runs
from skald_planner.deciding.proposals import candidates, render_proposals
from skald_planner.fitting.cells import near_best, points_of
from skald_planner.fitting.joint import solve
from skald_planner.fitting.surface import surface_of
from skald_specs.errors import UserInputError
from skald_specs.recipe import SweepRun
from skald_specs.timefit import FamilyFit, FittedRun, TableFacts, TimeFit
from support_planner import GRID, recipe, run_table

WIDTH, SIZE, BATCH = 48, 90_192, 1024
HORIZONS = (131_072, 262_144)
TARGET = Target(SIZE, 1_048_576, BATCH)


def fitted(table) -> TimeFit:
    """A power law on a table, with the draws of its covariance."""
    points = points_of(table, near_best(table))
    surface = surface_of("power", points, size_terms=False)
    found = solve(surface, points)
    draws = np.random.default_rng(0).multivariate_normal(found.values, found.covariance, 4000)
    family = FamilyFit(
        kind="power", names=surface.names, values=tuple(found.values),
        draws=tuple(map(tuple, draws)), held_out_error=None, weight=1.0,
    )  # fmt: skip
    used = set(points.rows)
    runs = tuple(
        FittedRun(
            width=row.width, depth=row.depth, n_params_non_embedding=row.n_params_non_embedding,
            horizon_tokens=row.horizon_tokens, global_batch_tokens=row.global_batch_tokens,
            lr=row.lr, seed=row.seed, loss=row.loss, diverged=False, in_fit=i in used,
        )
        for i, row in enumerate(table.itertuples())
    )  # fmt: skip
    return TimeFit.model_construct(
        runs=runs, centre=points.centre, families=(family,), noise_sd=found.noise_sd,
        table=TableFacts.model_construct(n_runs=len(runs)),
    )  # fmt: skip


@pytest.fixture(scope="module")
def fit() -> TimeFit:
    return fitted(run_table(np.random.default_rng(0)))


def candidate(log2_lr, flops=1.0, seed=1, batch=BATCH, horizons=HORIZONS) -> Candidate:
    run = SweepRun(base_lr=2.0**log2_lr, width=WIDTH, global_batch_tokens=batch, seed=seed)
    return Candidate(run, SIZE, horizons, flops)


def saved(fit, *candidates, count=1):
    return next_runs(fit, candidates, TARGET, count)


def test_a_run_narrows_the_optimum_and_several_narrow_it_more(fit):
    proposals = saved(fit, *(candidate(x) for x in (-8.8, -8.3, -7.3, -6.9)), count=3)
    assert len(proposals) == 3
    for one in proposals:
        assert 0 < one.sd_after < one.sd_before
        assert one.regret_saved > 0 and one.flops == 1.0
    for one, two in pairwise(proposals):
        assert two.sd_before == pytest.approx(one.sd_after)
        assert two.regret_saved < one.regret_saved


def test_a_run_at_the_best_rate_tells_less_than_one_beside_it(fit):
    # Where the surface is flat, a loss does not move with the optimum.
    at_best, beside = saved(fit, candidate(-7.9))[0], saved(fit, candidate(-7.2))[0]
    assert beside.regret_saved > 1.5 * at_best.regret_saved
    (chosen,) = saved(fit, candidate(-7.9), candidate(-7.2))
    assert chosen.runs[0].base_lr == pytest.approx(2**-7.2)


def test_a_run_at_the_horizon_asked_for_tells_most_of_it_and_work_counts(fit):
    target = Target(SIZE, HORIZONS[1], BATCH)
    away, there = candidate(-6.9, horizons=HORIZONS[:1]), candidate(-6.9, horizons=HORIZONS[1:])

    def chosen(*candidates):
        return next_runs(fit, candidates, target, 1)[0]

    assert chosen(there).regret_saved > 5 * chosen(away).regret_saved
    other = there._replace(run=there.run.model_copy(update={"base_lr": 2.0**-6.95}))
    assert chosen(away, other).runs == (other.run,)
    assert chosen(away, other._replace(flops=1e6)).runs == (away.run,)


def test_a_run_too_far_off_to_be_fitted_tells_nothing(fit):
    assert saved(fit, candidate(-12.0), candidate(-3.0), count=2) == ()


def test_a_new_level_is_opened_by_three_rates_or_not_at_all(fit):
    assert saved(fit, candidate(-6.9, seed=2), count=5) == ()
    three = [candidate(x, seed=2) for x in (-8.7, -7.7, -6.7)]
    assert saved(fit, *three, count=2) == ()
    (opened,) = saved(fit, *three, count=3)
    assert {run.base_lr for run in opened.runs} == {one.run.base_lr for one in three}
    assert opened.flops == 3.0 and opened.sd_after < opened.sd_before
    # Once it is open, single runs follow.
    more = saved(fit, *three, candidate(-8.2, seed=2), count=4)
    assert [len(one.runs) for one in more] == [3, 1]


def test_what_was_expected_comes_true():
    """The spread that a design promises is the one that a fit has once the runs are there."""
    table = run_table(np.random.default_rng(3), seeds=(1, 2), noise=0.002)
    first = table[table["seed"] == 1].reset_index(drop=True)
    before = fitted(first)
    lrs = sorted(first["lr"].unique())
    offered = [candidate(math.log2(lr), seed=2) for lr in lrs]
    proposals = saved(before, *offered, count=len(lrs))
    chosen = {run.base_lr for one in proposals for run in one.runs}
    second = table[(table["seed"] == 2) & table["lr"].isin(chosen)]
    after = fitted(pd.concat([first, second], ignore_index=True))
    fresh = saved(after, candidate(-6.9))[0]
    # The noise that either fit sees differs as well.
    scale = after.noise_sd / before.noise_sd
    assert proposals[-1].sd_after * scale == pytest.approx(fresh.sd_before, rel=0.3)
    assert proposals[0].sd_before > 1.2 * proposals[-1].sd_after


def test_none_is_no_count(fit):
    with pytest.raises(UserInputError, match="--next: 0 runs"):
        saved(fit, candidate(-6.5), count=0)


def test_a_recipe_offers_what_is_not_swept_yet_and_takes_the_proposals_back(fit):
    proxy = recipe("mini-proxy")
    size = n_params_non_embedding(proxy.model)
    runs = tuple(run.model_copy(update={"n_params_non_embedding": size}) for run in fit.runs)
    batch = proxy.budget.global_batch_tokens
    runs = tuple(run.model_copy(update={"global_batch_tokens": batch}) for run in runs)
    swept = fit.model_copy(update={"runs": runs})
    sweep = proxy.sweep.model_copy(
        update={"base_lrs": tuple(sorted({run.lr for run in runs})), "seeds": (1, 2)}
    )
    proxy = proxy.model_copy(update={"sweep": sweep})
    offered = candidates(proxy, swept)
    assert {one.run.seed for one in offered} == {1, 2}
    # The fit has every octave of seed 1, none of seed 2.
    for one in offered:
        at = math.log2(one.run.base_lr / GRID[0])
        assert one.run.seed == 2 or at % 1 == pytest.approx(0.5, abs=1e-3)
    target = Target(size, proxy.budget.horizon_tokens, batch)
    text = render_proposals(next_runs(swept, offered, target, 4))
    more = yaml.safe_load("\n".join(text.splitlines()[text.splitlines().index("") + 1 :]))["more"]
    assert 1 <= len(more) <= 4
    again = sweep.model_copy(update={"more": tuple(SweepRun.model_validate(run) for run in more)})
    assert len(again.runs(proxy.model.d_model, batch)) == 2 * len(sweep.base_lrs) + len(more)
    with pytest.raises(UserInputError, match="sweep"):
        candidates(proxy.model_copy(update={"sweep": None}), swept)
