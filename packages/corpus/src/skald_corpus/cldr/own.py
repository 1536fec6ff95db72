"""What a locale of the CLDR says itself, without what it inherits.

babel merges a locale with its parents: what a language lacks comes back in English or as a placeholder
of the root. Merged and unmerged data also share one cache by name (`localedata.load`), so that the
order of calls would decide what is read; here it is left as it was found.
"""

from __future__ import annotations

from functools import cache
from typing import Any

#: Of Bokmål the CLDR keeps everything under `no`; `nb` is an empty alias.
_LOCALES = {"nb": "no"}
#: No-break spaces of the CLDR; texts of the corpus have plain ones.
_SPACES = str.maketrans({"\u00a0": " ", "\u202f": " "})


@cache
def own_data(tag: str) -> dict[str, Any]:
    """Return the unmerged data of a language's locale."""
    from babel import localedata

    name, kept = _LOCALES.get(tag, tag), localedata._cache
    merged = kept.pop(name, None)
    try:
        data: dict[str, Any] = localedata.load(name, merge_inherited=False)
    finally:
        kept.pop(name, None)
        if merged is not None:
            kept[name] = merged
    return data


def own_strings(node: Any) -> dict[Any, str]:
    """Return the strings of one entry by plural category or number; aliases to other entries have none."""
    if not isinstance(node, dict):
        return {}
    return {key: plain(text) for key, text in node.items() if isinstance(text, str)}


def plain(text: str) -> str:
    """Return a string with plain single spaces."""
    return " ".join(text.translate(_SPACES).split())


@cache
def months(tag: str) -> tuple[str, ...]:
    """Return the names of the months, January first."""
    return _names(tag, "months", range(1, 13))


@cache
def weekdays(tag: str) -> tuple[str, ...]:
    """Return the names of the weekdays, Monday first."""
    return _names(tag, "days", range(7))


def _names(tag: str, field: str, keys: range) -> tuple[str, ...]:
    forms = own_data(tag)[field]
    alone = own_strings(forms.get("stand-alone", {}).get("wide"))
    names = alone or own_strings(forms["format"]["wide"])
    return tuple(names[key] for key in keys)
