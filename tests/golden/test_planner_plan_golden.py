"""Resolved plans of shipped recipes, whole, as committed files.

A change here is a change of what is trained: regenerate with `python tests/golden/test_planner_plan_golden.py`
and read the difference. The rules of each tensor have files of their own.
"""

import json
from pathlib import Path

import pytest
from skald_planner.plans.resolve import Rates, make_plan
from skald_specs.files import read_json, write_json
from skald_specs.plan import Quantity
from support_planner import corpus_for, recipe

FOLDER = Path(__file__).with_name("plans")
NAMES = ["trustllm-7.8b", "next-larger-optimal", "mini-7.8b"]


def resolved(name):
    """The public recipe without a corpus; the others with one, and with rates from a fit."""
    given, rates = recipe(name), None
    if given.optimizer.base_lr == "sweep":
        fitted = {"standing": "fitted", "source": "a fit"}
        rates = Rates(
            Quantity[float](value=0.0123, interval=(0.01, 0.02), **fitted),
            Quantity[int](value=2 * given.budget.global_batch_tokens, **fitted)
            if name == "mini-7.8b"
            else None,
        )
    corpus = None if name.startswith("trustllm") else corpus_for(given, n_tokens=10**11)
    plan = make_plan(given, corpus, rates).model_dump(mode="json")
    plan["identity"].pop("rules")
    # How it runs is no part of the result.
    plan.pop("execution")
    return plan


def close(one, other):
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(close, one, other))
    return one == (pytest.approx(other, rel=1e-9) if isinstance(other, float) else other)


@pytest.mark.parametrize("name", NAMES)
def test_a_plan_is_the_committed_one(name):
    expected, got = read_json(FOLDER / f"{name}.json"), json.loads(json.dumps(resolved(name)))
    assert got.keys() == expected.keys()
    for key, value in expected.items():
        assert close(got[key], value), key


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for plan in NAMES:
        write_json(FOLDER / f"{plan}.json", resolved(plan))
