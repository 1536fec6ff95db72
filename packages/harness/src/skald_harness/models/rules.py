"""Controls without weights: rules about the answers offered."""

from __future__ import annotations

from collections.abc import Callable

from skald_specs.controls import LONGEST, ORACLE, SHORTEST
from skald_specs.records import CHOICE_KINDS, EvaluatedModel

from skald_harness.models.controls import Subject
from skald_harness.scoring.questions import Question
from skald_harness.scoring.rules import RuleAnswerer, longest, oracle, shortest

_RULES: dict[str, tuple[Callable[[Question], float], str]] = {
    LONGEST: (longest, "Takes the answer with the most bytes; of equal ones, one by lot"),
    SHORTEST: (shortest, "Takes the answer with the fewest bytes; of equal ones, one by lot"),
    ORACLE: (oracle, "Knows the right answer: what a task's metric makes of it"),
}


def rules() -> list[Subject]:
    """Return the rules; they take tasks that offer a choice, in any language."""
    return [_subject(name, rule, about) for name, (rule, about) in _RULES.items()]


def _subject(name: str, rule: Callable[[Question], float], about: str) -> Subject:
    answerer = RuleAnswerer(rule)
    model = EvaluatedModel(
        name=name,
        role="control",
        about=about,
        n_params_total=None,
        weights_sha256="",
        tokenizer_sha256="",
        dtype="float64",
        scorer="rule",
    )
    # A rule has no weights; its code stands in the run key.
    return Subject(
        model, lambda _: {"rule": name}, lambda _: answerer, lambda kind, _: kind in CHOICE_KINDS
    )
