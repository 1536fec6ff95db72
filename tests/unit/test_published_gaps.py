"""Gaps between published models: like with like, noise called noise, and no price where none is known."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from skald_report.landscape import gaps as why
from skald_report.landscape.gaps import published_gaps
from skald_report.landscape.scores import landscape
from skald_report.page.blocks import Claims, Gallery, Grid, Notes, Paragraph
from skald_report.reading.inputs import ReportInputs, load
from skald_report.reading.published import COLUMNS
from skald_report.sections.published_gaps import gap_blocks
from skald_specs.loss_law import Score, tokens_to_reach
from skald_specs.published import PublishedCheckpoint, PublishedModels
from support_words import context, untraced

EARLY, LATE = "TrustLLMeu/a-1t", "TrustLLMeu/a-2t"
CHECKPOINTS = PublishedModels(
    checkpoints=tuple(
        PublishedCheckpoint(model=m, run="a", tokens=t) for m, t in ((EARLY, 1e12), (LATE, 2e12))
    )
)


def row(model, score, language="da", kind="reading-comprehension", **more):
    metric = "f1" if kind == "reading-comprehension" else "mcc"
    return {
        "model": model, "eu": True, "params_b": 7.0, "model_type": "base", "language": language,
        "task": f"euroeval/{kind}/{kind[:4]}_{language}", "shots": "4", "split": "test",
        "metric": metric, "score": score, "stderr_of_mean": 0.3, "harness_version": "",
        "source": "s", "source_date": "2026-04-17", "notes": "",
    } | more  # fmt: skip


def sources_of(*rows):
    return dataclasses.replace(
        load(ReportInputs()),
        published=pd.DataFrame(rows, columns=COLUMNS).astype({"eu": object}),
        published_models=CHECKPOINTS,
    )


def gaps(*rows):
    return published_gaps(landscape(sources_of(*rows)), CHECKPOINTS).frame


def of(frame, model=LATE, language="da"):
    found = frame[(frame["model"] == model) & (frame["language"] == language)]
    assert len(found) == 1
    return found.iloc[0]


def test_the_best_rival_is_european_and_of_the_same_class_and_protocol():
    strong = [
        row("us", 99, eu=False), row("unknown", 98, eu=None), row("big", 97, params_b=70.0),
        row("chat", 96, model_type="instruction-tuned"), row("val", 95, split="val"),
        row("other-shots", 94, shots="0"), row(EARLY, 93), row("no-error", 92, stderr_of_mean=None),
    ]  # fmt: skip
    found = of(gaps(row(LATE, 50), row("good", 60), row("fair", 55), *strong))
    assert (found["best"], found["gap"], found["n_rivals"]) == ("good", 10, 2)
    assert found["verdict"] == "behind"


def test_uncorrected_intervals_would_call_noise_a_gap():
    """Two points at published errors of 0.5 are 2.8 of their standard errors, and 0.9 of sampling's."""
    found = of(gaps(row(LATE, 50, stderr_of_mean=0.5), row("good", 52, stderr_of_mean=0.5)))
    assert found["verdict"] == "tie"
    assert found["low"] < 0 < found["high"]
    assert found["why_no_tokens"] == why.NOISE
    published_width = 1.96 * np.hypot(0.5, 0.5)
    assert found["gap"] - published_width > 0
    assert found["high"] - found["low"] == pytest.approx(2 * published_width * 10**0.5, rel=1e-4)


def test_the_best_of_many_rivals_is_best_by_luck_too():
    many = [row(f"m{n}", 50) for n in range(40)]
    alone = of(gaps(row(LATE, 50), row("good", 53)))
    among = of(gaps(row(LATE, 50), row("good", 53), *many))
    assert (alone["verdict"], among["verdict"]) == ("behind", "tie")
    assert among["n_family"] == 41


def test_a_missing_cell_is_never_averaged():
    own = [row(LATE, s, tag) for s, tag in ((50, "da"), (60, "sv"), (70, "de"))]
    all_three = [row("all", s, tag) for s, tag in ((52, "da"), (62, "sv"), (72, "de"))]
    best_but_lacks_one = [row("two", 90, "da"), row("two", 90, "sv")]
    early = [row(EARLY, 40, tag) for tag in ("da", "sv", "de")]
    mean = of(gaps(*own, *all_three, *best_but_lacks_one, *early), language="mean")
    assert (mean["best"], mean["score"], mean["gap"], mean["n_cells"]) == ("all", 60, 2, 3)
    fewer = of(gaps(*own, *all_three, *best_but_lacks_one, *early[:2]), language="mean")
    assert (fewer["best"], fewer["score"], fewer["n_cells"]) == ("two", 55, 2)
    assert fewer["languages"] == "da sv"


def priced(early, late, best, error=0.1, kind="reading-comprehension"):
    rows = [row(m, s, kind=kind, stderr_of_mean=error)
            for m, s in ((EARLY, early), (LATE, late), ("good", best))]  # fmt: skip
    return of(gaps(*rows))


