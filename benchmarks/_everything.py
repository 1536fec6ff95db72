"""`nox -s all`: all that Skald claims, on a fresh clone, in one run: the cycle, the tests, every proof and benchmark.

Steps that fill one core share the machine, the others have it to themselves. After the environment the
network is cut, where the machine lets it. What passed at a commit is not run again there; `nox -s all -- --help`
lists its options; names run those steps alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import _claims
from _cut import attempts, can_cut, cut
from _everything_run import Interrupted, Outcome, Runner
from _everything_steps import ENVIRONMENT_MINUTES, MOST_MINUTES, STEPS, Step, chosen, planned
from _options import Parser, one_of
from skald_process.concluding import conclude
from skald_specs.claims import Measure
from skald_specs.errors import EXIT_CLAIM_FAILED, EXIT_DONE, EXIT_RESUMABLE

FOLDER = Path("build/all")
#: Two, as in everything that is claimed; a machine with more is held to these.
CORES = 2
#: On two cores; installing with a warm package cache.
MOST_SUITE_MINUTES, MOST_INSTALLING_MINUTES = 15.0, 5.0
_ENVIRONMENT = Path(".nox/env")
#: Written by the run itself.
_WRITTEN = (":!docs/claims.json", ":!docs/claims.md")


def main(words: Sequence[str]) -> int:
    """Plan, run, write the page and conclude."""
    given = _parser().read(words)
    # nox knows when it began: the environment comes before this program.
    began = float(os.environ.get("SKALD_BEGAN", time.time()))
    steps = chosen(given.names)
    if given.plan:
        print("\n".join(plan_lines(steps, given.cores)))
        return EXIT_DONE
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: given.cores])
    why_not = can_cut()
    print(f"the network stays: {why_not}" if why_not else "the network is cut")

    def command_of(step: Step) -> list[str]:
        command = _command(step, given.allow_missing)
        return command if why_not or step.online else cut(command)

    runner = Runner(
        FOLDER, given.cores, _clean_commit(), command_of, lambda text: print(text, flush=True)
    )
    known = {} if given.again else {s.name: runner.known(s) for s in steps}
    old = [outcome for outcome in known.values() if outcome is not None]
    try:
        new = runner.run([s for s in steps if not known.get(s.name)], {one.name for one in old})
    except Interrupted:
        print(
            "all: interrupted; the same command goes on with what has not passed", file=sys.stderr
        )
        return EXIT_RESUMABLE
    return _concluded(steps, old, new, began, not given.names)


def _parser() -> Parser:
    parser = Parser(prog="nox -s all --", description="All that Skald claims.", allow_abbrev=False)
    known = [step.name for step in STEPS]
    parser.add_argument(
        "names", nargs="*", metavar="STEP", type=lambda word: one_of("step", word, known),
        help=f"only these of: {', '.join(known)}",
    )  # fmt: skip
    parser.add_argument("--plan", action="store_true", help="print what would run, and when")
    parser.add_argument(
        "--again", action="store_true", help="run what has passed at this commit, too"
    )
    parser.add_argument(
        "--allow-missing", action="store_true", help="forgive what this machine cannot measure"
    )
    parser.add_argument("--cores", type=int, default=CORES, help=f"use so many, not {CORES}")
    return parser


def _command(step: Step, allow_missing: bool) -> list[str]:
    if step.kind == "session":
        return [os.environ.get("SKALD_NOX", sys.executable), "-m", "nox", *step.command]
    forgiving = ["--allow-missing"] if allow_missing and step.kind == "script" else []
    return [sys.executable, *step.command, *forgiving]


def plan_lines(steps: Sequence[Step], cores: int) -> list[str]:
    """Lay out when each step begins, what it takes, and when all are done."""
    begins = list(planned(steps, cores))
    lines = [f"{'minute':>6}  {'takes':>5}  step"]
    for step, minute in begins:
        beside = "" if step.wide else "  (beside others)"
        lines.append(f"{minute:6.1f}  {step.minutes:5.1f}  {step.name}{beside}")
    end = max((minute + step.minutes for step, minute in begins), default=0.0)
    whole = f"{end + ENVIRONMENT_MINUTES:.0f} with the environment"
    work = sum(step.minutes * (1 if step.wide else 1 / cores) for step in steps)
    lines.append(f"{end:6.1f}  minutes on {cores} cores ({work:.1f} without a gap), {whole}")
    return lines


def _clean_commit() -> str:
    """Return the commit, or nothing where the tree has changes: then no stamp is true."""
    changed = _said("git", "status", "--porcelain", "--", ".", *_WRITTEN)
    if changed:
        print("the tree has changes: no step counts as passed for the next run")
    return "" if changed else _said("git", "rev-parse", "HEAD")


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _concluded(
    steps: Sequence[Step],
    old: Sequence[Outcome],
    new: Sequence[Outcome],
    began: float,
    whole: bool,
) -> int:
    """Write the run's own claims and the page, and print what came of each step."""
    outcomes = {one.name: one for one in [*old, *new]}
    failed = [s.name for s in steps if s.name not in outcomes or outcomes[s.name].code]
    own = _measures(failed, old, new, began) if whole else []
    if own:
        conclude("all", "bench", own)
    _claims.main([])
    print(f"\n{'step':<18}{'':<12}{'minutes':>8}{'planned':>8}{'CPU min':>8}")
    for step in steps:
        one = outcomes.get(step.name)
        if one is None:
            print(f"{step.name:<18}not run: needs {', '.join(set(step.needs) & set(failed))}")
            continue
        came = "FAILED" if one.code else "before" if one in old else "passed"
        print(
            f"{step.name:<18}{came:<12}{one.minutes:>8.1f}{step.minutes:>8.1f}{one.cpu_minutes:>8.1f}"
        )
    minutes = (time.time() - began) / 60
    print(f"{minutes:.1f} minutes; {len(steps) - len(failed)} of {len(steps)} steps passed")
    for name in failed:
        if name in outcomes:
            print(f"FAILED {name}: {outcomes[name].said} ({FOLDER / name}.log)")
    missed = [one.measure for one in own if one.holds is False]
    for name in missed:
        print(f"FAILED {name}")
    return EXIT_CLAIM_FAILED if failed or missed else EXIT_DONE


