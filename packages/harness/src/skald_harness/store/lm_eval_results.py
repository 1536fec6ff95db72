"""An evaluation in lm-eval's own results format, for tools that read what `lm_eval` writes.

<out>/<model>/results_<time>.json             scores, versions, configurations
<out>/<model>/samples_<task>_<time>.jsonl     one line an item and filter

What the records do not hold is null: batch size, seeds of nothing that was drawn, the environment, the
filtered answers. They hold no time either, and the format asks for one: see `_time`.
`doc` is the item as the records know it, which for the suites of Skald is the document itself.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from skald_specs.files import inside, write_jsonl, write_text
from skald_specs.records import EvaluatedModel, ItemRecord, TaskInfo

from skald_harness.store.evaluation import (
    Asked,
    Evaluated,
    content_sha256,
    mean_of,
    metric_and_filter,
    public_name,
    read_evaluation,
    telling,
    values_of,
)
from skald_harness.store.recompute import choices_of, texts_of
from skald_harness.tasks.suites import EVALS, list_tasks, suite_names

#: lm-eval's name of the filter that does nothing to an answer.
_NOTHING = "none"
#: Metrics of which less is better.
LOWER_IS_BETTER = ("bits_per_byte", "byte_perplexity", "word_perplexity", "perplexity", "ter")


def export_lm_eval(folder: Path, out: Path) -> list[Path]:
    """Write the results of every model of an evaluation.

    Args:
        folder: Of the evaluation.
        out: Where the models' folders are written; the same evaluation gives the same files, a
            copy of it too.

    Returns:
        The files of results, one a model.

    Raises:
        UserInputError: The evaluation is missing or malformed.
    """
    found = read_evaluation(folder)
    time = _time(content_sha256(folder))
    stamp = time.isoformat(timespec="microseconds").replace(":", "-")
    configs = _configs(found)
    written = []
    with telling(folder):
        for model in found.summary.models:
            place = inside(out, sanitized(public_name(model)))
            samples = {
                task.name: [
                    _sample(number, asked, task, filtered)
                    # As lm-eval does: filter by filter, item by item.
                    for filtered in _filters(found.asked[model.name, task.name], task)
                    for number, asked in enumerate(found.asked[model.name, task.name])
                ]
                for task in found.taken(model.name)
            }
            for name, rows in samples.items():
                write_jsonl(inside(place, f"samples_{name}_{stamp}.jsonl"), rows)
            path = place / f"results_{stamp}.json"
            results = _results(
                found, model, samples, configs, (time - datetime(1970, 1, 1)).total_seconds()
            )
            write_text(path, json.dumps(results, indent=2, ensure_ascii=False))
            written.append(path)
    return written


def sanitized(model: str) -> str:
    """Return a model's name as lm-eval names its folder."""
    return re.sub(r'["<>:/|\\?*\[\]]+', "__", model)


def _time(content: str) -> datetime:
    """Return a number of the content in place of a time, on the first day of 1970.

    A file's own time is that of its last copy. Names must differ between evaluations, of which one folder
    may take several.
    """
    microseconds = int(content[:16], 16) % (24 * 3600 * 10**6)
    return datetime.fromtimestamp(microseconds / 1e6, UTC).replace(tzinfo=None)


def _filters(asked: Sequence[Asked], task: TaskInfo) -> list[str]:
    """Return the filters that a task's answers went through, its first one first."""
    names = [metric_and_filter(m, task)[1] for m in values_of(asked[0].item, task.metric)]
    return list(dict.fromkeys([task.first_filter, *names]))


def _sample(number: int, asked: Asked, task: TaskInfo, filtered: str) -> dict[str, Any]:
    """Return one line of lm-eval's samples: an item by the metrics of one filter."""
    item, requests = asked.item, asked.requests
    document, target = _document(asked, task)
    if item.kind == "text":
        arguments = [[requests[0].continuation]]
        answers: list[Any] = [str(requests[0].logprob_nats)]
    elif requests[0].logprob_nats is None:
        arguments = [[request.context] for request in requests]
        answers = [request.response for request in requests]
    else:
        arguments = [[request.context, request.continuation] for request in requests]
        answers = [[str(request.logprob_nats), str(request.is_greedy)] for request in requests]
    values: dict[str, Any] = {}
    for metric, value in values_of(item, task.metric).items():
        name, done = metric_and_filter(metric, task)
        if done == filtered:
            values[name] = value
    if item.kind == "text":
        values = {task.metric: [requests[0].logprob_nats, item.n_bytes]}
    return {
        "doc_id": number,
        "doc": document,
        "target": target,
        "arguments": {
            f"gen_args_{i}": {f"arg_{j}": text for j, text in enumerate(texts)}
            for i, texts in enumerate(arguments)
        },
        "resps": [[answer] for answer in answers],
        "filtered_resps": answers if filtered == _NOTHING else [None] * len(answers),
        "filter": filtered,
        "metrics": list(values),
        "doc_hash": _hash(json.dumps(document, indent=2, ensure_ascii=False)),
        "prompt_hash": _hash(arguments[0][0]),
        "target_hash": _hash(target),
        **values,
    }


