"""A corpus of natural text that every clone has: the standard library of the Python that runs it.

The generator's grammar is learnt in a rush at a few hundred thousand tokens, and log loss then reacts to
everything; this text is learnt as slowly as text is. Its bytes depend on Python's version.
"""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from pathlib import Path

from skald_corpus.build import build
from skald_specs.corpus import CorpusManifest, load_corpus
from skald_specs.files import write_jsonl
from skald_specs.recipe import Recipe

#: Folders whose files are tests, tables, or not of the library.
_LEFT_OUT = {"test", "tests", "site-packages", "idlelib", "lib2to3", "encodings"}
#: Every so many files one is for validation, and the next for the test.
_EVERY = 20


def stdlib_corpus(folder: Path, recipe: Recipe) -> tuple[Path, CorpusManifest]:
    """Build the corpus.

    Args:
        folder: The proof's.
        recipe: Whose only language is `code`.

    Returns:
        The corpus folder and its manifest.
    """
    source, corpus = folder / "data", folder / "corpus"
    texts = list(_texts(Path(sysconfig.get_path("stdlib"))))
    for split, rest in (("validation", (0,)), ("test", (1,)), ("train", range(2, _EVERY))):
        rows = (
            {"id": name, "text": text}
            for at, (name, text) in enumerate(texts)
            if at % _EVERY in rest
        )
        write_jsonl(source / "code" / f"{split}.jsonl", rows)
    build(recipe, source, corpus)
    return corpus, load_corpus(corpus)


def _texts(root: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root)
        if not _LEFT_OUT & set(name.parts):
            text = path.read_text(encoding="utf-8", errors="replace")
            if text.strip():
                yield str(name), text
