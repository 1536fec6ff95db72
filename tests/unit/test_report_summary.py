"""What the page says first: which model is better, by how much, how sure; ties and gaps as outcomes."""

import math
from types import SimpleNamespace

import pandas as pd
import pytest
from skald_report.page.blocks import Gallery, Grid, Paragraph
from skald_report.sections.above import above_controls, task_by_task
from skald_report.sections.claims import claims
from skald_report.sections.cost_words import cost_sentences
from skald_report.sections.summary import not_shown, summary
from skald_report.sections.trained_on import trained_on
from skald_report.sections.verdict import verdicts
from skald_report.tables.table import MACRO, Table
from support_words import (
    context,
    differences,
    models,
    overall,
    pairwise,
    scores,
    tables,
    untraced,
)

TWO = {"tasks": {"small": 0.4, "large": 0.5}, "text": {"small": 1.0, "large": 0.9}}
BOTH = {("tasks", "small", "large"): "worse", ("text", "small", "large"): "worse"}
ROLES = {"small": "baseline", "large": "baseline"}


def said(verdict=BOTH, given=TWO, cells=(), roles=ROLES, **more):
    found = tables(models(roles), overall(given, **more), pairwise(given, verdict), *cells)
    return [" ".join(sentence.split()) for sentence in verdicts(found)]


def test_the_better_of_two_models_is_named_with_both_means_interval_and_p():
    assert said() == [
        "large is better than small on tasks and in bits per byte.",
        "On tasks (0 is chance, 1 is all right), large has 0.500 and small 0.400 over 3 languages: a "
        "difference of +0.100 (95 % interval +0.080 to +0.120, Holm-corrected p < 0.001).",
        "In bits per byte (lower is better), large has 0.900 and small 1.000 over 3 languages: a difference "
        "of −0.100 (95 % interval −0.120 to −0.080, Holm-corrected p < 0.001).",
    ]


def test_a_tie_is_an_outcome_and_says_what_would_have_been_found():
    sentences = said({("text", "small", "large"): "worse"})
    assert sentences[0] == "large is better than small in bits per byte and tied with it on tasks."
    assert sentences[1].endswith(
        "Holm-corrected p = 0.40); a true difference of 0.030 would have been found with 80 % power after Holm's correction."
    )
    assert "would have been found" not in sentences[2]
    assert said({})[0] == (
        "small and large are tied on tasks and in bits per byte: no mean difference is beyond noise."
    )


def test_better_on_one_measure_and_worse_on_the_other_is_said_as_both():
    sentences = said({("tasks", "small", "large"): "better", ("text", "small", "large"): "worse"})
    assert sentences[0] == "small is better than large on tasks and worse in bits per byte."


def test_zero_variance_leaves_a_tie_whose_power_is_not_known():
    frame = pairwise(TWO, {}, mde=math.nan)
    found = verdicts(tables(models(ROLES), overall(TWO), frame))
    assert found[1].endswith("how small a difference would have been found is not known.")


def test_languages_and_tasks_are_named_where_a_pair_differs():
    cells = differences("large", "small", {
        "pairs": ("tie", "better", "tie"), "cloze": ("tie", "tie", "worse"), "text": ("better",) * 3,
    })  # fmt: skip
    sentences = said(cells=(cells,))
    assert (
        "Task by task, of 6 pairs of task and language on tasks large is better in 1 (pairs in German), worse "
        "in 1 (cloze in Faroese) and tied in 4."
    ) in sentences
    assert (
        "Language by language, large is better in bits per byte in all 3 languages, most in Faroese (−0.300) and "
        "least in Danish (−0.100)."
    ) in sentences
    ties = differences("large", "small", {"text": ("tie",) * 3})
    assert "Language by language, all 3 languages are tied in bits per byte." in said(cells=(ties,))


def test_one_language_alone_is_named_instead_of_a_count():
    assert "large has 0.500 and small 0.400 in Danish: a difference" in said(tags=("da",))[1]


