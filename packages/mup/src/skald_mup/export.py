"""Fold the multipliers in and write a plain Hugging Face Llama folder.

After folding nothing of muP is left in the forward pass: the exported model is standard
`LlamaForCausalLM` and computes the trained model's logits.
"""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

from skald_specs.checkpoint import MODEL_FILE, PLAN_FILE, verify
from skald_specs.corpus import END_OF_TEXT, END_OF_TEXT_ID, CorpusManifest, load_corpus
from skald_specs.errors import UserInputError
from skald_specs.files import atomic_folder, write_json, write_text
from skald_specs.plan import Plan, PlanIdentity

from skald_mup.tensorfile import Tensors, load_tensors, save_tensors

_LLAMA_LEAF = {
    "attn_norm": "input_layernorm",
    "mlp_norm": "post_attention_layernorm",
    "attn": "self_attn",
    "mlp": "mlp",
}


def fold(identity: PlanIdentity, weights: Tensors) -> Tensors:
    """Multiply every forward multiplier into the weights it acts on.

    Args:
        identity: The plan's identity: shape and multipliers.
        weights: Full tensors by the plain model's names.

    Returns:
        Tensors of the same names, for a decoder whose multipliers are all 1 and whose attention
        scale is the standard 1/sqrt(d_head).

    Source: q' = q * attn_scale * sqrt(d_head); o' = residual_mult * o; down' = residual_mult * down;
        embed' = emb_mult * embed; head' = output_mult * head (TP-V, arXiv 2203.03466, section 3).
    Standing: derived (exact up to rounding; a test compares logits).
    """
    m = identity.multipliers
    factors = {
        "embed.tokens.weight": m.emb_mult,
        "head.linear.weight": m.output_mult,
        "attn.q_proj.weight": m.attn_scale * math.sqrt(identity.model.d_head),
        "attn.o_proj.weight": m.residual_mult,
        "mlp.down_proj.weight": m.residual_mult,
    }

    def factor(name: str) -> float:
        return factors.get(name, factors.get(".".join(name.split(".")[-3:]), 1.0))

    return {name: tensor * factor(name) for name, tensor in weights.items()}


def llama_name(name: str) -> str:
    """Return the name a tensor has in Hugging Face's Llama."""
    fixed = {
        "embed.tokens.weight": "model.embed_tokens.weight",
        "head.norm.weight": "model.norm.weight",
        "head.linear.weight": "lm_head.weight",
    }
    if name in fixed:
        return fixed[name]
    _, layer, part, *rest = name.split(".")
    return ".".join(["model.layers", layer, _LLAMA_LEAF[part], *rest])


def llama_config(identity: PlanIdentity) -> dict[str, object]:
    """Return config.json of the exported model."""
    shape = identity.model
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": shape.d_model,
        "intermediate_size": shape.d_ff,
        "num_hidden_layers": shape.n_layers,
        "num_attention_heads": shape.n_heads,
        "num_key_value_heads": shape.n_kv_heads,
        "head_dim": shape.d_head,
        "vocab_size": shape.vocab_size,
        "max_position_embeddings": shape.seq_len,
        "rope_theta": shape.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": shape.rope_theta},
        "rms_norm_eps": shape.norm_eps,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": False,
        "bos_token_id": END_OF_TEXT_ID,
        "eos_token_id": END_OF_TEXT_ID,
        "dtype": "float32",
    }


def export(final: Path, corpus: Path, out: Path) -> None:
    """Export a finished run as a Hugging Face folder with tokenizer and model card.

    Args:
        final: The run's `final` folder, or any checkpoint.
        corpus: Folder of the corpus it was trained on (for the tokenizer).
        out: Folder to write; an existing one is replaced as a whole.

    Raises:
        UserInputError: There is no finished run, or the corpus is another one.
    """
    if not (final / MODEL_FILE).is_file():
        raise UserInputError(str(final), "no finished run", "Run `skald train` first")
    verify(final)
    plan = Plan.load(final / PLAN_FILE)
    manifest = load_corpus(corpus)
    if manifest.fingerprint != plan.identity.data.corpus_fingerprint:
        raise UserInputError(
            str(corpus), f"not the corpus {plan.name} was trained on", "Name that one"
        )
    folded = fold(plan.identity, load_tensors(final / MODEL_FILE))
    with atomic_folder(out, marker="config.json") as temporary:
        save_tensors(
            {llama_name(name): tensor for name, tensor in folded.items()}, temporary / MODEL_FILE
        )
        write_json(temporary / "config.json", llama_config(plan.identity))
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
        write_text(temporary / "README.md", model_card(plan, manifest))


def model_card(plan: Plan, manifest: CorpusManifest) -> str:
    """Write the card without scores; scores stand in reports/cards/ and in the report."""
    identity, languages = plan.identity, list(manifest.recipe.languages)
    front = json.dumps(languages)
    return f"""---
language: {front}
library_name: transformers
pipeline_tag: text-generation
tags: [skald, mup]
---
# {plan.name}

A Llama-architecture base model trained with Skald: muP parametrisation, multipliers folded in, so
plain `LlamaForCausalLM` loads it.

| | |
|---|---|
| parameters | {identity.n_params_total.value:,} ({identity.n_params_non_embedding.value:,} without embeddings) |
| d_model, layers, heads, KV heads, d_ff | {identity.model.d_model}, {identity.model.n_layers}, {identity.model.n_heads}, {identity.model.n_kv_heads}, {identity.model.d_ff} |
| context | {identity.model.seq_len} tokens |
| training tokens | {identity.schedule.n_steps.value * identity.global_batch_tokens.value:,} |
| base learning rate | {identity.optimizer.base_lr.value:.6g} ({identity.optimizer.base_lr.standing}) |
| mixture | {", ".join(f"{tag} {share:.3g}" for tag, share in sorted(identity.data.mixture.items()))} |
| plan | `{plan.fingerprint[:16]}` |
| corpus | `{manifest.fingerprint[:16]}` |

A base model: it continues text, it follows no instructions and has no safety tuning. Its licence
is that of the text it was trained on; nothing is claimed here beyond that.
"""
