"""dvc.yaml: plain `skald` commands, on files that exist, with each output written once.

A stage depends on all of our source that its result comes from; the imports say which that is. One
package is left out: skald_process, which changes no result (test_process.py holds that).
"""

import ast
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from skald_cli.main import build_parser
from skald_specs.params import Params
from support import ROOT

PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
PARAMS = Params.load(ROOT / "params.yaml")


def fill(text: str) -> str:
    """Resolve DVC's templates with the first of each list."""
    for key, value in {
        "${sweep}": PARAMS.sweep,
        "${item.baseline}": PARAMS.baselines[0],
        "${item.suite}": PARAMS.suites[0],
    }.items():
        text = text.replace(key, value)
    assert "$" not in text
    return text


def test_every_command_is_a_verb_of_ours() -> None:
    for name, stage in PIPELINE["stages"].items():
        program, *words = shlex.split(fill(stage["cmd"]))
        assert program == "skald", name
        build_parser().parse_args(words)


def test_the_stations_run_in_the_order_of_the_house() -> None:
    assert list(PIPELINE["stages"]) == [
        "corpus", "sweep", "fit", "plan", "control-plan", "train", "control", "export", "evaluate",
        "report",
    ]  # fmt: skip


def test_every_dependency_is_in_the_repository_or_made_before() -> None:
    made = {"data/text", "data/items"}
    for name, stage in PIPELINE["stages"].items():
        for dependency in map(fill, stage["deps"]):
            known = (ROOT / dependency).exists() and not dependency.startswith(
                ("artifacts", "data")
            )
            inside = any(dependency.startswith(out) or out.startswith(dependency) for out in made)
            assert known or inside, f"{name}: {dependency}"
        made |= {fill(out) for out in stage["outs"]}


#: What the verb of each stage calls, and the module of the verb.
ENTRIES = {
    "corpus": ("corpus", "skald_corpus.build", "skald_corpus.decontaminate.report"),
    "sweep": ("sweeping", "skald_planner.plans.proxy", "skald_trainer.sweep"),
    "fit": ("planning", "skald_planner.fitting.transfer"),
    "plan": ("planning", "skald_planner.deciding.predicted"),
    "control-plan": ("planning", "skald_planner.deciding.predicted"),
    "control": ("training", "skald_trainer.train"),
    "train": ("training", "skald_trainer.train"),
    "export": ("training", "skald_mup.export"),
    "evaluate": ("evaluating", "skald_harness.running.evaluate"),
    "report": ("reporting", "skald_report.build", "skald_report.reading.inputs"),
}


#: A changed line of progress must not make a trained model stale.
NO_RESULT = "packages/process/"


def source_of(module: str) -> Path | None:
    """Return the file of one of our modules; nothing for another name."""
    package, *rest = module.split(".")
    folder = ROOT / "packages" / package.removeprefix("skald_") / "src"
    path = folder.joinpath(package, *rest)
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if package.startswith("skald_") and file.is_file():
            return file
    return None


def imported(file: Path) -> Iterator[str]:
    """Yield the names that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def needed(modules: tuple[str, ...]) -> set[str]:
    """Return the files that modules come to, by path from the root; empty files say nothing."""
    found: set[Path] = set()
    waiting = [file for file in map(source_of, modules) if file is not None]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting += [other for other in map(source_of, imported(file)) if other is not None]
    files = {file.relative_to(ROOT).as_posix() for file in found if file.name != "__init__.py"}
    return {file for file in files if not file.startswith(NO_RESULT)}


@pytest.mark.parametrize("name", ENTRIES)
def test_every_stage_depends_on_the_source_that_its_result_comes_from(name: str) -> None:
    verb, *entries = ENTRIES[name]
    assert all(map(source_of, entries))
    module = source_of(f"skald_cli.{verb}")
    assert module is not None and set(entries) <= set(imported(module))
    deps = PIPELINE["stages"][name]["deps"]
    missing = {
        file for file in needed(tuple(entries)) if not any(file.startswith(dep) for dep in deps)
    }
    assert not missing
    cli = "packages/cli/src/skald_cli"
    assert {"constraints.txt", "packages/specs/src", f"{cli}/places.py", f"{cli}/{verb}.py"} <= {
        *deps
    }


def test_a_missing_file_would_be_seen_and_the_display_is_not_asked_for() -> None:
    fit = needed(("skald_planner.fitting.transfer",))
    assert "packages/planner/src/skald_planner/fitting/joint.py" in fit
    assert "packages/specs/src/skald_specs/errors.py" in fit
    assert not any(file.endswith("show.py") for entry in ENTRIES.values() for file in needed(entry))
    # The one exception is no other name for "everything".
    train = needed(("skald_trainer.train",))
    assert "packages/trainer/src/skald_trainer/progress.py" in train
    assert source_of("skald_process.progress") and not any("/process/" in file for file in train)
    # A sweep is the costliest stage but training: what is fitted later must not make it stale.
    sweep = needed(("skald_planner.plans.proxy",))
    assert not any(file.endswith(("joint.py", "predict.py", "cost.py")) for file in sweep)


def test_outputs_do_not_overlap_and_nothing_writes_data() -> None:
    outs = [fill(out) for stage in PIPELINE["stages"].values() for out in stage["outs"]]
    assert len(set(outs)) == len(outs)
    for out in outs:
        assert not out.startswith("data")
        assert not any(other != out and other.startswith(f"{out}/") for other in outs)