def test_tokens_follow_the_law_and_never_is_an_answer():
    found = priced(40, 50, 55)
    low, high = found["tokens_low"], found["tokens_high"]
    assert 2e12 < low < found["tokens"] < high
    beta = 0.32
    per_term = (50 - 40) / ((1e12) ** -beta - (2e12) ** -beta)
    reached = 50 + per_term * ((2e12) ** -beta - found["tokens"] ** -beta)
    assert reached == pytest.approx(55)
    far = priced(49, 50, 99, error=0.01)
    assert far["why_no_tokens"] == why.NEVER
    assert np.isnan(far["tokens"])


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (priced(1.0, 3.0, 40, error=1.0, kind="linguistic-acceptability"), why.FLOOR),
        (priced(49, 50, 60, error=0.5), why.NO_GROWTH),
        (priced(60, 50, 60), why.NO_GROWTH),
        (priced(40, 50, 49), why.AHEAD),
        (priced(40, 50, 50.1, error=0.5), why.NOISE),
        (of(gaps(row(LATE, 50), row("good", 60))), why.ONE),
    ],
)
def test_no_price_where_none_is_known(found, reason):
    assert found["why_no_tokens"] == reason
    assert np.isnan([found["tokens"], found["tokens_high"]]).all()
    # What did not grow beyond noise has a lower bound, and a floor has nothing.
    assert np.isnan(found["tokens_low"]) or reason == why.NO_GROWTH


def test_the_price_of_a_score_rises_with_the_gap_and_with_doubt():
    at = [
        tokens_to_reach(Score(40, 1), Score(50, 1), Score(t, 1), 1e12, 2e12) for t in (51, 53, 55)
    ]
    assert [c.tokens for c in at] == sorted(c.tokens for c in at)
    here = tokens_to_reach(Score(40, 0), Score(50, 0), Score(50, 0), 1e12, 2e12)
    assert (here.tokens, here.at_least, here.at_most) == pytest.approx((2e12, 2e12, 2e12))
    sure, unsure = (
        tokens_to_reach(Score(40, e), Score(50, e), Score(53, e), 1e12, 2e12) for e in (0.1, 4)
    )
    assert unsure.at_least < sure.at_least < sure.at_most
    assert unsure.at_most is None or unsure.at_most > sure.at_most


def test_a_score_that_does_not_differ_in_any_replicate_is_no_infinite_gap():
    found = of(gaps(row(LATE, 0.0, stderr_of_mean=0.0), row("good", 0.0, stderr_of_mean=0.0)))
    assert (found["verdict"], found["p"]) == ("tie", 1.0)


FAR = "common-sense-reasoning"


def blocks_of(*rows):
    sources = sources_of(*rows)
    found = {"published_gaps": published_gaps(landscape(sources), CHECKPOINTS)}
    return list(gap_blocks(context(found)._replace(sources=sources))), found


@pytest.fixture(scope="module")
def made():
    return blocks_of(
        row(LATE, 50), row("near", 51), row("low", 40),
        row(LATE, 20, kind=FAR), row("far", 60, kind=FAR),
        row(LATE, 70, language="sv"), row("near", 40, language="sv"),
    )  # fmt: skip


def test_one_sentence_leads_and_counts_what_the_table_marks(made):
    blocks, _ = made
    lead, grid = blocks[0], next(b for b in blocks if isinstance(b, Grid))
    assert isinstance(lead, Paragraph) and lead.kind == "lead"
    assert "behind in 1 of 3 pairs of language and task, ahead in 1, tied in 1" in lead.text
    cells = {
        (r[0].text, kind): c for r in grid.rows for kind, c in zip(grid.header, r, strict=True)
    }
    assert not grid.folded
    assert cells["Danish", "common sense"].text == "+40.0 behind"
    assert cells["Danish", "common sense"].mark == "worse"
    assert cells["Danish", "common sense"].note == "far; tokens: one checkpoint"
    assert (cells["Danish", "reading"].text, cells["Danish", "reading"].mark) == (
        "+1.0 tied",
        "tie",
    )
    assert cells["Danish", "reading"].note == "near", "a tie has no price"
    assert cells["Swedish", "reading"].text == "−30.0 ahead"
    assert cells["Swedish", "common sense"].text == "–"


def test_every_number_is_of_its_row_and_the_luck_of_the_best_is_told(made):
    blocks, found = made
    assert untraced(blocks, found) == []
    moved = found["published_gaps"].frame.assign(gap=lambda f: f["gap"] + 1)
    assert untraced(blocks, {"published_gaps": found["published_gaps"]._replace(frame=moved)})
    grid = next(b for b in blocks if isinstance(b, Grid))
    assert "the best of up to 2 rivals is partly the luckiest" in grid.caption


def test_the_rest_is_folded_and_the_figure_is_not(made):
    blocks, _ = made
    assert [b.folded for b in blocks if isinstance(b, Grid)] == [False, True]
    (method,) = (b for b in blocks if isinstance(b, Notes))
    assert "priced in tokens" in method.title and len(method.texts) > 3
    (prices,) = (b for b in blocks if isinstance(b, Claims))
    assert prices.sentences == (
        "What closing it would take in tokens is known of none of 1 such gap: one checkpoint is published (1).",
    )
    assert [bool(b.folded) for b in blocks if isinstance(b, Gallery)] == [False]


def test_without_a_rival_nothing_is_said_of_gaps():
    blocks, _ = blocks_of(row(LATE, 50))
    assert [b.kind for b in blocks] == ["gap"]
