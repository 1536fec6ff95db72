"""Masked documents in every kind of layout: one loss, and not the loss without the mask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from skald_specs.files import read_jsonl
from skald_trainer.folder import RunFolder
from skald_trainer.launch import run_ranks
from support_trainer import Job, losses_of, tiny_corpus, tiny_plan, train_each

pytestmark = [pytest.mark.parallel, pytest.mark.slow]

#: As in test_trainer_layouts: two units in the last place of a loss near 6.
SAME_LOSS = 2e-6
#: Texts of 41 tokens in windows of 64.
MASKED = {"model": {"seq_len": 64}, "data": {"mask_documents": True}}
TWO_RANKS: dict[str, dict[str, Any]] = {
    "dp2": {"dp": 2},
    "tp2": {"tp": 2},
    "pp2": {"pp": 2},
    "pp2_afab": {"pp": 2, "pp_schedule": "afab"},
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("documents")
    manifest = tiny_corpus(root / "corpus")

    def job(name: str, **changes: Any) -> Job:
        return Job(tiny_plan(manifest, name, **changes).model_dump_json(), root / name)

    two = [job(name, **MASKED, **changes) for name, changes in TWO_RANKS.items()]
    one = [job("one", **MASKED), job("unmasked", model=MASKED["model"])]
    for world_size, jobs in ((2, two), (1, one)):
        run_ranks(world_size, train_each, jobs, root / "corpus")
    return root


def metrics(runs: Path, name: str) -> Path:
    return RunFolder(runs / name).metrics


def bits(runs: Path, name: str) -> dict[str, float]:
    rows = [
        row["bits_per_byte"] for row in read_jsonl(metrics(runs, name)) if "bits_per_byte" in row
    ]
    return dict(rows[-1])


@pytest.mark.parametrize("name", TWO_RANKS)
def test_masked_documents_give_one_loss_in_every_layout(runs: Path, name: str) -> None:
    ours, one = losses_of(metrics(runs, name)), losses_of(metrics(runs, "one"))
    assert len(one) == 6
    assert ours == pytest.approx(one, abs=SAME_LOSS)
    assert bits(runs, name) == pytest.approx(bits(runs, "one"), rel=1e-5)


def test_the_mask_is_told_apart(runs: Path) -> None:
    masked, unmasked = losses_of(metrics(runs, "one")), losses_of(metrics(runs, "unmasked"))
    assert max(abs(a - b) for a, b in zip(masked, unmasked, strict=True)) > 1000 * SAME_LOSS
    assert bits(runs, "unmasked") != pytest.approx(bits(runs, "one"), rel=1e-5)
