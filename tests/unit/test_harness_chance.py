"""Chance of lm-eval's tasks: drawing a choice, or the most frequent label where all items offer the same."""

import pytest
from skald_harness.adapter.index import define_all
from skald_harness.adapter.public import describe
from skald_harness.models.rules import rules
from skald_harness.running.answering import taken
from skald_harness.running.asked import AskedTask
from skald_harness.store.mismatches import Verification
from skald_harness.store.verify_summary import check_summary
from skald_harness.tasks.hub import hub_tasks
from skald_specs.controls import MAJORITY, ORACLE
from skald_specs.records import (
    EvaluatedModel,
    EvaluationSummary,
    ItemRecord,
    RequestRecord,
    TaskInfo,
)

TASKS = {task.name: task for task in define_all(hub_tasks(languages=["is", "de", "en"]))[0]}


class Loaded:
    """lm-eval's task object as far as chance needs it: rows of choices and the right one."""

    OUTPUT_TYPE, multiple_input = "multiple_choice", 0

    def __init__(self, rows):
        self.eval_docs = [{"choices": choices, "gold": gold} for choices, gold in rows]

    def doc_to_choice(self, document):
        return document["choices"]

    def doc_to_target(self, document):
        return document["gold"]


def described(name, rows):
    found = describe(TASKS[name], Loaded(rows))
    return found.chance, found.fixed_labels


def test_the_same_labels_in_every_item_make_chance_the_most_frequent_one():
    rows = [(["A", "B"], gold) for gold in "BBBBBBBAAA"]
    assert described("mela_is", rows) == (0.7, True)
    # No family has to be named for that.
    assert described("arc_challenge", [(list("abcd"), 2)] * 3 + [(list("abcd"), 0)]) == (0.75, True)


def test_other_choices_in_each_item_leave_chance_to_the_draw():
    rows = [([f"good {i}", f"bad {i}"], 0) for i in range(6)]
    assert described("blimp_causative", rows) == (0.5, False)
    assert described("arc_challenge", [(list("abcd"), 0), (list("ab"), 0)]) == (0.375, False)
    # One item does not show what the others would offer.
    assert described("arc_challenge", [(list("abcd"), 0)]) == (0.25, False)


def test_labels_woven_into_sentences_are_labels():
    rows = [([f"{i}, ja", f"{i}, auch", f"{i}, nein"], gold) for i, gold in enumerate([2, 2, 2, 0])]
    assert described("xnli_de", rows) == (0.75, True)


def test_the_majority_is_asked_tasks_of_labels_alone():
    subjects = {subject.model.name: subject for subject in rules()}
    labels = describe(TASKS["mela_is"], Loaded([(["A", "B"], 0), (["A", "B"], 0)]))
    others = describe(TASKS["blimp_causative"], Loaded([(["a", "b"], 0), (["c", "d"], 0)]))
    tasks = [
        AskedTask(TASKS["mela_is"], labels, None),
        AskedTask(TASKS["blimp_causative"], others, None),
    ]
    assert taken(subjects[MAJORITY], tasks) == tasks[:1]
    assert taken(subjects[ORACLE], tasks) == tasks


@pytest.mark.parametrize(("chance", "fixed", "n_wrong"), [
    (0.75, True, 0), (0.5, True, 1), (0.5, False, 0), (0.75, False, 1),
])  # fmt: skip
def test_verifying_computes_chance_again_from_what_was_right(tmp_path, chance, fixed, n_wrong):
    task = TaskInfo(
        name="t", kind="choice", suite="hub", language="da", version=1.0, chance=chance, n_items=4,
        data_sha256="", metric="acc", family="t", fixed_labels=fixed,
    )  # fmt: skip
    model = EvaluatedModel(
        name="m", role="baseline", about="", n_params_total=1, weights_sha256="",
        tokenizer_sha256="", dtype="", scorer="",
    )  # fmt: skip
    summary = EvaluationSummary(
        schema_version=1, suite="hub", models=(model,), tasks=(task,), lm_eval_version="",
        fewshot_seed=0, flags=(),
    )  # fmt: skip
    asked = [
        [RequestRecord.model_construct(index=place, is_right=place == gold, logprob_nats=-1.0, recheck_nats=None) for place in (0, 1)]
        for gold in (1, 1, 0, 1)
    ]  # fmt: skip
    found = Verification()
    item = ItemRecord.model_construct(model="m", task="t", score=1.0)
    check_summary(tmp_path, summary, {("m", "t"): [item] * 4}, {("m", "t"): asked}, found)
    assert len([line for line in map(str, found.mismatches) if "chance" in line]) == n_wrong
