"""What is evaluated: baselines, and beside each an untrained network of its shape.

An untrained network shows chance with all its accidents. The controls that are no networks are in
`counting` and `rules`. A benchmark that one of them passes measures nothing.
"""

from __future__ import annotations

import functools
import gc
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from skald_specs.controls import RANDOM_INIT
from skald_specs.records import EvaluatedModel, TaskKind

from skald_harness.adapter.chat import chat_template
from skald_harness.adapter.network import TrieLM
from skald_harness.adapter.vllm import GenerationBackend, load_vllm, require_vllm
from skald_harness.models.folder import Folder
from skald_harness.models.loading import load_model, load_tokenizer, random_model
from skald_harness.scoring.questions import Answerer

if TYPE_CHECKING:
    import torch

#: Seed of the untrained networks.
RANDOM_SEED = 0
#: Only networks of at most so many parameters get an untrained twin: at chance it is as good a
#: control for the larger ones, which would cost as much as a model.
RANDOM_MAX_PARAMS = 200_000_000


@dataclass(frozen=True)
class Subject:
    """A model to evaluate.

    `identity` returns, for a language, plain data that changes whenever an answer could;
    `answerer` returns who answers in a language; `takes` says whether the model can be asked the
    tasks of a kind in a language, and `labels_only` that it has an answer only where every item offers
    the same labels. `chat` puts messages into the form that the model is asked in.
    `release` gives back what answering took, so that one large model is in memory at a time.
    """

    model: EvaluatedModel
    identity: Callable[[str], Any]
    answerer: Callable[[str], Answerer]
    takes: Callable[[TaskKind, str], bool] = lambda _kind, _language: True
    labels_only: bool = False
    chat: Callable[..., str] | None = None
    release: Callable[[], None] = lambda: None


def baseline(export: Folder) -> Subject:
    """Return a model as it was trained; its weights are loaded when they are first needed.

    One that was tuned to follow instructions is asked in its chat template, any other without.

    Raises:
        UserInputError: It was tuned so, and its tokenizer has no chat template.
    """
    tuned = export.tuning == "instruct"
    template = chat_template(load_tokenizer(export), export.name) if tuned else None

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
        hub_id=export.hub_id,
        revision=export.revision,
        tuning=export.tuning,
        chat_template_sha256=template.sha256 if template else None,
    )
    chat = template.apply if template else None

    def release() -> None:
        if load.cache_info().currsize:
            load.cache_clear()
            # lm-eval's model refers to itself.
            gc.collect()

    return Subject(model, lambda _: export.identity, lambda _: load(), chat=chat, release=release)


def generating(export: Folder) -> Subject:
    """Return a model whose texts vLLM generates; it is asked nothing else.

    Raises:
        UserInputError: vllm is not installed, or as for `baseline`.
    """
    version, asked = require_vllm(), baseline(export)

    @functools.cache
    def load() -> GenerationBackend:
        return load_vllm(str(export.path))

    return replace(
        asked,
        model=asked.model.model_copy(update={"scorer": GenerationBackend.how}),
        identity=lambda _: {**export.identity, "vllm": version},
        answerer=lambda _: load(),
        takes=lambda kind, _language: kind == "generate",
        release=load.cache_clear,
    )


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
        name=f"{RANDOM_INIT}{export.name}",
        role="control",
        about=f"Untrained, seed {RANDOM_SEED}: {export.about}",
        n_params_total=export.n_params_total,
        weights_sha256=weights,
        tokenizer_sha256=export.tokenizer_sha256,
        dtype=export.dtype,
        scorer="plain",
    )
    return Subject(model, lambda _: identity, lambda _: answerer)


def _token_model(export: Folder, network: torch.nn.Module) -> TrieLM:
    return TrieLM(network, tokenizer=load_tokenizer(export))


def _weights_sha256(network: torch.nn.Module) -> str:
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode() + tensor.cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
