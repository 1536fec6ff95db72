"""Which baselines are repetitions of each other with other seeds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from skald_specs.plan import Plan

#: What of a plan's identity a repetition may change.
_SEEDS: Any = {"model_seed": True, "data": {"seed"}}


def seed_groups(plans: Mapping[str, Plan]) -> dict[str, str]:
    """Return the group of every plan that another one repeats with other seeds.

    Args:
        plans: By name.

    Returns:
        By name; a group is called by its first plan. One that nothing repeats has none.
    """
    groups: dict[str, list[str]] = {}
    for name, plan in plans.items():
        identity = plan.identity.model_dump(mode="json", exclude=_SEEDS)
        groups.setdefault(json.dumps(identity, sort_keys=True), []).append(name)
    return {name: names[0] for names in groups.values() if len(names) > 1 for name in names}
