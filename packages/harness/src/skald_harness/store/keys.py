"""What a stored answer depends on, as a hash and as a file that a person can read."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from skald_specs.files import sha256_file
from skald_specs.fingerprint import fingerprint
from skald_specs.records import EvaluatedModel

from skald_harness.adapter.tasks import FEWSHOT_SEED, LM_EVAL_VERSION
from skald_harness.models.loading import device_type
from skald_harness.scoring.threads import CPU_THREADS
from skald_harness.tasks.items import TaskItems
from skald_harness.tasks.suites import TaskDefinition

#: The packages whose code stands between a question and its answer, lm-eval apart.
ENGINES = ("numpy", "tokenizers", "torch", "transformers")
#: Our own code that does. What renders questions is not named: the questions themselves are hashed.
ANSWERING = (
    "adapter/generation.py",
    "adapter/network.py",
    "adapter/vllm.py",
    "models/loading.py",
    "scoring",
)


@dataclass(frozen=True)
class RunKey:
    """The answers of one model to one task; `facts` is what `digest` hashes."""

    facts: Mapping[str, Any]
    digest: str


@functools.cache
def engine() -> dict[str, Any]:
    """Return what answers, whatever the model: code, versions, the device and its threads."""
    package, device = Path(__file__).parents[1], device_type()
    return {
        "code": {
            path.relative_to(package).as_posix(): sha256_file(path)
            for name in ANSWERING
            for path in sorted(
                (package / name).rglob("*.py") if "." not in name else [package / name]
            )
        },
        "versions": {name: metadata.version(name) for name in ENGINES},
        "device": device,
        "threads": CPU_THREADS if device == "cpu" else None,
    }


def run_key(
    model: EvaluatedModel,
    identity: Any,
    task: TaskDefinition,
    items: TaskItems,
    questions_sha256: str,
) -> RunKey:
    """Return the key of one model's answers to one task.

    No name of a model or folder enters. Other answers never share a key; the same answers may have
    several, such as before and after a comment was added to the code that scores.

    Args:
        model: The facts of the model as it is asked; its type and chat template enter.
        identity: Hashes of its weights, configuration and tokenizer.
        task: The definition.
        items: The data.
        questions_sha256: Hash of all that is asked, examples and chat template included.

    Returns:
        The key.
    """
    facts = {
        "model": identity,
        "dtype": model.dtype,
        "chat_template_sha256": model.chat_template_sha256,
        "task": {
            "name": task.name,
            "version": task.version,
            "num_fewshot": int(task.config.get("num_fewshot") or 0),
            "fingerprint": task.fingerprint,
        },
        "data_sha256": items.sha256,
        "questions_sha256": questions_sha256,
        "fewshot_seed": FEWSHOT_SEED,
        "lm_eval": LM_EVAL_VERSION,
        **engine(),
    }
    return RunKey(facts, fingerprint(facts))
