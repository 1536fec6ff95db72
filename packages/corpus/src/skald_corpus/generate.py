"""Write the synthetic sources and evaluation items: `data/`.

The command has no settings: one version of this package writes one folder, byte for byte, everywhere.
`fresh` yields any amount of other training text by seed. What it writes shows that the machinery
works; it says nothing about a model's command of Danish.

Training text has two parts: documents of the grammar and, spread among them, the one-line documents of
`facts`. Validation and test text is the grammar's alone, so that a model's distance to the floor of
that text is a number. Floors are those of the grammar's documents in each split.

Items of the CLDR and copy controls come after all text, because none of their strings may stand in the
training text of any language.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from skald_specs.corpus import SPLITS, Document, Split
from skald_specs.files import atomic_folder, write_json, write_jsonl
from skald_specs.items import ClozeItem, PairItem, TextItem
from skald_specs.models import Spec

from skald_corpus.apart import Candidate, Chosen, TrainingText, hold_apart
from skald_corpus.cldr.calendar import ITEMS, calendar_items
from skald_corpus.cldr.number import KEYS, number_pairs, usable_forms
from skald_corpus.cloze import cloze
from skald_corpus.combinations import key_of
from skald_corpus.copying import copy_items
from skald_corpus.entropy import floor_of
from skald_corpus.facts import KINDS, fact_items, training_facts
from skald_corpus.grammar.register import LANGUAGES
from skald_corpus.grammar.rules.base import Linearizer
from skald_corpus.keyed import Stream
from skald_corpus.pairs import pairs
from skald_corpus.story import Story

#: Raise it when the bytes change; `data.dvc` must be renewed with it.
VERSION = 5
#: UTF-8 bytes of the grammar's text for each language; facts bring training text to about 1 MB.
BYTES: dict[Split, int] = {"train": 875_000, "validation": 30_000, "test": 25_000}
#: Whose information is stated: of validation and test text all documents, of training text the first.
FLOOR_DOCUMENTS = 500
MAX_TEXT_ITEMS, MAX_TEXT_ITEM_BYTES = 60, 12_500
#: What the folder says of the names in it; the licence itself stands in the repository's NOTICE.
NAMES_NOTICE = (
    "Names of territories, weekdays, months, units and currencies, and relative times: Unicode CLDR 47, "
    "Copyright 2004-2025 Unicode, Inc., SPDX-License-Identifier: Unicode-3.0"
)


def generate(out: Path) -> None:
    """Write the documents and items of every language.

    Args:
        out: Folder to write, such as `data`; an existing one is replaced as a whole.

    Raises:
        UserInputError: The folder cannot be written.
    """
    about: dict[str, dict[str, int]] = {}
    floors: dict[str, dict[str, dict[str, float]]] = {}
    trained: list[str] = []
    left_out: dict[str, dict[str, dict[str, int]]] = {tag: {} for tag in LANGUAGES}
    with atomic_folder(out, marker="about.json") as folder:
        for tag, language in LANGUAGES.items():
            counts: dict[str, int] = {}
            floors[tag] = {}
            for split in SPLITS:
                told = list(documents(language, split))
                made = [document for document, _ in told]
                floors[tag][split] = _floor(language, split, told[:FLOOR_DOCUMENTS])
                facts = list(training_facts(tag)) if split == "train" else []
                rows = spread(made, facts)
                write_jsonl(folder / "text" / tag / f"{split}.jsonl", map(_row, rows))
                counts[f"{split}_documents"], counts[f"{split}_bytes"] = len(made), _bytes(made)
                if facts:
                    counts["fact_documents"], counts["fact_bytes"] = len(facts), _bytes(facts)
                    trained += [row.text for row in rows]
            items: dict[str, list[PairItem] | list[ClozeItem] | list[TextItem]] = {
                "pairs": list(pairs(language)),
                "cloze": list(cloze(language)),
                "text": list(text_items(made)),
            }
            items |= {kind: list(fact_items(tag, kind)) for kind in KINDS}
            for name, listed in items.items():
                write_jsonl(folder / "items" / name / f"{tag}.jsonl", map(_row, listed))
                counts[name] = len(listed)
            about[tag] = counts
        for kind, chosen in controlled_items(TrainingText(trained)).items():
            for tag, apart in chosen.items.items():
                write_jsonl(folder / "items" / kind / f"{tag}.jsonl", map(_row, apart))
                about[tag][kind] = len(apart)
                left_out[tag][kind] = chosen.left_out[tag]
        content = {
            "version": VERSION, "notice": NAMES_NOTICE, "languages": about, "left_out": left_out,
            "floors": floors,
        }  # fmt: skip
        write_json(folder / "about.json", content)


def documents(
    language: Linearizer, split: Split, n_bytes: int | None = None
) -> Iterator[tuple[Document, Story]]:
    """Yield the grammar's documents of a split, none twice, until its bytes are full.

    Args:
        language: One of `register.LANGUAGES`.
        split: The split.
        n_bytes: UTF-8 bytes after which no further document begins; None takes those of `data/`.
    """
    wanted = BYTES[split] if n_bytes is None else n_bytes
    tag, seen, written, index = language.lexicon.tag, set[str](), 0, 0
    while written < wanted:
        name = f"{tag}-{split}-{index:06d}"
        story = Story(Stream(f"story {name}"), split, language.pronoun_key)
        index += 1
        text = " ".join(map(language.sentence, story.sentences))
        if text in seen:
            continue
        seen.add(text)
        written += len(text.encode())
        yield Document(id=name, text=text, key=key_of(story.agent, story.patient)), story


def spread(documents: Sequence[Document], among: Sequence[Document]) -> list[Document]:
    """Return both lists as one, each in its order and evenly spread over the whole.

    Args:
        documents: Of two that fall on one place, these come first.
        among: The others, in any number.
    """
    placed = [((2 * at + 1) * len(among), 0, document) for at, document in enumerate(documents)]
    placed += [((2 * at + 1) * len(documents), 1, document) for at, document in enumerate(among)]
    return [document for *_, document in sorted(placed, key=lambda row: row[:2])]


def fresh(language: Linearizer, seed: str, n_bytes: int) -> Iterator[Document]:
    """Yield new training documents of the grammar, as many as wanted, none twice.

    Use it where a run needs more tokens than `data/` holds; it has no facts. Combinations are those of the training
    split, so validation text and items stay unseen; the documents of `data/` come from no seed.

    Args:
        language: One of `register.LANGUAGES`.
        seed: Any text but the empty one; the same seed gives the same documents everywhere.
        n_bytes: UTF-8 bytes of text after which no further document begins.
    """
    assert seed, "the empty seed is that of data/"
    tag, seen, written, index = language.lexicon.tag, set[bytes](), 0, 0
    while written < n_bytes:
        name = f"{tag}-fresh-{seed}-{index:09d}"
        story = Story(Stream(f"story {name}"), "train", language.pronoun_key)
        index += 1
        text = " ".join(map(language.sentence, story.sentences))
        digest = hashlib.sha256(text.encode()).digest()[:12]
        if digest not in seen:
            seen.add(digest)
            written += len(text.encode())
            yield Document(id=name, text=text, key=key_of(story.agent, story.patient))


def controlled_items(trained: TrainingText) -> dict[str, Chosen]:
    """Return the items of the CLDR and the copy controls, by kind, apart from all training text.

    Args:
        trained: The training text of all languages.
    """
    number = [
        Candidate(tag, forms.family, number_pairs(tag, forms))
        for tag in LANGUAGES
        for forms in usable_forms(tag)
    ]
    calendar = [
        Candidate(tag, kind, (item,)) for tag in LANGUAGES for kind, item in calendar_items(tag)
    ]
    copy = [Candidate(tag, "copy", (item,)) for tag in LANGUAGES for item in copy_items(tag)]
    return {
        "number": hold_apart("number", number, trained, KEYS),
        "calendar": hold_apart("calendar", calendar, trained, ITEMS),
        "copy": hold_apart("copy", copy, trained),
    }


def text_items(test: list[Document]) -> Iterator[TextItem]:
    """Yield the first test documents, for bits per byte."""
    room = MAX_TEXT_ITEM_BYTES
    for document in test[:MAX_TEXT_ITEMS]:
        room -= len(document.text.encode())
        if room < 0:
            return
        yield TextItem(id=document.id, key=document.key, text=document.text)


def _floor(
    language: Linearizer, split: Split, told: list[tuple[Document, Story]]
) -> dict[str, float]:
    # Rounded so that the last bits of a platform's logarithm cannot change the pin.
    return {
        name: round(value, 4) for name, value in floor_of(language, split, told)._asdict().items()
    }


def _bytes(documents: Sequence[Document]) -> int:
    return sum(len(document.text.encode()) for document in documents)


def _row(value: Spec) -> dict[str, object]:
    return value.model_dump(mode="json")
