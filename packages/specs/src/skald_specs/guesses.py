"""What a mistyped name or path may have meant: the one place that guesses.

Standard library alone: the command line asks it before anything heavy is imported. Looks folders up for a
path that is missing; a name's candidates are given.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

#: Likeness (difflib's ratio) from which a name is offered. Two letters that changed places are 0.67 in
#: a word of three, 0.75 in one of four; a two-letter tag with one letter right is 0.5.
_LIKENESS, _LIKENESS_OF_TAGS, _LONGEST_TAG = 0.65, 0.5, 3
#: What is longer is no mistyped name, and comparing it would take long.
_LONGEST = 200


def near(word: str, known: Iterable[str], count: int = 1) -> list[str]:
    """Return the known names that are most like a word, the nearest first; upper case counts nothing.

    Args:
        word: What was typed.
        known: What there is.
        count: At most so many.
    """
    if len(word) > _LONGEST:
        return []
    typed = word.lower()
    least = _LIKENESS_OF_TAGS if len(typed) <= _LONGEST_TAG else _LIKENESS
    matcher = difflib.SequenceMatcher(b=typed)
    scored = []
    for name in known:
        matcher.set_seq1(name.lower())
        if matcher.quick_ratio() >= least and (likeness := matcher.ratio()) >= least:
            # Of names that are as near, the one that begins alike: fingers slip later.
            scored.append((-likeness, typed[0] != name[0].lower(), name))
    return [name for *_, name in sorted(set(scored))[:count]]


def offer(word: str, known: Iterable[str]) -> str:
    """Return the remedy for an unknown name: the nearest one, and all there are.

    Args:
        word: What was typed.
        known: What there is.
    """
    names = list(known)
    found = near(word, names)
    meant = f"Did you mean {found[0]!r}? " if found else ""
    return f"{meant}Use one of: {', '.join(names) or 'there are none here'}"


def near_path(path: Path) -> Path | None:
    """Return the existing path that a missing one is most like; None where nothing is near.

    Each part that does not exist is replaced by the nearest entry of its folder, so that
    `recipe/mini-7.8.yaml` leads to `recipes/mini-7.8b.yaml`.
    """
    try:
        return _near_path(path)
    except (OSError, ValueError):  # a folder that cannot be read, a name that no system takes
        return None


def _near_path(path: Path) -> Path | None:
    found = Path(path.anchor) if path.is_absolute() else Path()
    for at, part in enumerate(path.parts[1:] if path.is_absolute() else path.parts):
        if not (found / part).exists():
            entries = [entry.name for entry in found.iterdir() if entry.name[0] != "."]
            close = near(part, entries) or _with_ending(part, entries)
            if not close:
                return None
            part = close[0]
        found = found / part
        if at < len(path.parts) - 1 and not found.is_dir():
            return found if found != path else None
    return found if found != path and found.exists() else None


def _with_ending(part: str, entries: Iterable[str]) -> list[str]:
    """Return the entry that is the name with an ending, if it is the only one."""
    same = [entry for entry in entries if Path(entry).stem == part]
    return same if len(same) == 1 else []
