"""Fetch data/ from the checkout's DVC remote, when it has one and the folder is missing.

`python -m skald_cli.pull`, for `nox -s data`. DVC says which remotes there are, because its
configuration is spread over several files of its own syntax. What came is not judged here: the
comparison with the pin follows, wherever the data is from.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from skald_specs.errors import EXIT_DONE, SkaldError, UserInputError

from skald_cli import places

_DVC = (sys.executable, "-m", "dvc")


def pull_missing(root: Path) -> bool:
    """Pull the pinned folder if it is missing and a remote is configured.

    Args:
        root: The checkout, with `data.dvc`.

    Returns:
        Whether DVC pulled. False: the folder is there, or there is no remote.

    Raises:
        UserInputError: DVC cannot read its configuration, or the remote cannot hand the data out.
    """
    if (root / places.DATA).exists() or not _dvc(root, "remote", "list").strip():
        return False
    _dvc(root, "pull", "-q", str(places.PIN))
    return True


def _dvc(root: Path, *words: str) -> str:
    """Run DVC and return what it prints; it reports an error in its last lines."""
    done = subprocess.run(
        [*_DVC, *words], cwd=root, capture_output=True, text=True, encoding="utf-8", check=False
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise UserInputError(
            f"dvc {' '.join(words)}",
            " ".join(lines or done.stderr.splitlines()[-1:]) or f"exit code {done.returncode}",
            "Mend the remote, or write the data with `skald corpus generate`",
        )
    return done.stdout


def main() -> int:
    """Pull what is missing, say so, and put an error into one line."""
    try:
        if pull_missing(Path.cwd()):
            print(f"{places.DATA}/ pulled")
    except SkaldError as error:
        print(f"skald: {' '.join(str(error).split())}", file=sys.stderr)
        return error.exit_code
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
