"""What tests of the corpus share: a small recipe, and text to build from."""

import json
from pathlib import Path

from skald_specs.recipe import Recipe
from support import ROOT


def small_recipe(languages=("da", "sv"), vocab_size=300, batch=64, seq_len=16, **tokenizer):
    value = Recipe.load(ROOT / "recipes" / "mini-7.8b.yaml").model_dump(mode="json")
    value["corpus"]["languages"] = list(languages)
    value["corpus"]["tokenizer"] |= {"vocab_size": vocab_size, **tokenizer}
    value["corpus"]["validation_fraction"] = 0.2
    value["mixture"] = dict.fromkeys(languages, 1.0)
    value["model"] |= {"vocab_size": max(vocab_size, 1024), "seq_len": seq_len}
    value["budget"] = {"horizon_tokens": 4 * batch, "global_batch_tokens": batch}
    # A warmup in tokens, as the miniatures have it, would be longer than these runs.
    value["schedule"] = {"warmup_fraction": 0.1, "decay_fraction": 0.3}
    value["execution"] |= {"dp": 1, "micro_batch_sequences": 1}
    return Recipe.check(value, "test")


def write_rows(path: Path, texts, **fields):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [json.dumps({"text": text, **fields}, ensure_ascii=False) for text in texts]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def some_text(tag: str, n: int = 200):
    return [f"{tag}: der stod en å på bakken, og æblet nummer {i} faldt ned" for i in range(n)]
