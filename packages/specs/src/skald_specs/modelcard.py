"""What every card of an exported model says, with scores or without: once for the export and the report.

Knows the Hub's words for what Skald makes; refuses to name a licence, which is that of the text.
"""

from __future__ import annotations

from collections.abc import Iterable

from skald_specs.languages import BY_TAG
from skald_specs.plan import Plan
from skald_specs.shape import ModelShape

LIBRARY = "transformers"
PIPELINE_TAG = "text-generation"
TAGS = ("skald", "mup")
#: What a base model is for. Standing: given; nothing here is tuned to follow anyone.
BASE_MODEL = (
    "A base model: it continues text, it follows no instructions and has no safety tuning. Its licence "
    "is that of the text it was trained on; nothing is claimed here beyond that."
)
#: Classes of transformers that an export can be; Qwen3 is Llama with QK-norm.
LLAMA, QWEN3 = "LlamaForCausalLM", "Qwen3ForCausalLM"


def architecture(shape: ModelShape) -> str:
    """Return the class that computes a plain model of this shape."""
    return QWEN3 if shape.qk_norm else LLAMA


def card_languages(tags: Iterable[str]) -> list[str]:
    """Return the languages that a card may name: those with an ISO 639 code, so program code is none."""
    return [tag for tag in tags if tag in BY_TAG and BY_TAG[tag].iso639_3]


def introduction(plan: Plan) -> str:
    """Return what the export is, in one sentence."""
    return (
        "A base model trained with Skald, its forward multipliers folded in, so plain "
        f"`{architecture(plan.identity.model)}` loads it."
    )


def facts(plan: Plan, corpus_fingerprint: str) -> list[tuple[str, str]]:
    """Return size, training and identity of an exported model by name.

    Args:
        plan: What was trained.
        corpus_fingerprint: Of the corpus that it was trained on.
    """
    identity = plan.identity
    shape, rate = identity.model, identity.optimizer.base_lr
    total, inner = identity.n_params_total.value, identity.n_params_non_embedding.value
    sizes = (shape.d_model, shape.n_layers, shape.n_heads, shape.n_kv_heads, shape.d_ff)
    mixture = sorted(identity.data.mixture.items())
    tokens = identity.schedule.n_steps.value * identity.global_batch_tokens.value
    return [
        ("parameters", f"{total:,} ({inner:,} without embeddings)"),
        ("d_model, layers, heads, KV heads, d_ff", ", ".join(map(str, sizes))),
        ("context", f"{shape.seq_len} tokens"),
        ("training tokens", f"{tokens:,}"),
        ("base learning rate", f"{rate.value:.6g} ({rate.standing})"),
        ("mixture", ", ".join(f"{tag} {share:.3g}" for tag, share in mixture)),
        ("plan", f"`{plan.fingerprint[:16]}`"),
        ("corpus", f"`{corpus_fingerprint[:16]}`"),
    ]
