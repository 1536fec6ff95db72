"""The baselines as planned, and their training."""

from __future__ import annotations

from collections.abc import Iterator

from skald_report.figures import training as figures
from skald_report.page.blocks import Block, Cell, Gallery, Grid, Paragraph
from skald_report.sections.context import Context


def training_blocks(context: Context) -> Iterator[Block]:
    """Show what was planned and how training went."""
    tables, look = context.tables, context.look
    if "plans" in tables:
        columns = ("d_model", "n_layers", "n_params_total", "seq_len", "global_batch_tokens",
                   "n_steps", "horizon_tokens")  # fmt: skip
        rows = tuple(
            (Cell(str(r["model"])), *(Cell(f"{r[column]:,}") for column in columns))
            for r in tables["plans"].frame.to_dict("records")
        )
        yield Grid("plans", "The baselines", "As planned.", ("model", *columns), rows,
                   "tables/plans.csv")  # fmt: skip
    drawings = []
    if "training" in tables:
        drawings.append(figures.training_loss(tables["training"], look))
    if "validation" in tables:
        drawings.append(figures.validation_curves(tables["validation"], look))
    if not drawings:
        yield Paragraph("No run was given, so there are no training curves.", "gap")
        return
    yield Gallery(
        tuple(drawings),
        "Training loss of every logged step (one run a model, no smoothing), and bits per byte on "
        "the validation split of each language.",
    )
