"""Evaluation records: what was asked of a model, and what each item came to."""

from __future__ import annotations

from typing import Literal

from skald_specs.models import Spec

#: `transfer`, `skill` and `canary` are cloze items over facts whose keys are split over languages.
TaskKind = Literal["pairs", "cloze", "text", "transfer", "skill", "canary"]
#: Kinds whose items are a choice: the score is 1 or 0.
CHOICE_KINDS: tuple[TaskKind, ...] = ("pairs", "cloze", "transfer", "skill", "canary")
ModelRole = Literal["baseline", "control", "external"]


class RequestRecord(Spec):
    """One scored request; the store's unit, keyed by `run_key` (weights, tokenizer, task, data...)."""

    run_key: str
    task: str
    item_id: str
    index: int
    context: str
    continuation: str
    logprob_nats: float
    n_bytes: int


class ItemRecord(Spec):
    """One item with all its metrics; the report's unit.

    `score` is the task's headline number: bits per byte for `text`, 1 or 0 for every other kind.
    `metrics` holds the others by name (`acc_bytes`, `bits`, ...). `n_bytes` weighs text items.
    """

    model: str
    task: str
    kind: TaskKind
    language: str
    item_id: str
    key: str
    group: str
    score: float
    n_bytes: int
    metrics: dict[str, float]


class EvaluatedModel(Spec):
    """One model of an evaluation, with what a reader must know about it."""

    name: str
    role: ModelRole
    about: str
    n_params_total: int | None
    weights_sha256: str
    tokenizer_sha256: str
    dtype: str


class TaskInfo(Spec):
    """One task of an evaluation; `chance` is None for bits per byte."""

    name: str
    kind: TaskKind
    suite: str
    language: str
    version: float
    chance: float | None
    n_items: int
    data_sha256: str


class EvaluationSummary(Spec):
    """`summary.json` beside the records: the models, tasks and versions they belong to."""

    schema_version: Literal[1]
    suite: str
    models: tuple[EvaluatedModel, ...]
    tasks: tuple[TaskInfo, ...]
    lm_eval_version: str
