"""The task definitions under `evals/`: which suites, tasks and languages exist, and their faults.

Reads the same YAML files as lm-eval but never runs them, so listing and checking need no engine.
lm-eval passes over a file that it cannot read in silence; here the file and the field are named.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, get_args

import yaml
from pydantic import ConfigDict
from skald_specs.errors import UserInputError
from skald_specs.files import read_text, sha256_file
from skald_specs.fingerprint import fingerprint
from skald_specs.guesses import offer
from skald_specs.languages import language as registered
from skald_specs.models import FileName, Spec
from skald_specs.plain import PlainLoader, parse_yaml
from skald_specs.records import CHOICE_KINDS, TaskKind

#: The task definitions of this checkout (the workspace is installed in place).
EVALS = Path(__file__).resolve().parents[5] / "evals"

#: lm-eval's request type of each kind, and the metrics whose values records can be derived from.
OUTPUT_TYPE: dict[str, str] = {
    **dict.fromkeys(CHOICE_KINDS, "multiple_choice"),
    "text": "loglikelihood_rolling",
}
METRICS: dict[str, tuple[str, ...]] = {
    "multiple_choice": ("acc", "acc_norm", "acc_bytes"),
    "loglikelihood_rolling": ("bits_per_byte",),
}
_REQUIRED = (
    "task", "output_type", "metric_list", "metadata.version", "metadata.kind", "metadata.items",
    "dataset_kwargs.language", "custom_dataset", "test_split", "doc_to_text", "doc_to_target",
)  # fmt: skip
_FUNCTION = "!function "
#: A module beside a task file: no code comes from elsewhere.
_MODULE = re.compile(r"[A-Za-z_]\w{0,99}(\.[A-Za-z_]\w{0,99}){0,9}")
#: The one folder of `evals/` that is no suite: scores that others published.
_FIGURES = "published"
#: The suite whose tasks are lm-eval's own: its files name them, and `tasks.hub` reads those.
HUB = "hub"
#: Beside the suites: which of them may be run.
REGISTER = "suites.yaml"


@dataclass(frozen=True)
class TaskDefinition:
    """One task as its YAML file defines it.

    `config` is the resolved YAML with functions as text; `code_sha256` hashes the modules those
    functions stand in; `metrics` begins with the headline metric.
    """

    name: str
    suite: str
    kind: TaskKind
    language: str
    version: float
    metrics: tuple[str, ...]
    path: Path
    config: dict[str, Any]
    code_sha256: str

    @property
    def items_path(self) -> str:
        """Path of the items inside an items folder."""
        return str(self.config["metadata"]["items"]).format(language=self.language)

    @property
    def family(self) -> str:
        """What is asked, whatever the language and the wording."""
        return self.name.rsplit("_", 2)[0]

    @property
    def variant(self) -> str:
        """The wording, where the same items are asked in several."""
        return ""

    @property
    def translated(self) -> bool | None:
        """Whether the items were translated into the language; None where it is not known."""
        return None

    @property
    def license(self) -> str | None:
        """Under what the items are published; None where it is not known."""
        return None

    @property
    def source(self) -> str:
        """Where the items come from."""
        return "generated" if self.suite == "core" else "user"

    @property
    def takes_chat(self) -> bool:
        """Whether a model that has a chat template is asked in it; ours are likelihoods of text."""
        return self.suite == HUB

    @property
    def fingerprint(self) -> str:
        """Hash of everything in the definition that can change an answer."""
        return fingerprint([self.config, self.code_sha256])


class InLanguage(Protocol):
    """A task in one language."""

    @property
    def language(self) -> str:
        """BCP-47 tag."""
        ...


T = TypeVar("T", bound=InLanguage)


class SuiteRegister(Spec):
    """`evals/suites.yaml`: the suites whose templates and functions may be run."""

    schema_version: Literal[1]
    trusted: tuple[FileName, ...]


class _Open(Spec):
    """Fields of a task file that are looked at; lm-eval knows the others."""

    model_config = ConfigDict(extra="allow")


class _Metric(_Open):
    metric: str


class _Metadata(_Open):
    version: float
    kind: str


class _Data(_Open):
    language: str


class _Head(_Open):
    task: str
    output_type: str
    metric_list: tuple[_Metric, ...]
    metadata: _Metadata
    dataset_kwargs: _Data


class _TaskLoader(PlainLoader):
    """The loader of plain data, with lm-eval's `!function` tag kept as text."""


