"""The run of everything: never more cores than there are, needs first, and a plan that its budget holds."""

from pathlib import Path

import pytest
from _claims import scripts
from _everything_steps import (
    ENVIRONMENT_MINUTES,
    MOST_MINUTES,
    STEPS,
    Step,
    chosen,
    ordered,
    planned,
    startable,
)
from hypothesis import given
from hypothesis import strategies as st
from support import ROOT


@st.composite
def plans(draw):
    """Draw steps of which each needs only some before it."""
    steps = []
    for i in range(draw(st.integers(1, 9))):
        needs = (
            draw(st.sets(st.sampled_from([one.name for one in steps]), max_size=3)) if steps else ()
        )
        minutes = draw(st.floats(0.1, 30))
        steps.append(
            Step(str(i), "program", (), minutes, draw(st.booleans()), tuple(sorted(needs)))
        )
    return draw(st.permutations(steps))


@given(plans(), st.integers(1, 4))
def test_all_run_within_the_cores_after_what_they_need_and_wide_ones_alone(steps, cores):
    begins = list(planned(steps, cores))
    assert sorted(step.name for step, _ in begins) == sorted(step.name for step in steps)
    ends = {step.name: minute + step.minutes for step, minute in begins}
    for step, minute in begins:
        assert all(ends[need] <= minute + 1e-9 for need in step.needs)
        beside = [
            one for one, other in begins
            if one is not step and other <= minute < ends[one.name] - 1e-9
        ]  # fmt: skip
        assert len(beside) < cores
        assert not beside or not (step.wide or any(one.wide for one in beside))


@given(plans(), st.integers(1, 4))
def test_no_core_idles_while_a_narrow_step_could_run(steps, cores):
    names = {step.name for step in steps}
    narrow = [step._replace(wide=False, needs=()) for step in steps]
    assert startable(ordered(narrow), [], names, cores) is not None
    end = max(minute + step.minutes for step, minute in planned(narrow, cores))
    longest = max(step.minutes for step in narrow)
    assert end <= sum(step.minutes for step in narrow) / cores + longest + 1e-6


def test_what_needs_a_failed_step_never_begins():
    steps = [Step("a", "program", (), 1), Step("b", "program", (), 1, needs=("a",))]
    assert startable(steps[1:], [], set(), 2) is None
    assert startable(steps[1:], [], {"a"}, 2) == steps[1]


def test_a_chosen_step_does_not_wait_for_one_that_is_not():
    assert chosen(["reproduce"])[0].needs == ()
    assert chosen(["reproduce", "bench-cycle"])[1].needs == ("bench-cycle",)
    assert chosen([]) == list(STEPS)


def test_the_run_has_every_proof_and_benchmark_once():
    names = [step.name for step in STEPS]
    assert len(names) == len(set(names))
    assert {script.key for script in scripts()} == {n for n in names if "-" in n} | {"bench-all"}
    for step in STEPS:
        assert set(step.needs) <= set(names)
        path = Path(step.command[0])
        assert step.command[0].startswith("-") or (ROOT / path).is_file()


@pytest.mark.parametrize("cores", [2, 4])
def test_the_plan_keeps_its_budget(cores):
    end = max(minute + step.minutes for step, minute in planned(STEPS, cores))
    assert (
        sum(step.minutes for step in STEPS if step.wide) < end <= MOST_MINUTES - ENVIRONMENT_MINUTES
    )
