"""What the page says, in which order: measured results first, published figures of others apart.

Knows how the sections follow from tables; a section whose input is missing says what it cannot say
and why. HTML and Markdown are made from the same blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd
from skald_specs.plan import COVERED

from skald_report.figures import cycle as figures
from skald_report.figures.style import Look, looks
from skald_report.page.blocks import Block, Cell, Claims, Gallery, Grid, Page, Paragraph, Section
from skald_report.page.formatting import (
    capital,
    interval,
    join,
    language_name,
    number,
    score_cells,
    span,
    task_cell,
    with_mean_last,
)
from skald_report.reading.inputs import ReportInputs, Sources
from skald_report.sections.chance import chance_grids
from skald_report.sections.clean import clean_subset
from skald_report.sections.controls import control_blocks
from skald_report.sections.evidence import mup_evidence, transfer_evidence
from skald_report.sections.provenance import provenance_blocks
from skald_report.sections.published import published
from skald_report.sections.transfer import time_transfer
from skald_report.tables.cells import AGAINST_CHANCE, KIND_NAMES, LOWER_IS_BETTER
from skald_report.tables.measured import LEVEL, task_checks
from skald_report.tables.table import MACRO, Table

#: Where the repository's generated text lies. A corpus of exactly this source is synthetic; of any
#: other, also of a folder beside it, the page does not presume to know what the text is.
GENERATED_SOURCE = "data/text"
_MEASURES = {
    "pairs": "how often the grammatical sentence is the likelier one",
    "cloze": "how often the right continuation is the likeliest",
    "choice": "how often the right choice is the likeliest, by the task's own rule",
    "generate": "the task's own measure of the text that a model writes",
    "text": "lower is better",
}
#: Tasks of a suite that get a figure each; where there are more, the table alone is readable.
_PANELS = 6
_SYMBOLS = {"better": "▲", "worse": "▼", "tie": "="}


def compose(
    sources: Sources, tables: Mapping[str, Table], said: Sequence[str], inputs: ReportInputs
) -> Page:
    """Lay the page out.

    Args:
        sources: The checked inputs.
        tables: All tables by name; an absent one had no rows.
        said: Claims derived from the tables.
        inputs: For the command that makes the report again.
    """
    named = list(sources.plans) or [
        m.name for s in sources.summaries[:1] for m in s.models if m.role == "baseline"
    ]
    # Planned baselines come first, so that a run keeps its colour when it was not evaluated.
    roles = dict.fromkeys(named, "baseline") | dict(_roles(tables))
    everyone = pd.DataFrame({"model": list(roles), "role": list(roles.values())})
    # Rules about answers would only clutter the figures of models.
    look = looks(everyone[~task_checks(everyone)])
    sections = (
        Section("about", "What this is", tuple(_about(sources, named, said))),
        Section("scores", "Scores measured here", tuple(_scores(sources, tables, look))),
        Section("controls", "What the controls say of the tasks",
                tuple(control_blocks(sources, tables.get("controls")))),
        Section("differences", "Which differences are beyond noise", tuple(_differences(tables))),
        Section("learning-rate", "How learning rate and batch were transferred",
                tuple(time_transfer(sources, tables, look))),
        Section("mup", "Whether learning rates carry over in width and depth",
                tuple(mup_evidence(inputs.evidence))),
        Section("transfer", "Whether learning rates carry over in time",
                tuple(transfer_evidence(inputs.evidence))),
        Section("training", "Training", tuple(_training(tables, look))),
        Section("published", "Published scores of European models",
                tuple(published(tables.get("published"))), foreign=True),
        Section("provenance", "Provenance", tuple(provenance_blocks(sources, tables, inputs))),
    )  # fmt: skip
    subtitle = join(named) if named else "no baseline"
    return Page("Skald report", f"Germanic-language baselines: {subtitle}", sections)


def _about(sources: Sources, named: Sequence[str], said: Sequence[str]) -> Iterator[Block]:
    languages = join(language_name(tag) for tag in _languages(sources))
    swept = "how the learning rate was chosen on small proxies and carried over, "
    yield Paragraph(
        f"This page reports on {len(named)} baseline language model{'s' * (len(named) != 1)} "
        f"({join(named) or 'none'}) in {languages or 'no language'}: "
        f"{swept if sources.fit is not None else ''}how training went, and how the models score "
        "beside controls that never learned or only count. Intervals of scores and differences cover "
        f"95 %, those of fits and plans {COVERED}."
    )
    if sources.corpus is None:
        yield Paragraph("No corpus manifest was given, so this page cannot say what the models "
                        "were trained on.", "gap")  # fmt: skip
    elif sources.corpus.recipe.source == GENERATED_SOURCE:
        yield Paragraph(
            "The models were trained and tested on synthetic text from a small generator. These "
            "scores test the machinery: whether training learns and evaluation tells models apart. "
            "They say nothing about competence in Danish or in any other language.",
            "important",
        )
    else:
        yield Paragraph(
            f"The models were trained on text from the folder {sources.corpus.recipe.source!r}. "
            "What the scores mean depends on that text and on the items, which this page does not "
            "judge.",
            "important",
        )
    if said:
        yield Claims(tuple(said))
    else:
        yield Paragraph("No evaluation was given, so this page makes no claim.", "gap")


def _scores(
    sources: Sources, tables: Mapping[str, Table], look: Mapping[str, Look]
) -> Iterator[Block]:
    if "scores" not in tables:
        yield Paragraph("No evaluation was given: there are no scores to show.", "gap")
        return
    frame = tables["scores"].frame
    roles = dict(_roles(tables))
    shown = {model for model, role in roles.items() if role != "control"}
    contest = frame[~frame["kind"].isin(AGAINST_CHANCE)]
    for suite, rows in contest[contest["model"].isin(shown)].groupby("suite", sort=False):
        yield from _score_grids(str(suite), rows)
    yield from chance_grids(frame, roles)
    if contest.empty:
        return
    yield from _panels(tables["scores"], contest, look)
    yield from clean_subset(sources, tables)


def _panels(scores: Table, contest: pd.DataFrame, look: Mapping[str, Look]) -> Iterator[Gallery]:
    suites = [
        (str(suite), list(dict.fromkeys(rows["task"])), rows)
        for suite, rows in contest.groupby("suite", sort=False)
    ]
    drawn = [(suite, tasks, rows) for suite, tasks, rows in suites if len(tasks) <= _PANELS]
    if not drawn:
        return
    drawings = [
        figures.score_panel(scores, suite, task, look)
        for suite, tasks, _ in drawn
        for task in tasks
    ]
    counts = pd.concat([rows for _, _, rows in drawn])
    counts = counts[counts["language"] != MACRO]
    methods = join(dict.fromkeys(counts["method"]))
    yield Gallery(
        tuple(drawings),
        f"Each dot is one model in one language with its 95 % interval, from "
        f"{span(counts['n_items'])} items in {span(counts['n_keys'])} clusters (items that share "
        f"a key). Methods: {methods}. `{MACRO}` is the unweighted mean over languages "
        "(cluster bootstrap over keys, stratified by language; the languages are fixed). Grey marks "
        "are controls.",
    )


def _roles(tables: Mapping[str, Table]) -> Iterator[tuple[str, str]]:
    if "models" in tables:
        frame = tables["models"].frame
        yield from zip(frame["model"], frame["role"], strict=True)


def _score_grids(suite: str, rows: pd.DataFrame) -> Iterator[Grid]:
    """Yield one table of shares and one of bits per byte: one row a task and model."""
    for name, title, lower in (("scores", "Scores", False), ("bits", "Bits per byte", True)):
        own = rows[rows["kind"].isin(LOWER_IS_BETTER) == lower]
        if not own.empty:
            yield _score_grid(f"{suite}-{name}", f"{title}, suite {suite}", own)


def _score_grid(name: str, title: str, rows: pd.DataFrame) -> Grid:
    tags = with_mean_last(rows["language"])
    body = tuple(
        (task_cell(str(model), own), *score_cells(own, tags))
        for (_, model), own in rows.groupby(["task", "model"], sort=False)
    )
    single = rows[rows["language"] != MACRO]
    kinds = [kind for kind in KIND_NAMES if kind in set(rows["kind"])]
    meant = "; ".join(
        f"{KIND_NAMES[kind]}: {_MEASURES[kind]}{_chance(single[single['kind'] == kind])}"
        for kind in kinds
    )
    worded = (
        " A task asked in several wordings has the mean over them; in brackets the lowest and the "
        "highest of their scores."
        if (rows["n_wordings"] > 1).any()
        else ""
    )
    caption = (
        f"{capital(meant)}. Score and 95 % interval; {span(single['n_items'])} items a task and "
        f"language.{worded}"
    )
    return Grid(name, title, caption, ("model", *tags), body, "tables/scores.csv")


def _chance(rows: pd.DataFrame) -> str:
    levels = sorted({f"{chance:.2f}" for chance in rows["chance"].dropna()})
    if not levels:
        return ""
    return (
        f" (chance {levels[0]})" if len(levels) == 1 else f" (chance {levels[0]} to {levels[-1]})"
    )


def _differences(tables: Mapping[str, Table]) -> Iterator[Block]:
    if "differences" not in tables:
        yield Paragraph("Fewer than two models share an item, so nothing is compared.", "gap")
        return
    frame = tables["differences"].frame
    models = tables["models"].frame
    baselines = list(models.loc[models["role"] == "baseline", "model"])
    among = frame["reference"].isin(baselines)
    if among.any():
        yield _difference_grid(frame[among], "baselines", "Between the baselines", False)
    if not among.all():
        title = "Baselines against controls"
        yield _difference_grid(frame[~among], "controls", title, bool(among.any()))


def _difference_grid(frame: pd.DataFrame, name: str, title: str, folded: bool) -> Grid:
    tags = list(dict.fromkeys(frame["language"]))
    body = []
    for (model, reference, _, label), rows in frame.groupby(
        ["model", "reference", "suite", "label"], sort=False
    ):
        at = rows.set_index("language")
        cells = [
            Cell(
                f"{_SYMBOLS[at['verdict'][tag]]} {number(at['difference'][tag], '+.3f')}",
                interval(at["low"][tag], at["high"][tag], "+.3f"),
                at["verdict"][tag],
            )
            if tag in at.index
            else Cell("–")
            for tag in tags
        ]
        body.append((Cell(f"{model} − {reference}", str(label)), *cells))
    lower = join(KIND_NAMES[kind] for kind in LOWER_IS_BETTER)
    return Grid(
        f"differences-{name}",
        title,
        "First model minus second on the same items, with its 95 % interval. ▲ better and ▼ worse "
        f"beyond noise, = tied: decided by p values of the {join(dict.fromkeys(frame['test']))}, "
        f"Holm-corrected below {LEVEL} within a pair of models; the intervals themselves are not "
        f"corrected. For {lower} a negative difference is the better one.",
        ("difference", *tags),
        tuple(body),
        "tables/differences.csv",
        folded,
    )


def _training(tables: Mapping[str, Table], look: Mapping[str, Look]) -> Iterator[Block]:
    if "plans" in tables:
        columns = ("d_model", "n_layers", "n_params_total", "seq_len", "global_batch_tokens",
                   "n_steps", "horizon_tokens")  # fmt: skip
        rows = tuple(
            (Cell(str(r["model"])), *(Cell(f"{r[column]:,}") for column in columns))
            for r in tables["plans"].frame.to_dict("records")
        )
        yield Grid("plans", "The baselines", "As planned.", ("model", *columns), rows,
                   "tables/plans.csv")  # fmt: skip
    drawings = []
    if "training" in tables:
        drawings.append(figures.training_loss(tables["training"], look))
    if "validation" in tables:
        drawings.append(figures.validation_curves(tables["validation"], look))
    if not drawings:
        yield Paragraph("No run was given, so there are no training curves.", "gap")
        return
    yield Gallery(
        tuple(drawings),
        "Training loss of every logged step (one run a model, no smoothing), and bits per byte on "
        "the validation split of each language.",
    )


def _languages(sources: Sources) -> list[str]:
    if sources.corpus:
        return list(sources.corpus.recipe.languages)
    return sorted({task.language for s in sources.summaries for task in s.tasks})
