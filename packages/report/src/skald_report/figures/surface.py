"""The figures of what a sweep measured: loss over learning rate, and over learning rate and batch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from skald_specs.plan import COVERED
from skald_specs.timefit import TimeFit

from skald_report.figures.style import (
    HUES,
    INK,
    MARKS,
    MUTED,
    PAPER,
    Drawing,
    Look,
    drawing,
    headed,
    powers_of_two,
    records,
    short,
    subplots,
    theme,
    tokens,
)
from skald_report.tables.table import Table
from skald_report.tables.timefit import (
    Size,
    Surface,
    best_batch,
    best_lr,
    heaviest,
    knows_batch,
    some,
)

#: Excess of loss over the lowest of its panel, in per cent: the classes of dots, and the contours.
_EXCESS = (0.5, 1.0, 2.0, 5.0)
_MAX_PANELS = 4
#: A horizon's losses are shown up to so many times its lowest.
_SHOWN = 1.15
#: Loss curves that one panel shows apart.
_MAX_CURVES = len(HUES)


def learning_rates(points: Table, optima: Table | None, transfers: Table | None,
                   look: Mapping[str, Look]) -> Drawing:  # fmt: skip
    """Draw loss over learning rate per horizon, the fit, optima and what the plans chose.

    Args:
        points: Runs of one size and batch.
        optima: Their local optima, or None.
        transfers: What the baselines were given, or None.
        look: Colour and shape of each baseline.

    Returns:
        The figure; a fitted curve is `loss exp(rise (log2 lr - log2 optimum)^2)`: log loss is a
        parabola. An optimum that is not bracketed is an arrow at its bound.
    """
    runs = points.frame
    horizons = some(sorted(runs["horizon_tokens"].unique()), _MAX_CURVES)
    runs = runs[runs["horizon_tokens"].isin(horizons)]
    best = [] if optima is None else records(optima)
    vertex = {row["horizon_tokens"]: row for row in best if row["horizon_tokens"] in horizons}
    given = [] if transfers is None else records(transfers)
    placed = {horizon: row for horizon, row in vertex.items() if row["bound"] != "unknown"}
    strip = len(placed) + len(given)
    with theme():
        figure, (top, below) = subplots(2.9 + 0.2 * strip, (2.9, max(0.2 * strip, 0.05)))
        for number, horizon in enumerate(horizons):
            colour, shape = HUES[number], MARKS[number]
            own = runs[runs["horizon_tokens"] == horizon]
            good = own[~own["diverged"] & np.isfinite(own["loss"])]
            sns.scatterplot(
                x=np.log2(good["lr"]), y=good["loss"], color=colour, marker=shape, s=26,
                edgecolor=PAPER, linewidth=0.5, legend=False, ax=top, zorder=3,
                label=f"{tokens(horizon)} tokens",
            )  # fmt: skip
            if horizon in vertex and math.isfinite(vertex[horizon]["log2_lr"]):
                _curve(top, good, vertex[horizon], colour)
        _limit(top, runs)
        labels = []
        for number, (horizon, row) in enumerate(placed.items()):
            place = horizons.index(horizon)
            _optimum(below, row, number, HUES[place], MARKS[place])
            labels.append(f"optimum, {tokens(horizon)}")
        for number, row in enumerate(given, start=len(labels)):
            own_look = look.get(row["model"], Look(INK, "o"))
            _optimum(below, row, number, own_look.colour, own_look.shape)
            labels.append(f"{short(row['model'])}, {tokens(row['horizon_tokens'])}")
        below.set_yticks(range(len(labels)), labels=labels)
        below.set_ylim(max(strip, 1) - 0.5, -0.5)
        below.grid(visible=False, axis="y")
        below.tick_params(axis="y", length=0)
        below.set_xlabel("base learning rate, log2 scale")
        below.set_xticks(*powers_of_two(*below.get_xlim()))
        top.tick_params(labelbottom=False)
        top.set(xlabel="", ylabel=_axis(points.units["loss"]))
        headed(figure, "Loss over learning rate", 4, handletextpad=0.2, columnspacing=0.8)
        alt = "Loss over base learning rate. " + " ".join(
            [_in_words(horizon, row) for horizon, row in vertex.items()]
            + [f"{short(r['model'])} trains at {2 ** r['log2_lr']:.4g}." for r in given]
        )
        return drawing(figure, "learning-rate", alt)


def _axis(unit: str) -> str:
    return {"bits/byte": "validation bits per byte", "nats/token": "loss, nats per token"}[unit]


def _curve(axes: Axes, good: pd.DataFrame, best: Mapping[str, Any], colour: str) -> None:
    used = np.log2(good.loc[good["in_fit"], "lr"] if good["in_fit"].any() else good["lr"])
    x = np.linspace(used.min() - 0.25, used.max() + 0.25, 81)
    y = best["loss"] * np.exp(best["rise_at_one_octave"] * (x - best["log2_lr"]) ** 2)
    axes.plot(x, y, color=colour, lw=1.4, zorder=2)
    axes.plot([best["log2_lr"]] * 2, [0, best["loss"]], color=colour, lw=0.8, ls=":")


def _limit(axes: Axes, runs: pd.DataFrame) -> None:
    """Set the loss axis around the lowest losses, and mark at its upper end what is not on it."""
    lost = runs["diverged"] | ~np.isfinite(runs["loss"])
    finite = runs[~lost]
    lowest = finite.groupby("horizon_tokens")["loss"].min()
    high = min(finite["loss"].max(), _SHOWN * lowest.max())
    spread = float(high - lowest.min()) or 0.1
    top = high + 0.15 * spread
    axes.set_ylim(lowest.min() - 0.12 * spread, top)
    for rows, shape, label in (
        (finite[finite["loss"] > top], "2", "off the scale"),
        (runs[lost], "x", "diverged"),
    ):
        if len(rows):
            rates = np.log2(rows["lr"].unique())
            at = high + (0.05 if shape == "2" else 0.1) * spread
            axes.scatter(rates, [at] * len(rates), marker=shape, color=MUTED, s=24, label=label,
                         linewidth=1.2)  # fmt: skip


def _optimum(
    axes: Axes, row: Mapping[Any, Any], at: float, colour: str, shape: str, area: float = 28
) -> None:
    if math.isfinite(row["log2_lr"]):
        axes.hlines(at, row["low"], row["high"], color=colour, lw=1.6)
        axes.scatter([row["log2_lr"]], [at], color=colour, marker=shape, s=area, zorder=5,
                     edgecolor=PAPER, linewidth=0.5)  # fmt: skip
    elif row.get("bound") in ("at_least", "at_most"):
        higher = row["bound"] == "at_least"
        axes.annotate("", (row["bound_log2_lr"] + (0.6 if higher else -0.6), at),
                      (row["bound_log2_lr"], at), arrowprops={"arrowstyle": "->", "color": colour,
                      "lw": 1.4, "shrinkA": 0, "shrinkB": 0})  # fmt: skip
        axes.scatter([row["bound_log2_lr"]], [at], color=colour, marker="|", s=40)


def _in_words(horizon: float, row: Mapping[str, Any]) -> str:
    if math.isfinite(row["log2_lr"]):
        return f"Optimum at {tokens(horizon)} tokens: {2 ** row['log2_lr']:.4g}."
    side = {"at_least": "at least", "at_most": "at most"}.get(row["bound"])
    if side is None:
        return f"Optimum at {tokens(horizon)} tokens: not found."
    return f"Optimum at {tokens(horizon)} tokens: {side} {2 ** row['bound_log2_lr']:.4g}."


def loss_surface(fit: TimeFit, points: Table, optima: Table | None, size: Size) -> Drawing:
    """Draw the runs of one size over learning rate and batch, a panel a horizon, with the fit.

    Args:
        fit: Its heaviest family gives ridge and contours, all families the optimum.
        points: Runs of that size.
        optima: Local optima of that size, or None.
        size: The shape.

    Returns:
        The figure: a dot is a learning rate and batch (mean over seeds), its colour and size how far
        its loss lies above the panel's lowest. Where the fit knows the best batch, contours at the same
        steps and the optimum with its intervals; otherwise each batch's own optimum.
    """
    runs = points.frame
    horizons = some(sorted(runs["horizon_tokens"].unique()), _MAX_PANELS)
    n_rows = -(-len(horizons) // 2)
    shades = sns.color_palette("cividis", len(_EXCESS) + 1)
    x_all, y_all = np.log2(runs["lr"]), np.log2(runs["global_batch_tokens"])
    shown = (float(y_all.min()) - 0.5, float(y_all.max()) + 0.5)
    log2_size, words = math.log2(size.n_params_non_embedding), []
    with theme():
        figure, grid = subplots(1.0 + 1.75 * n_rows, [1.0] * n_rows, n_columns=2, share_y=True)
        panels = np.ravel(grid)
        for panel, horizon in zip(panels, horizons, strict=False):
            _dots(panel, runs[runs["horizon_tokens"] == horizon], shades)
            surface, t = Surface.fitted(heaviest(fit), fit.centre), math.log2(horizon)
            y = np.linspace(*shown, 41)
            ridge = surface.ridge(y, log2_size, t)
            panel.plot(ridge, y, color=INK, lw=0.9, ls=(0, (4, 2)), zorder=4)
            if knows_batch(fit):
                _contours(panel, surface, log2_size, t, shown)
                words.append(_joint_optimum(panel, fit, log2_size, horizon))
            elif optima is not None:
                own = optima.frame[optima.frame["horizon_tokens"] == horizon]
                for row in own.to_dict("records"):
                    _optimum(panel, row, math.log2(row["global_batch_tokens"]), INK, "D", 13)
                    words.append(f"Batch {tokens(row['global_batch_tokens'])}. "
                                 f"{_in_words(horizon, row)}")  # fmt: skip
            panel.set(title=f"{tokens(horizon)} tokens", xlabel="", ylabel="")
            panel.tick_params(labelbottom=True)
        for panel in panels:
            panel.set_xlim(x_all.min() - 0.5, x_all.max() + 0.5)
            panel.set_ylim(*shown)
            panel.set_xticks(*powers_of_two(x_all.min(), x_all.max(), most=5))
            panel.set_yticks(*powers_of_two(y_all.min(), y_all.max()))
        for panel in panels[len(horizons) :]:
            panel.set_visible(False)
        figure.supxlabel("base learning rate, log2 scale", size=8.5)
        figure.supylabel("batch in tokens, log2 scale", size=8.5)
        _legend(figure, panels[0], shades, knows_batch(fit))
        alt = "Loss over learning rate and batch. " + " ".join(words)
        return drawing(figure, "surface", alt.strip())


def _joint_optimum(axes: Axes, fit: TimeFit, log2_size: float, horizon: float) -> str:
    x, y = best_lr(fit, log2_size, horizon), best_batch(fit, log2_size, horizon)
    axes.hlines(y.value, x.low, x.high, color=INK, lw=1.6, zorder=5)
    axes.vlines(x.value, y.low, y.high, color=INK, lw=1.6, zorder=5)
    axes.scatter([x.value], [y.value], marker="P", s=46, color=INK, edgecolor=PAPER, linewidth=0.7,
                 zorder=6)  # fmt: skip
    return (
        f"At {tokens(horizon)} tokens the best learning rate is {2**x.value:.3g} and the best batch "
        f"{tokens(2**y.value)} tokens."
    )


def _dots(axes: Axes, own: pd.DataFrame, shades: Sequence[Any]) -> None:
    at = ["lr", "global_batch_tokens"]
    lost = own[own["diverged"] | ~np.isfinite(own["loss"])]
    good = own[~own.index.isin(lost.index)]
    logs = np.log(good["loss"]).groupby([good[name] for name in at]).mean().reset_index(name="log")
    if len(logs):
        excess = 100 * np.expm1(logs["log"] - logs["log"].min())
        place = np.searchsorted(_EXCESS, excess, side="left")
        axes.scatter(
            np.log2(logs["lr"]), np.log2(logs["global_batch_tokens"]), s=28 - 4 * place,
            color=[shades[p] for p in place], edgecolor=MUTED, linewidth=0.4, zorder=3,
        )  # fmt: skip
    lost = lost.drop_duplicates(at)
    axes.scatter(np.log2(lost["lr"]), np.log2(lost["global_batch_tokens"]), marker="x", s=14,
                 color=MUTED, linewidth=0.9, zorder=3)  # fmt: skip


def _contours(axes: Axes, surface: Surface, log2_size: float, log2_horizon: float,
              shown: tuple[float, float]) -> None:  # fmt: skip
    for level in _EXCESS:
        y, *sides = surface.contour(math.log1p(level / 100), log2_size, log2_horizon, shown)
        for x in sides:
            axes.plot(x, y, color=MUTED, lw=0.8, zorder=2)


def _legend(figure: Any, axes: Axes, shades: Sequence[Any], whole: bool) -> None:
    limits = ["0", *(f"{level:g}" for level in _EXCESS)]
    names = [f"{a}–{b} % above" for a, b in pairwise(limits)]
    for place, label in enumerate([*names, f"> {limits[-1]} % above"]):
        axes.scatter([], [], s=28 - 4 * place, color=shades[place], edgecolor=MUTED, linewidth=0.4,
                     label=label)  # fmt: skip
    axes.scatter([], [], marker="x", s=14, color=MUTED, linewidth=0.9, label="diverged")
    mark, area = ("P", 46) if whole else ("D", 13)
    axes.scatter(
        [], [], marker=mark, s=area, color=INK, edgecolor=PAPER, label=f"optimum, {COVERED}"
    )
    axes.plot([], [], color=INK, lw=0.9, ls=(0, (4, 2)), label="best rate of a batch")
    if whole:
        axes.plot([], [], color=MUTED, lw=0.8, label="fit, same steps")
    handles, labels = axes.get_legend_handles_labels()
    headed(figure, "Loss over learning rate and batch", 3, handles=handles, labels=labels,
           handletextpad=0.3, columnspacing=1.0, handlelength=1.4)  # fmt: skip
