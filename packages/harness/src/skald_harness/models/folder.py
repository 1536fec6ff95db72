"""Models on disk: any plain Hugging Face folder of a causal language model, read and checked.

Reads configuration, tokenizer and safetensors, offline. Pickled weights are never read, and code
that lies in a folder is never run unless the caller was told to trust it.
Refuses to know hubs, tasks and scores.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skald_mup.huggingface import ARCHITECTURES
from skald_specs.errors import UserInputError
from skald_specs.files import sha256_file
from skald_specs.fingerprint import fingerprint
from skald_specs.records import ModelRole, Tuning

from skald_harness.models.parts import (
    AGAIN,
    TOKENIZER_FILES,
    check_code,
    check_only_model,
    check_tokenizer_config,
    check_tokenizer_files,
    code_of,
    first_words,
    identity_files,
    no_tokenizer,
    read_config,
    readable,
    tensors,
    tokenizer_of,
    weight_files,
)

if TYPE_CHECKING:
    pass

#: Names of the input embedding in the architectures of transformers, by their ends.
_EMBEDDINGS = (
    "embed_tokens.weight", "wte.weight", "embed_in.weight", "word_embeddings.weight",
)  # fmt: skip
#: How transformers calls classes that give the probability of the next token.
_GENERATIVE = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
_REMEDY = "Run `skald export` for it first"


@dataclass(frozen=True)
class Folder:
    """One model folder.

    `identity` holds the hashes of every file that can change an answer; `weights_sha256` and
    `tokenizer_sha256` are those of the weights and of the tokenizer. `context` is in tokens.
    `hub_id` and `revision` are the id and the commit it was downloaded by; `trusted` is that id if
    its code may be run.
    """

    path: Path
    name: str
    role: ModelRole
    config: dict[str, Any]
    architecture: str
    about: str
    context: int
    n_params_total: int
    dtype: str
    weights_sha256: str
    tokenizer_sha256: str
    identity: dict[str, str]
    hub_id: str | None = None
    revision: str | None = None
    tuning: Tuning | None = None
    trusted: str | None = None


def read_export(path: Path) -> Folder:
    """Read a folder that `skald export` wrote.

    Raises:
        UserInputError: It is missing, of another architecture, or its parts do not fit.
    """
    if not path.is_dir():
        fault = "a file, no folder of an export" if path.is_file() else "no such export"
        raise UserInputError(str(path), fault, _REMEDY)
    if not (path / "config.json").is_file():
        raise UserInputError(str(path), "not an export (config.json is missing)", _REMEDY)
    config = read_config(path)
    if config.get("architectures") not in [[name] for name in ARCHITECTURES]:
        raise UserInputError(
            str(path / "config.json"),
            f"`architectures` = {config.get('architectures')}: only {' and '.join(ARCHITECTURES)} "
            "are written by `skald export`",
            "Name another model's folder with --models",
        )
    for name in ("tokenizer.json", "tokenizer_config.json"):
        if not (path / name).is_file():
            raise UserInputError(
                str(path), f"the export has no tokenizer ({name} is missing)", _REMEDY
            )
    return read_folder(path, role="baseline")


def read_folder(
    path: Path,
    name: str | None = None,
    role: ModelRole | None = None,
    hub_id: str | None = None,
    revision: str | None = None,
    tuning: Tuning | None = None,
    trusted: str | None = None,
) -> Folder:
    """Read a model folder's facts and check that its parts belong together.

    Args:
        path: The folder.
        name: What records call the model; by default the folder's name.
        role: By default `baseline` for what `skald export` wrote, `external` for the rest.
        hub_id: The id it was downloaded by.
        revision: The hub commit it was downloaded at.
        tuning: Whether it was tuned to follow instructions, where that is known.
        trusted: Its id, to run the code of its own that its configuration names.

    Raises:
        UserInputError: A part is missing, damaged, does not fit another, or cannot be read.
    """
    if not path.is_dir():
        raise UserInputError(str(path), "no such folder", "Name a folder with a model")
    config = read_config(path)
    check_code(path, trusted)
    check_tokenizer_config(path)
    with readable(path):
        role = role or ("baseline" if _is_export(path) else "external")
        check_only_model(str(path), [file.name for file in path.iterdir()])
        weights = weight_files(path)
        shapes, stored = tensors(weights)
        facts = _facts(path, config, trusted)
        tokenizer_sha256 = _check_vocabulary(path, config, shapes, trusted)
        identity = {
            file.relative_to(path).as_posix(): sha256_file(file)
            for file in identity_files(path, trusted is not None)
        }
    hashes = {file.name: identity[file.name] for file in weights}
    return Folder(
        path=path,
        name=name or path.resolve().name,
        role=role,
        config=config,
        n_params_total=sum(math.prod(shape) for shape in shapes.values()),
        dtype=str(config.get("dtype") or config.get("torch_dtype") or stored),
        weights_sha256=next(iter(hashes.values())) if len(hashes) == 1 else fingerprint(hashes),
        tokenizer_sha256=tokenizer_sha256,
        identity=identity,
        hub_id=hub_id,
        revision=revision,
        tuning=tuning,
        trusted=trusted,
        **facts,
    )


def architecture_of(path: Path, config: dict[str, Any], trusted: str | None) -> str:
    """Return the class that computes a model.

    Args:
        path: The folder, to name in an error and to look for code of its own.
        config: Its config.json, with a `model_type`.
        trusted: The id whose own code may run; None: none may, so the type must be one of
            transformers'.

    Raises:
        UserInputError: It is no causal language model that transformers, or trusted code, knows.
    """
    import transformers
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as KNOWN

    kind = config["model_type"]
    if kind not in KNOWN and not (trusted and code_of(path)):
        raise UserInputError(
            str(path / "config.json"),
            f"`model_type` = {kind!r} is no causal language model of transformers "
            f"{transformers.__version__}",
            "Name another model",
        )
    named = config.get("architectures")
    architecture = str(named[0] if isinstance(named, list) and named else KNOWN.get(kind))
    if not architecture.endswith(_GENERATIVE):
        raise UserInputError(
            str(path / "config.json"),
            f"`architectures` = {architecture}: no causal language model",
            "Name another model",
        )
    return architecture


def _facts(path: Path, config: dict[str, Any], trusted: str | None) -> dict[str, Any]:
    """Read architecture and shape through transformers, which knows every field's other names."""
    import transformers

    architecture = architecture_of(path, config, trusted)
    try:
        found = transformers.AutoConfig.from_pretrained(
            path, local_files_only=True, trust_remote_code=trusted is not None
        )
        text = found.get_text_config()
        context = int(getattr(text, "max_position_embeddings", 0) or 2048)
        words = (
            f"{architecture.removesuffix('ForCausalLM').removesuffix('LMHeadModel')} decoder, "
            f"{text.num_hidden_layers} layers, d_model {text.hidden_size}, "
            f"vocabulary {text.vocab_size}, context {context} tokens"
        )
    except Exception as error:  # the library raises nothing narrower
        raise UserInputError(
            str(path / "config.json"), f"damaged ({first_words(error)})", AGAIN
        ) from None
    return {"architecture": architecture, "about": words, "context": context}


