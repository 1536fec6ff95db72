"""Write a finished run as a plain Hugging Face folder.

After folding nothing of muP is left in the forward pass: the exported model is a standard
`LlamaForCausalLM`, or `Qwen3ForCausalLM` where queries and keys are normalised, and computes the
trained model's logits.
"""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import torch
from skald_specs.checkpoint import MODEL_FILE, PLAN_FILE, verify
from skald_specs.corpus import END_OF_TEXT, END_OF_TEXT_ID, CorpusManifest, load_corpus
from skald_specs.errors import UserInputError
from skald_specs.files import atomic_folder, write_json, write_text
from skald_specs.modelcard import (
    BASE_MODEL,
    LIBRARY,
    PIPELINE_TAG,
    TAGS,
    card_languages,
    facts,
    introduction,
)
from skald_specs.plan import Plan
from skald_specs.shape import DType

from skald_mup.fold import folding
from skald_mup.huggingface import config_of, hf_name
from skald_mup.names import tensor_shapes
from skald_mup.tensorfile import SHARD_BYTES, TensorReader, save_sharded, tensor_files

#: Types that an export can be stored in; training keeps fp32.
DTYPES: dict[DType, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def export(
    final: Path,
    corpus: Path,
    out: Path,
    dtype: DType = "float32",
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Export a finished run as a Hugging Face folder with tokenizer and model card.

    Args:
        final: The run's `final` folder, or any checkpoint.
        corpus: Folder of the corpus it was trained on (for the tokenizer).
        out: Folder to write; an existing one is replaced as a whole.
        dtype: Type the weights are stored in.
        shard_bytes: At most so much in one file of weights.

    Raises:
        UserInputError: There is no finished run, or the corpus is another one.
    """
    if not tensor_files(final / MODEL_FILE):
        raise UserInputError(str(final), "no finished run", "Run `skald train` first")
    verify(final)
    plan = Plan.load(final / PLAN_FILE)
    manifest = load_corpus(corpus)
    if manifest.fingerprint != plan.identity.data.corpus_fingerprint:
        raise UserInputError(
            str(corpus), f"not the corpus {plan.name} was trained on", "Name that one"
        )
    shape, tensor = folding(plan.identity, TensorReader(final / MODEL_FILE))
    ours = {hf_name(name): name for name in tensor_shapes(shape)}
    stored = DTYPES[dtype]
    sizes = {hf_name(n): math.prod(s) * stored.itemsize for n, s in tensor_shapes(shape).items()}
    with atomic_folder(out, marker="config.json") as temporary:
        save_sharded(
            temporary / MODEL_FILE,
            sizes,
            lambda theirs: tensor(ours[theirs]).to(stored),
            shard_bytes,
        )
        write_json(temporary / "config.json", config_of(shape) | {"dtype": dtype})
        ids = {"bos_token_id": END_OF_TEXT_ID, "eos_token_id": END_OF_TEXT_ID}
        write_json(temporary / "generation_config.json", ids)
        shutil.copyfile(corpus / "tokenizer.json", temporary / "tokenizer.json")
        write_json(
            temporary / "tokenizer_config.json",
            {
                "tokenizer_class": "PreTrainedTokenizerFast",
                "bos_token": END_OF_TEXT,
                "eos_token": END_OF_TEXT,
                "pad_token": END_OF_TEXT,
                "model_max_length": plan.identity.model.seq_len,
                "clean_up_tokenization_spaces": False,
            },
        )
        write_text(temporary / "README.md", _model_card(plan, manifest))


def _model_card(plan: Plan, manifest: CorpusManifest) -> str:
    """Write the card without scores; the card with them is the report's."""
    front = json.dumps(card_languages(manifest.recipe.languages))
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts(plan, manifest.fingerprint))
    return f"""---
language: {front}
library_name: {LIBRARY}
pipeline_tag: {PIPELINE_TAG}
tags: [{", ".join(TAGS)}]
---
# {plan.name}

{introduction(plan)}

| | |
|---|---|
{rows}

{BASE_MODEL}
"""
