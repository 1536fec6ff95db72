"""Nodes that were started wrongly, or differently, say so in one line before anything is trained."""

import argparse
import os
import socket

import pytest
from skald_process.hosts import INTERFACE_VARIABLE
from skald_specs.errors import UserInputError
from skald_trainer import agreement, torchrun


def node(**changes) -> argparse.Namespace:
    """Return torchrun's options of the second of two nodes."""
    given = {"master_addr": "127.0.0.1", "node_rank": 1, "nnodes": "2", "rdzv_conf": "timeout=1"}
    return argparse.Namespace(**given | changes)


def test_a_first_node_that_does_not_come_is_told_in_time():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(
        UserInputError, match=rf"^--master-addr: .* did not reach 127\.0\.0\.1:{port} in 1 s \(conn"
    ):
        torchrun._check_meeting_point(node(master_port=port))


def test_a_first_node_that_is_there_is_met():
    with socket.create_server(("127.0.0.1", 0)) as server:
        torchrun._check_meeting_point(node(master_port=server.getsockname()[1]))


def test_an_interface_is_found_and_a_given_one_stays(monkeypatch):
    monkeypatch.setattr(torchrun.hosts, "joining_interface", lambda host: "ib0")
    # Set first, so that what the function sets is taken back, too.
    monkeypatch.setenv(INTERFACE_VARIABLE, "lo")
    torchrun._name_interface(node())
    assert os.environ[INTERFACE_VARIABLE] == "lo"
    monkeypatch.delenv(INTERFACE_VARIABLE)
    torchrun._name_interface(node(nnodes="1"))
    assert INTERFACE_VARIABLE not in os.environ
    torchrun._name_interface(node())
    assert os.environ[INTERFACE_VARIABLE] == "ib0"


def test_an_interface_that_is_not_there_is_named_with_those_that_are(monkeypatch):
    monkeypatch.setenv(INTERFACE_VARIABLE, "ib77")
    with pytest.raises(UserInputError, match=r"has no interface 'ib77'\. There are: .*lo"):
        torchrun._name_interface(node())


def introduction(**changes):
    alike = {"plan": "a" * 64, "execution": {"dp": 2, "keep_last": 2}, "code": "c", "resume": None}
    return agreement._Introduction(**alike | {"peer": None} | changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        ({"resume": "elsewhere"}, ""),
        ({"plan": "b" * 64}, "has another plan (bbbbbbbbbbbb, not aaaaaaaaaaaa)"),
        ({"execution": {"dp": 2, "keep_last": 3}}, "has other values of execution (keep_last)"),
        ({"execution": {"dp": 2}}, "has other values of execution (keep_last)"),
        ({"code": "d"}, "has other code or libraries"),
    ],
)
def test_what_ranks_must_have_alike(changes, said):
    assert agreement._difference(introduction(**changes), introduction()) == said
