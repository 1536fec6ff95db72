"""A host's robots.txt as it was at a known time, applied to pages fetched at any time.

Python's own reader takes the first rule that fits and knows neither `*` nor `$` in a path, so that
`Disallow: /private*` would refuse nothing; RFC 9309 is short enough to follow here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from skald_corpus.filters.verdict import KEPT, Verdict, removed

#: Who reads a robots.txt for training data. One of them refused is enough.
#: Source: the crawlers' own pages, as Apertus applied such a list; standing: assumed complete enough.
AGENTS = (
    "CCBot", "GPTBot", "Google-Extended", "ClaudeBot", "anthropic-ai", "Applebot-Extended",
    "meta-externalagent", "Bytespider", "Amazonbot", "cohere-ai", "PerplexityBot",
)  # fmt: skip


class _Rule(NamedTuple):
    allows: bool
    length: int
    pattern: re.Pattern[str]


class RobotsSnapshot:
    """The rules of one file.

    Args:
        text: The file. Lines that are no directive are passed over, as RFC 9309 has it.
        agents: Crawlers of which none may be refused.
    """

    def __init__(self, text: str, agents: Sequence[str] = AGENTS) -> None:
        groups = _groups(text)
        everyone = groups.get("*", [])
        self._rules = [(agent, groups.get(agent.lower(), everyone)) for agent in agents]

    def judge(self, url: str) -> Verdict:
        """Judge a page of the host: `robots-refused` names the first agent that is refused."""
        try:
            parts = urlsplit(url if "://" in url else f"//{url}")
        except ValueError:
            return removed("robots-refused", detail="the page's URL is malformed")
        path = unquote(parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        for agent, rules in self._rules:
            fitting = [rule for rule in rules if rule.pattern.match(path)]
            # The longest rule decides; of equally long ones, the one that allows.
            if fitting and not max(fitting, key=lambda rule: (rule.length, rule.allows)).allows:
                return removed("robots-refused", detail=f"robots.txt refuses {agent}")
        return KEPT


def _groups(text: str) -> dict[str, list[_Rule]]:
    groups: dict[str, list[_Rule]] = {}
    named: list[str] = []
    heading = False
    for line in text.lstrip("\ufeff").splitlines():
        key, _, value = line.split("#", 1)[0].partition(":")
        key, value = key.strip().lower(), value.strip()
        if key == "user-agent":
            named = [*named, value.lower()] if heading else [value.lower()]
            heading = True
            groups.setdefault(value.lower(), [])
        elif key in ("allow", "disallow"):
            heading = False
            if value:
                for agent in named:
                    groups[agent].append(_rule(key == "allow", value))
    return groups


@lru_cache(maxsize=4096)
def _rule(allows: bool, path: str) -> _Rule:
    ends = path.endswith("$")
    # Runs of stars say no more than one, and would make matching slow.
    parts = re.split(r"\*+", unquote(path.removesuffix("$")))
    pattern = ".*".join(re.escape(part) for part in parts)
    return _Rule(allows, len(path), re.compile(pattern + (r"\Z" if ends else ""), re.DOTALL))
