"""A coordinate check that goes on during training: norms by kind of tensor and of activation.

Sums of squares add up over pieces, so every rank adds its own and one collective gives the figures of
the whole model, whatever the layout. Nothing is left in the model between measured steps.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, get_args

import torch
from skald_mup.coordinates import BATCH_SEQUENCES, Quantity
from skald_mup.model import Attention, Block, EmbedStage, HeadStage
from skald_mup.names import tensor_kind, tensor_kinds
from skald_specs.plan import TensorKind

from skald_trainer.bridge.clipping import clip_factor
from skald_trainer.bridge.tensors import canonical_name, speaks

#: By measure (`grad_norm`, `update_to_weight`, `activation_rms`), then by kind or quantity.
Statistics = dict[str, dict[str, float]]

#: The coordinate check's quantities, less the one that needs the initial readout again.
_QUANTITIES: tuple[Quantity, ...] = tuple(q for q in get_args(Quantity) if q != "readout")
#: Linear layers whose outputs are measured; that of `lm_head` is `output_logits`.
_PROJECTIONS: tuple[TensorKind, ...] = (
    "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
)  # fmt: skip
_ACTIVATIONS: tuple[str, ...] = (*_QUANTITIES, *_PROJECTIONS)


class Sums:
    """Running sums on the device by (measure, name); a name that was never added sums to 0."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._values: dict[tuple[str, str], torch.Tensor] = {}

    def add_squares(self, measure: str, name: str, x: torch.Tensor) -> None:
        """Add the sum of squares of a tensor, taken in fp32.

        Args:
            measure: What is measured, such as `gradient`.
            name: A kind of tensor or of activation.
            x: This rank's piece, of any shape and dtype; no gradient flows.
        """
        norm = torch.linalg.vector_norm(x.detach(), dtype=torch.float32)
        self.add(measure, name, norm.double().square())

    def add(self, measure: str, name: str, value: torch.Tensor | float) -> None:
        """Add a number.

        Args:
            measure: What is measured, such as `gradient`.
            name: A kind of tensor or of activation.
            value: A scalar; a tensor may stay on its device, so that nothing waits.
        """
        self._values[measure, name] = self._values.get((measure, name), 0.0) + torch.as_tensor(
            value, dtype=torch.float64, device=self._device
        )

    def over_all_ranks(self, keys: list[tuple[str, str]]) -> dict[tuple[str, str], float]:
        """Return the sums over all ranks (a collective: the same keys on every rank)."""
        zero = torch.zeros((), dtype=torch.float64, device=self._device)
        total = torch.stack([self._values.get(key, zero) for key in keys])
        torch.distributed.all_reduce(total)
        return dict(zip(keys, total.tolist(), strict=True))


def due(trainer: Any) -> bool:
    """Return whether the step that a trainer is about to take is measured."""
    every = trainer.plan.execution.statistics_every_steps
    return every is not None and trainer.iteration_step % every == 0


@contextmanager
def measured(trainer: Any) -> Iterator[Statistics]:
    """Measure the step that is taken inside the block (collectives: enter it on every rank).

    Args:
        trainer: A trainer about to take its step.

    Yields:
        The statistics, empty until the block ends: gradient norms before clipping, the norm of the
        update over that of the weight it changed, and the root mean square of activations of the
        weights before the update. A kind has no entry where nothing was measured: a step that was
        left out, a weight that is zero.

    Source: the activations are those of `skald_mup.coordinates` (the residual stream and the logits of
        attention in the last block; without regard to document borders), on the first sequences of
        the step's batch, and the outputs of each kind of linear layer over all blocks.
    """
    device = next(trainer.unwrapped_model.parameters()).device
    sums, result = Sums(device), Statistics()
    _add_activations(trainer, sums)
    with _watching_update(trainer, sums):
        yield result
    kinds = tensor_kinds(trainer.plan.identity.model)
    of_tensors = itertools.product(("gradient", "update", "weight"), kinds)
    of_activations = itertools.product(("activation", "count"), _ACTIVATIONS)
    total = sums.over_all_ranks([*of_tensors, *of_activations])
    result["grad_norm"] = {
        kind: total["gradient", kind] ** 0.5 / _clip_factor(trainer)
        for kind in kinds
        if total["gradient", kind] + total["weight", kind] > 0
    }
    result["update_to_weight"] = {
        kind: (total["update", kind] / total["weight", kind]) ** 0.5
        for kind in kinds
        if total["weight", kind] > 0
    }
    result["activation_rms"] = {
        name: (total["activation", name] / total["count", name]) ** 0.5
        for name in _ACTIVATIONS
        if total["count", name] > 0
    }


def _clip_factor(trainer: Any) -> float:
    """Return what clipping multiplied the gradients with."""
    limit = trainer.plan.identity.optimizer.grad_clip
    return float(clip_factor(trainer.grad_norm_unclipped, limit))