def _keep_function(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    return _FUNCTION + str(loader.construct_scalar(node))


_TaskLoader.add_constructor("!function", _keep_function)


def require_trusted(folder: Path) -> None:
    """Refuse to run a suite that nobody has vouched for: its templates and functions are programs.

    Args:
        folder: Of the suite; the register lies beside it.

    Raises:
        UserInputError: The register does not name it, or is malformed.
    """
    register = folder.parent / REGISTER
    trusted = SuiteRegister.load(register).trusted if register.is_file() else ()
    if folder.name not in trusted:
        raise UserInputError(
            str(folder),
            f"a suite's templates and functions are run, and {REGISTER} beside it does not name it",
            f"Read its files, then add {folder.name!r} to `trusted` in {register}",
        )


def suite_names(evals: Path = EVALS) -> list[str]:
    """Return the suites: the folders of `evals/` that hold task files.

    Raises:
        UserInputError: There is no such folder.
    """
    if not evals.is_dir():
        raise UserInputError(str(evals), "no such folder", "Work from a checkout of Skald")
    return sorted(
        folder.name
        for folder in evals.iterdir()
        if folder.name != _FIGURES and any(folder.glob("*.yaml"))
    )


def list_tasks(
    suite: str | None = None, language: str | None = None, evals: Path = EVALS
) -> list[TaskDefinition]:
    """List the tasks, of all suites or one, in all languages or one, sorted by name.

    Args:
        suite: A suite's name; None for all.
        language: A BCP-47 tag; None for all.
        evals: The folder of task definitions.

    Returns:
        The definitions.

    Raises:
        UserInputError: The suite or language is unknown, or a file is malformed.
    """
    suites = suite_names(evals)
    if suite is not None and suite not in suites:
        raise UserInputError("suite", f"unknown suite {suite!r}", offer(suite, suites))
    tasks = [
        read_task(path)
        for name in ([suite] if suite else suites)
        if name != HUB
        for path in sorted((evals / name).glob("*.yaml"))
    ]
    _refuse_duplicates(tasks)
    if language is not None:
        tasks = select(tasks, [language])
    return sorted(tasks, key=lambda task: task.name)


def select(tasks: Sequence[T], languages: Sequence[str]) -> list[T]:
    """Keep the tasks of some languages.

    Args:
        tasks: In any order, which is kept.
        languages: BCP-47 tags; each must have a task.

    Raises:
        UserInputError: No task is in one of them.
    """
    known = sorted({task.language for task in tasks})
    for tag in languages:
        if tag not in known:
            raise UserInputError("languages", f"no task in language {tag!r}", offer(tag, known))
    return [task for task in tasks if task.language in languages]


def check_suites(evals: Path = EVALS) -> list[str]:
    """Return every problem of the task files, one line each; none means all is well."""
    problems, tasks = [], []
    for suite in suite_names(evals):
        if suite == HUB:
            continue
        for path in sorted((evals / suite).glob("*.yaml")):
            try:
                tasks.append(read_task(path))
            except UserInputError as error:
                problems.append(str(error))
    try:
        _refuse_duplicates(tasks)
    except UserInputError as error:
        problems.append(str(error))
    return problems


def read_task(path: Path) -> TaskDefinition:
    """Read one task file with everything that it includes.

    Raises:
        UserInputError: The file is malformed, lacks a field, or contradicts itself.
    """
    config = _resolve(path, ())
    for field in _REQUIRED:
        node: Any = config
        for part in field.split("."):
            node = node.get(part) if isinstance(node, dict) else None
        if node is None or node == []:
            raise UserInputError(
                str(path), f"missing field `{field}`", "Add it here or in the template it includes"
            )
    _Head.check(config, str(path))
    kind, output_type = config["metadata"]["kind"], config["output_type"]
    if kind not in get_args(TaskKind):
        raise _wrong(path, "metadata.kind", kind, offer(str(kind), get_args(TaskKind)))
    if output_type != OUTPUT_TYPE[kind]:
        raise _wrong(path, "output_type", output_type, f"{kind} needs {OUTPUT_TYPE[kind]}")
    if output_type == "multiple_choice" and "doc_to_choice" not in config:
        raise UserInputError(
            str(path), "missing field `doc_to_choice`", "Add it here or in the template it includes"
        )
    metrics = tuple(row["metric"] for row in config["metric_list"])
    for metric in metrics:
        if metric not in METRICS[output_type]:
            raise _wrong(path, "metric_list", metric, offer(metric, METRICS[output_type]))
    language = registered(config["dataset_kwargs"]["language"], str(path))
    if not str(config["task"]).endswith(f"_{language.flores}"):
        raise _wrong(path, "task", config["task"], f"the name must end in _{language.flores}")
    return TaskDefinition(
        name=config["task"],
        suite=path.parent.name,
        kind=kind,
        language=language.tag,
        version=float(config["metadata"]["version"]),
        metrics=metrics,
        path=path,
        config=config,
        code_sha256=_code_sha256(path, config),
    )


def _resolve(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    # lm-eval's rule: included keys first, own keys win, whole values are replaced, never merged.
    path = path.resolve()
    if path in seen:
        raise UserInputError(str(path), "includes itself", "Remove the circle of includes")
    own = parse_yaml(read_text(path), str(path), _TaskLoader)
    if not isinstance(own, dict):
        raise UserInputError(str(path), "holds no fields", "Write `field: value` lines")
    includes = own.pop("include", [])
    merged: dict[str, Any] = {}
    evals = (*seen, path)[0].parents[1]
    for name in includes if isinstance(includes, list) else [includes]:
        if not isinstance(name, str) or "\0" in name:
            raise _wrong(path, "include", name, "name a file")
        if not (path.parent / str(name)).resolve().is_relative_to(evals):
            raise _wrong(path, "include", name, f"it leads out of {evals}")
        merged |= _resolve(path.parent / str(name), (*seen, path))
    return merged | own


def _code_sha256(path: Path, config: dict[str, Any]) -> str:
    modules = set()

    def collect(node: Any) -> None:
        if isinstance(node, str) and node.startswith(_FUNCTION):
            modules.add(node.removeprefix(_FUNCTION).rpartition(".")[0])
        for child in (
            node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        ):
            collect(child)

    collect(config)
    hashes = []
    for module in sorted(modules):
        source = path.parent / f"{module.replace('.', '/')}.py"
        if not _MODULE.fullmatch(module) or not source.is_file():
            raise _wrong(path, "!function", module, f"{source.name} must lie beside the task file")
        hashes.append([module, sha256_file(source)])
    return fingerprint(hashes)


def _refuse_duplicates(tasks: Sequence[TaskDefinition]) -> None:
    first: dict[str, Path] = {}
    for task in tasks:
        if task.name in first:
            raise _wrong(
                task.path, "task", task.name, f"{first[task.name]} has that name too", "Rename one"
            )
        first[task.name] = task.path


def _wrong(
    path: Path, field: str, value: Any, rule: str, remedy: str = "Change the value"
) -> UserInputError:
    return UserInputError(str(path), f"`{field}` = {value!r}: {rule}", remedy)
