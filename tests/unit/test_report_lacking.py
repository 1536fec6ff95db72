"""What models lack: tasks, languages, and the means that leave them out, each in a sentence that holds."""

import pandas as pd
from skald_report.sections.claims import claims
from skald_report.tables.table import MACRO, Table
from support_words import TAGS, models, overall, scores, tables

ROLES = {"small": "baseline", "large": "baseline"}
GIVEN = {"tasks": {"small": 0.4, "large": 0.5}}


def asked(*kinds, named=tuple(ROLES), tags=(*TAGS, MACRO)):
    """Return the scores of all models on some tasks."""
    frame = scores(named, tags).frame
    parts = [frame.assign(task=kind, kind=kind, label=kind) for kind in kinds]
    return pd.concat(parts).reset_index(drop=True)


def without(frame, model, **where):
    gone = frame["model"] == model
    for column, value in where.items():
        gone &= frame[column].isin(value if isinstance(value, tuple) else (value,))
    return frame[~gone].reset_index(drop=True)


def gaps(frame, roles=ROLES, means=None):
    return claims(
        tables(models(roles), Table("scores", (), {}, frame), means or overall(GIVEN))
    ).gaps


def test_nothing_is_a_gap_where_everyone_answered_all():
    assert gaps(asked("pairs", "cloze")) == ()


def test_a_task_that_a_baseline_lacks_altogether_is_named_with_the_mean_that_leaves_it_out():
    assert gaps(without(asked("pairs", "cloze"), "large", task="pairs")) == (
        "large has no score on pairs in any language.",
        "The mean on tasks leaves out for all pairs, which large lacks in whole or part.",
    )
    one = asked("pairs", "cloze", tags=("da",))
    found = gaps(without(one, "large", task="pairs"), means=overall(GIVEN, tags=("da",)))
    assert found[0] == "large has no score on pairs in any language." and len(found) == 2


def test_a_task_without_a_chance_level_is_in_no_mean_and_a_controlled_task_is_none_of_the_contest():
    frame = asked("pairs", "generate")
    frame.loc[frame["task"] == "generate", "chance"] = float("nan")
    assert gaps(without(frame, "large", task="generate")) == (
        "large has no score on generate in any language.",
    )
    assert gaps(without(asked("pairs", "canary"), "large", task="canary")) == ()


def test_an_external_takes_nothing_from_the_mean_over_tasks_and_the_sentences_agree():
    roles = {"small": "baseline", "large": "external"}
    frame = without(asked("pairs", "cloze"), "large", task="pairs", language=("fo", MACRO))
    means = overall(GIVEN).frame
    means = without(means, "large", scope=("mean", "worst", "fo"))
    found = gaps(frame, roles, Table("overall", (), {}, means))
    assert found == (
        "large has no score on pairs for fo; the task's own mean over languages leaves it out for all.",
        "large lacks some task or language that the mean of tasks is over, so it has none; no mean is taken over "
        "missing scores.",
    )


def test_a_baseline_without_a_language_takes_it_from_the_mean_over_tasks():
    frame = without(asked("pairs", "cloze"), "large", task="pairs", language="fo")
    assert (
        "The mean on tasks leaves out for all pairs in Faroese, which large lacks in whole or part."
        in gaps(frame)
    )
    part = asked("pairs")
    part.loc[(part["model"] == "large") & (part["language"] == "fo"), "n_items"] = 40
    assert any("leaves out for all pairs in Faroese, which large" in said for said in gaps(part))


def test_where_baselines_share_nothing_there_is_no_mean_and_one_language_has_none_either():
    frame = without(without(asked("pairs", "cloze"), "large", task="pairs"), "small", task="cloze")
    none = Table("overall", (), {}, overall(GIVEN).frame.iloc[:0])
    assert gaps(frame, means=none)[-1] == (
        "No mean on tasks is taken, for want of cloze, which small lacks in whole or part; and pairs, which large "
        "lacks in whole or part."
    )
    two = without(asked("pairs", tags=("da", "fo")), "large", language="fo")
    assert "large has no score on pairs for fo, so the task has no mean over languages." in gaps(
        two
    )


def test_with_one_language_a_model_without_its_mean_is_named():
    means = without(overall(GIVEN, tags=("da",)).frame, "large")
    roles = {"small": "baseline", "large": "external"}
    frame = without(asked("pairs", "cloze", tags=("da",)), "large", task="pairs")
    assert any(
        said.startswith("large lacks some task or language that the mean of tasks is over")
        for said in gaps(frame, roles, Table("overall", (), {}, means))
    )
