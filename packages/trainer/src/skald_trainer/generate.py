"""Sample text from a finished run, a checkpoint, or an export."""

from __future__ import annotations

from pathlib import Path

import torch
from skald_mup.export import fold, llama_name
from skald_mup.model import Decoder
from skald_mup.names import tensor_shapes
from skald_mup.tensorfile import load_tensors
from skald_specs.checkpoint import MODEL_FILE, PLAN_FILE, verify
from skald_specs.corpus import END_OF_TEXT_ID
from skald_specs.errors import UserInputError
from skald_specs.files import read_json
from skald_specs.plan import Multipliers, Plan
from skald_specs.recipe import ModelShape
from tokenizers import Tokenizer

_AGAIN = "Run `skald export` again"


def generate(model: Path, prompt: str, n_tokens: int, seed: int, corpus: Path) -> str:
    """Sample a continuation at temperature 1.

    Args:
        model: A run's `final` folder, a checkpoint, or an export.
        prompt: Text to continue; empty for a document from its beginning.
        n_tokens: At most so many tokens.
        seed: Seed of the sampling.
        corpus: Where the tokenizer lies when `model` holds none.

    Returns:
        Prompt and continuation.

    Raises:
        UserInputError: The folder holds no model, or there is no tokenizer.
    """
    decoder, seq_len = _load(model)
    own = model / "tokenizer.json"
    path = own if own.is_file() else corpus / "tokenizer.json"
    if not path.is_file():
        raise UserInputError(str(path), "no tokenizer", "Name the corpus with --corpus")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise UserInputError(str(path), f"no tokenizer ({error})", _AGAIN) from None
    ids: list[int] = [END_OF_TEXT_ID, *tokenizer.encode(prompt).ids]
    generator = torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        for _ in range(n_tokens):
            logits_V = decoder(torch.tensor([ids[-seq_len:]]))[0, -1]
            token = int(torch.multinomial(logits_V.softmax(-1), 1, generator=generator))
            if token == END_OF_TEXT_ID:
                break
            ids.append(token)
    text: str = tokenizer.decode(ids[1:])
    return text


def _load(folder: Path) -> tuple[Decoder, int]:
    if not (folder / MODEL_FILE).is_file():
        raise UserInputError(
            str(folder), "no model in this folder", "Name a run's final/ or an export"
        )
    if (folder / PLAN_FILE).is_file():
        verify(folder)
    weights = load_tensors(folder / MODEL_FILE)
    if (folder / PLAN_FILE).is_file():
        identity = Plan.load(folder / PLAN_FILE).identity
        shape, weights = identity.model, fold(identity, weights)
    else:
        shape = _shape_of(read_json(folder / "config.json"), folder)
        names = {name: llama_name(name) for name in tensor_shapes(shape)}
        if missing := sorted(set(names.values()) - set(weights)):
            raise UserInputError(str(folder), f"no tensor {missing[0]}", _AGAIN)
        weights = {name: weights[theirs] for name, theirs in names.items()}
    plain = Multipliers(
        emb_mult=1.0, attn_scale=shape.d_head**-0.5, residual_mult=1.0, output_mult=1.0
    )
    decoder = Decoder(shape, plain)
    try:
        decoder.load_weights(weights)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip()
        raise UserInputError(str(folder), f"its weights do not fit it: {first}", _AGAIN) from None
    return decoder.eval(), shape.seq_len


def _shape_of(config: dict[str, object], folder: Path) -> ModelShape:
    if config.get("architectures") != ["LlamaForCausalLM"]:
        raise UserInputError(
            str(folder), f"architecture {config.get('architectures')}", "Use an export of Skald"
        )
    return ModelShape.check(
        {
            "d_model": config["hidden_size"],
            "n_layers": config["num_hidden_layers"],
            "d_head": config["head_dim"],
            "n_heads": config["num_attention_heads"],
            "n_kv_heads": config["num_key_value_heads"],
            "d_ff": config["intermediate_size"],
            "vocab_size": config["vocab_size"],
            "seq_len": config["max_position_embeddings"],
            "rope_theta": config["rope_theta"],
            "norm_eps": config["rms_norm_eps"],
        },
        str(folder / "config.json"),
    )