def _check_vocabulary(
    path: Path, config: dict[str, Any], shapes: dict[str, tuple[int, ...]], trusted: str | None
) -> str:
    """Check that every token has a row of the embedding; return the tokenizer's hash."""
    ends = [name for end in _EMBEDDINGS for name in shapes if name.endswith(end)]
    vocabulary = (config.get("text_config") or config).get("vocab_size")
    rows = shapes[ends[0]][0] if ends else vocabulary
    if vocabulary is not None and rows != vocabulary:
        raise UserInputError(
            str(path / "config.json"),
            f"`vocab_size` = {vocabulary} but the weights have {rows} embedding rows",
            AGAIN,
        )
    file = path / "tokenizer.json"
    source = str(file if file.is_file() else path)
    check_tokenizer_files(str(path), [file.name for file in path.iterdir()])
    try:
        if file.is_file():
            from tokenizers import Tokenizer

            ids = Tokenizer.from_file(str(file)).get_vocab(with_added_tokens=True).values()
        else:
            ids = tokenizer_of(path, trusted).get_vocab().values()
    except Exception as error:  # the libraries raise nothing narrower
        raise no_tokenizer(source, error) from None
    n_ids = max(ids, default=-1) + 1
    if rows is not None and n_ids > rows:
        raise UserInputError(
            source,
            f"{n_ids} tokens but the weights have {rows} embedding rows",
            "Put the tokenizer that the model was trained with beside the weights",
        )
    parts = {n: sha256_file(path / n) for n in TOKENIZER_FILES if (path / n).is_file()}
    return parts.get("tokenizer.json") or fingerprint(parts)


def _is_export(path: Path) -> bool:
    """Tell by the model card whether `skald export` wrote a folder."""
    card = path / "README.md"
    if not card.is_file():
        return False
    front = card.read_text(encoding="utf-8", errors="replace").split("\n---", 1)[0]
    return "\ntags: [skald, mup]" in front
