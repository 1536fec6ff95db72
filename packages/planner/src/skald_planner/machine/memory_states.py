"""What a rank holds throughout a run: parameters, gradients, optimizer states; and the setting.

Closed forms from the decoder's tensor list and from how nanotron 0.4 shards, accumulates and cuts a
model into stages. Knows no torch; refuses to know what passes through.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from skald_mup.names import tensor_kind, tensor_shapes
from skald_specs.execution import ExecutionRecipe
from skald_specs.plan import Plan
from skald_specs.recipe import Recipe
from skald_specs.shape import DType, ModelShape

FP32 = 4
#: Kinds of tensor that every tensor-parallel rank holds whole; the others are cut in `tp` pieces.
WHOLE = frozenset({"block_norm", "qk_norm", "final_norm"})


@dataclass(frozen=True)
class Setting:
    """What of a run its memory depends on; `batch_sequences` is the global batch."""

    shape: ModelShape
    dtype: DType
    batch_sequences: int
    execution: ExecutionRecipe
    mask_documents: bool = False

    @classmethod
    def of(cls, source: Plan | Recipe) -> Setting:
        """Take it from a plan, or from a recipe, which needs no corpus for this."""
        if isinstance(source, Plan):
            it, batch, masked = source.identity, source.batch_sequences, source.identity.data
            return cls(it.model, it.dtype, batch, source.execution, masked.mask_documents)
        batch = source.budget.global_batch_tokens // source.model.seq_len
        return cls(source.model, source.dtype, batch, source.execution, source.mask_documents)

    @property
    def mixed(self) -> bool:
        """Whether weights are bf16, with fp32 copies and fp32 accumulation of gradients."""
        return self.dtype == "bfloat16"

    @property
    def element_bytes(self) -> int:
        """Bytes of a weight or an activation."""
        return 2 if self.mixed else FP32

    @property
    def n_micro_batches(self) -> int:
        """Micro-batches of one rank in one step."""
        return self.execution.n_micro_batches(self.batch_sequences)

    @property
    def micro_batch_tokens(self) -> int:
        """Tokens of one micro-batch."""
        return self.execution.micro_batch_sequences * self.shape.seq_len


def held_tensors(shape: ModelShape, tp: int, parts: tuple[str, ...]) -> dict[str, int]:
    """Return the elements of each parameter a tensor-parallel rank of a stage holds.

    A tied readout is the embedding itself where one stage has both, else a copy.

    Args:
        shape: The model's shape.
        tp: Ranks that share out a matrix.
        parts: What the stage has, as `pipeline_stages` names it.

    Returns:
        Elements on one rank by the plain model's names.

    Source: nanotron's column, row and vocabulary sharding; gains are whole on every rank.
    Standing: derived.
    """
    tensors = tensor_shapes(shape)
    if shape.tie_embeddings and "embed" not in parts:
        tensors = {**tensors, "head.linear.weight": tensors["embed.tokens.weight"]}
    return {
        name: prod(size) // (1 if tensor_kind(name) in WHOLE else tp)
        for name, size in tensors.items()
        if part_of(name) in parts
    }


def part_of(name: str) -> str:
    """Return the part (see `pipeline_stages`) that a tensor belongs to."""
    words = name.split(".")
    return ".".join(words[:2]) if words[0] == "layers" else words[0]


def uses_ddp(setting: Setting) -> bool:
    """Whether torch's DistributedDataParallel holds a second copy of the gradients, in buckets.

    Source: nanotron 0.4, `trainer._init_model`: with dp > 1, unless ZeRO-1 meets fp32 accumulation.
    """
    run = setting.execution
    return run.dp > 1 and not (setting.mixed and run.zero_stage == 1)


def parameter_bytes(setting: Setting, held: dict[str, int]) -> int:
    """Return the bytes of a rank's weights, which are in the dtype of training.

    Args:
        setting: The run.
        held: Elements by name, see `held_tensors`.

    Standing: derived, measured on CPU.
    """
    return setting.element_bytes * sum(held.values())


def gradient_bytes(setting: Setting, held: dict[str, int]) -> int:
    """Return the bytes of the gradients that last through the step, with DDP's buckets.

    Args:
        setting: The run.
        held: Elements by name, see `held_tensors`.

    Returns:
        Bytes: gradients in fp32, buckets in the dtype of training. ZeRO-1 shards none of them: nanotron
        reduces whole buffers and each rank reads its slice.

    Standing: derived, measured on CPU.
    """
    buckets = parameter_bytes(setting, held) if uses_ddp(setting) else 0
    return FP32 * sum(held.values()) + buckets


def optimizer_bytes(setting: Setting, held: dict[str, int]) -> int:
    """Return the bytes of Adam's state, and of the fp32 copy of bf16 weights.

    Args:
        setting: The run.
        held: Elements by name, see `held_tensors`.

    Returns:
        Bytes of two moments, the copy, and a step count for each tensor. ZeRO-1 cuts every tensor into
        dp flat slices and the first ranks take the rounding, so this is the first rank's.

    Source: nanotron 0.4, `optim.zero._partition_parameters`.
    Standing: derived, measured on CPU.
    """
    dp = setting.execution.dp if setting.execution.zero_stage == 1 else 1
    n_elements = sum(-(-count // dp) for count in held.values())
    return (3 if setting.mixed else 2) * FP32 * n_elements + FP32 * len(held)
