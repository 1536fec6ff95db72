"""How far the highlighted model is from the best European one of its class, in words and numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import pandas as pd
from skald_specs.languages import BY_TAG
from skald_specs.loss_law import HORIZON_EXPONENT_PRIOR
from skald_specs.plan import COVERAGE

from skald_report.figures import landscape as figures
from skald_report.figures.style import tokens
from skald_report.landscape import gaps as why
from skald_report.landscape.protocol import TASK_KINDS
from skald_report.page.blocks import Block, Cell, Claims, Gallery, Grid, Paragraph
from skald_report.page.formatting import interval, join, number, numbered, of
from skald_report.sections.context import Context
from skald_report.tables.table import MACRO

_TABLE = "published_gaps"
_DIGITS = ".1f"
_OVER = "mean over languages"
#: The reasons why a price is not known, for a list that says them often.
_BRIEF = {why.FLOOR: "floor", why.ONE: "one checkpoint", why.NO_GROWTH: "no growth beyond noise"}


def gap_blocks(context: Context) -> Iterator[Block]:
    """Yield the answer for the newest checkpoint of the highlighted family, its figure and tables."""
    table = context.tables.get(_TABLE)
    frame = table.frame[table.frame["highlight"]] if table is not None else pd.DataFrame()
    if not len(frame):
        yield Paragraph(
            "No published model of the highlighted family has a European rival of its size class "
            "on the same data, so no gap is shown.",
            "gap",
        )
        return
    model = newest(context, frame)
    own = frame[frame["model"] == model]
    yield Paragraph(_lead(own), "lead")
    for sentence in _prices(own):
        yield Paragraph(sentence)
    order = [tag for tag in BY_TAG if tag in set(own["language"])]
    order += [MACRO] if MACRO in set(own["language"]) else []
    label, size = str(own["label"].iloc[0]), str(own["size_class"].iloc[0])
    yield _overview(own, order)
    yield Gallery(
        (
            figures.gap_panel(
                own,
                {tag: _OVER if tag == MACRO else BY_TAG[tag].english for tag in order},
                f"{label} against the best European {size}",
            ),
        ),
        "The same gaps with their intervals. Filled: beyond noise; open: tied. A cross: the model's own score is at "
        "the protocol's floor. The mean is over the languages in which neither checkpoint is at the floor, and "
        "has the rival that is best over them.",
    )
    yield _grid(frame, order)
    yield Claims(tuple(_method(own)), "How gaps are priced in tokens")


def newest(context: Context, frame: pd.DataFrame) -> str:
    """Return the model of some gaps that saw most tokens; without token counts the first by name."""
    seen = {c.model: c.tokens for c in context.sources.published_models.checkpoints}
    return str(max(sorted(set(frame["model"])), key=lambda m: seen.get(m, 0.0)))


def _lead(own: pd.DataFrame) -> str:
    """Say in one sentence where a model stands."""
    cells = own[own["language"] != MACRO]
    counts = cells["verdict"].value_counts()
    behind, ahead = int(counts.get("behind", 0)), int(counts.get("ahead", 0))
    kind = "base model" if own["model_type"].iloc[0] == "base" else "model"
    text = (
        f"{own['label'].iloc[0]} against the best other European {kind} of {own['size_class'].iloc[0]} "
        f"parameters: behind in {behind} of {len(cells)} pairs of language and task, ahead in {ahead or 'none'}, "
        f"tied in {len(cells) - behind - ahead}"
    )
    means = own[own["language"] == MACRO].to_dict("records")
    clear = [
        f"{number(abs(row['gap']), _DIGITS)} points {row['verdict']} on {TASK_KINDS[row['task_kind']]}"
        for row in means
        if row["verdict"] != "tie"
    ]
    tied = [TASK_KINDS[row["task_kind"]] for row in means if row["verdict"] == "tie"]
    told = [*clear, *([f"tied on {join(tied)}"] if tied else [])]
    return f"{text}; as a mean over languages {join(told)}." if told else f"{text}."


def _prices(own: pd.DataFrame) -> Iterator[str]:
    """Say for how many gaps it is known what closing them takes in tokens, and why not for the others."""
    lost = own[(own["language"] != MACRO) & (own["verdict"] == "behind")]
    if lost.empty:
        return
    priced = int(lost["tokens"].notna().sum())
    reasons = lost.loc[lost["tokens"].isna(), "why_no_tokens"].value_counts()
    named = join(f"{reason} ({count})" for reason, count in reasons.items())
    rest = f"; not known of the others: {named}" if priced and named else f": {named}"
    yield (
        f"What closing it would take in tokens is known of {priced or 'none'} of these {len(lost)} gaps"
        f"{rest if named else ''}."
    )


def _overview(own: pd.DataFrame, order: list[str]) -> Grid:
    """Return the gaps of one model at a glance: a row a language, a column a kind of task."""
    kinds = [kind for kind in TASK_KINDS if kind in set(own["task_kind"])]
    at = {(row["language"], row["task_kind"]): row for row in numbered(own)}
    label, most = str(own["label"].iloc[0]), int(own["n_rivals"].max())
    return Grid(
        "published-gaps",
        f"{label}: points behind (+) or ahead (−) of the best European model of its class",
        "Gap with the 95 % interval of two independent scores; rival; tokens that closing it would take, or why that "
        f"is not known. Tied: p not below {why.LEVEL:g}, Holm-corrected over every rival and task of the language, "
        f"because the best of up to {most} rivals is partly the luckiest: gaps and intervals are not corrected for it "
        "and are rather too large.",
        ("language", *(TASK_KINDS[kind] for kind in kinds)),
        tuple(
            (Cell(_OVER if tag == MACRO else BY_TAG[tag].english),
             *(_gap_cell(at.get((tag, kind))) for kind in kinds))
            for tag in order
        ),
        "tables/published_gaps.csv",
    )  # fmt: skip


def _gap_cell(row: Mapping[Any, Any] | None) -> Cell:
    if row is None:
        return Cell("–")
    verdict = str(row["verdict"])
    columns, note = ["gap", "low", "high"], str(row["best_label"])
    if verdict == "behind":
        note += f"; {_tokens(row)}"
        columns += _known(row)
    return Cell(
        f"{number(row['gap'], '+.1f')} {'tied' if verdict == 'tie' else verdict}",
        interval(row["low"], row["high"], _DIGITS),
        {"behind": "worse", "ahead": "better"}.get(verdict, "tie"),
        note,
        of(_TABLE, row["row"], *columns),
    )


def _known(row: Mapping[Any, Any]) -> list[str]:
    return [name for name in ("tokens", "tokens_low") if pd.notna(row[name])][:1]


def _tokens(row: Mapping[Any, Any]) -> str:
    """Return in a word or two what closing a gap takes."""
    if pd.notna(row["tokens"]):
        return f"{tokens(row['tokens'])} tokens"
    if pd.notna(row["tokens_low"]):
        return f"at least {_count(row['tokens_low'])} tokens"
    return f"tokens: {_BRIEF.get(row['why_no_tokens'], row['why_no_tokens'])}"


def price(row: Mapping[Any, Any], words: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return what closing a gap takes in tokens, in words.

    Args:
        row: Of a table of gaps.
        words: Other words for the reasons why it is not known.
    """
    reason = row["why_no_tokens"]
    if pd.notna(row["tokens"]):
        most = tokens(row["tokens_high"]) if pd.notna(row["tokens_high"]) else "no horizon"
        return f"closed at {tokens(row['tokens'])} tokens ({tokens(row['tokens_low'])} to {most})"
    if row["verdict"] == "ahead":
        return "nothing to close"
    if reason == why.NEVER:
        return "closed by tokens alone at no horizon"
    least = f", at least {_count(row['tokens_low'])}" if pd.notna(row["tokens_low"]) else ""
    return f"tokens not known: {words.get(reason, reason)}{least}"


