"""The hosts of a run: which interface joins them, and which of its processes still answer.

Knows sockets, by the standard library alone; refuses to know what the processes compute.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import selectors
import socket
import struct
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from skald_specs.errors import UserInputError

#: The interface of gloo's messages; where it is not set gloo asks what the host's own name leads to,
#: which on many a machine is loopback.
INTERFACE_VARIABLE = "GLOO_SOCKET_IFNAME"
#: A host of the same cluster that has not answered by then has lost its network, or its power.
_SECONDS_TO_ANSWER = 3.0
#: Linux's ioctl that tells an interface's IPv4 address, and where that stands in its answer.
_GET_ADDRESS, _ADDRESS_AT = 0x8915, slice(20, 24)


#: Stands in gloo's error when ranks that know each other's addresses do not reach them.
UNREACHED = "connectFullMesh"


class Peer(NamedTuple):
    """A process of a run, with the door at which others knock to see whether it lives."""

    rank: int
    host: str
    address: str
    port: int


def interfaces() -> dict[str, str]:
    """Return the IPv4 address of every interface that has one, in the kernel's order."""
    found = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            try:
                answer = fcntl.ioctl(asking, _GET_ADDRESS, struct.pack("256s", name.encode()[:15]))
            except OSError:
                continue
            found[name] = socket.inet_ntoa(answer[_ADDRESS_AT])
    return found


def address_towards(host: str) -> str | None:
    """Return the address that this host has for another one, by its routes; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect((host, 9))
        except OSError:
            return None
        return str(asking.getsockname()[0])


def joining_interface(host: str) -> str | None:
    """Return the interface that leads to a host of the run; None where that is not clear.

    Args:
        host: The first host's name or address. On that host itself the name may lead to loopback:
            then the only other interface is meant, if there is but one.
    """
    here, own = interfaces(), address_towards(host)
    outward = {name: address for name, address in here.items() if not address.startswith("127.")}
    for name, address in outward.items():
        if address == own:
            return name
    if own is not None and own.startswith("127.") and len(outward) == 1:
        return next(iter(outward))
    return None


def not_met(problem: str) -> UserInputError:
    """Say in one line why the processes did not meet, where torch prints a page.

    Args:
        problem: torch's error as this process joined the others, which a launcher started.
    """
    where = f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
    if UNREACHED in problem:
        remote = re.search(r"remote=\[([^]]+)\]", problem)
        told = f" at {remote[1]}" if remote else ""
        return UserInputError(
            INTERFACE_VARIABLE,
            f"rank {os.environ.get('RANK')} on {socket.gethostname()} did not reach another{told}",
            "Set it to the interface that joins the nodes, see `ip -br addr`",
        )
    if "EADDRINUSE" in problem:
        return UserInputError(
            "MASTER_PORT",
            f"{where} is in use by another program",
            "Set MASTER_PORT to a free port on every rank, or end that program",
        )
    return UserInputError(
        "MASTER_ADDR",
        f"rank 0 was not met at {where}",
        "Check that every rank has the address and port of rank 0, and that rank 0 was started",
    )


class Door:
    """Answers whoever knocks, as long as this process lives.

    Args:
        rank: This process.
        master: The first host of the run, as this process was told it.
    """

    def __init__(self, rank: int, master: str) -> None:
        chosen = os.environ.get(INTERFACE_VARIABLE, "").split(",")[0]
        address = interfaces().get(chosen) or address_towards(master) or "127.0.0.1"
        self._listening = socket.create_server((address, 0))
        self.peer = Peer(rank, socket.gethostname(), address, self._listening.getsockname()[1])
        threading.Thread(target=self._answer, name="door", daemon=True).start()

    def _answer(self) -> None:
        while True:
            try:
                self._listening.accept()[0].close()
            except OSError:
                return


def missing(peers: Iterable[Peer], seconds: float = _SECONDS_TO_ANSWER) -> list[Peer]:
    """Knock at every door at once; return those where nobody answers.

    Args:
        peers: Whom to look for.
        seconds: How long an answer may take.
    """
    waiting: dict[socket.socket, Peer] = {}
    found = []
    with ExitStack() as stack, selectors.DefaultSelector() as ready:
        for peer in peers:
            knocking = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            knocking.setblocking(False)
            if knocking.connect_ex((peer.address, peer.port)) not in (0, errno.EINPROGRESS):
                found.append(peer)
                continue
            ready.register(knocking, selectors.EVENT_WRITE)
            waiting[knocking] = peer
        deadline = time.monotonic() + seconds
        while waiting and (left := deadline - time.monotonic()) > 0:
            for key, _ in ready.select(left):
                knocked = key.fileobj
                assert isinstance(knocked, socket.socket)
                ready.unregister(knocked)
                peer = waiting.pop(knocked)
                if knocked.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    found.append(peer)
    return sorted([*found, *waiting.values()])


def told(peers: Sequence[Peer]) -> str:
    """Name ranks by their hosts: `node-b (10.0.0.2) with rank 1`."""
    hosts: dict[tuple[str, str], list[int]] = {}
    for peer in peers:
        hosts.setdefault((peer.host, peer.address), []).append(peer.rank)
    words = []
    for (host, address), ranks in hosts.items():
        which = ", ".join(map(str, ranks))
        words.append(f"{host} ({address}) with rank{'s' * (len(ranks) > 1)} {which}")
    return " and ".join(words)


def lost(problem: str, peers: Sequence[Peer]) -> list[Peer]:
    """Return the peers that an error of a socket is about.

    Args:
        problem: The error; gloo's names the other's address.
        peers: All that there are.

    Returns:
        Those at the address that do not answer; where there are none, all that do not answer; where
        all do (a process may end a moment later), all at the address.
    """
    addresses = re.findall(r"\[([0-9a-fA-F.:]+)\]:\d+", problem)
    named = [peer for peer in peers if addresses and peer.address == addresses[-1]]
    gone = missing(peers)
    return [peer for peer in gone if peer in named] or gone or named
