"""The corpus of the proofs that train sweeps: the grammar's text alone, whatever `data/` holds."""

from __future__ import annotations

from pathlib import Path

from skald_corpus.build import build
from skald_corpus.generate import documents
from skald_corpus.grammar.register import LANGUAGES
from skald_specs.corpus import SPLITS, CorpusManifest, load_corpus
from skald_specs.files import write_jsonl
from skald_specs.recipe import Recipe

#: Training text of each language, UTF-8 bytes.
TRAIN_BYTES = 1_000_000


def grammar_corpus(folder: Path, recipe: Recipe) -> tuple[Path, CorpusManifest]:
    """Build the corpus of a recipe: what is proven does not move with what else `data/` holds.

    Args:
        folder: The proof's.
        recipe: Whose languages and tokenizer.

    Returns:
        The corpus folder and its manifest.
    """
    source, corpus = folder / "data", folder / "corpus"
    for tag in recipe.corpus.languages:
        for split in SPLITS:
            told = documents(LANGUAGES[tag], split, TRAIN_BYTES if split == "train" else None)
            rows = (document.model_dump(mode="json") for document, _ in told)
            write_jsonl(source / "text" / tag / f"{split}.jsonl", rows)
    # `source` is part of the corpus' identity, so it stays what the recipe says.
    build(recipe, source / "text", corpus)
    return corpus, load_corpus(corpus)
