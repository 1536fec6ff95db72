"""The runs of the proof of layouts: one small model, trained in every layout, with faults planted.

A run is six steps. Each rank takes part in gathering what is compared; rank 0 writes it down. Runs
that are resumed go through checkpoints on disk, as `skald train` does.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from skald_corpus.build import build
from skald_corpus.generate import documents
from skald_corpus.grammar.register import LANGUAGES
from skald_mup.tensorfile import save_tensors
from skald_planner.plans.resolve import make_plan
from skald_specs.corpus import SPLITS, CorpusManifest, load_corpus
from skald_specs.files import write_json, write_jsonl
from skald_specs.plan import Plan
from skald_specs.recipe import Recipe
from skald_specs.shape import DType
from skald_trainer.bridge import patches
from skald_trainer.loader import TrainingData
from skald_trainer.rank import train_rank
from skald_trainer.run import drive

RECIPE = Path("recipes/mup-depth.yaml")
TRAIN_BYTES = 200_000
#: Steps of a run; its weights are compared after `WEIGHTS_AT`, and it is resumed after `SAVED_AT`.
STEPS, WEIGHTS_AT, SAVED_AT = 6, 5, 3
#: Sequences of a batch: four micro-batches, which pp = 4 needs.
BATCH, MICRO = 24, 6
#: Four layers for pp = 4 and four KV heads for tp = 4. 257 tokens are padded to 260 by the recipe.
SHAPE = {
    "d_model": 64, "n_layers": 4, "d_head": 8, "n_heads": 8, "n_kv_heads": 4, "d_ff": 176,
    "vocab_size": 260, "seq_len": 32,
}  # fmt: skip
MODELS: dict[str, dict[str, Any]] = {
    "plain": {},
    "tied": {"model": {"tie_embeddings": True}, "parametrisation": {"embedding_std": 0.1, "emb_mult": 10.0}},
    "qk_norm": {"model": {"qk_norm": True}},
}  # fmt: skip
Plant = Literal[
    "gradient not reduced",
    "shard like its neighbour",
    "nanotron's own overlap",
    "lr not re-applied",
]


class Run(NamedTuple):
    """One training: its model, number type, layout and fault.

    `saved`: through checkpoints on disk, after half of the steps and at the end. `resume`: the saved
    run whose middle it continues.
    """

    model: str
    dtype: DType
    execution: dict[str, Any]
    plant: Plant | None = None
    saved: bool = False
    resume: str | None = None

    @property
    def layout(self) -> str:
        """How its result is computed, in words."""
        words = [
            f"{name} = {self.execution[name]}"
            for name in ("dp", "tp", "pp")
            if self.execution.get(name, 1) > 1
        ]
        words += [
            self.execution[name] for name in ("tp_mode", "pp_schedule") if name in self.execution
        ]
        words += ["ZeRO-1"] if self.execution.get("zero_stage") else []
        words += ["recomputing"] if self.execution.get("activation_checkpointing") else []
        words += ["compiled"] if self.execution.get("compile_blocks") else []
        if "micro_batch_sequences" in self.execution:
            words.append(f"micro-batch {self.execution['micro_batch_sequences']}")
        return ", ".join(words) or "one process"

    @property
    def name(self) -> str:
        """Everything that tells it from the others; also its folder's name."""
        kind = {"float32": "fp32", "bfloat16": "bf16"}[self.dtype]
        words = [self.model, kind, self.layout]
        words += ["saved"] if self.saved else []
        words += [f"from [{self.resume}]"] if self.resume else []
        return "; ".join([*words, *([self.plant] if self.plant else [])])

    @property
    def world_size(self) -> int:
        """Processes."""
        sizes = [self.execution.get(name, 1) for name in ("dp", "tp", "pp")]
        return int(sizes[0] * sizes[1] * sizes[2])


def made_corpus(folder: Path) -> CorpusManifest:
    """Build the corpus of generated text in bytes, and return its manifest."""
    recipe, source = Recipe.load(RECIPE), folder.parent / "text"
    for tag in recipe.corpus.languages:
        for split in SPLITS:
            told = documents(LANGUAGES[tag], split, TRAIN_BYTES if split == "train" else None)
            rows = (document.model_dump(mode="json") for document, _ in told)
            write_jsonl(source / tag / f"{split}.jsonl", rows)
    build(recipe, source, folder)
    return load_corpus(folder)


def plan_of(run: Run, manifest: CorpusManifest) -> Plan:
    """Resolve the plan of a run by the planner's rules."""
    recipe, options = Recipe.load(RECIPE), MODELS[run.model]
    shape = SHAPE | options.get("model", {})
    batch_tokens = BATCH * SHAPE["seq_len"]
    return make_plan(
        Recipe.model_validate(
            recipe.model_dump(exclude_none=True, exclude={"sweep"})
            | {
                "name": "parallel",
                "model": shape,
                "parametrisation": recipe.parametrisation.model_dump()
                | options.get("parametrisation", {}),
                "optimizer": recipe.optimizer.model_dump() | {"base_lr": 0.01},
                # The first step's rate is a third of the fourth's: the first after resuming tells.
                "schedule": {"warmup_fraction": 0.5, "decay_fraction": 0.34},
                "budget": {
                    "horizon_tokens": STEPS * batch_tokens,
                    "global_batch_tokens": batch_tokens,
                },
                "dtype": run.dtype,
                "execution": {
                    "micro_batch_sequences": MICRO,
                    "device": "cpu",
                    "checkpoint_every_steps": SAVED_AT,
                    "validate_every_steps": STEPS,
                    **run.execution,
                },
            }
        ),
        manifest,
        None,
    )


