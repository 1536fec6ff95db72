"""`params.yaml`: lists of recipes, languages and suites, nothing else."""

from __future__ import annotations

from skald_specs.models import Spec


class Params(Spec):
    """What one cycle runs. `sweep` and `baselines` are recipe names under recipes/.

    `controls`: baselines that are trained a second time with the optimum of the swept horizons, for the
    difference that its transfer makes.
    """

    sweep: str
    baselines: tuple[str, ...]
    controls: tuple[str, ...] = ()
    languages: tuple[str, ...]
    suites: tuple[str, ...]
