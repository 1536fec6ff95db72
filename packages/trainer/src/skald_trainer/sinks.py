"""Where a run's rows go besides metrics.jsonl: TensorBoard and Weights & Biases, both options."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
from pathlib import Path
from typing import Any, Protocol

from skald_specs.errors import UserInputError
from skald_specs.execution import ExecutionRecipe
from skald_specs.plan import Plan

from skald_trainer.metrics import Row


class Sink(Protocol):
    """Takes rows as they come."""

    def write(self, row: Row) -> None:
        """Take one row; it has a `step`."""

    def close(self) -> None:
        """Finish: nothing more comes."""


def check_sinks(run: ExecutionRecipe) -> None:
    """Check before training that what the plan wants to log to is installed.

    Args:
        run: The plan's execution block.

    Raises:
        UserInputError: A package is missing.
    """
    for wanted, package in ((run.tensorboard, "tensorboard"), (run.wandb, "wandb")):
        if wanted and importlib.util.find_spec(package) is None:
            raise UserInputError(
                f"execution.{package}",
                f"true, but the package {package} is not installed here",
                f"Run `pip install {package}`, or set it to false",
            )


def open_sinks(plan: Plan, root: Path, start_step: int) -> list[Sink]:
    """Open what the plan's execution block asks for.

    Args:
        plan: The run's plan.
        root: The run folder.
        start_step: Step the run continues from, 0 for a fresh one.

    Returns:
        The open sinks.

    Raises:
        UserInputError: Weights & Biases refuses to start.
    """
    sinks: list[Sink] = []
    if plan.execution.tensorboard:
        sinks.append(TensorBoard(root / "tensorboard", start_step))
    if plan.execution.wandb:
        sinks.append(WeightsAndBiases(plan, root))
    return sinks


class TensorBoard:
    """Event files that TensorBoard reads.

    Args:
        folder: Where they lie.
        start_step: Events of an earlier process after this step are hidden.
    """

    def __init__(self, folder: Path, start_step: int) -> None:
        # Imported here: TensorBoard is an option, and costs a second.
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(folder, purge_step=start_step + 1)

    def write(self, row: Row) -> None:
        """See `Sink.write`."""
        for key, value in sorted(flat(row).items()):
            self._writer.add_scalar(key, value, row["step"])

    def close(self) -> None:
        """See `Sink.close`."""
        self._writer.close()


class WeightsAndBiases:
    """A run of Weights & Biases, continued when the training is.

    Its own environment variables hold: `WANDB_MODE=offline` for machines without internet (then
    `wandb sync` sends the folder later), `WANDB_PROJECT`, `WANDB_ENTITY`.

    Args:
        plan: Its name and content are shown.
        root: The run folder; the files lie in `wandb/` under it.

    Raises:
        UserInputError: No account is set up here, or the server cannot be reached.
    """

    def __init__(self, plan: Plan, root: Path) -> None:
        wandb = importlib.import_module("wandb")
        # One training, one run, whichever process continues it.
        identity = hashlib.sha256(f"{root.resolve()}:{plan.fingerprint}".encode()).hexdigest()
        try:
            self._run: Any = wandb.init(
                project=os.environ.get("WANDB_PROJECT", "skald"),
                name=plan.name,
                id=identity[:16],
                resume="allow",
                dir=str(root),
                config=plan.model_dump(mode="json"),
                # Not around the live line: it copies whatever is printed.
                settings=wandb.Settings(console="off"),
            )
        except wandb.Error as problem:
            said = str(problem).strip().splitlines()
            raise UserInputError(
                "execution.wandb",
                f"Weights & Biases did not start ({said[0] if said else type(problem).__name__})",
                "Run `wandb login`, set WANDB_MODE=offline, or set it to false",
            ) from None
        # Steps that a restart takes again must not be refused for coming late.
        self._run.define_metric("*", step_metric="step")

    def write(self, row: Row) -> None:
        """See `Sink.write`."""
        self._run.log({"step": row["step"], **flat(row)})

    def close(self) -> None:
        """See `Sink.close`."""
        self._run.finish()


def flat(row: Row) -> dict[str, float]:
    """Return a row's numbers by path, such as `bits_per_byte/da`, without the step.

    Args:
        row: A row of metrics.jsonl.

    Returns:
        Numbers by path.
    """
    numbers: dict[str, float] = {}
    for key, value in row.items():
        if isinstance(value, dict):
            numbers |= {f"{key}/{path}": item for path, item in flat(value).items()}
        elif key != "step" and isinstance(value, int | float):
            numbers[key] = value
    return numbers
