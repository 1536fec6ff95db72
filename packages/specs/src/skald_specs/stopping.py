"""What stops a run from outside, and what its user does then; standard library alone."""

from __future__ import annotations

import signal

#: Ctrl-C, a scheduler's end of time, and its pre-emption: each asks to save and to end.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
CONTINUE = "run the same command again to continue"