def _document(asked: Asked, task: TaskInfo) -> tuple[dict[str, Any], str]:
    """Return the item as a document of the suites, and its target as text."""
    item, requests = asked.item, asked.requests
    document: dict[str, Any] = {"id": item.item_id, "key": item.key, "group": item.group}
    if item.kind == "text":
        text = requests[0].continuation
        return document | {"context": "", "text": text}, text
    if requests[0].logprob_nats is None:
        return document | {"context": requests[0].context}, ""
    requests = tuple(choices_of(requests)) or requests
    contexts = {request.context for request in requests}
    if len(contexts) == 1:
        shown = {"context": contexts.pop(), "choices": texts_of(requests, task.target_delimiter)}
    else:
        texts = [request.context + request.continuation for request in requests]
        shown = {"context": "", "choices": texts}
    right = [i for i, request in enumerate(requests) if request.is_right]
    gold = right[0] if len(right) == 1 else right
    return document | shown | {"gold": gold}, str(gold)


def _results(
    found: Evaluated,
    model: EvaluatedModel,
    samples: Mapping[str, Sequence[Mapping[str, Any]]],
    configs: Mapping[str, Any],
    seconds: float,
) -> dict[str, Any]:
    tasks = found.taken(model.name)
    n_items = {task.name: len(found.asked[model.name, task.name]) for task in tasks}
    names = {
        task.name: list(values_of(found.asked[model.name, task.name][0].item, task.metric))
        for task in tasks
    }
    return {
        "results": {
            task.name: _scores(
                task, [row.item for row in found.asked[model.name, task.name]], names[task.name]
            )
            for task in tasks
        },
        "group_subtasks": {},
        "configs": {task.name: configs[task.name] for task in tasks},
        "versions": {task.name: task.version for task in tasks},
        "n-shot": {task.name: task.num_fewshot for task in tasks},
        "higher_is_better": {
            task.name: {
                name: name not in LOWER_IS_BETTER
                for metric in names[task.name]
                for name, _ in [metric_and_filter(metric, task)]
            }
            for task in tasks
        },
        "n-samples": {
            name: {"original": count, "effective": count} for name, count in n_items.items()
        },
        "config": {
            "model": "skald",
            "model_args": _arguments(model),
            "model_num_parameters": model.n_params_total,
            "model_dtype": f"torch.{model.dtype}",
            "model_revision": model.revision or "main",
            "model_sha": model.revision or "",
            "batch_size": None,
            "batch_sizes": [],
            "device": None,
            "use_cache": None,
            "limit": None,
            "bootstrap_iters": 0,
            "gen_kwargs": None,
            "random_seed": None,
            "numpy_seed": None,
            "torch_seed": None,
            "fewshot_seed": found.summary.fewshot_seed,
        },
        "git_hash": None,
        "date": seconds,
        "pretty_env_info": None,
        "transformers_version": None,
        "lm_eval_version": found.summary.lm_eval_version,
        "upper_git_hash": None,
        "tokenizer_pad_token": None,
        "tokenizer_eos_token": None,
        "tokenizer_bos_token": None,
        "eot_token_id": None,
        "max_length": None,
        "task_hashes": {
            name: _hash(
                "".join(row["doc_hash"] + row["prompt_hash"] + row["target_hash"] for row in rows)
            )
            for name, rows in samples.items()
        },
        "model_source": "skald",
        "model_name": public_name(model),
        "model_name_sanitized": sanitized(public_name(model)),
        "system_instruction": None,
        "system_instruction_sha": None,
        "fewshot_as_multiturn": model.chat_template_sha256 is not None,
        "chat_template": None,
        "chat_template_sha": model.chat_template_sha256,
        "total_evaluation_time_seconds": None,
    }


def _arguments(model: EvaluatedModel) -> str:
    """Return what lm-eval would be told to load the same weights."""
    if model.hub_id is None:
        return f"pretrained={model.name}"
    return f"pretrained={model.hub_id},revision={model.revision or 'main'}"


def _scores(task: TaskInfo, items: Sequence[ItemRecord], metrics: Sequence[str]) -> dict[str, Any]:
    scores: dict[str, Any] = {"name": task.name, "alias": task.name, "sample_len": len(items)}
    for metric in metrics:
        name, filtered = metric_and_filter(metric, task)
        scores[f"{name},{filtered}"] = mean_of(items, metric, task.metric)
        values = [values_of(item, task.metric)[metric] for item in items]
        scores[f"{name}_stderr,{filtered}"] = (
            "N/A" if task.kind == "text" or len(values) < 2 else _stderr(values)
        )
    return scores


def _stderr(values: Sequence[float]) -> float:
    """Return lm-eval's own standard error of a mean, which takes items as independent."""
    mean = sum(values) / len(values)
    spread = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return math.sqrt(spread) / math.sqrt(len(values))


def _configs(found: Evaluated) -> dict[str, Any]:
    """Return the tasks' resolved YAML where the suite is one of this checkout."""
    suite = found.summary.suite
    ours = {}
    if EVALS.is_dir() and suite in suite_names():
        ours = {task.name: task.config for task in list_tasks(suite)}
    return {
        task.name: {
            **ours.get(task.name, {}),
            "task": task.name,
            "num_fewshot": task.num_fewshot,
            "target_delimiter": task.target_delimiter,
            "metadata": {**ours.get(task.name, {}).get("metadata", {}), "version": task.version},
        }
        for task in found.summary.tasks
    }


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
