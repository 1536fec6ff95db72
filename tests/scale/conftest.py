"""These tests need datatrove, which the one environment does not have: `nox -s scale` runs them."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("datatrove") else ["test_*.py"]
