"""Items as strings: named as the records name them, with every text a model must not have seen."""

import gzip
import json

import pytest
import support_harness
from skald_cli.main import main
from skald_corpus.decontaminate.sources import listed_items, skald_items, user_items
from skald_harness.adapter.tasks import item_texts, load_tasks
from skald_harness.running.evaluate import evaluate
from skald_harness.running.reference import reference_items, task_language, write_reference_items
from skald_specs.errors import UserInputError
from skald_specs.files import read_jsonl
from skald_specs.records import ItemRecord
from support import REAL_TEXT


@pytest.fixture
def items(tmp_path):
    return support_harness.write_items(tmp_path / "items", n=4)


@pytest.fixture
def pairs(tmp_path):
    folder = tmp_path / "users" / "pairs"
    folder.mkdir(parents=True)
    rows = [
        {
            "good": f"Hunden ser {x} her.",
            "bad": f"Hunden {x} ser her.",
            "type": kind,
            "source_id": x,
        }
        for kind in ("swap", "delete")
        for x in ("katten", "fisken")
    ]
    with gzip.open(folder / "da.jsonl.gz", "wt", encoding="utf-8") as out:
        out.writelines(json.dumps(row) + "\n" for row in rows)
    for place, row in (("ntrex/da", {"id": "n-1"}), ("ud/da/test", {})):
        path = folder.parent / f"{place}.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(row | {"text": "Katten ser fisken."}) + "\n")
    return folder.parent


def named(items):
    return {(item.task, item.item_id, item.language) for item in items}


def whole(items):
    return {(i.task, i.item_id, i.language, tuple(sorted(i.strings))) for i in items}


@pytest.mark.parametrize("suite", ["core", "ud"])
def test_items_are_named_as_the_records_of_an_evaluation(suite, items, pairs, tmp_path):
    folder = items if suite == "core" else pairs
    corpus = support_harness.write_corpus(tmp_path / "corpus")
    export = support_harness.write_export(tmp_path / "exports" / "tiny")
    evaluate([export], [suite], tmp_path / "out", folder, corpus)
    rows = read_jsonl(tmp_path / "out" / suite / "items.jsonl")
    records = [ItemRecord.model_validate(row) for row in rows]
    found = list(reference_items([suite], folder))
    assert named(found) == named(records) and len(found) == len(named(found)) > 0


def test_the_corpus_station_reads_the_same_strings_by_itself(items, pairs):
    # Facts and skills are split by key, the rest is held apart by string; all are too short for n-grams.
    keyed = ("transfer", "skill", "canary", "number", "calendar", "copy")
    core = [i for i in reference_items(["core"], items) if i.task.split("_")[2] not in keyed]
    assert core and whole(core) == whole(skald_items(items))
    assert whole(reference_items(["ud"], pairs)) == whole(user_items(pairs))


@pytest.mark.skipif(not REAL_TEXT.is_dir(), reason="no real text beside the checkout")
def test_real_items_are_the_same_strings():
    found = list(reference_items(["ud"], REAL_TEXT))
    assert whole(found) == whole(user_items(REAL_TEXT)) and len(found) > 20_000


def test_every_choice_has_its_context(items):
    [first, *_] = reference_items(["skald_core_cloze_dan_Latn"], items)
    row = next(read_jsonl(items / "cloze" / "da.jsonl"))
    assert first.strings == tuple(row["context"] + choice for choice in row["choices"])


def test_a_task_named_twice_is_read_once(items):
    once = list(reference_items(["core"], items))
    assert list(reference_items(["core", "skald_core_text_deu_Latn", "core"], items)) == once


