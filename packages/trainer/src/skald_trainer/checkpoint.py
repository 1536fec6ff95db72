"""Layout-free checkpoints on disk: written whole or not at all, verified before they are trusted.

Knows files and tensors by name; refuses to know processes, layouts and optimisers.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from skald_mup.names import tensor_shapes
from skald_mup.tensorfile import (
    SHARD_BYTES,
    Source,
    TensorReader,
    Tensors,
    bytes_of,
    save_sharded,
    tensor_files,
)
from skald_specs.checkpoint import (
    MANIFEST_FILE,
    MODEL_FILE,
    MOMENTS,
    OPTIMIZER_FILE,
    PLAN_FILE,
    STATE_FILE,
    CheckpointManifest,
    CheckpointState,
    checkpoint_name,
    checkpoint_step,
    checkpoints_in,
)
from skald_specs.checkpoint import verify as verify  # part of this module's face, too
from skald_specs.errors import UserInputError
from skald_specs.files import atomic_folder, sha256_file, write_json
from skald_specs.plan import Plan


def save(
    folder: Path,
    plan: Plan,
    state: CheckpointState,
    weights: Tensors,
    moments: Tensors | None,
    shard_bytes: int = SHARD_BYTES,
) -> Path:
    """Write one checkpoint; a kill or a full disk leaves none of it.

    Args:
        folder: The checkpoint's own folder, such as `checkpoints/step_00000128`.
        plan: The plan it belongs to.
        state: Where the run stands.
        weights: Full fp32 tensors by name.
        moments: Adam's `exp_avg.<name>` and `exp_avg_sq.<name>`, or None for weights alone.
        shard_bytes: At most so much in one file.

    Returns:
        The folder.
    """
    _set_aside(folder)
    with atomic_folder(folder, marker=MANIFEST_FILE) as temporary:
        for file, tensors in ((MODEL_FILE, weights), (OPTIMIZER_FILE, moments)):
            if tensors is not None:
                save_sharded(temporary / file, bytes_of(tensors), tensors.__getitem__, shard_bytes)
        write_json(temporary / STATE_FILE, state.model_dump())
        plan.save(temporary / PLAN_FILE)
        write_manifest(temporary, plan, state.step)
    return folder


def write_manifest(folder: Path, plan: Plan, step: int) -> None:
    """Write the manifest over everything in a folder; it is the last file written.

    Args:
        folder: Holds all the other files, each of which is hashed.
        plan: Whose run it is: three fingerprints are taken of it.
        step: Updates behind it; 0 for a start from other weights.
    """
    manifest = CheckpointManifest(
        schema_version=1,
        plan_fingerprint=plan.fingerprint,
        recipe_fingerprint=plan.recipe_fingerprint,
        corpus_fingerprint=plan.identity.data.corpus_fingerprint,
        step=step,
        sha256={file.name: sha256_file(file) for file in sorted(folder.iterdir())},
    )
    write_json(folder / MANIFEST_FILE, manifest.model_dump())


def _set_aside(folder: Path) -> None:
    """Move what lies in a checkpoint's place without being one, so that it blocks no save."""
    named = checkpoint_step(folder) is not None and folder.is_dir()
    if named and not (folder / MANIFEST_FILE).is_file():
        damaged = folder.with_name(f"{folder.name}.damaged")
        shutil.rmtree(damaged, ignore_errors=True)
        folder.replace(damaged)


def load_state(folder: Path) -> CheckpointState:
    """Read where the run stands."""
    return CheckpointState.load(folder / STATE_FILE)


def start_from(folder: Path, plan: Plan) -> tuple[int, Source, Source]:
    """Open a checkpoint to train on from.

    Args:
        folder: A checkpoint that `check` has passed.
        plan: Its plan.

    Returns:
        Steps taken, and full weights and moments by name; a start checkpoint has moments of zero,
        which is how Adam begins.
    """
    step, weights = load_state(folder).step, TensorReader(folder / MODEL_FILE)
    if tensor_files(folder / OPTIMIZER_FILE):
        return step, weights, TensorReader(folder / OPTIMIZER_FILE)
    sizes = tensor_shapes(plan.identity.model)
    return step, weights, lambda name: torch.zeros(sizes[name.split(".", 1)[1]])


def check(folder: Path, plan: Plan) -> None:
    """Check that a checkpoint is whole and that a plan can go on from it.

    Args:
        folder: The checkpoint.
        plan: The plan to go on with.

    Raises:
        UserInputError: It is damaged, something else, without Adam's state, or of another plan.
    """
    manifest, where = verify(folder), str(folder)
    if not (folder / STATE_FILE).is_file():
        raise UserInputError(
            where, "a finished model without Adam's state", "Name a folder under checkpoints/"
        )
    if manifest.plan_fingerprint != plan.fingerprint:
        theirs = Plan.load(folder / PLAN_FILE)
        raise UserInputError(
            where,
            f"belongs to another plan ({_difference(manifest, theirs, plan)})",
            "Resume with the plan.yaml inside the checkpoint, or train afresh without --resume",
        )
    check_tensors(folder, plan)
    if load_state(folder).step > 0 and not tensor_files(folder / OPTIMIZER_FILE):
        raise UserInputError(where, "has no Adam state", "Name a folder under checkpoints/")


