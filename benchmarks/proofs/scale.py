"""`nox -s prove -- scale`: 5 GB of text pass through all stages in at most 2 GB of memory.

The text is a synthetic stream: documents of ten sentences drawn from the generator's, one in ten an
exact copy and one in ten a near-copy of one before. It takes about an hour on two cores and 20 GB of
disk; `--gigabytes=0.5` is a trial.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

# What all share lies in the folder above.
sys.path.append(str(Path(__file__).parents[1]))

import orjson
import psutil
from _conclude import conclude
from _options import Amount, options
from skald_corpus.generate import fresh
from skald_corpus.grammar.register import LANGUAGES
from skald_specs.claims import Measure
from skald_specs.files import read_yaml, write_yaml
from skald_specs.funnel import Funnel
from skald_specs.stages import STAGES

GIGABYTES = Amount("gigabytes", 5.0, 5.0, "of text, in three languages")
#: Bound of the whole tree of processes, in bytes.
MOST_MEMORY = 2e9
_TAGS = ("da", "de", "sv")
_SENTENCES, _A_DOCUMENT, _FILE_BYTES = 30_000, 10, 500_000_000
_WORKERS = 2


def main() -> int:
    """Write the stream, run the stages on it, and watch the memory."""
    given = options(__doc__, amount=GIGABYTES)
    # Beside the repository's own outputs: /tmp is often held in memory.
    Path("build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir="build") as folder:
        base = Path(folder)
        written = sum(
            write_text(base, tag, int(given.gigabytes * 1e9 / len(_TAGS))) for tag in _TAGS
        )
        write_sources(base)
        start = time.perf_counter()
        peak, peaks = watched(base)
        minutes = (time.perf_counter() - start) / 60
        funnels = [Funnel.load(base / "out" / stage / "funnel.json") for stage in STAGES]
        lost = sum(
            row.read.documents - row.kept.documents - sum(a.documents for a in row.removed.values())
            for funnel in funnels
            for row in funnel.rows
        )
        shards = sum(path.stat().st_size for path in (base / "out" / "corpus").glob("*.ds"))
    read = sum(row.read.documents for row in funnels[0].rows)
    kept = sum(row.kept.documents for row in funnels[-1].rows)
    detail = (
        f"{written / 1e9:.2f} GB, {read:,} documents, {kept:,} kept, {shards / 1e9:.2f} GB of tokens, "
        f"{minutes:.1f} min with {_WORKERS} workers; by stage, MB: "
        + ", ".join(f"{stage} {value / 1e6:.0f}" for stage, value in peaks.items())
    )
    return conclude(
        "scale",
        "proofs",
        [
            Measure(
                measure="peak memory of all processes while text streams through",
                value=round(peak / 1e9, 3),
                unit="GB",
                bound="<= 2",
                holds=peak <= MOST_MEMORY,
                detail=detail,
            ),
            Measure(
                measure="documents that no stage accounts for",
                value=lost,
                unit="",
                bound="= 0",
                holds=lost == 0,
                detail="",
            ),
        ],
        given,
    )


def write_text(base: Path, tag: str, n_bytes: int) -> int:
    """Write one language's stream in several files; return its UTF-8 bytes."""
    stream = fresh(LANGUAGES[tag], "scale", 1 << 60)
    sentences = [next(stream).text for _ in range(_SENTENCES)]
    written, number = 0, 0
    documents = drawn(sentences, random.Random(tag))
    while written < n_bytes:
        with (base / f"{tag}-{number}.jsonl").open("wb") as out:
            begun = written
            while written < n_bytes and written - begun < _FILE_BYTES:
                text = next(documents)
                written += len(text.encode())
                out.write(orjson.dumps({"text": text}) + b"\n")
        number += 1
    return written


def drawn(sentences: list[str], rng: random.Random) -> Iterator[str]:
    """Yield documents for ever; copies and near-copies among them."""
    last = [rng.choices(sentences, k=_A_DOCUMENT)]
    while True:
        kind = rng.random()
        document = rng.choices(sentences, k=_A_DOCUMENT)
        if kind < 0.2:
            document = [*rng.choice(last)]
            if kind < 0.1:
                document[rng.randrange(_A_DOCUMENT)] += " 7."
        last = [*last[-999:], document]
        yield " ".join(document)


def write_sources(base: Path) -> None:
    """Write a sources file with every stage on, and the reference text it needs."""
    for tag in _TAGS:
        folder = base / "reference" / tag
        folder.mkdir(parents=True)
        for name, n_bytes in (("train", 200_000), ("test", 50_000)):
            lines = [
                orjson.dumps({"text": d.text}) + b"\n" for d in fresh(LANGUAGES[tag], name, n_bytes)
            ]
            (folder / f"{name}.jsonl").write_bytes(b"".join(lines))
    # The generator's words are few: they make no 4,096 tokens.
    recipe = read_yaml(Path("recipes/own-text.yaml"))
    recipe["corpus"]["tokenizer"]["vocab_size"] = 2048
    write_yaml(base / "recipe.yaml", recipe)
    value = {
        "schema_version": 1,
        "name": "scale",
        "about": "A synthetic stream",
        "sources": [
            {
                "id": tag, "language": tag, "kind": "curated", "path": f"{tag}-*.jsonl",
                "licence": "CC0-1.0",
            }
            for tag in _TAGS
        ],
        "language": {"reference": "reference"},
        "quality": {"reference": "reference"},
        "pii": {},
        "duplicates": {},
        "decontamination": {"against": [{"path": str(Path("data/items").resolve()), "layout": "skald"}]},
        "shards": {
            "recipe": "recipe.yaml",
            "mixture": {"method": "proportional", "max_epochs": 4},
        },
    }  # fmt: skip
    write_yaml(base / "sources.yaml", value)


def watched(base: Path) -> tuple[int, dict[str, int]]:
    """Run the build; return the largest memory of its processes together, in all and by stage."""
    command = ["skald", "corpus", "build", str(base / "sources.yaml"), "--out", str(base / "out")]
    running = subprocess.Popen([*command, "--workers", str(_WORKERS)])
    process, peaks = psutil.Process(running.pid), dict[str, int]()
    while running.poll() is None:
        stage = _stage(base / "out")
        peaks[stage] = max(peaks.get(stage, 0), _memory(process))
        time.sleep(0.25)
    if running.returncode:
        raise SystemExit(running.returncode)
    return max(peaks.values()), peaks


def _stage(out: Path) -> str:
    """Name the stage that runs: the first one that is not there yet."""
    for stage in STAGES:
        if not (out / stage).exists():
            return stage
    return "card" if (out / "recipe.yaml").exists() else "shards"


def _memory(process: psutil.Process) -> int:
    """Return the proportional memory of a process and all below it: shared pages count once."""
    total = 0
    for one in [process, *_children(process)]:
        try:
            total += one.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


if __name__ == "__main__":
    sys.exit(main())
