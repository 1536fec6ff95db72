"""Two ranks under torchrun: each asks its own chunks, one speaks, and the bytes are those of one rank."""

import os
import shutil
import socket
import subprocess
import sys

import pytest
import support_harness
import torch
from skald_harness.adapter.network import TrieLM
from skald_harness.models.loading import device_type
from skald_harness.running.ranks import LostRankError, World, _noticing_loss, world
from skald_harness.scoring.threads import CPU_THREADS
from skald_process.hosts import Peer
from skald_specs.errors import EXIT_RESUMABLE
from skald_specs.files import read_json
from support_harness import N_ANSWERS, N_CHOICES, N_TASKS, evaluate_core

pytestmark = [pytest.mark.parallel, pytest.mark.slow]

#: Threads of a product whenever the lone rank, which was given two, asked a network.
THREADS: list[int] = []
#: Six models that answer all, and three rules that take no documents.
N_ALL = 6 * N_ANSWERS + 3 * N_CHOICES


def lines_by_rank(root):
    """Count the answers that each rank wrote."""
    parts = (root / "out-store").rglob("rank-*.jsonl")
    counts = {}
    for part in parts:
        counts[part.stem] = counts.get(part.stem, 0) + part.read_bytes().count(b"\n")
    return counts


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One evaluation on one rank and, of the same inputs with a missing model, one on two."""
    root = support_harness.write_inputs(tmp_path_factory.mktemp("ranks"))
    shutil.copytree(root, root / "two")
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with pytest.MonkeyPatch.context() as patch:
        real = TrieLM.answer
        patch.setattr(
            TrieLM, "answer",
            lambda self, asked: THREADS.append(torch.get_num_threads()) or real(self, asked),
        )  # fmt: skip
        evaluate_core(root)
    left = torch.get_num_threads()
    torch.set_num_threads(before)
    assert left == 2, "the caller's threads are given back"
    two = root / "two"
    words = [
        "evaluate", *(f"exports/{name}" for name in ("base-a", "none", "base-b")), "--suite", "core",
        "--items", "items", "--corpus", "corpus", "--out", "out",
    ]  # fmt: skip
    # Without a number of threads from outside: torchrun leaves a rank one, and a lone process all.
    kept = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        "-m", "skald_cli.main", *words,
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=two, env=kept | {"HF_HUB_OFFLINE": "1"},
        capture_output=True, text=True, check=False, timeout=180,
    )  # fmt: skip
    return root, two, done


def test_two_ranks_write_the_bytes_of_one(made):
    root, two, done = made
    assert support_harness.folder_sha256(two / "out") == support_harness.folder_sha256(
        root / "out"
    ), done.stderr[-3000:]


def test_bits_do_not_hang_on_the_threads_that_a_process_was_given(made):
    assert THREADS and set(THREADS) == {CPU_THREADS}
    keys = list((made[0] / "out-store").rglob("key.json"))
    assert {read_json(path)["facts"]["threads"] for path in keys} == {
        CPU_THREADS if device_type() == "cpu" else None
    }


def test_each_rank_asks_its_own_and_nothing_is_asked_twice(made):
    root, two, _ = made
    assert lines_by_rank(root) == {"rank-0": N_ALL}
    counts = lines_by_rank(two)
    assert sum(counts.values()) == N_ALL
    assert set(counts) == {"rank-0", "rank-1"} and min(counts.values()) > 0.3 * N_ALL


def test_one_rank_speaks_and_its_exit_code_counts(made):
    _, _, done = made
    # A missing model is exit code 2 of rank 0, which torchrun turns into its own 1.
    assert done.returncode == 1 and "exitcode  : 2" in done.stderr
    assert done.stderr.count("skald: exports/none: no such export") == 1
    assert done.stderr.count(f"base-b: {N_TASKS} tasks, {N_ANSWERS} answers") == 2, (
        "the untrained one and its own"
    )
    assert done.stdout.count("calendar: acc, chance 0.25, mean over 2 languages") == 1


def test_another_number_of_ranks_continues_what_two_left(made, tmp_path):
    root, two, _ = made
    copy = shutil.copytree(two, tmp_path / "copy", symlinks=True)
    shutil.rmtree(copy / "out")
    torn = 0
    for part in sorted((copy / "out-store").rglob("rank-1.jsonl")):
        data = part.read_bytes()
        part.write_bytes(data[: len(data) // 2])
        torn += data.count(b"\n") - part.read_bytes().count(b"\n")
    evaluate_core(copy)
    assert support_harness.folder_sha256(copy / "out") == support_harness.folder_sha256(
        root / "out"
    )
    before, after = lines_by_rank(two), lines_by_rank(copy)
    assert after["rank-0"] == before["rank-0"] + torn, "only what was lost is asked again"


def test_chunks_are_shared_out_whole(monkeypatch):
    ranks = [World(rank, 3) for rank in range(3)]
    for number in range(20):
        assert sum(rank.has(number) for rank in ranks) == 1
    assert [rank.speaks for rank in ranks] == [True, False, False]
    for name in ("WORLD_SIZE", "RANK"):
        monkeypatch.delenv(name, raising=False)
    assert world() == World(0, 1)
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setenv("RANK", "2")
    assert world() == World(2, 3)


_WAITS = """
import sys, time
from skald_harness.running import ranks
from skald_process.hosts import Peer
ranks.SECONDS_BETWEEN_LOOKS = 0.05
with ranks._noticing_loss([Peer(1, "node-b", "127.0.0.1", int(sys.argv[1]))]):
    time.sleep(60)
"""


def test_who_waits_for_a_lost_rank_ends_resumably_and_names_it():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    words = [sys.executable, "-c", _WAITS, str(port)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == EXIT_RESUMABLE
    assert done.stderr.startswith(
        "skald: lost node-b (127.0.0.1) with rank 1: its share is missing"
    )
    assert done.stderr.count("\n") == 1


def test_a_broken_wait_names_whom_it_lost():
    peer = Peer(1, "node-b", "127.0.0.1", 1)
    with (
        pytest.raises(LostRankError, match=r"^lost node-b \(127\.0\.0\.1\) with rank 1"),
        _noticing_loss([peer]),
    ):
        raise RuntimeError("Connection closed by peer [127.0.0.1]:4711")
    with _noticing_loss([]):
        pass
