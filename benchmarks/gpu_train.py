"""`nox -s bench -- gpu_train`: training on one GPU, against the card and against other trainers on it.

Two shapes of the family at 4,096 tokens in bf16: 1B and the 2.6B of recipes/. Each trainer has the card
to itself and trains for some steps after a warm-up; one that runs out of memory is tried once more with
activation checkpointing. Utilisation counts operations as `skald_mup.counts.flops_per_token` does, over
the rate of large bf16 matrix products measured on the same card a moment before. Ours keeps bf16 weights
with fp32 copies, gradients and moments; the peers keep fp32 weights and compute under autocast. Ends
within eight minutes: what is left by then is not measured.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import multiprocessing
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import torch
from _conclude import conclude
from _options import options
from _train_arms import Trainer, TrainerFailed, Turn, huggingface, nanotron, plain
from _train_cases import SMALL, Case, plan_of, write_corpus
from skald_specs.claims import Measure
from skald_specs.recipe import Recipe

_RECIPE = Path(__file__).parents[1] / "recipes" / "trustllm-2.6b.yaml"
LEAST_SHARE = 0.65
#: After which no further trainer is started; the slowest takes a minute.
LAST_START_SECONDS = 390.0
PRODUCT_SIZES = {"cuda": 8192, "cpu": 256}
N_PRODUCTS = 20


class Arm(NamedTuple):
    """A trainer with its options and the packages that it needs."""

    name: str
    work: Callable[..., None]
    execution: dict[str, bool]
    packages: tuple[str, ...]


class Setting(NamedTuple):
    """What is measured where."""

    device: str
    cases: tuple[Case, ...]
    arms: tuple[Arm, ...]
    warm_up_steps: int
    n_steps: int
    limit_seconds: float


class Result(NamedTuple):
    """What one trainer did with one case; without a turn, why it did not."""

    case: Case
    arm: Arm
    step_seconds: float | None
    peak_bytes: int
    note: str


OURS, COMPILED = "nanotron", "nanotron, blocks compiled"
ARMS = (
    Arm(COMPILED, nanotron, {"compile_blocks": True}, ("nanotron",)),
    Arm(OURS, nanotron, {}, ("nanotron",)),
    Arm("plain torch, compiled", plain, {"compile_blocks": True}, ()),
    Arm("Hugging Face Trainer", huggingface, {}, ("transformers", "accelerate")),
)


def on_gpu() -> Setting:
    """Return the shapes and the numbers of steps for a card of 80 GB."""
    shape = Recipe.load(_RECIPE).model
    # The largest first: it carries the target.
    cases = (
        Case("2.6B", shape, 8),
        Case("1B", shape.model_copy(update={"n_layers": 12}), 8),
    )
    return Setting("cuda", cases, ARMS, warm_up_steps=2, n_steps=4, limit_seconds=120.0)


def tiny() -> Setting:
    """Return a setting that runs all of this file but the card, on a CPU, in seconds."""
    arms = tuple(arm._replace(execution={}) for arm in ARMS if arm.name != COMPILED)
    return Setting(
        "cpu",
        (Case("2.6B", SMALL.shape, 2),),
        arms,
        warm_up_steps=1,
        n_steps=1,
        limit_seconds=300.0,
    )


def main() -> int:
    """Measure and conclude."""
    given = options(__doc__, trials={"tiny": "try all but the card, on a CPU, in seconds"})
    setting = tiny() if given.tiny else on_gpu()
    if setting.device == "cuda" and not torch.cuda.is_available():
        reason = f"torch {torch.__version__} sees no GPU here"
        return conclude("gpu_train", "bench", [_target(None, reason)], given)
    started = time.monotonic()
    # In a process of its own, so that none of the card's memory stays taken.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        rate, card = pool.submit(card_of, setting.device).result()
    results = [take(setting, case, arm, started) for case in setting.cases for arm in setting.arms]
    return conclude("gpu_train", "bench", judged(results, rate, card), given)


def card_of(device: str) -> tuple[float, str]:
    """Measure a card's matrix products and name it.

    Returns:
        Operations a second of bf16 products of random matrices, the median; card, driver, versions.
    """
    size, seconds = PRODUCT_SIZES[device], []
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    for _ in range(N_PRODUCTS):
        start = time.perf_counter()
        torch.mm(a, b)
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    name = torch.cuda.get_device_name() if device == "cuda" else platform.processor() or "CPU"
    versions = [f"Python {platform.python_version()}", f"torch {torch.__version__}"]
    for package in ("nanotron", "transformers", "accelerate", "triton"):
        if importlib.util.find_spec(package):
            versions.append(f"{package} {importlib.metadata.version(package)}")
    described = f"{name}, driver {_driver(device)}, {', '.join(versions)}"
    return 2 * size**3 / statistics.median(seconds), described


def _driver(device: str) -> str:
    if device == "cpu":
        return "none"
    command = ("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return said.split("\n")[0].strip()


def take(setting: Setting, case: Case, arm: Arm, started: float) -> Result:
    """Have one trainer train one case, with checkpointing where it does not fit otherwise."""
    if missing := [name for name in arm.packages if importlib.util.find_spec(name) is None]:
        return Result(case, arm, None, 0, f"{missing[0]} is not installed")
    note = ""
    for more in ({}, {"activation_checkpointing": True}):
        if time.monotonic() - started > LAST_START_SECONDS:
            return Result(case, arm, None, 0, f"{note}no time left")
        try:
            seconds, peak = _steps(setting, case, arm, more)
        except TrainerFailed as failure:
            note = f"{failure}; "
            if "OutOfMemory" not in str(failure):
                break
        else:
            how = "activation checkpointing, " if more else ""
            return Result(case, arm, seconds, peak, how)
    return Result(case, arm, None, 0, note.rstrip("; "))


def _steps(setting: Setting, case: Case, arm: Arm, more: dict[str, bool]) -> tuple[float, int]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "corpus").mkdir()
        manifest = write_corpus(folder / "corpus", case.shape.vocab_size)
        plan = plan_of(
            case, manifest, "bfloat16", device=setting.device, micro_batch_sequences=1,
            **arm.execution, **more,
        )  # fmt: skip
        trainer = Trainer(arm.work, plan, folder, "run")
        try:
            trainer.take(setting.warm_up_steps, setting.limit_seconds)
            turns: list[Turn] = [
                trainer.take(1, setting.limit_seconds)[0] for _ in range(setting.n_steps)
            ]
        finally:
            trainer.end()
    return statistics.median(turn.wall_seconds for turn in turns), turns[-1].peak_bytes


def judged(results: Sequence[Result], rate: float, card: str) -> list[Measure]:
    """Turn results into rows: the target, every trainer, and every peer against ours."""
    rows = [_row(result, rate) for result in results]
    ours = [r for r in results if r.arm.work is nanotron and r.case.name == "2.6B"]
    shares = {r.arm.name: _share(r, rate) for r in ours if r.step_seconds is not None}
    if shares:
        best = max(shares, key=lambda name: shares[name])
        target = _target(shares[best], f"{best}; {rate / 1e12:.4g} TFLOP/s; {card}")
    else:
        target = _target(None, f"{ours[0].note if ours else 'not run'}; {card}")
    return [target, *rows, *_against_peers(results)]


def _target(share: float | None, detail: str) -> Measure:
    return Measure(
        measure="share of the card's bf16 matrix-product rate, 2.6B shape, one card",
        value=None if share is None else round(share, 3),
        unit="of 1",
        bound=f">= {LEAST_SHARE:g}",
        holds=None if share is None else share >= LEAST_SHARE,
        detail=detail,
    )


def _share(result: Result, rate: float) -> float:
    assert result.step_seconds is not None
    return result.case.step_flops / result.step_seconds / rate


def _row(result: Result, rate: float) -> Measure:
    name = f"tokens a second, {result.case.name}, {result.arm.name}"
    if result.step_seconds is None:
        return Measure(
            measure=name, value=None, unit="tokens/s", bound="no bound", holds=None,
            detail=result.note,
        )  # fmt: skip
    tokens = result.case.batch_tokens
    return Measure(
        measure=name,
        value=round(tokens / result.step_seconds, 1),
        unit="tokens/s",
        bound="no bound",
        holds=True,
        detail=f"{_share(result, rate):.1%} of the matrix-product rate, "
        f"{result.note}{result.peak_bytes / 2**30:.1f} GiB at the peak, "
        f"{tokens} tokens in {result.step_seconds:.2f} s, "
        f"{result.case.step_flops / 1e12:.4g} TFLOP a step",
    )


def _against_peers(results: Sequence[Result]) -> list[Measure]:
    rows = []
    for case in dict.fromkeys(result.case.name for result in results):
        done = [(r.arm, r.step_seconds) for r in results if r.case.name == case and r.step_seconds]
        ours = [seconds for arm, seconds in done if arm.work is nanotron]
        rows += [
            Measure(
                measure=f"tokens a second of the faster nanotron against {arm.name}, {case}",
                value=round(seconds / min(ours), 3),
                unit="x",
                bound="no bound",
                holds=True,
            )
            for arm, seconds in done
            if ours and arm.work is not nanotron
        ]
    return rows


if __name__ == "__main__":
    sys.exit(main())
