"""Figures of a text's form: repetition, lines, words. Pure counts, no thresholds.

Definitions follow Gopher (Rae et al. 2021, arXiv 2112.11446, appendix A.1.1) and FineWeb (Penedo et
al. 2024, arXiv 2406.17557, section 3.5); where a count differs, the docstring says how and why.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, fields
from itertools import pairwise

_BULLETS = ("-", "*", "•", "‣", "·", "–", "●", "▪")
LINE_ENDS = (".", "!", "?", ":", ";", '"', "”", "“", "»", "«", "’", "'", ")", "…")
_LETTER = re.compile(r"[^\W\d_]")
_DUPLICATE_N = 5


@dataclass(frozen=True, slots=True)
class Metrics:
    """Figures of one text; shares lie in [0, 1].

    Args:
        n_words: White-space separated words.
        mean_word_length: Characters a word.
        alphabetic_share: Share of words with at least one letter.
        symbol_ratio: `#` and ellipses a word.
        stop_words: Distinct stop words of the language that occur with white space on both sides.
        duplicate_line_share: Characters of lines that repeat an earlier line, of all characters.
        duplicate_5gram_share: Characters of words inside a word 5-gram that occurred before, of all
            characters of words, each counted once. The first occurrence is not counted: it is text.
        top_2gram_share: Characters of the commonest word 2-gram, of all characters of words; 0 where
            none occurs twice, so that a short text is not held against itself.
        line_end_share: Share of lines that end in punctuation.
        bullet_line_share: Share of lines that begin with a bullet.
        ellipsis_line_share: Share of lines that end in an ellipsis.
        new_line_ratio: Line breaks a word.
    """

    n_words: int
    mean_word_length: float
    alphabetic_share: float
    symbol_ratio: float
    stop_words: int
    duplicate_line_share: float
    duplicate_5gram_share: float
    top_2gram_share: float
    line_end_share: float
    bullet_line_share: float
    ellipsis_line_share: float
    new_line_ratio: float


METRICS: tuple[str, ...] = tuple(field.name for field in fields(Metrics))


def measure(text: str, stop_words: frozenset[str] = frozenset()) -> Metrics:
    """Measure a text in one pass over its words and one over its lines.

    Args:
        text: Any text.
        stop_words: Lower-case stop words of its language.
    """
    words = text.split()
    n = len(words)
    length = sum(map(len, words))
    lines = [line for line in map(str.strip, text.split("\n")) if line]
    n_lines = max(len(lines), 1)
    # Nearly every word is letters throughout, which one call into C tells.
    odd = [word for word in words if not word.isalpha()]
    letters = n - len(odd) + sum(_LETTER.search(word) is not None for word in odd)
    symbols = text.count("#") + text.count("…") + text.count("...")
    return Metrics(
        n_words=n,
        mean_word_length=length / n if n else 0.0,
        alphabetic_share=letters / n if n else 0.0,
        symbol_ratio=symbols / n if n else 0.0,
        stop_words=len(stop_words.intersection(text.lower().split())) if stop_words else 0,
        duplicate_line_share=_duplicate_lines(lines),
        duplicate_5gram_share=_duplicate_ngrams(words, length),
        top_2gram_share=_top_2gram(words, length),
        line_end_share=sum(line.endswith(LINE_ENDS) for line in lines) / n_lines,
        bullet_line_share=sum(line.startswith(_BULLETS) for line in lines) / n_lines,
        ellipsis_line_share=sum(line.endswith(("…", "...")) for line in lines) / n_lines,
        new_line_ratio=(len(lines) - 1) / n if n and lines else 0.0,
    )


def _duplicate_lines(lines: list[str]) -> float:
    if len(set(lines)) == len(lines):
        return 0.0
    seen: set[str] = set()
    twice = 0
    for line in lines:
        if line in seen:
            twice += len(line)
        seen.add(line)
    return twice / sum(map(len, lines))


def _duplicate_ngrams(words: list[str], length: int) -> float:
    if len(set(words)) > len(words) - _DUPLICATE_N:
        return 0.0  # a repeated 5-gram repeats five words
    grams = list(zip(*(words[i:] for i in range(_DUPLICATE_N)), strict=False))
    if len(set(grams)) == len(grams):
        return 0.0
    seen: set[tuple[str, ...]] = set()
    covered = bytearray(len(words))
    for start, gram in enumerate(grams):
        if gram in seen:
            covered[start : start + _DUPLICATE_N] = b"\1" * _DUPLICATE_N
        seen.add(gram)
    return sum(len(word) for word, flag in zip(words, covered, strict=True) if flag) / length


def _top_2gram(words: list[str], length: int) -> float:
    grams = list(pairwise(words))
    if len(set(grams)) == len(grams):
        return 0.0
    counts = Counter(grams)
    most = max(counts.values())
    # Of equally common ones the longest, so that the order of words is of no matter.
    longest = max(len(a) + len(b) for (a, b), count in counts.items() if count == most)
    # A gram of one word twice overlaps itself; no share is above 1.
    return min(1.0, most * longest / length)
