"""The one door to lm-eval: its tasks are loaded here, and answered by models of ours.

Knows lm-eval's interfaces and refuses to know files of records, exports and reports. What a model
is asked, how choices become an accuracy and documents become bits per byte is lm-eval's own code.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

# One progress bar per task and step would bury ours; tqdm reads this when it is first imported.
os.environ.setdefault("TQDM_DISABLE", "1")

import lm_eval
from lm_eval.api.model import LM, TemplateLM
from lm_eval.tasks import TaskManager
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
from skald_specs.errors import UserInputError

from skald_harness.ngram import ByteNgram
from skald_harness.scorer import CausalScorer

#: lm-eval's own default; the tasks take no examples, so it changes nothing yet stands in the key.
FEWSHOT_SEED = 1234
LM_EVAL_VERSION = metadata.version("lm_eval")

#: A request's texts: (context, continuation), or (document,) for bits per byte.
Arguments = tuple[str, ...]


def load_tasks(folder: Path, names: Sequence[str], items: Path) -> dict[str, Any]:
    """Load tasks once, to be run for many models.

    Args:
        folder: The suite's folder of task files.
        names: The tasks.
        items: The folder with their items.

    Returns:
        lm-eval's task objects by name.
    """
    # Each task would warn that its data come from a function.
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    manager = TaskManager(
        include_path=str(folder), include_defaults=False, metadata={"items_dir": str(items)}
    )
    tasks: dict[str, Any] = manager.load(list(names))["tasks"]
    for task in tasks.values():
        task.set_fewshot_seed(seed=FEWSHOT_SEED)
    return tasks


def load_public(name: str) -> dict[str, Any]:
    """Load a task, group or tag of lm-eval's own; its data come from where the task says.

    Args:
        name: Such as `belebele_dan_Latn`.

    Returns:
        lm-eval's task objects by name.

    Raises:
        UserInputError: lm-eval has no such task, or it or its data cannot be loaded.
    """
    for noisy in ("lm_eval", "huggingface_hub"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    manager = TaskManager()
    if name not in manager.all_tasks:
        raise UserInputError(
            name,
            "no suite and no task of lm-eval",
            "Suites: `skald evals list`; tasks: `lm_eval ls tasks`",
        )
    try:
        tasks: dict[str, Any] = manager.load([name])["tasks"]
    except Exception as error:  # Tasks run code of their own, and hubs fail in many ways.
        raise _unloadable(name, error) from None
    return tasks


def item_texts(name: str, task: Any) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
    """Yield the documents that a task evaluates, in lm-eval's order, each with its texts.

    The texts are what a model must not have seen: every choice with its context, a prompt with its
    answers, or the document. Descriptions and examples of other items are left out.

    Args:
        name: For an error.
        task: A task of `load_tasks` or `load_public`.

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
            raise _unloadable(name, error) from None
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


def _unloadable(name: str, error: Exception) -> UserInputError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
    return UserInputError(
        name,
        f"cannot be loaded ({type(error).__name__}: {reason.rstrip('.')})",
        "Its data may need a network, a login or a cached copy: run it once with `lm_eval`, or leave "
        "it out",
    )


def run_task(task: Any, model: Any) -> list[dict[str, Any]]:
    """Run one task for one model.

    `lm_eval.evaluate` is what `simple_evaluate` calls after setting up; the set-up's survey of the
    environment starts processes and costs seconds for every model.

    Args:
        task: A task of `load_tasks`.
        model: One of this module's models.

    Returns:
        lm-eval's samples: per item the document, the requests, the responses and the metrics.
    """
    name = task.config.task
    results = lm_eval.evaluate(
        lm=model, task_dict={"tasks": {name: task}}, bootstrap_iters=0, log_samples=True
    )
    samples: list[dict[str, Any]] = results["samples"][name]
    return samples


def _no_generation() -> UserInputError:
    return UserInputError(
        "output_type", "generated answers are not scored", "Use a task that asks for likelihoods"
    )


