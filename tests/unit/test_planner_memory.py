"""The memory model: its counts, what it takes from nanotron, published forms, the table, the verb.

That real runs allocate what it says is checked in tests/parallel/test_planner_memory_measured.py.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skald_cli.main import main
from skald_mup.counts import n_params_total
from skald_planner.machine.memory import passes, rank_memory, worst_rank
from skald_planner.machine.memory_activations import saved_by_block, saved_bytes
from skald_planner.machine.memory_states import Setting, held_tensors, uses_ddp
from skald_planner.machine.memory_table import CARDS, GIB, WORLD_SIZES, fits, leanest, with_layout
from skald_specs.execution import ExecutionRecipe
from skald_specs.pipeline import pipeline_stages
from skald_specs.recipe import Recipe
from skald_specs.shape import ModelShape
from skald_trainer.bridge import patches
from support_trainer import tiny_corpus, tiny_plan

RECIPE = Path(__file__).parents[2] / "recipes" / "trustllm-7.8b.yaml"
ALL = {"d_model": 64, "n_layers": 4, "d_head": 16, "n_heads": 4, "n_kv_heads": 2, "d_ff": 176,
       "vocab_size": 256, "seq_len": 64}  # fmt: skip
SHAPES = {
    "plain": {},
    "tied": {"tie_embeddings": True},
    "tied_no_gains": {"tie_embeddings": True, "norm_gains": False},
    "qk_norm": {"qk_norm": True, "n_layers": 7},
    "deep": {"n_layers": 12, "n_kv_heads": 4},
    "wide_vocabulary": {"vocab_size": 8192, "n_layers": 6},
}


def shape_of(name: str) -> ModelShape:
    return ModelShape.model_validate(ALL | SHAPES[name])


def setting(name: str = "plain", dtype: Any = "bfloat16", **run: Any) -> Setting:
    given = {"micro_batch_sequences": 2, "checkpoint_every_steps": 1, "validate_every_steps": 1}
    return Setting(shape_of(name), dtype, 64, ExecutionRecipe.model_validate(given | run))


def assignment(shape: ModelShape, pp: int, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Have nanotron itself assign the blocks of the real model to ranks, building none of them."""
    patches.apply("cpu")
    from nanotron.models import base
    from nanotron.parallel.pipeline_parallel import block
    from skald_trainer.bridge.model import DecoderConfig, NanotronDecoder

    monkeypatch.setattr(base, "log_rank", lambda *args, **kwargs: None)
    monkeypatch.setattr(block.dist, "get_rank", lambda group=None: -1)
    groups = {name: SimpleNamespace(size=lambda: 1) for name in ("tp_pg", "dp_pg", "world_pg")}
    context: Any = SimpleNamespace(pp_pg=SimpleNamespace(size=lambda: pp), **groups)
    parallel = SimpleNamespace(tp_mode="ALL_REDUCE", tp_linear_async_communication=False)
    # Only the plan's shape is read here; tiny_plan needs a corpus for the rest.
    manifest: Any = SimpleNamespace(fingerprint="")
    plan = tiny_plan(manifest, model=shape.model_dump())
    config = DecoderConfig(shape.vocab_size, plan.model_dump_json())
    model = base.build_model(
        model_builder=lambda: NanotronDecoder(config, context, parallel),
        parallel_context=context,
        dtype=torch.float32,
        device=torch.device("cpu"),
    )
    ranks: list[list[str]] = [[] for _ in range(pp)]
    for name, module in model.named_modules():
        if isinstance(module, block.PipelineBlock):
            ranks[module.rank].append(name)
    return ranks


