"""What tests of real text share: two small made-up sources with a bit of everything in them."""

import json
import random
from pathlib import Path

import yaml

#: Made-up words with the letters and endings of the two languages.
_TEXT = {
    "da": "og det er ikke en hund på æblet under åen ved gården som havde været rød med grøn haven "
    "blev løbet fra skoven til huset men aldrig efter pigen når drengen så søen",
    "sv": "och det är inte en hund på äpplet under ån vid gården som hade varit röd med grön "
    "trädgården blev sprungen från skogen till huset men aldrig efter flickan när pojken såg sjön",
}
WORDS = {tag: text.split() for tag, text in _TEXT.items()}


def documents(tag: str, n: int, seed: int = 1) -> list[str]:
    """Return documents of six sentences."""
    draw = random.Random(f"{tag} {seed}")
    return [
        " ".join(
            " ".join(draw.choices(WORDS[tag], k=draw.randint(8, 14))).capitalize() + "."
            for _ in range(6)
        )
        for _ in range(n)
    ]


def write_jsonl(path: Path, rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    path.write_text("".join(lines), encoding="utf-8")


def write_sources(root: Path, n: int = 40) -> Path:
    """Write two sources with reference text, a ledger and evaluation items; return the YAML file.

    Of each language one document stands there twice, one nearly so, one has an e-mail address and one
    an evaluation item; `da-opted` is the host of a Danish document.
    """
    for tag in WORDS:
        texts = documents(tag, n)
        item = " ".join(documents(tag, 1, seed=9)[0].split()[:16])
        texts += [texts[0], texts[1] + " Hund.", texts[2] + " Skriv til nn@example.org."]
        texts.append(f"{texts[3]} {item} {texts[4]}")
        rows = [
            {"text": text, "id": f"d{i}", "url": f"https://{tag}{i}.example/a"}
            for i, text in enumerate(texts)
        ]
        write_jsonl(root / "text" / tag / "a.jsonl", rows)
        write_jsonl(root / f"items/{tag}.jsonl", [{"id": "1", "text": item}])
        for split, seed, count in (("train", 2, 60), ("dev", 3, 12)):
            rows = [{"text": text} for text in documents(tag, count, seed)]
            write_jsonl(root / f"reference/{tag}/{split}.jsonl", rows)
    (root / "ledger.txt").write_text("2026-01-01 domain da7.example asked by letter\n")
    path = root / "sources.yaml"
    source = {"kind": "curated", "licence": "CC0-1.0"}
    value = {
        "schema_version": 1,
        "name": "tiny",
        "about": "made-up text",
        "sources": [
            {"id": f"{tag}-a", "language": tag, "path": f"text/{tag}/*.jsonl", **source}
            for tag in WORDS
        ],
        "rights": {"ledger": "ledger.txt"},
        "language": {"reference": "reference"},
        "quality": {"reference": "reference", "quantile": 0.01},
        "pii": {},
        "duplicates": {"near": {"bands": 14}},
        "decontamination": {
            "against": [{"path": "items", "layout": "sentences", "task": "made-up"}]
        },
        "validation_fraction": 0.2,
    }
    path.write_text(yaml.safe_dump(value, sort_keys=False), encoding="utf-8")
    return path
