"""What nanotron 0.4 needs to run on torch 2.13 and on a CPU, one row a patch.

The wheel (March 2024) cannot be imported as shipped and hard-codes CUDA. Each row names the symbol,
when it applies and why; a test asserts that every symbol still exists. P rows apply always, C rows
on a CPU only, S rows wherever a process group has one member (see `alone`). C0 (the gloo group) and
C9 (no all-reduce over fresh weights) need no patch: the group is made before nanotron looks, and the
trainer subclass draws weights identically everywhere.
"""

from __future__ import annotations

import functools
import importlib
import logging
import sys
import types
import warnings
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Literal, NamedTuple

import torch

NANOTRON_VERSION = "0.4"


class Patch(NamedTuple):
    """One override: `target` is `module:attribute.path`."""

    id: str
    target: str
    when: Literal["always", "cpu"]
    reason: str


PATCHES: tuple[Patch, ...] = (
    Patch("P1", "nanotron.logging:log_rank", "always",
          "circular import of nanotron.logging and nanotron.config"),
    Patch("P2", "nanotron.models.llama:LlamaForTraining", "always",
          "imports flash_attn, which we never use and newer releases break"),
    Patch("P2", "nanotron.models.starcoder2:Starcoder2ForTraining", "always",
          "imports flash_attn, which we never use and newer releases break"),
    Patch("P3", "nanotron.serialize.metadata:TensorMetadata.to_str_dict", "always",
          "numpy 2 prints np.int64(128) into the metadata, which nanotron cannot read back"),
    Patch("P4", "nanotron.trainer:DistributedTrainer.post_init", "always",
          "the learning rate of the first resumed step is wrong; the subclass sets groups itself"),
    Patch("P5", "nanotron.parallel.tensor_parallel.functional:_RowLinearAsyncCommunication.backward",
          "always", "wrong gradients of overlapped row-parallel layers (see `overlap`)"),
    Patch("P6", "nanotron.trainer:clip_grad_norm", "always",
          "a sum in fp32 that every layout takes in another order (see `clipping`), and three small "
          "operations for each parameter where one call takes the whole list"),
    Patch("P7", "nanotron.distributed:new_group", "always",
          "its groups get torch's time-out, 10 minutes on a GPU, whatever the run's is"),
    Patch("C1", "nanotron.parallel.context:ParallelContext.set_device", "cpu",
          "calls torch.cuda.set_device"),
    Patch("C2", "nanotron.helpers:get_synced_random_state", "cpu",
          "broadcasts through device cuda; every rank is seeded alike anyway"),
    Patch("C3", "nanotron.trainer:build_model", "cpu", "defaults to device cuda"),
    Patch("C4", "nanotron.trainer:log_memory", "cpu", "resets CUDA's peak statistics"),
    Patch("C5", "nanotron.trainer:sanity_check_dataloader", "cpu", "moves batches to cuda"),
    Patch("C6", "nanotron.trainer:save", "cpu", "moves the optimizer's state to cuda to check it"),
    Patch("C7", "nanotron.serialize.optimizer:check_optim_state_in_sync", "cpu",
          "moves steps to cuda"),
    Patch("C8", "nanotron.trainer:torch", "cpu", "literal device='cuda' and cuda.synchronize"),
    Patch("C8", "nanotron.optim.gradient_accumulator:torch", "cpu", "literal device='cuda'"),
    Patch("C10", "nanotron.distributed:all_gather_coalesced", "cpu",
          "ZeRO-1 slices are uneven when dp does not divide them; gloo refuses unequal sizes"),
    Patch("S1", "nanotron.distributed:all_reduce", "always",
          "16 us for each tensor at each step, also where the group is one process"),
    Patch("S2", "nanotron.parallel.tensor_parallel.nn:column_linear", "always",
          "an autograd function, forward and backward, that does nothing at tp = 1"),
    Patch("S2", "nanotron.parallel.tensor_parallel.nn:row_linear", "always", "as column_linear"),
    Patch("S2", "nanotron.parallel.tensor_parallel.nn:differentiable_all_reduce_sum", "always",
          "as column_linear, in the embedding"),
    Patch("S3", "nanotron.trainer:sync_gradients_across_dp", "always",
          "visits every parameter at each step, also at dp = 1"),
    Patch("S4", "nanotron.trainer:sync_tied_weights_gradients", "always",
          "names every tied parameter at each step, also where no other process holds it"),
    Patch("S5", "nanotron.parallel.pipeline_parallel.block:PipelineBlock.forward", "always",
          "prepares to send and receive in each block, also at pp = 1"),
    Patch("S5", "nanotron.parallel.pipeline_parallel.engine:attach_pipeline_state_to_model",
          "always", "visits every module twice a step, also at pp = 1"),
)  # fmt: skip

