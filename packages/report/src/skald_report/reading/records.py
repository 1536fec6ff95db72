"""Item records as one table of codes: text is read as numbers into sorted lists of names.

Knows the file of a suite's items and what is wrong with one; a record is seen once and only its codes
are kept, so that millions of them fit. Sorted names make everything that follows independent of the
order of the lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pa_json
from numpy.typing import NDArray
from pydantic import ValidationError
from skald_specs.errors import UserInputError
from skald_specs.files import read_by_library, read_jsonl
from skald_specs.models import first_problem
from skald_specs.records import CHOICE_KINDS, EvaluationSummary, ItemRecord, TaskKind

_TEXT = ("model", "task", "kind", "language", "item_id", "key")
_READ = pa.schema(
    [*((name, pa.string()) for name in _TEXT), ("score", pa.float64()), ("n_bytes", pa.int64())]
)
_COLUMNS = [*_READ.names, "suite"]
#: Bytes parsed at a time; a record is far shorter.
_BLOCK_BYTES = 1 << 22

Codes = NDArray[np.int64]


def no_items() -> pd.DataFrame:
    """Return a table of items without rows."""
    return pd.DataFrame({name: pd.Categorical([]) if name in (*_TEXT, "suite") else []
                         for name in _COLUMNS})  # fmt: skip


def read_items(files: Sequence[tuple[Path, EvaluationSummary]]) -> pd.DataFrame:
    """Read the item records of all evaluations.

    Args:
        files: Every `items.jsonl` with the summary beside it; each of another suite.

    Returns:
        A row an item: model, task, kind, language, item_id, key and suite as categories in sorted
        order, score, n_bytes.

    Raises:
        UserInputError: A line is malformed, an item is scored twice, or the records do not fit their
            summary or each other.
    """
    if not files:
        return no_items()
    tables = [_read(path, summary) for path, summary in files]
    frame: pd.DataFrame = pa.concat_tables(tables).unify_dictionaries().to_pandas()
    for name in (*_TEXT, "suite"):
        frame[name] = _sorted_names(frame[name])
    return frame[_COLUMNS]


def _read(path: Path, summary: EvaluationSummary) -> pa.Table:
    if not path.is_file() or not path.stat().st_size:
        raise UserInputError(str(path), "holds no item records", "Run `skald evaluate` again")
    with read_by_library(path, "unreadable", "Evaluate again"):
        return _checked(path, summary)


def _checked(path: Path, summary: EvaluationSummary) -> pa.Table:
    try:
        table = pa.Table.from_batches(_batches(path)).unify_dictionaries()
    except pa.ArrowInvalid as error:
        _name_bad_line(path)
        raise UserInputError(str(path), f"unreadable ({error})", "Evaluate again") from None
    _check_values(path, table)
    codes = {name: _codes(table[name]) for name in _TEXT}
    _check_once(path, codes)
    _check_known(path, codes, summary)
    _check_same(path, codes, table["n_bytes"].to_numpy())
    _check_whole(path, codes, summary)
    names = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(len(table), np.int32)), pa.array([summary.suite])
    )
    return table.append_column("suite", names)


def _batches(path: Path) -> Iterable[pa.RecordBatch]:
    reader = pa_json.open_json(
        path,
        read_options=pa_json.ReadOptions(block_size=_BLOCK_BYTES),
        parse_options=pa_json.ParseOptions(
            explicit_schema=_READ, unexpected_field_behavior="ignore"
        ),
    )
    for batch in reader:
        # An item without a key is a cluster of its own.
        alone = pc.binary_join_element_wise("item", batch["item_id"], " ")
        key = pc.if_else(pc.equal(batch["key"], ""), alone, batch["key"])
        text = {name: key if name == "key" else batch[name] for name in _TEXT}
        yield pa.RecordBatch.from_pydict(
            {name: column.dictionary_encode() for name, column in text.items()}
            | {"score": batch["score"], "n_bytes": batch["n_bytes"]}
        )


class _Codes:
    """One column of text: its distinct values, and the number of each row's value among them."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self.names: list[str] = column.chunk(0).dictionary.to_pylist()
        self.rows: Codes = np.concatenate([c.indices.to_numpy() for c in column.chunks]).astype(
            np.int64
        )

    def name(self, row: int) -> str:
        """Return a row's value."""
        return str(self.names[self.rows[row]])


def _codes(column: pa.ChunkedArray) -> _Codes:
    return _Codes(column)


