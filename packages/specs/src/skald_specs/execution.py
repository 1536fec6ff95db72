"""How a result is computed: layout, device, what is saved and shown; never what the result is."""

from __future__ import annotations

from typing import Literal

from skald_specs.models import Spec
from skald_specs.shape import ModelShape, Positive, PositiveFloat


class ExecutionRecipe(Spec):
    """How the result is computed. Nothing here may change it beyond rounding: none is fingerprinted.

    Layout: `dp`, `tp`, `pp` ranks share out the batch, the matrices and the layers. `zero_stage` 1: the
    optimizer's states are shared out over `dp`. `tp_mode`: whether tensor parallelism keeps the residual
    stream whole on every rank or in pieces of the sequence (sequence parallelism), and then whether it
    overlaps sending with computing. `pp_schedule`: one forward, one backward, or all forward, all
    backward. `micro_batch_sequences`: sequences of one forward pass on one rank.

    Machine: `device`, where auto takes a GPU if there is one; `threads_per_process` of a CPU.
    `activation_checkpointing` computes a layer's activations again on the way back. `compile_blocks`:
    `torch.compile` of each layer.

    Files: a checkpoint every `checkpoint_every_steps`; `keep_last` are kept, and for ever those at
    multiples of `keep_every_steps` (None: none).

    Shown: validation every `validate_every_steps`; norms by kind of tensor every
    `statistics_every_steps` (None: never); `tensorboard` and `wandb` take the log's figures elsewhere.
    `peak_tflops` (1e12 FLOP/s): dense peak of one device, for utilisation on one that the trainer does
    not know. `watchdog_seconds`: how long a step may stand still.
    """

    dp: Positive = 1
    tp: Positive = 1
    pp: Positive = 1
    zero_stage: Literal[0, 1] = 0
    tp_mode: Literal["all_reduce", "reduce_scatter", "reduce_scatter_async"] = "all_reduce"
    pp_schedule: Literal["1f1b", "afab"] = "1f1b"
    micro_batch_sequences: Positive
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads_per_process: Positive = 1
    activation_checkpointing: bool = False
    compile_blocks: bool = False
    checkpoint_every_steps: Positive
    keep_last: Positive = 2
    keep_every_steps: Positive | None = None
    validate_every_steps: Positive
    statistics_every_steps: Positive | None = None
    watchdog_seconds: Positive = 600
    tensorboard: bool = False
    wandb: bool = False
    peak_tflops: PositiveFloat | None = None

    @property
    def world_size(self) -> int:
        """Processes of the layout."""
        return self.dp * self.tp * self.pp

    def n_micro_batches(self, batch_sequences: int) -> int:
        """Return the micro-batches of one data-parallel rank in a step.

        Args:
            batch_sequences: Sequences of the global batch.
        """
        return batch_sequences // (self.dp * self.micro_batch_sequences)

    def check_fits(self, shape: ModelShape, batch_sequences: int) -> None:
        """Check that the layout can compute this model and batch.

        Args:
            shape: The model's shape.
            batch_sequences: Sequences of the global batch.

        Raises:
            ValueError: It cannot; the message names the fields and the rule.
        """
        if batch_sequences % (self.dp * self.micro_batch_sequences):
            raise ValueError(
                f"a batch of {batch_sequences} sequences does not divide into dp = {self.dp} x "
                f"micro_batch_sequences = {self.micro_batch_sequences}; change one of the three"
            )
        split: tuple[tuple[str, int], ...] = (
            ("n_heads", shape.n_heads),
            ("n_kv_heads", shape.n_kv_heads),
            ("d_ff", shape.d_ff),
            ("vocab_size", shape.vocab_size),
        )
        if self.tp_mode != "all_reduce":
            split += (("seq_len", shape.seq_len),)
        for field, count in split:
            if count % self.tp:
                raise ValueError(
                    f"model.{field} = {count} is not divisible by execution.tp = {self.tp}; use "
                    "another tp"
                )
        if self.pp > shape.n_layers:
            raise ValueError(
                f"execution.pp = {self.pp} exceeds model.n_layers = {shape.n_layers}; use fewer "
                "stages"
            )
        n_micro = self.n_micro_batches(batch_sequences)
        if self.pp_schedule == "1f1b" and n_micro < self.pp - 1:
            raise ValueError(
                f"pp_schedule = 1f1b with pp = {self.pp} needs {self.pp - 1} micro-batches and a "
                f"rank has {n_micro}; lower micro_batch_sequences or use afab"
            )
