"""Sample text from a finished run, a checkpoint, or an export."""

from __future__ import annotations

from pathlib import Path

import torch
from skald_mup.fold import Folded, fold
from skald_mup.huggingface import hf_name, shape_of
from skald_mup.model import Decoder
from skald_mup.names import tensor_shapes
from skald_mup.tensorfile import load_tensors, tensor_files
from skald_specs.checkpoint import MODEL_FILE, PLAN_FILE, verify
from skald_specs.corpus import END_OF_TEXT_ID
from skald_specs.errors import UserInputError
from skald_specs.files import read_by_library, read_json
from skald_specs.plan import Plan
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
    decoder, seq_len, vocab_size = _load(model)
    own = model / "tokenizer.json"
    path = own if own.is_file() else corpus / "tokenizer.json"
    if not path.is_file():
        raise UserInputError(str(path), "no tokenizer", "Name the corpus with --corpus")
    with read_by_library(path, "no tokenizer", _AGAIN):
        tokenizer = Tokenizer.from_file(str(path))
        ids: list[int] = [END_OF_TEXT_ID, *tokenizer.encode(prompt).ids]
    if max(ids) >= vocab_size:
        raise UserInputError(
            str(path),
            f"gives token {max(ids)}, the model has {vocab_size}",
            "Name the corpus that the model was trained on with --corpus",
        )
    generator = torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        for _ in range(n_tokens):
            logits_V = decoder(torch.tensor([ids[-seq_len:]]))[0, -1]
            if not bool(torch.isfinite(logits_V).all()):
                raise UserInputError(str(model), "its weights give NaN or infinity", _AGAIN)
            token = int(torch.multinomial(logits_V.softmax(-1), 1, generator=generator))
            if token == END_OF_TEXT_ID:
                break
            ids.append(token)
    text: str = tokenizer.decode(ids[1:])
    return text


def _load(folder: Path) -> tuple[Decoder, int, int]:
    if not tensor_files(folder / MODEL_FILE):
        raise UserInputError(
            str(folder), "no model in this folder", "Name a run's final/ or an export"
        )
    if (folder / PLAN_FILE).is_file():
        verify(folder)
    weights = load_tensors(folder / MODEL_FILE)
    if (folder / PLAN_FILE).is_file():
        folded = fold(Plan.load(folder / PLAN_FILE).identity, weights)
    else:
        config = folder / "config.json"
        shape = shape_of(read_json(config), str(config))
        names = {name: hf_name(name) for name in tensor_shapes(shape)}
        if missing := sorted(set(names.values()) - set(weights)):
            raise UserInputError(str(folder), f"no tensor {missing[0]}", _AGAIN)
        folded = Folded(shape, {name: weights[theirs] for name, theirs in names.items()})
    try:
        return folded.decoder(), folded.shape.seq_len, folded.shape.vocab_size
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip()
        raise UserInputError(str(folder), f"its weights do not fit it: {first}", _AGAIN) from None