def test_a_model_without_all_cells_is_compared_on_those_that_both_have():
    frame = overall(TWO).frame
    lacking = frame[(frame["model"] != "small") | (frame["scope_kind"] == "language")]
    whole = overall(TWO)._replace(frame=lacking.reset_index(drop=True))
    sentences = verdicts(tables(models(ROLES), whole, pairwise(TWO, BOTH)))
    assert "large and small differ by +0.100" in sentences[1]
    assert "over the 6 pairs of task and language that both have" in sentences[1]


@pytest.mark.parametrize(
    ("roles", "sentence"),
    [
        ({"byte-ngram": "control"}, "No model but controls was evaluated, so there is none to rank."),
        ({"one": "external"}, "Only one model was evaluated, one, so none is better than another."),
        (ROLES, "small and large share no task with a known chance level and no text, so no mean compares them."),
    ],
)  # fmt: skip
def test_where_nothing_can_be_compared_the_page_says_why(roles, sentence):
    assert verdicts(tables(models(roles))) == [sentence]


def test_the_one_model_has_its_means():
    found = verdicts(tables(models({"small": "baseline"}), overall(TWO)))
    assert found == [
        "Only one model was evaluated, small, so none is better than another; its mean is 0.400 on tasks "
        "(95 % interval 0.380–0.420) and 1.000 in bits per byte (95 % interval 0.980–1.020)."
    ]


@pytest.mark.parametrize(
    ("kept", "words"),
    [("text", "No task with a known chance level was answered by two models"),
     ("tasks", "No text was scored for two models")],
)  # fmt: skip
def test_a_measure_that_nobody_was_asked_in_is_named(kept, words):
    sentences = said(given={kept: TWO[kept]})
    assert any(sentence.startswith(words) for sentence in sentences) and len(sentences) == 3


