"""The layout-free checkpoint: full tensors by name, whatever layout trained them.

    step_00000384/
      model.safetensors       fp32 tensors by the plain model's names
      optimizer.safetensors   exp_avg.<name>, exp_avg_sq.<name>, fp32
      state.json              step (the sampler follows from it), what a bad step is judged by
      plan.yaml               the plan it belongs to
      manifest.json           fingerprints, and checksums of all of the above, written last

Tensors that are large together lie in `model-00001-of-00003.safetensors` and so on, beside
`model.safetensors.index.json`. A folder without a valid manifest is no checkpoint. No pickle is
ever read.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from skald_specs.errors import UserInputError
from skald_specs.files import sha256_file
from skald_specs.models import BesideName, Spec

MODEL_FILE = "model.safetensors"
OPTIMIZER_FILE = "optimizer.safetensors"
STATE_FILE = "state.json"
PLAN_FILE = "plan.yaml"
MANIFEST_FILE = "manifest.json"
#: Adam's state of a tensor is `<moment>.<name>`.
MOMENTS = ("exp_avg", "exp_avg_sq")
#: What tensors in several files have beside them: {"weight_map": {name: file}}.
INDEX_SUFFIX = ".index.json"

_PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle")
_NAME = re.compile(r"step_(\d{8,})")


class CheckpointState(Spec):
    """Where the run stands; with the plan this fixes everything that follows.

    The position of the sampler follows from `step`; `tokens_seen` and `samples_seen` (sequences) say the
    same to a reader. `n_skipped` updates were left out so far, so Adam has made `step` minus as many.
    `recent_losses_nats` (nats/token) are those of the last good steps, where the recipe bounds spikes.
    """

    step: int
    tokens_seen: int
    samples_seen: int
    n_skipped: int = 0
    recent_losses_nats: tuple[float, ...] = ()


class CheckpointManifest(Spec):
    """Deterministic: two runs of one plan write the same bytes."""

    schema_version: Literal[1]
    plan_fingerprint: str
    recipe_fingerprint: str = ""
    corpus_fingerprint: str
    step: int
    sha256: dict[BesideName, str]


def checkpoint_name(step: int) -> str:
    """Return the folder name of a step's checkpoint; names sort by step."""
    return f"step_{step:08d}"


def checkpoint_step(folder: Path) -> int | None:
    """Return the step in a checkpoint folder's name, or None where it is no such name."""
    found = _NAME.fullmatch(folder.name)
    return int(found[1]) if found else None


def checkpoints_in(folder: Path) -> list[Path]:
    """Return the checkpoint folders of a run's `checkpoints/`, whole or not, oldest first."""
    steps = {path: checkpoint_step(path) for path in folder.glob("step_*")}
    found = [(step, path) for path, step in steps.items() if step is not None]
    return [path for _, path in sorted(found)]


_OTHER = "The checkpoint is damaged: resume from an earlier one"


def verify(folder: Path) -> CheckpointManifest:
    """Check that a checkpoint or a finished run is complete and untouched.

    Returns:
        Its manifest.

    Raises:
        UserInputError: It is something else, missing, incomplete, or a file's checksum differs.
    """
    manifest_path = folder / MANIFEST_FILE
    if not manifest_path.is_file():
        raise no_checkpoint(folder)
    manifest = CheckpointManifest.load(manifest_path)
    for name, expected in sorted(manifest.sha256.items()):
        if not (folder / name).is_file():
            raise UserInputError(str(folder / name), "missing from the checkpoint", _OTHER)
        if sha256_file(folder / name) != expected:
            raise UserInputError(
                str(folder / name), "its checksum differs from manifest.json", _OTHER
            )
    return manifest


def no_checkpoint(folder: Path) -> UserInputError:
    """Say what a path is that was taken for a checkpoint."""
    where = str(folder)
    convert = "Make a start of it with `skald checkpoint convert`"
    if folder.is_file():
        if folder.suffix in _PICKLES:
            return UserInputError(
                where,
                f"a pickle ({folder.suffix}), which can run code and is never read",
                "Name a folder with safetensors",
            )
        return UserInputError(where, "a file, not a checkpoint's folder", "Name the folder")
    if not folder.is_dir():
        return UserInputError(where, "no such checkpoint", "Check the path")
    if (folder / "checkpoints").is_dir():
        return UserInputError(where, "a run's folder", "Name one under its checkpoints/")
    if (folder / "model_config.json").is_file() and (folder / "model").is_dir():
        return UserInputError(where, "a checkpoint of nanotron, not of Skald", convert)
    if (folder / "config.json").is_file():
        return UserInputError(where, "a Hugging Face folder, not a checkpoint of Skald", convert)
    if pickles := sorted(p.name for p in folder.iterdir() if p.suffix in _PICKLES):
        return UserInputError(
            where,
            f"holds a pickle ({pickles[0]}), which can run code and is never read",
            "Name a folder with safetensors",
        )
    return UserInputError(
        where, "no complete checkpoint (manifest.json is missing)", "Name another one"
    )
