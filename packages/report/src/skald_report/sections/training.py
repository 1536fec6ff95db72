"""The baselines as planned, their training, and how their scores grew with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from skald_report.figures import training as figures
from skald_report.figures.style import Drawing, Look
from skald_report.page.blocks import Block, Cell, Gallery, Grid, Paragraph
from skald_report.page.formatting import of, span
from skald_report.sections.context import Context
from skald_report.statistics.spread import NORMAL_95
from skald_report.tables.cells import AGAINST_CHANCE
from skald_report.tables.table import Table

_PLANNED = ("d_model", "n_layers", "n_params_total", "seq_len", "global_batch_tokens", "n_steps",
            "horizon_tokens")  # fmt: skip
#: Tasks that get a figure each; the curves of all are in the table.
_TASKS = 5


def training_blocks(context: Context) -> Iterator[Block]:
    """Show what was planned, and what validation text and tasks say of every checkpoint."""
    tables, look = context.tables, context.look
    if "plans" in tables:
        rows = tuple(
            (
                Cell(str(row["model"])),
                *(Cell(f"{row[name]:,}", of=of("plans", number, name)) for name in _PLANNED),
            )
            for number, row in enumerate(tables["plans"].frame.to_dict("records"))
        )
        yield Grid("plans", "The baselines", "As planned.", ("model", *_PLANNED), rows,
                   "tables/plans.csv")  # fmt: skip
    yield from _progress(tables, look)
    if not {"training", "validation"} & set(tables):
        yield Paragraph("No run was given, so there are no training curves.", "gap")


def _progress(tables: Mapping[str, Table], look: Mapping[str, Look]) -> Iterator[Block]:
    drawings, said = list[Drawing](), list[str]()
    if "validation" in tables:
        drawings.append(figures.validation_curves(tables["validation"], look))
        points = tables["validation"].frame.groupby(["model", "language"])["step"].nunique()
        said.append(
            f"Bits per byte on the validation split, {span(points)} points a model and language; lower "
            "is better. A run logs one value a point, so there is no interval"
        )
    if "curves" in tables:
        frame = tables["curves"].frame
        told = frame[~frame["kind"].isin(AGAINST_CHANCE)]
        tasks = list(dict.fromkeys(zip(told["suite"], told["task"], strict=True)))
        drawings += [figures.score_curves(tables["curves"], s, t, look) for s, t in tasks[:_TASKS]]
        if tasks:
            more = (
                f"; {len(tasks) - _TASKS} more tasks are in the table alone"
                if len(tasks) > _TASKS
                else ""
            )
            said.append(
                f"Scores of checkpoints on evaluation tasks with {NORMAL_95:.2f} standard errors of the items to "
                "each side: all points share the items, so the bands say how far a curve may lie from "
                f"that of all such items, not how far two of its points differ by chance{more}"
            )
    if "training" in tables:
        drawings.append(figures.training_loss(tables["training"], look))
        n_steps = tables["training"].frame.groupby("model")["step"].nunique()
        said.append(
            f"Training loss of every logged step, {span(n_steps)} a model, not smoothed: it counts "
            "tokens, so it compares models of one tokenizer alone"
        )
    if drawings:
        yield Gallery(tuple(drawings), ". ".join(said) + ".")
    if "validation" in tables and "curves" not in tables:
        yield Paragraph(
            "No checkpoint was scored on the tasks while it trained (`skald evaluate --watch`), so only "
            "validation text tells how the models got where they are.",
            "gap",
        )
