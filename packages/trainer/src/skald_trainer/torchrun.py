r"""torchrun on a node of a cluster, keeping the signals and exit codes of `skald train`.

    python -m skald_trainer.torchrun --nnodes 2 --nproc-per-node 4 \
        --master-addr HOST --master-port 29500 -m skald_cli.main train PLAN

torchrun alone dies of SIGUSR1 with its ranks still running, gives them 30 seconds on SIGTERM, and
ends with code 1 whatever they ended with. Here a signal is passed on to every rank, the ranks take
the time they need to save, and 75 stays 75. Knows processes; refuses to know what they compute.
"""

from __future__ import annotations

import argparse
import functools
import os
import re
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from skald_process import hosts
from skald_process.stopping import STOP_SIGNALS
from skald_specs.errors import EXIT_CLAIM_FAILED, EXIT_RESUMABLE, EXIT_USER_INPUT, UserInputError

from skald_trainer.fates import EXIT_LOST_ANOTHER

#: Every rank that torchrun starts has it in its environment; helpers of this process have not.
_MARK = b"TORCHELASTIC_RUN_ID="
#: How long (seconds) a node waits for the others at the end: one of them lays out the finished run,
#: which is minutes for a large model, and srun ends who is left soon after the first has gone.
_SECONDS_TO_LAY_OUT = 3600.0
#: How long (seconds) a node waits for the others at the beginning, as torchrun does, and after how
#: long it says so.
_SECONDS_TO_MEET, _SECONDS_OF_SILENCE = 900.0, 20.0


class _Signals:
    """Signals that came to this node, each passed on to its ranks as it comes."""

    def __init__(self) -> None:
        self.passed: list[signal.Signals] = []

    def listen(self) -> None:
        """Pass signals on from now to the end of the process."""
        for number in STOP_SIGNALS:
            signal.signal(number, self._pass_on)

    def _pass_on(self, number: int, frame: Any) -> None:
        self.passed.append(signal.Signals(number))
        ranks = _ranks()
        for pid in ranks:
            os.kill(pid, number)
        if not ranks:
            # Nothing is lost: the nodes are still looking for one another, or all has been written.
            print(f"skald: {self.passed[-1].name} while no rank was running", file=sys.stderr)
            os._exit(EXIT_RESUMABLE)

    def exit_code(self, ended_with: list[int]) -> int:
        """Return the node's exit code from those of its failed ranks (negative: by a signal)."""
        # A rank that a stop signal met while it was importing dies of it before it can listen.
        resumable = {EXIT_RESUMABLE, *(-number for number in self.passed)}
        # Once the first rank has gone torchrun ends the rest, and counts how as their own failures;
        # where one hung, the others may have found out first.
        consequences = {-signal.SIGTERM, -signal.SIGKILL, EXIT_LOST_ANOTHER}
        causes = set(ended_with)
        if causes & resumable:
            causes -= consequences - resumable
        if causes <= resumable:
            return EXIT_RESUMABLE
        return EXIT_USER_INPUT if EXIT_USER_INPUT in ended_with else EXIT_CLAIM_FAILED


def _ranks() -> list[int]:
    found, me = [], os.getpid()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name, in brackets, may hold anything; the parent is the second word after it.
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            if parent == me and _MARK in (status.parent / "environ").read_bytes():
                found.append(int(status.parent.name))
        except (OSError, ValueError):
            continue
    return found


def _check_meeting_point(args: argparse.Namespace) -> None:
    """Refuse an address or a port on which the nodes would wait for one another in vain."""
    try:
        socket.getaddrinfo(args.master_addr, None)
    except OSError:
        raise UserInputError(
            "--master-addr",
            f"{args.master_addr!r} is no host that {socket.gethostname()} knows",
            "Check host_suffix in the site's file",
        ) from None
    if int(args.node_rank) != 0:
        _wait_for_first_node(args)
    else:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("", args.master_port))
            except OSError as error:
                raise UserInputError(
                    "--master-port",
                    f"{args.master_port} cannot be used here ({error.strerror})",
                    "Set MASTER_PORT to a free one",
                ) from None


