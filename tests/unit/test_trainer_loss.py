"""The loss that works in the logits' memory is torch's, to the bit, and so is a whole step's walk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from skald_trainer.bridge import loss as in_place
from skald_trainer.bridge import patches
from skald_trainer.loader import IGNORED, TrainingData
from skald_trainer.run import drive
from support_trainer import tiny_corpus, tiny_plan
from torch.nn import functional as F

patches.apply("cpu")
N_POSITIONS, D_MODEL, VOCAB = 70, 16, 97


def torchs(logits_MV: torch.Tensor, labels_M: torch.Tensor) -> torch.Tensor:
    nats = F.cross_entropy(logits_MV.float(), labels_M, ignore_index=IGNORED, reduction="sum")
    return nats / (labels_M != IGNORED).sum().clamp(min=1)


def with_gradients(
    mean_nats: Any, dtype: torch.dtype, labels_M: torch.Tensor, n_micro: int
) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    x_MD, weight_VD = (
        torch.randn(size, generator=generator).to(dtype).requires_grad_()
        for size in ((N_POSITIONS, D_MODEL), (VOCAB, D_MODEL))
    )
    loss = mean_nats(F.linear(x_MD, weight_VD), labels_M)
    (loss / n_micro).backward()
    return [loss.detach(), x_MD.grad, weight_VD.grad]


def labels(seed: int = 4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(IGNORED, VOCAB, (N_POSITIONS,), generator=generator)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("n_micro", [1, 4])
# One piece, many, and pieces of a single position.
@pytest.mark.parametrize("piece", [1 << 17, 10 * VOCAB, 1])
def test_loss_and_gradients_are_torchs(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, n_micro: int, piece: int
) -> None:
    monkeypatch.setitem(in_place.LOSS_PIECE, "cpu", piece)
    assert (labels() == IGNORED).any()
    ours = with_gradients(in_place.mean_nats, dtype, labels(), n_micro)
    theirs = with_gradients(torchs, dtype, labels(), n_micro)
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one, other)
    others = with_gradients(torchs, dtype, labels(seed=5), n_micro)
    assert not torch.equal(ours[1], others[1])


def test_without_labels_there_is_no_loss() -> None:
    nothing = torch.full((N_POSITIONS,), IGNORED)
    loss, grad_x, grad_weight = with_gradients(in_place.mean_nats, torch.float32, nothing, 1)
    assert loss == 0
    assert not grad_x.any()
    assert not grad_weight.any()


def test_logits_are_left_alone_where_no_gradient_is_wanted() -> None:
    logits = torch.randn(N_POSITIONS, VOCAB, generator=torch.Generator().manual_seed(6))
    before = logits.clone()
    with torch.no_grad():
        assert in_place.mean_nats(logits, labels()) == torchs(before, labels())
    assert torch.equal(logits, before)


@pytest.mark.parametrize("option", [{}, {"tie_embeddings": True}], ids=["untied", "tied"])
def test_names_walked_once_are_those_of_every_step(tmp_path: Path, option: dict[str, Any]) -> None:
    manifest, walks = tiny_corpus(tmp_path), []

    def on_step(trainer: Any, step: int, loss: float | None, seconds: float) -> None:
        model = trainer.unwrapped_model
        known = list(model.get_named_params_with_correct_tied())
        afresh = list(super(type(model), model).get_named_params_with_correct_tied())
        assert [name for name, _ in known] == [name for name, _ in afresh]
        assert all(one is other for (_, one), (_, other) in zip(known, afresh, strict=True))
        walks.append(len(known))

    plan = tiny_plan(manifest, model=option, n_steps=2)
    drive(0, 1, tmp_path / "m", plan, TrainingData(plan, tmp_path, manifest), on_step)
    assert walks == [20 if option else 21] * 2
