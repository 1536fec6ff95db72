"""Limits from reference text by quantiles, and a check of limits that nobody looks at otherwise.

Published limits show what an unwatched derivation lets through: FineWeb-2 has a new-line ratio of 2.0
and a top 2-gram share of .899, which filter nothing, and stop words such as "f." and "kr".
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml
from skald_specs.errors import UserInputError
from skald_specs.files import write_text
from skald_specs.fingerprint import fingerprint
from skald_specs.languages import language as registered

from skald_corpus.filters.quality import (
    PROFILES,
    LanguageQuality,
    Limit,
    QualityThresholds,
    judge,
)
from skald_corpus.filters.quality_metrics import measure

#: A limit is never stricter than this, however clean the reference text is.
#: Source: Gopher (arXiv 2112.11446, table A1), FineWeb (arXiv 2406.17557, section 3.5) for the share
#: of line ends and FineWeb-2's relaxed limits (configs/*.yml) for lines and new lines.
LOOSEST_MIN = {"alphabetic_share": 0.8, "line_end_share": 0.12, "stop_words": 2.0}
LOOSEST_MAX = {
    "symbol_ratio": 0.1, "duplicate_line_share": 0.2, "duplicate_5gram_share": 0.15,
    "top_2gram_share": 0.2, "bullet_line_share": 0.9, "ellipsis_line_share": 0.3,
    "new_line_ratio": 0.3,
}  # fmt: skip
#: Factor by which the range of the mean word length is widened at both ends. Standing: measured; the
#: words of a Faroese Bible are shorter than those of an encyclopedia, 1.1 removed half of the latter.
WIDER = 1.5
#: Stop words for each language.
N_STOP_WORDS = 16
#: A stop word occurs in at least this share of the documents.
STOP_WORD_SHARE = 0.25
_MIN_DOCUMENTS = 50
_EDGES = ".,;:!?\"'()[]«»„“”’–-…"


class Complaint(NamedTuple):
    """One thing wrong with limits: language, metric or word, and what."""

    language: str
    subject: str
    problem: str


def derive(
    reference: Mapping[str, Sequence[str]], source: str, quantile: float = 0.01
) -> QualityThresholds:
    """Derive limits from reference documents.

    The limit of a figure is its quantile over the reference, but never stricter than the published
    one in `LOOSEST_MIN` and `LOOSEST_MAX`; the mean word length has both ends by quantile, widened
    by `WIDER`. A limit that the reference pushes to where it filters nothing is left out and named
    in `off`.

    Args:
        reference: Documents by language, at least 50 each, laid out as the text to be filtered.
        source: What the reference is, and its licence; goes into the file.
        quantile: Share of the reference that each limit may cost.

    Raises:
        UserInputError: A language is unknown or has too few documents.
    """
    languages = {}
    for tag, documents in sorted(reference.items()):
        registered(tag, "quality reference")
        if len(documents) < _MIN_DOCUMENTS:
            raise UserInputError(
                f"quality reference, {tag}",
                f"{len(documents)} documents",
                f"Give at least {_MIN_DOCUMENTS}",
            )
        languages[tag] = _derive_one(documents, quantile)
    return QualityThresholds(
        schema_version=1, source=source, quantile=quantile, languages=languages
    )


def save(thresholds: QualityThresholds, path: Path) -> None:
    """Write limits as YAML, one limit a line.

    Args:
        thresholds: Defaults are left out.
        path: Replaced as a whole.
    """
    value = thresholds.model_dump(mode="json", exclude_defaults=True)
    write_text(
        path, yaml.safe_dump(value, sort_keys=False, allow_unicode=True, default_flow_style=None)
    )


def lay_out(sentences: Sequence[str], size: int = 10) -> list[str]:
    """Make documents of sentences in their order, two lines each, where a source has only those.

    Args:
        sentences: Neighbours belong together.
        size: Sentences a document; what is left over at the end is dropped.
    """
    half = size // 2
    return [
        " ".join(sentences[i : i + half]) + "\n" + " ".join(sentences[i + half : i + size])
        for i in range(0, len(sentences) - size + 1, size)
    ]


def _derive_one(documents: Sequence[str], quantile: float) -> LanguageQuality:
    words = stop_words(documents)
    measured = [measure(text, frozenset(words)) for text in documents]

    def at(name: str, q: float) -> float:
        return float(np.quantile([getattr(m, name) for m in measured], q))

    low, high = at("mean_word_length", quantile), at("mean_word_length", 1 - quantile)
    off: dict[str, str] = {}
    limits = {
        "mean_word_length": Limit(
            min=round(low / WIDER, 2), max=round(high * WIDER, 2), source="quantiles, widened"
        )
    }
    for name, loosest in LOOSEST_MIN.items():
        found = at(name, quantile)
        if name == "stop_words":
            found = float(int(found))
        kind = "quantile" if found < loosest else "published"
        if found <= 0.0:
            off[name] = f"0 at the quantile {quantile:g} of the reference"
            continue
        limits[name] = Limit(min=round(min(found, loosest), 4), source=kind)
    for name, loosest in LOOSEST_MAX.items():
        found = at(name, 1 - quantile)
        kind = "quantile" if found > loosest else "published"
        if found >= 1.0:
            off[name] = f"{found:g} at the quantile {1 - quantile:g} of the reference"
            continue
        limits[name] = Limit(max=round(max(found, loosest), 4), source=kind)
    return LanguageQuality(n_documents=len(documents), stop_words=words, limits=limits, off=off)


class _WordUse(NamedTuple):
    """By word: documents with it, uses within sentences, and those of them with a capital."""

    documents: Counter[str]
    uses: Counter[str]
    capitalised: Counter[str]


def _use(documents: Iterable[str]) -> _WordUse:
    use = _WordUse(Counter(), Counter(), Counter())
    for text in documents:
        seen, begins = set(), True
        for token in text.split():
            if word := token.strip(_EDGES):
                lower = word.lower()
                seen.add(lower)
                # Every word has a capital at the beginning of a sentence.
                if not begins:
                    use.uses[lower] += 1
                    use.capitalised[lower] += word != lower
            begins = token.endswith((".", "!", "?", ":", '"', "”", "“"))
        use.documents.update(seen)
    return use


def stop_words(documents: Sequence[str]) -> tuple[str, ...]:
    """Return the words that occur in most documents, in the order of their commonness.

    Words with digits or points, single consonants and words that are mostly capitalised stay out:
    they are abbreviations, units and names of the reference text.
    """
    use, n = _use(documents), len(documents)
    good = [
        word
        for word, count in sorted(use.documents.items(), key=lambda item: (-item[1], item[0]))
        if count >= STOP_WORD_SHARE * n and not _suspicion(word, use, n)
    ]
    return tuple(good[:N_STOP_WORDS])


def _suspicion(word: str, use: _WordUse, n: int) -> str:
    """Say why a word is no stop word, or nothing."""
    if not word.isalpha():
        return "is no word of letters alone"
    if len(word) > 1 and not any(c in "aeiouyáéíóúýæøåäöüœ" for c in word):
        return "has no vowel, as abbreviations and units have none"
    if len(word) == 1 and word not in "aiuáíåöôú":
        return "is a single letter"
    if use.capitalised[word] > 0.5 * use.uses[word]:
        return "is mostly capitalised, as names are"
    if use.documents[word] < 0.5 * STOP_WORD_SHARE * n:
        return f"occurs in {use.documents[word] / n:.0%} of the documents alone"
    return ""


def lint(
    thresholds: QualityThresholds,
    reference: Mapping[str, Sequence[str]],
    most_removed: float = 0.05,
    seed: int = 0,
) -> list[Complaint]:
    """Report limits that filter nothing or too much, and suspicious stop words.

    A limit filters nothing when it lets every document of the reference pass and every one of the
    same documents half spoilt (`spoil`), for each way of spoiling that its metric sees.

    Args:
        thresholds: The limits.
        reference: Documents by language; languages of the limits that are missing are reported.
        most_removed: Largest share of the reference that one limit, and that all of them together,
            may remove.
        seed: Of the order of spoilt words.
    """
    complaints = []
    for tag, quality in thresholds.languages.items():
        documents = reference.get(tag, ())
        if not documents:
            complaints.append(Complaint(tag, "reference", "is missing, nothing could be checked"))
            continue
        words, use = frozenset(quality.stop_words), _use(documents)
        measured = [measure(text, words) for text in documents]
        rotten = [measure(bad, words) for text in documents[:200] for bad in spoil(text, seed)]
        for name, limit in quality.limits.items():
            share = sum(not limit.allows(getattr(m, name)) for m in measured) / len(measured)
            if share > most_removed:
                complaints.append(
                    Complaint(
                        tag, name, f"removes {share:.1%} of the reference, over {most_removed:.1%}"
                    )
                )
            elif not share and all(limit.allows(getattr(m, name)) for m in rotten):
                complaints.append(Complaint(tag, name, "filters nothing, of spoilt text neither"))
        rules = [*PROFILES["curated"].items(), *quality.limits.items()]
        share = sum(not judge(m, rules).kept for m in measured) / len(measured)
        if share > most_removed:
            complaints.append(
                Complaint(
                    tag,
                    "all limits",
                    f"remove {share:.1%} of the reference, over {most_removed:.1%}",
                )
            )
        for word in quality.stop_words:
            if problem := _suspicion(word, use, len(documents)):
                complaints.append(Complaint(tag, word, f"as a stop word {problem}"))
    return complaints


def spoil(text: str, seed: int = 0) -> list[str]:
    """Return a text spoilt in the ways that the filter is there for, each by about a half.

    Lines and 2-grams repeated, one word a line, bullets, cut lines, numbers and signs for words,
    words glued together, words cut to letters, stop words lost.

    Args:
        text: Any text; an empty one is taken for one word.
        seed: Of the shuffled words and the numbers; with the text it decides all of them.

    Returns:
        One text for each way, always in this order.
    """
    words = text.split() or ["x"]
    stream = random.Random(int(fingerprint([text, seed])[:12], 16))
    half = len(words) // 2 + 1
    first = " ".join(words[:half])
    pair = " ".join(words[:2])
    shuffled = words[:]
    stream.shuffle(shuffled)
    return [
        "\n".join([text, first, first, first]),
        " ".join([*words, *[pair] * half]),
        first + "\n" + "\n".join(words[half:]),
        "\n".join(f"- {word}" for word in words),
        "\n".join(f"{word}..." for word in words),
        " ".join([*words[:half], *["#"] * half]),
        " ".join([*words[:half], *[str(stream.randrange(10**4)) for _ in range(half)]]),
        " ".join(a + b + c for a, b, c in zip(words[::3], words[1::3], words[2::3], strict=False)),
        " ".join(letter for word in words for letter in word),
        " ".join(word for word in shuffled if len(word) > 5),
    ]
