"""What `bench -- train` compares: three trainers of one model, each a process that waits its turn.

A trainer takes steps for as long as it is given batches. Here the batch is where it waits: asked for
one more than it was granted, it reports what the last ones took and sleeps until its next turn. So
start-up stays out of every figure, trainers take turns on one machine within one run, and each is
driven by its own loop, untouched.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import itertools
import multiprocessing
import time
import traceback
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from _machine import forget_peak, peak_bytes, resident_bytes
from skald_specs.corpus import CorpusManifest
from skald_specs.plan import Plan

#: The file in a peer's folder that has its losses, a step a line.
LOSSES = "losses.txt"
_SECONDS_TO_END = 20.0


class Turn(NamedTuple):
    """What some steps of one process took."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int


class TrainerFailed(Exception):  # noqa: N818 - says what happened
    """A trainer cannot go on; says why in a line."""


class _Over(Exception):  # noqa: N818 - an end, not an error
    """No more turns."""


class Pace:
    """The waiting side: call `ready` once imports are done, and `step` before every step."""

    def __init__(self, pipe: Connection, on_gpu: bool) -> None:
        self._pipe, self._on_gpu, self._left = pipe, on_gpu, 0
        self._resident_bytes = 0
        self._since: tuple[float, float] | None = None

    def ready(self) -> None:
        """Count memory from here on: what libraries take is no part of training."""
        # Optimizers import it with their first step, which takes 60 MB.
        importlib.import_module("torch._dynamo")
        gc.collect()
        forget_peak()
        self._resident_bytes = resident_bytes()
        if self._on_gpu:
            cuda = importlib.import_module("torch").cuda
            cuda.init()
            cuda.reset_peak_memory_stats()

    def step(self) -> None:
        """Return when there is a step to take.

        Raises:
            _Over: There is none any more.
        """
        if self._left == 0:
            if self._since is not None:
                self._report(*self._since)
            try:
                self._left = self._pipe.recv()
            except EOFError:
                raise _Over from None
            if self._left == 0:
                raise _Over
            self._since = _clocks()
        self._left -= 1

    def _report(self, wall_since: float, cpu_since: float) -> None:
        cuda = importlib.import_module("torch").cuda if self._on_gpu else None
        if cuda is not None:
            # Steps that were asked for are not yet steps that were taken.
            cuda.synchronize()
        wall, cpu = _clocks()
        resident = peak_bytes() - self._resident_bytes
        peak = resident if cuda is None else cuda.max_memory_allocated()
        self._pipe.send(Turn(wall - wall_since, cpu - cpu_since, peak))


def _clocks() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


class Trainer:
    """The granting side: the processes of one trainer, one for each rank.

    Args:
        work: Called in each process as `work(pace, rank, plan_json, folder)`.
        plan: What to train; its layout says how many processes.
        folder: Where the corpus lies in `corpus/`; what the trainer writes goes to `name`'s folder.
        name: Of this trainer.
    """

    def __init__(self, work: Callable[..., None], plan: Plan, folder: Path, name: str) -> None:
        context = multiprocessing.get_context("spawn")
        self.name, self.root = name, folder / name
        self.root.mkdir()
        self._ranks, self._pipes = [], []
        for rank in range(plan.execution.world_size):
            ours, theirs = context.Pipe()
            arguments = (work, theirs, rank, plan.model_dump_json(), folder / "corpus", self.root)
            process = context.Process(target=_paced, args=arguments, daemon=True)
            process.start()
            theirs.close()
            self._ranks.append(process)
            self._pipes.append(ours)

    def take(self, n_steps: int, limit_seconds: float | None = None) -> list[Turn]:
        """Have every rank take some steps.

        Args:
            n_steps: How many.
            limit_seconds: How long they may take; None: for ever.

        Returns:
            What they took, by rank.

        Raises:
            TrainerFailed: A rank died or did not answer in time.
        """
        for pipe in self._pipes:
            with contextlib.suppress(BrokenPipeError):
                pipe.send(n_steps)
        return [self._answer(pipe, limit_seconds) for pipe in self._pipes]

    def _answer(self, pipe: Connection, limit_seconds: float | None) -> Turn:
        if not pipe.poll(limit_seconds):
            raise TrainerFailed(f"no answer in {limit_seconds:.0f} s")
        try:
            answer: Turn | str = pipe.recv()
        except EOFError:
            answer = "died without a word"
        if isinstance(answer, str):
            raise TrainerFailed(answer)
        return answer

    def end(self) -> None:
        """End the processes; one that does not end by itself is ended."""
        for pipe in self._pipes:
            with contextlib.suppress(BrokenPipeError):
                pipe.send(0)
        for process in self._ranks:
            process.join(_SECONDS_TO_END)
            if process.is_alive():
                process.kill()
                process.join()


