"""The models and the text that `bench -- train` trains: tokens at random, in one language.

Speed does not depend on what a text says, only on how many tokens a step has, so nothing is built.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from skald_mup.counts import flops_per_token
from skald_planner.plans.resolve import make_plan
from skald_specs.corpus import END_OF_TEXT_ID, CorpusManifest, ShardInfo
from skald_specs.execution import ExecutionRecipe
from skald_specs.files import sha256_file, write_json
from skald_specs.parametrisation import BaseShape
from skald_specs.plan import Plan
from skald_specs.recipe import Budget, CorpusRecipe, Recipe, ScheduleRecipe, TokenizerRecipe
from skald_specs.shape import ModelShape
from skald_specs.shards import write_shard

_RECIPE = Path(__file__).parents[1] / "recipes" / "mini-7.8b.yaml"
_LANGUAGE, _SEED = "da", 1
#: A run that nobody lets go on to its end.
_MANY_STEPS = 1 << 20
_TEXT_TOKENS = {"train": 1 << 20, "validation": 1 << 12}


class Case(NamedTuple):
    """A shape and the batch it is trained on."""

    name: str
    shape: ModelShape
    batch_sequences: int

    @property
    def batch_tokens(self) -> int:
        """Tokens of one optimiser step."""
        return self.batch_sequences * self.shape.seq_len

    @property
    def step_flops(self) -> int:
        """Floating-point operations of one optimiser step."""
        return flops_per_token(self.shape) * self.batch_tokens


def _shape(d_model: int, n_layers: int, vocab_size: int, seq_len: int) -> ModelShape:
    return ModelShape(
        d_model=d_model, n_layers=n_layers, d_head=32, n_heads=d_model // 32,
        n_kv_heads=max(1, d_model // 128), d_ff=d_model * 7 // 2, vocab_size=vocab_size,
        seq_len=seq_len,
    )  # fmt: skip


#: 7.0 million parameters, and a quarter of a million.
LARGE = Case("7.0M parameters", _shape(256, 6, 4096, 256), 8)
SMALL = Case("250k parameters", _shape(64, 3, 1024, 64), 4)


def write_corpus(folder: Path, vocab_size: int) -> CorpusManifest:
    """Write shards of random tokens that trainers take for a built corpus.

    Args:
        folder: An empty folder.
        vocab_size: Tokens, all equally likely: the embedding's gradient is then at its widest.

    Returns:
        Its manifest; there is no tokenizer.
    """
    rng, shards = np.random.default_rng(_SEED), []
    for split, n_tokens in _TEXT_TOKENS.items():
        tokens = rng.integers(1, vocab_size, n_tokens)
        tokens[-1] = END_OF_TEXT_ID
        path = folder / f"{_LANGUAGE}.{split}.ds"
        write_shard(path, [tokens], vocab_size)
        shards.append(
            ShardInfo.model_validate(
                {
                    "language": _LANGUAGE, "split": split, "path": path.name,
                    "sha256": sha256_file(path), "n_documents": 1, "n_tokens": n_tokens,
                    "n_bytes": n_tokens,
                }
            )
        )  # fmt: skip
    manifest = CorpusManifest(
        schema_version=1,
        recipe=CorpusRecipe(
            source="none",
            languages=(_LANGUAGE,),
            tokenizer=TokenizerRecipe(vocab_size=vocab_size),
        ),
        vocab_size=vocab_size,
        tokenizer_sha256="",
        shards=tuple(shards),
    )
    write_json(folder / "corpus.json", manifest.model_dump(mode="json"))
    return manifest


def plan_of(
    case: Case, manifest: CorpusManifest, dtype: str = "float32", **execution: object
) -> Plan:
    """Resolve a run of a case that saves and validates at no step that is measured.

    Args:
        case: Its shape and batch.
        manifest: The corpus.
        dtype: Of weights and activations.
        execution: Fields of the execution block, such as `dp` and `threads_per_process`.
    """
    recipe = Recipe.load(_RECIPE)
    base = BaseShape(
        base_width=case.shape.d_model // 2, base_depth=case.shape.n_layers,
        base_d_head=case.shape.d_head, base_d_ff=case.shape.d_ff // 2,
    )  # fmt: skip
    run = {
        "micro_batch_sequences": case.batch_sequences, "checkpoint_every_steps": _MANY_STEPS,
        "validate_every_steps": _MANY_STEPS, **execution,
    }  # fmt: skip
    update = {
        # A plan's name becomes a folder, and is in lower case.
        "name": "-".join(case.name.lower().split()),
        "corpus": manifest.recipe,
        "mixture": {_LANGUAGE: 1.0},
        "model": case.shape,
        "parametrisation": recipe.parametrisation.model_copy(update={"base": base}),
        "optimizer": recipe.optimizer.model_copy(update={"base_lr": 0.001}),
        "budget": Budget(
            horizon_tokens=_MANY_STEPS * case.batch_tokens, global_batch_tokens=case.batch_tokens
        ),
        "schedule": ScheduleRecipe(warmup_fraction=0.1, decay_fraction=0.3),
        "dtype": dtype,
        # What is read costs the same the hundredth time.
        "max_epochs": 1e6,
        "execution": ExecutionRecipe.model_validate(run),
    }
    return make_plan(recipe.model_copy(update=update), manifest, None)
