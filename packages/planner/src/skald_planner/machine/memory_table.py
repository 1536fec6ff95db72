"""Which layouts fit which card: layouts asked for, or the leanest ones by number of GPUs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from skald_mup.counts import n_params_total
from skald_specs.errors import UserInputError

from skald_planner.machine.memory import RankMemory, worst_rank
from skald_planner.machine.memory_states import Setting, optimizer_bytes, parameter_bytes

GIB = 1 << 30
#: Memory of the cards, in GiB: A100 40, the H100 of MareNostrum 5, A100 and H100 80, H200.
CARDS = (40, 64, 80, 141)
#: What a card does not give to tensors: CUDA context, NCCL's buffers, fragments. Standing: assumed.
RESERVED_SHARE, RESERVED_GIB = 0.06, 2.0
WORLD_SIZES = (1, 2, 4, 8, 16, 32, 64)
#: Tensor parallelism stays within one machine of eight cards.
TP_SIZES = (1, 2, 4, 8)
MICRO_BATCHES = (8, 4, 2, 1)
#: How long a device may wait for its pipeline to fill and drain, as a share of a step: (pp - 1) /
#: (micro-batches + pp - 1), arXiv 2104.04473. Standing: assumed.
MAX_IDLE_SHARE = 0.2

#: Data-parallel, tensor-parallel and pipeline-parallel ranks.
Layout = tuple[int, int, int]


def fits(memory: RankMemory, card_gib: int) -> bool:
    """Return whether a rank fits a card, with its reserve (the larger of 6 % and 2 GiB) left free.

    Args:
        memory: The rank that needs most.
        card_gib: The card's whole memory in GiB.
    """
    room = card_gib - max(RESERVED_GIB, RESERVED_SHARE * card_gib)
    return memory.peak_bytes <= room * GIB


def with_layout(setting: Setting, **changes: int | bool) -> Setting:
    """Return the setting under another layout.

    Args:
        setting: The run; it is not changed.
        **changes: Fields of `ExecutionRecipe` with their new values.

    Raises:
        ValueError: The layout cannot compute this model and batch.
    """
    run = setting.execution.model_copy(update=changes)
    run.check_fits(setting.shape, setting.batch_sequences)
    return replace(setting, execution=run)


def asked(setting: Setting, layouts: Iterable[Layout]) -> Iterator[tuple[Setting, RankMemory]]:
    """Yield the layouts of a command line with the file's other options.

    Args:
        setting: The run; its layout is replaced, its zero stage, micro-batch and schedule stay.
        layouts: As they were typed, not checked yet.

    Raises:
        UserInputError: One does not fit the model; the message says why.
    """
    for dp, tp, pp in layouts:
        try:
            chosen = with_layout(setting, dp=dp, tp=tp, pp=pp)
            yield chosen, worst_rank(chosen)
        except ValueError as error:
            raise UserInputError(f"--layout {dp},{tp},{pp}", str(error), "") from None


def leanest(setting: Setting) -> list[tuple[Setting, RankMemory]]:
    """Return, for each number of GPUs and each card, the first layout that fits.

    First: the fewest pieces of a model (tp x pp), then activations kept rather than computed again,
    optimizer states whole rather than sharded, fewer pipeline stages, larger micro-batches.

    Args:
        setting: The run; its layout, zero stage, checkpointing and micro-batch are varied, its
            tp_mode and pp_schedule kept.

    Returns:
        Layouts in that order, each once.
    """
    found: dict[tuple[int, ...], tuple[Setting, RankMemory]] = {}
    for world_size in WORLD_SIZES:
        missing = set(CARDS)
        for key, candidate in sorted(_candidates(setting, world_size), key=lambda c: c[0]):
            if not missing:
                break
            memory = worst_rank(candidate)
            served = {card for card in missing if fits(memory, card)}
            if served:
                found[(*key[:1], world_size, *key[1:])] = candidate, memory
                missing -= served
    return [found[key] for key in sorted(found)]


def layouts_on(setting: Setting, world_size: int, devices_per_node: int) -> Iterator[Setting]:
    """Yield the layouts of one kind of node that keep it busy, in the order of `leanest`.

    Args:
        setting: The run, as for `leanest`.
        world_size: Devices.
        devices_per_node: Tensor parallelism stays within a node.

    Yields:
        Layouts that the batch divides into and whose pipeline stands still for at most
        `MAX_IDLE_SHARE`.
    """
    for _, candidate in sorted(_candidates(setting, world_size), key=lambda c: c[0]):
        run, n_ahead = candidate.execution, candidate.execution.pp - 1
        idle = n_ahead / (candidate.n_micro_batches + n_ahead)
        if run.tp <= devices_per_node and idle <= MAX_IDLE_SHARE:
            yield candidate


def leanest_on(
    setting: Setting, world_size: int, memory_gib: int, devices_per_node: int
) -> tuple[Setting, RankMemory] | None:
    """Return the first of `layouts_on` that fits, and what its fullest rank needs; None: none does.

    Args:
        setting: The run, as for `leanest`.
        world_size: Devices.
        memory_gib: Memory of one.
        devices_per_node: See `layouts_on`.
    """
    n_params = n_params_total(setting.shape)
    for candidate in layouts_on(setting, world_size, devices_per_node):
        # Most layouts of a large model fall by their weights and states alone; walking a step is slow.
        even = {"": n_params // (candidate.execution.tp * candidate.execution.pp)}
        if parameter_bytes(candidate, even) + optimizer_bytes(candidate, even) > memory_gib * GIB:
            continue
        memory = worst_rank(candidate)
        if fits(memory, memory_gib):
            return candidate, memory
    return None


def _candidates(setting: Setting, world_size: int) -> Iterator[tuple[tuple[int, ...], Setting]]:
    for tp in TP_SIZES:
        for pp in (n for n in range(1, world_size // tp + 1) if setting.shape.n_layers % n == 0):
            if world_size % (tp * pp):
                continue
            dp = world_size // (tp * pp)
            for zero_stage in (0, 1) if dp > 1 else (0,):
                for recompute in (False, True):
                    for micro_batch in MICRO_BATCHES:
                        try:
                            chosen = with_layout(
                                setting, dp=dp, tp=tp, pp=pp, zero_stage=zero_stage,
                                activation_checkpointing=recompute,
                                micro_batch_sequences=micro_batch,
                            )  # fmt: skip
                            pipeline = (tp * pp, int(recompute), zero_stage, pp, -micro_batch)
                            yield pipeline, chosen
                        except ValueError:
                            continue
