"""An evaluation in the Every Eval Ever format (0.3.0), one log a model, and a check of such files.

<out>/data/skald_<suite>/<developer>/<model>/<uuid>.json
<out>/data/skald_<suite>/<developer>/<model>/<uuid>_samples.jsonl

The uuid and every byte follow from the evaluation, so that writing twice replaces, from a copy too. The
records hold no time: there is no `evaluation_timestamp`, and the one time that the format demands is 0.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import re
import uuid
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

from skald_specs.errors import UserInputError
from skald_specs.files import inside, read_json, read_jsonl, sha256_file, write_json, write_jsonl
from skald_specs.fingerprint import fingerprint
from skald_specs.models import Spec
from skald_specs.records import CHOICE_KINDS, EvaluatedModel, ItemRecord, TaskInfo

from skald_harness.store.evaluation import (
    STANDARD_ERROR,
    Asked,
    Evaluated,
    mean_of,
    metric_and_filter,
    public_name,
    read_evaluation,
    standard_error,
    telling,
    values_of,
)
from skald_harness.store.every_eval_schema import (
    SCHEMA_VERSION,
    Attribution,
    Bound,
    DetailedResults,
    EvaluationLog,
    EvaluationResult,
    GenerationConfig,
    MetricConfig,
    ModelDetails,
    ModelInfo,
    Named,
    SampleInput,
    SampleLog,
    SampleOutput,
    SampleScore,
    ScoreDetails,
    SourceData,
    SourceMetadata,
    StandardError,
    Uncertainty,
)
from skald_harness.store.lm_eval_results import LOWER_IS_BETTER
from skald_harness.store.recompute import choices_made, choices_of, texts_of

#: Whose evaluation it is, and who made its controls.
_OURSELVES = "skald"
#: The developer of a folder, of which no more is known than that it lies here.
_LOCAL = "local"
_HOW = {
    "acc": "largest sum of log-probabilities",
    "acc_norm": "largest log-probability per character",
    "acc_bytes": "largest log-probability per UTF-8 byte",
}
_SAMPLES = "_samples.jsonl"
#: In place of a time that nothing tells: a file's own is that of its last copy.
_NO_TIME = "0"
#: Metrics of generated answers that are shares, whatever their items are.
_SHARES = ("acc", "em", "exact", "exact_match", "f1", "fscore")


def export_every_eval_ever(folder: Path, out: Path) -> list[Path]:
    """Write one log a model with its items beside it.

    Args:
        folder: Of the evaluation.
        out: Where `data/` is written.

    Returns:
        The logs.

    Raises:
        UserInputError: The evaluation is missing or malformed.
    """
    found = read_evaluation(folder)
    written = []
    for model in found.summary.models:
        with telling(folder):
            written.append(_written(found, model, out))
    return written


def _written(found: Evaluated, model: EvaluatedModel, out: Path) -> Path:
    """Write the log of one model and its items, and return the log."""
    identity = _model(model)
    number = _uuid(found, model)
    place = f"data/skald_{found.summary.suite}/{identity.id}"
    evaluation_id = f"skald_{found.summary.suite}/{identity.id}/{number}"
    home = functools.reduce(inside, place.split("/"), out)
    samples = home / f"{number}{_SAMPLES}"
    rows = list(_samples(found, model, evaluation_id, identity.id))
    write_jsonl(samples, (_plain(row) for row in rows))
    log = EvaluationLog(
        schema_version=SCHEMA_VERSION,
        evaluation_id=evaluation_id,
        retrieved_timestamp=_NO_TIME,
        source_metadata=SourceMetadata(
            source_name="skald evaluate",
            source_type="evaluation_run",
            source_organization_name=_OURSELVES,
            evaluator_relationship="third_party" if model.role == "external" else "first_party",
        ),
        eval_library=Named(
            name="lm_eval",
            version=found.summary.lm_eval_version,
            additional_details={"skald": metadata.version("skald-harness")},
        ),
        model_info=identity,
        evaluation_results=list(_results(found, model)),
        detailed_evaluation_results=DetailedResults(
            format="jsonl",
            file_path=f"{place}/{samples.name}",
            hash_algorithm="sha256",
            checksum=sha256_file(samples),
            total_rows=len(rows),
        ),
    )
    path = samples.with_name(f"{number}.json")
    write_json(path, _plain(log))
    return path


def validate(path: Path) -> int:
    """Check a log or a file of samples, and that a log and its samples belong together.

    Args:
        path: `<uuid>.json` or `<uuid>_samples.jsonl`.

    Returns:
        How many results, or samples, it has.

    Raises:
        UserInputError: It is missing or breaks a rule; the first broken field is named.
    """
    if path.suffix == ".jsonl":
        return len(_read_samples(path))
    log = EvaluationLog.check(read_json(path), str(path))
    detailed = log.detailed_evaluation_results
    samples = path.with_name(f"{path.stem}{_SAMPLES}")
    rows = _read_samples(samples)
    known = {result.evaluation_result_id for result in log.evaluation_results}
    first = next(
        (
            (f"{samples}:{number}", f"`{field}` = {value!r} is not the log's")
            for number, row in enumerate(rows, start=1)
            for field, value, good in (
                ("evaluation_id", row.evaluation_id, row.evaluation_id == log.evaluation_id),
                ("model_id", row.model_id, row.model_id == log.model_info.id),
                ("evaluation_result_id", row.evaluation_result_id,
                 row.evaluation_result_id in known),
            )
            if not good
        ),
        None,
    )  # fmt: skip
    where = f"{path}: detailed_evaluation_results"
    if detailed.checksum != sha256_file(samples):
        first = (where, f"`checksum` is not that of {samples.name}")
    if detailed.total_rows != len(rows):
        first = (where, f"`total_rows` = {detailed.total_rows}, but {samples.name} has {len(rows)}")
    if Path(detailed.file_path).name != samples.name:
        first = (where, f"`file_path` = {detailed.file_path!r} is not {samples.name}")
    if first is not None:
        raise UserInputError(*first, "Export it again")
    return len(log.evaluation_results)


def _read_samples(path: Path) -> list[SampleLog]:
    return [
        SampleLog.check(row, f"{path}:{number}")
        for number, row in enumerate(read_jsonl(path), start=1)
    ]


def _plain(log: Spec) -> object:
    # The schema knows no null for most fields: what is not known is left out.
    return log.model_dump(mode="json", exclude_none=True)


def _uuid(found: Evaluated, model: EvaluatedModel) -> str:
    keys = sorted(
        {
            row.requests[0].run_key
            for task in found.taken(model.name)
            for row in found.asked[model.name, task.name]
        }
    )
    digest = fingerprint([found.summary.suite, model.name, keys])
    return str(uuid.UUID(bytes=bytes.fromhex(digest)[:16], version=4))


def _model(model: EvaluatedModel) -> ModelInfo:
    if model.hub_id is None:
        developer, name = _OURSELVES if model.role == "control" else _LOCAL, model.name
    else:
        developer, _, name = public_name(model).partition("/")
    developer, name = (re.sub(r"[^\w.+@-]", "_", part) for part in (developer, name))
    return ModelInfo(
        name=model.name,
        id=f"{developer}/{name}",
        developer=developer,
        additional_details=ModelDetails(
            deployment_type="self_deployed",
            model_availability="open_weights" if model.hub_id else "unknown",
            role=model.role,
            about=model.about,
            dtype=model.dtype,
            scorer=model.scorer,
            weights_sha256=model.weights_sha256,
            tokenizer_sha256=model.tokenizer_sha256,
            n_params_total=str(model.n_params_total or ""),
            hub_id=model.hub_id or "",
            revision=model.revision or "",
            tuning=model.tuning or "",
            chat_template_sha256=model.chat_template_sha256 or "",
        ),
    )


def _results(found: Evaluated, model: EvaluatedModel) -> Iterator[EvaluationResult]:
    for task in found.taken(model.name):
        items = [row.item for row in found.asked[model.name, task.name]]
        for metric in values_of(items[0], task.metric):
            error = standard_error(items, metric, task.metric)
            yield EvaluationResult(
                evaluation_result_id=_result_id(task, metric),
                evaluation_name=task.name,
                source_data=_source(task),
                metric_config=_metric(task, metric),
                score_details=ScoreDetails(
                    score=mean_of(items, metric, task.metric),
                    details=_details(task, items),
                    uncertainty=Uncertainty(
                        standard_error=(
                            None
                            if error is None
                            else StandardError(value=error, method=STANDARD_ERROR)
                        ),
                        num_samples=len(items),
                    ),
                ),
                generation_config=GenerationConfig(
                    generation_args={},
                    additional_details={
                        "num_fewshot": str(task.num_fewshot),
                        "fewshot_seed": str(found.summary.fewshot_seed),
                        "asked_for": "text" if task.kind == "generate" else "log-probabilities",
                        "chat_template": "no" if model.chat_template_sha256 is None else "yes",
                    },
                ),
            )


def _source(task: TaskInfo) -> SourceData:
    on_hub = "/" in task.source
    details = {
        "origin": task.source,
        "data_sha256": task.data_sha256,
        "language": task.language,
        "license": task.license or "",
        "translated": "" if task.translated is None else str(task.translated).lower(),
    }
    return SourceData(
        dataset_name=task.family,
        source_type="hf_dataset" if on_hub else "other",
        hf_repo=task.source if on_hub else None,
        additional_details=details,
    )


def _metric(task: TaskInfo, metric: str) -> MetricConfig:
    name, filtered = metric_and_filter(metric, task)
    lower, is_share = name in LOWER_IS_BETTER, task.kind in CHOICE_KINDS or name in _SHARES
    top: Bound = 1.0 if is_share and not lower else "Infinity"
    return MetricConfig(
        evaluation_description=f"{name} on {task.name}, version {task.version:g}",
        metric_id=name,
        metric_unit="bits per byte" if name == "bits_per_byte" else "proportion",
        metric_parameters=None if filtered == "none" else {"filter": filtered},
        lower_is_better=lower,
        score_type="continuous",
        min_score=0.0 if is_share or lower else "-Infinity",
        max_score=top,
    )


def _result_id(task: TaskInfo, metric: str) -> str:
    return f"{task.name}/{metric.replace(',', '/')}"


def _details(task: TaskInfo, items: Sequence[ItemRecord]) -> dict[str, str]:
    keys = {item.key or item.item_id for item in items}
    chance = {} if task.chance is None else {"chance": f"{task.chance:g}"}
    return {"kind": task.kind, "variant": task.variant, "n_keys": str(len(keys)), **chance}


def _samples(
    found: Evaluated, model: EvaluatedModel, evaluation_id: str, model_id: str
) -> Iterator[SampleLog]:
    for task in found.taken(model.name):
        for asked in found.asked[model.name, task.name]:
            for metric, value in values_of(asked.item, task.metric).items():
                yield _sample(asked, task, metric, value, evaluation_id, model_id)


def _sample(
    asked: Asked, task: TaskInfo, metric: str, value: float, evaluation_id: str, model_id: str
) -> SampleLog:
    item, requests = asked.item, asked.requests
    shown, answer = _input(asked, task, metric)
    reference = json.dumps([shown.raw, shown.reference], ensure_ascii=False)
    nats = [request.logprob_nats for request in requests]
    return SampleLog(
        schema_version=SCHEMA_VERSION,
        evaluation_id=evaluation_id,
        model_id=model_id,
        evaluation_name=task.name,
        evaluation_result_id=_result_id(task, metric),
        sample_id=item.item_id,
        sample_hash=hashlib.sha256(reference.encode("utf-8")).hexdigest(),
        interaction_type="single_turn",
        input=shown,
        output=SampleOutput(raw=[] if answer is None else [answer]),
        answer_attribution=[] if answer is None else [_attribution(answer, metric)],
        evaluation=SampleScore(
            score=value,
            is_correct=metric.partition(",")[0] not in LOWER_IS_BETTER and math.isclose(value, 1.0),
        ),
        metadata={"key": item.key, "group": item.group, "logprobs_nats": json.dumps(nats)},
    )


def _attribution(answer: str, metric: str) -> Attribution:
    return Attribution(
        turn_idx=0,
        source="output.raw",
        extracted_value=answer,
        extraction_method=_HOW.get(metric, "none"),
        is_terminal=True,
    )


def _input(asked: Asked, task: TaskInfo, metric: str) -> tuple[SampleInput, str | None]:
    """Return what was asked and the answer by a metric's rule; none for a document."""
    requests = asked.requests
    if asked.item.kind == "text":
        return SampleInput(raw=requests[0].continuation, reference=[]), None
    if requests[0].logprob_nats is None:
        return SampleInput(raw=requests[0].context, reference=[]), requests[0].response or ""
    requests = tuple(choices_of(requests)) or requests
    if len({request.context for request in requests}) > 1:
        choices = [request.context + request.continuation for request in requests]
        context = ""
    else:
        choices, context = texts_of(requests, task.target_delimiter), requests[0].context
    right = [choices[i] for i, request in enumerate(requests) if request.is_right]
    made = choices_made(requests, task.target_delimiter)
    shown = SampleInput(raw=context, reference=right, choices=choices)
    return shown, choices[made.get(metric, made["acc"])]
