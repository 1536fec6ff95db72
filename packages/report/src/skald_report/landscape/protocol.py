"""What is known of EuroEval's protocol: task kinds, their metrics, shots, and how its intervals are made.

Source: https://euroeval.com/methodology and https://euroeval.com/tasks, and the boards themselves.
"""

from __future__ import annotations

import math

#: Task kinds that the page shows, in the order of the panels, and what a panel is headed.
TASK_KINDS = {
    "reading-comprehension": "reading",
    "sentiment-classification": "sentiment",
    "linguistic-acceptability": "ScaLA",
    "common-sense-reasoning": "common sense",
}
#: The metric that ranks, the first of the two in a board's cell; summarisation changed its own in 2026.
FIRST_METRIC = {
    "reading-comprehension": ("f1",),
    "sentiment-classification": ("mcc",),
    "linguistic-acceptability": ("mcc",),
    "common-sense-reasoning": ("mcc",),
    "knowledge": ("mcc",),
    "named-entity-recognition": ("micro_f1_no_misc",),
    "summarization": ("chr_f3pp", "bertscore"),
    "simplification": ("meteor",),
}
#: Examples in the prompt, unless a model is marked zero-shot.
SHOTS = {
    "reading-comprehension": "4",
    "sentiment-classification": "12",
    "linguistic-acceptability": "12",
    "common-sense-reasoning": "5",
    "knowledge": "5",
    "named-entity-recognition": "8",
    "summarization": "1",
    "simplification": "3",
}
#: Replicates behind a published mean; sqrt of it turns its standard error into a sampling error.
REPLICATES = 10
SAMPLING = math.sqrt(REPLICATES)
#: What half-widths were divided by to give `stderr_of_mean`.
HALF_WIDTH = 1.96
_PREFIX = "euroeval"


def task_name(kind: str, data_set: str) -> str:
    """Return a task's name in the tables of published scores.

    Args:
        kind: EuroEval's task, as `reading-comprehension`: a key of `SHOTS`.
        data_set: Its name on the board.
    """
    return f"{_PREFIX}/{kind}/{data_set}"


def task_kind(task: str) -> str:
    """Return a task's kind; of a task that is not EuroEval's, the whole name."""
    parts = task.split("/")
    return parts[1] if len(parts) == 3 and parts[0] == _PREFIX else task
