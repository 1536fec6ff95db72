"""The store: an answer is found again exactly when nothing that could change it has changed."""

import shutil
from pathlib import Path

import pytest
import support_harness
from skald_harness.running import evaluate as station
from skald_harness.running.evaluate import evaluate
from skald_harness.store import answers as store
from skald_harness.tasks.items import check_items
from skald_harness.tasks.suites import list_tasks
from skald_specs.records import RequestRecord

TASK = next(task for task in list_tasks("core", "da") if task.kind == "cloze")
RECORDS = [
    RequestRecord(
        run_key="k",
        task=TASK.name,
        item_id=f"i{i}",
        index=0,
        context="før\u2028efter",
        continuation=f"\x85 {i}",
        logprob_nats=-1.5 - i / 3,
        is_greedy=None,
        response=None,
        recheck_nats=None,
        n_tokens=2,
        n_bytes=4,
    )
    for i in range(3)
]


@pytest.fixture
def key(tmp_path):
    """A function that makes the key anew; the store's own facts can be changed before it."""
    items = check_items(TASK, support_harness.write_items(tmp_path / "items", ["da"]))

    def make(identity="model", dtype="float32"):
        store.engine.cache_clear()
        return store.run_key(identity, dtype, TASK, items)

    yield make
    store.engine.cache_clear()


def test_what_was_written_is_read_back(tmp_path):
    assert store.read_answers(tmp_path / "none", "k") == []
    store.write_answers(tmp_path, "k", RECORDS)
    assert store.read_answers(tmp_path, "k") == RECORDS
    assert store.read_answers(tmp_path, "other") == []


def test_the_store_lies_beside_the_evaluations(tmp_path, monkeypatch):
    assert store.store_folder(tmp_path / "eval") == tmp_path / "eval-store"
    (tmp_path / "eval").mkdir()
    monkeypatch.chdir(tmp_path / "eval")
    assert store.store_folder(Path()) == tmp_path / "eval-store"


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-20],
        lambda data: data.replace(b"-1.5", b"-1.4"),
        lambda data: b"".join(data.splitlines(keepends=True)[:-1]),
        lambda data: b"".join(data.splitlines(keepends=True)[1:]),
        lambda data: data.replace(b"f", b"\xff", 1),
    ],
    ids=["empty", "cut", "a digit", "a line", "no checksum", "not UTF-8"],
)
def test_a_damaged_file_is_named_in_one_line_and_gives_nothing(tmp_path, capfd, damage):
    store.write_answers(tmp_path, "k", RECORDS)
    path = tmp_path / "k.jsonl"
    data = damage(path.read_bytes())
    assert data != path.read_bytes()
    path.write_bytes(data)
    assert store.read_answers(tmp_path, "k") == []
    assert capfd.readouterr().err == f"{path}: damaged; its task is asked again\n"


def test_the_key_holds_everything_that_answers(key, monkeypatch):
    first = key()
    assert key() == first
    keys = {first, key(identity="another"), key(dtype="bfloat16")}
    with monkeypatch.context() as patch:
        patch.setattr(store, "device_type", lambda: "another")
        keys.add(key())
    real = store.metadata.version
    for package in ("torch", "transformers", "tokenizers", "lm_eval", "numpy"):
        versions = {name: real(name) for name in store.ENGINES} | {package: "0"}
        with monkeypatch.context() as patch:
            patch.setattr(store.metadata, "version", versions.__getitem__)
            keys.add(key())
    assert len(keys) == 9
    assert key() == first


def test_the_key_holds_every_source_file_of_the_harness(key, tmp_path, monkeypatch):
    package = shutil.copytree(
        Path(store.__file__).parents[1],
        tmp_path / "package",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    first = key()
    monkeypatch.setattr(store, "__file__", str(package / "store" / "answers.py"))
    assert key() == first, "where the package lies does not matter"
    sources = sorted(package.rglob("*.py"))
    keys = {first}
    for path in sources:
        path.write_text(path.read_text() + "\n# changed\n")
        keys.add(key())
    assert len(keys) == len(sources) + 1 > 10


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("made")
    support_harness.write_items(root / "items", ["da"], n=5)
    support_harness.write_corpus(root / "corpus")
    support_harness.write_export(root / "base", d_model=16)
    run(root)
    return root


@pytest.fixture
def copy(made, tmp_path):
    return shutil.copytree(made, tmp_path / "copy")


def run(root):
    return evaluate([root / "base"], "core", root / "out", root / "items", root / "corpus")


def stored(root, kind):
    """Return the file with the baseline's answers to the tasks of a kind."""
    rows = support_harness.read_rows(root / "out" / "core" / "requests" / "base.jsonl")
    (key,) = {row["run_key"] for row in rows if f"_{kind}_" in row["task"]}
    return root / "out-store" / f"{key}.jsonl"


def test_a_damaged_file_is_scored_again_and_mended(copy, capfd):
    result, whole = (support_harness.folder_sha256(copy / name) for name in ("out", "out-store"))
    path = stored(copy, "cloze")
    path.write_bytes(path.read_bytes()[:-20])
    run(copy)
    err = capfd.readouterr().err
    assert f"{path}: damaged" in err and "base: 6 tasks, 5 from the store" in err
    assert support_harness.folder_sha256(copy / "out") == result
    assert support_harness.folder_sha256(copy / "out-store") == whole


def test_a_file_that_lacks_an_answer_is_scored_again(copy, capfd):
    result = support_harness.folder_sha256(copy / "out")
    path = stored(copy, "pairs")
    records = store.read_answers(path.parent, path.stem)
    store.write_answers(path.parent, path.stem, records[:-1])
    run(copy)
    err = capfd.readouterr().err
    assert "base: skald_core_pairs_dan_Latn is incomplete; asked again" in err
    assert "base: 6 tasks, 5 from the store" in err
    assert support_harness.folder_sha256(copy / "out") == result


def test_an_interrupted_evaluation_keeps_every_finished_task(copy, capfd, monkeypatch):
    before = support_harness.folder_sha256(copy / "out")
    shutil.rmtree(copy / "out")
    shutil.rmtree(copy / "out-store")
    real, asked = station.run_task, []

    def stop_in_the_third(task, model):
        asked.append(task)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return real(task, model)

    with monkeypatch.context() as patch:
        patch.setattr(station, "run_task", stop_in_the_third)
        with pytest.raises(KeyboardInterrupt):
            run(copy)
    assert len(list((copy / "out-store").iterdir())) == 2
    assert not (copy / "out").exists()
    run(copy)
    err = capfd.readouterr().err
    assert "base: 6 tasks, 2 from the store\n" in err and "byte-ngram: 6 tasks\n" in err
    assert support_harness.folder_sha256(copy / "out") == before
