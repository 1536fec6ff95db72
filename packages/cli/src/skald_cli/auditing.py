"""`nox -s audit`: are the pinned versions among known vulnerabilities?

Runs pip-audit against each service in turn. pip-audit calls a version that its service does not know
skipped, and ends well if all are; here nothing looked up is nothing said.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple

from skald_specs.errors import EXIT_CLAIM_FAILED, EXIT_DONE, EXIT_RESUMABLE

from skald_cli.places import CONSTRAINTS

SERVICES = ("pypi", "osv")
_TIMEOUT_SECONDS = 15


class Audit(NamedTuple):
    """What a service said.

    Args:
        n_known: Pins that it looked up.
        unknown: Pins that it did not know.
        vulnerable: One line for each vulnerability.
    """

    n_known: int
    unknown: list[str]
    vulnerable: list[str]


def read(text: str) -> Audit:
    """Read pip-audit's JSON; what is none is a service that did not answer."""
    try:
        rows = list(json.loads(text)["dependencies"])
    except (ValueError, LookupError, TypeError):
        return Audit(0, [], [])
    known = [row for row in rows if "vulns" in row]
    vulnerable = [
        f"{row['name']} {row['version']}: {found['id']}"
        f" (mended in {', '.join(found['fix_versions']) or 'no version'})"
        for row in known
        for found in row["vulns"]
    ]
    return Audit(len(known), [row["name"] for row in rows if "vulns" not in row], vulnerable)


def main(program: Sequence[str]) -> int:
    """Ask the services until one answers.

    Args:
        program: How pip-audit is called.

    Returns:
        0 when no pin is vulnerable, 1 when one is, 75 when no service answers: nothing is said then.
    """
    options = ["-r", str(CONSTRAINTS), "--no-deps", "--disable-pip", "--progress-spinner", "off"]
    options += ["--format", "json", "--timeout", str(_TIMEOUT_SECONDS)]
    for service in SERVICES:
        done = subprocess.run(
            [*program, *options, "-s", service], capture_output=True, text=True, check=False
        )
        found = read(done.stdout)
        if found.n_known:
            print(
                "\n".join(found.vulnerable) or f"{service}: nothing known of {found.n_known} pins"
            )
            if found.unknown:
                print(f"{service} does not know {', '.join(found.unknown)}")
            return EXIT_CLAIM_FAILED if found.vulnerable else EXIT_DONE
    print(f"audit: no answer from {' and '.join(SERVICES)}; nothing was looked up. Go online")
    return EXIT_RESUMABLE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
