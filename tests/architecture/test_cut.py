"""Inside a cut network nothing leads out, loopback works, and every attempt to reach out is counted."""

import importlib.util
import subprocess
import sys

import pytest
from support import ROOT

_SPEC = importlib.util.spec_from_file_location("cutting", ROOT / "benchmarks" / "_cut.py")
cutting = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(cutting)

_LOOPBACK = """
import socket
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(server.getsockname(), 5).close()
print("spoke")
"""
_OUTWARD = """
import errno, socket
for family, address in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
    try:
        socket.socket(family).connect((address, 9))
    except OSError as error:
        print(errno.errorcode[error.errno])
try:
    socket.getaddrinfo("example.org", 443)
except socket.gaierror:
    print("no name")
"""


@pytest.fixture(scope="module", autouse=True)
def cuttable():
    why_not = cutting.can_cut()
    if why_not:
        pytest.skip(why_not)


def told(code: str) -> subprocess.CompletedProcess[str]:
    command = cutting.cut([sys.executable, "-c", code])
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_loopback_works_and_counts_as_nothing():
    done = told(_LOOPBACK)
    assert done.stdout == "spoke\n" and done.returncode == 0, done.stderr
    assert cutting.attempts(done.stderr) == 0


def test_what_reaches_out_fails_at_once_and_is_counted():
    done = told(_OUTWARD)
    words = done.stdout.split("\n")
    assert words[0] == "ENETUNREACH" and words[-2] == "no name", done
    count = cutting.attempts(done.stderr)
    # A machine whose resolver is a local one looks names up without a route to find.
    assert count is not None and count >= (2 if words[1] == "ENETUNREACH" else 1)


def test_the_exit_code_is_the_commands():
    assert told("raise SystemExit(7)").returncode == 7
    assert told("import os; os.kill(os.getpid(), 9)").returncode == 137


def test_what_said_nothing_of_attempts_was_not_cut():
    assert cutting.attempts("all is well\n") is None
