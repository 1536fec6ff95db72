"""The figures of a fit of learning rates: those that its table has data for, in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from skald_specs.plan import COVERED
from skald_specs.timefit import TimeFit

from skald_report.figures.style import Drawing, Look, tokens
from skald_report.figures.surface import learning_rates, loss_surface
from skald_report.figures.transfer import (
    BATCH_FIGURE,
    batch_over_horizon,
    held_out_optima,
    optimum_over_horizon,
    sensitivity,
)
from skald_report.tables.table import Table
from skald_report.tables.timefit import Size, main_batch, main_size
from skald_report.tables.transfer import fit_tables, points_of

#: Draws a figure; None where it turns out to have nothing to show.
_Draw = Callable[[], Drawing | None]


def fit_drawings(
    fit: TimeFit,
    transfers: Table | None = None,
    look: Mapping[str, Look] | None = None,
    prefix: str = "",
    only: Sequence[str] = (),
) -> list[Drawing]:
    """Return the figures of a fit, those that its table has data for.

    Args:
        fit: The fit.
        transfers: What baselines were given (`transfer_tables.transfers`), or None.
        look: Colour and shape of each baseline.
        prefix: Begins the name of every figure, where two fits share a page.
        only: Names of the figures wanted; empty: all.

    Returns:
        Loss over learning rate; loss over learning rate and batch, the best rate over the horizon,
        batch sizes, sensitivity, and held-out optima.
    """
    wanted = (
        draw for name, draw in _figures(fit, transfers, look or {}) if not only or name in only
    )
    made = [drawing for draw in wanted if (drawing := draw()) is not None]
    return [d._replace(name=prefix + d.name) for d in made]


def _figures(
    fit: TimeFit, transfers: Table | None, look: Mapping[str, Look]
) -> Iterator[tuple[str, _Draw]]:
    tables = {table.name: table for table in fit_tables(fit) if len(table.frame)}
    shape, points = main_size(fit), points_of(fit)
    own = points.frame[points.frame["n_params_non_embedding"] == shape.n_params_non_embedding]
    at_batch = own[own["global_batch_tokens"] == main_batch(fit, shape, batches_of(transfers))]
    optima = tables.get("optima")
    if np.isfinite(at_batch.loc[~at_batch["diverged"], "loss"]).any():
        here = None if optima is None else optima._replace(frame=_like(optima.frame, at_batch))
        yield (
            "learning-rate",
            lambda: learning_rates(points._replace(frame=at_batch), here, transfers, look),
        )
    if own["global_batch_tokens"].nunique() > 1 and np.isfinite(own["loss"]).any():
        same = None if optima is None else optima._replace(
            frame=optima.frame[
                optima.frame["n_params_non_embedding"] == shape.n_params_non_embedding
            ]
        )  # fmt: skip
        yield "surface", lambda: loss_surface(fit, points._replace(frame=own), same, shape)
    if optima is not None:
        yield "transfer", lambda: optimum_over_horizon(fit, optima, transfers, shape, look)
    yield (
        BATCH_FIGURE,
        lambda: batch_over_horizon(fit, tables.get("critical"), transfers, shape, look),
    )
    if "sensitivities" in tables:
        yield "sensitivity", lambda: sensitivity(fit, tables["sensitivities"])
    if "held_out" in tables:
        yield "held-out", lambda: held_out_optima(tables["held_out"])


def batches_of(transfers: Table | None) -> tuple[int, ...]:
    """Return the batches that baselines use."""
    return () if transfers is None else tuple(transfers.frame["batch"].tolist())


def _like(optima: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    shape = ["width", "depth", "n_params_non_embedding", "global_batch_tokens"]
    return optima.merge(runs[shape].drop_duplicates(), on=shape)


def caption_of(fit: TimeFit, size: Size, batch: int) -> str:
    """Return what the figures of a fit show, from how many runs, and at which size and batch.

    Args:
        fit: What the planner fitted.
        size: Model shape that the curves are of.
        batch: Batch that the curves are of, in tokens.
    """
    n_seeds, batches = len(fit.table.seeds), fit.table.global_batches_tokens
    sizes = fit.table.n_params_non_embedding
    text = (
        f"{fit.table.n_runs} runs with {n_seeds} seed{'s' * (n_seeds != 1)} "
        f"({fit.table.n_diverged} diverged, {fit.table.n_in_fit} near enough to "
        f"the lowest to be fitted). Whiskers are {COVERED} intervals; an arrow is a "
        "bound where the lowest loss lies at the edge of what was swept."
    )
    if len(sizes) > 1 or len(batches) > 1:
        text += (
            f" Loss curves: {size.n_params_non_embedding:,} non-embedding parameters, "
            f"{tokens(batch)} tokens a batch."
        )
    if len(sizes) > 1:
        text += (
            " The best rate moves with size here, so lines and optima are those of that size."
            if fit.size_terms
            else " The best rate does not move with size here, so optima of all sizes are shown."
        )
    return f"{text} Learning rates are expressed at the base shape, so muP uses one number at every width."
