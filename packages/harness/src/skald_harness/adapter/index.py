"""Our own index of lm-eval's task files: name to file, and the file as data, without lm-eval.

lm-eval's index reads all its 13,986 files, which costs 12.9 CPU-seconds; this one looks into the
folders of a task's family alone and imports nothing of lm-eval.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from skald_specs.errors import UserInputError
from skald_specs.files import sha256_file
from skald_specs.fingerprint import fingerprint

from skald_harness.tasks.hub import HubTask
from skald_harness.tasks.suites import OUTPUT_TYPE, TaskDefinition

#: Metrics with one number an item, by request type. `f1` of a choice and `mcc` are of all items.
_PER_ITEM: dict[str, tuple[str, ...]] = {
    "multiple_choice": ("acc", "acc_norm", "acc_bytes"),
    "generate_until": ("exact_match", "em", "f1", "fscore"),
}
_NAME = re.compile(rb"^task:[ \t]*[\"']?([\w-]+)", re.MULTILINE)


@dataclass(frozen=True)
class PublicTask(TaskDefinition):
    """A task of lm-eval as its file defines it, with what the suite `hub` knows of it."""

    hub: HubTask

    @property
    def family(self) -> str:
        """What is asked: tasks of one family and language are wordings of the same items."""
        return self.hub.asked

    @property
    def variant(self) -> str:
        """The wording, where the same items are asked in several."""
        return self.hub.variant

    @property
    def translated(self) -> bool | None:
        """Whether the items were translated into the language; None where it is not known."""
        return self.hub.translated

    @property
    def license(self) -> str | None:
        """Under what the data set is published; None where that was not read."""
        return self.hub.facts.license

    @property
    def source(self) -> str:
        """The data set's Hub id."""
        return self.hub.facts.source


@cache
def tasks_folder() -> Path:
    """Return the folder of lm-eval's tasks, which the installed package holds."""
    found = importlib.util.find_spec("lm_eval")
    if found is None or not found.submodule_search_locations:
        raise UserInputError("lm_eval", "not installed", "Install skald-harness with its engines")
    return Path(found.submodule_search_locations[0]) / "tasks"


@cache
def files_of(folders: tuple[str, ...]) -> dict[str, Path]:
    """Return the task files of some of lm-eval's folders by task name.

    The name is looked for as text: parsing the YAML would cost a hundred times as much.
    """
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted((tasks_folder() / folder).rglob("*.yaml")):
            match = _NAME.search(path.read_bytes())
            if match is not None:
                found.setdefault(match[1].decode(), path)
    return found


def define(task: HubTask) -> PublicTask:
    """Read a task's file in lm-eval.

    Raises:
        UserInputError: The installed lm-eval has no such task, or the file contradicts the family.
    """
    path = files_of(task.facts.folders).get(task.name)
    if path is None:
        raise UserInputError(
            task.name,
            f"not in lm-eval's {', '.join(task.facts.folders)}",
            "Install the version of constraints.txt, or take the task out of evals/hub",
        )
    config, modules = read_config(path)
    if config.get("task") != task.name:
        raise UserInputError(
            str(path),
            f"is not {task.name} but {config.get('task')}",
            "Install the lm-eval of constraints.txt",
        )
    output_type = str(config.get("output_type"))
    if config.get("dataset_path") != task.facts.source:
        raise _contradiction(task, "source", task.facts.source, config.get("dataset_path"))
    wanted = OUTPUT_TYPE.get(task.kind, "generate_until")
    if output_type != wanted:
        raise _contradiction(task, "metric", task.facts.metric, output_type)
    return PublicTask(
        name=task.name,
        suite=task.suite,
        kind=task.kind,
        language=task.language,
        version=float((config.get("metadata") or {}).get("version", 0)),
        metrics=_metrics(task, config, output_type),
        path=path,
        config=config,
        code_sha256=fingerprint([[name, sha256_file(file)] for name, file in modules]),
        hub=task,
    )


def define_all(tasks: Iterable[HubTask]) -> tuple[list[PublicTask], list[UserInputError]]:
    """Define tasks; what lm-eval does not have as expected comes back as errors."""
    defined, problems = [], []
    for task in tasks:
        try:
            defined.append(define(task))
        except UserInputError as error:
            problems.append(error)
    return defined, problems


def read_config(path: Path) -> tuple[dict[str, Any], list[tuple[str, Path]]]:
    """Read a task file of lm-eval with all that it includes, by lm-eval's rules.

    Returns:
        The configuration, functions as text that holds no path of this machine, and the modules
        they stand in: name and file, sorted.
    """
    modules: dict[str, Path] = {}
    config = _merged(path, modules)
    for key in ("tag", "group", "task_list"):  # Where it is listed changes nothing that it asks.
        config.pop(key, None)
    return config, sorted(modules.items())


def _merged(path: Path, modules: dict[str, Path]) -> dict[str, Any]:
    folder = path.parent.resolve()

    class Loader(yaml.CSafeLoader):
        """The fast safe loader, with functions kept as text."""

    def keep_function(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
        module, _, function = str(loader.construct_scalar(node)).rpartition(".")
        name, file = _module(folder, module)
        modules[name] = file
        return f"!function {name}.{function}"

    Loader.add_constructor("!function", keep_function)
    own: dict[str, Any] = Loader(path.read_bytes()).get_single_data()
    includes = own.pop("include", [])
    merged: dict[str, Any] = {}
    for name in includes if isinstance(includes, list) else [includes]:
        merged |= _merged(folder / str(name), modules)
    return merged | own


def _module(folder: Path, module: str) -> tuple[str, Path]:
    """Find a function's module as lm-eval does: beside the file, else by its full name."""
    root = tasks_folder().resolve()
    beside = folder / f"{module.replace('.', '/')}.py"
    if not beside.is_file():
        beside = root.parent.parent / f"{module.replace('.', '/')}.py"
    if not beside.is_file():
        raise UserInputError(str(folder), f"no module {module}", "Reinstall lm-eval")
    return beside.relative_to(root).with_suffix("").as_posix(), beside


def _metrics(task: HubTask, config: dict[str, Any], output_type: str) -> tuple[str, ...]:
    named = [str(row["metric"]) for row in config["metric_list"]]
    # lm-eval gives the pair of right and chosen answer under `mcc`, from which `acc` follows.
    known: Sequence[str] = ["acc"] if named == ["mcc"] else named
    metrics = [metric for metric in known if metric in _PER_ITEM[output_type]]
    headline = task.facts.metric
    if headline not in metrics:
        raise _contradiction(task, "metric", headline, ", ".join(named))
    metrics.remove(headline)
    return (f"{headline}{_filter_suffix(task, config)}", *metrics)


def _filter_suffix(task: HubTask, config: dict[str, Any]) -> str:
    """Return what a record's metric is called by after its name: nothing for the first filter."""
    filters = [str(row["name"]) for row in config.get("filter_list") or []]
    wanted = task.facts.filter
    if wanted is None:
        if len(filters) > 1:
            raise _contradiction(task, "filter", "not named", " and ".join(filters))
        return ""
    if wanted not in filters:
        raise _contradiction(task, "filter", wanted, " and ".join(filters))
    return "" if filters[0] == wanted else f",{wanted}"


def _contradiction(task: HubTask, field: str, ours: Any, theirs: Any) -> UserInputError:
    return UserInputError(
        task.name,
        f"`{field}` is {ours} for {task.family}, but lm-eval has {theirs}",
        f"Correct `{field}` in evals/hub/_families_yaml, or install the lm-eval of constraints.txt",
    )
