"""Who is asked: exports and other models, and the controls that belong beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from skald_specs.errors import SkaldError, UserInputError

from skald_harness.models.controls import (
    RANDOM_MAX_PARAMS,
    Subject,
    baseline,
    generating,
    untrained,
)
from skald_harness.models.counting import byte_counts
from skald_harness.models.folder import Folder, read_export
from skald_harness.models.rules import rules
from skald_harness.running.problems import first_of, tell
from skald_harness.running.ranks import World


def choose_subjects(
    exports: Sequence[Path],
    others: Sequence[Folder],
    corpus: Path,
    languages: Sequence[str],
    me: World,
    controls: bool,
    vllm: bool = False,
) -> tuple[list[Subject], list[SkaldError]]:
    """Read exports and put the controls beside them.

    Args:
        exports: Folders written by `skald export`.
        others: Other models.
        corpus: A built corpus, for byte counts.
        languages: BCP-47 tags of the tasks.
        me: This rank; told of what cannot be used.
        controls: Whether there are controls.
        vllm: Let vLLM generate, and ask nothing else.

    Returns:
        Models first, and the problems of those that cannot be used.

    Raises:
        UserInputError: No model is left, or two have one name.
    """
    models: list[Folder] = []
    problems: list[SkaldError] = []
    for path in exports:
        try:
            models.append(read_export(path))
        except UserInputError as error:
            problems.append(error)
    models += others
    nothing = UserInputError(
        "exports", "none named", "Name at least one export folder, or --models"
    )
    subjects = []
    for model in models:
        try:
            subjects.append(generating(model) if vllm else baseline(model))
        except UserInputError as error:
            problems.append(error)
    if not subjects:
        raise first_of(problems, me, nothing)
    if controls and not vllm:
        twins = [
            m for m in models if m.role == "baseline" and m.n_params_total <= RANDOM_MAX_PARAMS
        ]
        subjects += map(untrained, twins)
        try:
            subjects += byte_counts(corpus, languages, me.say)
        except UserInputError as error:
            problems.append(error)
        subjects += rules()
    for problem in problems:
        tell(me, "", problem)
    names = [subject.model.name for subject in subjects]
    for name in names:
        if names.count(name) > 1:
            raise UserInputError("exports", f"two models named {name!r}", "Rename a folder")
    return subjects, problems
