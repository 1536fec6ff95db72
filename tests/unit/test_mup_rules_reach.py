"""Which shapes each rule table carries to, and which it refuses by name."""

import pytest
from skald_specs.parametrisation import RULES, Parametrisation
from support_planner import recipe

PUBLIC = recipe("trustllm-7.8b")
BASE = PUBLIC.parametrisation.base.model_copy(update={"base_depth": PUBLIC.model.n_layers})


def given(rules: str, **changes: object) -> Parametrisation:
    update = {"rules": rules, "base": BASE, "depth_alpha": 1.0 if rules == "completep" else None}
    return Parametrisation.model_validate(PUBLIC.parametrisation.model_dump() | update | changes)


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize(
    ("changes", "carried_by", "said"),
    [
        ({}, set(RULES), ""),
        ({"tie_embeddings": True}, {"mup", "completep"}, r"model\.tie_embeddings: .* untie them"),
        ({"d_head": 256, "n_heads": 16}, {"mup", "completep", "sp"}, "heads keep their width"),
        ({"n_layers": 64}, {"completep"}, r"n_layers = 64 differs .* depth does not transfer"),
        ({"d_model": 8192, "n_heads": 64}, set(RULES), ""),
    ],
)
def test_a_shape_beyond_a_table_is_refused(
    rules: str, changes: dict[str, object], carried_by: set[str], said: str
) -> None:
    shape = PUBLIC.model.model_copy(update=changes)
    if rules in carried_by:
        given(rules).check_fits(shape)
        return
    with pytest.raises(ValueError, match=said):
        given(rules).check_fits(shape)


def test_a_base_without_a_depth_says_nothing_of_it_but_where_depth_scales() -> None:
    unknown = BASE.model_copy(update={"base_depth": None})
    given("mup", base=unknown).check_fits(PUBLIC.model.model_copy(update={"n_layers": 64}))
    with pytest.raises(ValueError, match=r"scale depth and need base\.base_depth"):
        given("completep", base=unknown)


@pytest.mark.parametrize(
    ("rules", "alpha"), [("completep", None), ("completep", 0.7), ("mup", 1.0)]
)
def test_the_exponent_of_depth_belongs_to_completep(rules: str, alpha: float | None) -> None:
    with pytest.raises(ValueError, match="depth_alpha"):
        given(rules, depth_alpha=alpha)
