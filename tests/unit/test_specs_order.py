"""What a run reads of each language: exact shares, counted epochs, a cap that holds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skald_specs.errors import UserInputError
from skald_specs.order import (
    CYCLE_SLOTS,
    MixtureOrder,
    beyond,
    check_epochs,
    epochs_of,
    readings,
)
from skald_specs.recipe import normalised
from support_planner import recipe

#: The smallest share is 1 / (1 + 7 * 15): no rarer than one cycle can deal out.
mixtures = st.lists(st.integers(1, 15), min_size=1, max_size=8).map(
    lambda weights: {f"l{i}": w / sum(weights) for i, w in enumerate(weights)}
)


@given(shares=mixtures, seed=st.integers(0, 2**31), cycles=st.integers(1, 9))
def test_each_language_gets_its_share_of_every_cycle(
    shares: dict[str, float], seed: int, cycles: int
) -> None:
    counts = MixtureOrder(shares, seed).counts(cycles * CYCLE_SLOTS)
    for tag, share in shares.items():
        assert abs(counts[tag] - share * cycles * CYCLE_SLOTS) < cycles
    assert sum(counts.values()) == cycles * CYCLE_SLOTS


@given(
    shares=st.one_of(
        mixtures, st.just(normalised(recipe("trustllm-7.8b").mixture)),
        st.just({"a": 0.999, "b": 0.0005, "c": 0.0004, "d": 0.0001}),
    ),
    seed=st.integers(0, 2**31), n_samples=st.integers(0, 30_000),
)  # fmt: skip
def test_counts_are_those_of_the_samples_themselves(
    shares: dict[str, float], seed: int, n_samples: int
) -> None:
    order = MixtureOrder(shares, seed)
    languages, before = order.draws(np.arange(n_samples))
    found = np.bincount(languages, minlength=len(shares))
    assert order.counts(n_samples) == dict(zip(order.languages, found.tolist(), strict=True))
    for which, count in enumerate(found):
        assert np.array_equal(before[languages == which], np.arange(count))


def test_a_seed_shuffles_the_cycle() -> None:
    def languages(seed: int) -> list[int]:
        return MixtureOrder({"a": 0.5, "b": 0.5}, seed).draws(np.arange(100))[0].tolist()

    assert languages(1) == languages(1) != languages(2)


def test_the_rarest_language_of_the_public_mixture_is_read() -> None:
    """One sample in twenty million, out of a table of thousands; others to 3 % at most."""
    public = recipe("trustllm-7.8b")
    shares, n_samples = normalised(public.mixture), 489_553 * 1152
    counts = MixtureOrder(shares, seed=1).counts(n_samples)
    assert counts["gsw"] == pytest.approx(shares["gsw"] * n_samples, abs=3)
    for tag in shares.keys() - {"gsw"}:
        assert counts[tag] == pytest.approx(shares[tag] * n_samples, rel=0.03), tag


def test_one_very_small_share_gets_its_slots_from_a_longer_cycle() -> None:
    # The share of Faroese in the TrustLLM mixture (TrustLLMeu/trustllm-envs).
    counts = MixtureOrder({"rest": 1 - 8.52e-5, "fo": 8.52e-5}, seed=1).counts(10**8)
    assert counts["fo"] / 10**8 == pytest.approx(8.52e-5, rel=0.02)


def test_a_share_below_one_slot_is_refused() -> None:
    with pytest.raises(UserInputError, match=r"mixture\.b: a share of 1e-07 is below 1 in 1048576"):
        MixtureOrder({"a": 1 - 1e-7, "b": 1e-7}, seed=1)


def test_epochs_are_samples_over_windows() -> None:
    shares, n_tokens = {"a": 0.25, "b": 0.75}, {"a": 1601, "b": 1600}
    found = epochs_of(shares, n_tokens, seq_len=16, n_samples=CYCLE_SLOTS, seed=1)
    assert found == {"a": 1024 / 100, "b": 3072 / 99}
    assert readings(found) == "10.24 (a) to 31.03 (b)"
    assert readings({"a": 1.0}) == "1.00 (a)"
    assert readings({}) == "unknown"


def test_the_cap_forgives_rounding_and_nothing_else() -> None:
    assert beyond({"a": 4.0, "b": 4.03}, 4.0) == []
    assert beyond({"a": 4.05, "b": 9.0, "c": 1.0}, 4.0) == ["b", "a"]
    tokens = {"a": 12_345, "b": 1_000_000}
    check_epochs("recipe x", {"a": 4.0, "b": 0.1}, tokens, 4.0)
    with pytest.raises(UserInputError) as error:
        check_epochs("recipe x", {"a": 6.25, "b": 0.1}, tokens, 4.0)
    assert str(error.value) == (
        "recipe x: the 12,345 training tokens of language 'a' would be read 6.25 times, more than "
        "max_epochs = 4. Add a text, lower mixture.a, shorten budget.horizon_tokens, or raise max_epochs"
    )
    with pytest.raises(UserInputError, match=r"'b' would be .* = 4; so would those of 1 more\."):
        check_epochs("recipe x", {"a": 5.0, "b": 6.0}, tokens, 4.0)
