"""Training and validation over tokens."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import seaborn as sns
from matplotlib.ticker import FuncFormatter, MaxNLocator

from skald_report.figures.style import (
    INK,
    PAPER,
    Drawing,
    Look,
    drawing,
    short,
    subplots,
    theme,
    tokens,
)
from skald_report.tables.table import Table


def training_loss(table: Table, look: Mapping[str, Look]) -> Drawing:
    """Draw the training loss of every run."""
    with theme():
        figure, axes = subplots(2.8)
        for model, own in table.frame.groupby("model", sort=False):
            colour = look.get(str(model), Look(INK, "o")).colour
            sns.lineplot(x=own["tokens_seen"], y=own["loss_nats"], color=colour, lw=1.1,
                         label=short(str(model)), legend=False, errorbar=None, ax=axes)  # fmt: skip
        axes.set(xlabel="tokens seen", ylabel="training loss, nats per token")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: tokens(v)))
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
        figure.legend(loc="outside upper left", ncols=2, columnspacing=1.2)
        last = table.frame.groupby("model", sort=False)["loss_nats"].last()
        alt = "Training loss over tokens; at the end " + ", ".join(
            f"{short(str(model))} {loss:.2f}" for model, loss in last.items()
        )
        return drawing(figure, "training-loss", alt)


def validation_curves(table: Table, look: Mapping[str, Look]) -> Drawing:
    """Draw validation bits per byte over training, one small panel a language."""
    tags = sorted(table.frame["language"].unique())
    n_rows = -(-len(tags) // 2)
    with theme():
        figure, grid = subplots(0.65 + 1.25 * n_rows, [1.0] * n_rows, n_columns=2, share_y=True)
        panels = np.ravel(grid)
        for panel, tag in zip(panels, tags, strict=False):
            here = table.frame[table.frame["language"] == tag]
            for model, own in here.groupby("model", sort=False):
                own_look = look.get(str(model), Look(INK, "o"))
                sns.lineplot(x=own["tokens_seen"], y=own["bits_per_byte"], color=own_look.colour,
                             marker=own_look.shape, markersize=4, markeredgecolor=PAPER,
                             label=short(str(model)), legend=False, errorbar=None,
                             ax=panel)  # fmt: skip
            panel.set(xlabel="", ylabel="", title=tag)
            panel.xaxis.set_major_locator(MaxNLocator(nbins=3))
            panel.xaxis.set_major_formatter(FuncFormatter(lambda v, _: tokens(v)))
            panel.tick_params(labelbottom=True)
        for panel in panels[len(tags) :]:
            panel.set_visible(False)
        figure.supxlabel("tokens seen", size=8.5)
        figure.supylabel("validation bits per byte", size=8.5)
        lines, names = panels[0].get_legend_handles_labels()
        figure.legend(lines, names, loc="outside upper left", ncols=2, columnspacing=1.2)
        alt = f"Validation bits per byte over tokens seen, in {', '.join(tags)}."
        return drawing(figure, "validation", alt)
