"""The order of languages on every page: branch by branch, in a branch by their English names."""

from __future__ import annotations

from collections.abc import Iterable

from skald_specs.languages import BY_TAG

#: Branches from North to South; what the register does not know comes last.
BRANCHES = ("North", "West", "Insular", "-")


def by_branch(tags: Iterable[str]) -> list[tuple[str, list[str]]]:
    """Return the languages of each branch that has any, by their English names.

    Args:
        tags: BCP-47 tags; one the register lacks goes into the branch `-`.
    """
    present = sorted(
        set(tags), key=lambda tag: (BY_TAG[tag].english if tag in BY_TAG else "~", tag)
    )
    grouped: dict[str, list[str]] = {branch: [] for branch in BRANCHES}
    for tag in present:
        grouped[BY_TAG[tag].branch if tag in BY_TAG else "-"].append(tag)
    return [(branch, own) for branch, own in grouped.items() if own]


def in_order(tags: Iterable[str]) -> list[str]:
    """Return languages, each once, in the order of the page.

    Args:
        tags: BCP-47 tags, also ones the register lacks.
    """
    return [tag for _, own in by_branch(tags) for tag in own]


def titled(tag: str) -> str:
    """Return a language's English name and its own: Danish, dansk."""
    known = BY_TAG.get(tag)
    if known is None:
        return tag
    own = f", {known.endonym}" if known.endonym != known.english else ""
    return f"{known.english}{own} ({tag})"
