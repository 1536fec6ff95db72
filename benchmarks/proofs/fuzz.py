"""`nox -s prove -- fuzz`: no file that a user hands in makes a traceback, a hang or a flood of memory.

Every reader is given harms of its files in order (every key, value, row and column gone, renamed, emptied or
of another kind), then 2,000 inputs, half of them guided by coverage where atheris is installed. The whole claim
is `--inputs=200000` and takes hours. A run that was interrupted goes on where it was; one whose code changed
begins anew. What was found so far lies in build/proofs/fuzz/, one file a reader.
"""

from __future__ import annotations

import contextlib
import io
import logging
import sys
from pathlib import Path

# The tests know how to simulate a cycle.
sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
# What all share lies in the folder above.
sys.path.append(str(Path(__file__).parents[1]))

import _fuzz_run
from _fuzz_child import instrumented
from _fuzz_target import Outcome

logging.disable(logging.INFO)  # what readers log says nothing here

# Before anything of ours is imported; atheris names every module on standard error.
with instrumented(), contextlib.redirect_stderr(io.StringIO()):
    import _fuzz_files_records
    import _fuzz_files_text
    import _fuzz_files_weights
    import _fuzz_text
    import _fuzz_text_reports
    import _fuzz_text_tasks
    from _conclude import conclude
    from _options import Amount, options
    from skald_specs.claims import Measure

FOLDER = Path("build/proofs/fuzz")
#: 200,000 for each of some 90 readers take hours.
INPUTS = Amount("inputs", 2_000, 200_000, "for each reader")
_MODULES = (
    _fuzz_text, _fuzz_text_reports, _fuzz_text_tasks, _fuzz_files_text, _fuzz_files_weights, _fuzz_files_records,
)  # fmt: skip
TARGETS = {target.name: target for module in _MODULES for target in module.TARGETS}


def measure(outcome: Outcome, inputs: int) -> Measure:
    """Return a target's row: findings, of as many inputs as were asked for."""
    guided = (
        f"{outcome.covered:,} guided by coverage" if outcome.covered else "atheris not installed"
    )
    return Measure(
        measure=outcome.name,
        value=len(outcome.findings),
        unit="findings",
        bound=f"0 in {inputs:,}",
        holds=not outcome.findings and outcome.inputs >= inputs,
        detail=f"{outcome.inputs:,} inputs ({guided}) and {outcome.harms:,} harms in order, {outcome.returned:,} read, {outcome.refused:,} refused; "
        f"{outcome.per_second:,.0f} inputs/CPU-s, slowest {outcome.slowest_s:.2f} s",
    )


def main() -> int:
    """Run the targets named, or all, and conclude."""
    given = options(__doc__, parts=TARGETS, part="target", amount=INPUTS)
    found = []
    for name in given.parts or TARGETS:
        state = (FOLDER / f"{name}.json").absolute()
        outcome = _fuzz_run.run_target(TARGETS[name], given.inputs, state)
        found.append(measure(outcome, given.inputs))
        print(f"{name}: {found[-1].value:.0f} findings; {found[-1].detail}", flush=True)
        for line in _fuzz_run.report_lines(outcome):
            print(line, flush=True)
    return conclude("fuzz", "proofs", found, given)


if __name__ == "__main__":
    sys.exit(main())
