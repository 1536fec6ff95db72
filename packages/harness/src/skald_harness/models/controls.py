"""What is evaluated: baselines, and the controls that say what a score is worth.

An untrained network of the same shape shows chance with all its accidents; a byte n-gram model of
the training text shows what counting achieves. A benchmark that either passes measures nothing.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skald_specs.corpus import CorpusManifest
from skald_specs.errors import UserInputError
from skald_specs.fingerprint import fingerprint
from skald_specs.records import EvaluatedModel, TaskKind
from skald_specs.shards import read_document_ends, read_tokens

from skald_harness.adapter.answerers import LmAnswerer
from skald_harness.adapter.models import ByteLM
from skald_harness.adapter.network import TrieLM
from skald_harness.models.folder import Folder, load_model, load_tokenizer, random_model
from skald_harness.scoring.ngram import ByteNgram
from skald_harness.scoring.questions import Answerer

if TYPE_CHECKING:
    import torch

#: Seed of the untrained networks.
RANDOM_SEED = 0
#: Only networks of at most so many parameters get an untrained twin: at chance it is as good a
#: control for the larger ones, which would cost as much as a model.
RANDOM_MAX_PARAMS = 200_000_000
#: Bytes in the longest n-gram. Standing: assumed; 5 to 7 differ little at this size of text.
NGRAM_ORDER = 6
#: Training text of the n-gram model per language; more is thinned evenly to the number of whole
#: documents that comes nearest.
NGRAM_BYTES = 1_000_000


@dataclass(frozen=True)
class Subject:
    """A model to evaluate.

    `identity` returns, for a language, plain data that changes whenever an answer could;
    `answerer` returns who answers in a language; `takes` says whether the model can be asked the
    tasks of a kind in a language. `chat` puts messages into the form that the model is asked in.
    """

    model: EvaluatedModel
    identity: Callable[[str], Any]
    answerer: Callable[[str], Answerer]
    takes: Callable[[TaskKind, str], bool] = lambda _kind, _language: True
    chat: Callable[..., str] | None = None


def baseline(export: Folder) -> Subject:
    """Return a model as it was trained; its weights are loaded when they are first needed."""

    @functools.cache
    def load() -> TrieLM:
        return _token_model(export, load_model(export))

    model = EvaluatedModel(
        name=export.name,
        role=export.role,
        about=export.about,
        n_params_total=export.n_params_total,
        weights_sha256=export.weights_sha256,
        tokenizer_sha256=export.tokenizer_sha256,
        dtype=export.dtype,
        scorer="plain",
        revision=export.revision,
        tuning=export.tuning,
    )
    return Subject(model, lambda _: export.identity, lambda _: load())


def untrained(export: Folder) -> Subject:
    """Return a network with the configuration of an export and random weights."""
    network = random_model(export, RANDOM_SEED)
    answerer = _token_model(export, network)
    weights = _weights_sha256(network)
    identity = {
        name: value for name, value in export.identity.items() if not name.endswith(".safetensors")
    }
    identity["random weights"] = weights
    model = EvaluatedModel(
        name=f"random-init-{export.name}",
        role="control",
        about=f"Untrained, seed {RANDOM_SEED}: {export.about}",
        n_params_total=export.n_params_total,
        weights_sha256=weights,
        tokenizer_sha256=export.tokenizer_sha256,
        dtype=export.dtype,
        scorer="plain",
    )
    return Subject(model, lambda _: identity, lambda _: answerer)


def byte_ngram(corpus: Path, languages: Sequence[str]) -> Subject:
    """Train one byte n-gram model per language on the corpus' training text.

    Raises:
        UserInputError: The corpus is missing or lacks a language.
    """
    manifest = CorpusManifest.load(corpus / "corpus.json")
    models: dict[str, ByteNgram] = {}
    counted: list[str] = []
    for tag in languages:
        texts = training_texts(corpus, manifest, tag)
        models[tag] = ByteNgram(texts, NGRAM_ORDER)
        counted.append(f"{tag} {sum(len(text.encode('utf-8')) for text in texts):,}")
    model = EvaluatedModel(
        name="byte-ngram",
        role="control",
        about=(
            f"Byte {NGRAM_ORDER}-gram per language, interpolated Witten-Bell, counted on bytes of "
            f"the corpus' training text: {', '.join(counted)}"
        ),
        n_params_total=None,
        weights_sha256=fingerprint({tag: models[tag].sha256 for tag in models}),
        tokenizer_sha256="",
        dtype="float64",
        scorer=f"byte {NGRAM_ORDER}-gram",
    )
    return Subject(
        model, lambda tag: models[tag].sha256, lambda tag: LmAnswerer(ByteLM(models[tag]))
    )


def training_texts(corpus: Path, manifest: CorpusManifest, language: str) -> list[str]:
    """Decode a language's training documents, thinned evenly to about `NGRAM_BYTES`.

    Raises:
        UserInputError: The corpus lacks the language, or a file of it is missing.
    """
    from tokenizers import Tokenizer

    shard = manifest.shard(language, "train")
    if shard is None or shard.n_bytes == 0:
        raise UserInputError(
            str(corpus / "corpus.json"),
            f"no training text in language {language!r} for the byte n-gram control",
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
    texts: list[str] = Tokenizer.from_file(str(path)).decode_batch(ids, skip_special_tokens=True)
    return texts


def evenly(n: int, n_kept: int) -> list[int]:
    """Return `n_kept` of the indices 0 to n - 1, as far apart as they can be."""
    return [i for i in range(n) if (i + 1) * n_kept // n > i * n_kept // n]


def _token_model(export: Folder, network: torch.nn.Module) -> TrieLM:
    return TrieLM(network, tokenizer=load_tokenizer(export))


def _weights_sha256(network: torch.nn.Module) -> str:
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode() + tensor.cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
