"""The lives of a run: processes that train one small plan until they are done, or are killed.

Two ways of starting one. `Forked`: a copy of this process, which has torch and nanotron imported already,
calls `train` as the command does; killing it kills the very process that trains, and a start costs tenths
of a second. `Commanded`: `skald train` itself, in a process group of its own, killed as a whole.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol, TypeVar

from skald_corpus.build import build
from skald_corpus.generate import documents
from skald_corpus.grammar.register import LANGUAGES
from skald_planner.plans.resolve import make_plan
from skald_specs.checkpoint import MODEL_FILE, OPTIMIZER_FILE, verify
from skald_specs.corpus import SPLITS, load_corpus
from skald_specs.errors import SkaldError, UserInputError
from skald_specs.files import sha256_file, write_jsonl
from skald_specs.plan import Plan
from skald_specs.recipe import Recipe
from skald_trainer.folder import RunFolder
from skald_trainer.train import train

RECIPE = Path("recipes/mup-depth.yaml")
TRAIN_BYTES, N_STEPS, CHECKPOINT_EVERY = 200_000, 120, 4
_BATCH_TOKENS, _VALIDATION_TOKENS = 512, 2560
#: No single wait is longer; it fails the proof.
PATIENCE_SECONDS = 180.0
T = TypeVar("T")


def made_corpus(folder: Path) -> Path:
    """Build a corpus of generated text in bytes."""
    recipe, source = Recipe.load(RECIPE), folder / "text"
    for tag in recipe.corpus.languages:
        for split in SPLITS:
            told = documents(LANGUAGES[tag], split, TRAIN_BYTES if split == "train" else None)
            rows = (document.model_dump(mode="json") for document, _ in told)
            write_jsonl(source / tag / f"{split}.jsonl", rows)
    build(recipe, source, folder / "corpus")
    return folder / "corpus"


def made_plan(corpus: Path, name: str = "faults", **changes: Any) -> Plan:
    """Resolve the proof's plan; `guard` and `n_steps` go to their places, the rest to execution."""
    recipe = Recipe.load(RECIPE)
    guard, n_steps = changes.pop("guard", {}), changes.pop("n_steps", N_STEPS)
    value = recipe.model_dump(exclude_none=True, exclude={"sweep"}) | {
        "name": name,
        # Runs that are killed read their little text again and again.
        "max_epochs": 1e6,
        "optimizer": recipe.optimizer.model_dump() | {"base_lr": 0.01},
        "budget": {
            "horizon_tokens": n_steps * _BATCH_TOKENS,
            "global_batch_tokens": _BATCH_TOKENS,
        },
        "execution": {
            "micro_batch_sequences": 4,
            "device": "cpu",
            "checkpoint_every_steps": CHECKPOINT_EVERY,
            "validate_every_steps": 40,
            "keep_last": 3,
            **changes,
        },
    }
    plan = make_plan(Recipe.model_validate(value), load_corpus(corpus), None)
    dumped = plan.model_dump(mode="json", exclude_none=True)
    dumped["identity"]["data"]["validation_tokens"] = _VALIDATION_TOKENS
    dumped["identity"] |= {"guard": guard} if guard else {}
    return Plan.model_validate(dumped)


class Life(Protocol):
    """One process that trains (for `Commanded`: with those that it starts)."""

    log: Path

    def code(self) -> int | None:
        """Return the exit code, minus the signal where one ended it, or None while it lives."""

    def send(self, number: signal.Signals) -> None:
        """Signal every process of it."""


