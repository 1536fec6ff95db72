"""The first prompts of a task as lm-eval renders them, as one hash."""

from __future__ import annotations

import hashlib
import json
from typing import Any

#: Documents whose prompts are hashed, and how much of the hash is kept: people read the file.
N_DOCUMENTS, N_DIGITS = 3, 16


def first_prompts(task: Any) -> list[list[Any]]:
    """Return what a task asks about its first documents: the kind and the arguments of each request.

    Args:
        task: A task of `load_tasks`.
    """
    task.build_all_requests(limit=N_DOCUMENTS)
    return [[instance.request_type, *instance.args] for instance in task.instances]


def prompts_hash(task: Any) -> str:
    """Return the hash of a task's first prompts."""
    text = json.dumps(first_prompts(task), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:N_DIGITS]
