"""Which kind of file a mapping comes from: told by its keys, so that a wrong file is named as such."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from skald_specs.errors import UserInputError

Kind = Literal["recipe", "plan", "fit", "column map", "corpus"]

#: Keys that a file of each kind has and none of another kind.
_TOLD_BY: dict[Kind, frozenset[str]] = {
    "recipe": frozenset({"corpus", "model"}),
    "plan": frozenset({"identity"}),
    "fit": frozenset({"families"}),
    "column map": frozenset({"loss_unit", "columns"}),
    "corpus": frozenset({"shards", "tokenizer_sha256"}),
}
_REMEDIES: dict[Kind, str] = {
    "recipe": "Name a file under recipes/",
    "plan": "Name a plan that `skald plan predict` wrote",
    "fit": "Name the fit.json that `skald plan fit` wrote",
    "column map": "Name a column map; recipes/columns/steplaw.yaml is an example",
    "corpus": "Build one with `skald corpus build`",
}


def require_file(path: Path, kind: Kind) -> None:
    """Refuse a missing file, and say what makes one of its kind.

    Args:
        path: The file.
        kind: What it is to be.

    Raises:
        UserInputError: There is none.
    """
    if not path.exists():
        raise UserInputError(str(path), "no such file", _REMEDIES[kind])


def kind_of(value: Any) -> Kind | None:
    """Return the kind of file that plain data were read from; None where no key tells."""
    if not isinstance(value, dict):
        return None
    return next((kind for kind, keys in _TOLD_BY.items() if keys <= value.keys()), None)


def check_kind(value: Any, where: str, *wanted: Kind) -> None:
    """Refuse an empty file, and one of another kind than those wanted.

    Args:
        value: What was read; of a kind that no key tells it passes, and its own checks say more.
        where: The file.
        wanted: The kinds that will do.

    Raises:
        UserInputError: It is empty, or of another kind.
    """
    remedy = _REMEDIES[wanted[0]]
    if value is None:
        raise UserInputError(where, "it is empty", remedy)
    found = kind_of(value)
    if found is None or found in wanted:
        return
    if found == "recipe" and wanted == ("plan",):
        remedy = "Run `skald plan predict` on it and name the plan that it writes"
    joined = f"not a {wanted[0]}" if len(wanted) == 1 else f"neither a {' nor a '.join(wanted)}"
    raise UserInputError(where, f"a {found}, {joined}", remedy)
