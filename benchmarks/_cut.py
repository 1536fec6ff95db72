"""A command with the network cut: loopback and nothing else, as on a compute node of a cluster.

    python benchmarks/_cut.py COMMAND...

runs it in a network namespace without routes, ends with its exit code, and says on stderr how often
it tried to reach out (connections and DNS lookups; the kernel counts what finds no route). Linux
alone; root, or a kernel that lets users have namespaces. A local socket of the host's resolver
(nscd, systemd-resolved) lies in the file system and would still be reached.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_SET_FLAGS, _UP_AND_RUNNING = 0x8914, 0x41
#: No command of ours ends with it.
_EXIT_CANNOT = 126


def cut(command: Sequence[str]) -> list[str]:
    """Return the command that runs another with the network cut."""
    return [sys.executable, str(Path(__file__).resolve()), *command]


def can_cut() -> str | None:
    """Return why this machine cannot cut the network off a command; None where it can."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    tried = subprocess.run(cut(["true"]), capture_output=True, text=True, check=False)
    return tried.stderr.strip() or "unknown reason" if tried.returncode else None


def attempts(told: str) -> int | None:
    """Return how often a command that was cut off tried to reach out, from its stderr.

    Args:
        told: All that it and `cut` wrote there.
    """
    found = re.findall(r"^network cut: tried to reach out (\d+) times$", told, re.M)
    return int(found[-1]) if found else None


def _enter() -> None:
    """Leave the network of this machine for an empty one, with loopback up."""
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    flags = _CLONE_NEWNET if user == 0 else _CLONE_NEWNET | _CLONE_NEWUSER
    if libc.unshare(flags):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    if user:
        # The same user as before: who has become root inside is treated otherwise by many programs.
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh", b"lo", _UP_AND_RUNNING))


def _without_route() -> int:
    """Return how many connections and datagrams found no route in this network so far."""
    rows = [line.split() for line in Path("/proc/self/net/snmp").read_text().splitlines()]
    old, six = rows[0], Path("/proc/self/net/snmp6")
    count = int(rows[1][old.index("OutNoRoutes")])
    for line in six.read_text().splitlines() if six.is_file() else []:
        count += int(line.split()[1]) if line.startswith("Ip6OutNoRoutes ") else 0
    return count


def main(command: list[str]) -> int:
    """Run a command with the network cut and return its exit code."""
    try:
        _enter()
    except OSError as error:
        print(f"the network cannot be cut here: {error}", file=sys.stderr)
        return _EXIT_CANNOT
    process = subprocess.Popen(command)
    # Ctrl-C reaches the command too, whose own end it is.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: process.send_signal(number))
    code = process.wait()
    print(f"network cut: tried to reach out {_without_route()} times", file=sys.stderr)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
