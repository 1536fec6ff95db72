"""The store of answers: one file for each run key, found again by what the answers depend on.

It lies beside the folder of evaluations, never in it: an evaluation is replaced as a whole, and
DVC deletes it before a rerun. Refuses to know how a model is asked.
"""

from __future__ import annotations

import functools
import hashlib
import json
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from skald_specs.files import sha256_file, write_text
from skald_specs.fingerprint import fingerprint
from skald_specs.records import RequestRecord

from skald_harness.adapter.models import Arguments
from skald_harness.adapter.tasks import FEWSHOT_SEED
from skald_harness.models.folder import device_type
from skald_harness.tasks.items import TaskItems
from skald_harness.tasks.suites import TaskDefinition

#: The packages whose code stands between a request and its answer.
ENGINES = ("lm_eval", "numpy", "tokenizers", "torch", "transformers")


@functools.cache
def engine() -> dict[str, Any]:
    """Return what answers, whatever the model: our sources, the packages' versions, the device."""
    package = Path(__file__).parents[1]
    return {
        "sources": {
            path.relative_to(package).as_posix(): sha256_file(path)
            for path in sorted(package.rglob("*.py"))
        },
        "versions": {name: metadata.version(name) for name in ENGINES},
        "device": device_type(),
    }


def run_key(identity: Any, dtype: str, task: TaskDefinition, items: TaskItems) -> str:
    """Return the key of one model's answers to one task.

    It hashes the model, the task with its code, the data and `engine()`, and no name of a model or
    folder. Other answers never share a key; the same answers may have several, such as before and
    after a comment was added to this package.

    Args:
        identity: Hashes of the model's weights, configuration and tokenizer.
        dtype: The type it is run in.
        task: The definition.
        items: The data.

    Returns:
        A hex SHA-256.
    """
    return fingerprint(
        {
            "model": identity,
            "dtype": dtype,
            "task": task.fingerprint,
            "data": items.sha256,
            "fewshot_seed": FEWSHOT_SEED,
            "engine": engine(),
        }
    )


def store_folder(out: Path) -> Path:
    """Return the store that belongs to a folder of evaluations: `eval-store` beside `eval`."""
    whole = out.resolve()
    return whole.parent / f"{whole.name}-store"


def write_answers(store: Path, key: str, records: Sequence[RequestRecord]) -> None:
    """Keep the answers of one model to one task, atomically; the first line is a checksum."""
    body = "".join(
        json.dumps(record.model_dump(mode="json"), sort_keys=True, ensure_ascii=False) + "\n"
        for record in records
    )
    write_text(_path(store, key), json.dumps({"sha256": _sha256(body)}) + "\n" + body)


def read_answers(store: Path, key: str) -> list[RequestRecord]:
    """Read the answers of one model to one task.

    Returns:
        The records as they were written; none when there is no file, or when it is damaged, which
        is said on stderr.
    """
    path = _path(store, key)
    try:
        head, _, body = path.read_bytes().decode("utf-8").partition("\n")
        if json.loads(head) != {"sha256": _sha256(body)}:
            raise ValueError("the checksum differs")
        # Not splitlines(): it also cuts at U+2028 and U+0085, which JSON strings may hold.
        return [RequestRecord.model_validate(json.loads(line)) for line in body.split("\n") if line]
    except FileNotFoundError:
        return []
    # ValueError is also what JSON, UTF-8 and pydantic raise.
    except (OSError, ValueError):
        print(f"{path}: damaged; its task is asked again", file=sys.stderr)
        return []


def answers(records: Sequence[RequestRecord], rolling: bool) -> dict[Arguments, float]:
    """Index records by the texts of their requests, as lm-eval asks them."""
    return {
        ((r.continuation,) if rolling else (r.context, r.continuation)): r.logprob_nats
        for r in records
        if r.logprob_nats is not None
    }


def _path(store: Path, key: str) -> Path:
    return store / f"{key}.jsonl"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
