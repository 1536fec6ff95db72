"""What two runs of the proof of layouts share: losses, gradient norms, first gradients, last weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import torch
from _parallel_runs import STEPS, checkpoint_of
from safetensors.torch import load_file
from skald_specs.checkpoint import MODEL_FILE
from skald_specs.files import read_jsonl, sha256_file


class Difference(NamedTuple):
    """How far one run lies from another.

    `loss`: the largest difference of a step's loss, nats. `gradient`, `weight`: the largest relative
    difference of a tensor, by norms: of the first step's gradient, and of the weights after five
    steps, relative to how far these had moved.
    """

    loss: float
    gradient: float
    weight: float

    def within(self, bound: Difference) -> bool:
        """Whether each of the three is in its bound; a loss that is no number is not."""
        return all(mine <= most for mine, most in zip(self, bound, strict=True))


def difference(ours: Path, reference: Path, initial: dict[str, torch.Tensor]) -> Difference:
    """Compare two runs.

    Args:
        ours: Folder of the run.
        reference: Folder of the run of one process.
        initial: The weights both began with.
    """
    (losses, norms), (expected, _) = _curve(ours), _curve(reference)
    assert len(losses) == len(norms) == len(expected) == STEPS
    got, wanted = (load_file(path / "tensors.safetensors") for path in (ours, reference))
    assert got.keys() == wanted.keys()

    def relative(name: str) -> float:
        size = wanted[name] if _is_gradient(name) else wanted[name] - initial[_plain(name)]
        return float((got[name] - wanted[name]).norm() / size.norm())

    return Difference(
        max(abs(a - b) for a, b in zip(losses, expected, strict=True)),
        max(relative(name) for name in wanted if _is_gradient(name)),
        max(relative(name) for name in wanted if not _is_gradient(name)),
    )


def _curve(folder: Path) -> tuple[list[float], list[float]]:
    rows = json.loads((folder / "losses.json").read_text())
    return [row[0] for row in rows], [row[1] for row in rows]


def _is_gradient(name: str) -> bool:
    return name.startswith("gradient.")


def _plain(name: str) -> str:
    return name.partition(".")[2]


def saved_curve(folder: Path) -> list[tuple[float, float]]:
    """Return losses and gradient norms of a run that was saved, step by step."""
    rows = read_jsonl(folder / "metrics.jsonl")
    return [(row["loss_nats"], row["grad_norm"]) for row in rows if "loss_nats" in row]


def final_weights(folder: Path) -> dict[str, torch.Tensor]:
    """Return the weights of a saved run's last checkpoint."""
    tensors: dict[str, torch.Tensor] = load_file(checkpoint_of(folder, STEPS) / MODEL_FILE)
    return tensors


def same_bits(ours: Path, reference: Path) -> bool:
    """Whether the last checkpoints of two saved runs hold the same tensors, to the last bit."""
    one, other = (checkpoint_of(folder, STEPS) for folder in (ours, reference))
    files = sorted(one.glob("*.safetensors"))
    assert files, f"{one} holds no tensors"
    return all(sha256_file(path) == sha256_file(other / path.name) for path in files)