def _paced(
    work: Callable[..., None], pipe: Connection, rank: int, plan_json: str, corpus: Path, root: Path
) -> None:
    plan = Plan.model_validate_json(plan_json)
    try:
        work(Pace(pipe, plan.execution.device == "cuda"), rank, plan, corpus, root)
    except _Over:
        return
    except Exception as error:
        traceback.print_exc()
        said = str(error).strip().splitlines() or [""]
        pipe.send(f"{type(error).__name__}: {said[0]}")


def nanotron(pace: Pace, rank: int, plan: Plan, corpus: Path, root: Path) -> None:
    """`skald train`: what one of its ranks runs, log included."""
    from skald_trainer.bridge import patches
    from skald_trainer.loader import TrainingData
    from skald_trainer.rank import train_rank
    from skald_trainer.run import choose_device

    patches.apply(choose_device(plan))
    import skald_trainer.bridge.trainer  # noqa: F401 - imported before memory is counted

    read, n_calls = TrainingData.micro_batch, itertools.count()

    @functools.wraps(read)
    def paced(*args: Any, **kwargs: Any) -> Any:
        if next(n_calls) % plan.grad_accum_steps == 0:
            pace.step()
        return read(*args, **kwargs)

    TrainingData.micro_batch = paced  # type: ignore[method-assign]  # meant: it paces us
    meeting = root / "rendezvous"
    pace.ready()
    train_rank(rank, plan.execution.world_size, meeting, plan.model_dump_json(), corpus, root, None)


