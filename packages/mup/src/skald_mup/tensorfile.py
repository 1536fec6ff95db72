"""Safetensors files: full disks and damaged files become one line for the user."""

from __future__ import annotations

import errno
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from skald_specs.errors import UserInputError

Tensors = dict[str, torch.Tensor]


def save_tensors(tensors: Tensors, path: Path) -> None:
    """Write tensors by name.

    Raises:
        OSError: As the system reported it; safetensors itself wraps it in a text.
    """
    try:
        save_file({n: t.contiguous() for n, t in tensors.items()}, path, metadata={"format": "pt"})
    except SafetensorError as error:
        full = "No space" in str(error) or "os error 28" in str(error)
        raise OSError(errno.ENOSPC if full else errno.EIO, str(error)) from error


def load_tensors(path: Path) -> Tensors:
    """Read tensors by name.

    Raises:
        UserInputError: The file is missing or no safetensors file.
    """
    try:
        tensors: Tensors = load_file(path)
        return tensors
    except (OSError, SafetensorError) as error:
        raise UserInputError(
            str(path), f"no readable tensors ({error})", "Run the station that writes it again"
        ) from None