def test_the_file_has_the_same_bytes_each_time(items, tmp_path, capsys):
    files = [tmp_path / name for name in ("a.jsonl.gz", "b.jsonl.gz")]
    for file in files:
        assert main(["evals", "items", "core", "--items", str(items), "--out", str(file)]) == 0
    assert files[0].read_bytes() == files[1].read_bytes()
    assert whole(listed_items(files[0])) == whole(reference_items(["core"], items))
    assert "72 items of 18 tasks" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["ud"], "an item of Skald's own, none of yours. Name your folder with --items"),
        (["core", "--language", "xx"], "--language: unknown language 'xx'"),
        (["core", "--items", "nowhere"], "nowhere: no such items folder"),
        (["core", "--out", "x.jsonl"], "x.jsonl: not a .jsonl.gz file"),
    ],
)
def test_wrong_input_is_one_line(words, problem, items, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["evals", "items", "--items", str(items), "--out", "o.jsonl.gz", *words]) == 2
    shown = capsys.readouterr().err.splitlines()[-1]
    assert shown.startswith("skald: ") and problem in shown
    assert not list(tmp_path.glob("*.gz"))


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (
            "belebele_dan_Latn",
            "cannot be loaded (ConnectionError: Couldn't reach 'facebook/belebele'",
        ),
        (
            "belebele_dan",
            "no suite and no task of lm-eval. Did you mean belebele_dan_Latn? Suites: ",
        ),
    ],
)
def test_a_task_out_of_reach_is_named(name, problem, items, tmp_path, capsys):
    out = str(tmp_path / "o.jsonl.gz")
    assert main(["evals", "items", "core", name, "--items", str(items), "--out", out]) == 2
    shown = capsys.readouterr().err.splitlines()
    assert shown[-1].startswith(f"skald: {name}: ") and problem in shown[-1]
    assert [line.split(":")[0] for line in shown] == ["left out, no items", "skald"]
    # The suite was read before: nothing of it is left either.
    assert not list(tmp_path.glob("*.gz"))


TASKS = {
    "letters": {
        "output_type": "multiple_choice",
        "description": "Answer by a letter.",
        "doc_to_text": "Question: {{q}}\nAnswer:",
        "doc_to_choice": "{{[a, b]}}",
        "doc_to_target": 1,
    },
    "contexts": {
        "output_type": "multiple_choice",
        "doc_to_text": "{{1}}",
        "doc_to_choice": "{{[a, b]}}",
        "doc_to_target": "{{q}}",
    },
    "written": {
        "output_type": "generate_until",
        "doc_to_text": "{{q}}",
        "doc_to_target": "{{a}}",
        "metric_list": [{"metric": "exact_match"}],
    },
}
EXPECTED = {
    "letters": ("Question: who\nAnswer: one", "Question: who\nAnswer: two"),
    "contexts": ("one who", "two who"),
    "written": ("who one",),
}


def test_tasks_of_other_shapes_give_question_and_answers(tmp_path):
    (tmp_path / "suites.yaml").write_text("{schema_version: 1, trusted: [shapes]}\n")
    (folder := tmp_path / "shapes").mkdir()
    (folder / "utils.py").write_text(
        "import datasets\n"
        "def load(**_):\n"
        "    rows = [{'q': 'who', 'a': 'one', 'b': 'two'}]\n"
        "    return {'test': datasets.Dataset.from_list(rows)}\n"
    )
    for name, config in TASKS.items():
        lines = [f"{key}: {json.dumps(value)}" for key, value in config.items()]
        lines += [f"task: {name}", "custom_dataset: !function utils.load", "test_split: test"]
        (folder / f"{name}.yaml").write_text("\n".join(lines) + "\n")
    loaded = load_tasks(folder, list(TASKS), tmp_path)
    for name, texts in EXPECTED.items():
        assert [found for _, found in item_texts(name, loaded[name])] == [texts], name


def test_a_template_that_fails_names_its_task(tmp_path):
    class Broken:
        eval_docs = ({"q": "who"},)

        def doc_to_target(self, document):
            raise KeyError("answer")

    with pytest.raises(UserInputError, match=r"^odd: cannot be loaded \(KeyError: 'answer'"):
        list(item_texts("odd", Broken()))


@pytest.mark.parametrize(
    ("name", "tag", "expected"),
    [
        ("belebele_dan_Latn", None, "da"),
        ("belebele_nob_Latn", "de", "nb"),
        ("xnli_swe", None, "sv"),
        ("arc_de", None, "de"),
        ("hellaswag", "en", "en"),
    ],
)
def test_a_name_tells_its_language(name, tag, expected):
    assert task_language(name, tag) == expected


def test_a_name_that_does_not_tell_its_language_is_refused():
    with pytest.raises(UserInputError, match="hellaswag: its name does not tell its language"):
        task_language("hellaswag")


def test_an_earlier_file_stays_when_a_later_task_fails(items, tmp_path):
    out = tmp_path / "o.jsonl.gz"
    write_reference_items(["core"], out, items)
    before = out.read_bytes()
    with pytest.raises(UserInputError):
        write_reference_items(["core", "belebele_dan_Latn"], out, items)
    assert out.read_bytes() == before
