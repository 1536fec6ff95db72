"""One loss in every layout, and one run across a resume: several checks per launch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from skald_specs.checkpoint import MODEL_FILE, OPTIMIZER_FILE
from skald_specs.files import sha256_file
from skald_trainer import checkpoint
from skald_trainer.launch import run_ranks
from skald_trainer.run import RunFolder
from support_trainer import losses_of, tiny_corpus, tiny_plan, train_each

pytestmark = [pytest.mark.parallel, pytest.mark.slow]

#: fp32 losses near 6: one unit in the last place is 4.8e-7; two stages of rounding may add up.
SAME_LOSS = 2e-6
TWO_RANKS = {
    "dp2": {"dp": 2},
    "dp2_zero1": {"dp": 2, "zero_stage": 1},
    "tp2": {"tp": 2},
    "pp2": {"pp": 2},
    "bf16_dp2": {"dp": 2, "dtype": "bfloat16"},
    "bf16_dp2_zero1": {"dp": 2, "zero_stage": 1, "dtype": "bfloat16"},
}
ONE_RANK = {"one": {}, "accumulated_less": {"micro_batch_sequences": 8}, "other_seed": {"model_seed": 2},
            "bf16_one": {"dtype": "bfloat16"}}  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train every layout, then resume some of them from their middle checkpoint."""
    root = tmp_path_factory.mktemp("layouts")
    manifest = tiny_corpus(root / "corpus")

    def jobs(layouts: dict[str, dict[str, object]]) -> list[tuple[str, Path, None]]:
        return [
            (tiny_plan(manifest, name, **changes).model_dump_json(), root / name, None)
            for name, changes in layouts.items()
        ]

    def again(name: str, changes: dict[str, object], middle: str) -> tuple[str, Path, Path]:
        resume = checkpoint.path_of(RunFolder(root / middle).checkpoints, 3)
        return tiny_plan(manifest, name, **changes).model_dump_json(), root / name, resume

    two = [
        *jobs(TWO_RANKS),
        again("dp2_zero1_resumed", TWO_RANKS["dp2_zero1"], "dp2_zero1"),
        again("bf16_resumed", TWO_RANKS["bf16_dp2_zero1"], "bf16_dp2_zero1"),
        again("tp2_from_dp2_zero1", TWO_RANKS["tp2"], "dp2_zero1"),
        again("pp2_from_tp2", TWO_RANKS["pp2"], "tp2"),
    ]
    one = [
        *jobs(ONE_RANK),
        again("one_resumed", {}, "one"),
        again("one_from_dp2_zero1", {}, "dp2_zero1"),
    ]
    for world_size, these in ((2, two), (1, one)):
        run_ranks(world_size, train_each, these, root / "corpus")
    return root


def _losses(runs: Path, name: str) -> list[float]:
    return losses_of(RunFolder(runs / name).metrics)


def _last(runs: Path, name: str) -> Path:
    return checkpoint.path_of(RunFolder(runs / name).checkpoints, 6)


@pytest.mark.parametrize("name", ["accumulated_less", "dp2", "dp2_zero1", "tp2", "pp2"])
def test_every_layout_gives_the_loss_of_one_process(runs: Path, name: str) -> None:
    assert _losses(runs, name) == pytest.approx(_losses(runs, "one"), abs=SAME_LOSS)


@pytest.mark.parametrize("name", ["dp2", "dp2_zero1", "tp2", "pp2"])
@pytest.mark.parametrize("file", [MODEL_FILE, OPTIMIZER_FILE])
def test_every_layout_saves_the_same_full_tensors(runs: Path, name: str, file: str) -> None:
    expected, got = load_file(_last(runs, "one") / file), load_file(_last(runs, name) / file)
    assert expected.keys() == got.keys()
    for key, tensor in expected.items():
        torch.testing.assert_close(got[key], tensor, rtol=2e-3, atol=1e-5, msg=key)


def test_another_seed_is_told_apart(runs: Path) -> None:
    ours, other = _losses(runs, "one"), _losses(runs, "other_seed")
    assert max(abs(a - b) for a, b in zip(ours, other, strict=True)) > 1000 * SAME_LOSS


@pytest.mark.parametrize("name", ["bf16_dp2", "bf16_dp2_zero1"])
def test_bfloat16_layouts_agree_with_each_other(runs: Path, name: str) -> None:
    assert _losses(runs, name) == pytest.approx(_losses(runs, "bf16_one"), abs=1e-3)


@pytest.mark.parametrize(
    ("resumed", "undisturbed"),
    [
        ("one_resumed", "one"),
        ("dp2_zero1_resumed", "dp2_zero1"),
        ("bf16_resumed", "bf16_dp2_zero1"),
    ],
)
def test_resuming_in_the_same_layout_changes_no_bit(
    runs: Path, resumed: str, undisturbed: str
) -> None:
    assert _losses(runs, resumed) == _losses(runs, undisturbed)[3:]
    for file in (MODEL_FILE, OPTIMIZER_FILE):
        assert sha256_file(_last(runs, resumed) / file) == sha256_file(
            _last(runs, undisturbed) / file
        )


@pytest.mark.parametrize(
    ("resumed", "undisturbed"),
    [
        ("tp2_from_dp2_zero1", "tp2"),
        ("pp2_from_tp2", "pp2"),
        ("one_from_dp2_zero1", "one"),
    ],
)
def test_resuming_in_another_layout_stays_on_the_curve(
    runs: Path, resumed: str, undisturbed: str
) -> None:
    assert _losses(runs, resumed) == pytest.approx(_losses(runs, undisturbed)[3:], abs=5e-6)
