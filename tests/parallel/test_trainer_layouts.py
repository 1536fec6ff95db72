"""One loss in every layout of every model, and one run across a resume: several checks per launch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from skald_mup.init import initial_weights
from skald_specs.checkpoint import MODEL_FILE, OPTIMIZER_FILE, PLAN_FILE
from skald_specs.files import read_jsonl, sha256_file
from skald_specs.plan import Plan
from skald_trainer import checkpoint
from skald_trainer.folder import RunFolder
from skald_trainer.launch import run_ranks
from support_trainer import Job, losses_of, tiny_corpus, tiny_plan, train_each

pytestmark = [pytest.mark.parallel, pytest.mark.slow]

#: fp32 losses near 6: one unit in the last place is 4.8e-7; two stages of rounding may add up.
SAME_LOSS = 2e-6
TWO_RANKS = {
    "dp2": {"dp": 2},
    "dp2_zero1": {"dp": 2, "zero_stage": 1},
    "tp2": {"tp": 2},
    "pp2": {"pp": 2},
    "tp2_pieces": {"tp": 2, "tp_mode": "reduce_scatter"},
    "tp2_overlapped": {"tp": 2, "tp_mode": "reduce_scatter_async"},
    "pp2_flushed": {"pp": 2, "pp_schedule": "afab"},
    "bf16_dp2": {"dp": 2, "dtype": "bfloat16"},
    "bf16_dp2_zero1": {"dp": 2, "zero_stage": 1, "dtype": "bfloat16"},
}
FOUR_RANKS = {
    "dp2_tp2_zero1": {"dp": 2, "tp": 2, "tp_mode": "reduce_scatter", "zero_stage": 1},
    "tp2_pp2": {"tp": 2, "tp_mode": "reduce_scatter_async", "pp": 2, "pp_schedule": "afab",
                "activation_checkpointing": True},
}  # fmt: skip
#: Compared with one process in losses, and in the tensors that they save.
COMPARED = [
    "dp2",
    "dp2_zero1",
    "tp2",
    "tp2_pieces",
    "tp2_overlapped",
    "pp2",
    "pp2_flushed",
    *FOUR_RANKS,
]
ONE_RANK = {"one": {}, "recomputed": {"activation_checkpointing": True}, "accumulated_less": {"micro_batch_sequences": 8}, "other_seed": {"model_seed": 2},
            "bf16_one": {"dtype": "bfloat16"}}  # fmt: skip
#: A tied readout needs an embedding of the readout's scale.
TIED = {"tie_embeddings": True}, {"embedding_std": 0.1, "emb_mult": 10.0}
#: Under tp = 2 a rank has one KV head; under pp = 2 the last stage has the readout alone.
OPTIONS: dict[str, dict[str, Any]] = {
    "tied": {"model": TIED[0], "parametrisation": TIED[1]},
    "qk_norm": {"model": {"qk_norm": True}},
    "no_gains": {"model": {"norm_gains": False}},
    "tied_no_gains": {"model": {**TIED[0], "norm_gains": False}, "parametrisation": TIED[1]},
}
PP2_ZERO1 = {"pp": 2, "zero_stage": 1}
BF16_TP2 = {"tp": 2, "dtype": "bfloat16"}
LAYOUTS_OF_OPTIONS = {
    "tied": ("dp2", "dp2_zero1", "tp2", "pp2"),
    "qk_norm": ("dp2", "tp2", "tp2_pieces", "pp2"),
    "no_gains": ("dp2", "tp2", "pp2"),
    "tied_no_gains": ("pp2_zero1",),
}
OF_OPTIONS = [(model, layout) for model, of in LAYOUTS_OF_OPTIONS.items() for layout in of]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train every layout, then resume some of them from their middle checkpoint."""
    root = tmp_path_factory.mktemp("layouts")
    manifest = tiny_corpus(root / "corpus")

    def job(name: str, changes: dict[str, Any], **how: Any) -> Job:
        return Job(tiny_plan(manifest, name, **changes).model_dump_json(), root / name, **how)

    def again(name: str, changes: dict[str, Any], middle: str) -> Job:
        resume = checkpoint.path_of(RunFolder(root / middle).checkpoints, 3)
        return job(name, changes, resume=resume)

    layouts = TWO_RANKS | {"pp2_zero1": PP2_ZERO1}
    options = {
        f"{model}.{layout}": OPTIONS[model] | layouts[layout] for model, layout in OF_OPTIONS
    }
    two = [
        *(job(name, changes) for name, changes in (TWO_RANKS | options).items()),
        again("dp2_zero1_resumed", TWO_RANKS["dp2_zero1"], "dp2_zero1"),
        again("bf16_resumed", TWO_RANKS["bf16_dp2_zero1"], "bf16_dp2_zero1"),
        again("tp2_from_dp2_zero1", TWO_RANKS["tp2"], "dp2_zero1"),
        again("pp2_from_tp2", TWO_RANKS["pp2"], "tp2"),
        again("tied.pp2_from_dp2_zero1", options["tied.pp2"], "tied.dp2_zero1"),
        job("tied.bf16_dp2_zero1", OPTIONS["tied"] | TWO_RANKS["bf16_dp2_zero1"]),
        job("qk_norm.bf16_tp2", OPTIONS["qk_norm"] | BF16_TP2),
        job("qk_norm.unsummed", options["qk_norm.tp2"], what="unsummed"),
        *(
            job(f"initial.{name}", options[name], what="initial")
            for name in ("tied.tp2", "tied.pp2", "qk_norm.tp2")
        ),
    ]
    one = [
        *(job(name, changes) for name, changes in ONE_RANK.items()),
        *(job(f"{name}.one", changes) for name, changes in OPTIONS.items()),
        *(
            job(f"{name}.bf16_one", OPTIONS[name] | {"dtype": "bfloat16"})
            for name in ("tied", "qk_norm")
        ),
        again("one_resumed", {}, "one"),
        again("one_from_dp2_zero1", {}, "dp2_zero1"),
        again("tied.one_from_pp2", OPTIONS["tied"], "tied.pp2"),
    ]
    four = [job(name, changes) for name, changes in FOUR_RANKS.items()]
    for world_size, these in ((4, four), (2, two), (1, one)):
        run_ranks(world_size, train_each, these, root / "corpus")
    return root


