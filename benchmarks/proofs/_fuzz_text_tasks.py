"""Documents of evaluations: tasks, suites, the register of models, logs of other harnesses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from _fuzz_target import Target
from _fuzz_text import ROOT, files, put, register_seeds

_TASK = (ROOT / "evals/core/cloze_dan_Latn.yaml").read_bytes()
_TEMPLATE = (ROOT / "evals/core/_cloze_yaml").read_bytes()


def _suite(folder: Path) -> Path:
    """Write what a task file of the suite `core` stands beside."""
    if not (folder / "evals/core").is_dir():
        for path in sorted((ROOT / "evals/core").iterdir()):
            if (path.suffix == ".py" or path.name.startswith("_")) and path.is_file():
                put(folder, f"evals/core/{path.name}", path.read_bytes())
        put(folder, "evals/core/cloze_dan_Latn.yaml", _TASK)
    return folder / "evals"


def _task(name: str) -> Callable[[bytes, Path], None]:
    def call(data: bytes, folder: Path) -> None:
        from skald_harness.tasks.suites import check_suites, list_tasks

        evals = _suite(folder)
        put(evals, name, data)
        check_suites(evals)
        for task in list_tasks("core", None, evals):
            task.fingerprint  # noqa: B018 - a property that hashes all of it

    return call


def _hub(name: str) -> Callable[[bytes, Path], None]:
    def call(data: bytes, folder: Path) -> None:
        from skald_harness.tasks.hub import hub_tasks

        evals = folder / "evals"
        for other in ("_families_yaml", "dan_Latn.yaml"):
            if other != name and not (evals / "hub" / other).is_file():
                put(evals, f"hub/{other}", (ROOT / "evals/hub" / other).read_bytes())
        put(evals, f"hub/{name}", data)
        for task in hub_tasks(evals):
            task.asked, task.n_items, task.translated  # noqa: B018 - properties that compute

    return call


def _hub_table_seeds(_: Path) -> list[bytes]:
    text = (ROOT / "evals/hub/_families_yaml").read_text()
    return [text.encode()]


def _register(data: bytes, folder: Path) -> None:
    from skald_harness.models.register import load_register

    for model in load_register(put(folder, "models.yaml", data)).models:
        model.short_name  # noqa: B018 - a property that splits the id


TARGETS = (
    Target("task", lambda _: [_TASK], _task("core/cloze_dan_Latn.yaml"),
           (b"include: _cloze_yaml", b"include: ../x", b"!function x.y", b"metadata", b"doc_to_text", b"metric_list")),
    Target("task template", lambda _: [_TEMPLATE], _task("core/_cloze_yaml"),
           (b"include: _cloze_yaml", b"!function ..x.y", b"!function utils.x", b"metadata", b"dataset_kwargs")),
    Target("group of hub tasks", files("evals/hub/dan_Latn.yaml"), _hub("dan_Latn.yaml"), (b"group", b"task")),
    Target("families of hub tasks", _hub_table_seeds, _hub("_families_yaml"),
           (b"match", b"families", b"left_out", b"(?P<part>", b"(a+)+$", b"n_items")),
    Target("register of models", register_seeds, _register, (b"hub_id", b"revision", b"sources", b"languages")),
)  # fmt: skip
