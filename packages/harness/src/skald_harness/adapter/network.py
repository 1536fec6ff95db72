"""A causal language model behind lm-eval's interface and ours, scored by our own scorer.

Loading, tokenizers, chat templates and generation are those of lm-eval's `hf` model; only
log-probabilities are ours. Refuses to know tasks, records and how tokens are scored.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from lm_eval.api.registry import register_model
from lm_eval.models.huggingface import HFLM
from lm_eval.models.utils import has_bos_prefix, normalize_gen_kwargs
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
from skald_specs.errors import ClaimError, UserInputError
from tqdm import tqdm

from skald_harness.adapter.generation import generated
from skald_harness.scoring.questions import Answer, Question
from skald_harness.scoring.recheck import RecheckError, check, drawn
from skald_harness.scoring.requests import Request, Score
from skald_harness.scoring.scorer import Scorer

#: Texts generated at once. Standing: assumed.
GENERATED_AT_ONCE = 8
#: Tokens of texts longer than the context that are scored together. Standing: assumed.
DOCUMENT_TOKENS = 1 << 14
#: Encoded texts kept: a task's questions are encoded to part them and again to answer them.
REMEMBERED_TEXTS = 1 << 15

Remembered = dict[tuple[str, bool | None], list[int]]
#: Of one tokenizer: models evaluated together often share theirs.
_REMEMBERED: dict[str, Remembered] = {}

#: What answers one question: one request, or the windows of a text longer than the context.
Parts = tuple[Request, ...]


@register_model("skald")
class TrieLM(HFLM):  # type: ignore[misc]  # lm-eval has no type information
    """A causal model that answers like lm-eval's `hf`, and faster.

    Takes every argument of `hf`. Differs where `hf` stops: a continuation longer than the context
    is scored in windows like a document, and a task that does not say how much to generate gets
    half of a context too short for lm-eval's 256 tokens. Log-probabilities are always computed in
    32 bits. Implements `skald_harness.scoring.questions.Answerer`.

    Args:
        pretrained: A folder, a hub id, or a model that is loaded already.
        device: Such as `cuda:1`; by default the GPU, where there is one. A loaded model stays
            where it is.
        batch_size: Texts generated at once; log-probabilities do not depend on it.
        kv_bytes: Memory for keys and values; by default the scorer's own bound.
        arguments: The other arguments of `HFLM`.

    Raises:
        UserInputError: The model is not a causal one.
    """

    def __init__(
        self,
        pretrained: Any,
        *,
        device: str | None = None,
        batch_size: int | str = GENERATED_AT_ONCE,
        kv_bytes: int | None = None,
        **arguments: Any,
    ) -> None:
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        with _quiet(not isinstance(pretrained, str)):
            super().__init__(pretrained, device=device, batch_size=batch_size, **arguments)
        if self.backend != "causal":
            raise UserInputError(
                self._called, "not a causal language model", "Use lm-eval's own `--model hf`"
            )
        if self.tokenizer.pad_token_id >= self.config.get_text_config().vocab_size:
            # lm-eval has added one that has no weights; a text alone needs no padding.
            self.batch_size_per_gpu = 1
        # The tokenizer would warn of texts that are scored in windows.
        said = getattr(self.tokenizer, "deprecation_warnings", {})
        said["sequence-length-is-longer-than-the-specified-maximum"] = True
        self._remembered = _remembered_by(self)
        bound = {} if kv_bytes is None else {"kv_bytes": int(kv_bytes)}
        self._scorer = Scorer(self.model, self.max_length, **bound)

    @property
    def how(self) -> str:
        """How log-probabilities are computed: `tree`, or `plain: <why>`."""
        if self.mixed_precision_dtype is not None:
            return "plain: mixed precision is left to lm-eval"
        return self._scorer.how

    @property
    def _called(self) -> str:
        name = self.pretrained if isinstance(self.pretrained, str) else self.model.name_or_path
        return str(name) or type(self.model).__name__

    # Tokens.

    @property
    def eot_token_id(self) -> int:
        """The token that ends a text: the tokenizer's, or else the model's.

        Raises:
            UserInputError: Neither names one.
        """
        found = self.tokenizer.eos_token_id
        if found is None:
            found = self.model.config.eos_token_id
        if found is None:
            raise UserInputError(
                self._called,
                "neither tokenizer nor config.json names an end-of-text token",
                "Add `eos_token` to tokenizer_config.json",
            )
        return int(found[0] if isinstance(found, list) else found)

    @property
    def prefix_token_id(self) -> int:
        """The token that stands before a text with no context."""
        found = super().prefix_token_id
        return self.eot_token_id if found is None else int(found)

    @property
    def max_gen_toks(self) -> int:
        """Tokens to generate where a task does not say."""
        usual: int = super().max_gen_toks
        return usual if usual < self.max_length else self.max_length // 2

    def tok_encode(
        self,
        string: str,
        add_special_tokens: bool | None = None,
        left_truncate_len: int | None = None,
        **_: Any,
    ) -> list[int]:
        """Encode a text as `hf` does, remembering it."""
        key = (string, add_special_tokens)
        if key not in self._remembered:
            if len(self._remembered) >= REMEMBERED_TEXTS:
                self._remembered.clear()
            self._remembered[key] = super().tok_encode(*key)
        return self._remembered[key][-left_truncate_len if left_truncate_len else 0 :]

    def _encode(self, question: Question) -> Parts:
        if question.kind == "rolling":
            return self._windows(self.tok_encode(question.continuation), self.prefix_token_id)
        if question.context:
            return self._parts(*self._encode_pair(question.context, question.continuation))
        target = self.tok_encode(question.continuation, add_special_tokens=False)
        # As in lm-eval: a text that brings the prefix token is not given a second one.
        if target and target[0] == self.prefix_token_id:
            return self._parts(target[:1], target[1:])
        return self._parts([self.prefix_token_id], target)

    def _parts(self, condition: list[int], target: list[int]) -> Parts:
        if not target:
            problem = f"an answer after {self.tok_decode(condition)[-60:]!r} has no tokens"
            raise UserInputError("items", problem, "Write it out in its item")
        # Of a context of spaces nothing is left when lm-eval has moved them to the continuation.
        condition = condition or [self.prefix_token_id]
        if len(target) > self.max_length:
            return self._windows(target, condition[-1])
        return (Request(condition, target),)

    def _windows(self, tokens: list[int], prefix: int) -> Parts:
        # Every token is predicted once, with as much context as fits (lm-eval's own windows).
        windows = get_rolling_token_windows(tokens, prefix, self.max_length, 1)
        return tuple(Request(*make_disjoint_window(window)) for window in windows)

    # Log-probabilities.

    def _loglikelihood_tokens(
        self,
        requests: Sequence[tuple[Any, list[int], list[int]]],
        disable_tqdm: bool = False,
        **_: Any,
    ) -> list[tuple[float, bool]]:
        parts = [self._parts(*tokens) for _, *tokens in requests]
        found = [
            (float(answer.logprob_nats or 0.0), bool(answer.is_greedy))
            for answer in self._all(parts, disable_tqdm)
        ]
        for (texts, *_tokens), answer in zip(requests, found, strict=True):
            self.cache_hook.add_partial("loglikelihood", texts, answer)
        return found

    def loglikelihood_rolling(
        self, requests: Sequence[Any], disable_tqdm: bool = False
    ) -> list[float]:
        """Return each document's log-probability in nats."""
        questions = [Question("rolling", "", request.args[0]) for request in requests]
        answers = self._all([self._encode(question) for question in questions], disable_tqdm)
        found = [float(answer.logprob_nats or 0.0) for answer in answers]
        for request, answer in zip(requests, found, strict=True):
            self.cache_hook.add_partial("loglikelihood_rolling", request.args, answer)
        return found

    def _all(self, parts: Sequence[Parts], disable_tqdm: bool) -> list[Answer]:
        answers: dict[int, Answer] = {}
        silent = disable_tqdm or self.rank != 0
        with tqdm(total=len(parts), disable=silent, desc="Scoring requests") as bar:
            for unit in self._units(parts):
                answers |= zip(unit, self._scored([parts[i] for i in unit]), strict=True)
                bar.update(len(unit))
        return [answers[i] for i in range(len(parts))]

    def _units(self, parts: Sequence[Parts]) -> list[list[int]]:
        """Part questions into what is scored together: all indices, each once."""
        whole = [i for i, mine in enumerate(parts) if len(mine) == 1]
        units = [
            [whole[i] for i in unit] for unit in self._scorer.chunks([parts[i][0] for i in whole])
        ]
        # The windows of a text stay together, so that its sum is formed in one place.
        n_tokens = DOCUMENT_TOKENS
        for i, mine in enumerate(parts):
            if len(mine) != 1:
                if n_tokens >= DOCUMENT_TOKENS:
                    units.append([])
                    n_tokens = 0
                units[-1].append(i)
                n_tokens += _n_tokens(mine)
        return units

    def _scored(self, parts: Sequence[Parts]) -> list[Answer]:
        """Score some questions together, and a few of them a second time."""
        requests = [request for mine in parts for request in mine]
        scores = self._score(requests)
        again: dict[int, list[Score]] = {}
        if self.how.startswith("tree"):
            # What is beyond a tree's reach was scored plainly already.
            in_tree = [i for i, mine in enumerate(parts) if any(map(self._scorer.takes_tree, mine))]
            chosen = [in_tree[i] for i in drawn([parts[i][0] for i in in_tree])]
            plain = self._scorer.score_plainly([request for i in chosen for request in parts[i]])
            again = dict(zip(chosen, _by_part([parts[i] for i in chosen], plain), strict=True))
        answers = []
        for i, (mine, own) in enumerate(zip(parts, _by_part(parts, scores), strict=True)):
            if i in again:
                self._check(mine, own, again[i])
            answers.append(
                Answer(
                    logprob_nats=_total(own),
                    is_greedy=all(score.is_greedy for score in own),
                    n_tokens=_n_tokens(mine),
                    recheck_nats=_total(again[i]) if i in again else None,
                )
            )
        return answers

    def _score(self, requests: Sequence[Request]) -> list[Score]:
        if self.mixed_precision_dtype is None:
            return self._scorer.score(requests)
        tokens = [(None, *request) for request in requests]
        return [Score(*answer) for answer in super()._loglikelihood_tokens(tokens, True)]

    def _check(
        self, requests: Sequence[Request], scores: Sequence[Score], plain: Sequence[Score]
    ) -> None:
        try:
            check(requests, scores, plain, self._scorer)
        except RecheckError as error:
            raise ClaimError(f"{self._called}: {error}; these answers are not kept") from None

    # Questions of ours.

    def chunks(self, questions: Sequence[Question]) -> list[list[int]]:
        """See `Answerer`."""
        scored = [i for i, question in enumerate(questions) if question.kind != "generate"]
        units = self._units([self._encode(questions[i]) for i in scored])
        written = [i for i, question in enumerate(questions) if question.kind == "generate"]
        # Texts of one kind and length need the least padding.
        written.sort(key=lambda i: (questions[i].options, len(questions[i].context)))
        size = self.batch_size if isinstance(self.batch_size, int) else GENERATED_AT_ONCE
        return [
            *([scored[i] for i in unit] for unit in units),
            *(written[i : i + size] for i in range(0, len(written), size)),
        ]

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """See `Answerer`.

        Raises:
            UserInputError: A continuation has no tokens, or more is to be generated than fits.
            ClaimError: An answer that was scored twice differs beyond the tolerance.
        """
        scored = [i for i, question in enumerate(questions) if question.kind != "generate"]
        answers = self._scored([self._encode(questions[i]) for i in scored])
        found = dict(zip(scored, answers, strict=True))
        written = [i for i, question in enumerate(questions) if question.kind == "generate"]
        found |= zip(written, generated(self, [questions[i] for i in written]), strict=True)
        return [found[i] for i in range(len(questions))]

    # Texts.

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """Continue texts, by lm-eval's own code and transformers' cache of keys and values.

        Raises:
            UserInputError: More is to be generated than fits the context.
        """
        bos: dict[bool, list[int]] = {True: [], False: []}
        for i, request in enumerate(requests):
            context, options = request.args
            n_most = int(normalize_gen_kwargs(options, self.max_gen_toks)["max_gen_toks"])
            if n_most >= self.max_length:
                raise UserInputError(
                    "max_gen_toks",
                    f"{n_most} tokens to generate, but the context of {self._called} has "
                    f"{self.max_length}",
                    "Ask for fewer",
                )
            # lm-eval looks at a batch's first text for a begin-of-text token, and judges all by it.
            bos[has_bos_prefix(context, self.tokenizer.bos_token)].append(i)
        texts: dict[int, str] = {}
        for mine in filter(None, bos.values()):
            found = super().generate_until([requests[i] for i in mine], disable_tqdm)
            texts |= zip(mine, found, strict=True)
        return [texts[i] for i in range(len(requests))]

    # Chat templates.

    def chat_template(self, chat_template: bool | str = False) -> str | None:
        """Return the template that is asked for: True for the model's, or its name.

        Raises:
            UserInputError: The model has none.
        """
        if not chat_template:
            return None
        self._need_template()
        return str(super().chat_template(chat_template))

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """Render a conversation as `hf` does.

        Raises:
            UserInputError: The model has no template.
        """
        self._need_template()
        return str(super().apply_chat_template(chat_history, add_generation_prompt))

    def _need_template(self) -> None:
        if not self.tokenizer.chat_template:
            raise UserInputError(
                self._called,
                "its tokenizer has no chat template",
                "Ask it without one, or name an instruction-tuned model",
            )

    def chat_template_sha256(self, chat_template: bool | str = False) -> str | None:
        """Return the hash of the template that is asked for, None where none is.

        Raises:
            UserInputError: The model has none.
        """
        found = self.chat_template(chat_template)
        return None if found is None else hashlib.sha256(found.encode("utf-8")).hexdigest()


def _remembered_by(model: TrieLM) -> Remembered:
    """Return the encoded texts of the tokenizer last used, if this model's encodes alike."""
    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    if backend is None:
        return {}
    key = repr((model.add_bos_token, model.prefix_token_id, backend.to_str()))
    if key not in _REMEMBERED:
        _REMEMBERED.clear()
    return _REMEMBERED.setdefault(key, {})


def _by_part(parts: Sequence[Parts], scores: Sequence[Score]) -> list[list[Score]]:
    left = iter(scores)
    return [[next(left) for _ in mine] for mine in parts]


def _total(scores: Sequence[Score]) -> float:
    return sum((score.logprob_nats for score in scores), 0.0)


def _n_tokens(parts: Parts) -> int:
    return sum(len(request.target) for request in parts)


@contextmanager
def _quiet(quiet: bool) -> Iterator[None]:
    """Keep lm-eval from warning that a loaded model is used as it is."""
    logger = logging.getLogger(HFLM.__module__)
    level = logger.level
    logger.setLevel(logging.ERROR if quiet else level)
    try:
        yield
    finally:
        logger.setLevel(level)
