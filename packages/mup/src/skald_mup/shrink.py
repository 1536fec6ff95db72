"""A family of shapes around a recipe: the same model narrower, wider, shallower or deeper.

Knows how heads, KV heads and `d_ff` follow the width, and what is made smaller so that a study runs
on a laptop. Free of torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skald_specs.errors import UserInputError
from skald_specs.parametrisation import Parametrisation
from skald_specs.shape import ModelShape

#: What a study on a laptop keeps of a large model; heads and layers follow from the recipe.
STUDY_VOCAB, STUDY_SEQ_LEN, STUDY_LAYERS = 256, 64, 2


def widened(shape: ModelShape, d_model: int, scale_heads: bool = False) -> ModelShape:
    """Return a shape at another width: the same ratios of d_ff and KV heads to it.

    Args:
        shape: The shape to start from.
        d_model: The new residual width.
        scale_heads: Keep the number of heads and scale `d_head`; otherwise the other way round.

    Returns:
        The shape. `d_ff` is rounded to a whole number; the rules use its true ratio.

    Raises:
        UserInputError: The width does not divide into whole heads and whole groups of them.
    """
    group = shape.n_heads // shape.n_kv_heads
    if scale_heads:
        heads, kv_heads = shape.n_heads, shape.n_kv_heads
        step, of_what = 2 * heads, f"an even d_head for each of n_heads = {heads}"
    else:
        heads, kv_heads = d_model // shape.d_head, d_model // (shape.d_head * group)
        step = shape.d_head * group
        heads_each = f"{group} heads" if group > 1 else "1 head"
        of_what = f"{heads_each} of d_head = {shape.d_head} for each KV head"
    if d_model <= 0 or d_model % step:
        nearest = step * max(1, round(d_model / step))
        raise UserInputError(
            "width",
            f"{d_model} is not a multiple of {step}, {of_what}",
            f"Choose {nearest}, or another multiple of {step}",
        )
    return shape.model_copy(
        update={
            "d_model": d_model,
            "n_heads": heads,
            "n_kv_heads": kv_heads,
            "d_head": d_model // heads,
            "d_ff": max(1, round(shape.d_ff * d_model / shape.d_model)),
        }
    )


@dataclass(frozen=True)
class Family:
    """The shapes of a study, and the parametrisation that fits them.

    Attributes:
        shapes: One for each width, or each depth, ascending.
        parametrisation: The recipe's, with the base's heads and depth moved to those of the shapes.
        notes: What was made smaller than in the recipe, one sentence each.
    """

    shapes: tuple[ModelShape, ...]
    parametrisation: Parametrisation
    notes: tuple[str, ...]


def width_family(
    shape: ModelShape, given: Parametrisation, widths: Sequence[int], scale_heads: bool = False
) -> Family:
    """Shrink a recipe to a study over widths.

    Args:
        shape: The recipe's shape.
        given: Its parametrisation; base width, base `d_ff` and all values at the base are kept.
        widths: Residual widths, at least three different ones.
        scale_heads: Whether `d_head` grows with the width instead of the number of heads.

    Returns:
        The family, narrowest first.

    Raises:
        UserInputError: Fewer than three widths, or one that does not divide into heads.
    """
    chosen = _at_least_three(widths, "widths")
    small, notes = _study_shape(shape, chosen, STUDY_LAYERS)
    at_narrowest = widened(small, chosen[0])
    shapes = tuple(widened(at_narrowest, width, scale_heads) for width in chosen)
    return Family(shapes, _moved_base(given, at_narrowest, small.n_layers), notes)


def depth_family(
    shape: ModelShape, given: Parametrisation, depths: Sequence[int], width: int
) -> Family:
    """Shrink a recipe to a study over depths at one width.

    Args:
        shape: The recipe's shape.
        given: Its parametrisation; the base depth is moved to the shallowest shape.
        depths: Numbers of layers, at least three different ones.
        width: Residual width of all shapes.

    Returns:
        The family, shallowest first.

    Raises:
        UserInputError: Fewer than three depths, or a width that does not divide into heads.
    """
    chosen = _at_least_three(depths, "depths")
    small, notes = _study_shape(shape, (width,), max(chosen))
    at_width = widened(small, width)
    shapes = tuple(at_width.model_copy(update={"n_layers": depth}) for depth in chosen)
    base = given.base.base_depth and chosen[0]
    return Family(shapes, _moved_base(given, at_width, base), notes)


def _at_least_three(values: Sequence[int], what: str) -> tuple[int, ...]:
    chosen = tuple(sorted(set(values)))
    if len(chosen) < 3 or chosen[0] < 1:
        listed = " ".join(map(str, chosen)) or "none"
        raise UserInputError(
            f"--{what}", f"{listed}: a slope needs three different positive {what}", "Name more"
        )
    return chosen


def _study_shape(
    shape: ModelShape, widths: Sequence[int], n_layers: int
) -> tuple[ModelShape, tuple[str, ...]]:
    """Make everything but the width small; the ratios to the width stay."""
    group = shape.n_heads // shape.n_kv_heads
    candidates = [shape.d_head, *(1 << i for i in range(shape.d_head.bit_length() - 1, 0, -1))]
    fitting = (d for d in candidates if all(width % (d * group) == 0 for width in widths))
    # Where none fits, `widened` names the width.
    d_head = next(fitting, candidates[-1])
    new = {
        "vocab_size": min(shape.vocab_size, STUDY_VOCAB),
        "seq_len": min(shape.seq_len, STUDY_SEQ_LEN),
        "n_layers": min(shape.n_layers, n_layers) if len(widths) > 1 else n_layers,
        "d_head": d_head,
    }
    notes = tuple(
        f"{name} {getattr(shape, name)} -> {value}"
        for name, value in new.items()
        if getattr(shape, name) != value
    )
    # Heads are set by `widened`, from d_head and the group.
    return shape.model_copy(update=new), notes


def _moved_base(given: Parametrisation, shape: ModelShape, depth: int | None) -> Parametrisation:
    base = given.base.model_copy(
        update={
            "base_d_head": shape.d_head,
            "base_depth": None if given.base.base_depth is None else depth,
        }
    )
    return given.model_copy(update={"base": base})
