"""The store: nothing written is lost, nothing damaged is taken for an answer, and one writes at a time."""

import json
import os
import random
import threading
import time
from pathlib import Path

import pytest
from skald_harness.store.answers import AnswerStore, record_json, store_folder
from skald_harness.store.keys import RunKey
from skald_process.locks import LockedError
from skald_specs.errors import UserInputError
from skald_specs.fingerprint import fingerprint
from skald_specs.records import RequestRecord


def key_of(**facts):
    return RunKey(facts, fingerprint(facts))


KEY = key_of(model="one")


def record(i, key=KEY, **changes):
    fields = {
        "run_key": key.digest, "task": "t", "item_id": f"i{i}", "index": 0,
        "context": "før\u2028efter", "continuation": f"\x85 {i}", "logprob_nats": -1.5 - i / 3,
        "is_greedy": None, "response": None, "recheck_nats": None, "n_tokens": 2, "n_bytes": 4,
    }  # fmt: skip
    return RequestRecord.model_validate(fields | changes)


RECORDS = [record(i) for i in range(5)]


def write(store, records, key=KEY, rank=0, run="run"):
    with store.writing(key, rank, "tree", run) as part:
        part.append(records)
    return store.root / key.digest / f"rank-{rank}.jsonl"


def read(root, key=KEY):
    """Read with a store of its own, as another process would."""
    stored = AnswerStore(root).read(key)
    kept = [RequestRecord.model_validate(one.fields) for one in stored.records.values()]
    assert [one.line for one in stored.records.values()] == [record_json(one) for one in kept]
    assert [(r.item_id, r.index) for r in kept] == list(stored.records)
    return kept, stored.damaged


@pytest.fixture
def store(tmp_path):
    return AnswerStore(tmp_path / "store")


def test_what_was_written_is_read_back(store):
    assert read(store.root) == ([], ())
    path = write(store, RECORDS[:2])
    write(store, RECORDS[2:])
    store.sync()
    assert read(store.root) == (RECORDS, ())
    assert read(store.root, key_of(model="other")) == ([], ())
    # Every line is JSON; only line feeds end one, whatever the texts hold.
    lines = path.read_bytes().decode().split("\n")
    assert [json.loads(line)["record"]["item_id"] for line in lines[:-1]] == [
        f"i{i}" for i in range(5)
    ]


def test_parts_of_all_ranks_are_joined_and_the_first_answer_counts(store):
    write(store, RECORDS[:2], rank=0)
    write(store, [record(1, logprob_nats=-9.0), *RECORDS[2:]], rank=1)
    kept, damaged = read(store.root)
    assert (kept, damaged) == (RECORDS, ())


def test_a_later_answer_does_not_replace_an_earlier_one_of_a_higher_rank(store):
    """As on a file system without locks: rank 0 of a second run answers what rank 1 had."""
    write(store, RECORDS[:2], rank=1)
    write(store, [record(1, logprob_nats=-9.0), *RECORDS[2:]], rank=0)
    kept, damaged = read(store.root)
    assert (sorted(kept, key=lambda r: r.item_id), damaged) == (RECORDS, ())
    # The negation: of two that began alike the lower rank's counts.
    key = key_of(model="b")
    with (
        store.writing(key, 0, "tree", "run") as first,
        store.writing(key, 1, "tree", "run") as second,
    ):
        second.append([record(0, key, logprob_nats=-9.0)])
        first.append([record(0, key)])
    assert read(store.root, key)[0] == [record(0, key)]


def test_the_store_lies_beside_the_evaluations(tmp_path, monkeypatch):
    assert store_folder(tmp_path / "eval") == tmp_path / "eval-store"
    (tmp_path / "eval").mkdir()
    monkeypatch.chdir(tmp_path / "eval")
    assert store_folder(Path()) == tmp_path / "eval-store"


def test_a_part_cut_at_any_byte_loses_its_last_line_at_most(store):
    path = write(store, RECORDS)
    whole = path.read_bytes()
    ends = [n + 1 for n, byte in enumerate(whole) if byte == ord("\n")]
    for size in [*random.Random(0).sample(range(len(whole)), 60), 0, ends[1], ends[1] - 1]:
        path.write_bytes(whole[:size])
        n_whole = sum(end <= size for end in ends)
        assert read(store.root) == (RECORDS[:n_whole], ())
        # Whoever writes next begins on a line of its own.
        write(store, RECORDS[n_whole:])
        assert read(store.root) == (RECORDS, ())
        assert path.read_bytes().count(b"\n") == len(RECORDS)