def _measures(
    failed: Sequence[str], old: Sequence[Outcome], new: Sequence[Outcome], began: float
) -> list[Measure]:
    minutes, cpu = (time.time() - began) / 60, sum(one.cpu_minutes for one in new)
    logs = [(FOLDER / f"{one.name}.log").read_text("utf-8", "replace") for one in new]
    tried = [count for log in logs if (count := attempts(log)) is not None]
    return [
        Measure(
            measure="everything, with the environment", value=None if old else round(minutes, 1),
            unit="minutes", bound=f"<= {MOST_MINUTES:g}",
            holds=None if old else minutes <= MOST_MINUTES,
            detail=f"{len(old)} steps had passed before" if old
            else f"{len(new)} steps, {cpu:.0f} minutes of processors",
        ),
        Measure(
            measure="steps that failed or could not begin", value=len(failed), unit="steps",
            bound="= 0", holds=not failed, detail=", ".join(failed),
        ),
        Measure(
            measure="steps that ran with the network cut", value=len(tried), unit="steps",
            bound="no bound", holds=True,
            detail=f"of {len(new)}; they tried to reach out {sum(tried)} times",
        ),
        *(_suite(one) for one in [*old, *new] if one.name == "tests"),
        _installing(began),
        Measure(
            measure="disk of the checkout after everything", value=round(_bytes(Path()) / 1e9, 1),
            unit="GB", bound="no bound", holds=True,
            detail=f"{_bytes(_ENVIRONMENT) / 1e9:.1f} GB of it the environment of all but one step",
        ),
    ]  # fmt: skip


def _suite(tests: Outcome) -> Measure:
    return Measure(
        measure="lint and all tests", value=round(tests.minutes, 1), unit="minutes",
        bound=f"<= {MOST_SUITE_MINUTES:g}", holds=tests.minutes <= MOST_SUITE_MINUTES,
        detail=f"{tests.cpu_minutes:.1f} minutes of processors",
    )  # fmt: skip


def _installing(began: float) -> Measure:
    """Return what the environment took, if this run built it."""
    stamp = _ENVIRONMENT / ".skald"
    minutes = (stamp.stat().st_mtime - began) / 60 if stamp.is_file() else -1.0
    return Measure(
        measure="building the environment", value=round(minutes, 1) if minutes > 0 else None,
        unit="minutes", bound=f"<= {MOST_INSTALLING_MINUTES:g}",
        holds=minutes <= MOST_INSTALLING_MINUTES if minutes > 0 else None,
        detail="" if minutes > 0 else "it was there before",
    )  # fmt: skip


def _bytes(folder: Path) -> int:
    """Return what a folder takes on the disk; files of several names count once."""
    sizes = {}
    for path in folder.rglob("*"):
        if not path.is_symlink() and path.is_file():
            entry = path.stat()
            sizes[entry.st_ino] = entry.st_blocks * 512
    return sum(sizes.values())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
