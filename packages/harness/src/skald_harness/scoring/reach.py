"""How many tokens a network sees before what it does depends on more than a token's ancestors.

Knows the few entries of transformers' configurations that say so; refuses to know tensors. The
probe's little tree is too short to show these.
"""

from __future__ import annotations

from typing import Any

#: Rotary scalings whose angles change for all tokens once a sequence is longer than at first.
LENGTH_BOUND_ROPE = ("dynamic", "longrope")


def reach_of(config: Any, max_length: int) -> tuple[int, str]:
    """Return up to how many tokens a sequence may be scored in a tree, and what ends there.

    Args:
        config: The model's configuration.
        max_length: Tokens the model can see at once.

    Returns:
        Tokens, and the reason, empty where the model's whole length can be used.
    """
    config = config.get_text_config() if hasattr(config, "get_text_config") else config
    kinds = getattr(config, "layer_types", None)
    limits = []
    window = getattr(config, "sliding_window", None)
    if window and (kinds is None or any("sliding" in kind for kind in kinds)):
        limits.append((int(window), "sliding window"))
    chunk = getattr(config, "attention_chunk_size", None)
    if chunk and (kinds is None or any("chunked" in kind for kind in kinds)):
        limits.append((int(chunk), "chunked attention"))
    rope = getattr(config, "rope_parameters", None) or {}
    if any(str(kind) in LENGTH_BOUND_ROPE for kind in _rope_kinds(rope)):
        first = rope.get("original_max_position_embeddings") or config.max_position_embeddings
        limits.append((int(first), "positions scaled by length"))
    within = [limit for limit in limits if limit[0] < max_length]
    return min(within, default=(max_length, ""))


def _rope_kinds(rope: dict[str, Any]) -> list[Any]:
    # One set of parameters, or one by kind of layer.
    nested = [value for value in rope.values() if isinstance(value, dict)]
    return [part.get("rope_type") for part in (nested or [rope])]
