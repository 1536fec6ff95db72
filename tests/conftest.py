"""What tests of several files read and none changes."""

from pathlib import Path

import pytest


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
