"""Masked documents in the real trainer: the loss and the validation are the plain decoder's."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from skald_mup.init import initial_weights
from skald_mup.model import Decoder
from skald_specs.plan import Plan
from skald_trainer.loader import TrainingData, validation_sets
from skald_trainer.run import drive
from support_trainer import tiny_corpus, tiny_plan
from torch.nn import functional as F


def nats(plan: Plan, inputs: Any, labels: Any, mask_documents: bool) -> tuple[float, int]:
    """Return the sum of losses that the plain decoder has at the plan's initial weights."""
    identity = plan.identity
    decoder = Decoder(identity.model, identity.multipliers, mask_documents=mask_documents)
    decoder.load_weights(initial_weights(identity))
    with torch.inference_mode():
        logits_BTV = decoder(torch.from_numpy(inputs.copy()))
    labels_BT = torch.from_numpy(labels.copy())
    total = F.cross_entropy(
        logits_BTV.flatten(0, 1), labels_BT.flatten(), ignore_index=-1, reduction="sum"
    )
    return float(total), int((labels_BT >= 0).sum())


@pytest.mark.parametrize("mask_documents", [True, False])
def test_training_and_validation_mask_as_the_plan_says(
    tmp_path: Path, mask_documents: bool
) -> None:
    """Texts are 41 tokens and windows 64: most windows hold a border."""
    manifest = tiny_corpus(tmp_path)
    changes = {"model": {"seq_len": 64}, "parametrisation": {"embedding_std": 0.1}, "n_steps": 3}
    plan = tiny_plan(manifest, data={"mask_documents": mask_documents}, **changes)
    data, held_out = (
        TrainingData(plan, tmp_path, manifest),
        validation_sets(plan, tmp_path, manifest),
    )
    losses, measured = [], {}

    def on_step(trainer: Any, step: int, loss: float, seconds: float) -> None:
        losses.append(loss)

    frozen = plan.model_copy(
        update={
            "identity": plan.identity.model_copy(
                update={
                    "rules": {
                        kind: rule.model_copy(update={"lr": 0.0, "weight_decay": 0.0})
                        for kind, rule in plan.identity.rules.items()
                    }
                }
            )
        }
    )
    drive(
        0, 1, tmp_path / "meeting", frozen, data, on_step,
        after=lambda trainer: measured.update(trainer.validate(held_out)),
    )  # fmt: skip
    batch = data.micro_batch(1, 0, plan.batch_sequences)
    ours, other = (nats(plan, *batch, mask) for mask in (mask_documents, not mask_documents))
    assert losses[0] == pytest.approx(ours[0] / ours[1], abs=1e-6)
    assert abs(losses[0] - other[0] / other[1]) > 1e-4
    for one in held_out:
        expected, unexpected = (
            nats(plan, one.inputs, one.labels, mask)[0] / math.log(2) / one.n_bytes
            for mask in (mask_documents, not mask_documents)
        )
        assert measured[one.language][0] == pytest.approx(expected, rel=1e-5)
        assert measured[one.language][0] != pytest.approx(unexpected, rel=1e-5)
