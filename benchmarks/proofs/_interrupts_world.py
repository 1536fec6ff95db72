"""A folder as a user has it before the first verb: text, items, recipes, a public leaderboard, all small."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from skald_corpus.generate import documents
from skald_corpus.grammar.register import LANGUAGES
from skald_specs.corpus import SPLITS
from skald_specs.files import write_jsonl, write_text, write_yaml
from skald_specs.recipe import Recipe

_ROOT = Path(__file__).resolve().parents[2]
_TAGS = ("da", "sv")
_BASIS = _ROOT / "recipes" / "mini-proxy.yaml"
#: What the verbs read of the checkout.
_OF_THE_CHECKOUT = ("evals", "sites", "constraints.txt")
_LINK = "<a href='https://euroeval.com/{}/'>{}</a>"
_N_PAIRS, _N_BOARD_MODELS = 40, 30


def made_world(folder: Path) -> Path:
    """Write the folder; return it."""
    folder.mkdir(parents=True)
    for name in _OF_THE_CHECKOUT:
        (folder / name).symlink_to(_ROOT / name)
    _write_recipes(folder)
    _write_text(folder / "text", 120_000)
    _write_text(folder / "more", 60_000)
    for tag in _TAGS:
        rows = [
            {"good": text, "bad": text[::-1], "type": "swap", "pos": "NOUN",
             "source_id": f"{tag}-{i}"}
            for i, text in enumerate(_sentences(tag))
        ]  # fmt: skip
        write_jsonl(folder / "items" / "pairs" / f"{tag}.jsonl", rows)
    sources = [
        {"id": f"src-{tag}", "language": tag, "kind": "curated", "licence": "CC0-1.0",
         "path": f"text/{tag}/*.jsonl"}
        for tag in _TAGS
    ]  # fmt: skip
    about = {"schema_version": 1, "name": "trial", "about": "Made text", "sources": sources}
    write_yaml(folder / "sources.yaml", {**about, "validation_fraction": 0.1})
    write_text(folder / "boards" / "danish_all.csv", _board())
    return folder


def _write_recipes(folder: Path) -> None:
    value = Recipe.load(_BASIS).model_dump(mode="json", exclude_none=True)
    value |= {"name": "trial", "max_epochs": 1e6, "mixture": dict.fromkeys(_TAGS, 0.5)}
    value["corpus"] |= {"source": "text", "languages": list(_TAGS)}
    value["corpus"]["tokenizer"]["vocab_size"] = value["model"]["vocab_size"] = 512
    value["budget"] = {"horizon_tokens": 64 * 1024, "global_batch_tokens": 1024}
    value["schedule"] = {"kind": "wsd", "warmup_fraction": 0.1, "decay_fraction": 0.3}
    value["sweep"] = {
        "base_lrs": [0.004, 0.01, 0.025],
        "horizons_tokens": [8 * 1024, 16 * 1024, 32 * 1024],
        "seeds": [1],
    }
    # The site of `launch` has GPUs, which a recipe of the CPU alone may not ask for.
    value["execution"] |= {
        "device": "auto", "checkpoint_every_steps": 10, "validate_every_steps": 30
    }  # fmt: skip
    write_yaml(folder / "recipe.yaml", value)
    # An ablation has no sweep to take the rate from.
    value["optimizer"]["base_lr"] = 0.01
    value["budget"]["horizon_tokens"] = 16 * 1024
    write_yaml(folder / "given.yaml", value)
    del value["sweep"]
    write_yaml(folder / "recipes" / "own-text.yaml", value | {"name": "own-text"})


def _write_text(folder: Path, n_bytes: int) -> None:
    for tag in _TAGS:
        for split in SPLITS:
            told = documents(LANGUAGES[tag], split, n_bytes if split == "train" else n_bytes // 6)
            rows = (document.model_dump(mode="json") for document, _ in told)
            write_jsonl(folder / tag / f"{split}.jsonl", rows)


def _sentences(tag: str) -> Sequence[str]:
    told = documents(LANGUAGES[tag], "test", 20_000)
    return [document.text.split(".")[0] + "." for document, _ in told][:_N_PAIRS]


def _board() -> str:
    """Return a made-up leaderboard in the public form."""
    kind = _LINK.format("tasks/sentiment-classification", "sentiment-classification")
    data = _LINK.format("datasets/danish#angry-tweets", "angry-tweets")
    rows = [
        f"lab/model-{i},🧠,1.{i}@@1.{i},7800000000.0,{30 + i}.10 ± 1.20 / {40 + i}.50 ± 0.98@@{30 + i},16.1.0@@160100"
        for i in range(_N_BOARD_MODELS)
    ]
    heads = [
        f"<span>Task Type</span>,<span>dummy</span>,,,{kind},",
        f"Model,Type,Rank,Parameters,{data},angry-tweets_version",
    ]
    return "\n".join([*heads, *rows])
