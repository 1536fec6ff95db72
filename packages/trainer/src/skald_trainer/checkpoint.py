"""Layout-free checkpoints on disk: written whole or not at all, verified before they are trusted.

Knows files and tensors by name; refuses to know processes, layouts and optimisers.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from skald_mup.tensorfile import Tensors, save_tensors
from skald_specs.checkpoint import (
    MANIFEST_FILE,
    MODEL_FILE,
    OPTIMIZER_FILE,
    PLAN_FILE,
    STATE_FILE,
    CheckpointManifest,
    CheckpointState,
    checkpoint_name,
)
from skald_specs.checkpoint import verify as verify  # part of this module's face, too
from skald_specs.errors import UserInputError
from skald_specs.files import atomic_folder, sha256_file, write_json
from skald_specs.plan import Plan


def save(
    folder: Path, plan: Plan, state: CheckpointState, weights: Tensors, moments: Tensors | None
) -> Path:
    """Write one checkpoint; a kill or a full disk leaves none of it.

    Args:
        folder: The checkpoint's own folder, such as `checkpoints/step_00000128`.
        plan: The plan it belongs to.
        state: Step and tokens seen.
        weights: Full fp32 tensors by name.
        moments: Adam's `exp_avg.<name>` and `exp_avg_sq.<name>`, or None for weights alone.

    Returns:
        The folder.
    """
    with atomic_folder(folder, marker=MANIFEST_FILE) as temporary:
        save_tensors(weights, temporary / MODEL_FILE)
        if moments is not None:
            save_tensors(moments, temporary / OPTIMIZER_FILE)
        write_json(temporary / STATE_FILE, state.model_dump())
        plan.save(temporary / PLAN_FILE)
        manifest = CheckpointManifest(
            schema_version=1,
            plan_fingerprint=plan.fingerprint,
            corpus_fingerprint=plan.identity.data.corpus_fingerprint,
            step=state.step,
            sha256={file.name: sha256_file(file) for file in sorted(temporary.iterdir())},
        )
        write_json(temporary / MANIFEST_FILE, manifest.model_dump())
    return folder


def inspect(folder: Path) -> dict[str, Any]:
    """Describe a checkpoint: step, fingerprints, and each tensor's shape and type."""
    manifest = verify(folder)
    tensors: dict[str, str] = {}
    for file in (MODEL_FILE, OPTIMIZER_FILE):
        if (folder / file).is_file():
            with safe_open(folder / file, framework="pt") as opened:
                for name in sorted(opened.keys()):
                    piece = opened.get_slice(name)
                    tensors[name] = f"{piece.get_dtype()} {list(piece.get_shape())}"
    return {
        "step": manifest.step,
        "plan_fingerprint": manifest.plan_fingerprint,
        "corpus_fingerprint": manifest.corpus_fingerprint,
        "tensors": tensors,
    }


def load_state(folder: Path) -> CheckpointState:
    """Read the step and the tokens seen."""
    return CheckpointState.load(folder / STATE_FILE)


class TensorFile:
    """Reads full tensors by name, one at a time, from a safetensors file."""

    def __init__(self, path: Path) -> None:
        self._opened: Any = safe_open(path, framework="pt")

    def __call__(self, name: str) -> torch.Tensor:
        """Return one tensor on the CPU."""
        tensor: torch.Tensor = self._opened.get_tensor(name)
        return tensor


def latest(folder: Path, plan: Plan) -> Path | None:
    """Return the newest checkpoint of a plan that verifies, or None; others are passed over."""
    for candidate in sorted(folder.glob("step_*"), reverse=True):
        try:
            if verify(candidate).plan_fingerprint == plan.fingerprint:
                return candidate
            print(f"passing over {candidate}: it belongs to another plan")
        except UserInputError as problem:
            print(f"passing over {problem}")
    return None


def prune(folder: Path, keep_last: int) -> None:
    """Remove all but the newest `keep_last` checkpoints."""
    for old in sorted(folder.glob("step_*"))[:-keep_last]:
        shutil.rmtree(old, ignore_errors=True)


def path_of(folder: Path, step: int) -> Path:
    """Return where a step's checkpoint lies under the run's checkpoint folder."""
    return folder / checkpoint_name(step)
