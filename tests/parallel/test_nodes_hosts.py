"""The proof's hosts are two: each other's address is all they reach, and nothing of them is left behind."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from _nodes_hosts import CannotMakeHostsError, two_hosts

_SERVER = """
import socket
with socket.create_server(("", 29999)) as server:
    print("there", flush=True)
    server.accept()[0].sendall(socket.gethostname().encode())
"""
_CLIENT = "import socket, sys; print(socket.create_connection((sys.argv[1], int(sys.argv[2])), 5).recv(99))"
_MAKER = """
import sys, time
from pathlib import Path
from _nodes_hosts import two_hosts
with two_hosts(Path(sys.argv[1])) as (first, second):
    inside = first.start(["sleep", "600"], Path(sys.argv[1]) / "log")
    print(first.init, second.init, inside.pid, flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def hosts(tmp_path_factory):
    try:
        with two_hosts(tmp_path_factory.mktemp("hosts")) as made:
            yield made
    except CannotMakeHostsError as problem:
        pytest.skip(str(problem))


def asked(host, address: str, port: int = 29999) -> subprocess.CompletedProcess[str]:
    words = host.entering([sys.executable, "-c", _CLIENT, address, str(port)])
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)


def test_they_reach_each_other_by_the_cable_alone(hosts):
    first, second = hosts
    command = first.entering([sys.executable, "-c", _SERVER])
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout.readline() == "there\n"
        assert asked(second, "node-a").stdout == "b'node-a'\n"
    assert "Network is unreachable" in asked(second, "192.0.2.1").stderr
    second.unplug()
    assert "unreachable" in asked(second, "node-a").stderr
    second.plug()
    assert "refused" in asked(second, "node-a").stderr


def test_killing_all_spares_the_host_and_the_other(hosts, tmp_path):
    first, second = hosts
    lives = [host.start(["sleep", "600"], tmp_path / "log") for host in hosts]
    first.kill_all()
    assert lives[0].wait(30) != 0 and lives[1].poll() is None
    second.kill_all()
    lives[1].wait(30)
    assert "refused" in asked(second, "node-a").stderr


def test_a_killed_maker_leaves_nothing(hosts, tmp_path):
    del hosts  # it was seen that they can be made
    words = [sys.executable, "-c", _MAKER, str(tmp_path / "hosts")]
    paths = os.pathsep.join(p for p in sys.path if p)
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": paths}
    ) as maker:
        assert maker.stdout is not None
        left = [Path("/proc", pid) for pid in maker.stdout.readline().split()]
        assert len(left) == 3
        maker.kill()
    deadline = time.monotonic() + 30
    while any(path.exists() for path in left) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(path.exists() for path in left)
