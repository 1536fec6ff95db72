"""The recipe: intent, written by a person, complete in one file.

Knows which intentions are coherent by themselves; what follows from them is computed by the planner
and stands in the plan.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from skald_specs.execution import ExecutionRecipe
from skald_specs.fingerprint import canonical
from skald_specs.guard import GuardRecipe
from skald_specs.guesses import offer
from skald_specs.kinds import Kind
from skald_specs.languages import BY_TAG
from skald_specs.mixture import MAX_EPOCHS
from skald_specs.models import FileName, Spec
from skald_specs.parametrisation import RULES, Parametrisation
from skald_specs.shape import DType, ModelShape, Positive, PositiveFloat

Fraction = Annotated[float, Field(ge=0, le=1)]
#: So many runs no sweep has; a list too long was meant otherwise.
MOST_RUNS = 10_000


def _is_zero(value: int) -> bool:
    return value == 0


def _is_false(value: bool) -> bool:
    return value is False


def _is_none(value: object) -> bool:
    return value is None


class TokenizerRecipe(Spec):
    """Byte-level BPE trained on a temperature sample of the training text.

    `vocab_size` counts every token, the special ones included. `sampling_exponent` is the alpha in
    share ~ bytes^alpha: 1 is proportional, 0 is balanced. `reserved_tokens` special tokens are set
    aside for later chat tuning; no text becomes one of them.
    """

    vocab_size: Annotated[int, Field(ge=257)]
    sampling_exponent: Fraction = 0.0
    sample_bytes: Positive = 2_000_000
    # Not written when it is 0, so that recipes without it keep the bytes of their corpus.json.
    reserved_tokens: Annotated[int, Field(ge=0, exclude_if=_is_zero)] = 0

    @model_validator(mode="after")
    def _room(self) -> Self:
        if self.vocab_size < 257 + self.reserved_tokens:
            raise ValueError(
                f"vocab_size = {self.vocab_size} has no room for 256 bytes, the end of text and "
                f"reserved_tokens = {self.reserved_tokens}; raise it"
            )
        return self


class CorpusRecipe(Spec):
    """Where the text comes from. `source` is a folder `<source>/<language>/*`, see docs/data.md."""

    source: str
    languages: Annotated[tuple[str, ...], Field(min_length=1)]
    tokenizer: TokenizerRecipe
    validation_fraction: Annotated[float, Field(gt=0, lt=0.5)] = 0.02

    @model_validator(mode="after")
    def _registered(self) -> Self:
        unknown = [tag for tag in self.languages if tag not in BY_TAG]
        if unknown:
            raise ValueError(f"unknown language {unknown[0]!r}. {offer(unknown[0], BY_TAG)}")
        if len(set(self.languages)) != len(self.languages):
            raise ValueError("a language is listed twice; list each once")
        return self


class OptimizerRecipe(Spec):
    """AdamW. `base_lr` is a number, or `sweep`: taken from the law fitted on the sweep's table."""

    base_lr: PositiveFloat | Literal["sweep"]
    beta1: Annotated[float, Field(gt=0, lt=1)] = 0.9
    beta2: Annotated[float, Field(gt=0, lt=1)] = 0.95
    grad_clip: PositiveFloat = 1.0


class ScheduleRecipe(Spec):
    """Warmup-stable-decay: linear warmup, constant, linear decay to `final_lr_fraction`.

    The warmup is a share of the horizon, or a number of tokens whatever the horizon: then runs that
    differ in horizon alone are the same run until the shorter one decays, and a sweep trains that part
    once.
    """

    kind: Literal["wsd"] = "wsd"
    warmup_fraction: Annotated[Fraction | None, Field(exclude_if=_is_none)] = None
    warmup_tokens: Annotated[int | None, Field(ge=0, exclude_if=_is_none)] = None
    decay_fraction: Fraction
    final_lr_fraction: Fraction = 0.0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.warmup_fraction is None) == (self.warmup_tokens is None):
            raise ValueError("give one of warmup_fraction and warmup_tokens, not both")
        if (self.warmup_fraction or 0.0) + self.decay_fraction > 1:
            raise ValueError("warmup_fraction + decay_fraction is above 1; shorten one of them")
        return self

    def check_fits(self, field: str, horizon_tokens: int) -> None:
        """Check that warmup and decay have room in a horizon.

        Args:
            field: Where the horizon stands, for the message.
            horizon_tokens: The horizon.

        Raises:
            ValueError: They have not.
        """
        decay_tokens = self.decay_fraction * horizon_tokens
        if (self.warmup_tokens or 0) + decay_tokens > horizon_tokens:
            raise ValueError(
                f"schedule.warmup_tokens = {self.warmup_tokens} and a decay of {decay_tokens:.0f} "
                f"tokens do not fit {field} = {horizon_tokens}; shorten one of them"
            )


