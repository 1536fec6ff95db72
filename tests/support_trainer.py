"""A tiny corpus and tiny plans, made for real by the formats, for tests of the trainer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from skald_mup.counts import n_params_non_embedding, n_params_total
from skald_mup.rules import multipliers, tensor_rules
from skald_mup.tensorfile import save_tensors
from skald_specs.checkpoint import MODEL_FILE
from skald_specs.corpus import END_OF_TEXT, END_OF_TEXT_ID, CorpusManifest, ShardInfo
from skald_specs.execution import ExecutionRecipe
from skald_specs.files import read_jsonl, sha256_file, write_json
from skald_specs.guard import GuardRecipe
from skald_specs.parametrisation import BaseShape, Parametrisation
from skald_specs.plan import (
    Plan,
    PlanIdentity,
    PlannedData,
    PlannedOptimizer,
    PlannedSchedule,
    Quantity,
)
from skald_specs.recipe import CorpusRecipe, TokenizerRecipe
from skald_specs.runtable import FinishedRun
from skald_specs.shape import ModelShape
from skald_specs.shards import index_path, write_shard
from skald_trainer.bridge import patches
from skald_trainer.loader import TrainingData, validation_sets
from skald_trainer.meeting import process_group
from skald_trainer.rank import train_rank
from skald_trainer.run import Validation
from skald_trainer.sweep import _row, train_alone
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

LANGUAGES = ("da", "sv")
VOCAB = 64


def tiny_corpus(folder: Path, seed: int = 0, n_documents: int = 60) -> CorpusManifest:
    """Write a corpus of a learnable first-order pattern over 64 tokens."""
    rng, shards = np.random.default_rng(seed), []
    for language in LANGUAGES:
        follows = rng.permutation(np.arange(1, VOCAB))
        for split, count in (("train", n_documents), ("validation", 8)):
            documents = []
            for _ in range(count):
                token, document = int(rng.integers(1, VOCAB)), []
                for _ in range(40):
                    document.append(token)
                    jump = rng.random() < 0.1
                    token = int(rng.integers(1, VOCAB)) if jump else int(follows[token - 1])
                documents.append(np.array([*document, END_OF_TEXT_ID]))
            path = folder / f"{language}.{split}.ds"
            n_tokens = write_shard(path, documents, VOCAB)
            assert index_path(path).is_file()
            shards.append(
                ShardInfo(
                    language=language, split=split, path=path.name, sha256=sha256_file(path),
                    n_documents=count, n_tokens=n_tokens, n_bytes=3 * n_tokens,
                )
            )  # fmt: skip
    (folder / "tokenizer.json").write_text(_tokenizer().to_str())
    manifest = CorpusManifest(
        schema_version=1,
        recipe=CorpusRecipe(
            source="none", languages=LANGUAGES, tokenizer=TokenizerRecipe(vocab_size=257)
        ),
        vocab_size=VOCAB,
        tokenizer_sha256=sha256_file(folder / "tokenizer.json"),
        shards=tuple(shards),
    )
    write_json(folder / "corpus.json", manifest.model_dump(mode="json"))
    return manifest


def _tokenizer() -> Tokenizer:
    vocabulary = {END_OF_TEXT: 0} | {chr(0x100 + i): i for i in range(1, VOCAB)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def tiny_plan(manifest: CorpusManifest, name: str = "tiny", **changes: Any) -> Plan:
    """Resolve a plan by the real rules; `changes` go to execution and the rest by name, `model`,
    `parametrisation` and `data` to theirs. The few texts may be read as often as a test likes.
    """
    shape = ModelShape.model_validate(
        {
            "d_model": 32, "n_layers": 2, "d_head": 8, "n_heads": 4, "n_kv_heads": 2, "d_ff": 48,
            "vocab_size": VOCAB, "seq_len": 16, **changes.pop("model", {}),
        }
    )  # fmt: skip
    base = BaseShape(base_width=64, base_depth=2, base_d_head=8, base_d_ff=96)
    parametrisation = Parametrisation.model_validate(
        {
            "rules": "mup", "base": base, "decay": "independent", "weight_decay": 1e-4,
            "eps": 1e-12, "hidden_std": 0.1, "embedding_std": 1.0, "output_std": 0.2,
            **changes.pop("parametrisation", {}),
        }
    )  # fmt: skip
    lr, n_steps = changes.pop("base_lr", 0.01), changes.pop("n_steps", 6)
    decay_steps, final = changes.pop("decay_steps", 2), changes.pop("final_lr_fraction", 0.0)
    dtype, model_seed = changes.pop("dtype", "float32"), changes.pop("model_seed", 1)
    n_sequences, max_epochs = changes.pop("batch_sequences", 8), changes.pop("max_epochs", 1e6)
    data = changes.pop("data", {})
    guard = GuardRecipe.model_validate(changes.pop("guard", {}))
    run = {
        "micro_batch_sequences": 2, "checkpoint_every_steps": 3, "validate_every_steps": 3,
        "device": "cpu", **changes,
    }  # fmt: skip
    batch = n_sequences * shape.seq_len

    def given(value: Any) -> Any:
        kind = Quantity[int] if isinstance(value, int) else Quantity[float]
        return kind(value=value, standing="given")

    return Plan(
        schema_version=1,
        name=name,
        identity=PlanIdentity(
            model=shape,
            n_params_total=given(n_params_total(shape)),
            n_params_non_embedding=given(n_params_non_embedding(shape)),
            rules=tensor_rules(shape, parametrisation, lr),
            multipliers=multipliers(shape, parametrisation),
            optimizer=PlannedOptimizer(base_lr=given(lr), beta1=0.9, beta2=0.95, grad_clip=1.0),
            schedule=PlannedSchedule(
                n_steps=given(n_steps), warmup_steps=given(1), decay_steps=given(decay_steps),
                final_lr_fraction=final,
            ),
            global_batch_tokens=given(batch),
            horizon_tokens=given(batch * n_steps),
            data=PlannedData(
                corpus_fingerprint=manifest.fingerprint,
                **{"mixture": {"da": 0.5, "sv": 0.5}, "seed": 1, **data},
            ),
            dtype=dtype,
            model_seed=model_seed,
            guard=guard,
        ),
        execution=ExecutionRecipe(**run),
        max_epochs=max_epochs,
    )  # fmt: skip


def run_alone(plan: Plan, corpus: Path) -> FinishedRun:
    """Train a proxy straight from its first step to its last, as no sweep does."""
    held_out = validation_sets(plan, corpus, CorpusManifest.load(corpus / "corpus.json"))
    measured: Validation = {}
    losses = train_alone(plan, corpus, lambda trainer: measured.update(trainer.validate(held_out)))
    return FinishedRun(row=_row(plan, measured), losses_nats=losses)


def losses_of(curve: Path) -> list[float]:
    """Read the training losses of a finished run, in nats."""
    return [row["loss_nats"] for row in read_jsonl(curve) if "loss_nats" in row]


class Job(NamedTuple):
    """One run of a launch: trained, only built (`initial`), or trained with a planted fault."""

    plan_json: str
    root: Path
    resume: Path | None = None
    what: Literal["train", "initial", "unsummed"] = "train"


def train_each(rank: int, world_size: int, rendezvous: Path, jobs: list[Job], corpus: Path) -> None:
    """Run several jobs one after another in one launch: starting processes is what costs."""
    for number, job in enumerate(jobs):
        meeting = rendezvous.with_name(f"{rendezvous.name}-{number}")
        if job.what == "initial":
            _save_initial(rank, world_size, meeting, job, corpus)
            continue
        with _gradients_of_gains_left_alone() if job.what == "unsummed" else nullcontext():
            train_rank(rank, world_size, meeting, job.plan_json, corpus, job.root, job.resume)


def train_counting_copies(
    rank: int, world_size: int, rendezvous: Path, jobs: list[Job], corpus: Path
) -> None:
    """Train as `train_each` does, and last of all with every copy of a tensor counted."""
    train_each(rank, world_size, rendezvous, jobs[:-1], corpus)
    patches.apply("cpu")
    from skald_trainer.bridge import statistics

    statistics.speaks = lambda param: True
    again = rendezvous.with_name("copies")
    train_each(rank, world_size, again, jobs[-1:], corpus)


def _save_initial(rank: int, world_size: int, meeting: Path, job: Job, corpus: Path) -> None:
    patches.apply("cpu")
    from skald_trainer.bridge.trainer import SkaldTrainer

    plan = Plan.model_validate_json(job.plan_json)
    data = TrainingData(plan, corpus, CorpusManifest.load(corpus / "corpus.json"))
    with process_group(rank, world_size, "cpu", meeting):
        weights = SkaldTrainer(plan, data, lambda *step: None).full_weights()
    if rank == 0:
        job.root.mkdir(parents=True)
        save_tensors(weights, job.root / MODEL_FILE)


@contextmanager
def _gradients_of_gains_left_alone() -> Iterator[None]:
    """Plant the fault that nanotron's default is: gains of QK-norm see one rank's heads only."""
    patches.apply("cpu")
    from skald_trainer.bridge.model import NanotronDecoder

    ours = NanotronDecoder.tie_custom_params
    NanotronDecoder.tie_custom_params = lambda self: None
    try:
        yield
    finally:
        NanotronDecoder.tie_custom_params = ours
