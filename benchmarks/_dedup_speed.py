"""MB/s of MinHash on one core against datasketch and rensa, in one run on the same text.

Not a session: neither peer is an installed dependency. `pip install datasketch rensa`, then
`OMP_NUM_THREADS=1 python benchmarks/_dedup_speed.py TEXT_DIR`; TEXT_DIR has `<lang>/train.jsonl.gz`.

All get the same normalised words and make 112 permutations, 14 bands of 8 and clusters. Each peer
is used as its documentation says is fastest: datasketch with XXH3 as its hash, `update_batch` and
`MinHashLSH`; rensa with its batch digests and its inline deduplicator.
"""

from __future__ import annotations

import gzip
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import datasketch
import rensa
import xxhash
from skald_corpus.dedup import minhash
from skald_corpus.words import words
from skald_specs.corpus import Document
from skald_specs.dedup import NearDuplicates

ROUNDS = 5
RULE = NearDuplicates()
N = RULE.bands * RULE.rows


def shingled(text: str) -> list[str]:
    """Return the word 5-grams of a text."""
    found = words(text)
    n = RULE.shingle_words
    return [" ".join(found[i : i + n]) for i in range(max(1, len(found) - n + 1))]


def ours(documents: list[Document]) -> int:
    """Number of documents that stay."""
    with tempfile.TemporaryDirectory() as folder:
        minhash.write_part(documents, Path(folder) / "part", RULE)
        with minhash.near_clusters([Path(folder) / "part"], RULE) as found:
            return sum(verdict.kept for verdict in found.verdicts())


def with_datasketch(documents: list[Document]) -> int:
    """The same with datasketch: sketch, query, insert where nothing is found."""
    index = datasketch.MinHashLSH(num_perm=N, params=(RULE.bands, RULE.rows))
    first = datasketch.MinHash(num_perm=N, scheme="affine64", hashfunc=xxhash.xxh3_64_intdigest)
    kept = 0
    for document in documents:
        sketch = first.copy()
        sketch.update_batch([gram.encode() for gram in shingled(document.text)])
        if not index.query(sketch):
            index.insert(document.id, sketch, check_duplication=False)
            kept += 1
    return kept


def with_rensa(documents: list[Document]) -> int:
    """The same with rensa's R-MinHash: digests in bulk, then its LSH index."""
    index = rensa.RMinHashLSH(threshold=RULE.threshold, num_perm=N, num_bands=RULE.bands)
    kept = 0
    for start in range(0, len(documents), 1024):
        batch = documents[start : start + 1024]
        grams = [shingled(document.text) for document in batch]
        matrix = rensa.RMinHash.digest_matrix_from_token_sets(grams, num_perm=N, seed=1)
        flags = index.insert_matrix_and_query_duplicate_flags(matrix, start)
        kept += len(flags) - sum(flags)
    return kept


def measured(run: Callable[[list[Document]], int], documents: list[Document]) -> tuple[float, int]:
    """Return CPU seconds and the number kept."""
    start = time.process_time()
    kept = run(documents)
    return time.process_time() - start, kept


def main(folder: Path) -> None:
    """Measure in turn, and print medians and ratios."""
    documents = []
    for path in sorted(folder.glob("*/train.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as stream:
            rows = [json.loads(line) for line in stream]
        documents += [Document(id=f"{path}:{i}", text=row["text"]) for i, row in enumerate(rows)]
    joined = [
        Document(id=f"{i}", text="\n".join(d.text for d in documents[i : i + 20]))
        for i in range(0, len(documents), 20)
    ]
    runs = {"skald": ours, "datasketch": with_datasketch, "rensa": with_rensa}
    for name, texts in (("sentences", documents), ("documents of 20 sentences", joined)):
        size = sum(len(d.text.encode()) for d in texts) / 1e6
        seconds: dict[str, list[float]] = {peer: [] for peer in runs}
        kept = {}
        for _ in range(ROUNDS):
            for peer, run in runs.items():
                taken, kept[peer] = measured(run, texts)
                seconds[peer].append(taken)
        mine = statistics.median(seconds["skald"])
        print(f"{name}: {len(texts)} texts, {size:.1f} MB")
        for peer, all_taken in seconds.items():
            middle = statistics.median(all_taken)
            print(
                f"  {peer:<11} {size / middle:6.2f} MB/s/core  skald is {middle / mine:5.2f}x  "
                f"kept {kept[peer]}"
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
