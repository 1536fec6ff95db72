"""What autograd keeps of each part of the decoder for one micro-batch, and what passes through.

One line for each operation that keeps something, with the reason. The forms for a CPU are held
against real runs by tests; those for CUDA differ where a function asks for the device, and are
derived from the kernels' signatures, not measured. `torch.compile` keeps less and is left out.
"""

from __future__ import annotations

from typing import Literal

from skald_mup.counts import LOSS_PIECE

from skald_planner.machine.memory_states import FP32, Setting

Device = Literal["cpu", "cuda"]
INT64, BOOL = 8, 1


def saved_by_block(setting: Setting, device: Device) -> dict[str, int]:
    """Return the bytes autograd keeps of one layer for one micro-batch, by what keeps them.

    Args:
        setting: The run.
        device: Decides what RMSNorm keeps (see `_norm`); the rest is equal. Both devices' flash
            attention keeps q, k, v, its output and the log of the softmax's sum, never the
            probabilities; fp32 on CUDA has grouped keys repeated.

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
    if setting.mask_documents or (device == "cuda" and not setting.mixed):
        # No fused kernel takes grouped heads with a mask, or on CUDA in fp32: keys and values are
        # repeated for every head.
        saved["q, k, v"] = e * n * 3 * d_q
    if setting.mask_documents:
        # Each layer keeps the mask as numbers of the dtype of training.
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
    under tp which of them are another rank's). The loss keeps the logits, in which their gradient
    stands; under tp the softmax in fp32, over the rank's share of the vocabulary, and the targets.

    Args:
        setting: The run.
        part: `embed`, `layers.<i>`, `head` or `loss`, as `pipeline_stages` names them.
        device: Whose kernels compute.

    Returns:
        Bytes on one rank.

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
        if tp == 1:
            return setting.element_bytes * n * shape.vocab_size
        return FP32 * n * (shape.vocab_size // tp) + n * (INT64 + 2 * BOOL)
    if setting.execution.activation_checkpointing:
        return setting.element_bytes * stream
    return sum(saved_by_block(setting, device).values())


def passing_bytes(setting: Setting, part: str, device: Device) -> int:
    """Return the most bytes that pass through while a part runs, beyond what it keeps.

    loss: one process takes the logits piece by piece, with log-probabilities and two gradients of a
    piece, in fp32; under tp: forward, the logits and (bf16) their fp32 copy; nanotron writes their
    gradient into the softmax.
    head: the gradients of the logits, of the matrix and of its input. layer: the gradients of the
    product and of its two factors less the product that is no longer kept, and of the residual
    stream; under checkpointing also what the layer keeps while it is run again.

    Args:
        setting: The run.
        part: See `saved_bytes`.
        device: Whose kernels compute.

    Returns:
        Bytes on one rank.

    Standing: derived; the peak is measured on CPU.
    """
    shape, e, n = setting.shape, setting.element_bytes, setting.micro_batch_tokens
    tp, stream = setting.execution.tp, n // _pieces(setting) * shape.d_model
    vocab, d_ff = shape.vocab_size // tp, shape.d_ff // tp
    if part == "loss":
        if tp == 1:
            return 3 * FP32 * min(n, max(1, LOSS_PIECE[device] // vocab)) * vocab
        return (e + FP32 if setting.mixed else e) * n * vocab
    if part == "head":
        return e * (n * vocab + vocab * shape.d_model + stream)
    if part == "embed":
        return e * (vocab * shape.d_model + stream)
    gradients = e * max(2 * n * d_ff, n * d_ff + d_ff * shape.d_model) + e * stream
    again = sum(saved_by_block(setting, device).values())
    return gradients + (again if setting.execution.activation_checkpointing else 0)
