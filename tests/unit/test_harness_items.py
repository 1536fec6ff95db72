"""Items: what lm-eval would read is checked first, and a bad line is named."""

import gzip
import importlib.util
import json

import pytest
import support_harness
from skald_harness.tasks.items import check_items, find_items, languages_with_items
from skald_harness.tasks.suites import EVALS, list_tasks
from skald_specs.errors import UserInputError

TASKS = {task.name: task for task in list_tasks()}
PAIRS = TASKS["skald_core_pairs_dan_Latn"]
CLOZE = TASKS["skald_core_cloze_dan_Latn"]
TEXT = TASKS["skald_core_text_dan_Latn"]
SWAP = TASKS["skald_ud_swap_dan_Latn"]
DELETE = TASKS["skald_ud_delete_dan_Latn"]


@pytest.fixture
def items(tmp_path):
    return support_harness.write_items(tmp_path, n=6)


def load(suite):
    """Import a suite's utils.py the way lm-eval does: from its path."""
    spec = importlib.util.spec_from_file_location(f"{suite}_utils", EVALS / suite / "utils.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load


def documents(task, folder):
    settings = task.config["metadata"] | task.config["dataset_kwargs"]
    return list(load(task.suite)(**settings, items_dir=str(folder), pretrained="x")["test"])


def test_counts_and_chance(items):
    assert check_items(PAIRS, items).n_items == 6
    assert check_items(PAIRS, items).chance == 0.5
    assert check_items(CLOZE, items).chance == 0.25
    assert check_items(TEXT, items).chance is None
    assert languages_with_items(list(TASKS.values()), items) == ["da", "de"]


def test_packed_items_are_the_same_items(items):
    plain = check_items(PAIRS, items)
    rows = documents(PAIRS, items)
    path = find_items(PAIRS, items)
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    path.unlink()
    assert check_items(PAIRS, items) == plain
    assert documents(PAIRS, items) == rows


def test_documents_for_lm_eval_hold_what_the_items_hold(items):
    firsts = set()
    for row, item in zip(
        documents(PAIRS, items), support_harness.read_rows(find_items(PAIRS, items)), strict=True
    ):
        assert set(row["choices"]) == {item["good"], item["bad"]}
        assert row["choices"][row["gold"]] == item["good"]
        firsts.add(row["gold"])
        assert (row["id"], row["key"], row["group"]) == (item["id"], item["key"], "order")
        assert row["context"] == ""
    assert firsts == {0, 1}, "a model that always takes the first choice comes out at chance"
    assert documents(CLOZE, items)[0]["context"].startswith(tuple("KHFPD"))


def test_a_line_separator_inside_a_text_is_no_line_end(items):
    path = find_items(TEXT, items)
    rows = support_harness.read_rows(path)
    rows[0]["text"] = "før\u2028efter\x85slut"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    assert check_items(TEXT, items).n_items == 6
    assert documents(TEXT, items)[0]["text"] == "før\u2028efter\x85slut"


@pytest.mark.parametrize(
    ("task", "change", "said"),
    [
        (PAIRS, {"good": None}, "`good` = None"),
        (PAIRS, {"bad": ""}, "non-empty"),
        (PAIRS, {"extra": 1}, "unknown key `extra`"),
        (CLOZE, {"answer": 4}, "names no choice"),
        (CLOZE, {"choices": [" a", " a"], "answer": 0}, "two choices are the same"),
        (CLOZE, {"context": ""}, "non-empty"),
        (TEXT, {"text": ""}, "`text` is empty"),
        (TEXT, {"id": "da-001"}, "a second item named 'da-001'"),
    ],
)
def test_a_bad_line_is_named(items, task, change, said):
    path = find_items(task, items)
    rows = support_harness.read_rows(path)
    rows[2] |= change
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    with pytest.raises(UserInputError) as caught:
        check_items(task, items)
    assert f"{path}:3: " in str(caught.value)
    assert said in str(caught.value)


def test_files_that_cannot_be_read_are_named(items):
    path = find_items(PAIRS, items)
    path.write_bytes(path.read_bytes() + b"{\n")
    with pytest.raises(UserInputError, match=r"da\.jsonl:7: not JSON"):
        check_items(PAIRS, items)
    path.write_bytes("{'é'}".encode("latin-1"))
    with pytest.raises(UserInputError, match=r"da\.jsonl:1: byte 3 of the line \(0xe9\) is not"):
        check_items(PAIRS, items)
    path.write_bytes(b"\n")
    with pytest.raises(UserInputError, match="no items for skald_core_pairs_dan_Latn"):
        check_items(PAIRS, items)
    path.unlink()
    with pytest.raises(UserInputError, match="Run `skald corpus generate`"):
        check_items(PAIRS, items)
    with pytest.raises(UserInputError, match="no such items folder"):
        languages_with_items([PAIRS], items / "nowhere")


def test_a_stray_byte_is_named_with_its_line_and_a_byte_order_mark_with_its_remedy(items):
    path = find_items(PAIRS, items)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], lines[3][:5], b"\xff", lines[3][5:], *lines[4:]]))
    with pytest.raises(UserInputError) as caught:
        check_items(PAIRS, items)
    assert str(caught.value) == (
        f"{path}:4: byte 6 of the line (0xff) is not UTF-8. Save the file as UTF-8"
    )
    path.write_bytes(b"\xef\xbb\xbf" + whole)
    with pytest.raises(UserInputError, match=r"1: begins with a byte order mark.*without BOM"):
        check_items(PAIRS, items)
    path.write_bytes(whole)
    assert check_items(PAIRS, items).n_items == 6
    path.unlink()
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(whole)[:-9])
    with pytest.raises(UserInputError, match="damaged gzip"):
        check_items(PAIRS, items)


