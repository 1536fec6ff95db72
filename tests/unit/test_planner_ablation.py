"""Which corpora one recipe can compare, and the plans of the runs."""

from __future__ import annotations

import pytest
from skald_planner.plans.ablation import MAX_EPOCHS, ablation_plan, check_comparable
from skald_specs.corpus import CorpusManifest, ShardInfo
from skald_specs.errors import UserInputError
from skald_specs.recipe import Budget
from support_corpus import small_recipe


def corpus(n_tokens: int = 1000, languages=("da", "sv"), vocab_size: int = 300) -> CorpusManifest:
    recipe = small_recipe(languages, vocab_size=vocab_size).corpus
    return CorpusManifest(
        schema_version=1, recipe=recipe, vocab_size=vocab_size, tokenizer_sha256=str(n_tokens),
        shards=tuple(
            ShardInfo(
                language=tag, split="train", path="x", sha256="x", n_documents=1,
                n_tokens=n_tokens, n_bytes=3 * n_tokens,
            )
            for tag in languages
        ),
    )  # fmt: skip


def recipe(**changes):
    base = small_recipe()
    optimizer = base.optimizer.model_copy(update={"base_lr": 0.01})
    return base.model_copy(update={"optimizer": optimizer, **changes})


def test_runs_differ_in_corpus_and_seed_alone() -> None:
    other = corpus(2000, vocab_size=400)
    plans = [
        ablation_plan(recipe(), name, manifest, seed)
        for name, manifest in (("a/corpus", corpus()), ("Ræða", other))
        for seed in (1, 2)
    ]
    assert len({plan.name for plan in plans}) == 2, "a seed's, whatever the corpus is called"
    assert len({plan.fingerprint for plan in plans}) == 4

    def rest(plan):
        value = plan.identity.model_dump()
        value["data"] = value["data"] | {"corpus_fingerprint": ""}
        return value

    assert rest(plans[0]) == rest(plans[2]) != rest(plans[1]) == rest(plans[3])
    assert all(plan.execution.dp == 1 and plan.grad_accum_steps == 1 for plan in plans)


@pytest.mark.parametrize(
    ("languages", "lacking"),
    [(("da",), "the corpus lacks sv"), (("da", "nb", "sv"), "the recipe lacks nb")],
)
def test_other_languages_are_refused(languages, lacking) -> None:
    check_comparable(recipe(), {"plain": corpus()})
    with pytest.raises(UserInputError, match=f"odd: .*{lacking}"):
        check_comparable(recipe(), {"plain": corpus(), "odd": corpus(languages=languages)})


def test_text_read_too_often_is_refused_whatever_the_recipe_allows() -> None:
    """One cycle of the mixture: 2048 samples of 16 tokens in each language."""
    asked = recipe(max_epochs=40.0, budget=Budget(horizon_tokens=65_536, global_batch_tokens=64))
    enough = ablation_plan(asked, "small", corpus(2048 * 16 // 4 + 1), 1)
    assert enough.epochs == {"da": MAX_EPOCHS, "sv": MAX_EPOCHS}
    with pytest.raises(
        UserInputError, match=r"tiny: .* reads its .. text 8\.00 times, more than 4\."
    ):
        ablation_plan(asked, "tiny", corpus(2048 * 16 // 8 + 1), 1)
