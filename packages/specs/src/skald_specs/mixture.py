"""How much of each language a training run reads: the rule, and what follows from it."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from skald_specs.models import Spec
from skald_specs.shape import Positive, PositiveFloat

#: How often a run may read a text unless its recipe says otherwise; `Recipe` has the source.
MAX_EPOCHS = 4.0

Method = Literal["proportional", "temperature", "unimax", "given"]


class MixtureRule(Spec):
    """How shares follow from token counts.

    `temperature` takes share ~ tokens^alpha (1 proportional, 0 uniform); `given` takes `weights`.
    No language may be repeated more than `max_epochs` times; `unimax` shares are as equal as that
    allows, the other methods are refused where they go beyond.
    """

    method: Method
    alpha: Annotated[float, Field(ge=0, le=1)] | None = None
    weights: dict[str, Annotated[float, Field(ge=0)]] | None = None
    max_epochs: PositiveFloat

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for field, method in (("alpha", "temperature"), ("weights", "given")):
            if (getattr(self, field) is None) == (self.method == method):
                verb = "needs" if self.method == method else "does not take"
                raise ValueError(f"method {self.method} {verb} `{field}`; change one of them")
        return self


class MixtureShare(Spec):
    """One language: its tokens, its share of the budget, how often its text is read."""

    language: str
    n_tokens: Positive
    share: Annotated[float, Field(gt=0, le=1)]
    epochs: PositiveFloat


class Mixture(Spec):
    """A mixture for a token budget; languages in alphabetical order, shares sum to 1."""

    schema_version: Literal[1]
    rule: MixtureRule
    budget_tokens: Positive
    languages: Annotated[tuple[MixtureShare, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        total = math.fsum(row.share for row in self.languages)
        if abs(total - 1) > 1e-9:
            raise ValueError(f"the shares sum to {total}, not to 1; compute the mixture again")
        return self

    @property
    def shares(self) -> dict[str, float]:
        """Return the shares by language, as a recipe's `mixture` takes them."""
        return {row.language: row.share for row in self.languages}

    def table(self) -> str:
        """Return the mixture as a plain text table, one line a language."""
        lines = [f"{'language':<8} {'tokens':>15} {'share':>8} {'epochs':>9}"]
        lines += [
            f"{row.language:<8} {row.n_tokens:>15,} {row.share:>8.2%} {row.epochs:>9.3f}"
            for row in self.languages
        ]
        return "\n".join(lines)
