"""The layout-free checkpoint: full tensors by name, whatever layout trained them.

    step_00000384/
      model.safetensors       fp32 tensors by the plain model's names
      optimizer.safetensors   exp_avg.<name>, exp_avg_sq.<name>, fp32
      state.json              step, tokens seen
      plan.yaml               the plan it belongs to
      manifest.json           checksums of all of the above, written last

A folder without a valid manifest is no checkpoint. No pickle is ever read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from skald_specs.errors import UserInputError
from skald_specs.files import sha256_file
from skald_specs.models import Spec

MODEL_FILE = "model.safetensors"
OPTIMIZER_FILE = "optimizer.safetensors"
STATE_FILE = "state.json"
PLAN_FILE = "plan.yaml"
MANIFEST_FILE = "manifest.json"


class CheckpointState(Spec):
    """Where the run stands; with the seed this fixes everything that follows.

    `n_skipped` updates were left out so far, so Adam has made `step` minus as many. `recent_losses`, in
    nats, are those of the last good steps, where the recipe bounds spikes.
    """

    step: int
    tokens_seen: int
    n_skipped: int = 0
    recent_losses: tuple[float, ...] = ()


class CheckpointManifest(Spec):
    """Deterministic: two runs of one plan write the same bytes."""

    schema_version: Literal[1]
    plan_fingerprint: str
    corpus_fingerprint: str
    step: int
    sha256: dict[str, str]


def checkpoint_name(step: int) -> str:
    """Return the folder name of a step's checkpoint; names sort by step."""
    return f"step_{step:08d}"


_OTHER = "The checkpoint is damaged: resume from an earlier one"


def verify(folder: Path) -> CheckpointManifest:
    """Check that a checkpoint or a finished run is complete and untouched.

    Returns:
        Its manifest.

    Raises:
        UserInputError: It is missing, incomplete, or a file's checksum differs.
    """
    manifest_path = folder / MANIFEST_FILE
    if not manifest_path.is_file():
        raise UserInputError(
            str(folder), "no complete checkpoint (manifest.json is missing)", "Name another one"
        )
    manifest = CheckpointManifest.load(manifest_path)
    for name, expected in sorted(manifest.sha256.items()):
        if not (folder / name).is_file():
            raise UserInputError(str(folder / name), "missing from the checkpoint", _OTHER)
        if sha256_file(folder / name) != expected:
            raise UserInputError(
                str(folder / name), "its checksum differs from manifest.json", _OTHER
            )
    return manifest
