"""What tests of several files read and none changes."""

from pathlib import Path

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Say which tests one worker runs, one after another, where pytest has several (`-n`).

    Tests of one file share what its fixtures made. Those that start processes of their own would fight
    for the cores if two ran at once, and those of the whole report share it.
    """
    for item in items:
        if item.get_closest_marker("parallel"):
            room = "parallel"
        elif "whole_report" in item.fixturenames:
            room = "report"
        else:
            room = str(item.path)
        item.add_marker(pytest.mark.xdist_group(room))
    # The longest rooms first, so that no worker waits at the end for the other.
    first = {"parallel": 0, "report": 1}
    items.sort(key=lambda item: first.get(item.get_closest_marker("xdist_group").args[0], 2))


@pytest.fixture(autouse=True, scope="session")
def no_progress_in_a_log():
    """Keep what a command says on standard error from hanging on how busy the machine is."""
    from skald_specs import progress

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress, "QUIET_SECONDS_IN_A_LOG", 3600.0)
        yield


@pytest.fixture(scope="session")
def whole_report(tmp_path_factory):
    """Return the inputs of a report that has every section, and its folder; read-only."""
    from skald_report.build import build
    from support_report import write_inputs

    root: Path = tmp_path_factory.mktemp("whole")
    inputs = write_inputs(root)
    build(inputs, root / "latest")
    return inputs, root / "latest"


@pytest.fixture(scope="module")
def undrawn(whole_report):
    """Leave figures blank: drawing takes most of a small report's time, and many tests ask nothing of them.

    The report that all share is built before, with its figures.
    """
    from matplotlib.figure import Figure

    blank = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"></svg>'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", lambda figure, out, **more: out.write(blank))
        yield
