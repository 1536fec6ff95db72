"""What a step of a real run allocates: storages counted, autograd's counted, the allocator's peak."""

from __future__ import annotations

import gc
import json
import time
import weakref
from pathlib import Path
from typing import Any, NamedTuple

import torch
from skald_specs.corpus import CorpusManifest
from skald_specs.plan import Plan
from skald_trainer.loader import TrainingData
from skald_trainer.run import drive
from torch.utils._pytree import tree_map_only

#: The step that is looked at: the second, when gradients and optimizer states have their place.
STEP = 2


class MemoryJob(NamedTuple):
    """One run of a launch; what each rank measured goes to `<name>.<rank>.json` in the folder."""

    plan_json: str
    folder: Path


class Kept:
    """Counts the distinct storages that autograd keeps, parameters aside, and their maximum."""

    def __init__(self, parameters: set[int]) -> None:
        self.parameters, self.live, self.uses, self.most = parameters, 0, {}, 0
        self.hooks = torch.autograd.graph.saved_tensors_hooks(self.pack, lambda box: box.tensor)

    def pack(self, tensor: torch.Tensor) -> Any:
        box, storage = Box(tensor), tensor.untyped_storage()
        key, size = storage.data_ptr(), storage.nbytes()
        if key not in self.parameters:
            self.live += 0 if self.uses.get(key) else size
            self.uses[key] = self.uses.get(key, 0) + 1
            self.most = max(self.most, self.live)
            weakref.finalize(box, self.drop, key, size)
        return box

    def count_loss(self) -> None:
        """Count the logits, too: our loss keeps them by itself, their gradient stands in them."""
        from skald_trainer.bridge import model

        original = model.mean_nats

        def counted(logits_MV: torch.Tensor, labels_M: torch.Tensor) -> torch.Tensor:
            loss = original(logits_MV, labels_M)
            # Held as long as the node of the graph is.
            loss.grad_fn.metadata["kept"] = self.pack(logits_MV.detach())
            return loss

        model.mean_nats = counted
        self.restore = lambda: setattr(model, "mean_nats", original)

    def drop(self, key: int, size: int) -> None:
        self.uses[key] -= 1
        self.live -= 0 if self.uses[key] else size


class Box:
    """Holds a saved tensor; dies with the node that saved it."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor


def storages(tensors: Any) -> dict[int, int]:
    found = (t.untyped_storage() for t in tensors if t is not None)
    return {s.data_ptr(): s.nbytes() for s in found}


class Probe:
    """Looks at one rank: hooks into steps, the optimizer and the allocator."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}
        self.kept: Kept | None = None
        self.window: tuple[int, int] = (0, 0)

    def on_step(self, trainer: Any, step: int, loss: float | None, seconds: float) -> None:
        if step == STEP - 1:
            self.parameters = storages(trainer.unwrapped_model.parameters())
            self.kept = Kept(set(self.parameters))
            trainer.optimizer.get_base_optimizer().register_step_pre_hook(
                lambda *args: self.count(trainer)
            )
            gc.collect()
            self.began = time.time_ns()
            self.kept.count_loss()
            self.kept.hooks.__enter__()
        elif step == STEP:
            self.kept.hooks.__exit__()
            self.kept.restore()
            self.window = self.began, time.time_ns()
            state = trainer.optimizer.get_base_optimizer().state.values()
            moments = storages(t for of in state for t in of.values() if torch.is_tensor(t))
            held = getattr(trainer.grad_accumulator, "parameters", {}).values()
            copies = storages(each["fp32"] for each in held)
            self.found |= {
                "parameters": sum(self.parameters.values()),
                "optimizer": sum({**moments, **copies}.values()),
                "activations": self.kept.most,
                "stage": int(torch.distributed.get_rank(trainer.parallel_context.pp_pg)),
                "parts": [
                    name
                    for name, module in trainer.unwrapped_model.named_modules()
                    if hasattr(module, "pp_block") and module.rank == self_rank(trainer)
                ],
            }

    def count(self, trainer: Any) -> None:
        accumulator, model = trainer.grad_accumulator, trainer.unwrapped_model
        grads = storages(
            (p.grad for p in model.parameters())
            if accumulator is None
            else (each["fp32_grad"] for each in accumulator.fp32_grad_buffers.values())
        )
        buckets = 0
        if hasattr(trainer.model, "reducer"):
            zeros = trainer.model.reducer._get_zeros_like_grad_buckets()
            buckets = sum(storages(bucket.buffer() for bucket in zeros).values())
        self.found["gradients"] = sum(grads.values()) + buckets


