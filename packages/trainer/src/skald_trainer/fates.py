"""How the ranks of a run ended, and which of them to blame: a pure function of what was seen.

One rank's death makes the others fail of the broken connection within milliseconds; their errors say
nothing, and the first one's is what the user needs.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from skald_process import stopping
from skald_specs.errors import EXIT_RESUMABLE, InterruptedRunError, SkaldError

#: Of a rank that ends because another one did, under a launcher: never a cause, so never the code of a
#: job (`torchrun` makes 1 of it).
EXIT_LOST_ANOTHER = 3
CONTINUE = f"{stopping.CONTINUE} from the last checkpoint"


class RankError(SkaldError):
    """A rank's own error, passed on to the process that started it.

    Args:
        message: One line.
        exit_code: What the process ends with.
        details: The rank's traceback, where it met a bug.
    """

    def __init__(self, message: str, exit_code: int, details: str = "") -> None:
        super().__init__(message)
        self.exit_code, self.details = exit_code, details


class Report(NamedTuple):
    """A rank's last words; `at` is the system's monotonic time in seconds, common to all ranks."""

    at: float
    exit_code: int
    message: str
    traceback: str = ""
    hung: bool = False


def blamed(
    deaths: Sequence[tuple[int, int]], reports: Mapping[int, Report], stopped_by: str
) -> SkaldError:
    """Find the first cause of a failed run.

    Args:
        deaths: Ranks that ended badly, with their exit codes as `multiprocessing` has them, in the
            order in which they were seen; without those that were ended because another had failed.
        reports: What ranks said before they ended.
        stopped_by: The signal that was passed on to all ranks, or "".

    Returns:
        The error for the user. A rank that died without a word is a cause, never a consequence:
        whoever fails because of another has the time to say so.
    """
    hung = [reports[rank].message for rank in sorted(reports) if reports[rank].hung]
    silent = [(rank, code) for rank, code in deaths if rank not in reports]
    if silent:
        rank, code = silent[0]
        if stopped_by and code == -signal.Signals[stopped_by].value:
            return InterruptedRunError(f"stopped by {stopped_by}; {CONTINUE}")
        return RankError(f"rank {rank} {_death(code)}; {CONTINUE}", 1)
    first = min(reports.values(), key=lambda report: report.at)
    if first.hung:
        return InterruptedRunError(f"{'; '.join(hung)}; {CONTINUE}")
    if first.exit_code == EXIT_RESUMABLE:
        return InterruptedRunError(first.message)
    return RankError(first.message, first.exit_code, first.traceback)


def _death(code: int) -> str:
    if code >= 0:
        return f"ended with code {code} and said nothing"
    name = signal.Signals(-code).name
    return f"was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
