"""What a cycle came to: the page, the headline table, and the wall time of each station.

Times come from the run manifests, so they are those of the last time each station really ran.
`python -m skald_cli.summary` prints it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from skald_specs.files import read_json
from skald_specs.manifest import RunManifest
from skald_specs.params import Params
from skald_specs.plan import UNTRANSFERRED

from skald_cli import places


class StationTime(NamedTuple):
    """One station of the cycle with what it cost and may cost (budget on two cores)."""

    station: str
    wall_seconds: float
    cpu_seconds: float
    budget_seconds: float


#: The report's name for the mean over languages.
_MEAN = "mean"

#: Seconds each station may take of the 600 of a cycle; the rest, 75, is starting Python and DVC.
BUDGETS = {
    "data": 25.0,
    "sweep": 125.0,
    "plan": 10.0,
    "train": 210.0,
    "control": 85.0,
    "export": 5.0,
    "evaluate": 50.0,
    "report": 15.0,
}


def manifests_of(params: Params) -> dict[str, list[str]]:
    """Return the names of the manifests that belong to each station of the cycle."""
    baselines = params.baselines
    controls = [f"{name}{UNTRANSFERRED}" for name in params.controls]
    return {
        "data": ["data-generate", f"corpus-{params.sweep}"],
        "sweep": [f"sweep-{params.sweep}"],
        "plan": ["fit-sweep", *(f"plan-{name}" for name in (*baselines, *controls))],
        "train": [f"train-{name}" for name in baselines],
        "control": [f"train-{name}" for name in controls],
        "export": [f"export-{name}" for name in baselines],
        "evaluate": [f"evaluate-{suite}" for suite in params.suites],
        "report": [f"report-{places.REPORT.name}"],
    }


def station_times(root: Path) -> list[StationTime]:
    """Add up the manifests of the cycle, station by station; what has not run counts nothing."""
    params = Params.load(root / places.PARAMS)
    rows = []
    for station, names in manifests_of(params).items():
        files = [root / places.MANIFESTS / f"{name}.json" for name in names]
        runs = [RunManifest.load(file) for file in files if file.is_file()]
        wall, cpu = sum(run.wall_seconds for run in runs), sum(run.cpu_seconds for run in runs)
        rows.append(StationTime(station, wall, cpu, BUDGETS[station]))
    return rows


def time_lines(rows: Sequence[StationTime]) -> list[str]:
    """Lay the stations' times out as a table with their sum."""
    lines = [f"{'station':<10}{'wall s':>8}{'CPU s':>8}{'budget':>8}"]
    total = StationTime(
        "all",
        sum(row.wall_seconds for row in rows),
        sum(row.cpu_seconds for row in rows),
        sum(row.budget_seconds for row in rows),
    )
    for row in [*rows, total]:
        lines.append(
            f"{row.station:<10}{row.wall_seconds:>8.1f}{row.cpu_seconds:>8.1f}"
            f"{row.budget_seconds:>8.0f}"
        )
    return lines


def headline(root: Path) -> list[str]:
    """Lay out each model's mean over languages on each kind of task, from the report's numbers."""
    scores: dict[str, float] = read_json(root / places.REPORT / "report.json")["headline"]
    table: dict[str, dict[str, float]] = {}
    for key, score in scores.items():
        suite, kind, language, model = key.split("/", 3)
        if language == _MEAN:
            table.setdefault(model, {})[f"{suite} {kind}"] = score
    columns = sorted({column for row in table.values() for column in row})
    title, width = "mean over languages", max([19, *map(len, table)])
    wide = {name: max(14, len(name) + 2) for name in columns}
    lines = ["".join([f"{title:<{width}}", *(f"{name:>{wide[name]}}" for name in columns)])]
    for model, row in table.items():
        cells = [
            f"{row[name]:>{wide[name]}.3f}" if name in row else f"{'-':>{wide[name]}}"
            for name in columns
        ]
        lines.append("".join([f"{model:<{width}}", *cells]))
    meaning = "text: bits per byte, lower is better; the others: share right"
    return [*lines, f"{meaning} (canary: 0.25, above it is a leak)"]


def main() -> None:
    """Print headline, times and the path of the page, the last of all."""
    root = Path.cwd()
    print("\n".join([*headline(root), "", *time_lines(station_times(root)), ""]))
    print(f"report: {(root / places.REPORT / 'index.html').as_posix()}")


if __name__ == "__main__":
    main()
