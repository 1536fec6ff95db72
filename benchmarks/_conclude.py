"""Where a script's figures go: build/proofs or build/bench, and `partial/` there for less than the whole claim."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from skald_process import concluding
from skald_specs.claims import Measure
from skald_specs.errors import EXIT_CLAIM_FAILED

#: The folder in that of a kind for runs of less than what is claimed: they never take the claim's place.
PARTIAL = "partial"


def conclude(name: str, kind: str, measures: Sequence[Measure], given: argparse.Namespace) -> int:
    """Write the measures with their circumstances, print them, and return the exit code.

    Args:
        name: The script's name.
        kind: `proofs` or `bench`, the folder under build/.
        measures: The figures.
        given: What `options` read.

    Returns:
        0 when every bound holds, else 1; 1 also where nothing was measured, and then nothing is written.
    """
    if not measures:
        print(f"{name}: nothing was measured, which shows nothing", file=sys.stderr)
        return EXIT_CLAIM_FAILED
    folder = f"{kind}/{PARTIAL}" if given.partial else kind
    code = concluding.conclude(name, folder, measures, given.allow_missing)
    if given.partial:
        print(f"less than the whole claim: build/{folder}/{name}.json")
    return code
