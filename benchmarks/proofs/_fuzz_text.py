"""Documents that a user writes or hands over: YAML, JSON and tables, each by the reader that the command runs."""

from __future__ import annotations

from pathlib import Path

from _fuzz_run import Target

_ROOT = Path(__file__).parents[2]


def _write(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def _read_recipe(data: bytes, folder: Path) -> object:
    from skald_specs.recipe import Recipe

    return Recipe.load(_write(folder, "recipe.yaml", data))


TARGETS = (
    Target(
        "recipe",
        lambda _: [
            (_ROOT / "recipes" / f"{name}.yaml").read_bytes()
            for name in ("mini-proxy", "own-text", "mini-7.8b")
        ],
        _read_recipe,
        (
            b"corpus",
            b"mixture",
            b"parametrisation",
            b"sweep",
            b"base_lr",
            b"execution",
            b"schema_version",
        ),
    ),
)
