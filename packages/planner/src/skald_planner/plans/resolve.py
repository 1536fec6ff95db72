"""From intent to consequence: every number a run needs, each with its standing.

Knows how a recipe, a built corpus and rates become a plan; refuses to guess what they do not say. Where the
rates come from is `predicted`.
"""

from __future__ import annotations

from typing import NamedTuple

from skald_mup.counts import n_params_non_embedding, n_params_total
from skald_mup.rules import multipliers, tensor_rules
from skald_specs.corpus import CorpusManifest
from skald_specs.errors import UserInputError
from skald_specs.fingerprint import fingerprint
from skald_specs.order import check_epochs, epochs_of
from skald_specs.plan import (
    NO_CORPUS,
    Plan,
    PlanIdentity,
    PlannedData,
    PlannedOptimizer,
    Quantity,
)
from skald_specs.recipe import Recipe, normalised, recipe_family

from skald_planner.plans.difference import first_difference
from skald_planner.plans.schedule import plan_schedule
from skald_planner.plans.weight_decay import planned_weight_decay, with_weight_decay


class Rates(NamedTuple):
    """What a recipe may leave to a fit; None: the recipe's word.

    Attributes:
        base_lr: Peak learning rate at the base shape.
        global_batch_tokens: Tokens of a step.
    """

    base_lr: Quantity[float]
    global_batch_tokens: Quantity[int] | None = None


def make_plan(recipe: Recipe, corpus: CorpusManifest | None, rates: Rates | None = None) -> Plan:
    """Resolve a recipe into a plan.

    Args:
        recipe: The intent.
        corpus: The corpus it will train on; None: not known yet. Then the mixture is the recipe's
            word, no epochs are counted, and the trainer refuses the plan.
        rates: What a fit says; needed when the recipe leaves its learning rate to the sweep.

    Returns:
        The plan, with the recipe's name.

    Raises:
        UserInputError: The corpus was built from another corpus block, is too small, lacks a
            language or has more tokens than the model's vocabulary; a language's text would be read
            more than `max_epochs` times; or the learning rate is left to a sweep and no rates are given.
    """
    written = recipe
    rates = _given(recipe) if rates is None else rates
    recipe = _with_batch(recipe, rates.global_batch_tokens)
    base_lr, batch = rates.base_lr, rates.global_batch_tokens
    decayed = with_weight_decay(recipe, base_lr.value, recipe.budget.global_batch_tokens)
    epochs: dict[str, float] = {}
    if corpus is not None:
        epochs = planned_epochs(recipe, corpus)
        check_epochs(f"recipe {recipe.name}", epochs, _train_tokens(corpus), recipe.max_epochs)
    identity = PlanIdentity(
        model=recipe.model,
        n_params_total=Quantity[int](
            value=n_params_total(recipe.model), standing="derived", source="closed form"
        ),
        n_params_non_embedding=Quantity[int](
            value=n_params_non_embedding(recipe.model), standing="derived", source="closed form"
        ),
        rules=tensor_rules(recipe.model, decayed.parametrisation, base_lr.value),
        multipliers=multipliers(recipe.model, recipe.parametrisation),
        optimizer=PlannedOptimizer(
            base_lr=base_lr,
            weight_decay=planned_weight_decay(
                recipe, base_lr.value, recipe.budget.global_batch_tokens
            ),
            beta1=recipe.optimizer.beta1,
            beta2=recipe.optimizer.beta2,
            grad_clip=recipe.optimizer.grad_clip,
        ),
        schedule=plan_schedule(recipe.schedule, recipe.budget),
        global_batch_tokens=batch
        or Quantity[int](
            value=recipe.budget.global_batch_tokens,
            standing=recipe.standing("budget.global_batch_tokens"),
            source="recipe",
        ),
        horizon_tokens=Quantity[int](
            value=recipe.budget.horizon_tokens,
            standing=recipe.standing("budget.horizon_tokens"),
            source="recipe",
        ),
        data=PlannedData(
            corpus_fingerprint=NO_CORPUS if corpus is None else corpus.fingerprint,
            mixture=normalised(recipe.mixture),
            seed=recipe.seeds.data,
            mask_documents=recipe.mask_documents,
        ),
        dtype=recipe.dtype,
        model_seed=recipe.seeds.model,
        guard=recipe.guard,
    )
    return Plan(
        schema_version=1,
        name=recipe.name,
        identity=identity,
        execution=recipe.execution,
        family=recipe_family(written),
        # Without execution, which changes no result: a run may move to another layout.
        recipe_fingerprint=fingerprint(written.model_dump(mode="json", exclude={"execution"})),
        epochs=epochs,
        max_epochs=recipe.max_epochs,
    )


