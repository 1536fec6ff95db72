"""Training and validation over tokens, and how scores grew with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from skald_report.figures.style import (
    PAPER,
    UNKNOWN,
    Drawing,
    Look,
    drawing,
    file_name,
    model_legend,
    short_names,
    signed,
    subplots,
    theme,
    tokens,
)
from skald_report.statistics.spread import NORMAL_95
from skald_report.tables.cells import KIND_NAMES, LOWER_IS_BETTER
from skald_report.tables.order import in_order
from skald_report.tables.table import Table


def training_loss(table: Table, look: Mapping[str, Look]) -> Drawing:
    """Draw the training loss of every run.

    Args:
        table: `training`: a row a model and logged step.
        look: Colours by model.
    """
    frame = table.frame
    with theme():
        figure, axes = subplots(1.9)
        for model, own in frame.groupby("model", sort=False):
            axes.plot(own["tokens_seen"], own["loss_nats"], lw=1.0,
                      color=look.get(str(model), UNKNOWN).colour)  # fmt: skip
        _over_tokens(axes, 5)
        axes.set(xlabel="tokens seen", ylabel="nats per token")
        model_legend(figure, map(str, frame["model"]), look, "Training loss", shapes=False)
        ends = frame.groupby("model", sort=False)["loss_nats"].agg(["first", "last"])
        alt = "Training loss over tokens, first and last step: " + ", ".join(
            f"{name} {first:.2f} and {last:.2f}"
            for name, (first, last) in zip(
                short_names(map(str, ends.index), 30).values(), ends.to_numpy(), strict=True
            )
        )
        return drawing(figure, "training-loss", f"{alt}.", table.name)


def validation_curves(table: Table, look: Mapping[str, Look]) -> Drawing:
    """Draw validation bits per byte over training, one small panel a language.

    Args:
        table: `validation`: a row a model, language and step.
        look: Colours and shapes by model.
    """
    frame = table.frame.rename(columns={"tokens_seen": "tokens", "bits_per_byte": "score"})
    return _panels(frame, look, _line, "validation", "Validation text", "bits per byte",
                   "Validation bits per byte", table.name)  # fmt: skip


def score_curves(curves: Table, suite: str, task: str, look: Mapping[str, Look]) -> Drawing:
    """Draw one task's score over training, one small panel a language.

    Args:
        curves: Scores of checkpoints; see the table of that name.
        suite: The task's suite.
        task: A task of it.
        look: Colour and shape of every model.

    Returns:
        The figure: bands are 95 % intervals of the sample of items to each side.
    """
    rows = curves.frame
    rows = rows[(rows["suite"] == suite) & (rows["task"] == task)]
    kind = str(rows["kind"].iloc[0])
    unit = "bits per byte" if kind in LOWER_IS_BETTER else "score"
    label = KIND_NAMES.get(kind, kind)
    title = label if task == kind else f"{task} ({label})"

    def line(axes: Axes, own: pd.DataFrame, way: Look) -> None:
        error = NORMAL_95 * own["standard_error"].astype(float)
        axes.fill_between(own["tokens"], own["score"] - error, own["score"] + error,
                          color=way.colour, alpha=0.22, lw=0)  # fmt: skip
        _line(axes, own, way)

    name = file_name(f"curve-{suite}-{task}")
    return _panels(rows, look, line, name, title[:1].upper() + title[1:], unit,
                   f"{title} over training", curves.name)  # fmt: skip


def _line(axes: Axes, own: pd.DataFrame, way: Look) -> None:
    axes.plot(own["tokens"], own["score"], color=way.colour, marker=way.shape, markersize=4,
              markeredgecolor=PAPER, markeredgewidth=0.5, lw=1.3)  # fmt: skip


def _panels(
    frame: pd.DataFrame,
    look: Mapping[str, Look],
    line: Callable[[Axes, pd.DataFrame, Look], None],
    name: str,
    title: str,
    unit: str,
    what: str,
    table: str,
) -> Drawing:
    """Draw a panel a language with a line a model; languages keep their places from drawing to drawing."""
    tags = in_order(frame["language"])
    columns = min(2, len(tags))
    n_rows = -(-len(tags) // columns)
    with theme():
        figure, grid = subplots(0.95 + 0.95 * n_rows, [1.0] * n_rows, columns, share_y=True)
        panels = np.ravel(grid)
        for panel, tag in zip(panels, tags, strict=False):
            here = frame[frame["language"] == tag]
            for model, own in here.groupby("model", sort=False):
                line(panel, own.sort_values("tokens"), look.get(str(model), UNKNOWN))
            _over_tokens(panel, 3)
            panel.set_title(tag, size=8.5, pad=3)
            panel.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10]))
        for number, panel in enumerate(panels):
            panel.set_visible(number < len(tags))
            # The lowest panel of a column has the axis' labels.
            panel.tick_params(labelbottom=number + columns >= len(tags))
        figure.supxlabel("tokens seen", size=8.5)
        figure.supylabel(unit, size=8.5)
        model_legend(figure, map(str, frame["model"]), look, title)
        alt = f"{what}, from the first to the last point. {_ends(frame, tags)}"
        return drawing(figure, name, alt, table)


def _ends(frame: pd.DataFrame, tags: Sequence[str]) -> str:
    names = short_names(map(str, frame["model"]), 30)
    parts = []
    for tag in tags:
        here = frame[frame["language"] == tag].sort_values("tokens")
        said = [
            f"{names[str(model)]} {signed(own['score'].iloc[0], '.2f')} to "
            f"{signed(own['score'].iloc[-1], '.2f')}"
            for model, own in here.groupby("model", sort=False)
        ]
        parts.append(f"{tag}: {', '.join(said)}")
    return "; ".join(parts) + "."


def _over_tokens(axes: Axes, most: int) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(nbins=most))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: tokens(v)))