class Budget(Spec):
    """How much is trained: tokens, never steps.

    `batch_from_sweep`: the plan takes the batch that the fit finds best at this horizon instead, and
    `global_batch_tokens` is the one that proxies of the recipe use.
    """

    horizon_tokens: Positive
    global_batch_tokens: Positive
    batch_from_sweep: Annotated[bool, Field(exclude_if=_is_false)] = False


class Seeds(Spec):
    """Seeds of the initial weights and of the order of the data."""

    model: Annotated[int, Field(ge=0)] = 1
    data: Annotated[int, Field(ge=0)] = 1


class SweepRun(Spec):
    """A run beside the grid; `base_lr` as it is, whatever the batch.

    `width` and `global_batch_tokens` are the recipe's own where they are left out.
    """

    base_lr: PositiveFloat
    width: Positive | None = None
    global_batch_tokens: Positive | None = None
    seed: Annotated[int, Field(ge=0)] = 1


class SweepRecipe(Spec):
    """A grid of runs, paired by seed: learning rates (at the base shape), horizons, widths, batches.

    `widths` and `global_batches_tokens` are the recipe's own where they are left out; at another width
    heads and `d_ff` follow. `base_lrs` hold at `budget.global_batch_tokens`; at another batch they are
    multiplied by (batch / that)^`lr_batch_exponent`, so that a grid stays near its optimum. `more` lists
    single runs, at all horizons, beside the grid.

    `validation_tokens` limits what each run is validated on: windows spread evenly over each
    language's validation text, the same for every run; None takes all of it.
    """

    base_lrs: Annotated[tuple[PositiveFloat, ...], Field(min_length=3)]
    horizons_tokens: Annotated[tuple[Positive, ...], Field(min_length=1)]
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = (1,)
    widths: tuple[Positive, ...] = ()
    global_batches_tokens: tuple[Positive, ...] = ()
    lr_batch_exponent: float = 0.0
    more: tuple[SweepRun, ...] = ()
    validation_tokens: Positive | None = None

    @model_validator(mode="after")
    def _once(self) -> Self:
        values: tuple[tuple[str, tuple[float, ...]], ...] = (
            ("base_lrs", self.base_lrs),
            ("horizons_tokens", self.horizons_tokens),
            ("seeds", self.seeds),
            ("widths", self.widths),
            ("global_batches_tokens", self.global_batches_tokens),
        )
        for field, listed in values:
            if twice := [value for value in listed if listed.count(value) > 1]:
                raise ValueError(f"{field} lists {twice[0]} twice; list it once")
        n_runs = len(self.more) + math.prod(max(1, len(listed)) for _, listed in values)
        if n_runs > MOST_RUNS:
            raise ValueError(f"a grid of {n_runs} runs, more than {MOST_RUNS}; list fewer")
        return self

    def runs(self, width: int, global_batch_tokens: int) -> tuple[SweepRun, ...]:
        """Return every run of one horizon, the grid's first, with nothing left out.

        Args:
            width: The recipe's own `d_model`.
            global_batch_tokens: The recipe's own batch, at which `base_lrs` hold.

        Returns:
            Runs with width and batch; a learning rate that follows the batch has four digits.
        """
        grid = [
            SweepRun(
                base_lr=_at_batch(lr, batch / global_batch_tokens, self.lr_batch_exponent),
                width=wide,
                global_batch_tokens=batch,
                seed=seed,
            )
            for wide in sorted(self.widths or (width,))
            for batch in sorted(self.global_batches_tokens or (global_batch_tokens,))
            for lr in sorted(self.base_lrs)
            for seed in sorted(self.seeds)
        ]
        beside = [
            run.model_copy(
                update={
                    "width": run.width or width,
                    "global_batch_tokens": run.global_batch_tokens or global_batch_tokens,
                }
            )
            for run in self.more
        ]
        return (*grid, *beside)


def _at_batch(base_lr: float, batch_ratio: float, exponent: float) -> float:
    """Return a learning rate at another batch; one of the same batch, or exponent, is left as it is."""
    factor = batch_ratio**exponent
    return base_lr if factor == 1 else float(f"{base_lr * factor:.4g}")