def many(n, tied=()):
    names = [f"m{k:02d}" for k in range(n)]
    given = {"tasks": {name: 0.9 - 0.01 * k for k, name in enumerate(names)}}
    verdict = {("tasks", a, b): "better" for k, a in enumerate(names) for b in names[k + 1 :]
               if (a, b) not in tied}  # fmt: skip
    sizes = {name: "<1B" if k < n // 2 else "1-4B" for k, name in enumerate(names)}
    roles = dict.fromkeys(names, "external")
    return tables(models(roles, sizes), overall(given), pairwise(given, verdict))


def test_of_many_models_the_leader_and_those_tied_with_it_are_named_not_every_pair():
    sentences = verdicts(many(100, {("m00", "m01"), ("m00", "m02")}))
    assert sentences[0].startswith(
        "On tasks, m00 leads with 0.900 (95 % interval 0.880–0.920): better than 97 of 99 others and tied with "
        "m01 and m02"
    )
    assert sentences[1].startswith("The second is m01: m00 minus m01 is +0.010")
    assert sentences[1].endswith(
        "a true difference of 0.030 would have been found with 80 % power after Holm's correction."
    )
    assert "m00 has the best score in each of 3 languages on tasks." in sentences
    assert (
        "Best mean of each size class on tasks: <1B: m00 (0.900); 1-4B: m50 (0.400)." in sentences
    )
    assert len(sentences) <= 6


def test_a_leader_that_beats_all_is_not_called_tied_and_all_ties_have_no_leader():
    assert "better than all 3 others (Holm" in verdicts(many(4))[0]
    names = [f"m{k:02d}" for k in range(4)]
    every = {(a, b) for a in names for b in names}
    (first, *_) = verdicts(many(4, every))
    assert first == (
        "On tasks, all 4 models compared are tied: none of 6 differences between two of them is beyond noise; a "
        "true difference of 0.030 would have been found with 80 % power after Holm's correction in every pair."
    )


CONTROLLED = {
    "tasks": {"small": 0.4, "large": 0.5, "byte-ngram": 0.4, "random-init-small": 0.0},
    "text": {"small": 1.0, "large": 0.9, "byte-ngram": 1.0, "random-init-small": 3.0},
}
ABOVE = {
    ("tasks", "large", "byte-ngram"): "better", ("text", "large", "byte-ngram"): "better",
    **{(measure, name, "random-init-small"): "better" for measure in CONTROLLED
       for name in ("small", "large")},
}  # fmt: skip
WITH = {**ROLES, "byte-ngram": "control", "random-init-small": "control", "oracle": "control"}


def test_how_far_above_each_control_and_who_is_only_tied():
    found = tables(models(WITH), pairwise(CONTROLLED, ABOVE))
    assert [" ".join(sentence.split()) for sentence in above_controls(found)] == [
        "Both models are better than the untrained network (random-init-small): by 0.400 to 0.500 on tasks and by "
        "2.000 to 2.100 in bits per byte (Holm-corrected p < 0.05).",
        "Against byte-ngram, which only counts bytes, on tasks large is better by 0.100 and small is tied; in bits "
        "per byte large is better by 0.100 and small is tied (Holm-corrected p < 0.05).",
    ]
    assert above_controls(tables(models(ROLES))) == [
        "No control was evaluated, so no score can be set against chance or counting."
    ]


def test_a_control_that_wins_somewhere_is_said_task_by_task():
    lost = differences(
        "small", "byte-ngram", {"cloze": ("worse", "tie", "tie"), "text": ("tie",) * 3}
    )
    frame = pairwise(CONTROLLED, ABOVE).frame
    counts = frame["model"].eq("small") & frame["reference"].eq("byte-ngram")
    frame.loc[counts & frame["measure"].eq("tasks"), ["wins", "losses", "ties"]] = [0, 1, 5]
    found = tables(models(WITH), Table("pairwise", (), {}, frame), lost)
    (against,) = [s for s in task_by_task(found) if "against byte-ngram" in s]
    assert (
        "of 12 pairs of task and language small is better in 1, worse in 1 (cloze in Danish) and"
        in against
    )


def test_a_verdict_against_controls_has_the_differences_and_the_models_that_it_is_about():
    given = {"tasks": {"A": 0.3, "random-init-x": 0.32, "random-init-y": 0.0}}
    verdict = {("tasks", "A", "random-init-x"): "worse", ("tasks", "A", "random-init-y"): "better"}
    cast = {"A": "baseline", "random-init-x": "control", "random-init-y": "control"}
    (mixed,) = above_controls(tables(models(cast), pairwise(given, verdict)))
    assert "on tasks A is worse than random-init-x by 0.020 (Holm" in mixed
    given = {
        "tasks": {"A": 0.1, "B": 0.2, "byte-ngram": 0.0},
        "text": {"A": 1.0, "byte-ngram": 1.5},
    }
    verdict = {(m, name, "byte-ngram"): "better" for m, own in given.items() for name in own}
    cast = {"A": "baseline", "B": "baseline", "byte-ngram": "control"}
    found = tables(models(cast), pairwise(given, verdict))
    (apart,) = above_controls(found)
    assert (
        "on tasks both models are better by 0.100 to 0.200; in bits per byte A is better by 0.500"
        in apart
    )
    (counted,) = task_by_task(found)
    assert counted == (
        "Task by task against byte-ngram, A is better in 2, worse in none and tied in 10 of 12 pairs of task and "
        "language; B is better in 1, worse in none and tied in 5 of 6 pairs of task and language."
    )


def test_what_training_cost_and_that_energy_was_not_measured():
    frame = pd.DataFrame({"model": ["small", "large"], "flops_train": [3.5e12, 1.4e13],
                          "energy_kwh": [math.nan, math.nan]})  # fmt: skip
    known = tables(models(ROLES), Table("cost", ("model",), {}, frame))
    assert cost_sentences(known) == [
        "Training is planned at 3.5 × 10¹² FLOPs for small and 1.4 × 10¹³ FLOPs for large, 4.0 times as much; "
        "energy was not measured."
    ]
    frame = frame.assign(energy_kwh=[0.5, 1.0])
    (measured,) = cost_sentences(known | tables(Table("cost", ("model",), {}, frame)))
    assert measured.endswith("measured energy of all together 1.5 kWh.")
    assert cost_sentences(tables(models(ROLES))) == [
        "What training cost is not known: no plan of a model was given."
    ]


def test_the_section_shows_figure_limits_and_cells_that_name_their_row():
    found = tables(
        models(WITH),
        scores(tuple(WITH)),
        overall(CONTROLLED),
        pairwise(CONTROLLED, {**ABOVE, **BOTH}),
    )
    blocks = list(summary(context(found)))
    assert blocks[0] == Paragraph(
        "large is better than small on tasks and in bits per byte.", "lead"
    )
    assert blocks[1].text.startswith("No corpus manifest was given"), "what decides how all is read"
    assert [block.name for block in blocks if isinstance(block, Grid)] == ["standing", "facts"]
    assert len([block for block in blocks if isinstance(block, Gallery)]) == 1
    limits = " ".join(block.text for block in blocks if isinstance(block, Paragraph))
    for words in (
        "cannot say what the models were trained on",
        "No model was trained again with another seed",
        "No model of another laboratory was evaluated here",
    ):
        assert words in limits
    assert untraced(blocks, found) == []
    assert untraced(blocks, found | tables(overall(CONTROLLED, half=0.03)))
    (nothing, *_) = summary(context({}))
    assert nothing == Paragraph("No evaluation was given, so this page makes no claim.", "gap")


def test_seeds_and_other_laboratories_are_not_missed_where_they_are_there():
    def limits(groups):
        named = models({"a": "external", "b": "baseline", "c": "baseline"})
        known = Table("models", ("model",), {}, named.frame.assign(seed_group=groups))
        found = tables(known, scores(("a", "b", "c")))
        return " ".join(block.text for block in not_shown(context(found)))

    known = limits(["a", "b", "b"])
    assert "another seed" not in known and "another laboratory" not in known
    # As long as one compared model was trained once, its order may be that of one run.
    some = limits(["", "b", "b"])
    assert "Not every model was (a not) trained again with another seed" in some


def test_hostile_names_stand_in_sentences_as_they_are():
    name = '<b>"x"</b>|=1'
    given = {"tasks": {name: 0.5, "b": 0.4}}
    verdict = {("tasks", name, "b"): "better"}
    assert said(verdict, given, roles={name: "baseline", "b": "baseline"})[0] == (
        f"{name} is better than b on tasks."
    )


def test_nothing_is_claimed_without_scores():
    assert claims({}).all == ()


def test_only_the_languages_that_were_asked_are_listed():
    found = tables(models(ROLES), scores(ROLES, ("de", MACRO)), overall(TWO, tags=("de",)))
    (facts,) = [b for b in summary(context(found)) if isinstance(b, Grid) and b.name == "facts"]
    assert facts.caption.startswith("2 models and 0 controls in German (Deutsch). ")


def read(source="data/text", items=("generated",), roles=("baseline", "external")):
    """Say what a page is about whose models, texts and items these are."""
    corpus = SimpleNamespace(recipe=SimpleNamespace(source=source))
    asked = SimpleNamespace(
        suite="core",
        models=[SimpleNamespace(name=f"m{n}", role=role) for n, role in enumerate(roles)],
        tasks=[SimpleNamespace(source=item) for item in items],
    )
    return trained_on(SimpleNamespace(corpus=corpus, summaries=(asked,))).text


def test_what_was_trained_on_is_said_of_the_baselines_and_tested_on_of_the_items():
    assert "The baselines were trained and tested on synthetic text" in read()
    assert read().endswith(
        "m1 was trained elsewhere, on text that this page does not know; synthetic items say nothing about its "
        "competence either."
    )
    assert "elsewhere" not in read(roles=("baseline", "control"))
    users = read(items=("generated", "user"))
    assert "The baselines were trained on synthetic text" in users and "and tested" not in users
    assert "Items of suite core are not, or not all, synthetic." in users
    assert users.endswith("on text that this page does not know.")
    real = read(source="elsewhere")
    assert real.startswith("The baselines were trained on text from the folder 'elsewhere'.")
    assert "The items are synthetic" in real and "synthetic" not in read("elsewhere", ("user",))
    assert "baselines" not in read(roles=("external",))
