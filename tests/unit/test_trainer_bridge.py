"""The bridge: every patched symbol exists, and nanotron's trainer takes every step."""

from __future__ import annotations

import gc
import importlib
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from skald_mup.init import initial_weights
from skald_mup.model import Decoder
from skald_trainer.bridge import alone, patches
from skald_trainer.loader import TrainingData
from skald_trainer.run import drive
from support_trainer import tiny_corpus, tiny_plan

patches.apply("cpu")


def test_nanotron_is_the_version_the_patches_were_written_for() -> None:
    assert metadata.version("nanotron") == patches.NANOTRON_VERSION


@pytest.mark.parametrize("patch", patches.PATCHES, ids=lambda p: f"{p.id} {p.target}")
def test_the_patched_symbol_exists(patch: patches.Patch) -> None:
    module, _, attributes = patch.target.partition(":")
    found: Any = importlib.import_module(module)
    for attribute in attributes.split("."):
        assert hasattr(found, attribute), f"{patch.target} is gone; {patch.id} patches nothing"
        found = getattr(found, attribute)


def test_nanotrons_trainer_takes_every_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer_module = importlib.import_module("nanotron.trainer")
    taken: list[str] = []
    original = trainer_module.DistributedTrainer.training_step

    def counted(self: Any, dataloader: Any) -> Any:
        taken.append(type(self.optimizer.get_base_optimizer()).__name__)
        return original(self, dataloader)

    monkeypatch.setattr(trainer_module.DistributedTrainer, "training_step", counted)
    manifest = tiny_corpus(tmp_path)
    plan, seen = tiny_plan(manifest), []
    drive(
        0, 1, tmp_path / "meeting", plan, TrainingData(plan, tmp_path, manifest),
        lambda trainer, step, loss, seconds: seen.append(step),
    )  # fmt: skip
    assert taken == ["AdamW"] * plan.identity.schedule.n_steps.value
    assert seen == list(range(1, 7))


def test_groups_and_schedule_are_the_plans(tmp_path: Path) -> None:
    manifest = tiny_corpus(tmp_path)
    plan, rates = tiny_plan(manifest), {}

    def on_step(trainer: Any, step: int, loss: float | None, seconds: float) -> None:
        # nanotron has moved the scheduler on: the groups hold the next step's rate.
        if step < 6:
            factor = plan.identity.schedule.factor(step + 1)
            names = trainer.optimizer.id_to_name
            for group in trainer.optimizer.get_base_optimizer().param_groups:
                for param in group["params"]:
                    rates[names[id(param)], step] = (group["lr"] / factor, group["eps"])

    drive(0, 1, tmp_path / "m", plan, TrainingData(plan, tmp_path, manifest), on_step)
    rules = plan.identity.rules
    for step in range(1, 6):
        for name, kind in (
            ("embed.pp_block.tokens.weight", "embedding"),
            ("layers.0.pp_block.attn.q_proj.weight", "q_proj"),
            ("layers.1.pp_block.mlp.down_proj.weight", "down_proj"),
            ("layers.1.pp_block.mlp_norm.weight", "norm"),
            ("head.pp_block.linear.weight", "lm_head"),
        ):
            assert rates[name, step] == pytest.approx((rules[kind].lr, rules[kind].eps)), name
    assert rules["q_proj"].lr != rules["embedding"].lr


def test_the_first_loss_is_the_plain_decoders(tmp_path: Path) -> None:
    manifest = tiny_corpus(tmp_path)
    plan = tiny_plan(manifest, n_steps=3)
    data, losses = TrainingData(plan, tmp_path, manifest), []
    drive(
        0, 1, tmp_path / "m", plan, data,
        lambda trainer, step, loss, seconds: losses.append(loss),
    )  # fmt: skip
    decoder = Decoder(plan.identity.model, plan.identity.multipliers)
    decoder.load_state_dict(initial_weights(plan.identity))
    inputs, labels = data.micro_batch(1, 0, plan.batch_sequences)
    logits_BTV = decoder(torch.from_numpy(inputs.copy()))
    expected = torch.nn.functional.cross_entropy(
        logits_BTV.flatten(0, 1), torch.from_numpy(labels.copy()).flatten()
    )
    assert losses[0] == pytest.approx(float(expected.detach()), abs=1e-6)


