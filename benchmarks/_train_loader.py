"""What reading batches costs: its share of a small model's step, and its pace at a large one's shape.

The share is taken inside the real trainer, on the miniature of the 7.8B baseline, whose steps are
among the shortest that anyone trains. The pace is that of one rank's own process at 4,096 tokens a
sequence, against what a fast card takes; files lie in the page cache, as they do after a first pass.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from skald_planner.plans.resolve import make_plan
from skald_specs.claims import Measure
from skald_specs.corpus import CorpusManifest, ShardInfo
from skald_specs.files import read_yaml
from skald_specs.plan import Plan
from skald_specs.recipe import Recipe
from skald_specs.shards import write_shard
from skald_trainer.loader import Tokens, TrainingData
from skald_trainer.run import drive

#: Most of a step that reading may take.
MOST_SHARE = 0.01
#: Tokens a second of one card at about a billion parameters; larger models take fewer.
CARD_TOKENS_PER_SECOND = 100_000
N_STEPS, WARMUP_STEPS = 60, 10
N_LARGE_BATCHES, LARGE_MICRO_BATCH, ROUNDS = 100, 4, 5
TOKENS_PER_LANGUAGE = 2_000_000


class TimedData(TrainingData):
    """Batches, and the CPU seconds that reading them took."""

    cpu_seconds = 0.0

    def micro_batch(self, step: int, first: int, count: int) -> tuple[Tokens, Tokens]:
        """See `TrainingData.micro_batch`."""
        start = time.process_time()
        batch = super().micro_batch(step, first, count)
        self.cpu_seconds += time.process_time() - start
        return batch


def loader_measures() -> list[Measure]:
    """Take both measures; about 15 CPU seconds."""
    with tempfile.TemporaryDirectory() as scratch:
        return [_share_of_a_step(Path(scratch) / "small"), _pace(Path(scratch) / "large")]


def _share_of_a_step(folder: Path) -> Measure:
    plan, manifest = _prepared("mini-7.8b", folder, N_STEPS)
    data = TimedData(plan, folder, manifest)
    marks: list[tuple[float, float]] = []

    def on_step(trainer: object, step: int, loss: float | None, seconds: float) -> None:
        marks.append((time.process_time(), data.cpu_seconds))

    drive(0, 1, folder / "rendezvous", plan, data, on_step)
    (start, read_start), (end, read_end) = marks[WARMUP_STEPS], marks[-1]
    n_steps = len(marks) - 1 - WARMUP_STEPS
    share = (read_end - read_start) / (end - start)
    return Measure(
        measure="loader's share of a step, mini-7.8b, 1 process",
        value=round(100 * share, 3),
        unit="%",
        bound=f"<= {100 * MOST_SHARE:g}",
        holds=share <= MOST_SHARE,
        detail=f"{1e6 * (read_end - read_start) / n_steps:.0f} us of {1e3 * (end - start) / n_steps:.1f} "
        f"ms a step of {plan.identity.global_batch_tokens.value} tokens, CPU seconds",
    )


def _pace(folder: Path) -> Measure:
    plan, manifest = _prepared("trustllm-2.6b", folder, n_steps=100)
    data, seq_len = TrainingData(plan, folder, manifest), plan.identity.model.seq_len
    rounds = []
    for number in range(ROUNDS):
        start = time.process_time()
        for i in range(N_LARGE_BATCHES):
            step, at = divmod(
                number * N_LARGE_BATCHES + i, plan.batch_sequences // LARGE_MICRO_BATCH
            )
            inputs, labels = data.micro_batch(step + 1, at * LARGE_MICRO_BATCH, LARGE_MICRO_BATCH)
            inputs.copy(), labels.copy()
        rounds.append(time.process_time() - start)
    tokens = N_LARGE_BATCHES * LARGE_MICRO_BATCH * seq_len
    pace, least = tokens / float(np.median(rounds)), CARD_TOKENS_PER_SECOND / MOST_SHARE
    return Measure(
        measure=f"loader's pace, {LARGE_MICRO_BATCH} x {seq_len} tokens, 1 process",
        value=round(pace / 1e6, 1),
        unit="Mtoken/s",
        bound=f">= {least / 1e6:g}",
        holds=pace >= least,
        detail=f"{100 * CARD_TOKENS_PER_SECOND / pace:.3f} % of a step at "
        f"{CARD_TOKENS_PER_SECOND:,} tokens/s a card; each rank of a node reads in its own process; "
        f"{manifest.vocab_size} tokens, so 4 bytes each; CPU seconds, median of {ROUNDS}",
    )


def _prepared(name: str, folder: Path, n_steps: int) -> tuple[Plan, CorpusManifest]:
    """Resolve a recipe on eight languages of random tokens: what they say does not matter here."""
    given: dict[str, Any] = read_yaml(Path("recipes") / f"{name}.yaml")
    tags = ["da", "de", "en", "fo", "is", "nb", "nl", "sv"]
    batch = given["budget"]["global_batch_tokens"]
    given["corpus"]["languages"], given["mixture"] = tags, dict.fromkeys(tags, 1.0)
    given["budget"]["horizon_tokens"] = n_steps * batch
    given["optimizer"]["base_lr"], given["max_epochs"] = 0.001, 1e6
    given["schedule"] = {"warmup_fraction": 0.1, "decay_fraction": 0.3}
    given.pop("assumed", None)
    given["execution"] |= {"dp": 1, "tp": 1, "pp": 1, "device": "cpu"}
    recipe = Recipe.check(given, name)
    rng, shards = np.random.default_rng(0), []
    for tag in tags:
        path = folder / f"{tag}.train.ds"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = rng.integers(1, recipe.model.vocab_size, TOKENS_PER_LANGUAGE)
        n_tokens = write_shard(path, [text], recipe.model.vocab_size)
        shards.append(
            ShardInfo(language=tag, split="train", path=path.name, sha256=tag, n_documents=1,
                      n_tokens=n_tokens, n_bytes=n_tokens)
        )  # fmt: skip
    manifest = CorpusManifest(
        schema_version=1, recipe=recipe.corpus, vocab_size=recipe.model.vocab_size,
        tokenizer_sha256="none", shards=tuple(shards),
    )  # fmt: skip
    return make_plan(recipe, manifest, None), manifest
