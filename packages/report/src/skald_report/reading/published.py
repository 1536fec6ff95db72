"""Published scores and what is known of their models, read and checked.

Of the register of models, `evals/models.yaml`, three keys are read as plain data: its format is the
evaluation's.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from skald_specs.errors import UserInputError
from skald_specs.files import read_text, read_yaml
from skald_specs.published import PublishedModels, PublishedScore

#: Beside the CSVs of published scores.
MODELS_FILE = "models.yaml"
COLUMNS = list(PublishedScore.model_fields)
_MAY_BE_EMPTY = ("eu", "params_b", "stderr_of_mean")


class Registered(NamedTuple):
    """What the register says of a model: European or not, and its size in billions."""

    eu: bool
    params_b: float | None


def read_published(folder: Path | None) -> tuple[pd.DataFrame, PublishedModels]:
    """Read a folder of published scores.

    Args:
        folder: With CSVs of `PublishedScore` and `models.yaml`, or None.

    Returns:
        A row a score, and what `models.yaml` says.

    Raises:
        UserInputError: A row breaks a rule (with its line), or a score stands there twice.
    """
    if folder is None:
        return pd.DataFrame(columns=COLUMNS), PublishedModels()
    rows: list[PublishedScore] = []
    places: dict[tuple[str, str, str], str] = {}
    for path in sorted(folder.glob("*.csv")):
        reader = csv.DictReader(io.StringIO(read_text(path), newline=""))
        for row in _rows(reader, path):
            where = f"{path}:{reader.line_num}"
            empty = {key: None for key in _MAY_BE_EMPTY if row.get(key) == ""}
            score = PublishedScore.check({str(k): v for k, v in row.items()} | empty, where)
            key = (score.model, score.language, score.task)
            if (first := places.setdefault(key, where)) != where:
                raise UserInputError(
                    where,
                    f"{score.model} on {score.task} in {score.language} stands at {first} too",
                    "Keep one of the two rows",
                )
            rows.append(score)
    known = folder / MODELS_FILE
    models = PublishedModels.load(known) if known.is_file() else PublishedModels()
    columns = {name: [getattr(row, name) for row in rows] for name in COLUMNS}
    return pd.DataFrame(columns, columns=COLUMNS), models


def _rows(reader: csv.DictReader[str], path: Path) -> Iterator[dict[str | Any, str | Any]]:
    try:
        yield from reader
    except csv.Error as error:
        raise UserInputError(
            f"{path}:{reader.line_num}", f"no CSV ({error})", "Mend the line"
        ) from None


def read_register(path: Path | None) -> dict[str, Registered]:
    """Read the register of models; without one nothing is known.

    Args:
        path: `evals/models.yaml`, or None.
    """
    if path is None:
        return {}
    value = read_yaml(path)
    listed = value.get("models") if isinstance(value, Mapping) else None
    if not isinstance(listed, list):
        raise UserInputError(str(path), "no list `models`", "Name the register of models")
    return {
        str(entry["hub_id"]): Registered(bool(entry.get("eu")), entry.get("params_b"))
        for entry in listed
        if isinstance(entry, Mapping) and "hub_id" in entry
    }
