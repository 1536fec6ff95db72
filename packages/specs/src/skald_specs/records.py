"""Evaluation records: what was asked of a model, and what each item came to."""

from __future__ import annotations

from typing import Literal

from skald_specs.models import Spec

#: `transfer`, `skill` and `canary` are cloze items over facts whose keys are split over languages;
#: `number` and `calendar` come from CLDR; `copy` needs no language; `choice` and `generate` are
#: tasks of others.
TaskKind = Literal[
    "pairs", "cloze", "text", "transfer", "skill", "canary", "number", "calendar", "copy", "choice",
    "generate",
]  # fmt: skip
#: Kinds whose items are a choice: the score is 1 or 0.
CHOICE_KINDS: tuple[TaskKind, ...] = (
    "pairs", "cloze", "transfer", "skill", "canary", "number", "calendar", "copy", "choice",
)  # fmt: skip
ModelRole = Literal["baseline", "control", "external"]
Tuning = Literal["base", "instruct"]


class RequestRecord(Spec):
    """One answered request; the store's unit, keyed by `run_key` (weights, tokenizer, task, data...).

    A choice or a document has `logprob_nats`, a generated answer has `response`. `recheck_nats` is
    the log-probability by the plain path, for the requests that a run draws for that. `is_right`
    says whether it is the right choice, so that scores follow from these records alone; None where
    the task does not tell.
    """

    run_key: str
    task: str
    item_id: str
    index: int
    context: str
    continuation: str
    logprob_nats: float | None
    is_greedy: bool | None
    response: str | None
    recheck_nats: float | None
    n_tokens: int
    n_bytes: int
    is_right: bool | None = None


class ItemRecord(Spec):
    """One item with all its metrics; the report's unit.

    `score` is the task's headline number: bits per byte for `text`, 1 or 0 for a choice, the task's
    own metric for a generated answer. `metrics` holds the others by name (`acc_bytes`, `bits`, ...).
    `n_bytes` weighs text items.
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
    """One model of an evaluation, with what a reader must know about it.

    `hub_id` and `revision` are id and commit on the hub, None for a folder. `chat_template_sha256`
    is None where items were asked without one, as those of suites that are likelihoods of text
    always are. `scorer` says how it was scored: `tree`, `plain: <why>`, or a control's rule.
    """

    name: str
    role: ModelRole
    about: str
    n_params_total: int | None
    weights_sha256: str
    tokenizer_sha256: str
    dtype: str
    scorer: str
    hub_id: str | None = None
    revision: str | None = None
    tuning: Tuning | None = None
    chat_template_sha256: str | None = None


class TaskInfo(Spec):
    """One task of an evaluation.

    `chance` is the score of whoever does not read the items, None where there is none. Where the choices
    differ from item to item it is that of drawing one, the mean of 1 / choices. Where every item offers
    the same labels (`fixed_labels`), such as yes and no, it is the share of the label that is right most
    often in the items asked: a model that always says it has learnt nothing of them.

    Tasks of one `family` and language that differ in `variant` ask the same items in other words;
    `metric` is the headline's name. `translated` is None where it is not known. `target_delimiter`
    stands in every continuation before the choice and counts for no length. `items_sha256` is
    `decontamination.items_sha256` of the items' texts; empty where they cannot be rendered.
    `first_filter` is lm-eval's name of what is done to an answer before the metrics without a comma
    judge it; the others name their filter behind one.
    """

    name: str
    kind: TaskKind
    suite: str
    language: str
    version: float
    chance: float | None
    n_items: int
    data_sha256: str
    metric: str
    family: str
    variant: str = ""
    num_fewshot: int = 0
    translated: bool | None = None
    license: str | None = None
    source: str = ""
    target_delimiter: str = ""
    fixed_labels: bool = False
    items_sha256: str = ""
    first_filter: str = "none"


class ControlFlag(Spec):
    """A control that does better on a task than it may: the task gives its answers away.

    `p_value` is that of the score under `chance` (one-sided, items as independent). Of the oracle it
    is 0: a score below 1 means that the right answer does not always win.
    """

    task: str
    control: str
    score: float
    chance: float
    p_value: float


class Recheck(Spec):
    """How many of a model's requests were scored again by the plain path, and how far off the most was.

    `largest_nats` is the largest absolute difference of log-probability.
    """

    model: str
    n_requests: int
    n_rechecked: int
    largest_nats: float


class LeftOut(Spec):
    """A task that one model has no records of: it could not be asked or its answers not be measured."""

    model: str
    task: str


class EvaluationSummary(Spec):
    """`summary.json` beside the records: the models, tasks and versions they belong to.

    `fewshot_seed` draws the examples of tasks that take some.
    """

    schema_version: Literal[1]
    suite: str
    models: tuple[EvaluatedModel, ...]
    tasks: tuple[TaskInfo, ...]
    lm_eval_version: str
    fewshot_seed: int
    flags: tuple[ControlFlag, ...]
    rechecks: tuple[Recheck, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
