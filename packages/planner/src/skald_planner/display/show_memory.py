"""What layouts need of a GPU's memory, as readable text."""

from __future__ import annotations

from collections.abc import Sequence

from skald_mup.counts import n_params_total

from skald_planner.display.layout import aligned
from skald_planner.machine.memory import RankMemory
from skald_planner.machine.memory_states import Setting
from skald_planner.machine.memory_table import CARDS, GIB, Layout, asked, fits, leanest

_HEADER = ("GPUs", "dp", "tp", "pp", "zero", "ckpt", "mbs", "params", "grads", "optim", "activ",
           "peak", "stage", *map(str, CARDS))  # fmt: skip


def render_memory(name: str, setting: Setting, layouts: Sequence[Layout]) -> str:
    """Return the memory of layouts as text.

    Args:
        name: What the file calls the run.
        setting: The run.
        layouts: What to look at; none: the file's own layout and the leanest that fit.

    Returns:
        A table of at most 100 columns and its legend.

    Raises:
        UserInputError: See `asked`.
    """
    run, shape = setting.execution, setting.shape
    own = run.dp, run.tp, run.pp
    rows = [_row(*each) for each in asked(setting, layouts or [own])]
    more: list[tuple[str, ...]] = []
    if not layouts:
        more = [_row(*each) for each in leanest(setting)]
    lines = aligned([_HEADER, *rows, *more], right=range(len(_HEADER)))
    if not layouts:
        kept = ("the leanest layouts that fit each card on 1 to 64 GPUs, fewest pieces first:"
                if more else "no layout on 1 to 64 GPUs fits any of these cards")  # fmt: skip
        lines[2:2] = ["", kept]
    return "\n".join(
        [
            f"{name}: {n_params_total(shape):,} parameters, {setting.dtype}, {shape.seq_len} tokens "
            f"a sequence, {setting.batch_sequences} sequences a batch,",
            f"tp_mode {run.tp_mode}, pp_schedule {run.pp_schedule}. GiB on the fullest GPU:",
            "",
            *lines,
            "",
            "peak is below the sum where gradients appear only as activations go, above it by what",
            "passes through (logits). stage: the fullest. ckpt: activations computed again.",
            "A card fits with 6 % or 2 GiB left for CUDA, NCCL and fragments (assumed). The forms",
            "are derived from the code; those of a CPU hold against measured allocations.",
        ]
    )


def _row(setting: Setting, memory: RankMemory) -> tuple[str, ...]:
    run = setting.execution
    sizes = (
        memory.parameter_bytes,
        memory.gradient_bytes,
        memory.optimizer_bytes,
        memory.activation_bytes,
        memory.peak_bytes,
    )
    return (
        str(run.world_size), str(run.dp), str(run.tp), str(run.pp), str(run.zero_stage),
        "yes" if run.activation_checkpointing else "no", str(run.micro_batch_sequences),
        *(f"{size / GIB:.1f}" if size >= GIB / 10 else f"{size / GIB:.4f}" for size in sizes),
        str(memory.stage), *("yes" if fits(memory, card) else "no" for card in CARDS),
    )  # fmt: skip
