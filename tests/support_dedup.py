"""What tests of deduplication share: near-copies of a text at a wanted similarity."""

import gzip
import json
import random

from skald_corpus.dedup import minhash
from skald_corpus.words import words
from skald_specs.corpus import Document
from support import REAL_TEXT


def ngrams(text: str, n: int = 5) -> set:
    found = words(text)
    return {tuple(found[i : i + n]) for i in range(max(1, len(found) - n + 1))} if found else set()


def similarity(one: str, other: str, n: int = 5) -> float:
    a, b = ngrams(one, n), ngrams(other, n)
    return len(a & b) / len(a | b) if a | b else 0.0


def near_copy(rng: random.Random, text: str, wanted: float) -> str:
    """Replace words one by one until the similarity of the 5-gram sets is no more than wanted."""
    changed, tokens = text, text.split()
    places = list(range(len(tokens)))
    rng.shuffle(places)
    for place in places:
        if similarity(text, changed) <= wanted:
            break
        tokens[place] = f"erstattet{rng.randrange(10**6)}"
        changed = " ".join(tokens)
    return changed


def sentences(language: str, split: str = "train") -> list[str]:
    with gzip.open(REAL_TEXT / "ud" / language / f"{split}.jsonl.gz", "rt", encoding="utf-8") as f:
        return [json.loads(line)["text"] for line in f]


def made_up(rng: random.Random, n_words: int = 60, n_types: int = 400) -> str:
    return " ".join(f"ord{rng.randrange(n_types)}" for _ in range(n_words))


def documents(texts, prefix: str = "doc") -> list[Document]:
    return [Document(id=f"{prefix}-{i:06}", text=text) for i, text in enumerate(texts)]


def write_part(args):
    """Sketch a part; a worker process finds it here, and not in a test module."""
    texts, path, rule = args
    minhash.write_part([Document(id=i, text=t) for i, t in texts], path, rule)
