"""Gaps between published models: like with like, noise called noise, and no price where none is known."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from skald_report.landscape import gaps as why
from skald_report.landscape.gaps import published_gaps, without_mean
from skald_report.landscape.protocol import TASK_KINDS
from skald_report.landscape.scores import landscape
from skald_report.page.blocks import Claims, Explorer, Gallery, Grid, Notes, Paragraph
from skald_report.reading.inputs import ReportInputs, load
from skald_report.reading.published import COLUMNS
from skald_report.sections.published import published
from skald_report.sections.published_gaps import gap_blocks
from skald_report.sections.published_words import gap_sentences
from skald_specs.loss_law import Score, tokens_to_reach
from skald_specs.published import PublishedCheckpoint, PublishedModels
from support_words import context, untraced

NOTHING = load(ReportInputs())
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
        NOTHING,
        published=pd.DataFrame(rows, columns=COLUMNS).astype({"eu": object}),
        published_models=CHECKPOINTS,
    )


@pytest.mark.parametrize("kind", ["reading-comprehension", "summarization"])
def test_a_board_of_no_european_model_is_a_gap_and_no_empty_figure(kind):
    def blocks_of(**more):
        found = {"published": landscape(sources_of(row("x", 50, kind=kind, **more)))}
        made = context(found)
        return made.remarks.published, list(published(made))

    said, blocks = blocks_of(eu=False)
    assert not [b for b in blocks if isinstance(b, Gallery | Explorer)]
    assert any(
        b.kind == "gap" and "no figure" in b.text for b in blocks if isinstance(b, Paragraph)
    )
    assert said[0].endswith("0 of them European, all of 2026-04-17.")
    assert not any("older" in sentence or "dot" in sentence for sentence in said)
    if kind in TASK_KINDS:
        _, blocks = blocks_of()
        assert {type(b) for b in blocks} >= {Gallery, Explorer}


def test_a_caption_without_a_figure_is_refused():
    with pytest.raises(AssertionError, match="no figure"):
        Gallery((), "Of nothing.")


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


def test_interval_and_verdict_agree_at_the_level_of_all_comparisons():
    for gap in (2.0, 3.0, 3.8):
        for n_rivals in (1, 4, 20):
            rivals = [row(f"m{n}", 50) for n in range(n_rivals - 1)]
            found = of(gaps(row(LATE, 50), row("good", 50 + gap), *rivals))
            assert found["interval_level"] == 1 - 0.05 / n_rivals == 1 - 0.05 / found["n_family"]
            assert (found["low"] > 0) == (found["verdict"] == "behind")


def test_the_interval_of_the_best_of_equals_covers_no_gap():
    """Of eleven equally good rivals the best leads; an interval of 95 % for each alone covers 85 %."""
    rng = np.random.default_rng(1)
    scores = 50 + 0.3 * 10**0.5 * rng.standard_normal((40, 12))
    found = [
        of(gaps(row(LATE, s[0]), *(row(f"m{n}", v) for n, v in enumerate(s[1:])))) for s in scores
    ]
    assert np.mean([f["low"] <= 0 <= f["high"] for f in found]) >= 0.95
    assert np.mean([f["gap"] for f in found]) > 0.3


def test_a_missing_cell_is_never_averaged():
    own = [row(LATE, s, tag) for s, tag in ((50, "da"), (60, "sv"), (70, "de"))]
    all_three = [row("all", s, tag) for s, tag in ((52, "da"), (62, "sv"), (72, "de"))]
    best_but_lacks_one = [row("two", 90, "da"), row("two", 90, "sv")]
    mean = of(gaps(*own, *all_three, *best_but_lacks_one), language="mean")
    assert (mean["best"], mean["score"], mean["gap"], mean["n_cells"]) == ("all", 60, 2, 3)
    assert mean["languages"] == "da sv de"


def test_what_the_earlier_checkpoint_lacks_is_lost_to_the_price_alone():
    own = [row(LATE, s, tag) for s, tag in ((50, "da"), (60, "sv"), (70, "de"))]
    best = [row("good", s, tag) for s, tag in ((65, "da"), (66, "sv"), (76, "de"))]
    early = [row(EARLY, 40, tag) for tag in ("da", "sv", "de")]
    whole = of(gaps(*own, *best, *early), language="mean")
    less = of(gaps(*own, *best, *early[:2]), language="mean")
    for name in ("gap", "low", "high", "p_corrected", "n_cells", "best"):
        assert whole[name] == less[name]
    assert (whole["n_cells_price"], less["n_cells_price"]) == (3, 2)
    assert less["languages_price"] == "da sv"
    assert (less["earlier_score"], less["growth"]) == (40, 15)
    assert whole["tokens"] != less["tokens"] > 2e12
    none = of(gaps(*own, *best, *early[:1]), language="mean")
    assert (none["why_no_tokens"], none["gap"]) == (why.FEW_CELLS, whole["gap"])


def test_a_floor_is_a_score_in_the_mean_and_can_be_left_out_by_name():
    kind = "linguistic-acceptability"
    own = [row(LATE, s, tag, kind) for s, tag in ((0, "da"), (20, "sv"), (10, "de"))]
    best = [row("good", s, tag, kind) for s, tag in ((3, "da"), (50, "sv"), (40, "de"))]
    found = of(gaps(*own, *best), language="mean")
    assert (found["score"], found["gap"], found["n_cells"]) == (10, 21, 3)
    assert (found["n_floors"], found["gap_without_floors"]) == (1, 30)


def test_a_kind_without_a_mean_is_listed_with_the_reason():
    known = [row(LATE, 50, "da"), row(LATE, 50, "sv"), row("good", 60, "da")]
    single = [row(m, 50, "da", "linguistic-acceptability") for m in (LATE, "good")]
    found = without_mean(landscape(sources_of(*known, *single)), CHECKPOINTS).frame
    assert dict(zip(found["task_kind"], found["why_no_mean"], strict=True)) == {
        "reading-comprehension": why.NO_RIVAL,
        "linguistic-acceptability": why.ONE_CELL,
    }
    frame = gaps(*known, *single)
    assert "mean" not in set(frame["language"])


def test_the_page_names_languages_reasons_luck_and_harness():
    rows = [row(m, s, tag) for m, s in ((LATE, 50), ("good", 60)) for tag in ("da", "sv")]
    rows += [row(m, 50, "da", "linguistic-acceptability") for m in (LATE, "good")]
    shown = landscape(sources_of(*rows))
    tables = {t.name: t for t in (f(shown, CHECKPOINTS) for f in (published_gaps, without_mean))}
    said = " ".join(gap_sentences(tables))
    assert "Mean on reading over 2 data sets (Danish" in said
    assert "Swedish" in said.split("Mean on reading")[1].split(":")[0]
    assert f"No mean is given of ScaLA ({why.ONE_CELL})" in said
    assert "best partly by luck" in said
    assert "Of 3 comparisons 0 are between snapshots of two dates, in 3 the harness" in said
    assert "No mean" not in " ".join(gap_sentences({"published_gaps": tables["published_gaps"]}))


def test_both_snapshots_and_harnesses_stand_in_the_row():
    ours = [row(LATE, 50, tag, source_date="2026-01-07") for tag in ("da", "sv")]
    theirs = [
        row("good", 60, tag, harness_version=v) for tag, v in (("da", "15.0"), ("sv", "16.1"))
    ]
    frame = gaps(*ours, *theirs)
    one, mean = of(frame), of(frame, language="mean")
    assert (one["source_date"], one["best_source_date"]) == ("2026-01-07", "2026-04-17")
    assert (one["harness_version"], one["best_harness_version"]) == (why.NOT_STATED, "15.0")
    assert mean["best_harness_version"] == "15.0; 16.1"


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
    assert "The best of up to 2 rivals is best partly by luck" in grid.caption


def test_the_rest_is_folded_and_the_figure_is_not(made):
    blocks, _ = made
    assert [b.folded for b in blocks if isinstance(b, Grid)] == [False, True]
    (method,) = (b for b in blocks if isinstance(b, Notes))
    assert "priced in tokens" in method.title and len(method.texts) > 3
    prices, limits = (b for b in blocks if isinstance(b, Claims))
    assert limits.folded and "best partly by luck" in " ".join(limits.sentences)
    assert not prices.folded and not set(prices.sentences) & set(limits.sentences)
    assert prices.sentences == (
        "What closing it would take in tokens is known of none of 1 such gap: one checkpoint is published (1).",
    )
    assert [bool(b.folded) for b in blocks if isinstance(b, Gallery)] == [False]


def test_without_a_rival_nothing_is_said_of_gaps():
    blocks, _ = blocks_of(row(LATE, 50))
    assert [b.kind for b in blocks] == ["gap"]
