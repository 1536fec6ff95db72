"""The driver of the fuzz finds a reader that breaks, hangs, eats memory, dies or says too much."""

import contextlib
import gzip
import io
import json
import os
import re
import signal
import time
from pathlib import Path

import _fuzz_text
import _fuzz_text_reports
import _fuzz_text_tasks
import pytest
from _fuzz_harms import chosen_harms, harms
from _fuzz_run import run_target
from _fuzz_target import Target
from skald_specs.errors import SkaldError, UserInputError

#: Without structure, so that there are no harms in order of it.
SEED = b"a name of size 1"
OURS = [*_fuzz_text.TARGETS, *_fuzz_text_reports.TARGETS, *_fuzz_text_tasks.TARGETS]


def refuse(data):
    raise UserInputError("it", "is wrong", "Mend it")


def lack(data):
    raise KeyError("size")


def hang(data):
    while True:
        pass


def hang_in_c(data):
    re.fullmatch(r"(a+)+$", "a" * 40 + "b")


def wait(data):
    while True:
        time.sleep(1)


def eat(data):
    bytearray(2 << 30)


def die(data):
    os.kill(os.getpid(), signal.SIGKILL)


def chatter(data):
    raise SkaldError("two\nlines")


FAULTS = {
    lack: "traceback",
    hang: "hang",
    hang_in_c: "hang",
    wait: "hang",
    eat: "memory",
    die: "died",
    chatter: "message",
}


def planted(fault):
    def call(data, folder):
        if data != SEED:
            fault(data)

    return Target("planted", lambda _: [SEED], call)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_planted_fault_is_found_with_the_input_that_made_it(fault):
    found = run_target(planted(fault), 3, limit_s=0.2, wait_limit_s=1.0, cover=False).findings
    assert [one.kind for one in found] == [FAULTS[fault]]
    assert bytes.fromhex(found[0].data_hex) != SEED


def test_a_reader_that_refuses_in_one_line_is_as_it_should_be():
    found = run_target(planted(refuse), 200, cover=False)
    assert not found.findings
    assert (found.inputs, found.returned + found.refused) == (200, 200)
    assert found.refused > 150


def test_a_run_that_was_interrupted_goes_on_unless_the_code_is_another(tmp_path):
    state = tmp_path / "planted.json"
    run_target(planted(refuse), 50, state, cover=False)
    assert run_target(planted(lack), 50, state, cover=False).inputs == 50
    found = run_target(planted(lack), 60, state, cover=False)
    assert found.inputs == 60 and [one.kind for one in found.findings] == ["traceback"]
    state.write_text(state.read_text().replace(found.code, "another"))
    assert run_target(planted(refuse), 10, state, cover=False).findings == ()


@pytest.fixture(scope="module", autouse=True)
def imported(tmp_path_factory):
    """Import here what the readers import, once instead of in each child."""
    here = Path.cwd()
    for target in OURS:
        folder = tmp_path_factory.mktemp("seeds")
        os.chdir(folder)
        with contextlib.redirect_stdout(io.StringIO()):
            target.call(target.seeds(folder)[0], folder)
    os.chdir(here)


@pytest.mark.parametrize("target", OURS, ids=lambda target: target.name)
def test_no_document_makes_more_than_a_line(target):
    found = run_target(target, 60, cover=False)
    assert found.inputs == 60
    assert [(one.kind, one.problem) for one in found.findings] == []


def read_columns(data, folder):
    """Forget that a column may be gone; all else is refused in a line."""
    head = data.decode("utf-8", "replace").split("\n")[0].split(",")
    if "model" not in head:
        raise UserInputError("it", "has no models", "Mend it")
    if head == ["model", "zzz"]:
        raise KeyError("score")


def test_a_column_that_is_called_otherwise_is_found_before_any_chance():
    table = Target("columns", lambda _: [b"model,score\na,1\nb,2\n"], read_columns)
    found = run_target(table, 1, cover=False)
    assert [one.kind for one in found.findings] == ["traceback"]
    assert bytes.fromhex(found.findings[0].data_hex).startswith(b"model,zzz\n")
    assert found.harms > 30 and found.inputs == 1


def test_every_harm_in_order_goes_through_the_whole_command():
    table = Target(
        "columns", lambda _: [b"model,score\na,1\nb,2\n"], lambda data, folder: None, whole=read_columns
    )  # fmt: skip
    assert [one.kind for one in run_target(table, 1, cover=False).findings] == ["traceback"]


@pytest.mark.parametrize(
    ("data", "torn"),
    [
        (b'{"a": {"b": [1]}}', [{}, {"zzz": {"b": [1]}}, {"a": {}}, {"a": {"b": [1, 1]}}, {"a": {"b": [None]}}]),
        (b"a:\n  b: [1]\n", [{}, {"a": "x"}, {"a": {"b": []}}]),
    ],
)  # fmt: skip
def test_harms_of_a_document(data, torn):
    found = [json.loads(harm) for harm in harms(data)]
    assert all(one in found for one in torn)
    packed = [json.loads(gzip.decompress(harm)) for harm in harms(gzip.compress(data))]
    assert packed == found


def test_harms_of_rows_and_of_a_header():
    rows = list(harms(b'{"a": 1}\n{"a": 2}\n'))
    assert b'{}\n{"a": 2}\n' in rows and b"{}\n{}\n" in rows and b'{"a": ""}\n{"a": ""}\n' in rows
    (*headers,) = harms((8).to_bytes(8, "little") + b'{"a": 1}' + b"rest")
    assert (2).to_bytes(8, "little") + b"{}" + b"rest" in headers
    assert not list(harms(b"plain words")) and not list(harms(b"\xff\xfe,;"))


def test_more_harms_than_are_wanted_are_drawn_the_same_way():
    seeds = [b'{"a": {"b": [1, 2, 3], "c": "d"}}']
    every = chosen_harms(seeds, 10**6, "one")
    some = chosen_harms(seeds, 9, "one")
    assert len(every) == len(set(every)) > 60
    assert len(some) == 9 and set(some) < set(every) and some == chosen_harms(seeds, 9, "one")