_applied: Literal["cpu", "cuda"] | None = None
_timeout: timedelta | None = None


def apply(device: Literal["cpu", "cuda"]) -> None:
    """Make nanotron importable and, on a CPU, runnable. Once per process, before any import of it.

    Args:
        device: Where this process computes.

    Raises:
        RuntimeError: It was applied for the other device type already.
    """
    global _applied  # noqa: PLW0603  # patching modules is process-wide by nature
    if _applied is not None:
        if _applied != device:
            raise RuntimeError(f"nanotron is already patched for {_applied} in this process")
        return
    _import_logging()
    _stub_models()
    with warnings.catch_warnings():
        # nanotron warns that datasets or wandb are missing; neither is used through it.
        warnings.simplefilter("ignore")
        importlib.import_module("nanotron.trainer")
    # torch deprecated three collectives that nanotron calls at every step; torch is pinned.
    warnings.filterwarnings(
        "ignore", category=FutureWarning, module=r"(torch\.distributed|nanotron).*"
    )
    _numpy_2_metadata()
    _new_group()
    importlib.import_module("skald_trainer.bridge.alone").install()
    importlib.import_module("skald_trainer.bridge.overlap").install()
    importlib.import_module("skald_trainer.bridge.clipping").install()
    if device == "cpu":
        _cpu()
    _applied = device


def device_type() -> Literal["cpu", "cuda"]:
    """Return what `apply` was called with.

    Raises:
        RuntimeError: It was not called yet.
    """
    if _applied is None:
        raise RuntimeError("patches.apply must run before anything else of the bridge")
    return _applied


def _import_logging() -> None:
    """P1: import nanotron.logging while stand-ins break the circle, then the real config."""
    if "nanotron.logging" in sys.modules:
        return
    nanotron = importlib.import_module("nanotron")
    importlib.import_module("nanotron.distributed")
    package = types.ModuleType("nanotron.config")
    leaf = types.ModuleType("nanotron.config.config")
    package.__path__ = []
    leaf.__dict__["LoggingArgs"] = object  # only an annotation in nanotron.logging
    sys.modules["nanotron.config"], sys.modules["nanotron.config.config"] = package, leaf
    try:
        importlib.import_module("nanotron.logging")
    finally:
        for name in ("nanotron.config", "nanotron.config.config"):
            sys.modules.pop(name, None)
        nanotron.__dict__.pop("config", None)
    importlib.import_module("nanotron.config")


def _stub_models() -> None:
    """P2: placeholders for the model files that import flash_attn."""
    for name, classes in (
        ("nanotron.models.llama", ("LlamaForTraining", "RotaryEmbedding")),
        ("nanotron.models.starcoder2", ("Starcoder2ForTraining",)),
    ):
        module = types.ModuleType(name)
        for class_name in classes:
            setattr(module, class_name, type(class_name, (), {"__module__": name}))
        sys.modules[name] = module


def _numpy_2_metadata() -> None:
    """P3: plain integers in the saved shape."""
    metadata = importlib.import_module("nanotron.serialize.metadata").TensorMetadata
    original = metadata.to_str_dict

    @functools.wraps(original)
    def to_str_dict(self: Any) -> Any:
        self.unsharded_shape = tuple(int(size) for size in self.unsharded_shape)
        return original(self)

    metadata.to_str_dict = to_str_dict


