"""The figures of the muP evidence: coordinates over width, loss over learning rate, optima."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns

from skald_report.figures.style import (
    HUES,
    INK,
    MUTED,
    PAPER,
    SHAPES,
    Drawing,
    drawing,
    headed,
    powers_of_two,
    subplots,
    theme,
)

#: What the coordinates are called on an axis.
ACTIVATIONS = {
    "embedding": "embedding",
    "residual": "residual stream",
    "attn_logits": "attention logits",
    "output_logits": "output logits",
    "readout": "logits learned by the readout",
}


def coordinate_panels(rows: pd.DataFrame, axis: str, name: str = "") -> Drawing:
    """Draw the change of each activation after the last step, over width or depth.

    Args:
        rows: Columns d_model, n_layers, seed, step, quantity, change; with a column `rules` one
            line for each parametrisation, otherwise one line.
        axis: `width` or `depth`.
        name: File name; by default one after the axis.

    Returns:
        The figure: a line is the mean over seeds, its band their range; level is right.
    """
    along = "d_model" if axis == "width" else "n_layers"
    last = rows[rows["step"] == rows["step"].max()]
    if "rules" not in last:
        last = last.assign(rules="this recipe")
    tables, present = list(dict.fromkeys(last["rules"])), [
        quantity for quantity in ACTIVATIONS if (last["quantity"] == quantity).any()
    ]  # fmt: skip
    sizes = sorted(last[along].unique())
    with theme():
        figure, grid = subplots(2.0 * -(-len(present) // 2), [1.0] * -(-len(present) // 2), 2)
        panels = np.ravel(grid)
        for panel, quantity in zip(panels, present, strict=False):
            for number, rules in enumerate(tables):
                own = last[(last["quantity"] == quantity) & (last["rules"] == rules)]
                by_size = own.groupby(along)["change"]
                colour, shape = HUES[number % len(HUES)], SHAPES[number % len(SHAPES)]
                x = np.log2(sizes)
                panel.fill_between(
                    x, np.log2(by_size.min()), np.log2(by_size.max()), color=colour, alpha=0.2, lw=0
                )
                sns.lineplot(
                    x=x, y=np.log2(by_size.mean()), color=colour, marker=shape, markersize=5,
                    markeredgecolor=PAPER, label=rules, legend=False, errorbar=None, ax=panel,
                )  # fmt: skip
            panel.set(title=ACTIVATIONS[quantity], xlabel="", ylabel="")
            panel.set_xticks(np.log2(sizes), labels=[str(size) for size in sizes])
            panel.tick_params(labelbottom=True)
            low, high = panel.get_ylim()
            # At least two octaves, so that noise around a level line does not look like a slope.
            middle, half = (low + high) / 2, max(high - low, 2.0) / 2
            panel.set_ylim(middle - half, middle + half)
            panel.set_yticks(*powers_of_two(middle - half + 0.5, middle + half - 0.5))
        for panel in panels[len(present) :]:
            panel.set_visible(False)
        figure.supxlabel(f"{along}, log2 scale", size=8.5)
        step = int(last["step"].iloc[0])
        figure.supylabel(f"mean |change| after {step} steps, log2 scale", size=8.5)
        lines, _ = panels[0].get_legend_handles_labels()
        title = f"Change of activations over {axis}"
        headed(figure, title, 3, handles=lines if len(tables) > 1 else [])
        alt = f"Change of activations after {step} steps over {axis}: " + ", ".join(
            ACTIVATIONS[quantity] for quantity in present
        )
        return drawing(figure, name or f"coordinates-{axis}", alt)


def transfer_curves(runs: pd.DataFrame, optima: pd.DataFrame, name: str, along: str) -> Drawing:
    """Draw loss over learning rate, a panel for each parametrisation, a line for each size.

    Args:
        runs: Columns rules, `along`, lr, seed, loss (bits per byte).
        optima: Columns rules, `along`, log2_lr, standard_error, loss; a parametrisation without an
            optimum here is left out.
        name: File name.
        along: `width` or `depth`.

    Returns:
        The figure: points are means over seeds, bars their standard errors; a mark stands at each
        optimum.
    """
    tables = list(dict.fromkeys(optima["rules"]))
    sizes = sorted(optima[along].unique())
    with theme():
        figure, grid = subplots(1.9 * len(tables) + 0.5, [1.0] * len(tables), 1)
        for panel, rules in zip(np.ravel(grid), tables, strict=True):
            for number, size in enumerate(sizes):
                own = runs[(runs["rules"] == rules) & (runs[along] == size)]
                by_lr = own.groupby("lr")["loss"]
                x, mean, error = np.log2(sorted(by_lr.groups)), by_lr.mean(), by_lr.sem()
                colour, shape = HUES[number % len(HUES)], SHAPES[number % len(SHAPES)]
                panel.errorbar(x, mean, yerr=error.fillna(0), color=colour, lw=1.2, elinewidth=0.9)
                panel.scatter(x, mean, color=colour, marker=shape, s=20, edgecolor=PAPER,
                              linewidth=0.5, zorder=3, label=f"{along} {size}")  # fmt: skip
                best = optima[(optima["rules"] == rules) & (optima[along] == size)]
                for row in best.itertuples():
                    panel.plot([row.log2_lr] * 2, [0, row.loss], color=colour, lw=0.9, ls=":")
            own = runs[runs["rules"] == rules]
            mean = own.groupby([along, "lr"])["loss"].mean()
            panel.set_ylim(mean.min() - 0.05, min(mean.max(), mean.min() * 1.6) + 0.05)
            panel.set(title=rules, xlabel="", ylabel="")
            panel.set_xticks(*powers_of_two(*np.log2([runs["lr"].min(), runs["lr"].max()])))
            panel.tick_params(labelbottom=True)
        figure.supxlabel("base learning rate, log2 scale", size=8.5)
        figure.supylabel("validation bits per byte", size=8.5)
        lines, names = np.ravel(grid)[0].get_legend_handles_labels()
        headed(figure, f"Loss over learning rate by {along}", 4, handles=lines, labels=names,
               columnspacing=0.8)  # fmt: skip
        alt = f"Loss over base learning rate by {along}. " + " ".join(
            f"{row.rules}, {along} {getattr(row, along)}: optimum at 2^{row.log2_lr:.2f}."
            for row in optima.itertuples()
        )
        return drawing(figure, name, alt)


def optimum_lines(optima: pd.DataFrame, name: str, along: str) -> Drawing:
    """Draw the best base learning rate over width or depth, a line for each parametrisation.

    Args:
        optima: Columns rules, `along`, log2_lr, standard_error.
        name: File name.
        along: `width` or `depth`.

    Returns:
        The figure: bars are one standard error over seeds.
    """
    sizes = sorted(optima[along].unique())
    with theme():
        figure, axes = subplots(2.6)
        for number, (rules, own) in enumerate(optima.groupby("rules", sort=False)):
            own = own.sort_values(along)
            colour, shape = HUES[number % len(HUES)], SHAPES[number % len(SHAPES)]
            axes.errorbar(np.log2(own[along]), own["log2_lr"], yerr=own["standard_error"],
                          color=colour, lw=1.4, elinewidth=1.0)  # fmt: skip
            axes.scatter(np.log2(own[along]), own["log2_lr"], color=colour, marker=shape, s=28,
                         edgecolor=PAPER, linewidth=0.5, zorder=3, label=str(rules))  # fmt: skip
        axes.set_xticks(np.log2(sizes), labels=[str(size) for size in sizes])
        low, high = axes.get_ylim()
        axes.set_yticks(*powers_of_two(min(low, high - 1), high))
        axes.set_xlabel(f"{along}, log2 scale")
        axes.set_ylabel("base learning rate, log2 scale")
        axes.tick_params(colors=MUTED, labelcolor=INK)
        headed(figure, f"Best learning rate over {along}", 3)
        alt = f"Best base learning rate over {along}: " + "; ".join(
            f"{rules} " + ", ".join(f"2^{v:.2f}" for v in own.sort_values(along)["log2_lr"])
            for rules, own in optima.groupby("rules", sort=False)
        )
        return drawing(figure, name, alt)
