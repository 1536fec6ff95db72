"""What cannot be used costs one line: said by the first rank, and kept for the exit code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from skald_specs.errors import ClaimError, SkaldError, UserInputError
from skald_specs.files import DiskError

from skald_harness.running.ranks import World

#: Why a model is left out of a task, by their names; of everything where the task's name is empty.
Failures = Mapping[tuple[str, str], SkaldError]
EVERYTHING = ""


class TaskError(UserInputError):
    """One task cannot be rendered, asked or measured."""


@contextmanager
def failures_named(task: str, what: str) -> Iterator[None]:
    """Turn whatever a task's templates, functions and questions raise into one line.

    Args:
        task: The task's name.
        what: What cannot be done, such as "cannot be rendered".

    Raises:
        TaskError: Something was raised. A failed check (`ClaimError`) and a full disk are none of the
            task's.
    """
    try:
        yield
    except (ClaimError, DiskError, TaskError):
        raise
    except UserInputError as error:
        raise TaskError(task, f"{what}: {error.where}: {error.problem}", error.remedy) from None
    except Exception as error:  # Code of a task, of lm-eval and of a model may raise anything.
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
        raise TaskError(
            task,
            f"{what} ({type(error).__name__}: {reason.rstrip('.')})",
            "Mend its template, code or items, or leave it out",
        ) from error


def first_of(problems: Sequence[SkaldError], me: World, nothing: SkaldError) -> SkaldError:
    """Return what to raise when nothing is left, having said the rest.

    Args:
        problems: Of all that cannot be used, in the order they were met.
        me: This rank; told of all but the first.
        nothing: What to raise where there are none.
    """
    for problem in problems[1:]:
        tell(me, "", problem)
    return problems[0] if problems else nothing


def tell(me: World, name: str, problem: SkaldError, task: str = EVERYTHING) -> None:
    """Say a problem in one line, with the model that is left out for it, if any, and of what.

    Args:
        me: This rank; of several, the first alone speaks.
        name: The model that is left out; empty where none is.
        problem: Why.
        task: What it is left out of; by default of everything.
    """
    left = f"{name} is left out{f' of {task}' if task else ''}: " if name else ""
    me.say(" ".join(f"skald: {left}{problem}".split()))
