"""How far a score depends on the wording of its prompt, in a sentence."""

from __future__ import annotations

from collections.abc import Iterator

from skald_report.page.formatting import counted
from skald_report.tables.cells import AGAINST_CHANCE
from skald_report.tables.table import MACRO, Table


def wordings(scores: Table) -> Iterator[str]:
    """Say how much the wording of a prompt moves a score, or that each task had one.

    Args:
        scores: All scores.
    """
    frame = scores.frame[scores.frame["language"] != MACRO]
    contest = frame[~frame["kind"].isin(AGAINST_CHANCE)]
    several = contest[contest["n_wordings"] > 1]
    if several.empty:
        yield "Wordings: every task was asked in one, so how far a score depends on it is not known."
        return
    moved = (several["highest_wording"] - several["lowest_wording"]).sort_values()
    widest = several.loc[moved.index[-1]]
    yield (
        f"Wordings: asked in other words, a score moves by {moved.median():.3f} at the median and by at most "
        f"{moved.iloc[-1]:.3f} ({widest['model']} on {widest['label']} in {widest['language']}), of "
        f"{counted(len(several), 'score')} with several wordings; scores are means over the wordings."
    )