def _new_group() -> None:
    """P7: groups with the time-out that `limit_collectives` was told."""
    distributed: Any = importlib.import_module("nanotron.distributed")
    original = distributed.new_group

    @functools.wraps(original)
    def new_group(*args: Any, **kwargs: Any) -> Any:
        return original(*args, **{"timeout": _timeout, **kwargs})

    distributed.new_group = new_group


def limit_collectives(timeout: timedelta) -> None:
    """Set how long a collective of the groups that nanotron makes may take."""
    global _timeout  # noqa: PLW0603  # as for `_applied`
    _timeout = timeout


def _cpu() -> None:
    def get(name: str) -> Any:
        return importlib.import_module(name)

    trainer = get("nanotron.trainer")
    get("nanotron.parallel.context").ParallelContext.set_device = lambda self: None
    get("nanotron.helpers").get_synced_random_state = lambda random_state, pg: random_state
    trainer.build_model = functools.partial(trainer.build_model, device=torch.device("cpu"))
    trainer.log_memory = lambda *args, **kwargs: None
    trainer.sanity_check_dataloader = lambda dataloader, **kwargs: iter(dataloader)
    trainer.save = functools.partial(trainer.save, sanity_checks=False)
    get("nanotron.serialize.optimizer").check_optim_state_in_sync = lambda *args, **kwargs: None
    facade = _TorchOnCpu()
    for name in ("trainer", "optim.gradient_accumulator"):
        get(f"nanotron.{name}").torch = facade
    get("nanotron.distributed").all_gather_coalesced = _all_gather_uneven


class _TorchOnCpu(types.ModuleType):
    """C8: torch as two of nanotron's modules see it; device cuda means cpu, cuda calls do nothing."""

    def __init__(self) -> None:
        super().__init__("torch")
        self.cuda = types.SimpleNamespace(
            synchronize=lambda *args: None,
            empty_cache=lambda: None,
            memory_allocated=lambda *args: 0,
            max_memory_allocated=lambda *args: 0,
            max_memory_reserved=lambda *args: 0,
            is_available=lambda: False,
        )
        for name in ("tensor", "empty", "zeros", "ones", "full"):
            setattr(self, name, _on_cpu(getattr(torch, name)))

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)


def _on_cpu(make: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    @functools.wraps(make)
    def made(*args: Any, **kwargs: Any) -> torch.Tensor:
        if "cuda" in str(kwargs.get("device", "")):
            kwargs["device"] = "cpu"
        return make(*args, **kwargs)

    return made


def _all_gather_uneven(
    output_tensor_lists: list[list[torch.Tensor]],
    input_tensor_list: list[torch.Tensor],
    group: Any = None,
    async_op: bool = False,
) -> None:
    """C10: gather tensors of unequal sizes, each padded to the longest of its row."""
    assert not async_op, "nanotron gathers ZeRO-1 parameters synchronously"
    for outputs, given in zip(output_tensor_lists, input_tensor_list, strict=True):
        longest = max(t.numel() for t in outputs)
        padded = given.new_zeros(longest)
        padded[: given.numel()] = given
        gathered = [torch.empty_like(padded) for _ in outputs]
        torch.distributed.all_gather(gathered, padded, group=group)
        for target, piece in zip(outputs, gathered, strict=True):
            target.copy_(piece[: target.numel()])


def forget_groups() -> None:
    """Let go of the process groups of a finished run, which nanotron's caches of ranks hold.

    Measured: 9 threads and 12 open files are left by each run of a resident worker otherwise.
    """
    distributed = importlib.import_module("nanotron.distributed")
    distributed.get_rank.cache_clear()
    distributed.get_global_rank.cache_clear()


def quiet_nanotron() -> None:
    """Remove the handlers each trainer adds to the root logger, and keep only errors of nanotron."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        if (
            type(handler).__module__.startswith("nanotron")
            or getattr(handler, "stream", None) is sys.stdout
        ):
            root.removeHandler(handler)
    logging.getLogger("nanotron").setLevel(logging.ERROR)
