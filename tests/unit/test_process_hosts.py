"""The hosts of a run: which interface joins them, who still answers, and what is said of who does not."""

import os
import socket

import pytest
from skald_process import hosts
from skald_process.hosts import Door, Peer

PEERS = [Peer(0, "node-a", "10.0.0.1", 1), Peer(1, "node-b", "10.0.0.2", 2)]
PEERS += [Peer(2, "node-b", "10.0.0.2", 3)]


@pytest.fixture
def machine(monkeypatch):
    """Return what sets this machine's interfaces, and the address it has for any host."""

    def made(towards, **interfaces):
        monkeypatch.setattr(hosts, "interfaces", lambda: interfaces)
        monkeypatch.setattr(hosts, "address_towards", lambda host: towards)

    return made


def test_loopback_is_an_interface_and_leads_to_this_host():
    assert "127.0.0.1" in hosts.interfaces().values()
    assert hosts.address_towards("127.0.0.1") == "127.0.0.1"
    assert hosts.address_towards("no such host.") is None


def test_the_interface_is_the_one_whose_route_leads_there(machine):
    here = {"lo": "127.0.0.1", "eth0": "192.0.2.5", "ib0": "10.0.0.5"}
    machine("10.0.0.5", **here)
    assert hosts.joining_interface("node-a") == "ib0"
    machine("192.0.2.5", **here)
    assert hosts.joining_interface("node-a") == "eth0"
    machine(None, **here)
    assert hosts.joining_interface("node-a") is None


def test_a_first_host_that_knows_itself_by_loopback_takes_its_only_interface(machine):
    machine("127.0.0.1", lo="127.0.0.1", ib0="10.0.0.5")
    assert hosts.joining_interface("node-a") == "ib0"
    machine("127.0.0.1", lo="127.0.0.1", ib0="10.0.0.5", eth0="192.0.2.5")
    assert hosts.joining_interface("node-a") is None, "no guess among several"


def test_a_living_process_answers_and_a_gone_one_is_missing():
    door = Door(0, "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    gone = Peer(1, "here", "127.0.0.1", port)
    # Longer than a queue of knocks nobody takes.
    for _ in range(200):
        assert hosts.missing([door.peer]) == []
    assert hosts.missing([door.peer, gone]) == [gone]


def test_a_host_without_a_way_to_it_is_missing():
    # RFC 5737: nobody has it.
    nowhere = Peer(3, "far", "192.0.2.1", 9)
    assert hosts.missing([nowhere], 0.2) == [nowhere]


def test_a_door_stands_at_the_interface_of_the_messages(monkeypatch, machine):
    loopback = next(n for n, a in hosts.interfaces().items() if a == "127.0.0.1")
    machine("192.0.2.77", **{loopback: "127.0.0.1"})
    monkeypatch.setenv(hosts.INTERFACE_VARIABLE, f"{loopback},other")
    assert Door(0, "node-a").peer.address == "127.0.0.1"


def test_ranks_are_named_by_their_hosts():
    assert (
        hosts.told(PEERS[:2]) == "node-a (10.0.0.1) with rank 0 and node-b (10.0.0.2) with rank 1"
    )
    assert hosts.told(PEERS[1:]) == "node-b (10.0.0.2) with ranks 1, 2"


@pytest.mark.parametrize(
    ("address", "silent", "found"),
    [
        ("10.0.0.2", [1, 2], [1, 2]),
        ("10.0.0.2", [0, 2], [2]),
        ("10.0.0.2", [], [1, 2]),
        ("10.0.0.2", [0], [0]),
        ("10.9.9.9", [1], [1]),
        ("10.9.9.9", [], []),
    ],
)
def test_an_error_of_a_socket_is_about_who_is_silent_at_its_address(
    monkeypatch, address, silent, found
):
    monkeypatch.setattr(hosts, "missing", lambda peers: [PEERS[i] for i in silent])
    closed = f"[gloo/transport/tcp/pair.cc:547] Connection closed by peer [{address}]:41234"
    assert hosts.lost(closed, PEERS) == [PEERS[i] for i in found]


def test_why_processes_did_not_meet_is_one_line_with_its_variable(monkeypatch):
    for name, value in (("MASTER_ADDR", "node-a"), ("MASTER_PORT", "29500"), ("RANK", "1")):
        monkeypatch.setenv(name, value)
    mesh = "Gloo connectFullMesh failed with [pair.cc:152] timed out: remote=[127.0.1.1]:13731$0\nframe"
    said = str(hosts.not_met(mesh))
    assert said.startswith(f"{hosts.INTERFACE_VARIABLE}: rank 1 on {socket.gethostname()} ")
    assert "127.0.1.1:" not in said and "at 127.0.1.1." in said
    assert str(hosts.not_met("EADDRINUSE")).startswith("MASTER_PORT: node-a:29500 is in use")
    assert str(hosts.not_met("timed out")).startswith("MASTER_ADDR: rank 0 was not met")
    assert os.linesep not in said