class TokenLM(TemplateLM):  # type: ignore[misc]  # lm-eval has no type information
    """A causal model with its tokenizer, answering like lm-eval's own `hf` model.

    A continuation longer than the model's context, on which `hf` stops, is scored in windows like
    a document.

    Args:
        scorer: The network.
        tokenizer: A Hugging Face tokenizer; its begin-of-text token, or else its end-of-text
            token, conditions a text with no context.
    """

    def __init__(self, scorer: CausalScorer, tokenizer: Any) -> None:
        super().__init__()
        self._scorer, self.tokenizer = scorer, tokenizer
        self._encoded: dict[tuple[str, bool | None], list[int]] = {}

    @property
    def eot_token_id(self) -> int:
        """See `TemplateLM`."""
        return int(self.tokenizer.eos_token_id)

    @property
    def prefix_token_id(self) -> int:
        """The token that stands before a text with no context."""
        bos = self.tokenizer.bos_token_id
        return self.eot_token_id if bos is None else int(bos)

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, **_: Any
    ) -> list[int]:
        """Encode a text; None leaves special tokens to the tokenizer, as `hf` does."""
        key = (string, add_special_tokens)
        if key not in self._encoded:
            flag = {} if add_special_tokens is None else {"add_special_tokens": add_special_tokens}
            # Documents may be longer than the context: they are scored in windows.
            self._encoded[key] = self.tokenizer.encode(string, verbose=False, **flag)
        return self._encoded[key]

    def loglikelihood(
        self, requests: Sequence[Any], disable_tqdm: bool = True
    ) -> list[tuple[float, bool]]:
        """Return each continuation's log-probability in nats, and whether it is the greedy one."""
        answers: list[tuple[float, bool]] = super().loglikelihood(requests, disable_tqdm=True)
        return answers

    def _loglikelihood_tokens(
        self, requests: Sequence[tuple[Any, list[int], list[int]]], **_: Any
    ) -> list[tuple[float, bool]]:
        parts: list[tuple[list[int], list[int]]] = []
        counts = []
        for _text, context, continuation in requests:
            if not continuation:
                raise UserInputError("items", "a continuation has no tokens", "Lengthen it")
            long = len(continuation) > self._scorer.max_length
            windows = (
                self._windows(continuation, context[-1]) if long else [(context, continuation)]
            )
            parts += windows
            counts.append(len(windows))
        scores = iter(self._scorer.score(parts))
        answers = []
        for count in counts:
            mine = [next(scores) for _ in range(count)]
            answers.append((sum(s for s, _ in mine), all(greedy for _, greedy in mine)))
        return answers

    def _windows(self, tokens: list[int], prefix: int) -> list[tuple[list[int], list[int]]]:
        # Every token is predicted once, with as much context as fits (lm-eval's own windows).
        return [
            make_disjoint_window(window)
            for window in get_rolling_token_windows(tokens, prefix, self._scorer.max_length, 1)
        ]

    def loglikelihood_rolling(
        self, requests: Sequence[Any], disable_tqdm: bool = False
    ) -> list[float]:
        """Return each document's log-probability in nats."""
        windows = [
            self._windows(self.tok_encode(request.args[0]), self.prefix_token_id)
            for request in requests
        ]
        scores = iter(self._scorer.score([window for part in windows for window in part]))
        return [sum(next(scores)[0] for _ in part) for part in windows]

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """Refuse: nothing here compares generated text."""
        raise _no_generation()


class ByteLM(LM):  # type: ignore[misc]  # lm-eval has no type information
    """A byte n-gram model behind lm-eval's interface; contexts and texts are raw UTF-8."""

    def __init__(self, ngram: ByteNgram) -> None:
        super().__init__()
        self._ngram = ngram

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        """Return each continuation's log-probability in nats; greediness is not computed."""
        pairs = [request.args for request in requests]
        whole = self._ngram.log_probabilities([(c + t).encode("utf-8") for c, t in pairs])
        return [
            (float(values[len(context.encode("utf-8")) :].sum()), False)
            for values, (context, _) in zip(whole, pairs, strict=True)
        ]

    def loglikelihood_rolling(self, requests: Sequence[Any]) -> list[float]:
        """Return each document's log-probability in nats."""
        texts = [request.args[0].encode("utf-8") for request in requests]
        return [float(values.sum()) for values in self._ngram.log_probabilities(texts)]

    def generate_until(self, requests: Sequence[Any]) -> list[str]:
        """Refuse: nothing here compares generated text."""
        raise _no_generation()


class MissingAnswerError(Exception):
    """A recorded model was asked something that it has no answer to."""


class RecordedLM(LM):  # type: ignore[misc]  # lm-eval has no type information
    """Answers that were given before; `MissingAnswerError` where there is none.

    Args:
        answers: Log-probabilities in nats by the request's texts.
    """

    def __init__(self, answers: Mapping[Arguments, float]) -> None:
        super().__init__()
        self._answers = answers

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        """Return the recorded log-probabilities; greediness is not recorded."""
        return [(answer, False) for answer in self.loglikelihood_rolling(requests)]

    def loglikelihood_rolling(self, requests: Sequence[Any]) -> list[float]:
        """Return the recorded log-probabilities of documents."""
        try:
            return [self._answers[tuple(request.args)] for request in requests]
        except KeyError as error:
            raise MissingAnswerError(str(error)) from None

    def generate_until(self, requests: Sequence[Any]) -> list[str]:
        """Refuse: nothing here compares generated text."""
        raise _no_generation()
