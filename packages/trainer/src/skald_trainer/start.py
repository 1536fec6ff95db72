"""Start checkpoints: step 0 with weights of another program, Adam and the schedule fresh."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from skald_mup.fold import unfolding
from skald_mup.foreign import Foreign, finite, read_huggingface, same_model
from skald_mup.init import initial_tensor
from skald_mup.names import tensor_shapes
from skald_mup.tensorfile import SHARD_BYTES, WeightsHash, save_sharded
from skald_specs.checkpoint import (
    MANIFEST_FILE,
    MODEL_FILE,
    PLAN_FILE,
    STATE_FILE,
    CheckpointState,
    no_checkpoint,
)
from skald_specs.errors import UserInputError
from skald_specs.files import atomic_folder, sha256_file, write_json
from skald_specs.plan import Plan

from skald_trainer.checkpoint import write_manifest
from skald_trainer.nanotron_weights import read_nanotron

_FP32_BYTES = 4


def read_foreign(folder: Path) -> Foreign:
    """Open the model of another program: nanotron's checkpoint or a Hugging Face folder.

    Raises:
        UserInputError: It is neither, or cannot be taken over.
    """
    if (folder / "model_config.json").is_file():
        return read_nanotron(folder)
    if (folder / "config.json").is_file():
        return read_huggingface(folder)
    raise no_checkpoint(folder)


def reads_other_tokens(folder: Path, corpus: Path) -> bool:
    """Whether a foreign model brings a tokenizer that a corpus was not made with.

    Args:
        folder: The model's folder.
        corpus: The corpus's.

    Returns:
        No where either has no tokenizer to compare.
    """
    files = (folder / "tokenizer.json", corpus / "tokenizer.json")
    return all(f.is_file() for f in files) and len({sha256_file(f) for f in files}) == 2


def write_start(foreign: Foreign, plan: Plan, out: Path) -> Plan:
    """Write the checkpoint that `skald train OUT/plan.yaml --resume OUT` begins with.

    Args:
        foreign: The plain model to start from.
        plan: How to train on; its multipliers are divided out of the weights, and rows of its
            vocabulary beyond the model's get their initial values.
        out: Folder to write.

    Returns:
        The plan with `start_weights_sha256`, as it lies in the folder.

    Raises:
        UserInputError: The plan's model cannot hold these weights, or the folder is taken.
    """
    identity, where = plan.identity, str(foreign.path)
    if not identity.model.norm_gains:
        raise UserInputError(
            where, "has gains, the plan's model has norm_gains: false", "Plan a model with gains"
        )
    same_model(foreign.shape, identity.model, where)
    sizes = tensor_shapes(identity.model)
    unfolded = unfolding(identity, lambda name: finite(foreign.tensor(name), name, where))

    def padded(name: str) -> torch.Tensor:
        tensor = unfolded(name)
        if tensor.shape == sizes[name]:
            return tensor
        return torch.cat((tensor, initial_tensor(identity, name)[tensor.shape[0] :]))

    weights = WeightsHash(padded)
    with atomic_folder(out, marker=MANIFEST_FILE) as temporary:
        n_bytes = {name: math.prod(size) * _FP32_BYTES for name, size in sizes.items()}
        save_sharded(temporary / MODEL_FILE, n_bytes, weights, SHARD_BYTES)
        changed = identity.model_copy(update={"start_weights_sha256": weights.hexdigest()})
        started = plan.model_copy(update={"identity": changed})
        state = CheckpointState(step=0, tokens_seen=0, samples_seen=0)
        write_json(temporary / STATE_FILE, state.model_dump())
        started.save(temporary / PLAN_FILE)
        write_manifest(temporary, started, 0)
    return started
