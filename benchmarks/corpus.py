"""`nox -s bench -- corpus`: filters, deduplication and tokens against datatrove, on one core.

Both sides read the same JSON lines of eight languages, judge them by the same limits of the same three
filters (repetition, quality, lines), find near-duplicates by 14 x 8 minima of word 5-grams, mask personal
data, and write token shards with the same tokenizer. Ours also joins the parts, keeps every reason, masks
seven more kinds of personal data and writes the text that is left; datatrove splits words by spaCy, as it
always does for these languages. Neither identifies languages: datatrove's models cannot be had offline.

CPU seconds in processes that have already done the work once, A B A B, medians of the ratios. datatrove runs in
an environment of its own (`nox -s scale`) and times itself; its steps are called one after the other,
with no more files between them than they need and without shuffling.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

# Both sides use one thread; the tokenizers library reads this when it first encodes.
os.environ["TOKENIZERS_PARALLELISM"] = "false"

from _conclude import conclude
from _corpus_generator import measures as generator_measures
from _corpus_text import peer_filters, reference, write_documents
from _options import options
from skald_corpus.build import encode
from skald_corpus.filters.quality import shipped_thresholds
from skald_corpus.ingest import Texts
from skald_corpus.pipeline.pool import Pool
from skald_corpus.pipeline.rows import json_rows, parts
from skald_corpus.pipeline.run import Pipeline
from skald_corpus.tokenizer import train_tokenizer
from skald_specs.claims import Measure
from skald_specs.corpus import END_OF_TEXT
from skald_specs.recipe import CorpusRecipe
from skald_specs.shards import write_shard
from skald_specs.sources import SourcesFile
from skald_specs.stages import STAGES
from tokenizers import Tokenizer

TEXT = Path(os.environ.get("SKALD_REAL_TEXT") or Path("..", "shared", "testdata")) / "ud"
PEER = Path(".nox/scale/bin/python")
PAIRS = 5
PROFILE = "web"
#: Stages that datatrove's side has, too; the others of ours are timed apart.
COMMON = ("ingest", "quality", "pii", "near", "split")
LEAST_PIPELINE, LEAST_TOKENS, LEAST_AGREEMENT = 3.0, 1.0, 0.98


class Job(NamedTuple):
    """What both sides work on."""

    text: Path
    n_bytes: int
    tags: list[str]
    tokenizer: Path
    recipe: CorpusRecipe


class Peer:
    """datatrove in its own Python, which answers one command at a time."""

    def __init__(self, job: Job, folder: Path) -> None:
        thresholds = shipped_thresholds()
        told = {
            "text": str(job.text),
            "tokenizer": str(job.tokenizer),
            "end_of_text": END_OF_TEXT,
            "filters": {
                tag: {**peer_filters(thresholds, tag, PROFILE), "reference": reference(TEXT, tag)}
                for tag in job.tags
            },
        }
        (folder / "job.json").write_text(json.dumps(told), encoding="utf-8")
        self._log = folder / "peer.log"
        self._process = subprocess.Popen(
            (PEER.absolute(), "benchmarks/_corpus_peer.py", folder / "job.json"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log.open("w"),
            text=True,
        )

    def ask(self, command: str, out: Path) -> dict[str, Any]:
        """Have one command done and return the answer."""
        assert self._process.stdin is not None and self._process.stdout is not None
        print(command, out, file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"datatrove's side ended:\n{self._log.read_text()[-2000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


def main() -> int:
    """Measure and conclude."""
    given = options(__doc__)
    missing = "" if PEER.is_file() else "datatrove is not there: run `nox -s scale` first"
    missing = missing if TEXT.is_dir() else f"no real text at {TEXT}, see CONTRIBUTING.md"
    measures = _missing(missing) if missing else _against_datatrove()
    return conclude("corpus", "bench", [*measures, *generator_measures()], given)


def _missing(reason: str) -> list[Measure]:
    rows = (
        (_NAMES[0], "x", LEAST_PIPELINE), (_NAMES[1], "", LEAST_AGREEMENT), (_NAMES[2], "x", LEAST_TOKENS),
    )  # fmt: skip
    return [
        Measure(
            measure=name, value=None, unit=unit, bound=f">= {least:g}", holds=None, detail=reason
        )
        for name, unit, least in rows
    ]


_NAMES = (
    "filters, near-duplicates and tokens against datatrove",
    "documents on which datatrove decides alike",
    "tokens and shards against datatrove",
)


def _against_datatrove() -> list[Measure]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        job = _job(folder)
        with Peer(job, folder) as peer:
            # Unmeasured, so that no import, no table and no first word is in the figures.
            theirs = peer.ask("decide", folder / "decide")["reasons"]
            _pipeline(job, folder / "first")
            mine = _reasons(folder / "first", job.tags)
            pipeline = _pairs(
                folder, peer, "pipeline", lambda out: _pipeline(job, out), job.n_bytes
            )
            peer.ask("tokenise", folder / "t-first-peer")
            _tokenise(job, folder / "t-first")
            same = sum(
                (folder / "t-first" / f"{tag}.ds").read_bytes()
                == next((folder / "t-first-peer" / tag / "tokens").glob("*.ds")).read_bytes()
                for tag in job.tags
            )
            told = _agreement(job, mine, theirs)
            tokens = _pairs(folder, peer, "tokenise", lambda out: _tokenise(job, out), job.n_bytes)
    return [
        _ratio(_NAMES[0], pipeline, LEAST_PIPELINE, f"{job.n_bytes / 1e6:.1f} MB"),
        told,
        _ratio(
            _NAMES[2], tokens, LEAST_TOKENS, f"{same} of {len(job.tags)} shards are the same bytes"
        ),
    ]


def _job(folder: Path) -> Job:
    """Write the text and train the tokenizer; not timed."""
    text = folder / "text"
    n_bytes = write_documents(TEXT, text)
    tags = sorted(path.name for path in text.iterdir())
    recipe = CorpusRecipe.check(
        {
            "source": str(text),
            "languages": tags,
            "tokenizer": {"vocab_size": 8192, "sampling_exponent": 0.3, "sample_bytes": 2_000_000},
        },
        "benchmark",
    )
    texts = {
        tag: [document.text for document in Texts(text, tag, recipe).of("train")] for tag in tags
    }
    train_tokenizer(texts, recipe.tokenizer).save(str(folder / "tokenizer.json"))
    return Job(text, n_bytes, tags, folder / "tokenizer.json", recipe)


class Pairs(NamedTuple):
    """What all pairs took: ours, ours with the stages that datatrove's side lacks, theirs; MB/s."""

    common: list[float]
    everything: list[float]
    peer: list[float]


