"""Curves over training: where points and bands lie, and what the section says when some are missing."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pandas as pd
import pytest
from skald_report.figures.scores import score_panel
from skald_report.figures.style import looks
from skald_report.figures.training import score_curves, training_loss, validation_curves
from skald_report.page.blocks import Gallery, Paragraph
from skald_report.sections.training import training_blocks
from skald_report.tables.table import Table
from support_figures import clashes, marks, models, stamped, words

CAST = models(["a", "b"])
STEPS = (1000, 2000, 4000)


def _curves(tasks=("pairs",), tags=("da", "de", "is"), error=0.05):
    rows = [
        {"model": model, "suite": "core", "task": task, "language": tag, "step": step, "tokens": step * 100,
         "score": 0.5 + 0.02 * n + 0.0001 * step, "standard_error": error, "kind": "pairs",
         "higher_is_better": True}
        for (n, model), task, tag, step in itertools.product(enumerate("ab"), tasks, tags, STEPS)
    ]  # fmt: skip
    return Table("curves", (), {}, pd.DataFrame(rows))


def _runs():
    rows = [
        {"model": m, "language": tag, "step": s, "tokens_seen": s * 100, "bits_per_byte": 3 - s / 4000,
         "loss_nats": 3 - s / 4000}
        for m, tag, s in itertools.product("ab", ("da", "fo"), STEPS)
    ]  # fmt: skip
    frame = pd.DataFrame(rows)
    training = frame[frame["language"] == "da"].drop(columns=["language", "bits_per_byte"])
    validation = frame.drop(columns="loss_nats")
    return {"training": Table("training", (), {}, training.reset_index(drop=True)),
            "validation": Table("validation", (), {}, validation)}  # fmt: skip


def _said(tables):
    return list(training_blocks(SimpleNamespace(tables=tables, look=looks(CAST))))


def test_bands_are_196_standard_errors_wide_on_the_scale_of_the_dots():
    drawing = score_curves(_curves(), "core", "pairs", looks(CAST))
    assert drawing.name == "curve-core-pairs" and drawing.table == "curves"
    narrow = score_curves(_curves(error=0.025), "core", "pairs", looks(CAST))
    for drawn, wide in ((drawing, 1.96 * 0.05), (narrow, 1.96 * 0.025)):
        shade = looks(CAST)["a"].colour
        bands = [box for box in stamped(drawn) if box.fill == shade and box.x[1] - box.x[0] > 20]
        assert len(bands) == 3
        band = bands[0]
        ys = [
            y for x, y in marks(drawn)
            if band.x[0] - 1 <= x <= band.x[1] + 1 and band.y[0] - 2 <= y <= band.y[1] + 2
        ]  # fmt: skip
        # Model b lies 0.02 above model a, and both rise by 0.3.
        per_score = (max(ys) - min(ys)) / 0.32
        assert (band.y[1] - band.y[0]) / per_score == pytest.approx(0.3 + 2 * wide, rel=0.02)


def test_a_panel_a_language_in_the_order_of_the_other_figures():
    texts = [w.text for w in words(score_curves(_curves(), "core", "pairs", looks(CAST)))]
    assert [t for t in texts if t in ("da", "de", "is")] == ["da", "de", "is"]
    assert {"Minimal pairs", "a", "b", "score", "tokens seen"} <= set(texts)
    drawing = validation_curves(_runs()["validation"], looks(CAST))
    assert "da: a 2.75 to 2.00" in drawing.alt and "bits per byte" in drawing.svg
    assert clashes(drawing) == [] == clashes(training_loss(_runs()["training"], looks(CAST)))


def test_without_scored_checkpoints_the_section_says_so_and_with_them_it_does_not():
    blocks = _said(_runs())
    assert any(isinstance(b, Paragraph) and "skald evaluate --watch" in b.text for b in blocks)
    gallery = next(b for b in blocks if isinstance(b, Gallery))
    assert [d.name for d in gallery.drawings] == ["validation", "training-loss"]
    assert "3 points a model and language" in gallery.caption
    scored = _said({**_runs(), "curves": _curves()})
    assert not any(isinstance(b, Paragraph) for b in scored)
    names = [d.name for d in next(b for b in scored if isinstance(b, Gallery)).drawings]
    assert names == ["validation", "curve-core-pairs", "training-loss"]


def test_more_tasks_than_fit_are_counted_and_no_run_is_said():
    scored = _said({"curves": _curves(tasks=[f"t{n}" for n in range(8)])})
    gallery = next(b for b in scored if isinstance(b, Gallery))
    assert len(gallery.drawings) == 5 and "3 more tasks are in the table alone" in gallery.caption
    nothing = _said({})
    assert [b.text for b in nothing] == ["No run was given, so there are no training curves."]


def test_a_score_panel_shows_models_that_colours_tell_apart_and_counts_the_rest():
    cast = models(["a", "b"], [f"x{n}" for n in range(30)])
    rows = [
        {"suite": "core", "task": "pairs", "language": tag, "model": m, "kind": "pairs",
         "label": "minimal pairs", "score": 0.6 + n / 100, "low": 0.55 + n / 100, "high": 0.65 + n / 100,
         "chance": 0.5}
        for (n, m), tag in itertools.product(enumerate(cast["model"]), ("da", "is", "mean"))
    ]  # fmt: skip
    table = Table("scores", (), {}, pd.DataFrame(rows))
    drawing = score_panel(table, "core", "pairs", looks(cast, leaders=["x29", "x28", "x27", "x26"]))
    texts = [w.text for w in words(drawing)]
    shown = [t for t in texts if t in set(cast["model"])]
    assert shown == ["a", "b", "x26", "x27", "x28", "x29", "random-init-a", "byte-ngram"]
    assert "score; 26 more models are in the table alone" in texts
    assert [t for t in texts if t in ("da", "is", "mean")] == ["da", "is", "mean"]
    few = models(["a", "b"])
    small = score_panel(table, "core", "pairs", looks(few))
    assert "score" in [w.text for w in words(small)] and clashes(small) == []
