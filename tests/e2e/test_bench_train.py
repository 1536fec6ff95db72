"""The benchmarks of training run to a verdict; the figures themselves are theirs, not a test's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def run(folder: Path, *words: str) -> tuple[int, str, dict[str, Any]]:
    command = (sys.executable, str(BENCHMARKS / "gpu_train.py"), *words)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    # Without a card it is a trial, which never takes the place of the claim.
    name = "partial/gpu_train.json" if "--tiny" in words else "gpu_train.json"
    rows = json.loads((folder / "build" / "bench" / name).read_text())
    return done.returncode, done.stdout + done.stderr, {row["measure"]: row for row in rows}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_it_says_so_in_one_line(tmp_path: Path) -> None:
    code, said, rows = run(tmp_path)
    (row,) = rows.values()
    assert (code, row["holds"], row["value"]) == (1, None, None)
    assert "sees no GPU here" in row["detail"]
    assert len(said.splitlines()) == 2
    assert run(tmp_path, "--allow-missing")[0] == 0


@pytest.mark.slow
@pytest.mark.parallel
def test_all_but_the_card_runs_on_a_cpu(tmp_path: Path) -> None:
    code, said, rows = run(tmp_path, "--tiny")
    trainers = ("nanotron", "plain torch, compiled", "Hugging Face Trainer")
    for trainer in trainers:
        row = rows[f"tokens a second, 2.6B, {trainer}"]
        assert row["value"] is not None and row["value"] > 0, said
        assert "GiB at the peak" in row["detail"]
    for trainer in trainers[1:]:
        assert rows[f"tokens a second of the faster nanotron against {trainer}, 2.6B"]["value"] > 0
    target = next(row for name, row in rows.items() if name.startswith("share of the card's"))
    assert "torch" in target["detail"]
    # A miniature reaches nothing of the target, and the verdict says so.
    assert (target["holds"], code) == (False, 1)