def _pairs(
    folder: Path, peer: Peer, command: str, ours: Callable[[Path], tuple[float, float]], size: int
) -> Pairs:
    found = Pairs([], [], [])
    for i in range(PAIRS):
        common, everything = ours(folder / f"{command}-{i}")
        theirs = peer.ask(command, folder / f"{command}-peer-{i}")["seconds"]
        for speeds, seconds in zip(found, (common, everything, theirs), strict=True):
            speeds.append(size / 1e6 / seconds)
    return found


def _pipeline(job: Job, out: Path) -> tuple[float, float]:
    """Take all text through our stages to shards; return CPU seconds of the common ones, of all."""
    sources = SourcesFile.check(
        {
            "schema_version": 1,
            "name": "bench",
            "about": "benchmark",
            "sources": [
                {
                    "id": tag, "language": tag, "kind": PROFILE, "licence": "CC0-1.0",
                    "path": f"{tag}/train.jsonl",
                }
                for tag in job.tags
            ],
            "quality": {},
            "pii": {},
            "duplicates": {"exact": False},
        },
        "benchmark",
    )  # fmt: skip
    common = everything = 0.0
    with Pool(1) as pool:
        made = Pipeline(sources, job.text, out, pool, say=lambda _: None)
        for stage in STAGES:
            start = time.process_time()
            made.run([stage])
            seconds = time.process_time() - start
            everything += seconds
            common += seconds if stage in COMMON else 0.0
    seconds, _ = _tokenise(job._replace(text=out / "split"), out / "shards")
    return common + seconds, everything + seconds


def _tokenise(job: Job, out: Path) -> tuple[float, float]:
    """Write the shards of a folder's training text as `skald corpus build` does."""
    out.mkdir()
    start = time.process_time()
    tokenizer = Tokenizer.from_file(str(job.tokenizer))
    tokenizer.encode_special_tokens = True
    for tag in job.tags:
        documents = Texts(job.text, tag, job.recipe).of("train")
        tokens = encode(documents, tokenizer, array("Q"))
        write_shard(out / f"{tag}.ds", tokens, tokenizer.get_vocab_size())
    seconds = time.process_time() - start
    return seconds, seconds


def _reasons(root: Path, tags: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return why our documents went, by language and id."""
    found: dict[str, dict[str, str]] = {tag: {} for tag in tags}
    for part in parts(root):
        for stage in ("quality", "near"):
            for row in json_rows(part.file(root / stage, "removed")):
                found[part.language][row["id"].split("/", 1)[1]] = row["reason"]
    return found


def _ratio(name: str, pairs: Pairs, least: float, detail: str) -> Measure:
    ratios = [ours / theirs for ours, theirs in zip(pairs.common, pairs.peer, strict=True)]
    mine, full, peer = (statistics.median(speeds) for speeds in pairs)
    whole = "" if full == mine else f", {full:.2f} with rights, normalising and all else that is on"
    return Measure(
        measure=name,
        value=round(statistics.median(ratios), 2),
        unit="x",
        bound=f">= {least:g}",
        holds=statistics.median(ratios) >= least,
        detail=f"{mine:.2f} MB/s a core{whole}; datatrove {peer:.2f}; {min(ratios):.2f} to "
        f"{max(ratios):.2f} over {PAIRS} pairs; {detail}",
    )


def _agreement(
    job: Job, mine: dict[str, dict[str, str]], theirs: dict[str, dict[str, str]]
) -> Measure:
    total, alike, both, apart = 0, 0, 0, Counter[str]()
    for tag in job.tags:
        for row in json_rows(job.text / tag / "train.jsonl"):
            a, b = mine[tag].get(row["id"], ""), theirs[tag].get(row["id"], "")
            total += 1
            both += bool(a and b)
            alike += bool(a) == bool(b)
            if bool(a) != bool(b):
                apart[f"{a} here" if a else f"{b} there"] += 1
    either = both + total - alike
    told = ", ".join(f"{n} {reason}" for reason, n in apart.most_common())
    return Measure(
        measure=_NAMES[1],
        value=round(alike / total, 4),
        unit="",
        bound=f">= {LEAST_AGREEMENT:g}",
        holds=alike >= LEAST_AGREEMENT * total,
        detail=f"{total} documents; of {either} that either removes, both remove {both}; apart, by the "
        f"reason: {told}",
    )


if __name__ == "__main__":
    sys.exit(main())
