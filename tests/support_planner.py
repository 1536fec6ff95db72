"""What the planner's tests share: a corpus without files, and run tables drawn from known laws."""

import math
from collections.abc import Sequence
from itertools import product

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
    batches: Sequence[int] = (1024,),
    sizes: Sequence[int] = (90_192,),
    drift: float = 0.0,
) -> pd.DataFrame:
    """Runs whose log loss is a parabola around the planted optimum, plus noise.

    The best rate grows as the square root of the batch, and by `drift` octaves with each octave of size;
    the best batch is 1024 at the shortest horizon and grows as its square root.
    """
    rows = []
    for size, seed, horizon in product(sizes, seeds, horizons):
        t, n = math.log2(horizon) - 17, math.log2(size / 90_192)
        level = math.log(2.6) - 0.08 * t - 0.04 * n + rng.normal(0, 0.01)
        for batch, lr in product(batches, lrs):
            y = math.log2(batch / 1024)
            octaves = math.log2(lr) - optimum(horizon, exponent, at_first) - drift * n
            log_loss = level + curvature * octaves**2 + 0.005 * (y - 0.5 * t) ** 2
            rows.append(
                {
                    "width": round(48 * math.sqrt(size / 90_192)),
                    "depth": 3,
                    "n_params_total": 2 * size,
                    "n_params_non_embedding": size,
                    "horizon_tokens": horizon,
                    "global_batch_tokens": batch,
                    "lr": lr * 2 ** (0.5 * y),
                    "schedule": "wsd",
                    "seed": seed,
                    "loss": math.exp(log_loss + rng.normal(0, noise)),
                    "loss_se": 0.01,
                    "diverged": False,
                    "fingerprint": f"{size}-{horizon}-{batch}-{lr}-{seed}",
                    "family": FAMILY,
                }
            )
    return pd.DataFrame(rows)
