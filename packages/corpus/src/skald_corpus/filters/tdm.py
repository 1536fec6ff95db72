"""Opt-out of text and data mining: what a page says of itself, and what a ledger says.

What a host's robots.txt says is `robots`' to read. Each judge is a pure function of what it is given; nothing is fetched. A statement that cannot be read
counts as a reservation: who wrote it meant something by it.
"""

from __future__ import annotations

import datetime
import hashlib
import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from skald_specs.errors import UserInputError
from skald_specs.files import read_text
from skald_specs.guesses import offer

from skald_corpus.filters.verdict import KEPT, Verdict, removed

#: Values of robots directives that refuse training. Source: DeviantArt's `noai`, in wide use.
_NO_AI = frozenset({"noai", "noml", "notrain"})
_ROBOTS_KEYS = ("x-robots-tag", "robots")


def judge_metadata(
    metadata: Mapping[str, str | int | bool | None], licensed_policies: Collection[str] = ()
) -> Verdict:
    """Judge the reservation that a page carries in headers or meta tags.

    Args:
        metadata: Names and values; `tdm-reservation`, `tdm-policy`, `x-robots-tag` and `robots` are
            looked at, in any case, with `_` for `-`.
        licensed_policies: URLs of TDM policies under which the user holds a licence; a page with
            such a policy stays though it is reserved.

    Returns:
        A verdict: `tdm-reserved` or `robots-noai`.

    Source: W3C TDM Reservation Protocol, 1 reserves and 0 or absence does not.
    """
    values = {
        name.lower().replace("_", "-"): str(
            int(value) if isinstance(value, bool) else value
        ).strip()
        for name, value in metadata.items()
        if value is not None
    }
    reservation = values.get("tdm-reservation", "")
    if reservation not in ("", "0"):
        policy = values.get("tdm-policy", "")
        if not policy or policy not in licensed_policies:
            told = f", policy {policy}" if policy else ""
            return removed("tdm-reserved", detail=f"tdm-reservation is {reservation[:20]!r}{told}")
    for key in _ROBOTS_KEYS:
        words = set(re.split(r"[\s,;:]+", values.get(key, "").lower()))
        if words & _NO_AI:
            return removed("robots-noai", detail=f"{key} has {', '.join(sorted(words & _NO_AI))}")
    return KEPT


def text_sha256(text: str) -> str:
    """Return the hash by which a ledger names a text, the same however it is spaced or composed."""
    plain = " ".join(unicodedata.normalize("NFC", text).split())
    return hashlib.sha256(plain.encode("utf-8", "replace")).hexdigest()


def plain_url(url: str) -> str:
    """Return a URL without what does not change the page: scheme, `www.`, case of the host, fragment.

    A malformed URL comes back as it is.
    """
    try:
        parts = urlsplit(url if "://" in url else f"//{url}")
        host = (parts.hostname or "").removeprefix("www.")
        port = f":{parts.port}" if parts.port not in (None, 80, 443) else ""
    except ValueError:
        return url
    return urlunsplit(("", host + port, parts.path.rstrip("/"), parts.query, "")).removeprefix("//")


def host_of(url: str) -> str:
    """Return the host of a URL in lower case, '' where it has none."""
    try:
        return (urlsplit(url if "://" in url else f"//{url}").hostname or "").rstrip(".")
    except ValueError:
        return ""


_KINDS = ("domain", "url", "id", "sha256")


@dataclass(frozen=True)
class Ledger:
    """Opt-outs that were asked for, applied at every rebuild: `(kind, value) -> date and reason`.

    One a line: date, kind (`domain`, `url`, `id` or `sha256`), value, reason in any words. Empty
    lines and those that begin with `#` are passed over. A domain stands for its subdomains.
    """

    entries: dict[tuple[str, str], str] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Ledger:
        """Read a ledger.

        Raises:
            UserInputError: A line is malformed; it is named. A ledger that is half read would let
                text through that somebody asked to take out.
        """
        entries: dict[tuple[str, str], str] = {}
        for number, line in enumerate(read_text(path).lstrip("\ufeff").split("\n"), start=1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            kind, value, told = _entry(line, f"{path}:{number}")
            entries.setdefault((kind, value), told)
        return cls(entries)

    def told(self, key: tuple[str, str]) -> str:
        """Return what a removal by an entry says: kind, value, date and reason."""
        return f"{key[0]} {key[1]}, {self.entries[key]}"

    def judge(self, text: str, document_id: str = "", url: str = "") -> Verdict:
        """Judge a document: `opted-out`, with the entry.

        Args:
            text: As it stands in the source, before any filter.
            document_id: Its id.
            url: Where it came from, '' where that is not known.
        """
        if not self.entries:
            return KEPT
        keys = [("id", document_id)]
        if url:
            keys.append(("url", plain_url(url)))
            labels = host_of(url).split(".")
            keys += [("domain", ".".join(labels[i:])) for i in range(len(labels))]
        if any(kind == "sha256" for kind, _ in self.entries):
            keys.append(("sha256", text_sha256(text)))
        for key in keys:
            if key in self.entries:
                return removed("opted-out", detail=self.told(key))
        return KEPT


def _entry(line: str, where: str) -> tuple[str, str, str]:
    """Take a line of a ledger apart, with one form for each value."""
    remedy = "Write `2026-01-31 domain example.org reason`"
    words = line.split(maxsplit=3)
    if len(words) < 4:
        raise UserInputError(where, f"{len(words)} words, four are asked", remedy)
    date, kind, value, reason = words
    try:
        datetime.date.fromisoformat(date)
    except ValueError:
        raise UserInputError(where, f"{date!r} is no date", remedy) from None
    if kind == "url":
        value = plain_url(value)
    elif kind == "domain":
        value = host_of(value)
    elif kind == "sha256":
        value = value.lower()
        if not re.fullmatch(r"[0-9a-f]{64}", value):
            raise UserInputError(where, "no SHA-256 of 64 hexadecimal digits", remedy)
    elif kind != "id":
        raise UserInputError(where, f"unknown kind {kind!r}", offer(kind, _KINDS))
    if not value:
        raise UserInputError(where, f"no {kind} in {words[2]!r}", remedy)
    return kind, value, f"{date}: {' '.join(reason.split())}"
