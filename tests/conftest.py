"""What tests of several files read and none changes."""

from pathlib import Path

import pytest


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Say which tests one worker runs, one after another, where pytest has several (`-n`).

    Tests of one file share what its fixtures made, those of the report also between files; those that
    start processes of their own would fight for the cores if two ran at once. By path and not by
    `xdist_group`, which pytest-xdist 3.8 writes where pytest 9.2 does not read it.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Rooms(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            path = nodeid.split("::")[0]
            folder, name = Path(path).parent.name, Path(path).name
            if folder == "parallel":
                return folder
            return "report" if name.startswith(("test_report_", "test_published_")) else path

    return Rooms(config, log)


@pytest.fixture(autouse=True, scope="session")
def no_progress_in_a_log():
    """Keep what a command says on standard error from hanging on how busy the machine is."""
    from skald_process import progress

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