def _count(value: float) -> str:
    # Beyond what anybody trains on, a figure would claim what the law cannot know.
    return tokens(value) if value < 1e15 else "1000T"


def _grid(frame: pd.DataFrame, order: list[str]) -> Grid:
    place = {tag: number for number, tag in enumerate(order)}
    rows = []
    sorted_frame = frame.assign(place=frame["language"].map(place)).sort_values(
        ["place", "task", "model"], kind="stable"
    )
    for index, row in sorted_frame.iterrows():
        at = int(str(index))
        language = _OVER if row["language"] == MACRO else BY_TAG[row["language"]].english
        mark = {"behind": "worse", "ahead": "better"}.get(row["verdict"], "")
        floor = "at the floor" if row["floor"] else ""
        rows.append((
            Cell(f"{language}, {row['column']}", str(row["label"])),
            Cell(number(row["score"], _DIGITS), floor, of=of(_TABLE, at, "score")),
            Cell(number(row["best_score"], _DIGITS), str(row["best_label"]), of=of(_TABLE, at, "best_score")),
            Cell(number(row["gap"], "+.1f"), interval(row["low"], row["high"], "+.1f"), mark,
                 of=of(_TABLE, at, "gap", "low", "high")),
            Cell({"tie": "no"}.get(row["verdict"], f"yes, {row['verdict']}"),
                 f"p {number(row['p_holm'], '#.2g')}", of=of(_TABLE, at, "p_holm")),
            tokens_cell(row, at, _TABLE),
        ))  # fmt: skip
    return Grid(
        "published-gaps-all",
        "Every gap of this family, with what closing it would take",
        "Points; positive: the rival leads. p: of no gap, Holm-corrected over every rival and task of the "
        "language. Tokens: in all, at the same size. Gaps of every other European model stand in the CSV.",
        ("language and task", "score", "best European model of its class", "gap (95 %)",
         "beyond noise?", f"tokens to close ({COVERAGE:.0%})"),
        tuple(rows),
        "tables/published_gaps.csv",
        folded=True,
    )  # fmt: skip