def check_tensors(folder: Path, plan: Plan) -> None:
    """Check names, shapes and types of a checkpoint's tensors against the plan's model.

    Args:
        folder: The checkpoint; Adam's state is checked where there is one.
        plan: The plan to go on with.

    Raises:
        UserInputError: A tensor is missing, unknown, or not of its shape in fp32.
    """
    sizes = tensor_shapes(plan.identity.model)
    expected = {MODEL_FILE: sizes}
    if tensor_files(folder / OPTIMIZER_FILE):
        expected[OPTIMIZER_FILE] = {
            f"{what}.{name}": size for what in MOMENTS for name, size in sizes.items()
        }
    for file, wanted in expected.items():
        reader = TensorReader(folder / file)
        for name in sorted(set(wanted) ^ set(reader.names())):
            problem = f"lacks the tensor {name}" if name in wanted else f"has {name}, a stranger"
            raise UserInputError(str(folder / file), problem, "Name another checkpoint")
        for name, size in wanted.items():
            found = reader.describe(name)
            if found != ("F32", size):
                raise UserInputError(
                    str(folder / file),
                    f"{name} is {found[0]} {list(found[1])}, the plan's is F32 {list(size)}",
                    "Name another checkpoint",
                )


def _difference(manifest: CheckpointManifest, theirs: Plan, ours: Plan) -> str:
    """Name what differs between the plan of a checkpoint and the one at hand."""
    data = ours.identity.data.corpus_fingerprint
    if manifest.corpus_fingerprint != data:
        return f"for other data: corpus {manifest.corpus_fingerprint[:12]} there, {data[:12]} here"
    field = _first_difference(theirs.identity.model_dump(), ours.identity.model_dump())
    others = {manifest.recipe_fingerprint, ours.recipe_fingerprint} - {""}
    return f"{'from another recipe: ' if len(others) == 2 else ''}{field}"


def _first_difference(theirs: Any, ours: Any, at: str = "") -> str:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in [*theirs, *(key for key in ours if key not in theirs)]:
            if key in ("standing", "source", "interval"):
                continue
            if theirs.get(key) != ours.get(key):
                inner = at if key == "value" else f"{at}.{key}".lstrip(".")
                if found := _first_difference(theirs.get(key), ours.get(key), inner):
                    return found
        return ""
    return "" if theirs == ours else f"{at} = {theirs} there, {ours} here"


def latest(folder: Path, plan: Plan, below: int | None = None, quiet: bool = False) -> Path | None:
    """Return the newest checkpoint that a plan can go on from; others are passed over.

    Args:
        folder: A run's `checkpoints/`.
        plan: The plan.
        below: Only checkpoints of an earlier step than this.
        quiet: Say nothing of those passed over.

    Returns:
        The checkpoint, or None where there is none.
    """
    for candidate in reversed(checkpoints_in(folder)):
        step = checkpoint_step(candidate)
        if below is not None and (step is None or step >= below):
            continue
        try:
            check(candidate, plan)
            return candidate
        except UserInputError as problem:
            if not quiet:
                print(f"passing over {problem}")
    return None


def prune(folder: Path, step: int, keep_last: int, keep_every_steps: int | None) -> None:
    """Remove old checkpoints, after a newer one has become whole.

    Args:
        folder: A run's `checkpoints/`.
        step: The step that was just saved; what lies beyond it is left alone and counts for nothing,
            because a run that went back has not reached it.
        keep_last: So many of the newest stay.
        keep_every_steps: Those at multiples of it stay for ever.
    """
    reached = [
        (at, path)
        for path in checkpoints_in(folder)
        if (at := checkpoint_step(path)) is not None and at <= step
    ]
    for at, path in reached[:-keep_last]:
        if keep_every_steps is None or at % keep_every_steps:
            # Under another name first: a kill in between must leave no half folder of this name.
            retired = path.with_name(f".{path.name}.old")
            shutil.rmtree(retired, ignore_errors=True)
            path.replace(retired)
            shutil.rmtree(retired, ignore_errors=True)


def path_of(folder: Path, step: int) -> Path:
    """Return where a step's checkpoint lies under the run's checkpoint folder.

    Args:
        folder: The run's checkpoints.
        step: 1-based training step; nothing need lie there.
    """
    return folder / checkpoint_name(step)