def run_each(rank: int, world_size: int, rendezvous: Path, runs: list[Run], folder: Path) -> None:
    """Take every run in turn, on one rank: starting processes is what costs.

    Args:
        rank: This process.
        world_size: All processes.
        rendezvous: Names the files they meet at.
        runs: What to train.
        folder: The proof's folder, with `corpus` in it.
    """
    manifest = load_corpus(folder / "corpus")
    patches.apply("cpu")
    for number, run in enumerate(runs):
        meeting, root = rendezvous.with_name(f"{rendezvous.name}-{number}"), folder / run.name
        plan = plan_of(run, manifest)
        with PLANTS[run.plant]() if run.plant else nullcontext():
            if run.saved or run.resume:
                resume = (
                    None if run.resume is None else checkpoint_of(folder / run.resume, SAVED_AT)
                )
                train_rank(
                    rank,
                    world_size,
                    meeting,
                    plan.model_dump_json(),
                    folder / "corpus",
                    root,
                    resume,
                )
                continue
            _compared(rank, world_size, meeting, plan, manifest, folder, root)


def checkpoint_of(root: Path, step: int) -> Path:
    """Return where a saved run has the checkpoint of a step."""
    return root / "checkpoints" / f"step_{step:08d}"


def _compared(
    rank: int, world_size: int, meeting: Path, plan: Plan, manifest: CorpusManifest, folder: Path,
    root: Path,
) -> None:  # fmt: skip
    """Train, and write losses, the first gradients and the last weights under `root`."""
    rows: list[tuple[float, float]] = []
    tensors: dict[str, torch.Tensor] = {}

    def on_step(trainer: Any, step: int, loss: float | None, seconds: float) -> None:
        if loss is not None:
            rows.append((loss, trainer.grad_norm))
        if step == 1:
            # Adam's first moment after one step is (1 - beta1) times the clipped gradient.
            kept = 1 - plan.identity.optimizer.beta1
            for name, moment in trainer.full_moments().items():
                if name.startswith("exp_avg."):
                    tensors[f"gradient.{name.removeprefix('exp_avg.')}"] = moment / kept
        if step == WEIGHTS_AT:
            tensors.update({f"weight.{k}": v for k, v in trainer.full_weights().items()})
        if step == STEPS and trainer.is_logger:
            write_json(root / "losses.json", rows)

    drive(rank, world_size, meeting, plan, TrainingData(plan, folder / "corpus", manifest), on_step)
    if rank == 0:
        root.mkdir(parents=True, exist_ok=True)
        save_tensors(tensors, root / "tensors.safetensors")


@contextmanager
def _one_gradient_not_reduced() -> Iterator[None]:
    """Have one matrix of the first layer keep each data-parallel rank's own gradient."""
    from nanotron import trainer

    wrapper = trainer.DistributedDataParallel
    ours = wrapper.__init__

    def leaky(self: Any, module: Any, **options: Any) -> None:
        left_out = [n for n, _ in module.named_parameters() if "layers.0" in n and "q_proj" in n]
        wrapper._set_params_and_buffers_to_ignore_for_model(module, left_out)
        with warnings.catch_warnings():
            # torch deprecates an option that nanotron sets; the bridge ignores that by its module.
            warnings.simplefilter("ignore", FutureWarning)
            ours(self, module, **options)

    with _replaced(wrapper, "__init__", leaky):
        yield


@contextmanager
def _one_shard_like_its_neighbour() -> Iterator[None]:
    """Have every tensor-parallel rank take the first rank's rows of one matrix."""
    from skald_trainer.bridge import tensors

    ours = tensors.local_part

    def first_part(param: Any, full: torch.Tensor) -> torch.Tensor:
        # The gate and up projections alone have this shape.
        if param.is_sharded and full.shape == (SHAPE["d_ff"], SHAPE["d_model"]):
            return full[: param.shape[0]]
        return ours(param, full)

    with _replaced(tensors, "local_part", first_part):
        yield


@contextmanager
def _nanotrons_own_overlap() -> Iterator[None]:
    """Have the overlapped row-parallel layer go backward as nanotron ships it."""
    from nanotron.parallel.tensor_parallel import functional

    spec = importlib.util.spec_from_file_location("as_shipped", functional.__file__)
    assert spec is not None and spec.loader is not None
    shipped = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(shipped)
    backward = staticmethod(shipped._RowLinearAsyncCommunication.backward)
    with _replaced(functional._RowLinearAsyncCommunication, "backward", backward):
        yield


@contextmanager
def _lr_not_reapplied() -> Iterator[None]:
    """Take the first step after resuming at the rate of the run's first step, as nanotron does."""
    from skald_trainer.bridge.trainer import SkaldTrainer

    ours = SkaldTrainer.post_init

    def post_init(self: Any) -> None:
        ours(self)
        for group in self.optimizer.get_base_optimizer().param_groups:
            group["lr"] = group["initial_lr"] * self.plan.identity.schedule.factor(1)

    with _replaced(SkaldTrainer, "post_init", post_init):
        yield


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


PLANTS: dict[Plant, Callable[[], Any]] = {
    "gradient not reduced": _one_gradient_not_reduced,
    "shard like its neighbour": _one_shard_like_its_neighbour,
    "nanotron's own overlap": _nanotrons_own_overlap,
    "lr not re-applied": _lr_not_reapplied,
}