def planned_epochs(recipe: Recipe, corpus: CorpusManifest) -> dict[str, float]:
    """Return how often a run reads each language's training text.

    Args:
        recipe: Budget, mixture and the seed of the order.
        corpus: The corpus.

    Raises:
        UserInputError: The corpus does not fit the recipe; see `make_plan`.

    Standing: derived (`skald_specs.order.epochs_of`).
    """
    _check_corpus(recipe, corpus)
    batch, seq_len = recipe.budget.global_batch_tokens, recipe.model.seq_len
    n_samples = recipe.budget.horizon_tokens // batch * (batch // seq_len)
    shares, n_tokens = normalised(recipe.mixture), _train_tokens(corpus)
    return epochs_of(shares, n_tokens, seq_len, n_samples, recipe.seeds.data)


def _train_tokens(corpus: CorpusManifest) -> dict[str, int]:
    return {shard.language: shard.n_tokens for shard in corpus.shards if shard.split == "train"}


def _given(recipe: Recipe) -> Rates:
    """Return the rates that the recipe itself gives."""
    asked, standing = recipe.optimizer.base_lr, recipe.standing("optimizer.base_lr")
    if asked != "sweep" and not recipe.budget.batch_from_sweep:
        return Rates(Quantity[float](value=asked, standing=standing, source="recipe"))
    left = "optimizer.base_lr = sweep" if asked == "sweep" else "budget.batch_from_sweep"
    raise UserInputError(
        f"recipe {recipe.name}",
        f"{left}, and no fit is at hand",
        "Run `skald sweep run` and `skald plan fit`, or write a number",
    )


def _with_batch(recipe: Recipe, batch: Quantity[int] | None) -> Recipe:
    """Return the recipe with the batch that a fit chose."""
    if batch is None:
        return recipe
    recipe.execution.check_fits(recipe.model, batch.value // recipe.model.seq_len)
    budget = recipe.budget.model_copy(update={"global_batch_tokens": batch.value})
    return recipe.model_copy(update={"budget": budget})


def _check_corpus(recipe: Recipe, corpus: CorpusManifest) -> None:
    where = f"recipe {recipe.name}"
    difference = first_difference(
        recipe.corpus.model_dump(mode="json"), corpus.recipe.model_dump(mode="json"), "corpus"
    )
    if difference:
        raise UserInputError(
            where,
            f"the corpus was built from another recipe: {difference}",
            "Run `skald corpus build` with this recipe, or name the corpus that belongs to it",
        )
    if recipe.model.vocab_size < corpus.vocab_size:
        raise UserInputError(
            where,
            f"model.vocab_size = {recipe.model.vocab_size} is below the corpus tokenizer's "
            f"{corpus.vocab_size}",
            "Raise model.vocab_size to at least that",
        )
    window = recipe.model.seq_len + 1
    total = 0
    for language in recipe.corpus.languages:
        shard = corpus.shard(language, "train")
        if shard is None:
            raise UserInputError(
                where,
                f"the corpus has no train shard for language {language!r}",
                "Rebuild the corpus with `skald corpus build`",
            )
        if shard.n_tokens < window:
            raise UserInputError(
                where,
                f"language {language!r} has {shard.n_tokens} training tokens, fewer than one "
                f"sequence and its last target ({window})",
                "Add text of that language, shorten model.seq_len, or drop the language",
            )
        total += shard.n_tokens
    if total < recipe.budget.global_batch_tokens:
        raise UserInputError(
            where,
            f"the corpus has {total} training tokens, fewer than one batch of "
            f"budget.global_batch_tokens = {recipe.budget.global_batch_tokens}",
            "Add text, or make the batch smaller",
        )
