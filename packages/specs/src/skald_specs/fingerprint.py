"""Identity of a result: a hash over exactly the values that change it.

A value without a deterministic encoding is refused, because a permissive fallback would change
the fingerprint between runs without saying so.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any


def canonical(value: Any) -> str:
    """Encode plain data as JSON with sorted keys and shortest-exact floats.

    Args:
        value: Nested dicts with string keys, lists, tuples, strings, numbers, booleans, None.

    Returns:
        The encoding.

    Raises:
        TypeError: A value has no deterministic encoding (a set, an object, a NaN).
    """

    def check(node: Any) -> None:
        if node is None or isinstance(node, str | bool | int):
            return
        if isinstance(node, float):
            if not math.isfinite(node):
                raise TypeError(f"no deterministic encoding for {node}")
            return
        if isinstance(node, dict):
            for key, item in node.items():
                if not isinstance(key, str):
                    raise TypeError(f"key {key!r} is not a string")
                check(item)
            return
        if isinstance(node, list | tuple):
            for item in node:
                check(item)
            return
        raise TypeError(f"no deterministic encoding for {type(node).__name__}")

    check(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def fingerprint(value: Any) -> str:
    """Return the hex SHA-256 of `canonical(value)`."""
    return hashlib.sha256(canonical(value).encode("utf-8")).hexdigest()
