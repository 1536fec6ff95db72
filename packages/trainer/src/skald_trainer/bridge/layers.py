"""nanotron's tensor-parallel layers, as the decoder's layer factory."""

from __future__ import annotations

from typing import Any

from nanotron.parallel import ParallelContext
from nanotron.parallel.tensor_parallel.nn import (
    TensorParallelColumnLinear,
    TensorParallelEmbedding,
    TensorParallelLinearMode,
    TensorParallelRowLinear,
)
from torch import nn


class NanotronLayers:
    """See `skald_mup.model.LayerFactory`."""

    def __init__(
        self, context: ParallelContext, mode: TensorParallelLinearMode, asynchronous: bool
    ) -> None:
        self.tp: int = context.tp_pg.size()
        self._common: dict[str, Any] = {"pg": context.tp_pg, "mode": mode}
        self._linear: dict[str, Any] = {
            **self._common, "bias": False, "async_communication": asynchronous,
        }  # fmt: skip

    def embedding(self, vocab_size: int, d_model: int) -> nn.Module:
        """Vocabulary-sharded embedding."""
        module: nn.Module = TensorParallelEmbedding(vocab_size, d_model, **self._common)
        return module

    def column(self, fan_in: int, fan_out: int) -> nn.Module:
        """Output-sharded linear layer."""
        module: nn.Module = TensorParallelColumnLinear(fan_in, fan_out, **self._linear)
        return module

    def row(self, fan_in: int, fan_out: int) -> nn.Module:
        """Input-sharded linear layer."""
        module: nn.Module = TensorParallelRowLinear(fan_in, fan_out, **self._linear)
        return module