def tokens_cell(row: Mapping[Any, Any] | pd.Series[Any], at: int, table: str) -> Cell:
    """Return what closing a gap takes in tokens, or why that is not known."""
    if pd.isna(row["tokens"]):
        if pd.notna(row["tokens_low"]):
            least = f"at least {_count(row['tokens_low'])}"
            return Cell(least, str(row["why_no_tokens"]), of=of(table, at, "tokens_low"))
        return Cell("–", str(row["why_no_tokens"]))
    most = tokens(row["tokens_high"]) if pd.notna(row["tokens_high"]) else "no horizon"
    return Cell(
        tokens(row["tokens"]),
        f"{tokens(row['tokens_low'])} to {most}",
        of=of(table, at, "tokens", "tokens_low", "tokens_high"),
    )


def _method(own: pd.DataFrame) -> Iterator[str]:
    mean, sd = HORIZON_EXPONENT_PRIOR
    yield (
        "Between two checkpoints of one run the score is taken as linear in the horizon term of the planner's loss "
        "law, B T^-beta; T solves for the rival's score at the same model size. Beta is the planner's prior: "
        f"{mean:g} with a spread of {sd:g}, assumed. For the interval both scores, the gap and beta are drawn."
    )
    yield (
        "The price says what more of the same tokens would do and nothing of other data. It assumes that both "
        "checkpoints were as well annealed, which is not published."
    )
    yield (
        "No price is known where the score did not grow beyond noise between the checkpoints, and where a score is at "
        "the protocol's floor. `At least` is the end of the interval."
    )
    yield (
        "Errors of two models are taken as independent: how they did on the same items is not published."
    )
    dates = [*own["source_date"], *own["best_source_date"]]
    snapshots = sorted({day for joined in dates for day in joined.split("; ")})
    if len(snapshots) > 1:
        yield f"The figures compared are of {join(snapshots)}."