def self_rank(trainer: Any) -> int:
    return int(torch.distributed.get_rank(trainer.parallel_context.pp_pg))


def peak_in(window: tuple[int, int], profiler: Any) -> int:
    """Return the most bytes that torch's CPU allocator had out at once in a window of time.

    Addresses are followed one by one: what an earlier run allocated may be freed in this one. What
    DDP flattens when it is made, to send it, gloo's thread lets go of, often where the profiler
    does not see it.
    """
    roots = profiler.profiler.kineto_results.experimental_event_tree()
    changes, live, total, most = [], {}, 0, 0
    while roots:
        event = roots.pop()
        if event.name == "aten::flatten_dense_tensors":
            continue
        roots.extend(event.children)
        if event.tag == torch._C._profiler._EventType.Allocation:
            fields = event.extra_fields
            changes.append((event.start_time_ns, fields.ptr, fields.alloc_size))
    for at, address, size in sorted(changes, key=lambda change: change[0]):
        total -= live.pop(address, 0)
        if size > 0:
            live[address] = size
            total += size
        if window[0] <= at <= window[1]:
            most = max(most, total)
    return most


class Done:
    """The handle of a collective that is over."""

    def wait(self) -> None:
        pass


def keep_collectives_out() -> None:
    """Give gloo copies on memory that is not torch's.

    Its threads let go of tensors at their own time, and the profiler sees this thread only: what
    they free would seem to live on.
    """
    for name in ("all_reduce", "all_gather", "all_gather_into_tensor", "reduce_scatter_tensor"):
        setattr(torch.distributed, name, elsewhere(getattr(torch.distributed, name)))


def elsewhere(original: Any) -> Any:
    @torch.no_grad()
    def call(*args: Any, async_op: bool = False, **kwargs: Any) -> Any:
        pairs: list[tuple[torch.Tensor, torch.Tensor]] = []

        def copy(tensor: torch.Tensor) -> torch.Tensor:
            memory = bytearray(tensor.numel() * tensor.element_size())
            pairs.append((tensor, torch.frombuffer(memory, dtype=tensor.dtype).view(tensor.shape)))
            return pairs[-1][1].copy_(tensor)

        args, kwargs = tree_map_only(torch.Tensor, copy, (args, kwargs))
        original(*args, **kwargs)
        for tensor, result in pairs:
            # What was only read may be kept by autograd, which would take a copy for a change.
            if not torch.equal(tensor, result):
                tensor.copy_(result)
        return Done() if async_op else None

    return call


def measure_each(
    rank: int, world_size: int, rendezvous: Path, jobs: list[MemoryJob], corpus: Path
) -> None:
    """Run several plans one after another and write what each took on this rank."""
    if world_size > 1:
        # Before nanotron is imported: it takes torch's functions by name.
        keep_collectives_out()
    for number, job in enumerate(jobs):
        plan, probe = Plan.model_validate_json(job.plan_json), Probe()
        data = TrainingData(plan, corpus, CorpusManifest.load(corpus / "corpus.json"))
        meeting = rendezvous.with_name(f"{rendezvous.name}-{number}")
        activities = [torch.profiler.ProfilerActivity.CPU]
        with torch.profiler.profile(activities=activities, profile_memory=True) as profiler:
            drive(rank, world_size, meeting, plan, data, probe.on_step)
        probe.found["peak"] = peak_in(probe.window, profiler)
        job.folder.mkdir(parents=True, exist_ok=True)
        (job.folder / f"{plan.name}.{rank}.json").write_text(json.dumps(probe.found))
        del profiler, probe
        gc.collect()