@pytest.mark.parametrize(
    "damage",
    [
        lambda line: line.replace(b"-1.83", b"-1.84"),
        lambda line: line.replace(b'"crc32": "', b'"crc32": "0', 1),
        lambda line: line.replace(b"f", b"\xff", 1),
        lambda line: line[:-1] + b" }",
        lambda line: line[: len(line) // 2],
        lambda line: b"",
        lambda line: b"{}",
    ],
    ids=["a digit", "checksum", "not UTF-8", "after the record", "half", "empty", "other JSON"],
)
def test_a_damaged_line_is_named_and_costs_one_answer(store, damage):
    path = write(store, RECORDS)
    lines = path.read_bytes().split(b"\n")
    assert damage(lines[1]) != lines[1]
    lines[1] = damage(lines[1])
    path.write_bytes(b"\n".join(lines))
    kept, damaged = read(store.root)
    assert kept == [RECORDS[0], *RECORDS[2:]]
    assert damaged == (f"{path}:2",)
    # The line stays, as every line does; its answer is added.
    write(store, [RECORDS[1]])
    assert sorted(read(store.root)[0], key=lambda r: r.item_id) == RECORDS


def test_a_good_line_of_another_key_is_no_answer(store):
    other = key_of(model="other")
    path = write(store, RECORDS)
    stranger = write(store, [record(9, other)], other)
    path.write_bytes(path.read_bytes() + stranger.read_bytes())
    assert read(store.root) == (RECORDS, (f"{path}:6",))


def test_a_folder_that_changed_its_name_is_refused(store):
    write(store, RECORDS)
    other = key_of(model="other")
    (store.root / KEY.digest).rename(store.root / other.digest)
    for touch in (lambda: store.read(other), lambda: write(store, RECORDS, other)):
        with pytest.raises(UserInputError, match=r"key\.json: names other facts than the folder"):
            touch()
    path = store.root / other.digest / "key.json"
    path.write_text(json.dumps({"run_key": other.digest, "facts": KEY.facts}))
    with pytest.raises(UserInputError, match="names other facts"):
        store.read(other)
    path.unlink()
    for touch in (lambda: store.read(other), lambda: write(store, RECORDS, other)):
        with pytest.raises(UserInputError, match=r"has answers but no key\.json"):
            touch()


def test_the_key_can_be_read_by_a_person(store):
    write(store, RECORDS)
    value = json.loads((store.root / KEY.digest / "key.json").read_text())
    assert value == {"run_key": KEY.digest, "facts": {"model": "one"}, "scorer": "tree"}
    assert AnswerStore(store.root).scorer(KEY) == "tree"


def test_one_writes_at_a_time(store):
    with store.writing(KEY, 0, "tree", "run") as part:
        part.append(RECORDS[:1])
        for rank in (0, 1):
            with pytest.raises(LockedError) as caught:
                write(AnswerStore(store.root), RECORDS[1:2], rank=rank, run="another")
        # Another rank of this run, another key and any reader are free.
        write(AnswerStore(store.root), RECORDS[1:2], rank=1)
        other = key_of(model="b")
        write(AnswerStore(store.root), [record(0, other)], other, run="another")
        assert read(store.root) == (RECORDS[:2], ())
    assert "another evaluation is writing these answers" in str(caught.value)
    assert "\n" not in str(caught.value)
    write(AnswerStore(store.root), RECORDS[2:], run="another")
    assert read(store.root)[1] == ()


def test_a_run_stays_in_until_its_last_rank_has_gone(store):
    with store.writing(KEY, 1, "tree", "run"):
        write(store, RECORDS[:1], rank=0)
        with pytest.raises(LockedError):
            write(store, RECORDS[1:], run="another")
    write(store, RECORDS[1:], run="another")
    with pytest.raises(LockedError), store.writing(KEY, 0, "tree", "another"):
        write(store, RECORDS, rank=1)


def _enter(root, run, inside, seen):
    for _ in range(20):
        try:
            with AnswerStore(root).writing(KEY, int(run[-1]), "tree", run[:-1]):
                inside.append(run)
                time.sleep(0.001)
                seen.append({one[:-1] for one in list(inside)})
                inside.remove(run)
        except LockedError:
            continue


def test_two_runs_are_never_in_at_once_however_their_ranks_come(store):
    inside, seen = [], []
    ranks = [
        threading.Thread(target=_enter, args=(store.root, run, inside, seen))
        for run in ("a0", "a1", "b0", "b1")
    ]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join()
    assert seen and all(len(runs) == 1 for runs in seen)
    assert {run for runs in seen for run in runs} <= {"a", "b"}


def test_a_chunk_is_one_write(store, monkeypatch):
    real, calls = os.write, []
    monkeypatch.setattr(os, "write", lambda handle, data: calls.append(data) or real(handle, data))
    with store.writing(KEY, 0, "tree", "run") as part:
        calls.clear()
        part.append(RECORDS)
        assert len(calls) == 1
        # A system may take less than it was given.
        monkeypatch.setattr(os, "write", lambda handle, data: real(handle, data[:7]))
        part.append([record(7)])
    assert read(store.root) == ([*RECORDS, record(7)], ())


def test_a_full_disk_is_one_line(store, monkeypatch):
    def full(handle, data):
        raise OSError(28, "No space left on device")

    with store.writing(KEY, 0, "tree", "run") as part, monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(UserInputError, match="the disk is full"):
            part.append(RECORDS)
