"""A decoder layer as training runs it: its activations kept or computed again, its kernels fused.

Neither changes a name, a weight or the layout. Recomputing changes no bit either; fused kernels
round differently.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from skald_mup.model import Block, LayerFactory
from skald_specs.errors import UserInputError
from skald_specs.execution import ExecutionRecipe
from skald_specs.plan import Multipliers
from skald_specs.shape import ModelShape
from torch.utils.checkpoint import checkpoint

from skald_trainer.bridge.patches import device_type


class TrainedBlock(Block):
    """`skald_mup.model.Block` with the options of a plan's execution block."""

    def __init__(
        self,
        shape: ModelShape,
        multipliers: Multipliers,
        layers: LayerFactory,
        run: ExecutionRecipe,
    ) -> None:
        super().__init__(shape, multipliers, layers)
        self._recompute = run.activation_checkpointing
        if run.compile_blocks:
            # Compiled layers work out the rotary tables themselves; that is right, only not cached.
            warnings.filterwarnings(
                "ignore", message="Dynamo detected a call to a `functools.lru_c"
            )
            self.compile(dynamic=False)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the layer; its inner activations are kept unless the plan has them computed again."""
        if not (self._recompute and torch.is_grad_enabled()):
            return super().__call__(*args, **kwargs)
        # No layer draws random numbers, so there is no state to keep.
        return checkpoint(
            super().__call__, *args, use_reentrant=False, preserve_rng_state=False, **kwargs
        )


def check_compiler() -> None:
    """Compile one small function, as the blocks will be.

    Raises:
        UserInputError: This machine cannot.
    """
    device = device_type()
    try:
        torch.compile(lambda x: 2 * x + 1)(torch.ones(8, device=device))
    except Exception as problem:
        said = str(problem).strip().splitlines() or [type(problem).__name__]
        raise UserInputError(
            "execution.compile_blocks",
            f"true, but torch.compile does not work here on {device} ({said[0]})",
            "Install a C++ compiler with Python's headers (on a GPU also Triton), or set it to false",
        ) from None
