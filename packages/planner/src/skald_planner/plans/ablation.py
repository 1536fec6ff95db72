"""The runs of a data ablation as plans: one model and budget, several corpora, several seeds.

Knows when corpora can be compared at all; refuses to know how their models are scored.
"""

from __future__ import annotations

from collections.abc import Mapping

from skald_specs.corpus import CorpusManifest
from skald_specs.errors import UserInputError
from skald_specs.order import beyond
from skald_specs.plan import Plan
from skald_specs.recipe import Recipe

from skald_planner.plans.proxy import one_process
from skald_planner.plans.resolve import make_plan, planned_epochs

#: Most readings of a language's text, whatever the recipe allows. Source: Muennighoff et al. 2023
#: (arXiv 2305.16264): up to four, text is worth nearly as much as fresh text; beyond, the smaller
#: corpus would be punished.
MAX_EPOCHS = 4.0


def ablation_plan(recipe: Recipe, name: str, corpus: CorpusManifest, seed: int) -> Plan:
    """Resolve one run.

    The corpus block is the corpus's own, since corpora differ in it; everything else is the
    recipe's. A seed sets the initial weights and the data order, so runs of one seed are paired
    across corpora.

    Args:
        recipe: Model, budget and settings.
        name: What messages call the corpus.
        corpus: The corpus.
        seed: Of weights and order.

    Raises:
        UserInputError: A text would be read more than `MAX_EPOCHS` times; or see `make_plan`.
    """
    of_corpus = recipe.model_copy(update={"corpus": corpus.recipe})
    # Corpora are called by their paths, and a plan's name is none.
    run = one_process(of_corpus, f"{recipe.name}-s{seed}", recipe.budget, seed)
    epochs = planned_epochs(run, corpus)
    for tag in beyond(epochs, MAX_EPOCHS):
        raise UserInputError(
            name,
            f"budget.horizon_tokens = {recipe.budget.horizon_tokens} reads its {tag} text "
            f"{epochs[tag]:.2f} times, more than {MAX_EPOCHS:g}",
            "Lower the horizon or add text: beyond that, size is compared, not quality",
        )
    return make_plan(run, corpus, None)


def check_comparable(recipe: Recipe, corpora: Mapping[str, CorpusManifest]) -> None:
    """Refuse corpora that one recipe cannot compare.

    Args:
        recipe: Its mixture names the languages.
        corpora: By name.

    Raises:
        UserInputError: A corpus has other languages than the recipe.
    """
    wanted = set(recipe.mixture)
    for name, corpus in corpora.items():
        if odd := sorted(wanted ^ set(corpus.recipe.languages)):
            lacking = "the recipe" if odd[0] not in wanted else "the corpus"
            raise UserInputError(
                name,
                f"languages {', '.join(corpus.recipe.languages)}, recipe {recipe.name} has "
                f"{', '.join(sorted(wanted))}: {lacking} lacks {odd[0]}",
                "Build every corpus with the recipe's languages",
            )
