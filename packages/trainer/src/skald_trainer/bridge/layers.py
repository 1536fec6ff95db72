"""nanotron's tensor-parallel layers, as the decoder's layer factory."""

from __future__ import annotations

from typing import Any

import torch
from nanotron.parallel import ParallelContext
from nanotron.parallel.tensor_parallel.nn import (
    TensorParallelColumnLinear,
    TensorParallelEmbedding,
    TensorParallelLinearMode,
    TensorParallelRowLinear,
)
from torch import nn


class NanotronLayers:
    """See `skald_mup.model.LayerFactory`.

    Args:
        context: nanotron's groups.
        mode: What the layers of a group send each other.
        asynchronous: Whether they compute meanwhile.
        compiled: Whether they lie inside layers that torch.compile fuses.
    """

    def __init__(
        self,
        context: ParallelContext,
        mode: TensorParallelLinearMode,
        asynchronous: bool,
        compiled: bool,
    ) -> None:
        self.tp: int = context.tp_pg.size()
        # nanotron's messages work in place, behind autograd's back: no compiler may look inside.
        self._opaque = compiled and self.tp > 1
        self._common: dict[str, Any] = {"pg": context.tp_pg, "mode": mode}
        self._linear: dict[str, Any] = {
            **self._common, "bias": False, "async_communication": asynchronous,
        }  # fmt: skip

    def embedding(self, vocab_size: int, d_model: int) -> nn.Module:
        """See `LayerFactory.embedding`."""
        module: nn.Module = TensorParallelEmbedding(vocab_size, d_model, **self._common)
        return module

    def _closed(self, module: nn.Module) -> nn.Module:
        if self._opaque:
            closed: Any = torch.compiler.disable  # untyped
            module.__dict__["forward"] = closed(module.forward)
        return module

    def column(self, fan_in: int, fan_out: int) -> nn.Module:
        """See `LayerFactory.column`."""
        return self._closed(TensorParallelColumnLinear(fan_in, fan_out, **self._linear))

    def row(self, fan_in: int, fan_out: int) -> nn.Module:
        """See `LayerFactory.row`."""
        return self._closed(TensorParallelRowLinear(fan_in, fan_out, **self._linear))
