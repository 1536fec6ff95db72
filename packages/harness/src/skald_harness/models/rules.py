"""Controls without weights: rules about the answers offered."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from skald_specs.controls import LONGEST, MAJORITY, ORACLE, SHORTEST
from skald_specs.records import CHOICE_KINDS, EvaluatedModel

from skald_harness.models.controls import Subject
from skald_harness.scoring.questions import Question
from skald_harness.scoring.rules import RuleAnswerer, longest, majority, oracle, shortest

Rule = Callable[[Question], float]


def _each(rule: Rule) -> Callable[[Sequence[Question]], Rule]:
    """Return what gives a rule for any questions, which it looks at one by one."""
    return lambda _: rule


_RULES: dict[str, tuple[Callable[[Sequence[Question]], Rule], str]] = {
    LONGEST: (_each(longest), "Takes the answer with the most bytes; of equal ones, one by lot"),
    SHORTEST: (
        _each(shortest),
        "Takes the answer with the fewest bytes; of equal ones, one by lot",
    ),
    MAJORITY: (majority, "Always takes the label that is right most often in the items"),
    ORACLE: (_each(oracle), "Knows the right answer: what a task's metric makes of it"),
}


def rules() -> list[Subject]:
    """Return the rules; they take tasks that offer a choice, in any language."""
    return [_subject(name, rule_for, about) for name, (rule_for, about) in _RULES.items()]


def _subject(name: str, rule_for: Callable[[Sequence[Question]], Rule], about: str) -> Subject:
    answerer = RuleAnswerer(rule_for)
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
        model,
        lambda _: {"rule": name},
        lambda _: answerer,
        lambda kind, _: kind in CHOICE_KINDS,
        labels_only=name == MAJORITY,
    )
