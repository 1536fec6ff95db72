"""`params.yaml`: lists of recipes, languages and suites, nothing else."""

from __future__ import annotations

from skald_specs.models import Spec


class Params(Spec):
    """What one cycle runs. `sweep` and `baselines` are recipe names under recipes/."""

    sweep: str
    baselines: tuple[str, ...]
    languages: tuple[str, ...]
    suites: tuple[str, ...]
