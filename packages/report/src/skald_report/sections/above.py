"""How far the models are above the controls that are models themselves, in sentences from their means.

Controls that are rules about answers check tasks, not models; `controls` shows them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd
from skald_specs.controls import BYTE_NGRAM, RANDOM_INIT

from skald_report.page.formatting import join, some
from skald_report.sections.cell_words import where_words
from skald_report.sections.rivals import MEASURES, Measure, cells_of, contestants, seen_from
from skald_report.statistics.comparison import LEVEL
from skald_report.tables.models import task_checks
from skald_report.tables.table import Table

_ABOUT = {BYTE_NGRAM: ", which only counts bytes"}
#: Models that a sentence names one by one.
_MAX_NAMED = 3
_SURE = f"Holm-corrected p\u00a0<\u00a0{LEVEL}"
_WORDS = {"better": "better", "tie": "tied", "worse": "worse"}


def above_controls(tables: Mapping[str, Table]) -> list[str]:
    """Say against each kind of control where the models stand, and how far.

    Args:
        tables: `models`, and where present `pairwise`.
    """
    controls = _controls(tables["models"].frame)
    named = contestants(tables["models"])
    if not named:
        return []
    if not controls:
        return ["No control was evaluated, so no score can be set against chance or counting."]
    return [
        sentence
        for who, group in _kinds(controls)
        for sentence in _against(tables.get("pairwise"), named, who, group)
    ]


def _kinds(controls: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield each kind of control with its words; untrained networks are one kind."""
    untrained = [control for control in controls if control.startswith(RANDOM_INIT)]
    if untrained:
        yield (
            f"the untrained network{'s' * (len(untrained) > 1)} ({some(untrained, 'of them')})",
            untrained,
        )
    for control in controls:
        if control not in untrained:
            yield f"{control}{_ABOUT.get(control, '')}", [control]


def _against(
    pairwise: Table | None, named: Sequence[str], who: str, group: Sequence[str]
) -> Iterator[str]:
    found = [(measure, _standing(pairwise, measure, named, group)) for measure in MEASURES]
    found = [(measure, rows) for measure, rows in found if len(rows)]
    if not found:
        return
    of_models = {frozenset(rows["model"]) for _, rows in found}
    if len(of_models) == 1 and all((rows["verdict"] == "better").all() for _, rows in found):
        by = join(f"{_by(rows)} {measure.place}" for measure, rows in found)
        everyone = [model for model in named if model in set(found[0][1]["model"])]
        yield f"{_capital(_who(everyone, everyone))} better than {who}: {by} ({_SURE})."
        return
    parts = [f"{measure.place} {_verdicts(rows, named)}" for measure, rows in found]
    yield f"Against {who}, {'; '.join(parts)} ({_SURE})."


def _standing(
    pairwise: Table | None, measure: Measure, named: Sequence[str], group: Sequence[str]
) -> pd.DataFrame:
    """Return every model's pairs with the controls of a kind; `least` is its least favourable verdict."""
    rows = seen_from(pairwise, measure, named, group)
    order = {"worse": 0, "tie": 1, "better": 2}
    least = rows["verdict"].map(order).groupby(rows["model"]).transform("min")
    return rows.assign(least=least.map({rank: verdict for verdict, rank in order.items()}))


def _verdicts(rows: pd.DataFrame, named: Sequence[str]) -> str:
    parts = []
    everyone = [model for model in named if model in set(rows["model"])]
    for verdict, word in _WORDS.items():
        own = rows[rows["least"] == verdict]
        models = [model for model in everyone if model in set(own["model"])]
        if models:
            said = own[own["verdict"] == verdict]
            by = "" if verdict == "tie" else f" {_by(said)}"
            parts.append(f"{_who(models, everyone)} {word}{_which(said, own, verdict)}{by}")
    return join(parts)


def _which(said: pd.DataFrame, own: pd.DataFrame, verdict: str) -> str:
    """Name the controls that a verdict is about where it is not about all that a model was set against."""
    if len(said) == len(own):
        return ""
    than = "with" if verdict == "tie" else "than"
    return f" {than} {some(list(dict.fromkeys(said['reference'])), 'of them')}"


def _by(rows: pd.DataFrame) -> str:
    sizes = rows["difference"].abs()
    least, most = f"{sizes.min():.3f}", f"{sizes.max():.3f}"
    return f"by {least}" if least == most else f"by {least} to {most}"


def _who(models: Sequence[str], everyone: Sequence[str]) -> str:
    if len(models) == len(everyone) > 1:
        return "both models are" if len(models) == 2 else f"all {len(models)} models are"
    if len(models) > _MAX_NAMED:
        return f"{len(models)} of {len(everyone)} models are"
    return f"{join(models)} {'is' if len(models) == 1 else 'are'}"


def _capital(text: str) -> str:
    """Return a text with a capital, unless it begins with a model's name, which keeps its letters."""
    return text[:1].upper() + text[1:] if text.startswith(("both ", "all ")) else text


def task_by_task(tables: Mapping[str, Table]) -> list[str]:
    """Say how often each control is beaten and beats, task by task and language by language.

    Args:
        tables: `models`, and where present `pairwise` and `differences`.
    """
    named, pairwise = contestants(tables["models"]), tables.get("pairwise")
    controls = _controls(tables["models"].frame)
    if pairwise is None or not controls:
        return []
    found = [seen_from(pairwise, measure, named, controls) for measure in MEASURES]
    columns = ["wins", "losses", "ties"]
    rows = pd.concat([part for part in found if len(part)] or found[:1])
    if rows.empty:
        return []
    counts = rows.groupby(["reference", "model"], sort=False)[columns].sum()
    told = []
    for control in [name for name in controls if name in counts.index]:
        own = counts.loc[control]
        own = own.loc[[name for name in named if name in own.index]]
        if len(own) > _MAX_NAMED:
            told.append(
                f"Task by task, {control} is better than {int(own['losses'].gt(0).sum())} of {len(own)} models "
                "in at least one pair of task and language."
            )
            continue
        differences = tables.get("differences")
        parts = []
        for model, row in own.iterrows():
            lost = where_words(cells_of(differences, str(model), control), "worse")
            parts.append(
                f"{model} is better in {row['wins'] or 'none'}, worse in {row['losses'] or 'none'}{lost} and "
                f"tied in {row['ties'] or 'none'}"
            )
        of_each = own[columns].to_numpy().sum(axis=1)
        what = "pairs of task and language"
        whole = f"of {of_each[0]} {what} "
        if len(set(of_each)) > 1:
            # Models answered different cells, so each has its own count.
            parts = [f"{part} of {n} {what}" for n, part in zip(of_each, parts, strict=True)]
            whole = ""
        told.append(f"Task by task against {control}, {whole}{'; '.join(parts)}.")
    return told


def _controls(models: pd.DataFrame) -> list[str]:
    """Return the controls that are models themselves."""
    return list(models.loc[(models["role"] == "control") & ~task_checks(models), "model"])