def _losses(runs: Path, name: str) -> list[float]:
    return losses_of(RunFolder(runs / name).metrics)


def _grad_norms(runs: Path, name: str) -> list[float]:
    rows = read_jsonl(RunFolder(runs / name).metrics)
    return [row["grad_norm"] for row in rows if "grad_norm" in row]


def _validations(runs: Path, name: str) -> list[dict[str, float]]:
    rows = read_jsonl(RunFolder(runs / name).metrics)
    return [row["bits_per_byte"] for row in rows if "bits_per_byte" in row]


def _last(runs: Path, name: str) -> Path:
    return checkpoint.path_of(RunFolder(runs / name).checkpoints, 6)


def _assert_same_tensors(ours: Path, expected: Path) -> None:
    got, wanted = load_file(ours), load_file(expected)
    assert wanted.keys() == got.keys()
    for key, tensor in wanted.items():
        torch.testing.assert_close(
            got[key], tensor, rtol=2e-3, atol=1e-5, msg=lambda said, key=key: f"{key}: {said}"
        )


@pytest.mark.parametrize("name", ["accumulated_less", *COMPARED])
def test_every_layout_gives_the_loss_of_one_process(runs: Path, name: str) -> None:
    assert _losses(runs, name) == pytest.approx(_losses(runs, "one"), abs=SAME_LOSS)
    ours, one = _validations(runs, name), _validations(runs, "one")
    assert len(ours) == len(one) == 2
    for mine, expected in zip(ours, one, strict=True):
        assert mine == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", COMPARED)
@pytest.mark.parametrize("file", [MODEL_FILE, OPTIMIZER_FILE])
def test_every_layout_saves_the_same_full_tensors(runs: Path, name: str, file: str) -> None:
    _assert_same_tensors(_last(runs, name) / file, _last(runs, "one") / file)


@pytest.mark.parametrize("name", ["recomputed", "pp2", "pp2_flushed"])
def test_stages_and_computing_activations_again_change_no_bit(runs: Path, name: str) -> None:
    assert _losses(runs, name) == _losses(runs, "one")
    assert _grad_norms(runs, name) == _grad_norms(runs, "one")
    for file in (MODEL_FILE, OPTIMIZER_FILE):
        assert sha256_file(_last(runs, name) / file) == sha256_file(_last(runs, "one") / file)


