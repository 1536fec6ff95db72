"""What changed between two reports, in sentences: each is derived from the tables of changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from skald_report.over_time.changes import INDEPENDENT, Alone, Changes
from skald_report.page.formatting import interval, join, number
from skald_report.tables.table import MACRO

#: How a verdict is worded, in the order of a sentence.
VERDICTS: Mapping[str, str] = {
    "better": "better",
    "worse": "worse",
    "noise": "no more than noise",
    "same": "the same figure",
    "no interval": "without an interval",
    "not comparable": "not comparable",
}
#: How the tables are called in a sentence.
_ROWS: Mapping[str, str] = {
    "overall": "means",
    "pairwise": "comparisons of two models by their means",
    "scores": "scores",
    "differences": "comparisons with an anchor on one task",
}
_MEASURES: Mapping[str, str] = {
    "tasks": "chance-corrected mean over tasks",
    "text": "bits per byte, lower is better,",
}
_MAX_NAMED = 6
METHOD = (
    "A change is that of the new report minus that of the old. Its interval and p value come from paired "
    "tests on the same items where item records of both reports were given and the items are the same; "
    "else both figures count as independent, which for the same items gives wider intervals than need be. "
    "Verdicts are at 5 % after Holm's correction over a table. A figure is not comparable where the "
    "task has another version or other items, or a mean is over other tasks or languages."
)


def sentences(found: Changes, same_bytes: bool) -> list[str]:
    """Return what changed, the most important first.

    Args:
        found: The changes.
        same_bytes: Whether the two `report.json` are the same byte for byte.
    """
    if same_bytes:
        return ["The two reports are the same, byte for byte: nothing changed."]
    said = [*_means(found), *_counts(found), *_weights(found), *_flips(found.flipped.frame)]
    for what, moved in found.moved.items():
        said += [f"New {what}: {_named(moved.added)}."] if moved.added else []
        said += [f"{what.capitalize()} gone: {_named(moved.gone)}."] if moved.gone else []
    if not found.judged:
        said.append("No table of scores is in both reports, so no change can be judged.")
    return said


def _change_in_words(row: Mapping[Any, Any]) -> str:
    """Return old, new, change and interval of one row."""
    old, new, change, low, high = (row[name] for name in ("old", "new", "change", "low", "high"))
    return (
        f"{number(old, '.3f')} to {number(new, '.3f')}, "
        f"{number(change, '+.3f')} ({interval(low, high)})"
    )


def why_in_words(row: Mapping[Any, Any]) -> str:
    """Return a row's verdict, with the reason where there is none to give."""
    verdict = VERDICTS[str(row["verdict"])]
    return f"{verdict} ({row['why']})" if row["why"] else verdict


def _means(found: Changes) -> Iterator[str]:
    if "overall" not in found.judged:
        return
    frame = found.judged["overall"].frame
    own = frame[frame["scope"] == MACRO]
    moved = own[own["verdict"] != "same"]
    for row in moved.head(2 * _MAX_NAMED).to_dict("records"):
        what = f"{row['model']}, {_MEASURES[row['measure']]}"
        yield f"{what} from {_change_in_words(row)}: {why_in_words(row)}."
    if len(moved) > 2 * _MAX_NAMED:
        yield f"The other {len(moved) - 2 * _MAX_NAMED:,} means that changed stand in the table."
    still = [name for name in dict.fromkeys(own["model"]) if name not in set(moved["model"])]
    if still:
        yield f"The same means as before: {_named(still)}."


def _counts(found: Changes) -> Iterator[str]:
    for name, table in found.judged.items():
        frame = table.frame
        counts = frame["verdict"].value_counts()
        parts = [f"{counts[key]:,} {word}" for key, word in VERDICTS.items() if key in counts]
        whys = frame.loc[frame["why"] != "", "why"].value_counts()
        reasons = join(f"{count:,} {why}" for why, count in whys.items())
        n_paired = int((frame["test"] != INDEPENDENT).sum())
        tested = f"; {n_paired:,} tested on the same items" if n_paired else ""
        yield (
            f"Of {len(frame):,} {_ROWS[name]} in both reports {join(parts)}"
            f"{f' ({reasons})' if reasons else ''}{tested}{_alone(found.alone[name])}."
        )


def _alone(rows: Alone) -> str:
    sides = zip(rows, ("old", "new"), strict=True)
    parts = [f"{count:,} only in the {side} report" for count, side in sides if count]
    return f"; {join(parts)}" if parts else ""


def _weights(found: Changes) -> Iterator[str]:
    if "scores" not in found.judged:
        return
    frame = found.judged["scores"].frame
    other = list(dict.fromkeys(frame.loc[frame["weights"] == "other", "model"]))
    if other:
        yield f"Other weights than in the old report: {_named(other)}. Their changes are those of the models."
    moved = frame[
        (frame["weights"] == "same") & (frame["verdict"] != "same") & (frame["why"] == "")
    ]
    if len(moved):
        models = list(dict.fromkeys(moved["model"]))
        yield (
            f"The same weights and another figure ({len(moved):,} scores of {_named(models)}): what changed "
            "is how it was measured, not the model."
        )


def _flips(flipped: pd.DataFrame) -> Iterator[str]:
    for name, rows in flipped.groupby("table", sort=False):
        listed = [
            f"{row['model']} against {row['reference']}{_where(row)}: {row['verdict_old']}, now "
            f"{row['verdict_new']}{of_other_things(row)}"
            for row in rows.head(_MAX_NAMED).to_dict("records")
        ]
        more = f"; and {len(rows) - _MAX_NAMED:,} more" if len(rows) > _MAX_NAMED else ""
        yield f"Verdicts that are others now, of {_ROWS[str(name)]}: {'; '.join(listed)}{more}."


def of_other_things(row: Mapping[Any, Any]) -> str:
    """Return why the two verdicts of a pair are not comparable, if so."""
    return f" (not comparable: {row['why']})" if row["why"] else ""


def _where(row: Mapping[Any, Any]) -> str:
    places = [
        str(row[name]) for name in ("measure", "task", "language") if isinstance(row[name], str)
    ]
    return f" ({', '.join(places)})" if places else ""


def _named(names: Sequence[str]) -> str:
    if len(names) <= _MAX_NAMED:
        return join(names)
    return f"{', '.join(names[:_MAX_NAMED])} and {len(names) - _MAX_NAMED:,} more"