def plain(pace: Pace, rank: int, plan: Plan, corpus: Path, root: Path) -> None:
    """A torch loop by hand: the same model, parameter groups, clipping, schedule and batches."""
    import torch
    from skald_mup.init import initial_weights
    from skald_mup.model import Decoder
    from skald_mup.names import tensor_kind
    from skald_trainer.loader import TrainingData
    from torch.nn import functional as F
    from torch.optim.lr_scheduler import LambdaLR
    from torch.utils.checkpoint import checkpoint

    identity, run, settings = plan.identity, plan.execution, plan.identity.optimizer
    torch.set_num_threads(run.threads_per_process)
    data = TrainingData(plan, corpus, CorpusManifest.load(corpus / "corpus.json"))
    pace.ready()
    with torch.device(run.device):
        model = Decoder(identity.model, identity.multipliers)
    # On a GPU only speed is compared, and drawing billions of weights on the CPU takes a minute.
    if run.device == "cpu":
        model.load_weights(initial_weights(identity))
    if run.activation_checkpointing:
        for block in model.layers:
            block.forward = functools.partial(checkpoint, block.forward, use_reentrant=False)
    if run.compile_blocks:
        model.compile(dynamic=False)
    groups: dict[tuple[float, float, float], list[torch.nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        rule = identity.rules[tensor_kind(name)]
        groups.setdefault((rule.lr, rule.eps, rule.weight_decay), []).append(parameter)
    optimizer = torch.optim.AdamW(
        [
            {"params": params, "lr": lr, "eps": eps, "weight_decay": decay}
            for (lr, eps, decay), params in sorted(groups.items(), key=lambda item: item[0])
        ],
        betas=(settings.beta1, settings.beta2),
        fused=True,
    )
    scheduler = LambdaLR(optimizer, lambda taken: identity.schedule.factor(taken + 1))
    parameters = list(model.parameters())

    def mean_nats(ids_BT: torch.Tensor, labels_BT: torch.Tensor) -> torch.Tensor:
        # The decoder computes (T, B, V); its loss in that order needs no copy of the logits, and a
        # function of its own lets go of them.
        with torch.autocast(run.device, torch.bfloat16, enabled=identity.dtype == "bfloat16"):
            logits_TBV = model(ids_BT).transpose(0, 1)
            return F.cross_entropy(logits_TBV.flatten(0, 1), labels_BT.T.flatten())

    n_micro, count = plan.grad_accum_steps, run.micro_batch_sequences
    with (root / LOSSES).open("w") as losses:
        for step in range(1, identity.schedule.n_steps.value + 1):
            pace.step()
            total = torch.zeros((), device=run.device)
            for micro in range(n_micro):
                batch = data.micro_batch(step, micro * count, count)
                loss = mean_nats(*(torch.from_numpy(part.copy()).to(run.device) for part in batch))
                (loss / n_micro).backward()  # type: ignore[no-untyped-call]  # torch's
                total += loss.detach() / n_micro
            torch.nn.utils.clip_grad_norm_(parameters, settings.grad_clip)
            optimizer.step()
            optimizer.zero_grad()
            scheduler.step()
            print(total.item(), file=losses, flush=True)


def huggingface(pace: Pace, rank: int, plan: Plan, corpus: Path, root: Path) -> None:
    """`transformers.Trainer` on the exported Llama: fused AdamW, no evaluation, no report."""
    import torch
    from skald_mup.fold import fold
    from skald_mup.huggingface import config_of, hf_name
    from skald_mup.init import initial_weights
    from skald_trainer.loader import TrainingData
    from torch.utils.data import IterableDataset
    from transformers import (
        LlamaConfig,
        LlamaForCausalLM,
        PrinterCallback,
        TrainerCallback,
        TrainingArguments,
    )
    from transformers import Trainer as HuggingFaceTrainer

    identity, run, settings = plan.identity, plan.execution, plan.identity.optimizer
    torch.set_num_threads(run.threads_per_process)
    data = TrainingData(plan, corpus, CorpusManifest.load(corpus / "corpus.json"))

    class Rows(IterableDataset[dict[str, torch.Tensor]]):
        def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
            for step in range(1, identity.schedule.n_steps.value + 1):
                inputs, _ = data.micro_batch(step, 0, plan.batch_sequences)
                for row in torch.from_numpy(inputs.copy()):
                    yield {"input_ids": row, "labels": row}

    class Paced(TrainerCallback):  # type: ignore[misc]  # transformers is untyped
        def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
            pace.step()

    class Logged(TrainerCallback):  # type: ignore[misc]  # transformers is untyped
        def on_log(self, *args: Any, logs: dict[str, float], **kwargs: Any) -> None:
            if "loss" in logs:
                with (root / LOSSES).open("a") as losses:
                    print(logs["loss"], file=losses)

    # Named only where it is wanted: newer releases call it otherwise and warn.
    recompute = {"gradient_checkpointing": True} if run.activation_checkpointing else {}
    arguments = TrainingArguments(
        output_dir=str(root),
        per_device_train_batch_size=run.micro_batch_sequences,
        gradient_accumulation_steps=plan.grad_accum_steps,
        torch_compile=run.compile_blocks,
        bf16=identity.dtype == "bfloat16",
        max_steps=identity.schedule.n_steps.value,
        learning_rate=settings.base_lr.value,
        lr_scheduler_type="constant",
        adam_beta1=settings.beta1,
        adam_beta2=settings.beta2,
        max_grad_norm=settings.grad_clip,
        optim="adamw_torch_fused",
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=run.device == "cpu",
        **recompute,
    )
    pace.ready()
    with torch.device(run.device):
        model = LlamaForCausalLM(LlamaConfig(**config_of(identity.model)))
    if run.device == "cpu":
        folded = fold(identity, initial_weights(identity))
        model.load_state_dict({hf_name(name): tensor for name, tensor in folded.weights.items()})
    trainer = HuggingFaceTrainer(
        model=model, args=arguments, train_dataset=Rows(), callbacks=[Paced(), Logged()]
    )
    # It prints every step's loss otherwise.
    trainer.remove_callback(PrinterCallback)
    trainer.train()
