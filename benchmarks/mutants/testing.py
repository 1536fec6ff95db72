"""Tests in this process: collected once, run one by one, with the lines that each executes."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import coverage
import pytest
from _pytest.runner import runtestprotocol
from hypothesis import Phase, settings

from mutants.children import in_child

#: Examples of a property test against one mutant, the same every time.
_EXAMPLES = 20
#: CPU seconds beyond which a test takes no part.
SLOW_S = 2.0
_NO_PART = "not slow and not parallel and not real_text"


@dataclass(frozen=True)
class Timed:
    """One test: its CPU seconds alone, the hash of its source, its lines by module."""

    cpu_s: float
    source: str
    lines: dict[str, frozenset[int]]


@dataclass(frozen=True)
class Survey:
    """What the tests of a batch execute.

    Attributes:
        tests: By node id, those that pass unmutated and are quick.
        imported: Lines by module that run before any test does.
        libraries: Modules that the tests load and are not of this repository, in order.
        left_out: Node ids of those that are slow or do not pass here, with the CPU seconds.
    """

    tests: dict[str, Timed] = field(default_factory=dict)
    imported: dict[str, frozenset[int]] = field(default_factory=dict)
    libraries: tuple[str, ...] = ()
    left_out: dict[str, float] = field(default_factory=dict)


def collected(files: Iterable[str], use: Callable[[list[pytest.Item]], Any]) -> Any:
    """Collect tests and hand them over in place of running them.

    Args:
        files: Paths of test files from the repository's root.
        use: Gets the tests; what it returns is returned, None where collecting failed.
    """
    found: list[Any] = [None]

    class _Plugin:
        @pytest.hookimpl(tryfirst=True)
        def pytest_runtestloop(self, session: pytest.Session) -> bool:
            if not session.testsfailed:
                for item in session.items:
                    _cheapen(item)
                found[0] = use(session.items)
            return True

    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    pytest.main([*files, "-p", "no:cacheprovider", "-m", _NO_PART], plugins=[_Plugin()])
    return found[0]


def _cheapen(item: pytest.Item) -> None:
    test = getattr(item, "obj", None)
    test = getattr(test, "__func__", test)
    # Hypothesis keeps a test's settings there; a profile would not reach those that a test states itself.
    own = getattr(test, "_hypothesis_internal_use_settings", None)
    if own is not None:
        test._hypothesis_internal_use_settings = settings(  # type: ignore[union-attr]  # own is its
            own,
            max_examples=min(own.max_examples, _EXAMPLES),
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.explicit, Phase.generate],
        )


def first_failure(items: list[pytest.Item]) -> str | None:
    """Run tests in order and return the node id of the first that fails, None where all pass."""
    for item in items:
        if _fails(item):
            return item.nodeid
    return None


def _fails(item: pytest.Item) -> bool:
    factory = item.config._tmp_path_factory  # type: ignore[attr-defined]  # set by pytest's own plugin
    folder = tempfile.mkdtemp(prefix="mutant-")
    factory._basetemp = Path(folder)
    try:
        return any(one.failed for one in runtestprotocol(item, log=False, nextitem=None))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def survey(files: list[str], modules: list[Path], root: Path, cache: Path) -> Survey:
    """Run every test once, each in a child of its own, with the lines it executes; use it in a child.

    Args:
        files: Test files from the root.
        modules: Modules whose lines are recorded.
        root: The repository.
        cache: Where tests of the last time are kept, for the files and modules that are the same.
    """
    tracer = coverage.Coverage(
        include=[str(path) for path in modules], data_file=None, config_file=False
    )
    tracer.set_option("run:disable_warnings", ["no-data-collected"])
    tracer.start()

    def lines() -> dict[str, frozenset[int]]:
        data = tracer.get_data()
        found = {path: frozenset(data.lines(str(path)) or ()) for path in modules}
        return {str(path.relative_to(root)): here for path, here in found.items() if here}

    def traced(item: pytest.Item) -> tuple[bool, dict[str, frozenset[int]]]:
        tracer.switch_context("test")
        failed = _fails(item)
        tracer.stop()
        tracer.get_data().set_query_context("test")
        return failed, lines()

    def use(items: list[pytest.Item]) -> Survey:
        found = Survey({}, lines(), tuple(_libraries(root)), {})
        known = json.loads(cache.read_bytes()) if cache.is_file() else {}
        kept: dict[str, Any] = {}
        code = [path.read_bytes() for path in sorted(modules)]
        for item in items:
            digest = hashlib.sha256(b"".join([*code, item.path.read_bytes()])).hexdigest()
            key = f"{digest} {item.nodeid}"
            kept[key] = known[key] if key in known else measured(item)
            match kept[key]:
                case [cpu_s, source, here]:
                    own = {path: frozenset(numbers) for path, numbers in here.items()}
                    found.tests[item.nodeid] = Timed(cpu_s, source, own)
                case float() as seconds:
                    found.left_out[item.nodeid] = seconds
        cache.write_text(json.dumps(known | kept), encoding="utf-8")
        return found

    def measured(item: pytest.Item) -> list[Any] | float | None:
        ended = in_child(lambda: traced(item), SLOW_S)
        failed, here = ended.answer or (True, {})
        if failed or ended.cpu_s > SLOW_S:
            return round(ended.cpu_s, 2)
        own = {path: sorted(numbers) for path, numbers in here.items()}
        return [ended.cpu_s, _source(item), own] if own else None

    result = collected(files, use)
    if not isinstance(result, Survey):
        sys.exit(f"tests cannot be collected: {' '.join(files)}")
    return result


def _source(item: pytest.Item) -> str:
    test = inspect.unwrap(getattr(item, "obj"))  # noqa: B009 - Item has none, Function does
    return hashlib.sha256(inspect.getsource(test).encode()).hexdigest()[:12]


def _libraries(root: Path) -> Iterable[str]:
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if path and not Path(path).is_relative_to(root) and not name.startswith("skald_"):
            yield name
