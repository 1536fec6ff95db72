"""What a user may call models: groups computed from the register, ids, short names and folders."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from skald_specs.errors import UserInputError
from skald_specs.guesses import near

from skald_harness.models.register import HUB_ID, ModelRegister, RegisteredModel

#: Billions of parameters: below the first a model is small, from there to the second medium.
SMALL_B, MEDIUM_B = 4.0, 15.0
_WHERE = "--models"


def _sized(low: float, high: float) -> Callable[[RegisteredModel], bool]:
    return lambda m: m.eu and m.params_b is not None and low <= m.params_b < high


#: Groups by name; a model whose size is not known is in `eu` and in no group of a size.
GROUPS: dict[str, Callable[[RegisteredModel], bool]] = {
    "all": lambda _: True,
    "eu": lambda m: m.eu,
    "eu-small": _sized(0, SMALL_B),
    "eu-medium": _sized(SMALL_B, MEDIUM_B),
    "eu-large": _sized(MEDIUM_B, float("inf")),
    "reference": lambda m: not m.eu,
}


@dataclass(frozen=True)
class Choice:
    """One model that was asked for: a folder, or an id on the hub with what the register knows.

    `revision` is what the user wrote behind `@`.
    """

    folder: Path | None = None
    hub_id: str = ""
    revision: str | None = None
    known: RegisteredModel | None = None

    @property
    def short_name(self) -> str:
        """The folder's name, or the id without its owner."""
        return self.folder.resolve().name if self.folder else self.hub_id.split("/")[1]


def split_names(words: Iterable[str]) -> list[str]:
    """Part words at commas and spaces, but no folder that exists; each name once, in order."""
    names: list[str] = []
    for word in words:
        for part in [word] if _is_folder(word) else word.split(","):
            names += [part] if _is_folder(part) else part.split()
    return list(dict.fromkeys(names))


def _is_folder(name: str) -> bool:
    try:
        return bool(name.strip()) and Path(name).is_dir()
    except OSError:  # longer than a file's name may be
        return False


def choose(name: str, register: ModelRegister) -> list[Choice]:
    """Return the models that a name stands for.

    Args:
        name: A group, `owner/name`, a registered short name, either with `@revision`, or a folder.
        register: The register.

    Returns:
        At least one model.

    Raises:
        UserInputError: Nothing is called so.
    """
    if name in GROUPS:
        members = [model for model in register.models if GROUPS[name](model)]
        if not members:
            raise UserInputError(_WHERE, f"group {name!r} is empty", "Add models to the register")
        return [Choice(hub_id=model.hub_id, known=model) for model in members]
    if _is_folder(name):
        return [Choice(folder=Path(name))]
    bare, _, revision = name.partition("@")
    wanted = bare.lower()
    known = [m for m in register.models if wanted in (m.hub_id.lower(), m.short_name.lower())]
    if len(known) == 1:
        model = known[0]
        return [Choice(hub_id=model.hub_id, revision=revision or None, known=model)]
    if len(known) > 1:
        ids = ", ".join(model.hub_id for model in known)
        raise UserInputError(_WHERE, f"{bare!r} is more than one model", f"Name one of: {ids}")
    if re.fullmatch(HUB_ID, bare) and len(bare) <= 96:
        return [Choice(hub_id=bare, revision=revision or None)]
    if re.search(r"[/\\]", name):
        raise UserInputError(
            _WHERE,
            f"{name!r} is neither a folder nor a model id",
            "Name a folder that exists, or an id as owner/name (letters, digits, `.`, `_`, `-`)",
        )
    raise UserInputError(_WHERE, f"unknown model or group {name!r}", _nearest(bare, register))


def _nearest(name: str, register: ModelRegister) -> str:
    """Say what a mistyped name may have meant."""
    words: Sequence[str] = [*GROUPS, *(m.short_name for m in register.models)]
    close = near(name, words, count=3)
    if not close:
        return f"Use a group ({', '.join(GROUPS)}), an id as owner/name, or a folder"
    return f"Did you mean {', '.join(close)}?"