def _check_values(path: Path, table: pa.Table) -> None:
    """Refuse a missing value, a number that is none, and a choice that is no share."""
    if any(column.null_count for column in table.columns):
        _name_bad_line(path)
    scores = table["score"].to_numpy()
    if not np.isfinite(scores).all():
        _name_bad_line(path)
    kind = _codes(table["kind"])
    if not set(kind.names) <= set(get_args(TaskKind)):
        _name_bad_line(path)
    is_choice = np.array([name in CHOICE_KINDS for name in kind.names])[kind.rows]
    is_text = np.array([name == "text" for name in kind.names])[kind.rows]
    for wrong, what in (
        (is_choice & ((scores < 0) | (scores > 1)), "the score of a choice lies outside 0 to 1"),
        (is_text & (table["n_bytes"].to_numpy() <= 0), "a text has no bytes"),
        (is_text & (scores < 0), "the bits per byte of a text lie below 0"),
    ):
        if wrong.any():
            raise UserInputError(
                f"{path}:{int(np.flatnonzero(wrong)[0]) + 1}", what, "Evaluate again"
            )


def _check_once(path: Path, codes: dict[str, _Codes]) -> None:
    model, task, item = (codes[name] for name in ("model", "task", "item_id"))
    asked = (model.rows * len(task.names) + task.rows) * len(item.names) + item.rows
    order = np.argsort(asked, kind="stable")
    again = np.flatnonzero(np.diff(asked[order]) == 0)
    if len(again):
        row = int(order[again + 1].min())
        raise UserInputError(
            str(path),
            f"item {item.name(row)!r} of task {task.name(row)!r} is scored twice for "
            f"{model.name(row)!r}",
            "Evaluate again into an empty folder",
        )


def _check_known(path: Path, codes: dict[str, _Codes], summary: EvaluationSummary) -> None:
    models = {model.name for model in summary.models}
    unknown = sorted(set(codes["model"].names) - models)
    if unknown:
        raise UserInputError(
            str(path), f"model {unknown[0]!r} is not in summary.json", "Evaluate again"
        )
    tasks = {task.name: task for task in summary.tasks}
    task, kind, language = (codes[name] for name in ("task", "kind", "language"))
    _, first = np.unique(
        (task.rows * len(kind.names) + kind.rows) * len(language.names) + language.rows,
        return_index=True,
    )
    for row in first:
        info = tasks.get(task.name(row))
        if info is None:
            raise UserInputError(
                str(path), f"task {task.name(row)!r} is not in summary.json", "Evaluate again"
            )
        said = (kind.name(row), language.name(row))
        if said != (info.kind, info.language):
            raise UserInputError(
                str(path),
                f"task {info.name!r} is {'/'.join(said)} here and {info.kind}/{info.language} in "
                "summary.json",
                "Evaluate again into an empty folder",
            )


def _check_same(path: Path, codes: dict[str, _Codes], n_bytes: NDArray[np.int64]) -> None:
    """Refuse models that were asked different items under one name, as after a task's change.

    An item's key is the same for all, and so is the length of a text.
    """
    task, item, key, kind = (codes[name] for name in ("task", "item_id", "key", "kind"))
    asked = task.rows * len(item.names) + item.rows
    order = np.argsort(asked, kind="stable")
    same = np.diff(asked[order]) == 0
    texts = np.array([name == "text" for name in kind.names])[kind.rows[order]][1:]
    other_key = same & (np.diff(key.rows[order]) != 0)
    other_length = same & texts & (np.diff(n_bytes[order]) != 0)
    differ = np.flatnonzero(other_key | other_length)
    if len(differ):
        row, before = int(order[differ[0] + 1]), int(order[differ[0]])
        what = "keys" if other_key[differ[0]] else "lengths"
        raise UserInputError(
            str(path),
            f"item {item.name(row)!r} of task {task.name(row)!r} has different {what} for "
            f"{codes['model'].name(before)!r} and {codes['model'].name(row)!r}: they were asked "
            "different versions of it",
            "Evaluate all models again into an empty folder",
        )


def _check_whole(path: Path, codes: dict[str, _Codes], summary: EvaluationSummary) -> None:
    """Refuse a task with other items than were asked: some model's may be missing, not all's."""
    task, item = codes["task"], codes["item_id"]
    asked = np.unique(task.rows * len(item.names) + item.rows) // len(item.names)
    counts = dict(zip(task.names, np.bincount(asked, minlength=len(task.names)), strict=True))
    for info in summary.tasks:
        found = int(counts.get(info.name, info.n_items))
        if found != info.n_items:
            raise UserInputError(
                str(path),
                f"holds {found:,} items of task {info.name!r}, of which summary.json says "
                f"{info.n_items:,} were asked",
                "Evaluate again into an empty folder",
            )


def _sorted_names(column: pd.Series[Any]) -> pd.Categorical:
    names = np.asarray(column.cat.categories, dtype=object)
    order = np.argsort(names)
    place = np.empty(len(names), np.int64)
    place[order] = np.arange(len(names))
    return pd.Categorical.from_codes(place[column.cat.codes.to_numpy()], names[order].tolist())


def _name_bad_line(path: Path) -> None:
    for number, row in enumerate(read_jsonl(path), start=1):
        try:
            ItemRecord.model_validate(row)
        except ValidationError as error:
            raise first_problem(error, f"{path}:{number}", ItemRecord) from None
