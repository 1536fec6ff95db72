"""Clipping is torch's, whichever way the tensors are dealt out; copies count once."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from skald_trainer.bridge.clipping import clip_grad_norm
from skald_trainer.meeting import process_group


class Group:
    def size(self) -> int:
        return 1


@pytest.fixture(autouse=True)
def one_process(tmp_path: Path) -> Any:
    with process_group(0, 1, "cpu", tmp_path / "meeting"):
        yield


def held(grad: torch.Tensor, ranks: tuple[int, ...] | None = None) -> Any:
    tied = SimpleNamespace(global_ranks=ranks)
    return SimpleNamespace(grad=grad.clone(), is_tied=ranks is not None, get_tied_info=lambda: tied)


def clip(params: list[Any], max_norm: float, accumulator: Any = None) -> torch.Tensor:
    named = [(str(i), param) for i, param in enumerate(params)]
    return clip_grad_norm(Group(), named, max_norm, accumulator)


def gradients(n: int = 2) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(size, generator=generator) for size in ((4, 3), (5,)) * (n // 2)]


@pytest.mark.parametrize("max_norm", [0.5, 1e6])
def test_clipping_is_torchs(max_norm: float) -> None:
    mine, theirs = [held(grad) for grad in gradients()], []
    for grad in gradients():
        theirs.append(torch.nn.Parameter(torch.zeros_like(grad)))
        theirs[-1].grad = grad.clone()
    norm = clip(mine, max_norm)
    expected = torch.nn.utils.clip_grad_norm_(theirs, max_norm)
    assert norm.dtype == torch.float32
    assert norm == pytest.approx(expected.item(), rel=1e-6)
    for one, other in zip(mine, theirs, strict=True):
        assert torch.allclose(one.grad, other.grad, rtol=1e-6, atol=0)
    changed = float(sum((p.grad**2).sum() for p in mine)) ** 0.5
    assert changed == pytest.approx(min(max_norm, norm.item()), rel=1e-5)


def test_fp32_buffers_are_clipped_in_the_place_of_gradients() -> None:
    buffers = dict(zip("01", gradients(), strict=True))
    accumulator = SimpleNamespace(get_grad_buffer=lambda name: buffers[name])
    params = [held(torch.full_like(grad, 7.0)) for grad in gradients()]
    norm = clip(params, 0.5, accumulator)
    assert norm == pytest.approx(clip([held(grad) for grad in gradients()], 1e6).item())
    assert float(sum((b**2).sum() for b in buffers.values())) ** 0.5 == pytest.approx(0.5, rel=1e-5)
    assert all(torch.all(param.grad == 7.0) for param in params)


def test_a_copy_of_another_ranks_parameter_is_scaled_but_not_counted() -> None:
    first, second = gradients()
    alone = clip([held(first)], 1e6)
    copy = held(second, ranks=(3, 0))
    assert clip([held(first), copy], float(alone) / 2) == alone
    assert torch.allclose(copy.grad, second / 2, rtol=1e-5)
    assert clip([held(first), held(second, ranks=(0, 3))], 1e6) > alone


def test_the_order_of_the_tensors_changes_no_bit() -> None:
    """In fp32 it does: what nanotron's own function did from layout to layout."""
    grads = gradients(400)
    norms = torch.stack([grad.norm() for grad in grads])
    orders = [torch.randperm(400, generator=torch.Generator().manual_seed(i)) for i in range(20)]
    assert len({float(clip([held(grads[i]) for i in order], 1e6)) for order in orders}) == 1
    in_fp32 = {float(sum(norms[i] ** 2 for i in order)) ** 0.5 for order in orders}
    assert len(in_fp32) > 1
