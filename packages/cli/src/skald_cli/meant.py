"""Which path a mistyped one may have meant, said behind the error that it led to.

One place for all verbs: whatever a verb says of a path that was typed and does not exist, the nearest
one that does is named.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from skald_specs.errors import SkaldError, UserInputError
from skald_specs.guesses import near, near_path

from skald_cli import places

#: Where the files lie that a verb is for; a bare name is looked for there, too.
_HOMES = {
    "corpus": places.RECIPES,
    "sweep": places.RECIPES,
    "plan": places.RECIPES,
    "mup": places.RECIPES,
    "train": places.PLANS,
    "launch": places.PLANS,
    "export": places.RUNS,
    "checkpoint": places.RUNS,
    "generate": places.EXPORTS,
    "evaluate": places.EXPORTS,
}


def path_meant(error: SkaldError, words: Sequence[str]) -> SkaldError:
    """Return the error with the path that was meant, or as it is.

    Args:
        error: What a verb said.
        words: What was typed behind `skald`.
    """
    if not isinstance(error, UserInputError) or "Did you mean" in error.remedy:
        return error
    from skald_specs.files import DiskError

    if isinstance(error, DiskError):  # a path to write to need not exist
        return error
    where = Path(re.sub(r"(:\d+)+$", "", error.where))  # without the line of the file
    try:
        if where.exists() or not any(_is_of(word, where) for word in words[1:]):
            return error
    except (OSError, ValueError):  # a name that no system takes
        return error
    found = _near(where)
    if found is None and len(where.parts) == 1 and (home := _HOMES.get(words[0])):
        found = _near(home / where)
    if found is None:
        return error
    return UserInputError(error.where, error.problem, f"Did you mean {found}? {error.remedy}")


def _near(path: Path) -> Path | None:
    """Return the path that a missing one is near to, its ending left aside: all recipes have one."""
    found = near_path(path)
    if found is None or found.suffix != path.suffix:
        return found
    return found if near(path.stem, [found.stem]) else None


def _is_of(word: str, where: Path) -> bool:
    """Whether a path that does not exist was typed as this word, as a whole or in part."""
    typed = Path(word.partition("=")[2] if word.startswith("--") else word)
    n = len(typed.parts)
    inside = any(where.parts[at : at + n] == typed.parts for at in range(len(where.parts)))
    return bool(n) and inside and not typed.exists()
