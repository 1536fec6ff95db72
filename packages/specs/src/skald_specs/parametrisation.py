"""The parametrisation: a rule table by name, the base shape, and the values at it.

Knows which of them go together; what the tables do is in `skald_mup.tables`.
"""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from skald_specs.models import Spec
from skald_specs.shape import ModelShape, Positive, PositiveFloat


class BaseShape(Spec):
    """The shape at which every multiplier is 1 and `base_lr` is expressed.

    Its ratios to a model's shape need not be whole, but it is a shape that could be built.
    `base_depth` is needed by rules that scale depth; under the others it may be left out, and where
    it is given it is the depth of the whole family.
    """

    base_width: Positive
    base_depth: Positive | None = None
    base_d_head: Positive
    base_d_ff: Positive

    @model_validator(mode="after")
    def _buildable(self) -> Self:
        if self.base_width % self.base_d_head:
            raise ValueError(
                f"base_width = {self.base_width} does not divide into heads of base_d_head = "
                f"{self.base_d_head}; choose a multiple"
            )
        return self


RulesName = Literal["mup", "completep", "trustllm", "sp", "sp_per_layer"]


class RuleTraits(NamedTuple):
    """What a recipe may combine with a rule table; the table itself is in `skald_mup.tables`."""

    scales_depth: bool
    ties_embeddings: bool
    scales_d_head: bool


#: Tying is refused where one matrix would need two standard deviations or learning rates (sp,
#: sp_per_layer), or where the published recipe has no tied form (trustllm).
RULES: dict[RulesName, RuleTraits] = {
    "mup": RuleTraits(scales_depth=False, ties_embeddings=True, scales_d_head=True),
    "completep": RuleTraits(scales_depth=True, ties_embeddings=True, scales_d_head=True),
    "trustllm": RuleTraits(scales_depth=False, ties_embeddings=False, scales_d_head=False),
    "sp": RuleTraits(scales_depth=False, ties_embeddings=False, scales_d_head=True),
    "sp_per_layer": RuleTraits(scales_depth=False, ties_embeddings=False, scales_d_head=False),
}


class Parametrisation(Spec):
    """The rule table by name, with its conventions.

    `decay` is `independent` (lambda / lr_peak per group: a step at the peak removes `weight_decay`
    of a weight, whatever the learning rate) or `coupled` (torch AdamW: the step decays by
    lr x weight_decay, so muP's hidden matrices get weight_decay x their width ratio); the word
    `horizon` for `weight_decay` lets the plan take it from a published law. Standard
    deviations and eps are values at the base shape; an `output_std` of 0 starts the readout at
    zero. `depth_alpha` is the exponent of completep: residual branches x depth_mult^-alpha.
    """

    rules: RulesName
    base: BaseShape
    decay: Literal["coupled", "independent"] = "independent"
    weight_decay: Annotated[float, Field(ge=0)] | Literal["horizon"]
    eps: PositiveFloat
    hidden_std: PositiveFloat
    embedding_std: PositiveFloat
    output_std: Annotated[float, Field(ge=0)]
    emb_mult: PositiveFloat = 1.0
    attn_mult: PositiveFloat = 1.0
    residual_mult: PositiveFloat = 1.0
    output_mult: PositiveFloat = 1.0
    depth_alpha: float | None = None

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if RULES[self.rules].scales_depth:
            if self.base.base_depth is None:
                raise ValueError(
                    f"rules {self.rules!r} scale depth and need base.base_depth; add the depth at "
                    "which base_lr is expressed"
                )
            if self.depth_alpha not in (0.5, 1.0):
                raise ValueError(
                    f"rules {self.rules!r} need depth_alpha = 1.0 (CompleteP) or 0.5 (depth-muP), "
                    f"not {self.depth_alpha}"
                )
        elif self.depth_alpha is not None:
            raise ValueError(
                f"depth_alpha = {self.depth_alpha} has no meaning under rules {self.rules!r}, which "
                "do not scale depth; remove it, or use rules: completep"
            )
        return self

    def check_fits(self, shape: ModelShape) -> None:
        """Check that the rules carry from the base to a shape.

        Raises:
            ValueError: They do not: depth, heads or tied embeddings are beyond the table.
        """
        traits, base = RULES[self.rules], self.base
        if not traits.scales_depth and base.base_depth not in (None, shape.n_layers):
            raise ValueError(
                f"model.n_layers = {shape.n_layers} differs from parametrisation.base.base_depth = "
                f"{base.base_depth}: depth does not transfer under rules {self.rules!r}; make them "
                "equal, or use rules: completep"
            )
        if not traits.scales_d_head and shape.d_head != base.base_d_head:
            raise ValueError(
                f"model.d_head = {shape.d_head} differs from parametrisation.base.base_d_head = "
                f"{base.base_d_head}: heads keep their width under rules {self.rules!r}; make them "
                "equal, or use rules: mup"
            )
        if shape.tie_embeddings and not traits.ties_embeddings:
            raise ValueError(
                f"model.tie_embeddings: rules {self.rules!r} give the embedding and the output "
                "matrix different values, so they cannot be one; untie them, or use rules: mup"
            )
