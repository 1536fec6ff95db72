"""Peak memory of deduplication on a synthetic stream: `python benchmarks/_dedup_memory.py 5 130`.

Arguments: gigabytes of text and bytes a document. Nothing of the stream is kept, so what is measured is ours.
One in five documents is a near-copy of one before it, at a distance of up to 1,000 documents.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _machine import peak_bytes
from _options import Parser
from skald_corpus.dedup import exact, minhash
from skald_corpus.dedup.clusters import Clusters
from skald_specs.corpus import Document
from skald_specs.dedup import NearDuplicates

#: Bytes of a made-up word with the space behind it.
_WORD_BYTES = 7
_BLOCK, _TYPES = 1000, 200_000


@dataclass
class Stream:
    """Made-up documents, and how many and how large they were."""

    n_bytes: int
    document_bytes: int
    n_documents: int = 0
    seen: int = 0

    def documents(self) -> Iterator[Document]:
        """Yield documents until there are enough bytes."""
        words = np.array([f"{i * 7919 % 16**6:06x}" for i in range(_TYPES)])
        length, rng = max(2, self.document_bytes // _WORD_BYTES), np.random.default_rng(1)
        self.n_documents = self.seen = 0
        while self.seen < self.n_bytes:
            block = rng.integers(0, _TYPES, (_BLOCK, length))
            copies = np.flatnonzero(rng.random(_BLOCK) < 0.2)
            copies = copies[copies > 0]
            block[copies] = block[(rng.random(len(copies)) * copies).astype(int)]
            block[copies, rng.integers(0, length, len(copies))] = 0
            for row in words[block].tolist():
                text = " ".join(row)
                yield Document(id=f"synthetic/part-{self.n_documents:012}", text=text)
                self.n_documents += 1
                self.seen += len(text)


def peak_mb() -> float:
    """Largest resident memory of this process so far, in units of 2**20 bytes."""
    return peak_bytes() / 2**20


def drain(found: Clusters) -> tuple[int, int]:
    """Walk all verdicts; return how many stay and how many go."""
    kept = total = 0
    for verdict in found.verdicts():
        kept += verdict.kept
        total += 1
    return kept, total - kept


def report(stage: str, stream: Stream, start: float, folder: Path) -> None:
    """Print a line about a stage."""
    disk = sum(path.stat().st_size for path in folder.rglob("*.bin"))
    print(
        f"{stage:<16} peak {peak_mb():7.0f} MB   {time.process_time() - start:7.1f} CPU s   "
        f"{stream.n_documents:,} documents   disk {disk / max(1, stream.n_documents):.0f} bytes "
        "a document",
        flush=True,
    )


def run_exact(stream: Stream, scratch: Path) -> None:
    """Find the exact duplicates of the stream."""
    start = time.process_time()
    exact.write_part(stream.documents(), scratch / "exact")
    report("exact, hashing", stream, start, scratch)
    with exact.exact_clusters([scratch / "exact"]) as found:
        print("kept, removed", drain(found))
    report("exact, clusters", stream, start, scratch)
    shutil.rmtree(scratch / "exact")


def main(
    gigabytes: float, document_bytes: int, scratch: Path, verify: bool, exact_too: bool
) -> None:
    """Run deduplication over the stream."""
    stream = Stream(int(gigabytes * 1e9), document_bytes)
    print(f"{gigabytes:g} GB, {document_bytes} bytes a document, start {peak_mb():.0f} MB")
    if exact_too:
        run_exact(stream, scratch)
    rule = NearDuplicates(verify_jaccard=0.72 if verify else None)
    start = time.process_time()
    minhash.write_part(stream.documents(), scratch / "near", rule)
    report("near, sketching", stream, start, scratch)
    with minhash.near_clusters([scratch / "near"], rule) as near:
        print("kept, removed", drain(near))
    report("near, clusters", stream, start, scratch)


if __name__ == "__main__":
    parser = Parser(description=__doc__, allow_abbrev=False)
    parser.add_argument("gigabytes", type=float, help="of text")
    parser.add_argument("document_bytes", type=int, help="130 is a sentence, 2000 a web page")
    parser.add_argument("folder", nargs="?", help="for the parts")
    parser.add_argument("--verify", action="store_true", help="compare the pairs that are found")
    parser.add_argument("--near", action="store_true", help="leave the exact step out")
    given = parser.read()
    with tempfile.TemporaryDirectory(dir=given.folder) as made:
        main(
            given.gigabytes, given.document_bytes, Path(made), verify=given.verify, exact_too=not given.near,
        )  # fmt: skip
