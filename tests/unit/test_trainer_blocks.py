"""A layer whose activations are computed again gives the same bits; one that is compiled, the same."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from skald_mup.model import PlainLayers
from skald_mup.rules import multipliers
from skald_specs.errors import UserInputError
from skald_specs.execution import ExecutionRecipe
from skald_specs.parametrisation import BaseShape, Parametrisation
from skald_specs.shape import ModelShape
from skald_trainer.bridge import patches
from torch.nn.attention import SDPBackend, sdpa_kernel

patches.apply("cpu")
from skald_trainer.bridge.blocks import TrainedBlock, check_compiler  # noqa: E402 - after the patches

SHAPE = ModelShape(
    d_model=16, n_layers=1, d_head=4, n_heads=4, n_kv_heads=2, d_ff=24, vocab_size=8, seq_len=8
)


def block(**execution: Any) -> TrainedBlock:
    base = BaseShape(base_width=16, base_depth=1, base_d_head=4, base_d_ff=24)
    rules = Parametrisation(
        rules="mup", base=base, decay="independent", weight_decay=0.0, eps=1e-12, hidden_std=0.1,
        embedding_std=1.0, output_std=0.2,
    )  # fmt: skip
    run = ExecutionRecipe(
        micro_batch_sequences=1, checkpoint_every_steps=1, validate_every_steps=1, **execution
    )
    torch.manual_seed(1)
    return TrainedBlock(SHAPE, multipliers(SHAPE, rules), PlainLayers(), run)


def passed(layer: TrainedBlock) -> tuple[list[torch.Tensor], int, int]:
    """Return output and gradients, the bytes kept for the way back, and forward passes of the MLP."""
    kept, calls = 0, 0

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal kept
        kept += tensor.nbytes
        return tensor

    def count(*args: Any) -> None:
        # Before the call: computing again stops inside it, with the last tensor that is wanted.
        nonlocal calls
        calls += 1

    layer.mlp.register_forward_pre_hook(count)
    x_TBD = torch.randn(8, 2, 16, generator=torch.Generator().manual_seed(2)).requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        y_TBD = layer(x_TBD=x_TBD)
    (y_TBD**2).sum().backward()
    return [y_TBD, x_TBD.grad, *(p.grad for p in layer.parameters())], kept, calls


def test_recomputing_keeps_less_and_changes_no_bit() -> None:
    tensors, kept, calls = passed(block())
    again, kept_less, twice = passed(block(activation_checkpointing=True))
    assert all(torch.equal(a, b) for a, b in zip(tensors, again, strict=True))
    assert (calls, twice) == (1, 2)
    assert kept_less < kept / 10


def test_nothing_is_computed_again_where_no_gradient_is_wanted() -> None:
    layer, calls = block(activation_checkpointing=True), []
    layer.mlp.register_forward_hook(lambda *args: calls.append(1))
    with torch.no_grad():
        layer(x_TBD=torch.ones(8, 2, 16))
    assert len(calls) == 1


@pytest.mark.slow
def test_a_compiled_layer_computes_the_same() -> None:
    check_compiler()
    layer, compiled = block(), block(compile_blocks=True)
    assert [name for name, _ in layer.named_parameters()] == [
        name for name, _ in compiled.named_parameters()
    ]
    for ours, theirs in zip(passed(layer)[0], passed(compiled)[0], strict=True):
        assert (theirs - ours).norm() <= 1e-5 * ours.norm()


def test_a_machine_that_cannot_compile_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(function: Any) -> Any:
        raise RuntimeError("InvalidCxxCompiler: no working C++ compiler\nand a page more")

    monkeypatch.setattr(torch, "compile", cannot)
    with pytest.raises(
        UserInputError, match=r"^execution.compile_blocks: true, but .* C\+\+"
    ) as told:
        check_compiler()
    assert "\n" not in str(told.value)


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch says why it refuses
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_attention_takes_a_flash_kernel(dtype: torch.dtype) -> None:
    """A CPU has one, too: nothing in the layer (few KV heads, a scale of its own) rules it out."""
    attention, x_TBD = block().attn.to(dtype), torch.ones(8, 2, 16, dtype=dtype)
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        assert attention(x_TBD).shape == x_TBD.shape
        # Where it must fall back it refuses, so the line above proves something.
        q_BTH = torch.ones(2, 8, 4, dtype=dtype)
        with pytest.raises(RuntimeError, match="No available kernel"):
            torch.nn.functional.scaled_dot_product_attention(q_BTH, q_BTH, q_BTH)
