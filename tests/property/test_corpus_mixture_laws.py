"""Laws of mixtures: whole, capped, monotone, and each method's limits are another method."""

import math
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from skald_corpus.mixture import mix, proportional, temperature, unimax
from skald_specs.errors import UserInputError
from skald_specs.languages import BY_TAG
from skald_specs.mixture import Mixture, MixtureRule

COUNTS = st.dictionaries(
    st.sampled_from(sorted(BY_TAG)), st.integers(1, 10**13), min_size=1, max_size=12
)
BUDGET = st.integers(1, 10**13)
CAP = st.floats(0.1, 100)


def whole(shares):
    return math.isclose(math.fsum(shares.values()), 1, abs_tol=1e-12)


def ordered(tokens, shares):
    """More text never means a smaller share."""
    tags = sorted(tokens, key=lambda tag: (tokens[tag], tag))
    return all(shares[a] <= shares[b] * (1 + 1e-12) for a, b in pairwise(tags))


@given(COUNTS, st.floats(0, 1))
def test_temperature_lies_between_uniform_and_proportional(tokens, alpha):
    shares = temperature(tokens, alpha)
    assert whole(shares) and ordered(tokens, shares)
    total = sum(tokens.values())
    for tag, share in proportional(tokens).items():
        assert math.isclose(share, tokens[tag] / total, rel_tol=1e-9)
    for share in temperature(tokens, 0).values():
        assert math.isclose(share, 1 / len(tokens), rel_tol=1e-12)
    smallest = min(tokens, key=tokens.__getitem__)
    low, high = proportional(tokens)[smallest], 1 / len(tokens)
    assert low * (1 - 1e-9) <= shares[smallest] <= high * (1 + 1e-9)


@given(COUNTS, BUDGET, CAP)
def test_unimax_is_uniform_where_nothing_is_capped(tokens, budget, cap):
    assume(sum(tokens.values()) * cap >= budget)
    shares = unimax(tokens, budget, cap)
    assert whole(shares) and ordered(tokens, shares)
    capped = [tag for tag in tokens if tokens[tag] * cap <= shares[tag] * budget * (1 + 1e-9)]
    free = {shares[tag] for tag in tokens if tag not in capped}
    assert all(shares[tag] * budget <= tokens[tag] * cap * (1 + 1e-6) for tag in tokens)
    # Those that the cap does not hold back are equal, and have the largest share.
    assert not free or math.isclose(min(free), max(shares.values()), rel_tol=1e-6)
    if min(tokens.values()) * cap > budget / len(tokens):
        assert all(math.isclose(s, 1 / len(tokens), rel_tol=1e-9) for s in shares.values())


@given(COUNTS, BUDGET, CAP)
def test_unimax_refuses_a_budget_beyond_all_text(tokens, budget, cap):
    assume(sum(tokens.values()) * cap < budget * 0.999)
    with pytest.raises(UserInputError, match="all text read"):
        unimax(tokens, budget, cap)


@given(COUNTS, BUDGET, CAP, st.sampled_from(("proportional", "temperature", "unimax")))
def test_no_mixture_is_beyond_its_cap(tokens, budget, cap, method):
    alpha = 0.3 if method == "temperature" else None
    rule = MixtureRule(method=method, alpha=alpha, max_epochs=cap)
    try:
        mixture = mix(tokens, rule, budget)
    except UserInputError as error:
        assert "\n" not in str(error)
        return
    assert mixture.shares.keys() == tokens.keys() and whole(mixture.shares)
    for row in mixture.languages:
        assert row.epochs <= cap * (1 + 1e-6)
        assert math.isclose(row.epochs, row.share * budget / tokens[row.language])
    assert Mixture.check(mixture.model_dump(mode="json"), "again") == mixture
    assert len(mixture.table().splitlines()) == len(tokens) + 1


@given(COUNTS)
def test_order_of_languages_changes_nothing(tokens):
    rule = MixtureRule(method="temperature", alpha=0.5, max_epochs=1e9)
    backwards = dict(reversed(list(tokens.items())))
    assert mix(tokens, rule, 1000) == mix(backwards, rule, 1000)