@pytest.mark.parametrize("name", ["plain", "qk_norm", "deep", "wide_vocabulary"])
@pytest.mark.parametrize("pp", [1, 2, 3, 4])
def test_stages_are_those_that_nanotron_makes(
    name: str, pp: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = assignment(shape_of(name), pp, monkeypatch)
    assert [list(parts) for parts in pipeline_stages(shape_of(name), pp)] == real


def test_some_pipeline_is_uneven() -> None:
    assert len({len(parts) for parts in pipeline_stages(shape_of("deep"), 4)}) > 1


@given(
    n_layers=st.integers(1, 40), d_ff=st.integers(1, 400), vocab_size=st.integers(1, 300_000),
    share=st.floats(0, 1),
)  # fmt: skip
def test_every_stage_has_a_part_with_parameters(
    n_layers: int, d_ff: int, vocab_size: int, share: float
) -> None:
    changes = {"n_layers": n_layers, "d_ff": d_ff, "vocab_size": vocab_size}
    shape, pp = ModelShape.model_validate(ALL | changes), 1 + round(share * (n_layers - 1))
    stages = pipeline_stages(shape, pp)
    assert all(any(part.startswith("layers.") for part in parts) for parts in stages[:-1])
    assert stages[-1][-2:] == ("head", "loss")
    assert sum(len(parts) for parts in stages) == n_layers + 3


@pytest.mark.parametrize("name", SHAPES)
def test_one_rank_holds_every_parameter(name: str) -> None:
    shape = shape_of(name)
    parts = pipeline_stages(shape, 1)[0]
    assert sum(held_tensors(shape, 1, parts).values()) == n_params_total(shape)


@pytest.mark.parametrize("name", sorted(set(SHAPES) - {"wide_vocabulary"}))
def test_ranks_together_hold_the_model_and_copies_of_gains_and_ties(name: str) -> None:
    shape, tp, pp = shape_of(name), 2, 2
    held = [held_tensors(shape, tp, parts) for parts in pipeline_stages(shape, pp)]
    whole = {tensor: count for stage in held for tensor, count in stage.items() if "norm" in tensor}
    tie = shape.vocab_size * shape.d_model if shape.tie_embeddings else 0
    together = tp * sum(sum(stage.values()) for stage in held)
    assert together == n_params_total(shape) + (tp - 1) * sum(whole.values()) + tie


@pytest.mark.parametrize(
    ("dtype", "run", "bytes_each"),
    [
        ("float32", {}, 4 + 4 + 8),
        ("float32", {"dp": 2}, 4 + 4 + 4 + 8),
        ("float32", {"dp": 2, "zero_stage": 1}, 4 + 4 + 4 + 8 / 2),
        ("bfloat16", {}, 2 + 4 + 12),
        ("bfloat16", {"dp": 2}, 2 + 4 + 2 + 12),
        ("bfloat16", {"dp": 4, "zero_stage": 1}, 2 + 4 + 12 / 4),
    ],
)
def test_bytes_a_parameter(dtype: str, run: dict[str, int], bytes_each: float) -> None:
    """ZeRO (Rajbhandari et al. 2019, arXiv 1910.02054, section 3.1) counts 16 under mixed precision:
    2 for weights, 2 for gradients, 12 for Adam with fp32 copies. nanotron accumulates gradients in
    fp32, which makes it 18, and torch's DDP (not used with ZeRO-1 here) holds a second copy: 20.
    """
    memory = rank_memory(setting(dtype=dtype, **run), 0)
    n_params = n_params_total(shape_of("plain"))
    states = memory.parameter_bytes + memory.gradient_bytes + memory.optimizer_bytes
    assert states / n_params == pytest.approx(bytes_each, rel=0.005)
    assert uses_ddp(setting(dtype=dtype, **run)) == (run.get("dp") == 2)


def test_activations_of_a_layer_are_the_published_form_for_this_architecture() -> None:
    """Korthikanti et al. 2022 (arXiv 2205.05198, eq. 2): sbh (34 + 5 a s / h) bytes in bf16.

    Of the 34, dropout masks are 2 (we have none) and the two tensors of GeLU's width 4h are 16;
    SwiGLU at the same width keeps four, 32. Flash attention keeps no probabilities: in the place
    of 5 a s / h stands one fp32 number a head and token, and each norm keeps one a token.
    """
    wide = replace(
        setting(), shape=ModelShape.model_validate(ALL | {"d_ff": 4 * 64, "n_kv_heads": 4})
    )
    sb, h, heads = wide.micro_batch_tokens, 64, 4
    kept = sum(saved_by_block(wide, "cuda").values())
    assert kept == sb * h * (34 - 2 - 16 + 32) + 4 * sb * (heads + 2)
    # Tensor parallelism divides all but the stream: 10 of the 48 stay whole (two inputs of norms,
    # two of projections and, of the attention's, none): eq. 2 has the same 10.
    split = sum(saved_by_block(with_layout(wide, tp=2), "cuda").values())
    assert split == sb * h * (8 + 40 // 2) + 4 * sb * (heads // 2 + 2)


def test_a_cpu_keeps_norms_in_fp32_and_cuda_repeats_grouped_keys_in_fp32() -> None:
    for dtype, more in (("float32", {"q, k, v"}), ("bfloat16", set[str]())):
        cpu, cuda = (saved_by_block(setting(dtype=dtype), device) for device in ("cpu", "cuda"))
        assert {name for name in cpu if cpu[name] != cuda[name]} == {"attn_norm", "mlp_norm", *more}
        assert cpu["q, k, v"] <= cuda["q, k, v"]
        assert cpu["attn_norm"] > 1.9 * cuda["attn_norm"]


def test_sequence_parallelism_that_gathers_in_step_keeps_every_gathered_copy() -> None:
    kept = {
        mode: sum(saved_by_block(setting(tp=2, tp_mode=mode), "cuda").values())
        for mode in ("all_reduce", "reduce_scatter", "reduce_scatter_async")
    }
    assert kept["reduce_scatter_async"] < kept["all_reduce"] < kept["reduce_scatter"]


def test_micro_batches_in_flight_follow_the_schedule() -> None:
    one = setting("deep", pp=1)
    parts = len(pipeline_stages(one.shape, 1)[0])
    assert parts == 12 + 3
    for schedule, ahead in (("1f1b", [3, 2, 1, 0]), ("afab", [32] * 4)):
        four = setting("deep", pp=4, pp_schedule=schedule)
        assert [passes(four, stage)[0] for stage in range(4)] == ahead
        layer = saved_bytes(four, "layers.0", "cuda")
        n_layers = sum(p.startswith("layers") for p in pipeline_stages(four.shape, 4)[1])
        in_flight = ahead[1] + (schedule == "1f1b")
        tables = 2 * 4 * 64 * 16
        assert rank_memory(four, 1).activation_bytes == in_flight * n_layers * layer + tables


def test_what_saves_memory_and_what_costs_it() -> None:
    plain = worst_rank(setting())
    assert (
        worst_rank(setting(activation_checkpointing=True)).activation_bytes
        < plain.activation_bytes / 2
    )
    assert worst_rank(setting(activation_checkpointing=True)).peak_bytes < plain.peak_bytes
    assert (
        worst_rank(setting(micro_batch_sequences=4)).activation_bytes > 1.9 * plain.activation_bytes
    )
    assert (
        worst_rank(replace(setting(), mask_documents=True)).activation_bytes
        > plain.activation_bytes
    )
    sharded, whole = (worst_rank(setting(dp=2, zero_stage=stage)) for stage in (1, 0))
    assert sharded.optimizer_bytes < 0.51 * whole.optimizer_bytes


def test_zero_1_gathers_all_weights_at_once_on_a_gpu() -> None:
    """Where checkpointing leaves few activations, the step is the peak, not the backward pass."""
    lean = setting(dp=8, zero_stage=1, activation_checkpointing=True, micro_batch_sequences=1)
    lean = replace(lean, shape=lean.shape.model_copy(update={"vocab_size": 16384, "d_model": 256,
                                                             "n_heads": 16, "seq_len": 8}))  # fmt: skip
    memory = worst_rank(lean)
    states = memory.parameter_bytes + memory.gradient_bytes + memory.optimizer_bytes
    assert memory.peak_bytes == pytest.approx(
        states + (2 + 1 / 8) * memory.parameter_bytes, rel=0.001
    )
    assert worst_rank(lean, "cpu").peak_bytes < memory.peak_bytes


def test_a_card_keeps_a_reserve() -> None:
    memory = worst_rank(setting())
    assert fits(replace(memory, peak_bytes=int(37.6 * GIB)), 40)
    assert not fits(replace(memory, peak_bytes=int(37.7 * GIB)), 40)


def test_the_leanest_layouts_fit_and_nothing_leaner_does() -> None:
    source = Setting.of(Recipe.load(RECIPE))
    found = leanest(source)
    assert found
    for chosen, memory in found:
        run = chosen.execution
        assert run.world_size in WORLD_SIZES
        assert any(fits(memory, card) for card in CARDS)
        run.check_fits(chosen.shape, chosen.batch_sequences)
    # 18 bytes of 7.8 billion parameters are 131 GiB before any activation.
    assert min(chosen.execution.world_size for chosen, _ in found) == 2
    pieces = [chosen.execution.tp * chosen.execution.pp for chosen, _ in found]
    assert pieces == sorted(pieces)


def test_the_verb_shows_a_recipe_and_layouts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "memory", str(RECIPE)]) == 0
    shown = capsys.readouterr().out
    assert "7,799,574,528 parameters, bfloat16" in shown
    assert max(map(len, shown.splitlines())) <= 100
    words = ["--layout", "144,4,1", "--layout", "8,2,4"]
    assert main(["plan", "memory", str(RECIPE), *words]) == 0
    rows = [line.split()[:4] for line in capsys.readouterr().out.splitlines()]
    assert ["576", "144", "4", "1"] in rows
    assert ["64", "8", "2", "4"] in rows


