"""Whether model cards are valid and whole, as far as that can be told without the Hub; and asking the Hub.

Offline: `huggingface_hub` reads the metadata and the model index, which refuses broken YAML and results without
task, data set, metric or value. Its `ModelCard.validate` is a request to the Hub, whose rules (licence ids, data
set ids, size) are not in the library; `ask_hub` sends it. What the library lets pass and a reader needs is checked
here: that languages exist, that every score of the report is in the index with its interval, and every section
there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeGuard

import pandas as pd
from huggingface_hub import ModelCard
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
from huggingface_hub.repocard_data import EvalResult, ModelCardData
from skald_specs.errors import UserInputError
from skald_specs.files import read_text
from skald_specs.modelcard import LIBRARY, PIPELINE_TAG, TAGS, card_languages

from skald_report.cards.body import SECTIONS
from skald_report.cards.metadata import shown
from skald_report.cards.model_card import CARDS_FOLDER
from skald_report.tables.exported import card_file
from skald_report.tables.file import REBUILD, REPORT_FILE, read_report, rows_of

_BLOCK = re.compile(r"\A---\n(.+?)\n---\n", re.DOTALL)
#: Both are rounded; a score that was changed by hand is further off.
_ROUNDING = 1e-5


def check_report(report: Path) -> dict[str, list[str]]:
    """Return what is wrong with each card of a report, by file name; a card that is missing is, too.

    Args:
        report: Folder of a report.

    Raises:
        UserInputError: It holds no report, or one of a baseline without scores.
    """
    numbers = read_report(report)
    scores = pd.DataFrame(rows_of(numbers, "scores"))
    models = rows_of(numbers, "models")
    planned = {row["model"] for row in rows_of(numbers, "plans")}
    names = [m["model"] for m in models if m["role"] == "baseline" and m["model"] in planned]
    if names and scores.empty:
        raise UserInputError(str(report / REPORT_FILE), f"has no scores of {names[0]}", REBUILD)
    found = {}
    for name in names:
        path = report / CARDS_FOLDER / card_file(name)
        own = scores[scores["model"] == name]
        found[path.name] = (
            problems(read_text(path), name, own) if path.is_file() else ["is missing"]
        )
    return found


def problems(text: str, name: str, scores: pd.DataFrame) -> list[str]:
    """Return what is wrong with a card, in words.

    Args:
        text: The whole file.
        name: The model it is of.
        scores: The model's rows of the report's scores.
    """
    if not _BLOCK.match(text):
        return ["has no metadata block at its beginning"]
    try:
        card = ModelCard(text)
    # The library passes on whatever its parsers raise.
    except Exception as error:
        return [f"its metadata is refused: {' '.join(str(error).split())}"]
    data = card.data
    assert isinstance(data, ModelCardData)
    return [*_metadata(data), *_index(data, name, shown(scores)), *_sections(card.text)]


def ask_hub(text: str) -> list[str]:
    """Return what the Hub's own validator says of a card; nothing where it takes it.

    Raises:
        UserInputError: The Hub could not be asked.
    """
    from httpx2 import TransportError

    try:
        ModelCard(text).validate()
    except ValueError as error:
        return [f"the Hub refuses it: {' '.join(str(error).split())}"]
    except (OfflineModeIsEnabled, HfHubHTTPError, TransportError) as error:
        raise UserInputError(
            "the Hub's validator",
            f"not reached ({' '.join(str(error).split())[:120]})",
            "Go online and unset HF_HUB_OFFLINE, or leave --hub out",
        ) from None
    return []


def _metadata(data: ModelCardData) -> Iterator[str]:
    languages = data.get("language") or []
    if not languages or not isinstance(languages, list):
        yield "names no language"
    else:
        for tag in sorted(set(map(str, languages)) - set(card_languages(map(str, languages)))):
            yield f"names the language {tag!r}, which the register does not have"
    for field, wanted in (("library_name", LIBRARY), ("pipeline_tag", PIPELINE_TAG)):
        if data.get(field) != wanted:
            yield f"{field} is {data.get(field)!r}, not {wanted!r}"
    if missing := [tag for tag in TAGS if tag not in (data.get("tags") or [])]:
        yield f"lacks the tag {missing[0]!r}"


def _index(data: ModelCardData, name: str, scores: pd.DataFrame) -> Iterator[str]:
    results: list[EvalResult] = data.get("eval_results") or []
    if results and data.get("model_name") != name:
        yield f"its model index is of {data.get('model_name')!r}, not of {name!r}"
    found = {(r.dataset_type, r.dataset_config): r for r in results}
    for row in scores.to_dict("records"):
        key = (f"{row['suite']}/{row['task']}", row["language"])
        result = found.pop(key, None)
        if result is None:
            yield f"lacks the score of {key[0]} in {key[1]}"
        else:
            yield from _score(f"{key[0]} in {key[1]}", result, row)
    for task, tag in found:
        yield f"has a score of {task} in {tag} that the report has not"


def _score(where: str, result: EvalResult, row: Mapping[Any, Any]) -> Iterator[str]:
    value, args = result.metric_value, result.metric_args or {}
    if not _is_number(value):
        yield f"{where}: the value {value!r} is no number"
        return
    if abs(value - row["score"]) > _ROUNDING:
        yield f"{where}: the value is {value}, the report has {row['score']}"
    for bound in ("low", "high"):
        ours = row[bound]
        known = ours is not None and not math.isnan(ours)
        theirs = args.get(bound)
        if known and not (_is_number(theirs) and abs(theirs - ours) <= _ROUNDING):
            yield f"{where}: the {bound} end of its interval is {theirs}, the report has {ours}"
    if args.get("n_items") != row["n_items"]:
        yield f"{where}: of {args.get('n_items')} items, the report has {row['n_items']}"


def _is_number(value: Any) -> TypeGuard[float]:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return known and math.isfinite(value)


def _sections(text: str) -> Iterator[str]:
    found = re.findall(r"^## (.+)$", text, re.MULTILINE)
    for title in SECTIONS:
        if title not in found:
            yield f"lacks the section {title!r}"