def _wait_for_first_node(args: argparse.Namespace) -> None:
    """Wait until the first node can be spoken to; torch says in a page that it cannot."""
    given = re.search(r"timeout=(\d+)", args.rdzv_conf)
    patience = float(given[1]) if given else _SECONDS_TO_MEET
    where, here = f"{args.master_addr}:{args.master_port}", socket.gethostname()
    began, said, reason = time.monotonic(), False, ""
    while (left := patience - (time.monotonic() - began)) > 0:
        try:
            socket.create_connection((args.master_addr, args.master_port), left).close()
            return
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
        if not said and time.monotonic() - began > _SECONDS_OF_SILENCE:
            said = True
            print(
                f"skald: {here} waits for {where} ({reason}), {left:.0f} s more at most",
                file=sys.stderr, flush=True,
            )  # fmt: skip
        time.sleep(min(1.0, left))
    raise UserInputError(
        "--master-addr",
        f"{here} did not reach {where} in {patience:.0f} s ({reason})",
        "Check that node 0 was started there, and that its network leads to this node",
    )


def _name_interface(args: argparse.Namespace) -> None:
    """Have gloo take the interface that joins the nodes, where nobody has said which."""
    if str(args.nnodes) == "1":
        return
    given = os.environ.get(hosts.INTERFACE_VARIABLE)
    if given is None:
        found = hosts.joining_interface(args.master_addr)
        if found is not None:
            os.environ[hosts.INTERFACE_VARIABLE] = found
        return
    known = [name for _, name in socket.if_nameindex()]
    for name in given.split(","):
        if name not in known:
            raise UserInputError(
                hosts.INTERFACE_VARIABLE,
                f"{socket.gethostname()} has no interface {name!r}",
                f"There are: {', '.join(known)}",
            )


def _not_met(args: argparse.Namespace, error: Exception) -> UserInputError:
    """Say in one line why the nodes did not meet, where torch has a page."""
    where, here = f"{args.master_addr}:{args.master_port}", socket.gethostname()
    joined = re.search(r"(\d+)/(\d+) clients joined", str(error))
    if joined:
        return UserInputError(
            "--nnodes", f"{joined[1]} of {joined[2]} nodes came to {where} in time",
            "Read the other nodes' lines; they may have another --master-addr or --master-port",
        )  # fmt: skip
    return UserInputError(
        "--master-addr", f"{here} lost {where} before all nodes had met", "Read node 0's lines"
    )


def main(words: list[str] | None = None) -> int:
    """Start this node's ranks and wait for them.

    Args:
        words: torchrun's own options and the program; the process's own by default. Under Slurm the
            rank of the node comes from it.

    Returns:
        0, or 75 when every rank that ended early can be continued, or 2 when one met wrong input,
        else 1.
    """
    # torch is imported here: signals that come while it loads must find their handler.
    signals = _Signals()
    signals.listen()
    from torch.distributed import DistError
    from torch.distributed.elastic.agent.server.local_elastic_agent import LocalElasticAgent
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher import api
    from torch.distributed.run import parse_args, run

    if "SLURM_NODEID" in os.environ:
        os.environ.setdefault("PET_NODE_RANK", os.environ["SLURM_NODEID"])
    args = parse_args(words)  # type: ignore[no-untyped-call]  # torch's own, without types
    # Left to torchrun are the signals that nobody sends to save a run.
    args.signals_to_handle = "SIGHUP,SIGQUIT"
    # torchrun has no option for it and gives up after 300 seconds.
    patient = functools.partial(LocalElasticAgent, exit_barrier_timeout=_SECONDS_TO_LAY_OUT)
    api.LocalElasticAgent = patient  # type: ignore[attr-defined, assignment]  # a class there
    try:
        _name_interface(args)
        _check_meeting_point(args)
        run(args)  # type: ignore[no-untyped-call]  # torch's own, without types
    except UserInputError as error:
        print(f"skald: {error}", file=sys.stderr)
        return EXIT_USER_INPUT
    except DistError as error:
        print(f"skald: {_not_met(args, error)}", file=sys.stderr)
        return EXIT_USER_INPUT
    except ChildFailedError as error:
        ended = {rank: failure.exitcode for rank, failure in error.failures.items()}
        code = signals.exit_code(list(ended.values()))
        first = ", ".join(f"rank {rank} with code {ended[rank]}" for rank in sorted(ended))
        what = "the run can be continued" if code == EXIT_RESUMABLE else "the reason is above"
        if set(ended.values()) == {EXIT_LOST_ANOTHER}:
            what = "the reason is another node's"
        print(f"skald: node {args.node_rank} ended: {first}; {what}", file=sys.stderr)
        return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
