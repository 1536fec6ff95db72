"""lm-eval's tasks: loaded and rendered.

What a model is asked, how choices become an accuracy and documents become bits per byte is lm-eval's
own code. Refuses to know files of records, exports and reports.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from lm_eval.tasks import TaskManager
from skald_specs.errors import UserInputError

from skald_harness.tasks.suites import require_trusted

#: lm-eval's own default; the tasks take no examples, so it changes nothing yet stands in the key.
FEWSHOT_SEED = 1234
LM_EVAL_VERSION = metadata.version("lm_eval")


def load_tasks(folder: Path, names: Sequence[str], items: Path) -> dict[str, Any]:
    """Load tasks once, to be run for many models.

    Args:
        folder: The suite's folder of task files.
        names: The tasks.
        items: The folder with their items.

    Returns:
        lm-eval's task objects by name.

    Raises:
        UserInputError: Nobody has vouched for the suite.
    """
    require_trusted(folder)
    # Each task would warn that its data come from a function.
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    manager = TaskManager(
        include_path=str(folder), include_defaults=False, metadata={"items_dir": str(items)}
    )
    tasks: dict[str, Any] = manager.load(list(names))["tasks"]
    for task in tasks.values():
        task.set_fewshot_seed(seed=FEWSHOT_SEED)
    return tasks


def item_texts(name: str, task: Any) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
    """Yield the documents that a task evaluates, in lm-eval's order, each with its texts.

    The texts are what a model must not have seen: every choice with its context, a prompt with its
    answers, or the document. Descriptions and examples of other items are left out.

    Args:
        name: For an error.
        task: A task of `load_tasks` or of `adapter.public`.

    Raises:
        UserInputError: The task's code fails on a document.
    """
    documents = iter(task.eval_docs)
    while True:
        try:
            document = next(documents)
            texts = _texts(task, document)
        except StopIteration:
            return
        except Exception as error:  # A task's templates and functions may raise anything.
            raise unloadable(name, error) from None
        yield document, tuple(dict.fromkeys(text for text in texts if text.strip()))


def _texts(task: Any, document: dict[str, Any]) -> list[str]:
    target = task.doc_to_target(document)
    if task.OUTPUT_TYPE == "loglikelihood_rolling":
        return [str(target)]
    context, between = task.doc_to_text(document), task.config.target_delimiter
    if task.OUTPUT_TYPE == "multiple_choice":
        choices = [str(choice) for choice in task.doc_to_choice(document)]
        # Where the context is a number, it is that of the right one among contexts.
        if isinstance(context, int):
            return [f"{choice}{between}{target}" for choice in choices]
        return [f"{context}{between}{choice}" for choice in choices]
    answers = target if isinstance(target, list) else [target]
    return [f"{context}{between}{answer}" for answer in answers]


def unloadable(name: str, error: Exception) -> UserInputError:
    """Say in one line that a task of lm-eval fails, with the first line of its error.

    Args:
        name: The task's, as it was asked for.
        error: Whatever was raised while it was loaded.
    """
    reason = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
    return UserInputError(
        name,
        f"cannot be loaded ({type(error).__name__}: {reason.rstrip('.')})",
        "Its data may need a network, a login or a cached copy: run it once with `lm_eval`, or leave "
        "it out",
    )