@contextmanager
def _watching_update(trainer: Any, sums: Sums) -> Iterator[None]:
    """Look at what the optimizer holds right before and right after its step.

    It holds what is trained: fp32 copies in mixed precision, this rank's slices under ZeRO-1.
    """
    base, before = trainer.optimizer.get_base_optimizer(), list[torch.Tensor]()
    pieces = list(_answered_for(trainer, base))

    def keep(*args: Any) -> None:
        # On the host: a second copy of the weights may not fit the device.
        before.extend(piece.detach().to("cpu", copy=True) for _, piece in pieces)
        for (kind, piece), was in zip(pieces, before, strict=True):
            sums.add_squares("gradient", kind, piece.grad)
            sums.add_squares("weight", kind, was)

    def compare(*args: Any) -> None:
        for (kind, piece), was in zip(pieces, before, strict=True):
            sums.add_squares("update", kind, piece.detach() - was.to(piece.device))
        before.clear()

    handles = base.register_step_pre_hook(keep), base.register_step_post_hook(compare)
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _answered_for(trainer: Any, base: Any) -> Iterator[tuple[TensorKind, Any]]:
    """Yield what this rank's optimizer trains and no other rank counts, with its kind."""
    # Without ZeRO the data-parallel ranks hold the same; with it, each has its own slice.
    if trainer.plan.execution.zero_stage == 0 and _dp_rank(trainer) != 0:
        return
    named = dict(trainer.unwrapped_model.get_named_params_with_correct_tied())
    for group in base.param_groups:
        for piece in group["params"]:
            name = trainer.optimizer.id_to_name[id(piece)]
            if speaks(named[name]):
                yield tensor_kind(canonical_name(name)), piece


def _dp_rank(trainer: Any) -> int:
    rank: int = torch.distributed.get_rank(trainer.parallel_context.dp_pg)
    return rank


@torch.no_grad()
def _add_activations(trainer: Any, sums: Sums) -> None:
    """Run the first sequences of the step's batch forward, shared out over data-parallel ranks.

    A pass of its own: the training step runs as always, compiled or not, and the sequences do not
    depend on the layout. Tensor-parallel ranks hold pieces or equal copies of one activation; sums
    and counts over all of them have the mean of either.
    """
    run, identity = trainer.plan.execution, trainer.plan.identity
    n_sequences = min(BATCH_SEQUENCES, identity.global_batch_tokens.value // identity.model.seq_len)
    with ExitStack() as stack:
        if run.compile_blocks:
            # Compiled code would not see the hooks. Costs seconds to import, so only here.
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        stack.enter_context(_hooked(trainer, sums))
        for i, first in enumerate(range(0, n_sequences, run.micro_batch_sequences)):
            if i % run.dp == _dp_rank(trainer):
                count = min(run.micro_batch_sequences, n_sequences - first)
                batch = trainer.data.micro_batch(trainer.iteration_step, first, count)
                trainer.unwrapped_model(**trainer._placed(*batch))


@contextmanager
def _hooked(trainer: Any, sums: Sums) -> Iterator[None]:
    """Have the model's modules add their activations while the block runs."""
    last = f"layers.{trainer.plan.identity.model.n_layers - 1}.pp_block"
    attention: list[Attention] = []

    def adding(name: str) -> Callable[..., None]:
        def hook(module: Any, inputs: Any, out: torch.Tensor) -> None:
            _add_activation(sums, name, out)

        return hook

    with ExitStack() as stack:
        for path, module in trainer.unwrapped_model.named_modules():
            name: str | None = None
            match module:
                case EmbedStage():
                    name = "embedding"
                case HeadStage():
                    name = "output_logits"
                case Block() if path == last:
                    name = "residual"
                    attention.append(module.attn)
                case _ if path.rpartition(".")[2] in _PROJECTIONS:
                    name = path.rpartition(".")[2]
            if name is not None:
                stack.callback(module.register_forward_hook(adding(name)).remove)
        for module in attention:
            stack.enter_context(_queries_and_keys_seen(module, sums))
        yield


@contextmanager
def _queries_and_keys_seen(module: Attention, sums: Sums) -> Iterator[None]:
    """Let one attention layer add its logits; they exist nowhere in a fused kernel."""
    ours = module.queries_keys

    def seen(*args: Any, **kwargs: Any) -> Any:
        q_BNTH, k_BKTH = ours(*args, **kwargs)
        k_BNTH = k_BKTH.repeat_interleave(q_BNTH.shape[1] // k_BKTH.shape[1], dim=1)
        # Head by head: (T, T) fits where (B, N, T, T) does not.
        for q_TH, k_TH in zip(q_BNTH.flatten(0, 1), k_BNTH.flatten(0, 1), strict=True):
            logits_TT = (module.attn_scale * q_TH.float() @ k_TH.float().T).tril()
            n_tokens = len(logits_TT)
            sums.add_squares("activation", "attn_logits", logits_TT)
            sums.add("count", "attn_logits", n_tokens * (n_tokens + 1) / 2)
        return q_BNTH, k_BKTH

    module.queries_keys = seen  # type: ignore[method-assign]  # this instance's, until the end
    try:
        yield
    finally:
        del module.queries_keys


def _add_activation(sums: Sums, name: str, x: torch.Tensor) -> None:
    sums.add_squares("activation", name, x)
    sums.add("count", name, float(x.numel()))
