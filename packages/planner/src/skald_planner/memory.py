"""Bytes each GPU of a layout needs: parameters, gradients, optimizer, activations, and the peak.

Closed forms from the decoder's tensor list, from what autograd keeps of each of its operations, and
from how nanotron 0.4 shards, accumulates and schedules. Knows no torch and measures nothing; the
forms for a CPU are held against real allocations by tests, those for a GPU differ from them in the
lines that ask for the device and are derived from the kernels' signatures, not measured.

Left out: what `torch.compile` saves (less), and what comes between steps: a validation pass keeps
nothing, and a checkpoint's tensors are gathered when no activations are there.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from math import prod
from typing import Literal

from skald_mup.names import tensor_kind, tensor_shapes
from skald_specs.execution import ExecutionRecipe
from skald_specs.plan import Plan
from skald_specs.recipe import Recipe
from skald_specs.shape import ModelShape

Device = Literal["cpu", "cuda"]
FP32, INT64, BOOL = 4, 8, 1
#: Kinds of tensor that every tensor-parallel rank holds whole; the others are cut in `tp` pieces.
WHOLE = frozenset({"block_norm", "qk_norm", "final_norm"})


@dataclass(frozen=True)
class Setting:
    """What of a run its memory depends on; `batch_sequences` is the global batch."""

    shape: ModelShape
    dtype: Literal["float32", "bfloat16"]
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
        run = self.execution
        return self.batch_sequences // (run.dp * run.micro_batch_sequences)

    @property
    def micro_batch_tokens(self) -> int:
        """Tokens of one micro-batch."""
        return self.execution.micro_batch_sequences * self.shape.seq_len


@dataclass(frozen=True)
class RankMemory:
    """Bytes of one rank.

    `gradients` are those that last from one micro-batch to the next, with DDP's buckets;
    `optimizer` has the fp32 copies of bf16 weights; `activations` is the most that autograd keeps
    at once. `peak` is the most that lives at once, passing tensors included: below the sum where
    gradients appear only as activations go.
    """

    stage: int
    parameters: int
    gradients: int
    optimizer: int
    activations: int
    peak: int


def pipeline_stages(shape: ModelShape, pp: int) -> tuple[tuple[str, ...], ...]:
    """Return the parts (`embed`, `layers.0`, ..., `head`, `loss`) each pipeline stage holds.

    Args:
        shape: The model's shape.
        pp: Pipeline stages.

    Returns:
        Parts by stage, in forward order.

    Raises:
        ValueError: A stage would hold no parameter, which happens where the readout outweighs the
            layers.

    Source: nanotron 0.4, `models.base.build_model`: a stage ends after the block that takes the
        cumulative cost past its share. Costs: matrix parameters, see `bridge.model`.
    Standing: derived; a test compares it with the real assignment.
    """
    d_kv = shape.n_kv_heads * shape.d_head
    layer = 2 * shape.d_model * (shape.d_model + d_kv) + 3 * shape.d_model * shape.d_ff
    parts = {"embed": 0} | {f"layers.{i}": layer for i in range(shape.n_layers)}
    parts |= {"head": shape.d_model * shape.vocab_size, "loss": 0}
    total, stage = sum(parts.values()), 0
    stages: list[list[str]] = [[] for _ in range(pp)]
    for part, cost in zip(parts, accumulate(parts.values()), strict=True):
        stages[stage].append(part)
        if cost > total * ((stage + 1) / pp):
            stage += 1
    if not all(set(names) - {"loss"} for names in stages):
        raise ValueError(
            f"execution.pp = {pp} leaves a stage without parameters: the readout is "
            f"{parts['head'] / total:.0%} of the cost and is not cut; use fewer stages"
        )
    return tuple(tuple(names) for names in stages)


def held_tensors(shape: ModelShape, tp: int, parts: tuple[str, ...]) -> dict[str, int]:
    """Return the elements of each parameter a tensor-parallel rank of a stage holds.

    A tied readout is the embedding itself where one stage has both, else a copy.

    Source: nanotron's column, row and vocabulary sharding; gains are whole on every rank.
    Standing: derived.
    """
    tensors = tensor_shapes(shape)
    if shape.tie_embeddings and "embed" not in parts:
        tensors = {**tensors, "head.linear.weight": tensors["embed.tokens.weight"]}
    return {
        name: prod(size) // (1 if tensor_kind(name) in WHOLE else tp)
        for name, size in tensors.items()
        if _part_of(name) in parts
    }


def _part_of(name: str) -> str:
    words = name.split(".")
    return ".".join(words[:2]) if words[0] == "layers" else words[0]


def uses_ddp(setting: Setting) -> bool:
    """Whether torch's DistributedDataParallel holds a second copy of the gradients, in buckets.

    Source: nanotron 0.4, `trainer._init_model`: with dp > 1, unless ZeRO-1 meets fp32 accumulation.
    """
    run = setting.execution
    return run.dp > 1 and not (setting.mixed and run.zero_stage == 1)


def parameter_bytes(setting: Setting, held: dict[str, int]) -> int:
    """Weights, in the dtype of training. Standing: derived, measured on CPU."""
    return setting.element_bytes * sum(held.values())


def gradient_bytes(setting: Setting, held: dict[str, int]) -> int:
    """Gradients that last through the step, in fp32, and DDP's buckets in the dtype of training.

    ZeRO-1 shards none of them: nanotron reduces whole buffers and each rank reads its slice.
    Standing: derived, measured on CPU.
    """
    buckets = parameter_bytes(setting, held) if uses_ddp(setting) else 0
    return FP32 * sum(held.values()) + buckets


def optimizer_bytes(setting: Setting, held: dict[str, int]) -> int:
    """Adam's two moments and, for bf16 weights, the fp32 copy; a step count for each tensor.

    ZeRO-1 cuts every tensor into dp flat slices and the first ranks take the rounding
    (`optim.zero._partition_parameters`), so this is the first rank's. Standing: derived, measured.
    """
    dp = setting.execution.dp if setting.execution.zero_stage == 1 else 1
    n_elements = sum(-(-count // dp) for count in held.values())
    return (3 if setting.mixed else 2) * FP32 * n_elements + FP32 * len(held)


def saved_by_block(setting: Setting, device: Device) -> dict[str, int]:
    """Return the bytes autograd keeps of one layer for one micro-batch, by what keeps them.

    Args:
        setting: The run.
        device: Decides what RMSNorm keeps (see `_norm`); the rest is equal. Both devices' flash
            attention keeps q, k, v, its output and the log of the softmax's sum, never the
            probabilities, and reads grouped keys without repeating them.

    Returns:
        Bytes by name; their sum is the layer's.

    Source: `skald_mup.model.Block`, line by line; the lists of saved tensors were printed with
        `torch.autograd.graph.saved_tensors_hooks` (torch 2.13).
    Standing: measured on CPU; derived for CUDA.
    """
    shape, e, n = setting.shape, setting.element_bytes, setting.micro_batch_tokens
    tp, heads = setting.execution.tp, setting.shape.n_heads // setting.execution.tp
    kv_heads, d_ff = shape.n_kv_heads // tp, shape.d_ff // tp
    stream = n // _pieces(setting) * shape.d_model
    d_q, d_kv = heads * shape.d_head, kv_heads * shape.d_head
    norm = _norm(setting, stream, shape.d_model, device)
    saved = {
        "attn_norm": norm,
        # q_proj, k_proj and v_proj keep their input; gate_proj and up_proj theirs.
        "attn_input": _column_input(setting, n_linears=3),
        # The rotation keeps its tables only; rotated queries and keys are what attention keeps.
        "q, k, v": e * n * (d_q + 2 * d_kv),
        "attention": e * n * d_q + FP32 * n * heads,
        "mlp_norm": norm,
        "mlp_input": _column_input(setting, n_linears=2),
        # silu keeps gate, the product keeps silu(gate) and up, down_proj keeps the product.
        "swiglu": 4 * e * n * d_ff,
    }
    if setting.mask_documents:
        # No fused kernel takes a mask and grouped heads: keys and values are repeated for every
        # head, and each layer keeps the mask as numbers of the dtype of training.
        saved["q, k, v"] = e * n * 3 * d_q
        saved["mask"] = e * n * shape.seq_len
    if shape.qk_norm:
        # Normalised queries are laid out head by head, so o_proj keeps a reordered copy.
        saved["qk_norm"] = (
            _norm(setting, n * d_q, shape.d_head, device)
            + _norm(setting, n * d_kv, shape.d_head, device)
            + e * n * d_q
        )
    return saved


def _pieces(setting: Setting) -> int:
    """Pieces of the sequence that the residual stream is in between the layers' products."""
    run = setting.execution
    return 1 if run.tp_mode == "all_reduce" else run.tp


