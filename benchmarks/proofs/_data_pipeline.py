"""The pipeline on real text: nothing lost, and the same files whatever the workers.

The test data passes through all stages twice, in other processes, with other numbers of workers and
another hash seed. What was read is counted once more from the files, by plain `json`.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import tempfile
from pathlib import Path

from _plants import REAL_TEXT, absent
from skald_corpus.pin import file_md5s
from skald_specs.claims import Measure
from skald_specs.files import write_yaml
from skald_specs.funnel import Funnel
from skald_specs.stages import STAGES


def measures() -> list[Measure]:
    """Run the pipeline twice on the training text of every language."""
    names = (
        "documents and bytes that a stage of the pipeline does not account for, real text",
        "documents of the test data that ingest did not read",
        "files of the finished text that differ between 1 and 2 workers",
    )
    if not (REAL_TEXT / "ud").is_dir():
        return absent(names, "= 0")
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        write_sources(base)
        for name, workers, seed in (("one", "1", "0"), ("two", "2", "4711")):
            subprocess.run(
                ["skald", "corpus", "build", str(base / "sources.yaml"), "--out", str(base / name), "--workers", workers],
                env={**os.environ, "PYTHONHASHSEED": seed}, check=True, stdout=subprocess.DEVNULL,
            )  # fmt: skip
        funnels = [Funnel.load(base / "one" / stage / "funnel.json") for stage in STAGES]
        one, two = (stages_md5(base / name) for name in ("one", "two"))
    lost, told = unaccounted(funnels), funnel_told(funnels)
    unread = abs(n_documents() - sum(row.read.documents for row in funnels[0].rows))
    differing = sum(one.get(path) != two.get(path) for path in one.keys() | two.keys())
    details = (told, f"{n_documents():,} lines", f"of {len(one)} files of ten stages")
    return [
        Measure(measure=n, value=v, unit="", bound="= 0", holds=v == 0, detail=d)
        for n, v, d in zip(names, (lost, unread, differing), details, strict=True)
    ]


def write_sources(base: Path) -> None:
    """Write a sources file over the training text, with every stage on."""
    tags = sorted(path.name for path in (REAL_TEXT / "ud").iterdir() if path.is_dir())
    text = REAL_TEXT.resolve()
    write_yaml(
        base / "sources.yaml",
        {
            "schema_version": 1,
            "name": "test-data",
            "about": "The test data's training text",
            "sources": [
                {
                    "id": f"ud-{tag}", "language": tag, "kind": "curated",
                    "path": str(text / "ud" / tag / "train.jsonl.gz"), "licence": "CC-BY-SA-4.0",
                    # The Faroese text is one book.
                    "fields": {"key": "id"},
                }
                for tag in tags
            ],
            "language": {"reference": str(text / "ud")},
            "quality": {},
            "pii": {},
            "duplicates": {},
            "decontamination": {
                "against": [
                    {"path": str(text / "pairs"), "layout": "pairs"},
                    {"path": str(text / "ntrex"), "layout": "sentences", "task": "ntrex"},
                ]
            },
        },
    )  # fmt: skip


def stages_md5(root: Path) -> dict[str, str]:
    """Return the hash of every file of the stages by its path; the card is drawn, not judged."""
    return {
        f"{stage}/{path}": md5 for stage in STAGES for path, md5 in file_md5s(root / stage).items()
    }


def unaccounted(funnels: list[Funnel]) -> int:
    """Count what a stage did not account for, and what the next one did not get."""
    lost = 0
    for funnel in (f for f in funnels if f.on):
        for row in funnel.rows:
            gone = list(row.removed.values())
            lost += abs(row.read.documents - row.kept.documents - sum(a.documents for a in gone))
            size = row.read.bytes + row.bytes_gained - row.kept.bytes - sum(a.bytes for a in gone)
            lost += abs(size)
    on = [f for f in funnels if f.on]
    for index, later in enumerate(on[1:]):
        kept = {(r.language, r.source): r.kept for r in on[index].rows}
        for row in later.rows:
            before = kept[row.language, row.source]
            lost += abs(before.documents - row.read.documents) + abs(before.bytes - row.read.bytes)
    return lost


def funnel_told(funnels: list[Funnel]) -> str:
    """Return the funnel in one line."""
    return ", ".join(
        f"{f.stage} {sum(r.kept.documents for r in f.rows):,}/{sum(r.kept.bytes for r in f.rows):,} B"
        for f in funnels
        if f.on
    )


def n_documents() -> int:
    """Count the test data's training lines."""
    return sum(
        bool(json.loads(line)["text"].strip())
        for path in (REAL_TEXT / "ud").glob("*/train.jsonl.gz")
        for line in gzip.decompress(path.read_bytes()).decode("utf-8").split("\n")
        if line.strip()
    )
