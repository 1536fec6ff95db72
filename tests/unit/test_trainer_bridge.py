"""The bridge: every patched symbol exists, and nanotron's trainer takes every step."""

from __future__ import annotations

import ast
import functools
import importlib
from collections.abc import Iterator
from importlib import metadata, util
from pathlib import Path
from typing import Any

import pytest
import torch
from skald_mup.init import initial_weights
from skald_mup.model import Decoder
from skald_trainer.bridge import patches
from skald_trainer.loader import TrainingData
from skald_trainer.run import drive
from support_trainer import tiny_corpus, tiny_plan

patches.apply("cpu")
OPTIONS = {"tie_embeddings": True, "qk_norm": True, "norm_gains": False}


def test_nanotron_is_the_version_the_patches_were_written_for() -> None:
    assert metadata.version("nanotron") == patches.NANOTRON_VERSION


@pytest.mark.parametrize("patch", patches.PATCHES, ids=lambda p: f"{p.id} {p.target}")
def test_the_patched_symbol_exists(patch: patches.Patch) -> None:
    assert _in_source(patch.target), f"{patch.target} is gone; {patch.id} patches nothing"


@pytest.mark.parametrize(
    "target",
    [
        "nanotron.trainer:build_modell",
        "nanotron.trainer:DistributedTrainer.post_initt",
        "nanotron.trainer:post_init",
        "nanotron.distributed:all_reduced",
        "nanotron.trainers:build_model",
    ],
)
def test_a_symbol_that_nanotron_has_not_is_found_missing(target: str) -> None:
    assert not _in_source(target)


def _in_source(target: str) -> bool:
    """Whether the wheel's source has a symbol; in the running process our patch put it there."""
    module, _, attributes = target.partition(":")
    package = util.find_spec("nanotron")
    assert package is not None
    assert package.submodule_search_locations is not None
    path = Path(package.submodule_search_locations[0], *module.split(".")[1:]).with_suffix(".py")
    if not path.is_file():
        return False
    body = _parsed(path).body
    *classes, last = attributes.split(".")
    for name in classes:
        found = [node for node in body if isinstance(node, ast.ClassDef) and node.name == name]
        if not found:
            return False
        body = found[0].body
    return last in set(_bound(body))


@functools.cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _bound(body: list[ast.stmt]) -> Iterator[str]:
    """Yield the names that statements bind where they stand, also under an `if` or a `try`."""
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.ImportFrom(module=str(source), names=[ast.alias(name="*")]):
                # Only of torch's modules, which nothing patches.
                assert source.startswith("torch.")
                yield from dir(importlib.import_module(source))
            case ast.Import() | ast.ImportFrom():
                yield from (each.asname or each.name.partition(".")[0] for each in node.names)
            case ast.Assign():
                yield from (each.id for each in node.targets if isinstance(each, ast.Name))
            case ast.AnnAssign(target=ast.Name() as name):
                yield name.id
            case ast.If() | ast.Try():
                yield from _bound(node.body)
                yield from _bound(node.orelse)


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


@pytest.mark.parametrize("model", [{}, {"tie_embeddings": True, "qk_norm": True}])
def test_groups_and_schedule_are_the_plans(tmp_path: Path, model: dict[str, Any]) -> None:
    manifest = tiny_corpus(tmp_path)
    plan, rates = tiny_plan(manifest, model=model), {}

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
    kinds = {
        "embed.pp_block.tokens.weight": "embedding",
        "layers.0.pp_block.attn.q_proj.weight": "q_proj",
        "layers.1.pp_block.mlp.down_proj.weight": "down_proj",
        "layers.1.pp_block.mlp_norm.weight": "block_norm",
        "layers.1.pp_block.attn.k_norm.weight": "qk_norm",
        "head.pp_block.norm.weight": "final_norm",
        "head.pp_block.linear.weight": "lm_head",
    }
    for step in range(1, 6):
        for name, kind in kinds.items():
            assert ((name, step) in rates) == (kind in rules), name
            if kind in rules:
                assert rates[name, step] == pytest.approx((rules[kind].lr, rules[kind].eps)), name
    assert rules["q_proj"].lr != rules["embedding"].lr


@pytest.mark.parametrize("option", [{}, *({name: on} for name, on in OPTIONS.items())])
def test_the_first_loss_is_the_plain_decoders(tmp_path: Path, option: dict[str, Any]) -> None:
    manifest = tiny_corpus(tmp_path)
    plan = tiny_plan(manifest, n_steps=3, model=option, parametrisation={"embedding_std": 0.1})
    data, losses = TrainingData(plan, tmp_path, manifest), []
    drive(
        0, 1, tmp_path / "m", plan, data,
        lambda trainer, step, loss, seconds: losses.append(loss),
    )  # fmt: skip
    decoder = Decoder(plan.identity.model, plan.identity.multipliers)
    decoder.load_weights(initial_weights(plan.identity))
    inputs, labels = data.micro_batch(1, 0, plan.batch_sequences)
    logits_BTV = decoder(torch.from_numpy(inputs.copy()))
    expected = torch.nn.functional.cross_entropy(
        logits_BTV.flatten(0, 1), torch.from_numpy(labels.copy()).flatten()
    )
    assert losses[0] == pytest.approx(float(expected.detach()), abs=1e-6)