def _norm(setting: Setting, n_elements: int, row: int, device: Device) -> int:
    """Bytes RMSNorm keeps: its input and 1 / rms of each row of `row` features.

    On a CPU it is a composition in fp32: it keeps an fp32 input (a copy, under bf16) and, with a
    gain, the product before the gain. On CUDA `_fused_rms_norm` keeps the input as it is.
    """
    scale = FP32 * (n_elements // row)
    if device == "cuda":
        return setting.element_bytes * n_elements + scale
    return (2 if setting.shape.norm_gains else 1) * FP32 * n_elements + scale


def _column_input(setting: Setting, n_linears: int) -> int:
    """Bytes of the input that column-parallel products keep for the gradients of their weights.

    all_reduce: one tensor, shared. reduce_scatter: each product gathers the sequence for itself and
    keeps what it gathered. reduce_scatter_async: the piece before gathering is kept, shared, and
    gathered again in the backward pass. Source: nanotron, `tensor_parallel.functional`.
    """
    whole = setting.element_bytes * setting.micro_batch_tokens * setting.shape.d_model
    mode = setting.execution.tp_mode if setting.execution.tp > 1 else "all_reduce"
    return {
        "all_reduce": whole,
        "reduce_scatter": n_linears * whole,
        "reduce_scatter_async": whole // setting.execution.tp,
    }[mode]


def saved_bytes(setting: Setting, part: str, device: Device) -> int:
    """Return the bytes autograd keeps of one part for one micro-batch.

    Under activation checkpointing a layer keeps its input only. The embedding keeps token ids (and
    under tp which of them are another rank's). The loss keeps the softmax in fp32, over the rank's
    share of the vocabulary, and the targets.

    Standing: measured on CPU, checkpointing derived; derived for CUDA.
    """
    shape, n, tp = setting.shape, setting.micro_batch_tokens, setting.execution.tp
    stream = n // _pieces(setting) * shape.d_model
    if part == "embed":
        return n * (INT64 + (BOOL if tp > 1 else 0))
    if part == "head":
        norm = _norm(setting, stream, shape.d_model, device)
        return norm + _column_input(setting, n_linears=1)
    if part == "loss":
        return FP32 * n * (shape.vocab_size // tp) + n * (INT64 + (2 * BOOL if tp > 1 else 0))
    if setting.execution.activation_checkpointing:
        return setting.element_bytes * stream
    return sum(saved_by_block(setting, device).values())


def passing_bytes(setting: Setting, part: str, device: Device) -> int:
    """Return the most bytes that pass through while a part runs, beyond what it keeps.

    loss: forward, the logits and (bf16) their fp32 copy; backward, one process: the gradient of the
    log-likelihoods and that of the logits, both fp32; under tp nanotron writes it into the softmax.
    head: the gradients of the logits, of the matrix and of its input. layer: the gradients of the
    product and of its two factors less the product that is no longer kept, and of the residual
    stream; under checkpointing also what the layer keeps while it is run again.
    Standing: derived; the peak is measured on CPU.
    """
    shape, e, n = setting.shape, setting.element_bytes, setting.micro_batch_tokens
    tp, stream = setting.execution.tp, n // _pieces(setting) * shape.d_model
    vocab, d_ff = shape.vocab_size // tp, shape.d_ff // tp
    if part == "loss":
        forward = (e + FP32 if setting.mixed else e) * n * vocab
        return max(forward, 2 * FP32 * n * vocab if tp == 1 else e * n * vocab)
    if part == "head":
        return e * (n * vocab + vocab * shape.d_model + stream)
    if part == "embed":
        return e * (vocab * shape.d_model + stream)
    gradients = e * max(2 * n * d_ff, n * d_ff + d_ff * shape.d_model) + e * stream
    again = sum(saved_by_block(setting, device).values())
    return gradients + (again if setting.execution.activation_checkpointing else 0)


def passes(setting: Setting, stage: int) -> tuple[int, tuple[bool, ...]]:
    """Return micro-batches in flight at first, then the passes that decide the peak.

    Args:
        setting: The run.
        stage: Pipeline stage.

    Returns:
        Micro-batches whose activations are kept already, and passes in order; True is a forward
        one. Passes that only repeat earlier ones are left out.

    Source: nanotron 0.4, `pipeline_parallel.engine`: 1f1b runs pp - stage - 1 forward passes ahead;
        afab (also with one stage) runs all of them.
    """
    run, n_micro = setting.execution, setting.n_micro_batches
    ahead = n_micro if run.pp_schedule == "afab" else min(run.pp - stage - 1, n_micro)
    # After two of each the pattern repeats: gradients exist and as much is in flight.
    steady = (True, False) * min(n_micro - ahead, 2)
    return ahead, (*steady, *(False,) * min(ahead, 2))


def rank_memory(setting: Setting, stage: int, device: Device = "cuda") -> RankMemory:
    """Return the bytes of a stage's ranks (the first data-parallel one, which rounding favours least).

    Args:
        setting: The run.
        stage: Pipeline stage.
        device: Whose kernels compute.

    Returns:
        Bytes; the peak comes from walking forward and backward passes part by part.

    Raises:
        ValueError: See `pipeline_stages`.
    """
    shape = setting.shape
    parts = pipeline_stages(shape, setting.execution.pp)[stage]
    held = held_tensors(shape, setting.execution.tp, parts)
    by_part = dict.fromkeys(parts, 0)
    for name, count in held.items():
        by_part[_part_of(name)] += count
    saved = {part: saved_bytes(setting, part, device) for part in parts}
    passing = {part: passing_bytes(setting, part, device) for part in parts}
    tables = 2 * FP32 * shape.seq_len * shape.d_head if any("layers" in p for p in parts) else 0
    per_micro_batch = sum(saved.values())
    parameters, optimizer = parameter_bytes(setting, held), optimizer_bytes(setting, held)
    gradients = gradient_bytes(setting, held)
    # Gradients in the dtype of training come with each backward pass: under bf16 they go into the
    # fp32 buffers at its end, in fp32 the first ones stay until the optimizer has stepped.
    lasting = gradients - (0 if setting.mixed else FP32 * sum(held.values()))
    ahead, following = passes(setting, stage)
    live = most_kept = ahead * per_micro_batch
    fresh, peak = 0, 0
    full = parameters if not setting.mixed else 0
    for forward in following:
        if forward:
            for part in parts:
                live += saved[part]
                peak = max(peak, live + fresh + passing[part])
            most_kept = max(most_kept, live)
            continue
        growing = setting.mixed or fresh < full
        for part in reversed(parts):
            peak = max(peak, live + fresh + passing[part])
            live -= saved[part]
            fresh += setting.element_bytes * by_part[part] if growing else 0
        peak = max(peak, live + fresh)
        fresh = 0 if setting.mixed else fresh
    return RankMemory(
        stage=stage,
        parameters=parameters,
        gradients=gradients,
        optimizer=optimizer,
        activations=most_kept + tables,
        peak=parameters + optimizer + lasting + tables + peak,
    )


def worst_rank(setting: Setting, device: Device = "cuda") -> RankMemory:
    """Return the memory of the stage that needs most; see `rank_memory`."""
    stages = range(setting.execution.pp)
    return max((rank_memory(setting, stage, device) for stage in stages), key=lambda m: m.peak)
