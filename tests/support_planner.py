"""What the planner's tests share: a corpus without files, and run tables drawn from known laws."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from skald_specs.corpus import CorpusManifest, ShardInfo
from skald_specs.recipe import Recipe, recipe_family
from support import ROOT

GRID = tuple(0.0005 * 2**i for i in range(7))
HORIZONS = (131_072, 262_144)


def recipe(name: str) -> Recipe:
    return Recipe.load(ROOT / "recipes" / f"{name}.yaml")


FAMILY = recipe_family(recipe("mini-proxy"))


def corpus_for(
    recipe: Recipe, n_tokens: int = 100_000, vocab_size: int | None = None
) -> CorpusManifest:
    shards = tuple(
        ShardInfo(
            language=tag,
            split="train",
            path=f"{tag}.train.ds",
            sha256=tag,
            n_documents=10,
            n_tokens=n_tokens,
            n_bytes=3 * n_tokens,
        )
        for tag in recipe.corpus.languages
    )
    return CorpusManifest(
        schema_version=1,
        recipe=recipe.corpus,
        vocab_size=recipe.model.vocab_size if vocab_size is None else vocab_size,
        tokenizer_sha256="tokenizer",
        shards=shards,
    )


def optimum(horizon_tokens: int, exponent: float, at_first: float = -7.6) -> float:
    """log2 of the planted optimal learning rate."""
    return at_first + exponent * (math.log2(horizon_tokens) - 17)


def run_table(
    rng: np.random.Generator,
    exponent: float = -0.3,
    at_first: float = -7.6,
    horizons: Sequence[int] = HORIZONS,
    seeds: Sequence[int] = (1,),
    noise: float = 0.003,
    curvature: float = 0.03,
    lrs: Sequence[float] = GRID,
) -> pd.DataFrame:
    """Runs whose log loss is a parabola around the planted optimum, plus noise."""
    rows = []
    for seed in seeds:
        for horizon in horizons:
            level = math.log(2.6) - 0.08 * (math.log2(horizon) - 17) + rng.normal(0, 0.01)
            for lr in lrs:
                octaves = math.log2(lr) - optimum(horizon, exponent, at_first)
                log_loss = level + curvature * octaves**2 + rng.normal(0, noise)
                rows.append(
                    {
                        "width": 48,
                        "depth": 3,
                        "n_params_total": 188_496,
                        "n_params_non_embedding": 90_192,
                        "horizon_tokens": horizon,
                        "global_batch_tokens": 1024,
                        "lr": lr,
                        "schedule": "wsd",
                        "seed": seed,
                        "loss": math.exp(log_loss),
                        "loss_se": 0.01,
                        "diverged": False,
                        "fingerprint": f"{horizon}-{lr}-{seed}",
                        "family": FAMILY,
                    }
                )
    return pd.DataFrame(rows)
