"""The driver of the fuzz finds a reader that breaks, hangs, eats memory, dies or says too much."""

import contextlib
import io
import os
import re
import signal
import time
from pathlib import Path

import _fuzz_text
import _fuzz_text_reports
import _fuzz_text_tasks
import pytest
from _fuzz_run import run_target
from _fuzz_target import Target
from skald_specs.errors import SkaldError, UserInputError

SEED = b'{"name": "a", "size": 1}'
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
