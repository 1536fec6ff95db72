"""What a path is that was taken for a checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from skald_specs.checkpoint import no_checkpoint, verify
from skald_specs.errors import UserInputError


def nothing(path: Path) -> None:
    path.rmdir()


def words(name: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.rmdir()
        path.with_name(name).write_text("x")

    return make


def holding(*names: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        for name in names:
            if name.endswith("/"):
                (path / name).mkdir()
            else:
                (path / name).write_text("{}")

    return make


CONVERT = "Make a start of it with `skald checkpoint convert`"
NONE = "no complete checkpoint (manifest.json is missing). Name another one"
PICKLE = "which can run code and is never read. Name a folder with safetensors"


@pytest.mark.parametrize(
    ("make", "name", "said"),
    [
        (nothing, "x", "no such checkpoint. Check the path"),
        (words("x.txt"), "x.txt", "a file, not a checkpoint's folder. Name the folder"),
        (words("x.pkl"), "x.pkl", f"a pickle (.pkl), {PICKLE}"),
        (words("x.pickle"), "x.pickle", f"a pickle (.pickle), {PICKLE}"),
        (holding(), "x", NONE),
        (holding("checkpoints"), "x", NONE),
        (holding("checkpoints/"), "x", "a run's folder. Name one under its checkpoints/"),
        (holding("model_config.json"), "x", NONE),
        (holding("model/"), "x", NONE),
        (holding("model_config.json", "model"), "x", NONE),
        (holding("model_config.json", "model/"), "x", f"a checkpoint of nanotron, not of Skald. {CONVERT}"),
        (holding("config.json/"), "x", NONE),
        (holding("config.json", "a.bin"), "x", f"a Hugging Face folder, not a checkpoint of Skald. {CONVERT}"),
        (holding("b.pth", "a.ckpt", "c.txt"), "x", f"holds a pickle (a.ckpt), {PICKLE}"),
    ],
)  # fmt: skip
def test_it_is_named_with_a_remedy(
    tmp_path: Path, make: Callable[[Path], None], name: str, said: str
) -> None:
    (tmp_path / "x").mkdir()
    make(tmp_path / "x")
    path = tmp_path / name
    assert str(no_checkpoint(path)) == f"{path}: {said}"
    with pytest.raises(UserInputError):
        verify(path)
