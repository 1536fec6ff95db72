"""What `nox -s all` runs: each step with its minutes, and which it waits for. Data, and the order of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Literal, NamedTuple

#: What the whole run may take on two cores, and how much of it the environment takes, which comes before.
MOST_MINUTES, ENVIRONMENT_MINUTES = 90.0, 1.0


class Step(NamedTuple):
    """One command of the run.

    `kind`: a session of nox, a script of benchmarks/, or any other program. `command`: the words after
    `nox`, or after `python`. `minutes`: by the clock on two quiet cores, what it is planned with. `wide`: it
    fills every core there is, or its figures bear nothing beside them; any other step fills one core.
    `online`: it fetches wheels, so it keeps its network.
    """

    name: str
    kind: Literal["session", "script", "program"]
    command: tuple[str, ...]
    minutes: float
    wide: bool = False
    needs: tuple[str, ...] = ()
    online: bool = False


def _proof(
    name: str, minutes: float, *options: str, wide: bool = False, needs: tuple[str, ...] = ()
) -> Step:
    words = (f"benchmarks/proofs/{name}.py", *options)
    return Step(f"prove-{name}", "script", words, minutes, wide, needs)


def _bench(
    name: str, minutes: float, *options: str, wide: bool = False, needs: tuple[str, ...] = ()
) -> Step:
    words = (f"benchmarks/{name}.py", *options)
    return Step(f"bench-{name}", "script", words, minutes, wide, needs)


def _session(name: str, minutes: float, wide: bool = False, online: bool = False) -> Step:
    return Step(name, "session", ("-s", name), minutes, wide, online=online)


#: The cold cycle that is measured is the cycle: its outputs are kept for those who read them. What is judged
#: by the clock on a quiet machine comes first.
STEPS = (
    _bench("cycle", 7.5, "--keep", wide=True),
    _bench("train", 2.8, wide=True),
    _bench("sweep", 4.2, wide=True),
    _session("tests", 13.0, wide=True),
    _proof("mup", 18.0, wide=True),
    # Says that StepLaw's published table is not at hand.
    _proof("transfer", 9.0, "--allow-missing", wide=True),
    _proof("parallel", 4.2, wide=True),
    _proof("ablation", 3.6, wide=True),
    # 5 GB take an hour: the claim on 5 GB is `nox -s prove -- scale`'s.
    _proof("scale", 1.5, "--gigabytes=0.1", wide=True),
    # 200,000 inputs for each of the readers take hours: that claim is `nox -s prove -- fuzz`'s.
    _proof("fuzz", 3.0, "--inputs=50"),
    _session("scale", 2.0, online=True),
    _session("docs", 1.5),
    _session("data", 0.3),
    _proof("faults", 5.0),
    _proof("interrupts", 6.5),
    _proof("nodes", 4.0),
    _proof("rough", 3.5),
    _proof("data", 4.5),
    _proof("evaluate", 4.5, needs=("bench-cycle", "data")),
    _bench("evaluate", 5.0),
    # What it counts on one core, hardware threads that share it slow.
    _bench("corpus", 2.0, wide=True, needs=("scale",)),
    _proof("report", 1.7, needs=("bench-cycle",)),
    _bench("plan", 0.3),
    _bench("report", 0.6),
    # Says that there is no GPU where there is none.
    _bench("gpu_train", 0.2, "--allow-missing", wide=True),
    Step(
        "reproduce",
        "program",
        ("-m", "skald_cli.main", "report", "compare", "reports/reference", "reports/latest"),
        0.2,
        needs=("bench-cycle",),
    ),
)  # fmt: skip


def chosen(names: Collection[str], steps: Sequence[Step] = STEPS) -> list[Step]:
    """Return the steps of these names, or all; what a chosen one needs is taken to be there."""
    if not names:
        return list(steps)
    return [
        step._replace(needs=tuple(need for need in step.needs if need in names))
        for step in steps
        if step.name in names
    ]


def ordered(steps: Sequence[Step]) -> list[Step]:
    """Return the steps as they are to be begun: wide ones as they stand, then the longest way to the end first."""
    return sorted(steps, key=lambda step: (not step.wide, 0.0 if step.wide else -_way(step, steps)))


def _way(step: Step, steps: Sequence[Step]) -> float:
    users = [other for other in steps if step.name in other.needs]
    return step.minutes + max((_way(user, steps) for user in users), default=0.0)


def startable(
    waiting: Sequence[Step], running: Sequence[Step], passed: Collection[str], cores: int
) -> Step | None:
    """Return the next step to begin, if any can.

    Args:
        waiting: Steps that have not begun, in order.
        running: Those at work.
        passed: Names of those that are done and good.
        cores: Cores there are.
    """
    if any(step.wide for step in running) or len(running) >= cores:
        return None
    ready = [step for step in waiting if set(step.needs) <= set(passed)]
    return next((step for step in ready if not (step.wide and running)), None)


def planned(steps: Sequence[Step], cores: int) -> Iterator[tuple[Step, float]]:
    """Yield every step with the minute at which it begins when each takes what is planned."""
    waiting, running, passed, now = ordered(steps), list[tuple[float, Step]](), set[str](), 0.0
    while waiting or running:
        step = startable(waiting, [one for _, one in running], passed, cores)
        if step is None:
            if not running:
                return
            now, done = min(running, key=lambda one: one[0])
            running.remove((now, done))
            passed.add(done.name)
            continue
        yield step, now
        waiting.remove(step)
        running.append((now + step.minutes, step))
