"""Ranks that another program started: what is missing or taken is told in one line, at once."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from skald_specs.errors import UserInputError
from skald_trainer.launch import run_ranks
from skald_trainer.meeting import leads, process_group, started_elsewhere

TOLD = {
    "WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "29500",
}  # fmt: skip


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """What torchrun sets."""
    for name, value in TOLD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that another program listens at."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def work(*args: Any) -> None:
    raise AssertionError("no rank may start")


@pytest.mark.parametrize("name", ["RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"])
def test_what_a_launcher_did_not_set_is_named(environment: pytest.MonkeyPatch, name: str) -> None:
    assert started_elsewhere()
    environment.delenv(name)
    with pytest.raises(UserInputError, match=f"^{name}: not set, though WORLD_SIZE = 2"):
        run_ranks(2, work)
    environment.setenv("WORLD_SIZE", "1")
    assert not started_elsewhere()


@pytest.mark.parametrize("name", ["WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_PORT"])
def test_what_is_no_number_is_named(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.setenv(name, "two")
    with pytest.raises(UserInputError, match=f"^{name}: 'two' is no number"):
        leads()


def test_a_rank_beyond_the_world_is_named(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("RANK", "2")
    with pytest.raises(UserInputError, match=r"^RANK: 2, but WORLD_SIZE = 2"):
        started_elsewhere()
    environment.setenv("RANK", "1")
    assert started_elsewhere() and not leads()


def test_another_world_size_than_the_plans_is_named(environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserInputError, match=r"^WORLD_SIZE: 2 processes were started but .* is 4"):
        run_ranks(4, work)


def test_a_port_in_use_is_named_at_once(environment: pytest.MonkeyPatch, taken_port: int) -> None:
    environment.setenv("MASTER_PORT", str(taken_port))
    begun = time.monotonic()
    with (
        pytest.raises(UserInputError, match=rf"^MASTER_PORT: 127\.0\.0\.1:{taken_port} is in use"),
        process_group(0, 2, "cpu", None),
    ):
        pass
    assert time.monotonic() - begun < 20


def test_a_free_port_is_met_at(environment: pytest.MonkeyPatch, taken_port: int) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    environment.setenv("MASTER_PORT", str(free))
    with process_group(0, 1, "cpu", None):
        assert torch.distributed.get_world_size() == 1
