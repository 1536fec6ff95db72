"""A body whose last layer does only what is read: its feed-forward part runs at chosen positions.

Behind the last attention nothing mixes positions, so what stands at positions that nobody reads
need not be computed. Knows tensors and modules; whether a network may be treated so is found out by
the probe.

Letters: N chosen positions, D width.
"""

from __future__ import annotations

import copy
import threading
from typing import Any

import torch

#: What decoder layers of transformers call their feed-forward part.
FEED_FORWARD = "mlp"


class ThriftyBody:
    """Runs a body; leaves the given one as it is, and shares its weights.

    Args:
        body: The body of a causal model of transformers.

    Raises:
        ValueError: It has no list of layers with a feed-forward part.
    """

    def __init__(self, body: Any) -> None:
        lists = [
            (name, child)
            for name, child in body.named_children()
            if isinstance(child, torch.nn.ModuleList)
            and len(child)
            and isinstance(getattr(child[-1], FEED_FORWARD, None), torch.nn.Module)
        ]
        if not lists:
            raise ValueError("no layers with a feed-forward part")
        name, layers = lists[-1]
        self._chosen = _Chosen(getattr(layers[-1], FEED_FORWARD))
        last = _with_part(layers[-1], FEED_FORWARD, self._chosen)
        self._body = _with_part(body, name, torch.nn.ModuleList([*layers[:-1], last]))

    def __call__(self, position_N: torch.Tensor, **inputs: Any) -> Any:
        """Run the body; what it returns is right at these positions of the flattened rows."""
        self._chosen.wanted.position_N = position_N
        try:
            return self._body(**inputs)
        finally:
            del self._chosen.wanted.position_N


class _Chosen(torch.nn.Module):
    """Runs a part that treats positions alike at the wanted ones only, and is 0 elsewhere."""

    def __init__(self, part: torch.nn.Module) -> None:
        super().__init__()
        self.part = part
        # Each worker has its own batch.
        self.wanted = threading.local()

    def forward(self, hidden_BTD: torch.Tensor) -> torch.Tensor:
        position_N = self.wanted.position_N.to(hidden_BTD.device)
        flat = hidden_BTD.flatten(0, 1)
        result = torch.zeros_like(flat)
        if len(position_N):
            result[position_N] = self.part(flat[position_N][None])[0]
        return result.view_as(hidden_BTD)


def _with_part(module: torch.nn.Module, name: str, part: torch.nn.Module) -> torch.nn.Module:
    changed = copy.copy(module)
    changed._modules = {**module._modules, name: part}
    return changed
