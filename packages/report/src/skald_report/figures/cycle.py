"""The figures of a cycle: scores, training, and the published landscape."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import seaborn as sns
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

from skald_report.figures.style import (
    ACCENT,
    INK,
    MAX_TICKS,
    MUTED,
    PAPER,
    RULE,
    Drawing,
    Look,
    drawing,
    file_name,
    short,
    subplots,
    theme,
    tokens,
)
from skald_report.landscape.scores import columns_of, sorted_models
from skald_report.tables.table import MACRO, Table

#: Scores that span more than this factor are drawn on a log scale (an untrained model beside a
#: trained one, in bits per byte).
_LOG_ABOVE = 3.0


def score_panel(table: Table, suite: str, task: str, look: Mapping[str, Look]) -> Drawing:
    """Draw one task: a row a language, a dot and its interval a model."""
    rows = table.frame[(table.frame["suite"] == suite) & (table.frame["task"] == task)]
    kind, label = rows["kind"].iloc[0], rows["label"].iloc[0]
    present = [model for model in look if model in set(rows["model"])]
    tags = list(dict.fromkeys(rows["language"]))
    tags = [tag for tag in tags if tag != MACRO] + [tag for tag in tags if tag == MACRO]
    label = f"{label}, lower is better" if kind == "text" else f"accuracy on {label}"
    step = 0.8 / max(1, len(present))
    height = 0.95 + len(tags) * max(0.3, 0.125 * len(present) + 0.05) + 0.17 * len(present) / 2
    with theme():
        figure, axes = subplots(height)
        for number in range(1, len(tags), 2):
            axes.axhspan(number - 0.5, number + 0.5, color=RULE, alpha=0.35, lw=0)
        for number, model in enumerate(present):
            own = rows[rows["model"] == model]
            at = [tags.index(t) + (number - (len(present) - 1) / 2) * step for t in own["language"]]
            axes.hlines(at, own["low"], own["high"], color=look[model].colour, lw=1.6)
            sns.scatterplot(
                x=own["score"], y=at, color=look[model].colour, marker=look[model].shape, s=44,
                edgecolor=PAPER, linewidth=0.5, label=short(model), legend=False, ax=axes, zorder=3,
            )  # fmt: skip
        chance = rows["chance"].dropna().unique()
        if len(chance) == 1:
            axes.axvline(chance[0], color=MUTED, ls=(0, (2, 2)), lw=1, zorder=1)
            axes.text(chance[0], -0.62, "chance", color=MUTED, ha="center", va="bottom", size=7.5)
        axes.set(xlabel=label, ylabel="", ylim=(len(tags) - 0.5, -0.5))
        if kind == "text" and rows["score"].max() > _LOG_ABOVE * rows["score"].min() > 0:
            axes.set_xscale("log", base=2)
            axes.xaxis.set_major_locator(LogLocator(base=2, numticks=MAX_TICKS))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
            axes.set_xlabel(f"{label}, log scale")
        axes.set_yticks(range(len(tags)), labels=tags)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        figure.legend(loc="outside lower left", ncols=2, handletextpad=0.3, columnspacing=1.2)
        alt = f"{label[:1].upper() + label[1:]}, by language with 95 % intervals: " + "; ".join(
            f"{short(model)} " + ", ".join(
                f"{r.language} {r.score:.2f}" for r in rows[rows["model"] == model].itertuples()
            )
            for model in present
        )  # fmt: skip
        return drawing(figure, file_name(f"scores-{suite}-{task}"), alt)


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


def landscape_panel(table: Table, language: str, title: str, newest: str) -> Drawing:
    """Draw a language's published scores: a row a model, a column a task.

    Open dots come from a snapshot older than `newest`.
    """
    rows = table.frame[table.frame["page_language"] == language]
    columns, models = columns_of(rows), sorted_models(rows)
    named = rows.drop_duplicates("model").set_index("model")
    place = {model: number for number, model in enumerate(models)}
    with theme():
        figure, grid = subplots(0.95 + 0.185 * len(models), [1.0], n_columns=len(columns),
                                 share_y=True)  # fmt: skip
        for axes, column in zip(np.ravel(grid), columns, strict=True):
            own = rows[rows["column"] == column]
            for model in models:
                if named["highlight"][model]:
                    axes.axhspan(place[model] - 0.5, place[model] + 0.5, color=ACCENT, alpha=0.12,
                                 lw=0)  # fmt: skip
            for (ours, current), dots in own.groupby(
                [own["highlight"], own["source_date"] == newest]
            ):
                colour, at = ACCENT if ours else MUTED, dots["model"].map(place)
                axes.hlines(at, dots["low"], dots["high"], color=colour, lw=1.3)
                axes.scatter(dots["score"], at, s=16, zorder=3, linewidth=1.0, edgecolor=colour,
                             color=colour if current else PAPER)  # fmt: skip
            axes.axvline(0, color=MUTED, lw=0.8, zorder=1)
            axes.set(xlim=(-8, 104), ylim=(len(models) - 0.5, -0.5))
            # Two short lines, because a narrow column has no room for one long one.
            axes.set_title("\n".join(column.split(" ", 1)), size=8, weight="normal")
            axes.set_xticks([0, 50, 100], labels=["0", "50", ""])
            axes.grid(visible=False, axis="y")
            axes.tick_params(axis="y", length=0)
        figure.suptitle(title, x=0.01, ha="left", size=10, weight="bold")
        first = np.ravel(grid)[0]
        first.set_yticks(range(len(models)), labels=[named["label"][m] for m in models])
        for label, model in zip(first.get_yticklabels(), models, strict=True):
            if named["highlight"][model]:
                label.set(color=ACCENT, weight="bold")
        alt = (
            f"Published scores in {title}: {len(models)} models on {', '.join(columns)}; "
            f"best on {columns[0]}: {named['label'][models[0]]}"
        )
        return drawing(figure, f"published-{language}", alt)
