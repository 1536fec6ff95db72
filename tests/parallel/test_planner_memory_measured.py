"""Predicted bytes against what real runs allocate on a CPU: one launch of one process, one of two.

Counted: the storages of parameters, gradients with DDP's buckets, and optimizer states; what
autograd keeps; and the peak of torch's allocator over a whole step.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from skald_planner.machine.memory import rank_memory
from skald_planner.machine.memory_states import Setting
from skald_specs.pipeline import pipeline_stages
from skald_specs.plan import Plan
from skald_trainer.launch import run_ranks
from support_memory import MemoryJob, measure_each
from support_trainer import tiny_corpus, tiny_plan

pytestmark = [pytest.mark.parallel, pytest.mark.slow]

STATES = ("parameters", "gradients", "optimizer")
MEASURES = (*STATES, "activations", "peak")
TOLERANCE = 0.05
GROUPED = {"d_model": 64, "n_layers": 3, "d_head": 16, "n_heads": 4, "n_kv_heads": 2, "d_ff": 176,
           "vocab_size": 256, "seq_len": 64}  # fmt: skip
#: As many key heads as query heads, twelve features in each, longer and deeper.
WHOLE = {"d_model": 48, "n_layers": 4, "d_head": 12, "n_heads": 4, "n_kv_heads": 4, "d_ff": 128,
         "vocab_size": 128, "seq_len": 96}  # fmt: skip
#: A tied readout needs an embedding of the readout's scale.
TIED = {
    "model": GROUPED | {"tie_embeddings": True},
    "parametrisation": {"embedding_std": 0.1, "emb_mult": 10.0},
}
BF16 = {"dtype": "bfloat16"}
ONE_RANK: dict[str, dict[str, Any]] = {
    "one": {},
    "one.bf16": BF16,
    "one.whole": {"model": WHOLE},
    "one.qk_norm": {"model": GROUPED | {"qk_norm": True}},
    "one.no_gains.bf16": {"model": GROUPED | {"qk_norm": True, "norm_gains": False}, **BF16},
    "one.tied": TIED,
    "one.single_micro_batch": {"micro_batch_sequences": 4, "batch_sequences": 4},
}
TWO_RANKS: dict[str, dict[str, Any]] = {
    "dp2": {"dp": 2},
    "dp2.bf16": {"dp": 2, **BF16},
    "dp2_zero1": {"dp": 2, "zero_stage": 1},
    "dp2_zero1.bf16": {"dp": 2, "zero_stage": 1, **BF16},
    "tp2": {"tp": 2},
    "tp2.whole.bf16": {"tp": 2, "model": WHOLE, **BF16},
    "pp2": {"pp": 2},
    "pp2.bf16": {"pp": 2, **BF16},
    "pp2.tied": {"pp": 2, **TIED},
    "tp2.reduce_scatter": {"tp": 2, "tp_mode": "reduce_scatter"},
    "tp2.reduce_scatter_async.bf16": {"tp": 2, "tp_mode": "reduce_scatter_async", **BF16},
    "tp2.checkpointed": {"tp": 2, "activation_checkpointing": True},
    "pp2.checkpointed.bf16": {"pp": 2, "activation_checkpointing": True, **BF16},
    "pp2.afab": {"pp": 2, "pp_schedule": "afab"},
}
RANKS = [(name, 0) for name in ONE_RANK] + [(name, rank) for name in TWO_RANKS for rank in (0, 1)]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], dict[str, Any]]:
    """Run two steps of every plan and look at the second."""
    root = tmp_path_factory.mktemp("memory")
    manifest = tiny_corpus(root / "corpus", n_documents=100)
    found = {}
    for world_size, runs in ((1, ONE_RANK), (2, TWO_RANKS)):
        plans = [
            tiny_plan(manifest, name, **{"model": GROUPED, "n_steps": 2, **changes})
            for name, changes in runs.items()
        ]
        jobs = [MemoryJob(plan.model_dump_json(), root / "measured") for plan in plans]
        run_ranks(world_size, measure_each, jobs, root / "corpus")
        for plan in plans:
            for rank in range(world_size):
                file: Path = root / "measured" / f"{plan.name}.{rank}.json"
                found[plan.name, rank] = json.loads(file.read_text()) | {"plan": plan}
    return found


def predicted(plan: Plan, stage: int, **shape: Any) -> dict[str, int]:
    setting = Setting.of(plan)
    changed = replace(setting, shape=setting.shape.model_copy(update=shape))
    memory = rank_memory(changed, stage, "cpu")
    return {what: getattr(memory, f"{what.removesuffix('s')}_bytes") for what in MEASURES}


@pytest.mark.parametrize(("name", "rank"), RANKS)
def test_real_runs_allocate_what_is_predicted(
    measured: dict[tuple[str, int], dict[str, Any]], name: str, rank: int
) -> None:
    found = measured[name, rank]
    for measure, value in predicted(found["plan"], found["stage"]).items():
        if measure == "activations" and found["plan"].execution.activation_checkpointing:
            # Checkpointing keeps a layer's input by itself, not through autograd; the peak shows it.
            continue
        assert value == pytest.approx(found[measure], rel=TOLERANCE), measure
        # What is counted tensor by tensor is known exactly; the peak has what passes through, too.
        if measure != "peak":
            assert value == pytest.approx(found[measure], rel=0.001), measure


@pytest.mark.parametrize(
    ("name", "rank"), [each for each in RANKS if not each[0].startswith("pp2")]
)
def test_a_form_that_is_one_layer_off_is_caught(
    measured: dict[tuple[str, int], dict[str, Any]], name: str, rank: int
) -> None:
    found = measured[name, rank]
    n_layers = found["plan"].identity.model.n_layers
    for wrong in (n_layers - 1, n_layers + 1):
        off = predicted(found["plan"], found["stage"], n_layers=wrong)
        kept = () if found["plan"].execution.activation_checkpointing else ("activations",)
        seen = (*STATES, *kept, "peak")
        assert all(off[m] != pytest.approx(found[m], rel=TOLERANCE) for m in seen)


@pytest.mark.parametrize("name", [name for name in TWO_RANKS if name.startswith("pp2")])
def test_stages_hold_the_parts_that_are_predicted(
    measured: dict[tuple[str, int], dict[str, Any]], name: str
) -> None:
    for rank in (0, 1):
        found = measured[name, rank]
        assert tuple(found["parts"]) == pipeline_stages(found["plan"].identity.model, 2)[rank]


def test_zero_1_that_was_forgotten_is_caught(
    measured: dict[tuple[str, int], dict[str, Any]],
) -> None:
    for dtype in ("", ".bf16"):
        whole, sharded = (measured[f"{name}{dtype}", 0] for name in ("dp2", "dp2_zero1"))
        off = predicted(whole["plan"], 0)
        assert off["optimizer"] > 1.9 * sharded["optimizer"]
        assert off["peak"] > (1 + TOLERANCE) * sharded["peak"]
