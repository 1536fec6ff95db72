"""Controls that count the bytes of the training text: an n-gram model, and single bytes.

Knows built corpora and byte counts; refuses to know tasks, networks and lm-eval.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from skald_specs.controls import BYTE_NGRAM, BYTE_UNIGRAM
from skald_specs.corpus import CorpusManifest
from skald_specs.errors import UserInputError
from skald_specs.files import read_by_library
from skald_specs.fingerprint import fingerprint
from skald_specs.records import EvaluatedModel
from skald_specs.shards import read_document_ends, read_tokens

from skald_harness.models.controls import Subject
from skald_harness.scoring.byte_counts import BytesAnswerer
from skald_harness.scoring.ngram import ByteNgram

#: Bytes in the longest n-gram. Standing: assumed; 5 to 7 differ little at this size of text.
NGRAM_ORDER = 6
#: Training text of the byte counts per language; more is thinned evenly to the number of whole
#: documents that comes nearest.
NGRAM_BYTES = 1_000_000


def byte_counts(
    corpus: Path, languages: Sequence[str], say: Callable[[str], None]
) -> list[Subject]:
    """Count the corpus' training text: a byte n-gram model and a byte unigram for each language.

    A language without training text is said and left out: they take no task in it. Who evaluates the
    models of others need have no corpus; that is said, too.

    Args:
        corpus: A built corpus.
        languages: BCP-47 tags.
        say: Told of the languages that are left out.

    Returns:
        Both controls, or none where the corpus has no text in any of the languages.

    Raises:
        UserInputError: The corpus is damaged, or a file of it is missing.
    """
    if not (corpus / "corpus.json").is_file():
        say(f"{corpus}: no corpus there: byte counts left out")
        return []
    manifest = CorpusManifest.load(corpus / "corpus.json")
    texts: dict[str, list[str]] = {}
    for tag in languages:
        shard = manifest.shard(tag, "train")
        if shard is None or shard.n_bytes == 0:
            say(f"{tag}: no training text in {corpus}: byte counts left out")
        else:
            texts[tag] = training_texts(corpus, manifest, tag)
    if not texts:
        return []
    return [_subject(BYTE_NGRAM, NGRAM_ORDER, texts), _subject(BYTE_UNIGRAM, 1, texts)]


def _subject(name: str, order: int, texts: Mapping[str, Sequence[str]]) -> Subject:
    models = {tag: ByteNgram(documents, order) for tag, documents in texts.items()}
    counted = (
        f"{tag} {sum(len(text.encode('utf-8')) for text in documents):,}"
        for tag, documents in texts.items()
    )
    kind = f"byte {order}-gram" if order > 1 else "byte unigram"
    model = EvaluatedModel(
        name=name,
        role="control",
        about=(
            f"{kind.capitalize()} per language, interpolated Witten-Bell, counted on bytes of the "
            f"corpus' training text: {', '.join(counted)}"
        ),
        n_params_total=None,
        weights_sha256=fingerprint({tag: model.sha256 for tag, model in models.items()}),
        tokenizer_sha256="",
        dtype="float64",
        scorer=kind,
    )
    return Subject(
        model,
        lambda tag: models[tag].sha256,
        lambda tag: BytesAnswerer(models[tag]),
        lambda kind, tag: kind != "generate" and tag in models,
    )


def training_texts(corpus: Path, manifest: CorpusManifest, language: str) -> list[str]:
    """Decode a language's training documents, thinned evenly to about `NGRAM_BYTES`.

    Args:
        corpus: The built corpus's folder.
        manifest: That corpus's.
        language: BCP-47 tag.

    Returns:
        Documents in the corpus's order, without special tokens.

    Raises:
        UserInputError: The corpus lacks the language, or a file of it is missing.
    """
    from tokenizers import Tokenizer

    shard = manifest.shard(language, "train")
    if shard is None or shard.n_bytes == 0:
        raise UserInputError(
            str(corpus / "corpus.json"),
            f"no training text in language {language!r}",
            "Add the language to the recipe and rebuild the corpus, or leave it out",
        )
    path = corpus / "tokenizer.json"
    if not path.is_file():
        raise UserInputError(str(path), "no such tokenizer", "Run `skald corpus build` first")
    tokens = read_tokens(corpus / shard.path, manifest.vocab_size)
    ends = read_document_ends(corpus / shard.path).astype(int).tolist()
    spans = list(zip([0, *ends[:-1]], ends, strict=True))
    n_kept = max(1, min(len(spans), round(len(spans) * NGRAM_BYTES / shard.n_bytes)))
    ids = [
        tokens[start:end].tolist() for start, end in (spans[i] for i in evenly(len(spans), n_kept))
    ]
    with read_by_library(path, "no tokenizer", "Build the corpus again"):
        texts: list[str] = Tokenizer.from_file(str(path)).decode_batch(
            ids, skip_special_tokens=True
        )
    return texts


def evenly(n: int, n_kept: int) -> list[int]:
    """Return `n_kept` of the indices 0 to n - 1, as far apart as they can be.

    Args:
        n: How many there are.
        n_kept: How many to keep, 1 to n.
    """
    return [i for i in range(n) if (i + 1) * n_kept // n > i * n_kept // n]
