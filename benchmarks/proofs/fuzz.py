"""`nox -s prove -- fuzz [NAME ...]`: no file that a user hands in makes a traceback, a hang or a flood of memory.

Every reader is given 200,000 inputs (`--inputs=N`), half of them guided by coverage where atheris is
installed. A run that was interrupted goes on where it was; one whose code changed begins anew. What was
found so far lies in build/proofs/fuzz/, one file a reader; `python benchmarks/proofs/fuzz.py NAME ...`
runs some only.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

# The tests know how to simulate a cycle.
sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

import _fuzz_run

logging.disable(logging.INFO)  # atheris names every module that it instruments

with _fuzz_run.instrumented():  # before anything of ours is imported
    import _fuzz_files_records
    import _fuzz_files_text
    import _fuzz_files_weights
    import _fuzz_text
    import _fuzz_text_reports
    import _fuzz_text_tasks
    from skald_specs.claims import Measure, conclude

FOLDER = Path("build/proofs/fuzz")
INPUTS = 200_000
_MODULES = (
    _fuzz_text, _fuzz_text_reports, _fuzz_text_tasks, _fuzz_files_text, _fuzz_files_weights, _fuzz_files_records,
)  # fmt: skip
TARGETS = {target.name: target for module in _MODULES for target in module.TARGETS}


def measure(outcome: _fuzz_run.Outcome, inputs: int) -> Measure:
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
        detail=f"{outcome.inputs:,} inputs ({guided}), {outcome.returned:,} read, {outcome.refused:,} refused; "
        f"{outcome.per_second:,.0f} inputs/CPU-s, slowest {outcome.slowest_s:.2f} s",
    )


def main() -> int:
    """Run the targets named, or all, and conclude."""
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    counts = [word.removeprefix("--inputs=") for word in sys.argv if word.startswith("--inputs=")]
    inputs = int(counts[0]) if counts else INPUTS
    if unknown := [word for word in words if word not in TARGETS]:
        print(f"no target {unknown[0]!r}; there are: {', '.join(TARGETS)}", file=sys.stderr)
        return 2
    found = []
    for name in words or TARGETS:
        outcome = _fuzz_run.run_target(TARGETS[name], inputs, (FOLDER / f"{name}.json").absolute())
        found.append(measure(outcome, inputs))
        print(f"{name}: {found[-1].value:.0f} findings; {found[-1].detail}", flush=True)
        for line in _fuzz_run.report_lines(outcome):
            print(line, flush=True)
    return conclude("fuzz", "proofs", found)


if __name__ == "__main__":
    sys.exit(main())
