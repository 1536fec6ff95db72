"""Laws of the formats: fingerprints, schedules, the language register."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from skald_specs.fingerprint import canonical, fingerprint
from skald_specs.languages import REGISTER, language
from skald_specs.plan import PlannedSchedule, Quantity

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(PLAIN)
def test_equal_values_have_equal_fingerprints_whatever_the_key_order(value: Any) -> None:
    def reversed_keys(node: Any) -> Any:
        if isinstance(node, dict):
            return {k: reversed_keys(node[k]) for k in reversed(list(node))}
        return [reversed_keys(item) for item in node] if isinstance(node, list) else node

    assert fingerprint(value) == fingerprint(reversed_keys(value))


@given(PLAIN, PLAIN)
def test_different_encodings_mean_different_fingerprints(a: Any, b: Any) -> None:
    assert (canonical(a) == canonical(b)) == (fingerprint(a) == fingerprint(b))


@pytest.mark.parametrize("value", [{1: 2}, {1, 2}, object(), math.nan, math.inf, b"bytes"])
def test_what_has_no_deterministic_encoding_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        fingerprint({"a": value})


@st.composite
def schedules(draw: st.DrawFn) -> PlannedSchedule:
    n_steps = draw(st.integers(1, 500))
    warmup = draw(st.integers(0, n_steps))
    decay = draw(st.integers(0, n_steps - warmup))

    def given_steps(value: int) -> Quantity[int]:
        return Quantity[int](value=value, standing="given")

    return PlannedSchedule(
        n_steps=given_steps(n_steps),
        warmup_steps=given_steps(warmup),
        decay_steps=given_steps(decay),
        final_lr_fraction=draw(st.floats(0, 1)),
    )


@given(schedules())
def test_a_schedule_rises_stays_and_falls_within_zero_and_one(schedule: PlannedSchedule) -> None:
    n, warmup, decay = (
        q.value for q in (schedule.n_steps, schedule.warmup_steps, schedule.decay_steps)
    )
    factors = [schedule.factor(step) for step in range(1, n + 1)]
    assert all(0 < f <= 1 for f in factors), "no step is wasted at rate zero"
    assert factors[:warmup] == sorted(factors[:warmup])
    assert all(f == 1 for f in factors[max(0, warmup - 1) : n - decay])
    falling = factors[n - decay :]
    assert falling == sorted(falling, reverse=True)


def test_the_register_has_sixteen_varieties_and_code() -> None:
    assert len(REGISTER) == 17
    for column in ("tag", "flores", "iso639_3"):
        values = [v for v in (getattr(row, column) for row in REGISTER) if v]
        assert len(set(values)) == len(values), column
    assert {row.macro for row in REGISTER} == {"", "no"}
    assert language("fo").branch == "Insular"
