"""Committed evidence: what proofs measured that no cycle repeats."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from pydantic import TypeAdapter, ValidationError
from skald_specs.claims import Measure
from skald_specs.errors import UserInputError
from skald_specs.files import read_json

MEASURES_FILE = "measures.json"
_AGAIN = "Run `nox -s prove -- {}` and copy its files here"


def read_measures(folder: Path) -> list[Measure]:
    """Read a proof's measures.

    Args:
        folder: The proof's folder.

    Raises:
        UserInputError: The file is missing or malformed.
    """
    path = folder / MEASURES_FILE
    try:
        return TypeAdapter(list[Measure]).validate_python(read_json(path))
    except ValidationError as error:
        raise UserInputError(
            str(path),
            f"no list of measures ({error.error_count()} problems)",
            _AGAIN.format(folder.name),
        ) from None


def read_evidence(path: Path) -> pd.DataFrame:
    """Read one of a proof's tables.

    Raises:
        UserInputError: The file is missing or malformed.
    """
    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise UserInputError(
            str(path), f"no readable table ({error})", _AGAIN.format(path.parent.name)
        ) from None
