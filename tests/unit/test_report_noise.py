"""Whether the numbers can be trusted: noise of tasks, seeds, wordings and rechecks in sentences."""

import math

import pandas as pd
from skald_report.page.blocks import Grid, Paragraph
from skald_report.sections.noise import noise_blocks, noise_sentences
from skald_report.sections.trust import trust_blocks
from skald_report.sections.wordings import wordings
from skald_report.tables.table import Table
from support_words import context, models, scores, tables, untraced


def noise(**columns):
    base = {
        "suite": "core", "task": ["pairs", "pairs", "text"], "language": ["da", "fo", "da"],
        "kind": ["pairs", "pairs", "text"], "label": ["pairs", "pairs", "bits per byte"], "n_models": 2,
        "n_items": [400, 60, 300], "signal_to_noise": [0.7, 1.8, 3.9], "noise_source": "items",
        "mde": [0.05, 0.13, 0.01], "low_power": [False, True, False], "n_seeds": 0, "n_checkpoints": 0,
        "n_pairs": 1, "n_told": [0, 1, 1],
    }  # fmt: skip
    return Table(
        "noise",
        ("suite", "task", "language"),
        {},
        pd.DataFrame({**base, **columns}, index=range(3)),
    )


def test_tasks_with_little_spread_and_those_of_low_power_are_named():
    assert list(noise_sentences(noise().frame)) == [
        "Noise: in 1 of 3 pairs of task and language (pairs 1) the models spread no wider than the noise of one "
        "score (signal to noise at most 1).",
        "That does not say whether two models differ: the paired test does, in which what is hard for both cancels. It "
        "tells two models apart in none of 1 such pairs of task and language (0 of 1 comparison, Holm-corrected "
        "within two models, p\u00a0<\u00a00.05).",
        "The clearest is bits per byte in Danish (signal to noise 3.9).",
        "1 pair of task and language has fewer than 100 items (pairs): two models must differ by 0.13 there to "
        "be told apart with 80 % power.",
        "Seeds: each model was trained with one, so noise between training runs is not known: a difference may be "
        "that of these runs alone. The noise here is that of drawing other items.",
    ]


def test_models_that_the_paired_test_tells_apart_are_not_called_alike_for_little_spread():
    told = noise(signal_to_noise=0.7, n_pairs=3, n_told=[2, 0, 3])
    _, tested, *_ = noise_sentences(told.frame)
    assert (
        "tells two models apart in 2 of 3 such pairs of task and language (5 of 9 comparisons"
        in tested
    )
    assert not any(
        "paired test" in said for said in noise_sentences(noise(signal_to_noise=2.0).frame)
    )
    (grid,) = [block for block in noise_blocks(told) if isinstance(block, Grid)]
    assert "explains" not in grid.caption


def test_seeds_and_checkpoints_are_said_where_they_are_known():
    (*_, seeds) = noise_sentences(noise(n_seeds=3).frame)
    assert (
        seeds
        == "Seeds: noise between training runs is that of 3 seeds, on 3 of 3 pairs of task and language."
    )
    (*_, checkpoints) = noise_sentences(noise(n_checkpoints=4).frame)
    assert checkpoints.endswith("noise between the last checkpoints of a run stands in for it.")


def test_zero_variance_leaves_the_ratio_unknown_and_cells_name_their_rows():
    unknown = noise(signal_to_noise=math.nan, mde=math.nan)
    (first, *_) = noise_sentences(unknown.frame)
    assert first == "Noise: no task has a signal-to-noise ratio: its noise is zero or not known."
    blocks = list(noise_blocks(unknown))
    grid = next(block for block in blocks if isinstance(block, Grid))
    assert grid.rows[0][1].text == "not known" and grid.rows[0][2].text == "⚑ not known"
    assert untraced(list(noise_blocks(noise())), tables(noise())) == []
    assert untraced(list(noise_blocks(noise())), tables(noise(mde=[0.5, 0.5, 0.5])))


def test_controlled_tasks_compare_no_models_and_one_model_has_no_signal():
    only = noise(kind="canary")
    assert list(noise_blocks(only)) == [
        Paragraph("Only controlled tasks were asked, and those compare no models.", "gap")
    ]
    assert "Fewer than two models were evaluated" in next(noise_blocks(None)).text


def test_how_far_wordings_move_a_score():
    one = scores(("small", "large"))
    (said,) = wordings(one)
    assert said.startswith("Wordings: every task was asked in one")
    frame = one.frame.assign(n_wordings=3, lowest_wording=0.45, highest_wording=0.55)
    frame.loc[0, "highest_wording"] = 0.65
    (said,) = wordings(Table("scores", (), {}, frame))
    assert (
        "moves by 0.100 at the median and by at most 0.200 (small on cloze in da), of 6 scores"
        in said
    )


def test_gaps_are_listed_and_without_scores_there_is_nothing_to_check():
    frame = scores(("small", "large")).frame
    lacks = frame[(frame["model"] != "small") | (frame["language"] != "fo")].reset_index(drop=True)
    found = tables(
        models({"small": "baseline", "large": "baseline"}), Table("scores", (), {}, lacks)
    )
    *_, last = trust_blocks(context(found))
    assert "small has no score on cloze for fo" in last.text and last.kind == "gap"
    assert list(trust_blocks(context({}))) == [
        Paragraph("No evaluation was given, so there is nothing to check.", "gap")
    ]
