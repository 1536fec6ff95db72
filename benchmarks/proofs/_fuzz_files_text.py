"""Fuzz targets: text that a user hands in, and items and pairs of evaluations.

Each runs the reader of the command line on one file in the layout that the command asks for.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
from _fuzz_files_mutate import fixed, lines_of, of_numbers, of_packed, packed, put
from _fuzz_target import Target
from pyarrow import parquet
from skald_corpus.decontaminate.sources import listed_items, skald_items, user_items
from skald_corpus.filters.language_model import LanguageModel
from skald_corpus.held_out import read_pairs
from skald_corpus.ingest import Texts
from skald_corpus.pipeline.ingest import ingest
from skald_harness.tasks.items import check_items, languages_with_items
from skald_harness.tasks.suites import TaskDefinition, list_tasks
from skald_specs.recipe import CorpusRecipe, TokenizerRecipe
from skald_specs.sources import Source

_RECIPE = CorpusRecipe(source="text", languages=("da",), tokenizer=TokenizerRecipe(vocab_size=300))
_ROWS: list[dict[str, Any]] = [
    {"id": "1", "text": "En hund løber.\nDen er glad.", "key": "a"},
    {"id": "2", "text": "To hunde løber.", "doc": "b", "meta": {"tdm-reservation": 1}},
    {"id": "3", "text": "Ingen løber her i dag.", "url": "https://example.org/x"},
]
_PAIRS = [
    {"id": "1", "key": "k", "phenomenon": "order", "good": "En hund.", "bad": "Hund en."},
    {"id": "2", "key": "l", "phenomenon": "order", "good": "En kat.", "bad": "Kat en."},
]
_CLOZE = [
    {"id": "1", "key": "k", "context": "En", "choices": [" hund", " løber"], "answer": 0},
    {"id": "2", "key": "l", "context": "To", "choices": [" hunde", " løber"], "answer": 1},
]
_DOCUMENTS = [{"id": "1", "key": "k", "text": "En hund løber."}]
_USER_PAIRS = [
    {"good": "En hund.", "bad": "Hund en.", "type": "swap", "source_id": "1"},
    {"good": "En kat.", "bad": "En.", "type": "delete", "source_id": "2"},
]
_LISTED = [
    {"task": "t", "item_id": "1", "language": "da", "strings": ["En hund løber i dag."]},
    {"task": "t", "item_id": "2", "language": "da", "strings": ["En kat.", "To katte."]},
]
_CONLLU = (
    "# newdoc id = a\n# sent_id = 1\n# text = En hund.\n1\tEn\n\n# newdoc id = b\n# text = To.\n"
)


def _texts(name: str) -> Callable[[bytes, Path], object]:
    def call(data: bytes, folder: Path) -> int:
        put(folder / name / "da" / name, data)
        texts = Texts(folder / name, "da", _RECIPE)
        return sum(len(d.text) for split in ("train", "validation") for d in texts.of(split))

    return call


def _ingest(name: str) -> Callable[[bytes, Path], object]:
    source = Source(id="one", language="da", kind="curated", path=name, licence="CC0-1.0")

    def call(data: bytes, folder: Path) -> int:
        put(folder / name, data)
        return ingest(source, folder, folder / f"{name}.out", bool(len(data) % 2)).read.documents

    return call


@cache
def _task(suite: str, kind: str, language: str = "da") -> TaskDefinition:
    tasks = [task for task in list_tasks(suite) if task.language == language]
    return next(task for task in tasks if task.kind == kind)


def _items(suite: str, kind: str, end: str = "") -> Callable[[bytes, Path], object]:
    def call(data: bytes, folder: Path) -> object:
        task, root = _task(suite, kind), folder / f"{suite}-{kind}{end}"
        put(root / f"{task.items_path}{end}", data)
        return languages_with_items([task], root), check_items(task, root)

    return call


def _pairs(data: bytes, folder: Path) -> object:
    put(folder / "pairs" / "da.jsonl", data)
    return read_pairs(folder / "pairs", "da")


def _packed_pairs(data: bytes, folder: Path) -> object:
    put(folder / "packed" / "da.jsonl.gz", data)
    return read_pairs(folder / "packed", "da")


def _searched_items(data: bytes, folder: Path) -> object:
    put(folder / "skald" / "pairs" / "da.jsonl.gz", data)
    return skald_items(folder / "skald")


def _user_items(data: bytes, folder: Path) -> object:
    put(folder / "user" / "ud" / "da" / "test.jsonl", data)
    return user_items(folder / "user")


def _listed(data: bytes, folder: Path) -> object:
    return listed_items(put(folder / "listed.jsonl.gz", data))


def _language_model(data: bytes, folder: Path) -> object:
    model = LanguageModel.load(put(folder / "model.npz", data))
    return model.scores(["En hund løber."])


def _language_models(folder: Path) -> list[bytes]:
    model = LanguageModel.train({"da": ["En hund løber."], "sv": ["En hund springer."]})
    model.save(folder / "model.npz")
    return [(folder / "model.npz").read_bytes()]


def _parquets(folder: Path) -> list[bytes]:
    found = []
    for rows in (_ROWS[:1], [{"id": 1, "text": "x"}], [{"text": "a", "id": None}]):
        out = io.BytesIO()
        parquet.write_table(pa.Table.from_pylist(rows), out)
        found.append(out.getvalue())
    return found


_JSON = (b'"text"', b'"id"', b'"key"', b'"good"', b'"bad"', b'"choices"', b'"answer"')
_ROW = lines_of(_ROWS)
_PLAIN = "En hund løber.\nDen er glad.\n\nTo hunde.\n\n\nTre.\n".encode()


def _plain(name: str, data: bytes, call: Callable[[bytes, Path], object]) -> Target:
    return Target(name, fixed(data), call, _JSON)


def _packed(name: str, data: bytes, call: Callable[[bytes, Path], object]) -> Target:
    return Target(name, fixed(packed(data)), call, _JSON, of_packed)


TARGETS = (
    _plain("text txt", _PLAIN, _texts("a.txt")),
    _plain("text jsonl", _ROW, _texts("a.jsonl")),
    _packed("text jsonl gz", _ROW, _texts("a.jsonl.gz")),
    _plain("source jsonl", _ROW, _ingest("a.jsonl")),
    _packed("source txt gz", _PLAIN, _ingest("a.txt.gz")),
    _plain("source conllu", _CONLLU.encode(), _ingest("a.conllu")),
    Target("source parquet", _parquets, _ingest("a.parquet"), (b"PAR1",), of_numbers),
    _plain("items pairs", lines_of(_PAIRS), _items("core", "pairs")),
    _plain("items cloze", lines_of(_CLOZE), _items("core", "cloze")),
    _plain("items documents", lines_of(_DOCUMENTS), _items("core", "text")),
    _packed("items gz", lines_of(_CLOZE), _items("core", "cloze", ".gz")),
    _plain("user pairs", lines_of(_USER_PAIRS), _items("ud", "pairs")),
    _plain("user documents", _ROW, _items("ud", "text")),
    _plain("held-out pairs", lines_of(_PAIRS), _pairs),
    _packed("held-out pairs gz", lines_of(_PAIRS), _packed_pairs),
    _packed("searched items", lines_of(_PAIRS), _searched_items),
    _plain("searched user items", _ROW, _user_items),
    _packed("searched list", lines_of(_LISTED), _listed),
    Target("language model", _language_models, _language_model, (b"PK\x03\x04",), of_numbers),
)
