"""What others published, in sentences: the landscape, and how far the highlighted model is behind or ahead.

Read from tables as they are filed, so that the sentences can be derived again from `report.json` alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from skald_report.figures.style import tokens
from skald_report.landscape import gaps as why
from skald_report.landscape.protocol import TASK_KINDS
from skald_report.page.formatting import counted, join, number
from skald_report.sections.published_means import means_and_limits
from skald_report.tables.table import MACRO, Table

_DIGITS = ".1f"
#: The reasons why a price is not known, for a list that says them often.
_BRIEF = {
    why.FLOOR: "floor",
    why.FEW_CELLS: "floor",
    why.ONE: "one checkpoint",
    why.NO_GROWTH: "no growth beyond noise",
    why.NOISE_THERE: "noise",
}


def published_sentences(tables: Mapping[str, Table]) -> list[str]:
    """Return what the published figures are and how far they may be read; nothing without them."""
    if "published" not in tables:
        return []
    frame = tables["published"].frame
    shown = frame[frame["shown"]]
    return list(_claims(frame, shown, max(frame["source_date"])))


def gap_sentences(tables: Mapping[str, Table]) -> list[str]:
    """Return how far the newest highlighted model is from the best of its class; nothing without one."""
    if "published_gaps" not in tables or not len(own := newest_of(tables["published_gaps"])):
        return []
    return [_lead(own), *prices(own), *means_and_limits(tables, own)]


def newest_of(table: Table) -> pd.DataFrame:
    """Return the gaps of the highlighted model that saw most tokens; of unknown counts, the first by name."""
    frame = table.frame[table.frame["highlight"].astype(bool)]
    if frame.empty:
        return frame
    seen = frame.drop_duplicates("model").set_index("model")["tokens_seen"].fillna(0)
    newest = max(sorted(seen.index), key=lambda model: float(seen[model]))
    own: pd.DataFrame = frame[frame["model"] == newest]
    return own


def _claims(frame: pd.DataFrame, shown: pd.DataFrame, newest: str) -> Iterator[str]:
    european = frame[frame["eu"].eq(True)]
    older = int((frame["source_date"] != newest).sum())
    aged = (
        f"; {older:,} are older than {newest}, some by an older version of the harness: a small distance "
        "between an open and a filled dot may be the harness's"
        if older
        else f", all of {newest}"
    )
    yield (
        f"{len(frame):,} scores of {frame['model'].nunique()} models, {european['model'].nunique()} of them "
        f"European{aged}."
    )
    if shown["eu"].eq(True).any():
        yield from _of_figures(shown)
    rest = frame[~frame["shown"]]
    if len(rest):
        yield (
            f"{len(rest):,} of the scores are of {rest['task_kind'].nunique()} other kinds of task and stand in "
            "the CSV alone."
        )
    outside = shown.loc[~shown["eu"].eq(True), "model"].nunique()
    if outside:
        yield (
            f"{outside} models that are not European, or not known to be, stand in the CSV alone."
        )


def _of_figures(shown: pd.DataFrame) -> Iterator[str]:
    """Yield how the figures and the table of European models are to be read."""
    yield (
        "Published half-widths are 1.96 standard errors of a mean of ten bootstrap replicates, about 2.5 times "
        "narrower than the sampling error of the items. Multiplied by sqrt(10) here, they approximate it."
    )
    yield (
        "Sentiment, ScaLA (linguistic acceptability) and common sense are Matthews correlations x 100, where 0 "
        "is chance; reading is F1 x 100."
    )
    yield from _floors(shown)
    yield (
        "Base models are compared with base models of their size class alone; the table to search has "
        "instruction-tuned ones too, and says which is which."
    )
    yield (
        "A missing dot was not published. No average is taken over missing cells; panels are sorted by their first "
        "column."
    )
    yield f"Sources: {'; '.join(f'{name} ({date})' for name, date in _sources(shown))}."


def _sources(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the distinct sources without their file, newest first."""
    pairs = {
        (" ".join(s.split(" ")[:2]).removeprefix("https://"), d)
        for s, d in zip(frame["source"], frame["source_date"], strict=True)
    }
    return sorted(pairs, key=lambda pair: (pair[1], pair[0]), reverse=True)


def _floors(shown: pd.DataFrame) -> Iterator[str]:
    asked = shown[(shown["metric"] == "mcc") & (shown["model_type"] == "base")]
    by_kind = asked.groupby("task_kind", sort=False)["floor"].agg(["sum", "size"])
    counts = "; ".join(
        f"{TASK_KINDS[str(kind)]} {int(row['sum'])} of {int(row['size'])}"
        for kind, row in by_kind.iterrows()
    )
    if counts:
        yield (
            f"Scores of base models that cannot be told from chance: {counts}. The protocol asks for an answer "
            "label: a floor of the protocol, not a proof that a model knows nothing."
        )


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


def prices(own: pd.DataFrame) -> Iterator[str]:
    """Say for how many gaps it is known what closing them takes in tokens, and why not for the others."""
    lost = own[(own["language"] != MACRO) & (own["verdict"] == "behind")]
    if lost.empty:
        return
    priced = int(lost["tokens"].notna().sum())
    reasons = lost.loc[lost["tokens"].isna(), "why_no_tokens"].value_counts()
    named = join(f"{reason} ({count})" for reason, count in reasons.items())
    rest = f"; not known of the others: {named}" if priced and named else f": {named}"
    yield (
        f"What closing it would take in tokens is known of {priced or 'none'} of {counted(len(lost), 'such gap')}"
        f"{rest if named else ''}."
    )


def worded(row: Mapping[Any, Any]) -> str:
    """Return in a word or two what closing a gap takes."""
    if pd.notna(row["tokens"]):
        return f"{tokens(row['tokens'])} tokens"
    if pd.notna(row["tokens_low"]):
        return f"at least {quantity(row['tokens_low'])} tokens"
    return f"tokens: {_BRIEF.get(row['why_no_tokens'], row['why_no_tokens'])}"


def price(row: Mapping[Any, Any]) -> str:
    """Return what closing a gap of a table of gaps takes in tokens, in words."""
    reason = row["why_no_tokens"]
    if pd.notna(row["tokens"]):
        most = tokens(row["tokens_high"]) if pd.notna(row["tokens_high"]) else "no horizon"
        return f"closed at {tokens(row['tokens'])} tokens ({tokens(row['tokens_low'])} to {most})"
    if row["verdict"] == "ahead":
        return "nothing to close"
    if reason == why.NEVER:
        return "closed by tokens alone at no horizon"
    least = f", at least {quantity(row['tokens_low'])}" if pd.notna(row["tokens_low"]) else ""
    return f"tokens not known: {reason}{least}"


def quantity(value: float) -> str:
    """Return a number of tokens; beyond what anybody trains on, the most that is said."""
    # Beyond what anybody trains on, a figure would claim what the law cannot know.
    return tokens(value) if value < 1e15 else "1000T"