class Forked:
    """A life that a fork of this process leads.

    Args:
        plan: What it trains.
        corpus: On what.
        out: The run folder.
        log: Where stdout and stderr go.
        resume: A checkpoint to continue from, or None to leave that to the run.
        fault: Entered around the training.
    """

    def __init__(
        self,
        plan: Plan,
        corpus: Path,
        out: Path,
        log: Path,
        resume: Path | None = None,
        fault: AbstractContextManager[Any] | None = None,
    ) -> None:
        self.log, self._code = log, None
        # A life that is killed before it opens its log must not be judged by the one before.
        log.unlink(missing_ok=True)
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os._exit(_led(plan, corpus, out, log, resume, fault or nullcontext()))

    _code: int | None

    def code(self) -> int | None:
        """See `Life`."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code

    def send(self, number: signal.Signals) -> None:
        """See `Life`."""
        if self.code() is None:
            os.kill(self.pid, number)


def _led(
    plan: Plan,
    corpus: Path,
    out: Path,
    log: Path,
    resume: Path | None,
    fault: AbstractContextManager[Any],
) -> int:
    """Train in the forked process, and do with errors what the command does."""
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    # What was said before a SIGKILL counts.
    sys.stdout = os.fdopen(1, "w", buffering=1)
    try:
        with fault:
            train(plan, corpus, out, resume)
    except SkaldError as error:
        print(f"skald: {error}", file=sys.stderr)
        return error.exit_code
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


class Commanded:
    """A life of the real command, `skald train`, with the ranks that it starts.

    Args:
        plan: What it trains.
        corpus: On what.
        out: The run folder; its last part is the plan's name.
        log: Where stdout and stderr go.
    """

    def __init__(self, plan: Plan, corpus: Path, out: Path, log: Path) -> None:
        self.log = log
        path = out.parent / f"{plan.name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        plan.save(path)
        words = ["train", str(path), "--corpus", str(corpus), "--out", str(out.parent)]
        with log.open("w") as to:
            # The manifest of a finished run goes to the working folder.
            self.process = subprocess.Popen(
                [sys.executable, "-m", "skald_cli.main", *map(_absolute, words)],
                stdout=to, stderr=to, start_new_session=True, cwd=out.parent,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip

    def code(self) -> int | None:
        """See `Life`."""
        return self.process.poll()

    def send(self, number: signal.Signals) -> None:
        """See `Life`."""
        if self.code() is None:
            os.killpg(self.process.pid, number)


def said(log: Path) -> str:
    """Return what a life has said; nothing, where it was killed before it could."""
    return log.read_text() if log.is_file() else ""


def _absolute(word: str) -> str:
    return str(Path(word).absolute()) if "/" in word else word


def ended(life: Life) -> int:
    """Wait for the end of a life and return its exit code."""
    code = waited(life.code, lambda code: code is not None)
    assert code is not None
    return code


def waited(look: Callable[[], T], enough: Callable[[T], bool] = bool) -> T:
    """Look again and again until it is enough; return what was seen."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        seen = look()
        if enough(seen):
            return seen
        time.sleep(0.002)
    raise TimeoutError(f"nothing happened in {PATIENCE_SECONDS:.0f} s")


def last_step(out: Path) -> int:
    """Return the last step in a run's log, or 0."""
    steps = [row["step"] for row in _rows(RunFolder(out).metrics) if "loss_nats" in row]
    return max(steps, default=0)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    for line in lines:
        # The last line may be half-written.
        if line.endswith("}"):
            yield json.loads(line)


def reached(life: Life, out: Path, step: int) -> bool:
    """Wait until a life has logged a step, or is over; return whether it lives."""
    waited(lambda: life.code() is not None or last_step(out) >= step)
    return life.code() is None


def half_written(out: Path) -> list[Path]:
    """Return the temporary folders of checkpoints: one is there while it is written."""
    return list(RunFolder(out).checkpoints.glob(".step_*"))


def newest_whole(out: Path) -> Path | None:
    """Return the newest checkpoint whose every checksum is right."""
    for folder in sorted(RunFolder(out).checkpoints.glob("step_*"), reverse=True):
        try:
            verify(folder)
        except UserInputError:
            continue
        return folder
    return None


def result(out: Path) -> tuple[str, str, str]:
    """Return the hashes of a finished run: weights, Adam's moments, curve."""
    folder = RunFolder(out)
    newest = newest_whole(out)
    assert newest is not None
    files = (folder.final / MODEL_FILE, newest / OPTIMIZER_FILE, folder.final / "curve.jsonl")
    weights, moments, curve = (sha256_file(file) for file in files)
    return weights, moments, curve
