"""A model of a folder, loaded: its tokenizer, its weights or random ones, on the device.

Its bytes enter the key of every answer. Refuses to know which folders are sound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skald_specs.errors import UserInputError

from skald_harness.models.folder import Folder
from skald_harness.models.parts import AGAIN, first_words, no_tokenizer, readable, tokenizer_of

if TYPE_CHECKING:
    import torch


def load_tokenizer(folder: Folder) -> Any:
    """Load the tokenizer of a folder, offline.

    Raises:
        UserInputError: It cannot be.
    """
    try:
        return tokenizer_of(folder.path, folder.trusted)
    except Exception as error:  # the libraries raise nothing narrower
        raise no_tokenizer(str(folder.path), error) from None


def load_model(folder: Folder) -> torch.nn.Module:
    """Load the weights of a folder in the type they are stored in, offline, for scoring.

    Raises:
        UserInputError: The weights lack a tensor of the model, which would stay random, or a file
            cannot be read.
    """
    from transformers import AutoModelForCausalLM

    try:
        with readable(folder.path):
            model, info = AutoModelForCausalLM.from_pretrained(
                folder.path,
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=folder.trusted is not None,
                dtype="auto",
                output_loading_info=True,
            )
    except (RuntimeError, ValueError, ImportError) as error:
        raise UserInputError(
            str(folder.path), f"the weights do not fit config.json ({first_words(error)})", AGAIN
        ) from None
    wrong = sorted(info["missing_keys"]) + sorted(str(key) for key in info["mismatched_keys"])
    if folder.role == "baseline":
        # Others carry buffers of older versions of their code, which nothing needs.
        wrong += sorted(info["unexpected_keys"])
    if wrong:
        raise UserInputError(
            str(folder.path), f"the weights do not fit the model ({wrong[0]})", AGAIN
        )
    return _ready(model)


def random_model(folder: Folder, seed: int) -> torch.nn.Module:
    """Build an untrained model with the configuration of a folder.

    Args:
        folder: Whose configuration.
        seed: Of the initial weights; the caller's random state is left as it was.

    Returns:
        The model, in the folder's type.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(folder.path, local_files_only=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    return _ready(model.to(getattr(torch, folder.dtype)))


def device_type() -> str:
    """Return where models run: on the GPU, where there is one."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _ready(model: Any) -> torch.nn.Module:
    placed: torch.nn.Module = model.eval().to(device_type())
    return placed
