"""Write the synthetic sources and evaluation items: `data/`.

There are no settings: one version of this package writes one folder, byte for byte, everywhere. What
it writes shows that the machinery works; it says nothing about a model's command of Danish.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from skald_specs.corpus import SPLITS, Document, Split
from skald_specs.files import atomic_folder, write_json, write_jsonl
from skald_specs.items import ClozeItem, PairItem, TextItem
from skald_specs.models import Spec

from skald_corpus.cloze import cloze
from skald_corpus.combinations import key_of
from skald_corpus.grammar.register import LANGUAGES
from skald_corpus.grammar.rules.base import Linearizer
from skald_corpus.keyed import Stream
from skald_corpus.pairs import pairs
from skald_corpus.story import Story

#: Raise it when the bytes change; `data.dvc` must be renewed with it.
VERSION = 2
#: UTF-8 bytes of text for each language.
BYTES: dict[Split, int] = {"train": 1_000_000, "validation": 30_000, "test": 25_000}
MAX_TEXT_ITEMS, MAX_TEXT_ITEM_BYTES = 60, 12_500


def generate(out: Path) -> None:
    """Write the documents and items of every language.

    Args:
        out: Folder to write, such as `data`; an existing one is replaced as a whole.

    Raises:
        UserInputError: The folder cannot be written.
    """
    about: dict[str, dict[str, int]] = {}
    with atomic_folder(out, marker="about.json") as folder:
        for tag, language in LANGUAGES.items():
            counts: dict[str, int] = {}
            for split in SPLITS:
                made = [document for document, _ in documents(language, split)]
                write_jsonl(folder / "text" / tag / f"{split}.jsonl", map(_row, made))
                counts[f"{split}_documents"] = len(made)
                counts[f"{split}_bytes"] = sum(len(d.text.encode()) for d in made)
            items: dict[str, list[PairItem] | list[ClozeItem] | list[TextItem]] = {
                "pairs": list(pairs(language)),
                "cloze": list(cloze(language)),
                "text": list(text_items(made)),
            }
            for kind, rows in items.items():
                write_jsonl(folder / "items" / kind / f"{tag}.jsonl", map(_row, rows))
                counts[kind] = len(rows)
            about[tag] = counts
        write_json(folder / "about.json", {"version": VERSION, "languages": about})


def documents(language: Linearizer, split: Split) -> Iterator[tuple[Document, Story]]:
    """Yield a split's documents, none twice, until its bytes are full."""
    tag, seen, written, index = language.lexicon.tag, set[str](), 0, 0
    while written < BYTES[split]:
        name = f"{tag}-{split}-{index:06d}"
        story = Story(Stream(f"story {name}"), split, language.pronoun_key)
        index += 1
        text = " ".join(map(language.sentence, story.sentences))
        if text in seen:
            continue
        seen.add(text)
        written += len(text.encode())
        yield Document(id=name, text=text, key=key_of(story.agent, story.patient)), story


def text_items(test: list[Document]) -> Iterator[TextItem]:
    """Yield the first test documents, for bits per byte."""
    room = MAX_TEXT_ITEM_BYTES
    for document in test[:MAX_TEXT_ITEMS]:
        room -= len(document.text.encode())
        if room < 0:
            return
        yield TextItem(id=document.id, key=document.key, text=document.text)


def _row(value: Spec) -> dict[str, object]:
    return value.model_dump(mode="json")
