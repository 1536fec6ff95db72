"""The reports of releases: each stays where it is, an index leads to all of them.

`reports/releases/NAME` is a report as it was, with `release.json` (its place in the order) and
`changes/` (the comparison with the release before). `reports/README.md` is made from these folders.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, Literal

from skald_specs.errors import UserInputError
from skald_specs.files import atomic_folder, read_text, write_json, write_text
from skald_specs.models import BesideName, Spec

from skald_report.over_time.writing import compared, fill
from skald_report.page.markdown import escape
from skald_report.tables.file import REPORT_FILE, read_report, rows_of

RELEASE_FILE = "release.json"
RELEASES, REFERENCE, INDEX, CHANGES = "releases", "reference", "README.md", "changes"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
#: Figures that a README shows.
_IMAGE = re.compile(r"\]\((figures/[^)]+)\)")
#: Claims of a report that the index quotes.
_QUOTED = 3


class Release(Spec):
    """`release.json`: a release's place among the others. `date` is the day it was made."""

    schema_version: Literal[1]
    name: BesideName
    number: int
    date: date
    before: BesideName | None


def releases(reports: Path) -> list[Release]:
    """Return the releases of a folder of reports, the first one first."""
    found = [Release.load(path) for path in sorted((reports / RELEASES).glob(f"*/{RELEASE_FILE}"))]
    return sorted(found, key=lambda release: release.number)


def release(report: Path, reports: Path, name: str, today: date) -> Path:
    """Keep a report under a release's name and write the index anew.

    Args:
        report: The report's folder.
        reports: The folder of all reports.
        name: The release's.
        today: The day of the release.

    Returns:
        The folder of the release.

    Raises:
        UserInputError: The name is no name of a folder or is taken, the report lacks a file or
            scores, or the folder cannot be written to.
    """
    if not _NAME.fullmatch(name):
        raise UserInputError(
            f"release {name!r}",
            "not 1 to 64 letters, digits, dots, hyphens and underscores that begin with a letter or digit",
            "Choose another name, such as v0.2.0",
        )
    target = reports / RELEASES / name
    if target.exists():
        raise UserInputError(str(target), "is a release already", "Choose another name")
    require_complete(report)
    earlier = releases(reports)
    last = earlier[-1] if earlier else None
    made = Release(
        schema_version=1,
        name=name,
        number=last.number + 1 if last else 1,
        date=today,
        before=last.name if last else None,
    )
    with atomic_folder(target, marker=RELEASE_FILE) as folder:
        _copy(report, folder)
        if last:
            before = reports / RELEASES / last.name
            changed = compared(before, report, names=(last.name, name))
            fill(changed, folder / CHANGES)
        write_json(folder / RELEASE_FILE, made.model_dump(mode="json"))
    write_index(reports)
    return target


def _copy(report: Path, folder: Path) -> None:
    for path in sorted(report.rglob("*")):
        if path.is_symlink():
            why = "leads elsewhere, and what lies there is no part of the report"
            raise UserInputError(str(path), why, "Put the file itself there")
        if path.is_file():
            try:
                content = path.read_bytes()
            except OSError as error:
                why = f"cannot be read ({error.strerror})"
                raise UserInputError(str(path), why, "Check the file") from error
            place = folder / path.relative_to(report)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)


def require_complete(folder: Path) -> dict[str, Any]:
    """Return a report's numbers if nothing of it is missing.

    Raises:
        UserInputError: A file that it names is missing, or it has no scores.
    """
    report = read_report(folder)
    readme = read_text(folder / INDEX)
    wanted = ["index.html", *_IMAGE.findall(readme)]
    wanted += [f"tables/{name}.csv" for name in report["tables"]]
    missing = [name for name in wanted if not (folder / name).is_file()]
    if missing:
        raise UserInputError(
            str(folder), f"is not complete: no {missing[0]}", "Build the report again"
        )
    if not rows_of(report, "scores"):
        raise UserInputError(
            str(folder),
            "is not complete: it has no scores",
            "Run `skald evaluate`, then build it again",
        )
    return report


def write_index(reports: Path) -> None:
    """Write the page that leads to every release, the last one first."""
    write_text(reports / INDEX, "\n\n".join(_index(reports)) + "\n")


def _index(reports: Path) -> Iterator[str]:
    yield "# Reports"
    if (reports / REFERENCE / "README.md").is_file():
        yield (
            f"The report of this commit: [{REFERENCE}]({REFERENCE}/README.md) "
            f"([page]({REFERENCE}/index.html))."
        )
    for made in reversed(releases(reports)):
        place = f"{RELEASES}/{made.name}"
        report = read_report(reports / place)
        models = [row["model"] for row in rows_of(report, "models") if row["role"] != "control"]
        yield f"## {escape(made.name)}"
        yield f"{made.date.isoformat()}: {escape(', '.join(models))}."
        yield "\n".join(f"- {escape(claim)}" for claim in report["claims"][:_QUOTED])
        links = [f"[report]({place}/README.md)", f"[page]({place}/index.html)"]
        links += [f"[numbers]({place}/{REPORT_FILE})"]
        if made.before:
            links.append(f"[changes since {escape(made.before)}]({place}/{CHANGES}/README.md)")
        yield ", ".join(links)
