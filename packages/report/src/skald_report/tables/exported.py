"""Which models were made here and evaluated as exported: those that get a model card."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from skald_specs.records import EvaluatedModel

from skald_report.reading.inputs import Sources

_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


def exported(sources: Sources) -> dict[str, EvaluatedModel]:
    """Return the baselines that have a plan and a record of their export, in the order of the plans."""
    made = _baselines(sources)
    return {name: made[name] for name in sources.plans if name in made}


def without_card(sources: Sources) -> dict[str, str]:
    """Return the baselines that get no card, and why."""
    made = _baselines(sources)
    missing = {name: "it was not evaluated" for name in sources.plans if name not in made}
    return missing | {name: "its plan is missing" for name in made if name not in sources.plans}


def card_file(name: str) -> str:
    """Return the file name of a model's card; a name that is no plain file name is cut and hashed."""
    if _PLAIN_NAME.fullmatch(name):
        return f"{name}.md"
    plain = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:60] or "model"
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}.md"


def _baselines(sources: Sources) -> Mapping[str, EvaluatedModel]:
    return {m.name: m for s in reversed(sources.summaries) for m in s.models if m.role == "baseline"}  # fmt: skip
