"""The controls of an evaluation: their names, and what each is there to show.

A negative control knows nothing that a task asks for: where it beats chance, the task can be passed
without it. The positive control knows every answer: where it fails, the task cannot be passed.
"""

from __future__ import annotations

#: What the name of an untrained network begins with.
RANDOM_INIT = "random-init-"
BYTE_NGRAM = "byte-ngram"
BYTE_UNIGRAM = "byte-unigram"
LONGEST = "longest-answer"
SHORTEST = "shortest-answer"
#: Asked only where every item offers the same labels.
MAJORITY = "majority-answer"
ORACLE = "oracle"
#: Those that look at nothing but the answers offered; they give no probabilities of text.
RULES = (LONGEST, SHORTEST, MAJORITY, ORACLE)
#: Those that count the training text's bytes; better than chance means that counting is enough.
COUNTING = (BYTE_NGRAM, BYTE_UNIGRAM)
#: Those that a table of their own shows in full; the other ones stand beside the models, too.
TASK_CHECKS = (BYTE_UNIGRAM, *RULES)


def what_it_shows(control: str) -> str:
    """Say what it means that a control does better than it may (the oracle: worse).

    Args:
        control: A control's name.
    """
    if control == ORACLE:
        return "the right answer does not always win"
    if control in COUNTING:
        return "counting bytes is enough"
    if control == MAJORITY:
        return "naming one label is enough"
    if control in RULES:
        return "its answers give themselves away by their length"
    return "a network that learnt nothing beats chance"