def test_the_verb_shows_a_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = tiny_plan(tiny_corpus(tmp_path / "corpus"), "small")
    plan.save(tmp_path / "small.yaml")
    assert main(["plan", "memory", str(tmp_path / "small.yaml"), "--layout", "1,2,1"]) == 0
    row = capsys.readouterr().out.splitlines()[4].split()
    memory = worst_rank(with_layout(Setting.of(plan), tp=2))
    assert row[:7] == ["2", "1", "2", "1", "0", "no", "2"]
    assert row[11] == f"{memory.peak_bytes / GIB:.4f}"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("8,2", "--layout: '8,2' is not dp,tp,pp. Give three whole numbers, as in 8,2,1"),
        ("8,2,x", "--layout: '8,2,x' is not dp,tp,pp. Give three whole numbers, as in 8,2,1"),
        ("0,1,1", "--layout: '0,1,1' is not dp,tp,pp. Give three whole numbers, as in 8,2,1"),
        (
            "1,3,1",
            "--layout 1,3,1: model.n_heads = 32 is not divisible by execution.tp = 3; use another "
            "tp.",
        ),
        (
            "1,1,33",
            "--layout 1,1,33: execution.pp = 33 exceeds model.n_layers = 32; use fewer stages.",
        ),
        (
            "7,1,1",
            "--layout 7,1,1: a batch of 1152 sequences does not divide into dp = 7 x "
            "micro_batch_sequences = 2; change one of the three.",
        ),
    ],
)
def test_a_wrong_layout_is_one_line(
    words: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "memory", str(RECIPE), "--layout", words]) == 2
    shown = capsys.readouterr()
    assert shown.err == f"skald: {expected}\n"
    assert shown.out == ""
