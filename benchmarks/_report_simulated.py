"""A large evaluation without models: records of the right format, in which languages, tasks and models differ.

Written fast: a line is joined from parts that are made once a task, not serialised.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from skald_specs.controls import BYTE_NGRAM, ORACLE, RANDOM_INIT
from skald_specs.files import write_json
from skald_specs.languages import BY_TAG
from skald_specs.records import EvaluatedModel, EvaluationSummary, TaskInfo

LANGUAGES = ("af", "da", "de", "en", "fo", "fy", "is", "lb", "nb", "nl", "nn", "sv")
BASELINES = ("mini-2.6b", "mini-7.8b")
CONTROLS = (*(f"{RANDOM_INIT}{name}" for name in BASELINES), BYTE_NGRAM, ORACLE)
N_MODELS, N_TASKS, N_ITEMS = 100, 40, 42
SUITE = "large"
#: What the tasks are, in turn; every eighth gives no chance level, one is text.
_KINDS = ("pairs", "cloze", "choice", "choice", "choice", "choice", "choice", "generate")


def model_names(n_models: int) -> list[str]:
    """Return the names of so many models: two baselines, four controls, the others of elsewhere."""
    others = [
        f"org-{n % 17}/model-{n:02d}-{(1, 3, 8, 24, 70)[n % 5]}b"
        for n in range(n_models - len(BASELINES) - len(CONTROLS))
    ]
    return [*BASELINES, *others, *CONTROLS]


def write(
    folder: Path, n_models: int = N_MODELS, n_tasks: int = N_TASKS, n_items: int = N_ITEMS
) -> int:
    """Write `summary.json` and `items.jsonl` of a simulated evaluation.

    Args:
        folder: Of the suite.
        n_models: Six at least.
        n_tasks: In each of the twelve languages.
        n_items: Of a task in a language.

    Returns:
        How many records were written.
    """
    names, rng = model_names(n_models), np.random.default_rng(7)
    tasks = [_task(n, tag, n_items) for n in range(n_tasks) for tag in LANGUAGES]
    summary = EvaluationSummary(
        schema_version=1, suite=SUITE, models=tuple(map(_model, names, range(n_models))),
        tasks=tuple(tasks), lm_eval_version="0.4.13", fewshot_seed=1234, flags=(),
    )  # fmt: skip
    write_json(folder / "summary.json", summary.model_dump(mode="json"))
    skill = rng.normal(0.8, 0.5, n_models)
    skill[[names.index(name) for name in CONTROLS[:2]]] = -1.5
    of_language = rng.normal(0, 0.2, (len(LANGUAGES), n_models))
    with (folder / "items.jsonl").open("w", encoding="utf-8") as out:
        for number, task in enumerate(tasks):
            place = skill + of_language[number % len(LANGUAGES)] + rng.normal(0, 0.15, n_models)
            out.write(_lines(task, names, place, n_items, rng))
    return n_models * len(tasks) * n_items


def _model(name: str, number: int) -> EvaluatedModel:
    role: Any = "control" if name in CONTROLS else "baseline" if name in BASELINES else "external"
    return EvaluatedModel(
        name=name, role=role, about="simulated",
        n_params_total=None if role == "control" else (1 + number % 70) * 10**9,
        weights_sha256=f"{number:064d}", tokenizer_sha256="0" * 64, dtype="float32", scorer="tree",
    )  # fmt: skip


def _task(number: int, tag: str, n_items: int) -> TaskInfo:
    kind: Any = "text" if number == 0 else _KINDS[number % len(_KINDS)]
    family = f"skald_{SUITE}_{kind}_{number:02d}"
    return TaskInfo(
        name=f"{family}_{BY_TAG[tag].flores}", kind=kind, suite=SUITE, language=tag, version=1.0,
        chance={"pairs": 0.5, "text": None, "generate": None}.get(kind, 0.25), n_items=n_items,
        data_sha256="0" * 64, metric="bits_per_byte" if kind == "text" else "acc", family=family,
        source="simulated",
    )  # fmt: skip


def _lines(
    task: TaskInfo,
    names: list[str],
    place: np.ndarray[Any, Any],
    n_items: int,
    rng: np.random.Generator,
) -> str:
    # Every other task has four items that share a key.
    shared = int(task.family[-2:]) % 2 == 0
    hardness = rng.normal(0, 1, n_items)
    if shared:
        hardness = np.repeat(hardness[: -(-n_items // 4)], 4)[:n_items]
    odds = place[:, None] - hardness + rng.logistic(0, 0.7, (len(names), n_items))
    scores = 2.5 - 0.2 * odds if task.kind == "text" else (odds > 0).astype(float)
    middle = [
        f'","task":"{task.name}","kind":"{task.kind}","language":"{task.language}","item_id":'
        f'"{task.kind}-{i}","key":"{f"scene-{i // 4}" if shared else ""}","group":"","n_bytes":'
        f'{200 + 7 * i % 90},"metrics":{{"acc_bytes":0.0,"logprob_best_wrong":-16.049716686660435,'
        f'"logprob_gold":-21.449903006863217}},"score":'
        for i in range(n_items)
    ]
    return "".join(
        f'{{"model":"{name}{middle[i]}{own[i]}}}\n'
        for name, own in zip(names, scores.round(4).tolist(), strict=True)
        for i in range(n_items)
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="of the suite")
    print(write(parser.parse_args().folder))
