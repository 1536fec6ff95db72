"""Mutants of a batch against its tests: forked where the tests are collected, or before anything is imported."""

from __future__ import annotations

import contextlib
import gc
import importlib
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import pytest

from mutants.children import Ended, in_child
from mutants.making import Mutant
from mutants.testing import Survey, collected, first_failure, survey

#: CPU seconds of tests that one mutant may cost, by their times unmutated.
_BUDGET_S = 3.0
_SURVEY_S = 3600.0


class Verdict(NamedTuple):
    """How a mutant fared: killed, survived, timed out or not covered; by which test; CPU seconds."""

    how: str
    by: str
    cpu_s: float


Tell = Callable[[Mutant, Verdict, Survey], None]


def run_batch(
    root: Path,
    files: list[str],
    modules: list[str],
    cache: Path,
    chosen: Callable[[Survey], list[Mutant]],
    tell: Tell,
) -> None:
    """Run mutants against tests; use it in a child, since it imports what the tests need.

    Args:
        root: The repository.
        files: Test files from there.
        modules: Modules to mutate, from there.
        cache: What tests of unchanged files execute in unchanged modules, from the last time.
        chosen: Gives the mutants that are still to run, once the tests are known.
        tell: Takes each verdict.
    """
    paths = [root / module for module in modules]
    known = in_child(lambda: survey(files, paths, root, cache), _SURVEY_S).answer
    if known is None:
        sys.exit(f"the tests do not pass unmutated: {' '.join(files)}")
    for name in known.libraries:
        with contextlib.suppress(
            Exception
        ):  # some are made by others under conditions of their own
            importlib.import_module(name)
    gc.collect()
    gc.freeze()
    early: list[Mutant] = []
    late: list[Mutant] = []
    for mutant in chosen(known):
        (early if _at_import(mutant, known) else late).append(mutant)
    kills: Counter[str] = Counter()

    def told(mutant: Mutant, verdict: Verdict) -> None:
        kills[verdict.by] += verdict.how == "killed"
        tell(mutant, verdict, known)

    in_child(lambda: _late(root, files, late, known, kills, told), _SURVEY_S)
    for mutant in early:
        told(mutant, _early(root, mutant, known, kills))


def _verdict(ended: Ended) -> Verdict:
    if ended.late:
        return Verdict("timed out", "", ended.cpu_s)
    # No answer: the child died, which tests would show.
    by = "(died)" if ended.answer is None else ended.answer
    return Verdict("killed" if by else "survived", by, ended.cpu_s)


def _cpu_limit(names: Iterable[str], known: Survey) -> float:
    return 2 + 2 * sum(known.tests[name].cpu_s for name in names)


def _late(
    root: Path,
    files: list[str],
    mutants: list[Mutant],
    known: Survey,
    kills: Counter[str],
    told: Callable[[Mutant, Verdict], None],
) -> None:
    """Exchange functions in children of a process that has collected the tests."""
    if not mutants:
        return

    def use(items: list[pytest.Item]) -> bool:
        by_name = {item.nodeid: item for item in items}
        live = _functions(root, {mutant.module for mutant in mutants})
        gc.collect()
        gc.freeze()
        for mutant in mutants:
            names = [name for name in _selected(mutant, known, kills, False) if name in by_name]
            functions = live.get((mutant.module, mutant.outer), [])
            codes = _codes(mutant.source(), str(root / mutant.module), mutant.outer)
            if not codes:
                continue
            if not names or len(functions) != len(codes):
                told(mutant, Verdict("not covered", "", 0.0))
                continue

            exchange = [
                (function, code)
                for same, code in zip(functions, codes, strict=True)
                for function in same
            ]
            work = partial(_exchanged, exchange, [by_name[name] for name in names])
            told(mutant, _verdict(in_child(work, _cpu_limit(names, known))))
        return True

    if not collected(files, use):
        sys.exit(f"tests cannot be collected: {' '.join(files)}")


def _exchanged(exchange: list[tuple[FunctionType, CodeType]], items: list[pytest.Item]) -> str:
    for function, code in exchange:
        function.__code__ = code
    return first_failure(items) or ""


def _functions(root: Path, modules: set[str]) -> dict[tuple[str, str], list[list[FunctionType]]]:
    """Return the living functions of modules by module and qualified name, those of one code together."""
    paths = {str(root / module): module for module in modules}
    found: dict[tuple[str, str], dict[int, list[FunctionType]]] = defaultdict(dict)
    gc.unfreeze()
    for one in gc.get_objects():
        if isinstance(one, FunctionType) and one.__code__.co_filename in paths:
            key = (paths[one.__code__.co_filename], one.__code__.co_qualname)
            found[key].setdefault(one.__code__.co_firstlineno, []).append(one)
    return {key: [lines[line] for line in sorted(lines)] for key, lines in found.items()}


def _codes(source: str, path: str, name: str) -> list[CodeType]:
    """Return the compiled functions of a qualified name, in the order of their lines."""
    if not source:
        return []

    def walk(code: CodeType) -> Iterator[CodeType]:
        for one in code.co_consts:
            if isinstance(one, CodeType):
                if one.co_qualname == name:
                    yield one
                yield from walk(one)

    found = walk(compile(source, path, "exec", dont_inherit=True))
    return sorted(found, key=lambda code: code.co_firstlineno)


def _early(root: Path, mutant: Mutant, known: Survey, kills: Counter[str]) -> Verdict:
    """Import a mutated module in the place of the whole one, and collect the tests on top of it."""
    source, path = mutant.source(), str(root / mutant.module)
    names = _selected(mutant, known, kills, True)
    order = {name: i for i, name in enumerate(names)}

    def work() -> str:
        whole = SourceFileLoader.get_code
        mutated = compile(source, path, "exec", dont_inherit=True)

        def get_code(loader: Any, fullname: str) -> CodeType | None:
            return mutated if loader.path == path else whole(loader, fullname)

        SourceFileLoader.get_code = get_code  # type: ignore[method-assign, assignment]  # the import's own hook

        def use(items: list[pytest.Item]) -> str:
            chosen = [item for item in items if item.nodeid in order]
            return first_failure(sorted(chosen, key=lambda item: order[item.nodeid])) or ""

        found: Any = collected(sorted({name.split("::")[0] for name in names}), use)
        return "(import)" if found is None else str(found)

    return _verdict(in_child(work, _cpu_limit(names, known) + 2))


def _selected(mutant: Mutant, known: Survey, kills: Counter[str], everywhere: bool) -> list[str]:
    """Return the tests to run against a mutant: those that have killed most, then the quickest."""
    first, last = mutant.lines
    span = frozenset(range(first, last + 1))
    near = {
        name
        for name, test in known.tests.items()
        if test.lines.get(mutant.module, frozenset()) & span
    }
    names = list(known.tests) if everywhere else list(near)
    names.sort(key=lambda name: (name not in near, -kills[name], known.tests[name].cpu_s, name))
    spent, kept = 0.0, list[str]()
    for name in names:
        spent += known.tests[name].cpu_s
        if kept and spent > _BUDGET_S:
            break
        kept.append(name)
    return kept


def _at_import(mutant: Mutant, known: Survey) -> bool:
    """Tell whether the changed code runs while modules are imported, when no function can be exchanged yet."""
    imported = known.imported.get(mutant.module, frozenset())
    first, last = mutant.body
    return not mutant.outer or any(line in imported for line in range(first, last + 1))
