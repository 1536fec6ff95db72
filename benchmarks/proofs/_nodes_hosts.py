"""Two hosts on one machine, joined by a cable: namespaces, which end with the process that made them.

Each has its own network (loopback and one end of the cable, no route elsewhere), name, processes,
/tmp and /dev/shm; the file system below is shared, as on a cluster. As on many a machine, a host's
own name leads to its loopback, and not to the address by which others know it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

CABLE = "fast0"
_NAMES = ("node-a", "node-b")
_TOOLS = ("unshare", "nsenter", "ip", "mount")
#: Init of a host: reads its stdin, so it ends with whoever made it, and all its processes with it.
_INIT = """
hostname "$1" && mount --bind "$2" /etc/hosts && mount -t tmpfs host /dev/shm || exit 1
case "$3" in /tmp/*) ;; *) mount -t tmpfs host /tmp || exit 1 ;; esac
ip link set lo up && echo up && read -r _
"""


class CannotMakeHostsError(Exception):
    """This machine permits no namespaces, or lacks the programs that make them."""


@dataclass(frozen=True)
class Host:
    """One host; `init` is its first process, by this machine's count, and `home` where programs begin."""

    name: str
    address: str
    init: int
    home: Path

    def entering(self, words: Sequence[str]) -> list[str]:
        """Return the command that runs another on this host."""
        spaces = ["--net", "--uts", "--mount", "--pid"]
        # Entered last: nsenter's own `--wd` would stay on the file system outside.
        begin = ["sh", "-c", 'cd "$0" && exec "$@"', str(self.home)]
        return ["nsenter", "--target", str(self.init), *spaces, *begin, *words]

    def start(self, words: Sequence[str], log: Path, **more: str) -> subprocess.Popen[bytes]:
        """Start a program here; what it says goes to the end of a log.

        Args:
            words: The program.
            log: Where stdout and stderr go.
            **more: Variables of its environment.
        """
        with log.open("ab") as to:
            return subprocess.Popen(
                self.entering(words), stdout=to, stderr=to, env=surroundings(more)
            )

    def kill_all(self) -> None:
        """SIGKILL every process of this host, at one moment; the host itself stays."""
        _must(self.entering(["sh", "-c", "kill -KILL -1"]), killed=True)

    def unplug(self) -> None:
        """Take the cable's end down: what is sent is lost, and nobody is told."""
        _must(self.entering(["ip", "link", "set", CABLE, "down"]))

    def plug(self) -> None:
        """Take the cable's end up again."""
        _must(self.entering(["ip", "link", "set", CABLE, "up"]))


def surroundings(more: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment, without what tells of ranks or of interfaces."""
    ours = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", "GLOO_SOCKET_IFNAME")
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    # What was said before a SIGKILL counts.
    return kept | {"PYTHONUNBUFFERED": "1"} | dict(more)


@contextmanager
def two_hosts(folder: Path) -> Iterator[tuple[Host, Host]]:
    """Make two hosts and a cable between them; nothing of them is left afterwards.

    Args:
        folder: For their files; under a path that both see.

    Raises:
        CannotMakeHostsError: Not on this machine.
    """
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if sys.platform != "linux" or missing:
        raise CannotMakeHostsError(f"no {', '.join(missing) or 'Linux'} here")
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        first, second = (stack.enter_context(_host(i, folder)) for i in (0, 1))
        peer = ["type", "veth", "peer", "name", CABLE, "netns", str(second.init)]
        _must(["nsenter", "--target", str(first.init), "--net", "ip", "link", "add", CABLE, *peer])
        for host in (first, second):
            _must(host.entering(["ip", "address", "add", f"{host.address}/24", "dev", CABLE]))
            host.plug()
        yield first, second


@contextmanager
def _host(number: int, folder: Path) -> Iterator[Host]:
    names = [(f"10.77.0.{i + 1}", name) for i, name in enumerate(_NAMES)]
    address, name = names[number]
    # Debian's way: its own name is another loopback address.
    known = [("127.0.0.1", "localhost"), ("127.0.1.1", name)]
    known += [pair for pair in names if pair[1] != name]
    known += [(where, f"{what}-fast") for where, what in names]
    table = folder / f"{name}.hosts"
    table.write_text("".join(f"{where} {what}\n" for where, what in known), encoding="utf-8")
    # Who is not root becomes it in a namespace of users of its own, see nodes.py.
    spaces = ["--net", "--uts", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    with subprocess.Popen(
        ["unshare", *spaces, "sh", "-c", _INIT, "init", name, str(table), str(folder.resolve())],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as holder:  # fmt: skip
        try:
            assert holder.stdout is not None and holder.stderr is not None
            if holder.stdout.readline() != "up\n":
                holder.kill()
                raise CannotMakeHostsError(" ".join(holder.stderr.read().split()))
            children = Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text()
            yield Host(name, address, int(children), folder.resolve())
        finally:
            # `--kill-child` ends init with it, and the kernel ends the rest with init.
            holder.kill()


def _must(words: list[str], killed: bool = False) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode and not killed:
        raise CannotMakeHostsError(f"{' '.join(words[-6:])}: {' '.join(done.stderr.split())}")
