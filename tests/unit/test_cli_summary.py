"""The closing lines of a cycle: headline, and times from the manifests of this cycle alone."""

from pathlib import Path

import pytest
from skald_cli import summary
from skald_cli.places import MANIFESTS
from skald_process.recording import recorded
from skald_specs.files import read_json, write_json, write_text


@pytest.fixture
def root(tmp_path: Path) -> Path:
    params = "sweep: p\nbaselines: [a, b]\ncontrols: [a]\nlanguages: [da]\nsuites: [core]\n"
    write_text(tmp_path / "params.yaml", params)
    for station, name in (
        ("train", "a"), ("train", "b"), ("train", "own-text"), ("sweep", "p"),
        ("train", "a-untransferred"), ("fit", "sweep"),
    ):  # fmt: skip
        with recorded(station, name, tmp_path / MANIFESTS):
            pass
        file = tmp_path / MANIFESTS / f"{station}-{name}.json"
        # However long it took here: a busy machine's nothing is not always 0.0.
        write_json(file, read_json(file) | {"wall_seconds": 10.0})
    return tmp_path


def wall(root: Path) -> dict[str, float]:
    return {row.station: row.wall_seconds for row in summary.station_times(root)}


def test_times_are_those_of_the_cycles_own_runs(root: Path) -> None:
    times = wall(root)
    assert list(times) == [
        "data",
        "sweep",
        "plan",
        "train",
        "control",
        "export",
        "evaluate",
        "report",
    ]
    assert times["train"] == pytest.approx(20, abs=1)
    assert times["sweep"] == times["control"] == times["plan"] == pytest.approx(10, abs=1)
    assert times["report"] == 0


def test_the_budgets_leave_room_for_starting_programs() -> None:
    assert sum(summary.BUDGETS.values()) + 75 == 600


def test_the_headline_is_the_mean_over_languages(root: Path) -> None:
    scores = {
        "core/pairs/da/a": 0.9,
        "core/pairs/mean/a": 0.8,
        "core/text/mean/a": 2.5,
        "core/pairs/mean/untrained a": 0.5,
    }
    write_json(root / "reports" / "latest" / "report.json", {"headline": scores})
    title, first, second, _ = summary.headline(root)
    assert title.split() == ["mean", "over", "languages", "core", "pairs", "core", "text"]
    assert first.split() == ["a", "0.800", "2.500"]
    assert second.split() == ["untrained", "a", "0.500", "-"]
