"""The shortcuts of a group of one: they give what nanotron gives, and never act in a larger group.

That a run with them agrees with runs without them is held by tests/parallel/test_trainer_layouts.py:
one process takes every shortcut, two take nanotron's own functions.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from skald_trainer.bridge import alone


class Group:
    def __init__(self, size: int) -> None:
        self._size = size

    def size(self) -> int:
        return self._size


class Original:
    """Stands where nanotron's function stands, and counts."""

    def __init__(self, answer: Any = "nanotron's") -> None:
        self.calls, self.answer = 0, answer

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        return self.answer


def context(size: int) -> SimpleNamespace:
    return SimpleNamespace(mp_pg=Group(size), pp_pg=Group(size))


@pytest.mark.parametrize("size", [1, 2])
def test_collectives_run_only_where_somebody_listens(size: int) -> None:
    group, x = Group(size), torch.ones(3)
    original, calls = Original(), 0 if size == 1 else 1
    alone._all_reduce(original, x, group=group)
    assert original.calls == calls
    waiting = alone._all_reduce(Original(SimpleNamespace(wait=lambda: None)), x, group=group,
                                async_op=True)  # fmt: skip
    assert waiting.wait() is None
    for shortcut in (
        lambda original: alone._identity(original, x, group),
        lambda original: alone._linear(original, x, torch.eye(3), None, group),
        lambda original: alone._sync_gradients(original, dp_pg=group),
        lambda original: alone._sync_ties(original, parallel_context=context(size)),
    ):
        original = Original()
        shortcut(original)
        assert original.calls == calls


def test_without_a_group_nanotron_decides() -> None:
    original = Original()
    assert alone._all_reduce(original, torch.ones(1)) == "nanotron's"
