"""Scores with and without the items that training text has; what was not searched is not clean."""

import pytest
from skald_corpus.decontaminate.report import search, write_findings
from skald_harness.running.contamination import contamination, contamination_line, read_search
from skald_specs.corpus import Document
from skald_specs.decontamination import ReferenceItem, item_sha256, items_sha256
from skald_specs.records import EvaluatedModel, EvaluationSummary, ItemRecord, TaskInfo

ITEMS = [
    "en hund løber gennem den mørke skov og finder en gammel ven ved den store sø",
    "to katte sidder på den røde bro og venter på at solen går ned bag bjerget",
    "tre fugle flyver over byen hver morgen og synger en sang om havet og vinden",
]
PAIRS, TEXT, OTHER = "made_pairs_da", "made_text_da", "made_other_da"


def info(name, kind, n_items=3):
    return TaskInfo(
        name=name, kind=kind, suite="made", language="da", version=1.0,
        chance=None if kind == "text" else 0.5, n_items=n_items, data_sha256="", metric="acc",
        family=name.removesuffix("_da"),
        items_sha256=items_sha256({f"i{i}": item_sha256([text]) for i, text in enumerate(ITEMS)}),
    )  # fmt: skip


SUMMARY = EvaluationSummary(
    schema_version=1, suite="made",
    models=tuple(
        EvaluatedModel(
            name=name, role="baseline", about="", n_params_total=None, weights_sha256="",
            tokenizer_sha256="", dtype="", scorer="",
        )
        for name in ("a", "b")
    ),
    tasks=(info(PAIRS, "pairs"), info(TEXT, "text"), info(OTHER, "pairs")),
    lm_eval_version="", fewshot_seed=0, flags=(),
)  # fmt: skip


def record(model, task, number, score, n_bytes=10):
    kind = "text" if task == TEXT else "pairs"
    return ItemRecord(
        model=model, task=task, kind=kind, language="da", item_id=f"i{number}", key="k", group="",
        score=score, n_bytes=n_bytes, metrics={"bits": score * n_bytes},
    )  # fmt: skip


#: Model a knows the planted item alone, model b the two others.
RECORDS = [
    *(record("a", PAIRS, i, float(i == 0)) for i in range(3)),
    *(record("b", PAIRS, i, float(i != 0)) for i in range(3)),
    record("a", TEXT, 0, 1.0, 30), record("a", TEXT, 1, 3.0, 10), record("a", TEXT, 2, 2.0, 10),
    *(record(m, OTHER, i, 1.0) for m in "ab" for i in range(3)),
]  # fmt: skip


def searched(folder, planted, items=ITEMS, tasks=(PAIRS, TEXT)):
    """Search training text in which an item was planted, or not, and read what was written."""
    references = [
        ReferenceItem(task=task, item_id=f"i{number}", language="da", strings=(text,))
        for task in tasks
        for number, text in enumerate(items)
    ]
    texts = ["ganske andre ord om vejret i morgen og i overmorgen i hele landet", *planted]
    documents = [Document(id=str(n), text=text) for n, text in enumerate(texts)]
    write_findings(folder, search({"da": documents}, references))
    return read_search(folder)


def by_task(found):
    return {task.task: task for task in found.tasks}


def test_a_planted_item_is_listed_and_the_clean_score_leaves_it_out(tmp_path):
    # 13 words in a row, other case and signs around them.
    planted = "Se: " + " ".join(ITEMS[0].upper().split()[1:14]) + "! Og så videre."
    found = contamination(SUMMARY, RECORDS, searched(tmp_path, [planted]))
    tasks = by_task(found)
    assert tasks[PAIRS].overlapping == tasks[TEXT].overlapping == ("i0",)
    scores = {row.model: (row.score, row.clean) for row in tasks[PAIRS].scores}
    assert scores == {"a": (pytest.approx(1 / 3), 0.0), "b": (pytest.approx(2 / 3), 1.0)}
    (bits,) = tasks[TEXT].scores
    assert (bits.score, bits.clean) == (pytest.approx(80 / 50), pytest.approx(50 / 20))
    assert contamination_line(found) == (
        "contamination: training text has 2 of 6 items (made_pairs_da, made_text_da); "
        "not searched: 1 of 3 tasks. To search, run `skald evals items made --out made.jsonl.gz`, then "
        "`skald corpus contamination made.jsonl.gz --corpus DIR`, and evaluate again"
    )


def test_twelve_of_its_words_are_no_overlap(tmp_path):
    planted = " ".join(ITEMS[0].split()[1:13]) + " noget helt andet end det der stod"
    found = contamination(SUMMARY, RECORDS, searched(tmp_path, [planted]))
    task = by_task(found)[PAIRS]
    assert task.searched and task.overlapping == ()
    assert all(row.score == row.clean for row in task.scores)
    assert contamination_line(found).startswith("contamination: training text has none of 6 items;")


def test_where_every_item_overlaps_there_is_no_clean_score(tmp_path):
    found = contamination(SUMMARY, RECORDS, searched(tmp_path, ITEMS))
    assert {row.clean for row in by_task(found)[PAIRS].scores} == {None}


def test_what_was_not_searched_is_never_called_clean(tmp_path):
    assert read_search(tmp_path) is None
    found = contamination(SUMMARY, RECORDS, None)
    assert not any(task.searched or task.scores for task in found.tasks)
    assert found.rule is None
    line = contamination_line(found)
    assert line.startswith(
        "contamination: not searched; no score is known to be clean. To search, run `skald evals items"
    )
    other = by_task(contamination(SUMMARY, RECORDS, searched(tmp_path, [])))[OTHER]
    assert not other.searched and "was not searched" in other.why_not


@pytest.mark.parametrize(
    "items", [ITEMS[:2], [*ITEMS, ITEMS[0] + " igen"], [*ITEMS[:2], ITEMS[2] + " igen"]]
)
def test_a_search_for_other_items_of_the_same_name_does_not_count(tmp_path, items):
    task = by_task(contamination(SUMMARY, RECORDS, searched(tmp_path, [ITEMS[0]], items)))[PAIRS]
    assert not task.searched and task.overlapping == () and task.scores == ()
    assert f"searched for other items of this name ({len(items)})" in task.why_not
