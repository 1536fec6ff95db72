"""Licences: which text may be trained on, by SPDX expression.

Knows names of licences, not the law: the list holds what allows copying, change and commercial use
on terms that a data card can meet. What is not on it is refused unless the user allows it by name.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from skald_corpus.filters.verdict import KEPT, Verdict, removed

_NAMES = """
    CC0-1.0 CC-PDDC PDDL-1.0 Unlicense 0BSD
    CC-BY-2.0 CC-BY-2.5 CC-BY-3.0 CC-BY-3.0-DE CC-BY-4.0
    CC-BY-SA-2.0 CC-BY-SA-2.5 CC-BY-SA-3.0 CC-BY-SA-3.0-DE CC-BY-SA-4.0
    ODC-By-1.0 ODbL-1.0 CDLA-Permissive-1.0 CDLA-Permissive-2.0 CDLA-Sharing-1.0
    NLOD-1.0 NLOD-2.0 DL-DE-BY-2.0 DL-DE-ZERO-2.0 OGL-UK-3.0 etalab-2.0
    Apache-2.0 MIT MIT-0 BSD-2-Clause BSD-3-Clause ISC Zlib Unicode-DFS-2016 Unicode-3.0
    MPL-2.0 EUPL-1.2 GFDL-1.2-or-later GFDL-1.3-or-later GFDL-1.3-only
"""
#: Source: identifiers of the SPDX licence list; standing: the choice is ours, by the terms of each.
ALLOWED: frozenset[str] = frozenset(_NAMES.split())
_BY_LOWER = {name.lower(): name for name in ALLOWED}
_FORBIDDING = re.compile(r"(?:^|[-\s_])(nc|nd)(?:$|[-\s_])", re.IGNORECASE)
_TOKEN = re.compile(r"\s*(\(|\)|[^\s()]+)")
_MEANING = {"nc": "forbids commercial use", "nd": "forbids changes"}


class _MalformedError(ValueError):
    pass


def judge_licence(expression: str | None, allow: Collection[str] = ()) -> Verdict:
    """Judge the licence of a document or source.

    Of `A OR B` one must be allowed, of `A AND B` both; `WITH` an exception counts as the licence.
    Case is of no matter, and spaces in a common name are read as hyphens ("CC BY-SA 4.0").

    Args:
        expression: SPDX expression, or None where none is known.
        allow: Names that are allowed besides `ALLOWED`, each as it stands in the source.

    Returns:
        A verdict: `licence-unknown`, `licence-nc`, `licence-nd` or `licence-refused`, with the
        name that is at fault in the detail.
    """
    text = " ".join((expression or "").split())
    extra = frozenset(name.lower() for name in allow)
    if text.lower() in extra or _hyphened(text) in _BY_LOWER:
        return KEPT
    if not text or text.lower() in ("unknown", "none", "noassertion", "other"):
        return removed("licence-unknown", detail="no licence is named")
    tokens = _TOKEN.findall(text)
    try:
        refused = _either(tokens, extra)
        if tokens:
            raise _MalformedError(tokens[0])
    except (_MalformedError, RecursionError):
        return _refusal(text)
    return KEPT if refused is None else _refusal(refused)


def _refusal(name: str) -> Verdict:
    shown = name[:60]
    if match := _FORBIDDING.search(name):
        found = match.group(1).lower()
        return removed(f"licence-{found}", detail=f"{shown} {_MEANING[found]}")
    return removed("licence-refused", detail=f"{shown} is not among the allowed licences")


def _hyphened(name: str) -> str:
    return re.sub(r"[\s_]+", "-", name.lower())


# Recursive descent; each returns the first name at fault, or None where all is well.
def _either(tokens: list[str], extra: frozenset[str]) -> str | None:
    found = [_both(tokens, extra)]
    while tokens and tokens[0].upper() == "OR":
        tokens.pop(0)
        found.append(_both(tokens, extra))
    return None if None in found else found[0]


def _both(tokens: list[str], extra: frozenset[str]) -> str | None:
    found = [_one(tokens, extra)]
    while tokens and tokens[0].upper() == "AND":
        tokens.pop(0)
        found.append(_one(tokens, extra))
    return next((name for name in found if name is not None), None)


def _one(tokens: list[str], extra: frozenset[str]) -> str | None:
    if not tokens or tokens[0] == ")" or tokens[0].upper() in ("AND", "OR", "WITH"):
        raise _MalformedError("a name is missing")
    name = tokens.pop(0)
    if name == "(":
        inner = _either(tokens, extra)
        if not tokens or tokens.pop(0) != ")":
            raise _MalformedError("a bracket is not closed")
        return inner
    if len(tokens) > 1 and tokens[0].upper() == "WITH":
        del tokens[:2]
    return None if name.lower() in _BY_LOWER or name.lower() in extra else name