class Recipe(Spec):
    """One complete experiment.

    Read top to bottom it says what the run is; `skald plan` turns it into numbers. `assumed` lists
    the keys (dotted; a block stands for all in it) whose values are a guess, such as the unpublished
    half of somebody's recipe; the plan carries that on. `mask_documents`: no token attends across the
    end of a text. `max_epochs`: a plan that reads a language's text more often is refused (past four
    epochs repeated tokens lose their worth: Muennighoff et al. 2023, arXiv 2305.16264, section 6).
    """

    file_kind: ClassVar[Kind | None] = "recipe"

    schema_version: Literal[1]
    name: FileName
    about: str
    corpus: CorpusRecipe
    mixture: dict[str, PositiveFloat]
    model: ModelShape
    parametrisation: Parametrisation
    optimizer: OptimizerRecipe
    schedule: ScheduleRecipe
    budget: Budget
    seeds: Seeds = Seeds()
    dtype: DType = "float32"
    mask_documents: bool = False
    max_epochs: PositiveFloat = MAX_EPOCHS
    guard: GuardRecipe = GuardRecipe()
    sweep: SweepRecipe | None = None
    assumed: tuple[str, ...] = ()
    execution: ExecutionRecipe

    def standing(self, key: str) -> Literal["given", "assumed"]:
        """Return the standing of a value of this recipe by its dotted key."""
        guessed = any(key == known or key.startswith(f"{known}.") for known in self.assumed)
        return "assumed" if guessed else "given"

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if set(self.mixture) != set(self.corpus.languages):
            odd = sorted(set(self.mixture) ^ set(self.corpus.languages))
            raise ValueError(
                f"mixture and corpus.languages differ in {', '.join(odd)}; name the same languages"
            )
        batch, seq = self.budget.global_batch_tokens, self.model.seq_len
        if batch % seq:
            raise ValueError(
                f"budget.global_batch_tokens = {batch} is not a multiple of seq_len = {seq}"
            )
        if self.budget.horizon_tokens < batch:
            raise ValueError(
                f"budget.horizon_tokens = {self.budget.horizon_tokens} is below one batch of {batch}"
            )
        self.schedule.check_fits("budget.horizon_tokens", self.budget.horizon_tokens)
        if self.sweep is not None:
            self._check_sweep(self.sweep)
        self.parametrisation.check_fits(self.model)
        for key in self.assumed:
            if not _has(self, key):
                raise ValueError(
                    f"assumed names {key!r}, which is no key of this recipe; remove it"
                )
        self.execution.check_fits(self.model, batch // seq)
        if self.model.vocab_size < self.corpus.tokenizer.vocab_size:
            raise ValueError(
                f"model.vocab_size = {self.model.vocab_size} is smaller than the tokenizer's "
                f"{self.corpus.tokenizer.vocab_size}; raise it to at least that"
            )
        return self

    def _check_sweep(self, sweep: SweepRecipe) -> None:
        runs = sweep.runs(self.model.d_model, self.budget.global_batch_tokens)
        batches = sorted({run.global_batch_tokens or 0 for run in runs})
        if odd := [batch for batch in batches if batch % self.model.seq_len]:
            raise ValueError(
                f"sweep has a batch of {odd[0]} tokens, not a multiple of seq_len = "
                f"{self.model.seq_len}; use a multiple"
            )
        shortest = min(sweep.horizons_tokens)
        if shortest < batches[-1]:
            raise ValueError(
                f"sweep.horizons_tokens has {shortest}, below one batch of {batches[-1]}; use "
                "horizons of at least the largest batch"
            )
        self.schedule.check_fits("sweep.horizons_tokens", shortest)
        if twice := [run for run in runs if runs.count(run) > 1]:
            run = twice[0]
            raise ValueError(
                f"sweep has the run base_lr = {run.base_lr:g}, width = {run.width}, "
                f"global_batch_tokens = {run.global_batch_tokens}, seed = {run.seed} twice (rates at "
                "another batch have four digits); list it once"
            )


def _has(node: Any, key: str) -> bool:
    """Say whether a dotted key leads to a value of a format."""
    for part in key.split("."):
        if part not in getattr(type(node), "model_fields", {}):
            return False
        node = getattr(node, part)
    return True


def normalised(mixture: dict[str, float]) -> dict[str, float]:
    """Scale shares to a sum of 1, languages in alphabetical order.

    The order is fixed because the sampler walks it, while the fingerprint does not see it.
    """
    total = math.fsum(mixture.values())
    return {tag: mixture[tag] / total for tag in sorted(mixture)}


def recipe_family(recipe: Recipe) -> str:
    """Return what the best base learning rate depends on, the terms of the law left out.

    Recipes of one family differ in width (heads and d_ff with it), horizon, batch, learning rate,
    seeds and execution only, and in depth where the rules scale it; a law fitted on one holds for
    the others. The family is spelled out
    instead of hashed, so that a mismatch can name the field.

    Args:
        recipe: The recipe.

    Returns:
        Canonical JSON, nested and named as the recipe is.

    Standing: assumed; the list is meant to be too long rather than too short.
    """
    data = recipe.model_dump(mode="json")
    shares = normalised(recipe.mixture)
    return canonical(
        {
            "parametrisation": data["parametrisation"],
            "schedule": data["schedule"],
            "optimizer": _without(data["optimizer"], "base_lr"),
            "model": _without(
                data["model"],
                "d_model",
                "n_heads",
                "n_kv_heads",
                "d_ff",
                *(["n_layers"] if RULES[recipe.parametrisation.rules].scales_depth else []),
            ),
            # Rounded, because shares written in another scale differ in their last bits.
            "mixture": {tag: round(share, 9) for tag, share in shares.items()},
            "dtype": data["dtype"],
            **({"mask_documents": True} if recipe.mask_documents else {}),
        }
    )


def _without(block: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in block.items() if name not in names}
