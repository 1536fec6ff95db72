"""Documents of real text, and what is planted among them: near-copies, and items in other forms.

Every choice is a pure function of names (`skald_corpus.keyed`), so a figure repeats.
"""

from __future__ import annotations

import gzip
import json
import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from skald_corpus.keyed import Stream
from skald_corpus.words import words
from skald_specs.claims import Measure

REAL_TEXT = Path(os.environ.get("SKALD_REAL_TEXT") or "../shared/testdata")
#: Sentences of one document: some 200 words, so that one changed word moves the similarity little.
SENTENCES = 12


def read_texts(path: Path) -> list[str]:
    """Return the texts of a gzipped JSONL file."""
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return [str(json.loads(line)["text"]) for line in stream]


def languages() -> list[str]:
    """Return the languages with training text."""
    return sorted(path.parent.name for path in REAL_TEXT.glob("ud/*/train.jsonl.gz"))


def pages(language: str) -> list[str]:
    """Return documents of consecutive training sentences, one a line."""
    texts = read_texts(REAL_TEXT / "ud" / language / "train.jsonl.gz")
    return ["\n".join(texts[i : i + SENTENCES]) for i in range(0, len(texts), SENTENCES)]


def ngrams(text: str, n: int) -> set[tuple[str, ...]]:
    """Return the set of a text's word n-grams, by words and without any hash."""
    found = words(text)
    return {tuple(found[i : i + n]) for i in range(len(found) - n + 1)}


def similarity(one: str, other: str, n: int) -> float:
    """Return the Jaccard similarity of the n-gram sets of two texts."""
    a, b = ngrams(one, n), ngrams(other, n)
    return len(a & b) / max(1, len(a | b))


def near_copy(stream: Stream, text: str, vocabulary: Sequence[str], wanted: float, n: int) -> str:
    """Exchange, leave out and put in words until the similarity is no more than wanted.

    Args:
        stream: Choices.
        text: The original.
        vocabulary: Words to put in.
        wanted: Jaccard similarity of the n-gram sets.
        n: Words of an n-gram.
    """
    tokens = [[token] for token in text.split()]
    # A changed word costs about n of the n-grams; near the end they are changed one by one.
    order = stream.shuffled(range(len(tokens)))
    at, changed = 0, text
    while (now := similarity(text, changed, n)) > wanted and at < len(order):
        step = max(1, int((now - wanted) * len(tokens) / (4 * n)))
        for place in order[at : at + step]:
            kind = stream.below(3)
            word = stream.pick(vocabulary)
            tokens[place] = [[word], [], [*tokens[place], word]][kind]
        at += step
        changed = " ".join(token for some in tokens for token in some)
    return changed


_QUOTES = str.maketrans(dict.fromkeys("\"'’‘“”„«`", "»") | {"-": "–", ",": " ,"})
FORMS = ("as it is", "NFD", "other quotes", "upper case", "all three")


def in_form(text: str, form: str) -> str:
    """Return a text in another form that says the same."""
    quoted = text.translate(_QUOTES) if form in ("other quotes", "all three") else text
    cased = quoted.upper() if form in ("upper case", "all three") else quoted
    return unicodedata.normalize("NFD", cased) if form in ("NFD", "all three") else cased


def look_alike(stream: Stream, text: str, vocabulary: Sequence[str], every: int) -> str:
    """Exchange every n-th word, so that no run of n words is left."""
    found = words(text)
    for place in range(every - 1, len(found), every):
        others = [w for w in words(stream.pick(vocabulary)) if w != found[place]]
        found[place] = others[0] if others else "andet"
    return " ".join(found)


def absent(names: Sequence[str], bound: str = "") -> list[Measure]:
    """Return measures that could not be taken, because there is no real text."""
    return [
        Measure(
            measure=name,
            value=None,
            unit="",
            bound=bound,
            holds=None,
            detail="no real text at $SKALD_REAL_TEXT",
        )
        for name in names
    ]
