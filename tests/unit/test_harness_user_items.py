"""A user's folder (suite `ud`): what is there is asked, what is parallel is the same in all languages."""

import gzip
import json

import pytest
from skald_harness.adapter.tasks import item_texts, load_tasks
from skald_harness.tasks.items import check_items, languages_with_items, nothing_for
from skald_harness.tasks.suites import EVALS, list_tasks
from skald_specs.errors import UserInputError
from support import REAL_TEXT

TASKS = {task.name.removeprefix("skald_ud_"): task for task in list_tasks("ud")}


def write(path, rows, packed=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    if packed:
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(data, mtime=0))
    else:
        path.write_bytes(data)


def sentences(*numbers, word="ord"):
    return [{"id": f"n-{n}", "text": f"{word} {n}", "doc": f"d-{n // 2}", "x": 1} for n in numbers]


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "ntrex" / "da.jsonl", sentences(1, 2, 3, 4))
    write(tmp_path / "ntrex" / "de.jsonl", sentences(4, 3, 2, 9, word="Wort"), packed=True)
    write(
        tmp_path / "ud" / "da" / "test.jsonl", [{"text": "En."}, {"text": "To.", "id": "b"}], True
    )
    pair = {"good": "a b", "bad": "b a", "type": "swap", "source_id": "s"}
    write(tmp_path / "pairs" / "fo.jsonl", [pair])
    return tmp_path


def asked(folder, *names):
    """Return what lm-eval makes of the tasks: ids, keys and texts."""
    tasks = load_tasks(EVALS / "ud", [TASKS[name].name for name in names], folder)
    return [
        [(doc["id"], doc["key"], *texts) for doc, texts in item_texts(name, tasks[name])]
        for name in tasks
    ]


def test_each_task_takes_its_file_and_counts_what_lm_eval_asks(folder):
    names = ("ntrex_dan_Latn", "ntrex_deu_Latn", "text_dan_Latn", "swap_fao_Latn")
    rows = asked(folder, *names)
    for name, row in zip(names, rows, strict=True):
        found = check_items(TASKS[name], folder)
        assert found.n_items == len(row)
        assert found.chance == (0.5 if "swap" in name else None)
    assert rows[2] == [("line 1", "line 1", "En."), ("b", "b", "To.")]
    assert languages_with_items(list(TASKS.values()), folder) == ["da", "de", "fo"]


def test_parallel_sentences_are_those_that_all_languages_have(folder):
    danish, german = asked(folder, "ntrex_dan_Latn", "ntrex_deu_Latn")
    assert {row[0] for row in danish} == {row[0] for row in german} == {"n-2", "n-3", "n-4"}
    assert danish[0] == ("n-2", "d-1", "ord 2")
    before = check_items(TASKS["ntrex_dan_Latn"], folder)
    # Another language's file decides what is asked in Danish: other items, other data.
    write(folder / "ntrex" / "sv.jsonl", sentences(2, 3, word="ord"))
    after = check_items(TASKS["ntrex_dan_Latn"], folder)
    assert (before.n_items, after.n_items) == (3, 2) and before.sha256 != after.sha256
    assert len(asked(folder, "ntrex_dan_Latn")[0]) == 2
    write(folder / "ntrex" / "sv.jsonl", sentences(77))
    with pytest.raises(UserInputError, match=r"no `id` that all of da\.jsonl, de\.jsonl\.gz, sv"):
        check_items(TASKS["ntrex_dan_Latn"], folder)


def test_what_is_not_there_is_nothing_and_said(folder):
    for name, why in (
        ("text_deu_Latn", "nothing in ud/de/test.jsonl"),
        ("ntrex_fao_Latn", "nothing in ntrex/fo.jsonl"),
        ("delete_fao_Latn", "no pairs of type delete"),
    ):
        assert check_items(TASKS[name], folder) is None
        assert nothing_for(TASKS[name]) == why


@pytest.mark.parametrize(
    ("place", "row", "said"),
    [
        ("ntrex/de.jsonl", {"text": "x"}, "de.jsonl:2: missing key `id`"),
        ("ntrex/da.jsonl", {"id": "n-9", "text": ""}, "da.jsonl:5: `text`"),
        ("ntrex/da.jsonl", {"id": "n-1", "text": "x"}, "a second item named 'n-1'"),
        ("ud/da/test.jsonl", {"id": "b"}, "test.jsonl:2: missing key `text`"),
    ],
)
def test_a_bad_line_is_named_also_in_another_languages_file(folder, place, row, said):
    path = folder / place
    lines = path.read_text() if path.is_file() else json.dumps({"id": "n-1", "text": "x"}) + "\n"
    path.write_text(lines + json.dumps(row) + "\n")
    task = TASKS["text_dan_Latn" if place.startswith("ud") else "ntrex_dan_Latn"]
    with pytest.raises(UserInputError) as caught:
        check_items(task, folder)
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.real_text
@pytest.mark.skipif(not REAL_TEXT.is_dir(), reason="no real text at $SKALD_REAL_TEXT")
def test_the_real_folder_as_it_is():
    found = {name: check_items(task, REAL_TEXT) for name, task in TASKS.items()}
    assert len(found) == 32 and None not in found.values()
    assert {found[name].n_items for name in found if "ntrex" in name} == {1997}
    assert found["text_dan_Latn"].n_items == 565
    assert len(asked(REAL_TEXT, "ntrex_isl_Latn")[0]) == 1997
