"""What cannot be used costs one line: said by the first rank, and kept for the exit code."""

from __future__ import annotations

from collections.abc import Sequence

from skald_specs.errors import SkaldError

from skald_harness.running.ranks import World


def first_of(problems: Sequence[SkaldError], me: World, nothing: SkaldError) -> SkaldError:
    """Return what to raise when nothing is left, having said the rest."""
    for problem in problems[1:]:
        tell(me, "", problem)
    return problems[0] if problems else nothing


def tell(me: World, name: str, problem: SkaldError) -> None:
    """Say a problem in one line, with the model that is left out for it, if any."""
    me.say(" ".join(f"skald: {f'{name} is left out: ' if name else ''}{problem}".split()))
