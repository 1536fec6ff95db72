"""The public EuroEval boards, `leaderboards/<language>_all.csv`, as rows of `PublishedScore`.

A board has two heads: task kinds, then model facts and data sets, all of them links; a cell is
`first ± half-width / second ± half-width@@key to sort by`, and each data set's version stands in a column
of its own. Encoders are left out: they are fine-tuned for each task and answer no prompt.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple

from skald_specs.errors import UserInputError
from skald_specs.languages import REGISTER
from skald_specs.published import PublishedScore

from skald_report.landscape.protocol import FIRST_METRIC, HALF_WIDTH, SHOTS, task_name

Row = tuple[int, list[str]]
ModelType = Literal["base", "instruction-tuned", "reasoning"]
_TYPES: dict[str, ModelType] = {"🧠": "base", "📝": "instruction-tuned", "🤔": "reasoning"}
_ENCODER = "🔍"
_CELL = re.compile(r"(-?\d+(?:\.\d+)?)\s*±\s*(\d+(?:\.\d+)?)(?:\s*/.*)?")
_FLAGS = re.compile(r"\s*\(([^()]*)\)$")
_BOARD = re.compile(r"/datasets/([\w-]+)#")
_KIND = re.compile(r"/tasks/([\w-]+)/?")
_REMEDY = "Take leaderboards/<language>_all.csv of github.com/EuroEval/leaderboards"
#: Languages of boards, by their names there.
LANGUAGES = {known.published.lower(): known.tag for known in REGISTER if known.published}


class Parsed(NamedTuple):
    """Scores of a file, and how many of its scores were left out, by reason."""

    scores: list[PublishedScore]
    skipped: Counter[str]


class _Column(NamedTuple):
    score: int
    version: int | None
    kind: str
    data_set: str
    language: str


def is_board(rows: Sequence[Row]) -> bool:
    """Return whether a file has a board's two heads."""
    return len(rows) > 1 and [_text(head[0]).lower() for _, head in rows[:2] if head] == [
        "task type", "model",
    ]  # fmt: skip


def read_board(rows: Sequence[Row], where: str, source: str, date: str) -> Parsed:
    """Read a board.

    Args:
        rows: Line numbers and cells, the heads first.
        where: The file, for errors.
        source: What its rows name as their source.
        date: Day of the snapshot, which a board does not tell.

    Raises:
        UserInputError: A head or cell has another form; names the line.
    """
    columns = _columns(rows[0][1], rows[1][1], where)
    place = {_text(name).lower().replace(" ", "_"): at for at, name in enumerate(rows[1][1])}
    type_at = place.get("type", place.get("generative_type"))
    if type_at is None:
        raise UserInputError(f"{where}:{rows[1][0]}", "no column `Type`", _REMEDY)
    scores, skipped = [], Counter[str]()
    for line, cells in rows[2:]:
        if len(cells) != len(rows[1][1]):
            raise UserInputError(
                f"{where}:{line}",
                f"{len(cells)} cells under {len(rows[1][1])} columns",
                "Mend the line or fetch the file again",
            )
        model, flags = _model(cells[0])
        if cells[type_at] == _ENCODER:
            skipped["an encoder, fine-tuned for each task"] += len(columns)
            continue
        for column in columns:
            found = _score(cells[column.score], f"{where}:{line}", column.data_set)
            if found is None:
                skipped["no score on the board"] += 1
                continue
            scores.append(PublishedScore(
                model=model,
                eu=None,
                params_b=_billions(cells[place["parameters"]] if "parameters" in place else ""),
                model_type=_TYPES.get(cells[type_at], ""),
                language=column.language,
                task=task_name(column.kind, column.data_set),
                shots="0" if "zero-shot" in flags else SHOTS.get(column.kind, ""),
                split="val" if "val" in flags else "test",
                metric=FIRST_METRIC.get(column.kind, ("",))[0],
                score=found[0],
                stderr_of_mean=round(found[1] / HALF_WIDTH, 3),
                harness_version=_version(cells, column.version),
                source=source,
                source_date=date,
                notes="",
            ))  # fmt: skip
    return Parsed(scores, skipped)


def _columns(kinds: Sequence[str], heads: Sequence[str], where: str) -> list[_Column]:
    """Return the columns of data sets; a kind that spans several stands over the first of them."""
    versions = {_text(name): at for at, name in enumerate(heads)}
    found, kind = [], ""
    for at, head in enumerate(heads):
        above = _KIND.search(kinds[at]) if at < len(kinds) else None
        kind = above.group(1) if above else kind
        board = _BOARD.search(head)
        if board is None:
            continue
        name = _text(head)
        tag = LANGUAGES.get(board.group(1))
        if tag is None:
            raise UserInputError(
                where, f"the language {board.group(1)!r} is not in the register", _REMEDY
            )
        written = name.rpartition("_")[2]
        tag = written if tag == "no" and written in ("nb", "nn") else tag
        found.append(_Column(at, versions.get(f"{name}_version"), kind, name, tag))
    if not found:
        raise UserInputError(where, "no column of a data set, so not one language's board", _REMEDY)
    return found


def _text(cell: str) -> str:
    return re.sub(r"<[^>]*>", "", cell).strip()


def _model(cell: str) -> tuple[str, set[str]]:
    """Return a model's name, and its flags: `val`, `zero-shot`."""
    name = _text(cell)
    flags = _FLAGS.search(name)
    if flags is None:
        return name, set()
    return name[: flags.start()], {flag.strip() for flag in flags.group(1).split(",")}


def _score(cell: str, where: str, data_set: str) -> tuple[float, float] | None:
    shown = cell.partition("@@")[0].strip()
    if shown in ("", "-", "?"):
        return None
    found = _CELL.fullmatch(shown)
    if found is None:
        raise UserInputError(
            where,
            f"{data_set} = {cell!r} is no `score ± half-width / ...`",
            "Mend the cell or fetch the file again",
        )
    return float(found.group(1)), float(found.group(2))


def _billions(cell: str) -> float | None:
    try:
        return round(float(cell.partition("@@")[0]) / 1e9, 3)
    except ValueError:
        return None


def _version(cells: Sequence[str], at: int | None) -> str:
    return "" if at is None else cells[at].partition("@@")[0].strip().removeprefix("-")
