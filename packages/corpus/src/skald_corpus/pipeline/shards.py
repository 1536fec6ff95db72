"""After the stages: tokenizer, shards, fertility, and the mixture for a recipe's budget."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from skald_specs.corpus import CorpusManifest
from skald_specs.fertility import Fertility
from skald_specs.files import write_json, write_yaml
from skald_specs.mixture import Mixture
from skald_specs.models import Spec
from skald_specs.recipe import Recipe
from skald_specs.sources import ShardsStage, SourcesFile
from tokenizers import Tokenizer

from skald_corpus.build import build
from skald_corpus.fertility import measure_fertility
from skald_corpus.ingest import Texts
from skald_corpus.mixture import mix
from skald_corpus.pipeline.contamination import reference_items
from skald_corpus.tokenizer import thinned

#: Held-out text on which fertility is measured, UTF-8 bytes a language.
_FERTILITY_BYTES = 1_000_000
CORPUS, FACTS, RECIPE = "corpus", "shards.json", "recipe.yaml"


class ShardFacts(Spec):
    """`shards.json`: how the tokenizer serves each language, and what a run will read of it."""

    schema_version: Literal[1] = 1
    fertility: tuple[Fertility, ...]
    mixture: Mixture


def make_shards(rule: ShardsStage, sources: SourcesFile, base: Path, root: Path) -> ShardFacts:
    """Train the tokenizer, write shards, and write a recipe whose mixture fits them.

    Args:
        rule: Recipe and mixture.
        sources: The sources file; its languages take the place of the recipe's.
        base: Folder of the sources file.
        root: Folder of the pipeline; `corpus/`, `shards.json` and `recipe.yaml` are written there.

    Raises:
        UserInputError: The text is too little for the recipe, or the mixture is refused.
    """
    given = Recipe.load(base / rule.recipe)
    text = root / "split"
    even = dict.fromkeys(sources.languages, 1.0)
    # Once more, on what is left: scores of models trained on it are judged by what it still has.
    looked_for = sources.decontamination.against if sources.decontamination else ()
    items = reference_items(looked_for, base)
    first = _recipe(given, sources.name, text, even, rule.recipe)
    manifest = build(first, text, root / CORPUS, items)
    mixture = mix(_tokens(manifest), rule.mixture, given.budget.horizon_tokens)
    shares = {tag: round(share, 6) for tag, share in mixture.shares.items()}
    recipe = _recipe(given, sources.name, text, shares, rule.recipe)
    tokenizer = Tokenizer.from_file(str(root / CORPUS / "tokenizer.json"))
    facts = ShardFacts(fertility=_fertility(tokenizer, text, recipe), mixture=mixture)
    write_json(root / FACTS, facts.model_dump(mode="json"))
    write_yaml(root / RECIPE, recipe.model_dump(mode="json", exclude_none=True))
    return facts


def _recipe(given: Recipe, name: str, text: Path, mixture: dict[str, float], where: str) -> Recipe:
    """Return a recipe with other languages, text and mixture."""
    value: dict[str, Any] = given.model_dump(mode="json")
    value["name"] = f"{given.name}-{name}"
    value["corpus"] |= {"source": text.as_posix(), "languages": sorted(mixture)}
    value["mixture"] = mixture
    return Recipe.check(value, where)


def _tokens(manifest: CorpusManifest) -> dict[str, int]:
    return {shard.language: shard.n_tokens for shard in manifest.shards if shard.split == "train"}


def _fertility(tokenizer: Tokenizer, text: Path, recipe: Recipe) -> tuple[Fertility, ...]:
    """Measure on validation text, spread evenly over it where there is much."""
    held_out = {}
    for tag in recipe.corpus.languages:
        texts = [document.text for document in Texts(text, tag, recipe.corpus).of("validation")]
        size = sum(len(one.encode()) for one in texts)
        held_out[tag] = list(thinned(texts, size, min(size, _FERTILITY_BYTES)))
    return measure_fertility(tokenizer, held_out)