def test_one_process_calls_no_collective_at_a_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest, calls = tiny_corpus(tmp_path), []
    distributed = importlib.import_module("torch.distributed.distributed_c10d")
    original = distributed.ProcessGroup.allreduce

    def counted(group: Any, *args: Any) -> Any:
        calls.append(group)
        return original(group, *args)

    monkeypatch.setattr(distributed.ProcessGroup, "allreduce", counted)
    taken_before: list[int] = []
    plan = tiny_plan(manifest)
    drive(
        0, 1, tmp_path / "m", plan, TrainingData(plan, tmp_path, manifest),
        lambda trainer, step, loss, seconds: taken_before.append(len(calls)),
    )  # fmt: skip
    assert taken_before[0] == taken_before[-1]
    drive(
        0, 1, tmp_path / "n", plan, TrainingData(plan, tmp_path, manifest),
        lambda *step: torch.distributed.all_reduce(torch.zeros(1)),
    )  # fmt: skip
    assert len(calls) == taken_before[-1] + 6, "the counter sees the collectives that there are"


class _Group:
    """What a shortcut asks of a process group."""

    def __init__(self, size: int) -> None:
        self._size = size

    def size(self) -> int:
        return self._size


@pytest.mark.parametrize("size", [1, 2])
def test_a_shortcut_is_taken_in_a_group_of_one_only(size: int) -> None:
    group, asked, tensor = _Group(size), [], torch.ones(2, 2)

    def original(*args: Any, **kwargs: Any) -> torch.Tensor:
        asked.append(args)
        return tensor

    alone._all_reduce(original, tensor, group=group)
    alone._linear(original, tensor, tensor, None, group=group)
    alone._identity(original, tensor, group=group)
    alone._sync_gradients(original, dp_pg=group)
    alone._sync_ties(original, parallel_context=SimpleNamespace(mp_pg=group))
    parameter = torch.nn.Parameter(tensor.clone())
    parameter.grad = tensor.clone()
    alone._clip(original, group, [("w", parameter)], 1.0, None)
    block = SimpleNamespace(
        p2p=SimpleNamespace(pg=group), pp_block=lambda x: x, module_output_keys={"y"}
    )
    alone._run_block(original, block, x=tensor)
    assert len(asked) == (0 if size == 1 else 7)


@pytest.mark.parametrize("max_norm", [1.0, 100.0])
def test_clipping_in_one_call_scales_to_the_norm_or_not_at_all(max_norm: float) -> None:
    drawn = [torch.randn(3, 5, generator=torch.Generator().manual_seed(i)) for i in range(4)]
    parameters = [torch.nn.Parameter(torch.zeros(3, 5)) for _ in drawn]
    for parameter, grad in zip(parameters, drawn, strict=True):
        parameter.grad = grad.clone()
    named = [(str(i), parameter) for i, parameter in enumerate(parameters)]
    norm = alone._clip(lambda **kwargs: None, _Group(1), named, max_norm, None)
    expected = float(torch.linalg.vector_norm(torch.stack(drawn)))
    assert float(norm) == pytest.approx(expected, rel=1e-6)
    for parameter, grad in zip(parameters, drawn, strict=True):
        torch.testing.assert_close(parameter.grad, grad * min(1.0, max_norm / expected))


@pytest.mark.parametrize("forgetting", [True, False])
def test_a_run_leaves_no_threads_and_files_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forgetting: bool
) -> None:
    if not forgetting:
        monkeypatch.setattr(patches, "forget_groups", lambda: None)
    manifest = tiny_corpus(tmp_path)
    plan = tiny_plan(manifest, n_steps=3)
    data, counts = TrainingData(plan, tmp_path, manifest), []
    for number in range(4):
        drive(0, 1, tmp_path / f"m{number}", plan, data, lambda *step: None)
        gc.collect()
        counts.append([len(list(Path("/proc/self", what).iterdir())) for what in ("fd", "task")])
    # The first run also starts what torch itself keeps.
    assert (counts[-1] == counts[1]) is forgetting
    patches.forget_groups()
