"""datatrove's side of `bench -- corpus`, run by the Python of `.nox/scale`; it times itself.

`python benchmarks/_corpus_peer.py JOB.json` reads a command a line and answers each with a line of JSON:
`pipeline DIR` (filters, MinHash, personal data, tokens), `decide DIR` (the same, and why documents went),
`tokenise DIR` (tokens alone). Steps are called one after the other, without an executor, so that no start of
a process is in the figures.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import xxhash

# Read once, when datatrove is imported.
os.environ.setdefault("LOGURU_LEVEL", "ERROR")
from datatrove.pipeline.dedup import (
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.filters import (
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.pipeline.formatters import PIIFormatter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.tokens import DocumentTokenizer
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.text import TextNormConfig, split_into_words

#: As near to our normalisation of words as it goes: letters keep their marks, numbers their digits.
CONFIG = MinhashConfig(
    norm_config=TextNormConfig(norm_unicode_diacritics=False, norm_numbers=False)
)


def ran(steps: Sequence[Any], rank: int = 0, world_size: int = 1) -> None:
    """Pipe documents from step to step, as the executor does for one rank."""
    data = None
    for step in steps:
        data = step(data, rank, world_size)
    if data:
        deque(data, maxlen=0)


def pipeline(job: dict[str, Any], tag: str, out: Path, with_reasons: bool = False) -> None:
    """Take one language from text to tokens."""
    told = job["filters"][tag]

    def gone(name: str) -> JsonlWriter | None:
        folder = str(out / tag / "gone" / name)
        return JsonlWriter(folder, compression=None) if with_reasons else None

    language = told["language"]
    filtered = str(out / tag / "filtered")
    sketches, pairs, removed = (str(out / tag / name) for name in ("sketches", "pairs", "removed"))
    stop_chars = tuple(told["fineweb"]["stop_chars"])
    signature = MinhashDedupSignature(sketches, CONFIG, language=language)
    # Its own hash hands text to xxhash, which takes bytes alone since version 4; this is the same hash.
    signature._hash_func = lambda text: xxhash.xxh64_intdigest(text.encode())
    # One pass: the writer hands documents on to the sketches.
    ran([
        JsonlReader(job["text"], glob_pattern=f"{tag}/train.jsonl"),
        GopherRepetitionFilter(
            **told["repetition"], language=language, exclusion_writer=gone("repetition")
        ),
        GopherQualityFilter(**told["quality"], language=language, exclusion_writer=gone("quality")),
        FineWebQualityFilter(
            **{**told["fineweb"], "stop_chars": stop_chars},
            language=language,
            exclusion_writer=gone("fineweb"),
        ),
        JsonlWriter(filtered, compression=None),
        signature,
    ])  # fmt: skip
    for bucket in range(CONFIG.num_buckets):
        ran([MinhashDedupBuckets(sketches, pairs, config=CONFIG)], bucket, CONFIG.num_buckets)
    ran([MinhashDedupCluster(pairs, removed, config=CONFIG)])
    ran([
        JsonlReader(filtered),
        MinhashDedupFilter(removed, exclusion_writer=gone("near-duplicate")),
        PIIFormatter(),
        _tokenizer(job, out / tag),
    ])  # fmt: skip


def _tokenizer(job: dict[str, Any], out: Path) -> DocumentTokenizer:
    return DocumentTokenizer(
        str(out / "tokens"),
        job["tokenizer"],
        eos_token=job["end_of_text"],
        shuffle_documents=False,
        save_final_metadata=False,
    )


def decisions(job: dict[str, Any], tag: str, out: Path) -> dict[str, str]:
    """Return the reason of each document that went, by id."""
    pipeline(job, tag, out, with_reasons=True)
    found = {}
    for path in (out / tag / "gone").glob("*/*.jsonl"):
        for line in path.read_text(encoding="utf-8").split("\n")[:-1]:
            row = json.loads(line)
            name = path.parent.name
            found[row["id"]] = row.get("metadata", {}).get("filter_reason") or name
    return found


def words_per_token(text: str, language: str) -> float:
    """Return white-space separated words for each of datatrove's, which count punctuation marks."""
    return len(text.split()) / len(split_into_words(text, language))


def main(job: dict[str, Any]) -> None:
    """Answer commands until there are no more."""
    # Steps write their progress to the screen; the answers keep it to themselves.
    answers, sys.stdout = sys.stdout, sys.stderr
    for told in job["filters"].values():
        share = words_per_token(told.pop("reference"), told["language"])
        if told["quality"]["max_non_alpha_words_ratio"] is not None:
            told["quality"]["max_non_alpha_words_ratio"] *= share
    for line in sys.stdin:
        command, folder = line.split()
        out, reasons = Path(folder), {}
        start = time.process_time()
        for tag in job["filters"]:
            if command == "decide":
                reasons[tag] = decisions(job, tag, out)
            elif command == "pipeline":
                pipeline(job, tag, out)
            else:
                reader = JsonlReader(job["text"], glob_pattern=f"{tag}/train.jsonl")
                ran([reader, _tokenizer(job, out / tag)])
        seconds = time.process_time() - start
        print(json.dumps({"seconds": seconds, "reasons": reasons}), file=answers, flush=True)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
