"""Runs of a data ablation: train small models on several corpora, score each on the same items.

Knows plans, corpora and texts; refuses to know which corpus is meant to be better. A finished run
is kept and not repeated.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import as_completed
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from skald_process.progress import tracked
from skald_process.stopping import ignoring_interrupts
from skald_specs.ablation import AblationItem, AblationRun
from skald_specs.corpus import END_OF_TEXT_ID
from skald_specs.errors import ClaimError
from skald_specs.files import read_by_library, read_jsonl, sha256_file, write_json
from skald_specs.plan import Plan
from tokenizers import Tokenizer

from skald_trainer.loader import IGNORED
from skald_trainer.origin import origin_of
from skald_trainer.run import choose_device
from skald_trainer.sweep import resident_workers, train_alone

if TYPE_CHECKING:
    from skald_mup.model import Decoder

#: Padded tokens of a scoring batch.
_BATCH_TOKENS = 4096


class Job(NamedTuple):
    """One run: a one-process plan, and the folder of the corpus it was made for."""

    plan: Plan
    corpus: Path

    @property
    def called(self) -> str:
        """What lines about it say."""
        return f"{self.corpus} seed {self.plan.identity.model_seed}"


def run_ablation(jobs: Sequence[Job], items: Path, kept: Path) -> list[AblationRun]:
    """Train every job and score it on the items.

    Args:
        jobs: The runs.
        items: `AblationItem` rows, one a line.
        kept: Folder of finished runs; what it has is not repeated.

    Returns:
        The runs, in the order of the jobs.

    Raises:
        ClaimError: A run diverged. The others are kept.
    """
    asked = sha256_file(items)[:16]
    files = [kept / f"{_key(job.plan)}-{asked}.json" for job in jobs]
    # Two corpora of the same tokens are one run.
    todo = {file: job for file, job in zip(files, jobs, strict=True) if not file.is_file()}
    if todo:
        _train_all(todo, items)
    runs = [AblationRun.load(file) for file in files]
    for job, run in zip(jobs, runs, strict=True):
        if run.bits is None:
            raise ClaimError(
                f"{job.called}: the loss is no number; lower optimizer.base_lr of the recipe "
                "and run again"
            )
    return runs


def _key(plan: Plan) -> str:
    return f"{plan.fingerprint[:16]}-{origin_of(plan).code_fingerprint[:16]}"


def _train_all(todo: dict[Path, Job], items: Path) -> None:
    plan = next(iter(todo.values())).plan
    cores = len(os.sched_getaffinity(0)) // plan.execution.threads_per_process
    workers = 1 if choose_device(plan) == "cuda" else max(1, min(len(todo), cores))
    with resident_workers(workers) as pool:
        with ignoring_interrupts():
            futures = {
                pool.submit(ablation_run, job.plan.model_dump_json(), job.corpus, items): file
                for file, job in todo.items()
            }
        over = tracked(as_completed(futures), "runs", len(todo))
        for done, future in enumerate(over, start=1):
            file, run = futures[future], future.result()
            write_json(file, run.model_dump(mode="json"))
            state = "diverged" if run.bits is None else "done"
            print(f"ablate {done}/{len(todo)}  {todo[file].called}  {state}", flush=True)


def ablation_run(plan_json: str, corpus: Path, items: Path) -> AblationRun:
    """Train one plan in this process and score its model.

    Args:
        plan_json: The plan, as JSON (it crosses a process border).
        corpus: Folder of the built corpus.
        items: `AblationItem` rows, one a line.

    Returns:
        -log2 of the probability of every text.
    """
    from skald_mup.model import Decoder

    plan = Plan.model_validate_json(plan_json)
    identity = plan.identity
    asked = [AblationItem.model_validate(row) for row in read_jsonl(items)]
    with read_by_library(corpus / "tokenizer.json", "no tokenizer", "Build the corpus again"):
        tokenizer = Tokenizer.from_file(str(corpus / "tokenizer.json"))
    # As the corpus was written: text that spells a special token out stays text.
    tokenizer.encode_special_tokens = True
    encoded = tokenizer.encode_batch_fast([text for item in asked for text in item.texts])
    weights = {}
    train_alone(plan, corpus, lambda trainer: weights.update(trainer.full_weights()))
    answers: list[float] = []
    if weights:
        decoder = Decoder(identity.model, identity.multipliers).to(choose_device(plan))
        decoder.load_weights(weights)
        answers = text_bits(decoder, [e.ids for e in encoded], identity.model.seq_len)
    if not answers or not all(map(math.isfinite, answers)):
        return AblationRun(schema_version=1, plan_fingerprint=plan.fingerprint, bits=None)
    left = iter(answers)
    bits = tuple(tuple(next(left) for _ in item.texts) for item in asked)
    return AblationRun(schema_version=1, plan_fingerprint=plan.fingerprint, bits=bits)


def text_bits(decoder: Decoder, texts: Sequence[Sequence[int]], seq_len: int) -> list[float]:
    """Return -log2 of the probability of texts, each from the beginning of a document.

    A text longer than the context is cut into windows of `seq_len`, as validation text is: the
    first token of a window sees one token before it.

    Args:
        decoder: The model.
        texts: Token ids of each text, the end-of-text token left out: its bits are no text's.
        seq_len: The model's context, in tokens.
    """
    import torch
    from torch.nn import functional as F

    windows = [
        (at, [END_OF_TEXT_ID, *ids[:-1]][start : start + seq_len], ids[start : start + seq_len])
        for at, ids in enumerate(texts)
        for start in range(0, len(ids), seq_len)
    ]
    windows.sort(key=lambda window: -len(window[2]))
    nats, device = [0.0] * len(texts), next(decoder.parameters()).device
    first = 0
    with torch.inference_mode():
        while first < len(windows):
            width = len(windows[first][2])
            batch = windows[first : first + max(1, _BATCH_TOKENS // width)]
            first += len(batch)
            inputs_BT = torch.tensor(
                [x + [END_OF_TEXT_ID] * (width - len(x)) for _, x, _ in batch], device=device
            )
            labels_BT = torch.tensor(
                [[*y, *[IGNORED] * (width - len(y))] for _, _, y in batch], device=device
            )
            losses_BT = F.cross_entropy(
                decoder(inputs_BT).float().transpose(1, 2),
                labels_BT,
                ignore_index=IGNORED,
                reduction="none",
            )
            for (at, _, _), loss in zip(batch, losses_BT.double().sum(1).tolist(), strict=True):
                nats[at] += loss
    return [value / math.log(2) for value in nats]
