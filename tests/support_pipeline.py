"""What tests of the pipeline for real text share: a sources file over made-up text, and its runs."""

import json
from pathlib import Path

import yaml
from skald_cli.main import main
from skald_corpus.generate import fresh
from skald_corpus.grammar.register import LANGUAGES


def texts(tag, n, seed="pipeline"):
    """Documents of the generator: text of a known language, none twice."""
    stream = fresh(LANGUAGES[tag], seed, 10**9)
    return [next(stream).text for _ in range(n)]


def rows(path: Path, values) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(value, ensure_ascii=False) for value in values]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def sources(folder: Path, *, tags=("da", "sv"), **blocks) -> Path:
    """Write a sources file for `<folder>/text/<language>.jsonl`; `blocks` come on top."""
    value = {
        "schema_version": 1,
        "name": "trial",
        "about": "Made-up text",
        "sources": [
            {
                "id": f"src-{tag}",
                "language": tag,
                "kind": "curated",
                "path": f"text/{tag}.jsonl",
                "licence": "CC0-1.0",
            }
            for tag in tags
        ],
        "validation_fraction": 0.1,
        **blocks,
    }
    path = folder / "sources.yaml"
    path.write_text(yaml.safe_dump(value, allow_unicode=True), encoding="utf-8")
    return path


def build(path: Path, out: Path, *words: str) -> int:
    return main(["corpus", "build", str(path), "--out", str(out), "--workers", "1", *words])


def left(out: Path, tag: str) -> list[str]:
    """Ids of the finished text of a language."""
    return sorted(
        json.loads(line)["id"]
        for split in ("train", "validation")
        for line in (out / "split" / tag / f"{split}.jsonl").read_text().splitlines()
    )


def removed(out: Path, stage: str, tag: str) -> dict[str, str]:
    """Reasons by id of what a stage removed."""
    found = {}
    for path in (out / stage / tag).glob("*.removed.jsonl"):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            found[row["id"]] = row["reason"]
    return found
