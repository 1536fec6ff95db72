"""The errors a user can meet, each with the exit code of the contract.

Anything else that escapes is a bug of ours and keeps its traceback.
"""

from __future__ import annotations

from pathlib import Path

EXIT_DONE = 0
EXIT_CLAIM_FAILED = 1
EXIT_USER_INPUT = 2
EXIT_RESUMABLE = 75


#: Characters of each part of a message; a value of more is shown by its ends.
_SHOWN_CHARACTERS = 1000


def _shown(text: str) -> str:
    """Return text of a file as it may stand on a terminal: one line, nothing that steers it, no novel."""
    words = " ".join(text.split())
    if not words.isprintable():
        words = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in words)
    if len(words) <= _SHOWN_CHARACTERS:
        return words
    half = _SHOWN_CHARACTERS // 2
    return f"{words[:half]} ... {words[-half:]}"


class SkaldError(Exception):
    """One line for the user, the exit code the process ends with, and what goes below the line."""

    exit_code: int = EXIT_CLAIM_FAILED
    details: str = ""


class UserInputError(SkaldError):
    """The user's input is wrong: says where, what, and how to mend it.

    Args:
        where: File, field or argument the problem is in.
        problem: What is wrong, with the value met.
        remedy: What to do about it.
    """

    exit_code = EXIT_USER_INPUT

    def __init__(self, where: str, problem: str, remedy: str) -> None:
        parts = [_shown(part) for part in (where, problem, remedy)]
        super().__init__(f"{parts[0]}: {parts[1]}. {parts[2]}".strip())
        self.where, self.problem, self.remedy = where, problem, remedy

    def __reduce__(self) -> tuple[type[UserInputError], tuple[str, str, str]]:
        # Workers hand their errors over; by default only the joined message would come.
        return type(self), (self.where, self.problem, self.remedy)


class ClaimError(SkaldError):
    """A check or a bound did not hold (exit code 1)."""

    exit_code = EXIT_CLAIM_FAILED


class InterruptedRunError(SkaldError):
    """The work stopped before its end in a state that a rerun continues (exit code 75)."""

    exit_code = EXIT_RESUMABLE


def file_error(path: Path, error: OSError) -> UserInputError:
    """Turn what the system says of a path that is read into one line.

    Args:
        path: The path as the user should see it.
        error: What reading it raised.
    """
    if isinstance(error, FileNotFoundError):
        return UserInputError(
            str(path), "no such file", "Check the path, or run the station that writes it"
        )
    if isinstance(error, IsADirectoryError):
        return UserInputError(str(path), "is a folder, not a file", "Name a file")
    return UserInputError(str(path), f"cannot be read ({error.strerror})", "Check the path")