def test_half_a_character_is_named_and_a_whole_one_is_none(items):
    path = find_items(TEXT, items)
    rows = support_harness.read_rows(path)
    rows[1]["text"] = "en \N{GRINNING FACE}"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    assert "\\ud83d\\ude00" in path.read_text("utf-8")
    assert check_items(TEXT, items).n_items == 6
    rows[1]["text"] = "en \ud83d"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    with pytest.raises(UserInputError) as caught:
        check_items(TEXT, items)
    assert (
        str(caught.value) == f"{path}:2: a text with half a surrogate pair. Mend or remove the line"
    )


def test_a_folder_that_is_not_what_is_asked_for_has_a_remedy_that_helps(items):
    ours, users = [PAIRS], [SWAP, DELETE]
    with pytest.raises(UserInputError, match=r"no such items folder\. Run `skald corpus generate`"):
        languages_with_items(ours, items / "nowhere")
    with pytest.raises(
        UserInputError, match=r"no such items folder\. Name your folder with --items"
    ):
        languages_with_items(users, items / "nowhere")
    with pytest.raises(UserInputError, match="a file, no folder of items"):
        languages_with_items(ours, find_items(PAIRS, items))
    with pytest.raises(UserInputError, match="items of Skald's own, none of yours"):
        languages_with_items(users, items)
    row = {"good": "a b", "bad": "b a", "type": "swap", "source_id": "s1"}
    find_items(PAIRS, items).write_text(json.dumps(row) + "\n", "utf-8")
    assert languages_with_items(users, items) == ["da"]


def test_a_users_pairs_are_split_by_type(tmp_path):
    rows = [
        {"good": "a b", "bad": "b a", "type": "swap", "source_id": "s1", "pos": "X+Y"},
        {"good": "a b", "bad": "a", "type": "delete", "source_id": "s1", "license": "any"},
        {"good": "c d", "bad": "d c", "type": "swap", "source_id": "s2"},
    ]
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    (tmp_path / "pairs").mkdir()
    (tmp_path / "pairs" / "da.jsonl.gz").write_bytes(gzip.compress(data, mtime=0))
    assert check_items(SWAP, tmp_path).n_items == 2
    assert check_items(DELETE, tmp_path).n_items == 1
    assert [row["id"] for row in documents(SWAP, tmp_path)] == ["swap/s1", "swap/s2"]
    assert documents(DELETE, tmp_path)[0]["choices"] == ["a b", "a"]


def test_without_a_folder_the_core_suite_reads_the_repositorys_items(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = PAIRS.config["metadata"] | PAIRS.config["dataset_kwargs"] | {"language": "none"}
    expected = EVALS.parent / "data" / "items" / "pairs" / "none.jsonl"
    with pytest.raises(FileNotFoundError) as caught:
        load("core")(**settings)
    assert str(expected) in str(caught.value)
    with pytest.raises(FileNotFoundError, match="items_dir"):
        load("ud")(**(SWAP.config["metadata"] | SWAP.config["dataset_kwargs"]))
