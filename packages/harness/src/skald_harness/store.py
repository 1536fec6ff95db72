"""The store of answers: request records on disk, found again by what they depend on.

A run key hashes everything that can change an answer and nothing else, so an answer is reused
exactly when asking again would give it, and never for another model.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from skald_specs.fingerprint import fingerprint
from skald_specs.records import RequestRecord

from skald_harness.adapter import FEWSHOT_SEED, LM_EVAL_VERSION, Arguments
from skald_harness.items import TaskItems
from skald_harness.suites import TaskDefinition

#: Raised whenever the scoring code changes what it answers to the same request.
SCORER_VERSION = 1


def run_key(identity: Any, dtype: str, task: TaskDefinition, items: TaskItems) -> str:
    """Return the key of one model's answers to one task.

    Args:
        identity: Hashes of the model's weights, configuration and tokenizer.
        dtype: The type it is run in.
        task: The definition; its display name counts only through the resolved YAML.
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
            "lm_eval": LM_EVAL_VERSION,
            "fewshot_seed": FEWSHOT_SEED,
            "scorer": SCORER_VERSION,
        }
    )


def read_store(folder: Path) -> dict[str, list[RequestRecord]]:
    """Read the records of an earlier run by run key.

    A malformed line is named on stderr and left out; the answers it belonged to are then
    incomplete, and only those are asked for again.

    Args:
        folder: `requests/` of an evaluation; a missing one is an empty store.

    Returns:
        The records, in file order.
    """
    store: dict[str, list[RequestRecord]] = {}
    for path in sorted(folder.glob("*.jsonl")):
        for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
            if not line.strip():
                continue
            try:
                record = RequestRecord.model_validate(json.loads(line))
            except (ValueError, ValidationError):
                print(f"{path}:{number}: not a request record; asked again", file=sys.stderr)
                continue
            store.setdefault(record.run_key, []).append(record)
    return store


def answers(records: Sequence[RequestRecord], rolling: bool) -> dict[Arguments, float]:
    """Index records by the texts of their requests, as lm-eval asks them."""
    return {
        ((r.continuation,) if rolling else (r.context, r.continuation)): r.logprob_nats
        for r in records
    }
