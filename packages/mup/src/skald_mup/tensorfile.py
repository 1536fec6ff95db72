"""Safetensors files, one or several with an index: read and written tensor by tensor.

Full disks and damaged files become one line for the user.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from skald_specs.checkpoint import INDEX_SUFFIX
from skald_specs.errors import UserInputError
from skald_specs.files import inside, read_by_library, read_json

Tensors = dict[str, torch.Tensor]
#: Gives a full tensor by name.
Source = Callable[[str], torch.Tensor]

#: Tensors that are larger together lie in several files; also what a streamed write holds at once.
SHARD_BYTES = 4 << 30

_AGAIN = "Run the station that writes it again"


def save_tensors(tensors: Tensors, path: Path) -> None:
    """Write tensors by name into one file.

    Args:
        tensors: Full tensors; those that are not contiguous are copied, and none may share memory.
        path: The file itself, written in place: who calls makes it atomic.

    Raises:
        OSError: As the system reported it; safetensors itself wraps it in a text.
    """
    try:
        save_file({n: t.contiguous() for n, t in tensors.items()}, path, metadata={"format": "pt"})
    except SafetensorError as error:
        said = re.search(r"os error (\d+)", str(error))
        number = int(said[1]) if said else errno.EIO
        raise OSError(number, os.strerror(number)) from error


def save_sharded(
    path: Path,
    sizes: Mapping[str, int],
    source: Source,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Write tensors by name, asking for them in order and holding one file's at a time.

    Args:
        path: The file, such as `model.safetensors`; where one is not enough, its stem goes into
            the names of all (`model-00001-of-00003.safetensors`) and an index lies beside them.
        sizes: Names in order, with bytes.
        source: Gives each tensor; called once for each name.
        shard_bytes: At most so much in a file, unless one tensor alone is larger.

    Raises:
        OSError: As the system reported it.
    """
    groups: list[list[str]] = [[]]
    held = 0
    for name, size in sizes.items():
        if groups[-1] and held + size > shard_bytes:
            groups.append([])
            held = 0
        groups[-1].append(name)
        held += size
    if len(groups) == 1:
        save_tensors({name: source(name) for name in groups[0]}, path)
        return
    weight_map: dict[str, str] = {}
    for number, names in enumerate(groups, start=1):
        file = f"{path.stem}-{number:05d}-of-{len(groups):05d}{path.suffix}"
        save_tensors({name: source(name) for name in names}, path.with_name(file))
        weight_map |= dict.fromkeys(names, file)
    index = {"metadata": {"total_size": sum(sizes.values())}, "weight_map": weight_map}
    text = json.dumps(index, indent=2, sort_keys=True) + "\n"
    path.with_name(path.name + INDEX_SUFFIX).write_text(text, encoding="utf-8")


def bytes_of(tensors: Tensors) -> dict[str, int]:
    """Return the size of each tensor, in bytes."""
    return {name: tensor.numel() * tensor.element_size() for name, tensor in tensors.items()}


def tensor_files(path: Path) -> list[Path]:
    """Return the files that a (possibly sharded) tensor file consists of, index included.

    Args:
        path: The single file's path, such as `model.safetensors`.

    Returns:
        Nothing where there are no such tensors.

    Raises:
        UserInputError: The index is no index.
    """
    index = path.with_name(path.name + INDEX_SUFFIX)
    if path.is_file() or not index.is_file():
        return [path] if path.is_file() else []
    return [index, *(inside(path.parent, n) for n in sorted(set(_weight_map(index).values())))]


def _weight_map(index: Path) -> dict[str, str]:
    found = read_json(index)
    names = found.get("weight_map") if isinstance(found, dict) else None
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise UserInputError(str(index), "no index of tensors (weight_map)", _AGAIN)
    return names


class TensorReader:
    """Reads full tensors by name, one at a time, from one safetensors file or several.

    Args:
        path: The single file's path; an index beside it is found.

    Raises:
        UserInputError: A file is missing or no safetensors file, or the index names what is not
            there.
    """

    def __init__(self, path: Path) -> None:
        files = [file for file in tensor_files(path) if not file.name.endswith(INDEX_SUFFIX)]
        self._path = path
        self._where: dict[str, Any] = {}
        for file in files or [path]:
            with read_by_library(file, "no readable tensors", _AGAIN):
                opened: Any = safe_open(file, framework="pt")
            self._where.update(dict.fromkeys(opened.keys(), opened))
        index = path.with_name(path.name + INDEX_SUFFIX)
        if not path.is_file() and (lost := sorted(set(_weight_map(index)) - set(self._where))):
            raise UserInputError(str(index), f"names {lost[0]}, which is in no file", _AGAIN)

    def names(self) -> list[str]:
        """Return the names of all tensors, sorted."""
        return sorted(self._where)

    def describe(self, name: str) -> tuple[str, tuple[int, ...]]:
        """Return a tensor's type as safetensors writes it (`F32`, `BF16`) and its shape."""
        piece = self._where[name].get_slice(name)
        return str(piece.get_dtype()), tuple(piece.get_shape())

    def __call__(self, name: str) -> torch.Tensor:
        """Return one tensor on the CPU.

        Raises:
            UserInputError: There is none of that name.
        """
        if name not in self._where:
            raise UserInputError(str(self._path), f"no tensor {name}", _AGAIN)
        tensor: torch.Tensor = self._where[name].get_tensor(name)
        return tensor


def load_tensors(path: Path) -> Tensors:
    """Read all tensors by name.

    Raises:
        UserInputError: See `TensorReader`.
    """
    reader = TensorReader(path)
    return {name: reader(name) for name in reader.names()}


class WeightsHash:
    """Passes tensors through and hashes their names, shapes and fp32 values in the order met."""

    def __init__(self, source: Source) -> None:
        self._source, self._digest = source, hashlib.sha256()

    def __call__(self, name: str) -> torch.Tensor:
        """Return the source's tensor."""
        tensor = self._source(name)
        assert tensor.dtype == torch.float32, f"{name} is {tensor.dtype}"
        self._digest.update(f"{name} {list(tensor.shape)}\n".encode())
        self._digest.update(tensor.contiguous().numpy().data)
        return tensor

    def hexdigest(self) -> str:
        """Return the hash of everything that has passed."""
        return self._digest.hexdigest()


def weights_sha256(source: Source, names: Iterable[str]) -> str:
    """Hash full fp32 weights, however they are cut into files.

    Args:
        source: Gives each tensor.
        names: In the order of `names.tensor_shapes`.

    Returns:
        Hex SHA-256, as `identity.start_weights_sha256` of a plan has it.
    """
    passing = WeightsHash(source)
    for name in names:
        passing(name)
    return passing.hexdigest()