@pytest.mark.parametrize(("model", "layout"), OF_OPTIONS)
def test_every_model_option_is_the_same_in_every_layout(
    runs: Path, model: str, layout: str
) -> None:
    ours, one = f"{model}.{layout}", f"{model}.one"
    assert _losses(runs, ours) == pytest.approx(_losses(runs, one), abs=SAME_LOSS)
    assert _grad_norms(runs, ours) == pytest.approx(_grad_norms(runs, one), rel=1e-5)
    for file in (MODEL_FILE, OPTIMIZER_FILE):
        _assert_same_tensors(_last(runs, ours) / file, _last(runs, one) / file)


@pytest.mark.parametrize("model", OPTIONS)
def test_a_model_option_is_told_apart(runs: Path, model: str) -> None:
    ours, plain = _losses(runs, f"{model}.one"), _losses(runs, "one")
    assert max(abs(a - b) for a, b in zip(ours, plain, strict=True)) > 1000 * SAME_LOSS


def test_tied_matrices_are_saved_once(runs: Path) -> None:
    for name in ("tied.one", "tied.tp2", "tied.pp2"):
        assert "head.linear.weight" not in load_file(_last(runs, name) / MODEL_FILE)
    assert "head.linear.weight" in load_file(_last(runs, "one") / MODEL_FILE)


def test_a_gradient_of_qk_norm_that_is_not_summed_over_tp_is_caught(runs: Path) -> None:
    with pytest.raises(AssertionError, match="not close"):
        _assert_same_tensors(
            _last(runs, "qk_norm.unsummed") / MODEL_FILE, _last(runs, "qk_norm.one") / MODEL_FILE
        )
    assert _grad_norms(runs, "qk_norm.unsummed")[0] != pytest.approx(
        _grad_norms(runs, "qk_norm.one")[0], rel=1e-5
    )


@pytest.mark.parametrize("name", ["tied.tp2", "tied.pp2", "qk_norm.tp2"])
def test_initial_weights_are_the_seeds_whatever_the_layout(runs: Path, name: str) -> None:
    identity = Plan.load(_last(runs, name) / PLAN_FILE).identity
    sharded = load_file(runs / f"initial.{name}" / MODEL_FILE)
    expected = initial_weights(identity)
    assert sharded.keys() == expected.keys()
    assert all(torch.equal(sharded[key], tensor) for key, tensor in expected.items())
    other = initial_weights(identity.model_copy(update={"model_seed": 2}))
    assert not torch.equal(sharded["embed.tokens.weight"], other["embed.tokens.weight"])


def test_another_seed_is_told_apart(runs: Path) -> None:
    ours, other = _losses(runs, "one"), _losses(runs, "other_seed")
    assert max(abs(a - b) for a, b in zip(ours, other, strict=True)) > 1000 * SAME_LOSS


@pytest.mark.parametrize("name", ["bf16_dp2", "bf16_dp2_zero1", "tied.bf16_dp2_zero1"])
def test_bfloat16_layouts_agree_with_each_other(runs: Path, name: str) -> None:
    one = "tied.bf16_one" if name.startswith("tied") else "bf16_one"
    assert _losses(runs, name) == pytest.approx(_losses(runs, one), abs=1e-3)


def _difference_of_moments(runs: Path, ours: str, expected: str) -> list[float]:
    """Return the relative differences of the gradients' running means, for QK-norm's gains."""
    got, wanted = (load_file(_last(runs, name) / OPTIMIZER_FILE) for name in (ours, expected))
    names = [f"exp_avg.layers.{i}.attn.{x}_norm.weight" for i in (0, 1) for x in "qk"]
    return [float((got[n] - wanted[n]).norm() / wanted[n].norm()) for n in names]


def test_bfloat16_sums_the_gradients_of_qk_norm_in_its_fp32_buffers(runs: Path) -> None:
    """Under tp bf16 rounds partial sums, so losses agree to 1e-2 only; a lost half is far more."""
    rounding = _difference_of_moments(runs, "qk_norm.bf16_tp2", "qk_norm.bf16_one")
    unsummed = _difference_of_moments(runs, "qk_norm.unsummed", "qk_norm.one")
    assert max(rounding) < 0.2 < 2 * 0.2 < min(unsummed)


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
        ("tied.pp2_from_dp2_zero1", "tied.pp2"),
        ("tied.one_from_pp2", "tied.one"),
    ],
)
def test_resuming_in_another_layout_stays_on_the_curve(
    runs: Path, resumed: str, undisturbed: str
) -> None:
    assert _losses(runs, resumed) == pytest.approx(_losses(runs, undisturbed)[3:], abs=5e-6)
