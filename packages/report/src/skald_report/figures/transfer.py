"""The figures of what carries over in time: optima, batches and sensitivity over the horizon."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from skald_specs.timefit import TimeFit

from skald_report.figures.style import (
    HUES,
    INK,
    MARKS,
    MUTED,
    PAPER,
    RULE,
    Drawing,
    Look,
    drawing,
    headed,
    powers_of_two,
    records,
    short,
    signed,
    subplots,
    theme,
    tokens,
)
from skald_report.tables.table import Table
from skald_report.tables.timefit import (
    LEAST_WEIGHT,
    Size,
    Surface,
    best_batch,
    heaviest,
    knows_batch,
    some,
)

_DASHES: Mapping[str, Any] = {"power": "-", "surge": (0, (5, 1.5)), "saturating": (0, (1.5, 1.2))}
_CRITICAL = {"knee": "B_crit, knee of the rate", "overhead": "B_crit, 20 % overhead"}
_MAX_BATCHES = len(HUES)
#: File name of the figure of batches, which a table may have no data for.
BATCH_FIGURE = "batch"
#: How far an interval may widen the axes of held-out optima.
_MOST_OCTAVES = 1.0


def optimum_over_horizon(fit: TimeFit, optima: Table, transfers: Table | None, size: Size,
                         look: Mapping[str, Look]) -> Drawing:  # fmt: skip
    """Draw the best learning rate over the horizon, a colour a batch.

    Args:
        fit: Its families give the lines.
        optima: Local optima, see `transfer_tables.optima`.
        transfers: What the baselines were given, or None.
        size: The shape the lines are for; others' optima are shown only where size does not matter.
        look: Colour and shape of each baseline.

    Returns:
        The figure: dots are optima from a cell's own runs with their interval, arrows one-sided
        bounds, the grey field the swept range.
    """
    batches = some(fit.table.global_batches_tokens, _MAX_BATCHES)
    given = [] if transfers is None else [r for r in records(transfers) if r["standing"] != "given"]
    frame = optima.frame[optima.frame["global_batch_tokens"].isin(batches)]
    if fit.size_terms:
        frame = frame[frame["n_params_non_embedding"] == size.n_params_non_embedding]
    swept = np.log2(fit.table.horizons_tokens)
    ends = [*swept, *(math.log2(r["horizon_tokens"]) for r in given)]
    width = max(max(ends) - min(ends), 1.0)
    with theme():
        figure, axes = subplots(3.1 + 0.16 * math.ceil((len(batches) + len(given) + 5) / 3))
        _field(axes, (min(swept), max(swept)), tuple(np.log2(fit.table.lr_range)))
        _lines(axes, fit, size, batches, (min(ends) - 0.02 * width, max(ends) + 0.02 * width))
        for number, batch in enumerate(batches):
            shift = 0.012 * width * (number - (len(batches) - 1) / 2)
            rows = frame[frame["global_batch_tokens"] == batch].to_dict("records")
            _optima(axes, rows, shift, HUES[number], MARKS[number],
                    f"{tokens(batch)} a batch")  # fmt: skip
        for number, row in enumerate(given):
            own = look.get(row["model"], Look(INK, "o"))
            # Baselines with one horizon would hide each other.
            at = math.log2(row["horizon_tokens"]) + 0.025 * width * (number - (len(given) - 1) / 2)
            axes.vlines(at, row["low"], row["high"], color=own.colour, lw=1.8, zorder=4)
            axes.scatter([at], [row["log2_lr"]], color=own.colour, marker=own.shape, s=34, zorder=5,
                         edgecolor=PAPER, linewidth=0.5, label=short(row["model"]))  # fmt: skip
        _horizons(axes, [*fit.table.horizons_tokens, *(r["horizon_tokens"] for r in given)])
        # The swept field may be far higher than what is in it.
        places = [*_ends(frame.to_dict("records"), "low", "high", "bound_log2_lr"),
                  *_ends(given, "low", "high", "log2_lr")]  # fmt: skip
        low, high = (min(places), max(places)) if places else tuple(np.log2(fit.table.lr_range))
        axes.set_ylim(low - 0.8, high + 0.8)
        axes.set_yticks(*powers_of_two(low - 0.8, high + 0.8))
        axes.set_ylabel("base learning rate, log2 scale")
        headed(figure, "Best learning rate over the horizon", 3)
        lines = ", ".join(f"{f.kind} {f.weight:.2f}" for f in fit.families)
        alt = (
            f"Best base learning rate over the horizon at batches of "
            f"{', '.join(tokens(b) for b in batches)} tokens; families by weight: {lines}. "
        ) + " ".join(
            f"{short(r['model'])}: {2 ** r['log2_lr']:.3g} at {tokens(r['horizon_tokens'])} tokens."
            for r in given
        )
        return drawing(figure, "transfer", alt.strip())


def _ends(rows: Iterable[Mapping[Any, Any]], *names: str) -> list[float]:
    return [row[name] for row in rows for name in names if math.isfinite(row[name])]


def _field(axes: Axes, x: tuple[float, float], y: Sequence[float]) -> None:
    axes.add_patch(Rectangle((x[0], y[0]), x[1] - x[0], y[1] - y[0], color=RULE, alpha=0.45, lw=0,
                             zorder=0, label="swept"))  # fmt: skip


def _lines(axes: Axes, fit: TimeFit, size: Size, batches: Sequence[int],
           ends: tuple[float, float]) -> None:  # fmt: skip
    t = np.linspace(*ends, 61)
    n = math.log2(size.n_params_non_embedding)
    leading = heaviest(fit)
    for family in fit.families:
        if family.weight < LEAST_WEIGHT:
            continue
        surface = Surface.fitted(family, fit.centre)
        axes.plot([], [], color=MUTED, ls=_DASHES[family.kind], lw=1.3,
                  label=f"{family.kind}, weight {family.weight:.2f}")  # fmt: skip
        for number, batch in enumerate(batches):
            axes.plot(t, surface.ridge(math.log2(batch), n, t) + np.zeros_like(t), lw=1.2,
                      color=HUES[number], alpha=1 if family is leading else 0.6, ls=_DASHES[family.kind], zorder=2)  # fmt: skip


def _optima(axes: Axes, rows: Iterable[Mapping[Any, Any]], shift: float, colour: str, shape: str,
            label: str) -> None:  # fmt: skip
    for row in rows:
        at = math.log2(row["horizon_tokens"]) + shift
        if math.isfinite(row["log2_lr"]):
            axes.vlines(at, row["low"], row["high"], color=colour, lw=1.4, zorder=3)
            axes.scatter([at], [row["log2_lr"]], color=colour, marker=shape, s=24, zorder=4,
                         edgecolor=PAPER, linewidth=0.5)  # fmt: skip
        elif row["bound"] in ("at_least", "at_most"):
            up = 1 if row["bound"] == "at_least" else -1
            axes.annotate("", (at, row["bound_log2_lr"] + 0.7 * up), (at, row["bound_log2_lr"]),
                          arrowprops={"arrowstyle": "->", "color": colour, "lw": 1.3, "shrinkA": 0,
                                      "shrinkB": 0}, zorder=3)  # fmt: skip
            axes.scatter([at], [row["bound_log2_lr"]], color=colour, marker="_", s=30, zorder=3)
    axes.scatter([], [], color=colour, marker=shape, s=24, label=label)


def _horizons(axes: Axes, counts: Iterable[float]) -> None:
    """Label the x axis of log2 horizons by some of the horizons shown, none on top of another."""
    marks = sorted({float(c) for c in counts})
    span = max(math.log2(marks[-1] / marks[0]), 0.5)
    kept = marks[-1:]
    for mark in reversed(marks[:-1]):
        if math.log2(kept[0] / mark) >= 0.1 * span:
            kept.insert(0, mark)
    labels = [tokens(mark) for mark in kept]
    axes.set_xticks(np.log2(kept), labels=labels)
    axes.set_xlabel("horizon in tokens, log2 scale")


def batch_over_horizon(fit: TimeFit, critical: Table | None, transfers: Table | None, size: Size,
                       look: Mapping[str, Look]) -> Drawing | None:  # fmt: skip
    """Draw the best batch and the critical one over the horizon; None where neither is known.

    Args:
        fit: Its families give the best batch.
        critical: See `transfer_tables.critical`, or None.
        transfers: What the baselines were given, or None; only batches with an interval are drawn.
        size: The shape the best batch is for.
        look: Colour and shape of each baseline.
    """
    if critical is None and not knows_batch(fit):
        return None
    given = [] if transfers is None else [
        r for r in records(transfers) if math.isfinite(r["batch_low"])
    ]  # fmt: skip
    swept = np.log2(fit.table.horizons_tokens)
    span = max(max(swept) - min(swept), 1.0)
    words = []
    with theme():
        figure, axes = subplots(3.0)
        batches = np.log2(fit.table.global_batches_tokens)
        _field(axes, (min(swept), max(swept)), (min(batches), max(batches)))
        if knows_batch(fit):
            n = math.log2(size.n_params_non_embedding)
            own = [best_batch(fit, n, 2.0**t) for t in swept]
            axes.plot(swept, [s.value for s in own], color=HUES[0], lw=1.3, zorder=2)
            axes.vlines(swept, [s.low for s in own], [s.high for s in own], color=HUES[0], lw=1.6)
            axes.scatter(swept, [s.value for s in own], color=HUES[0], marker="o", s=30, zorder=3,
                         edgecolor=PAPER, linewidth=0.5, label="best batch")  # fmt: skip
            words.append(f"Best batch from {tokens(2 ** own[0].value)} to "
                         f"{tokens(2 ** own[-1].value)} tokens.")  # fmt: skip
        shown = [] if critical is None else list(critical.frame.groupby("definition", sort=False))
        for number, (definition, rows) in enumerate(shown, start=1):
            colour, shape = HUES[number], MARKS[number]
            at = np.log2(rows["horizon_tokens"]) + 0.015 * span * number
            axes.vlines(at, rows["low"], rows["high"], color=colour, lw=1.6)
            axes.plot(at, rows["log2_batch"], color=colour, lw=1.0, ls=":", zorder=2)
            axes.scatter(at, rows["log2_batch"], color=colour, marker=shape, s=30, zorder=3,
                         edgecolor=PAPER, linewidth=0.5, label=_CRITICAL[str(definition)])  # fmt: skip
            words.append(f"{_CRITICAL[str(definition)]} from "
                         f"{tokens(2 ** rows['log2_batch'].iloc[0])} to "
                         f"{tokens(2 ** rows['log2_batch'].iloc[-1])} tokens.")  # fmt: skip
        for number, row in enumerate(given):
            model = look.get(row["model"], Look(INK, "o"))
            x = math.log2(row["horizon_tokens"]) + 0.02 * span * (number - (len(given) - 1) / 2)
            axes.vlines(x, row["batch_low"], row["batch_high"], color=model.colour, lw=1.8)
            axes.scatter([x], [row["log2_batch"]], color=model.colour, marker=model.shape, s=34,
                         edgecolor=PAPER, linewidth=0.5, zorder=4, label=short(row["model"]))  # fmt: skip
        _horizons(axes, [*fit.table.horizons_tokens, *(r["horizon_tokens"] for r in given)])
        axes.set_yticks(*powers_of_two(*axes.get_ylim()))
        axes.set_ylabel("batch in tokens, log2 scale")
        headed(figure, "Batch over the horizon", 2)
        return drawing(figure, BATCH_FIGURE, "Batch sizes over the horizon. " + " ".join(words))


def sensitivity(fit: TimeFit, table: Table) -> Drawing:
    """Draw how much loss a learning rate one octave off costs, over the horizon.

    Args:
        fit: Its exponent stands in the title, where the horizons gave one.
        table: `sensitivities`: shares of the loss by horizon, with an interval.
    """
    rows = table.frame
    x = np.log2(rows["horizon_tokens"])
    with theme():
        figure, axes = subplots(2.5)
        axes.vlines(x, 100 * rows["low"], 100 * rows["high"], color=HUES[1], lw=1.6)
        axes.plot(x, 100 * rows["rise_at_one_octave"], color=HUES[1], lw=1.2)
        axes.scatter(x, 100 * rows["rise_at_one_octave"], color=HUES[1], marker="D", s=26, zorder=3,
                     edgecolor=PAPER, linewidth=0.5)  # fmt: skip
        axes.margins(x=0.06)
        axes.set_ylim(bottom=min(0.0, 100 * float(rows["low"].min())))
        _horizons(axes, rows["horizon_tokens"])
        axes.set_ylabel("rise of loss at one octave, %")
        figure.suptitle("What one octave off costs", x=0.01, ha="left", weight="bold", size=9.5)
        slope = fit.sensitivity_exponent
        if slope is not None:
            low, high = slope.interval
            words = (
                f"{signed(slope.value, '+.2f')} ({signed(low, '+.2f')} to {signed(high, '+.2f')})"
            )
            axes.set_title(f"exponent {words}", weight="normal", size=8)
        alt = (
            "Rise of loss one octave of learning rate off the best, over the horizon: "
            + ", ".join(
                f"{tokens(r['horizon_tokens'])} {100 * r['rise_at_one_octave']:.2g} %"
                for r in rows.to_dict("records")
            )
        )
        return drawing(figure, "sensitivity", alt)


def held_out_optima(table: Table) -> Drawing:
    """Draw the optimum predicted for horizons left out over the one measured there."""
    rows = table.frame
    horizons = some(sorted(rows["horizon_tokens"].unique()), len(HUES))
    with theme():
        figure, axes = subplots(3.3)
        ends = _limits(rows)
        axes.plot(ends, ends, color=MUTED, lw=1.0, ls=(0, (4, 2)), label="equal", zorder=1)
        for horizon in sorted(rows["horizon_tokens"].unique()):
            own = rows[rows["horizon_tokens"] == horizon]
            place = min(range(len(horizons)), key=lambda i: abs(math.log(horizons[i] / horizon)))
            colour, shape = HUES[place], MARKS[place]
            axes.hlines(own["predicted"], own["measured_low"], own["measured_high"], color=colour,
                        lw=1.0, alpha=0.7)  # fmt: skip
            axes.vlines(own["measured"], own["predicted_low"], own["predicted_high"], color=colour,
                        lw=1.0, alpha=0.7)  # fmt: skip
            axes.scatter(own["measured"], own["predicted"], color=colour, marker=shape, s=26,
                         edgecolor=PAPER, linewidth=0.5, zorder=3,
                         label=f"{tokens(horizon)} tokens" if horizon in horizons else None)  # fmt: skip
        axes.set_xticks(*powers_of_two(*ends))
        axes.set_yticks(*powers_of_two(*ends))
        axes.set(xlim=ends, ylim=ends, xlabel="measured best learning rate, log2 scale",
                 ylabel="predicted without that horizon")  # fmt: skip
        headed(figure, "Predicted against measured", 3, columnspacing=0.8)
        error = float(np.sqrt(np.mean((rows["predicted"] - rows["measured"]) ** 2)))
        inside = int(((rows["measured"] >= rows["predicted_low"])
                      & (rows["measured"] <= rows["predicted_high"])).sum())  # fmt: skip
        alt = (
            f"Predicted against measured best learning rate at {len(rows)} held-out places: root mean "
            f"square error {error:.2f} octaves, {inside} measured optima inside the predicted interval."
        )
        return drawing(figure, "held-out", alt)


def _limits(rows: pd.DataFrame) -> tuple[float, float]:
    """Return an axis that holds every point, and their intervals as far as they leave points legible."""
    points = rows[["measured", "predicted"]].to_numpy(dtype=np.float64)
    names = ["measured_low", "measured_high", "predicted_low", "predicted_high"]
    ends = rows[names].to_numpy(dtype=np.float64)
    low = max(np.nanmin(ends), points.min() - _MOST_OCTAVES) - 0.3
    high = min(np.nanmax(ends), points.max() + _MOST_OCTAVES) + 0.3
    # At least two octaves, so that two ticks stand on each axis.
    middle, half = (low + high) / 2, max(high - low, 2.2) / 2
    return float(middle - half), float(middle + half)
