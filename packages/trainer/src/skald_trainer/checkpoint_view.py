"""What a checkpoint holds, as data and as a page for people."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from skald_mup.names import tensor_kind
from skald_mup.tensorfile import TensorReader, tensor_files
from skald_specs.checkpoint import (
    MODEL_FILE,
    OPTIMIZER_FILE,
    PLAN_FILE,
    STATE_FILE,
    CheckpointManifest,
    verify,
)
from skald_specs.errors import UserInputError
from skald_specs.plan import Plan

from skald_trainer.checkpoint import check_tensors, load_state


def inspect(folder: Path) -> dict[str, Any]:
    """Describe a checkpoint or a finished run.

    Args:
        folder: Its folder.

    Returns:
        Step, tokens and samples seen, fingerprints, bytes of each file, and each tensor's type and
        shape.

    Raises:
        UserInputError: It is no whole checkpoint.
    """
    manifest, plan = verify(folder), Plan.load(folder / PLAN_FILE)
    state = load_state(folder).model_dump() if (folder / STATE_FILE).is_file() else {}
    tensors = {}
    for file in (MODEL_FILE, OPTIMIZER_FILE):
        if tensor_files(folder / file):
            reader = TensorReader(folder / file)
            for name in reader.names():
                dtype, shape = reader.describe(name)
                tensors[name] = f"{dtype} {list(shape)}"
    return {
        "plan": plan.name,
        "step": manifest.step,
        "n_steps": plan.identity.schedule.n_steps.value,
        **state,
        "plan_fingerprint": manifest.plan_fingerprint,
        "recipe_fingerprint": manifest.recipe_fingerprint,
        "corpus_fingerprint": manifest.corpus_fingerprint,
        "start_weights_sha256": plan.identity.start_weights_sha256 or "",
        "files": {name: (folder / name).stat().st_size for name in sorted(manifest.sha256)},
        "tensors": tensors,
    }  # fmt: skip


def page(facts: dict[str, Any]) -> str:
    """Lay out what `inspect` found: facts, files, and tensors grouped by kind."""
    hidden = ("files", "tensors", "n_steps", "step")
    lines = [f"step {facts['step']} of {facts['n_steps']}"]
    lines += [
        f"{key.replace('_', ' '):22}{value:,}" if isinstance(value, int) else
        f"{key.replace('_', ' '):22}{value or '-'}"
        for key, value in facts.items() if key not in hidden
    ]  # fmt: skip
    lines += ["", f"{'file':34}{'bytes':>16}"]
    lines += [f"{name:34}{size:16,}" for name, size in facts["files"].items()]
    lines += ["", f"{'tensors':24}{'count':>6}{'numbers':>16}  type and shape"]
    groups: dict[tuple[str, str], int] = {}
    for name, about in facts["tensors"].items():
        moment, _, rest = name.partition(".") if name.startswith("exp_avg") else ("", "", name)
        key = (f"{moment} {_kind(rest)}".strip(), about)
        groups[key] = groups.get(key, 0) + 1
    for (kind, about), count in groups.items():
        shape = [int(size) for size in about.partition("[")[2].rstrip("]").split(",") if size]
        lines.append(f"{kind:24}{count:6}{count * math.prod(shape):16,}  {about}")
    return "\n".join(lines)


def _kind(name: str) -> str:
    """Return a tensor's kind; `verify` is for saying that a tensor is none of the model's."""
    try:
        return tensor_kind(name)
    except LookupError:
        return f"unknown {name[:40]!r}"


def verify_tensors(folder: Path) -> tuple[CheckpointManifest, int]:
    """Check every checksum, and every tensor's name, shape and type against the plan.

    Returns:
        The manifest, and how many tensors there are.

    Raises:
        UserInputError: What is wrong first.
    """
    manifest, plan = verify(folder), Plan.load(folder / PLAN_FILE)
    if plan.fingerprint != manifest.plan_fingerprint:
        raise UserInputError(
            str(folder / PLAN_FILE),
            f"is another plan ({plan.fingerprint[:12]}) than manifest.json names "
            f"({manifest.plan_fingerprint[:12]})",
            "Name another checkpoint",
        )
    check_tensors(folder, plan)
    found = [file for file in (MODEL_FILE, OPTIMIZER_FILE) if tensor_files(folder / file)]
    return manifest, sum(len(TensorReader(folder / file).names()) for file in found)
