"""`nox -s prove -- parallel`: any layout gives one loss, any resume gives one run.

A small model is trained in every layout of up to four processes and compared with one process: the
losses of six steps, the gradients of the first, the weights after five. Runs are resumed in their own
layout (no bit may differ) and in others. Faults are planted, and the same comparison must see them.
"""

from __future__ import annotations

import shutil
import sys
import time
from itertools import chain
from pathlib import Path
from typing import Any

# What all share lies in the folder above.
sys.path.append(str(Path(__file__).parents[1]))

from _conclude import conclude
from _machine import is_busy, time_of_proof
from _options import options
from _parallel_compare import Difference, difference, final_weights, same_bits, saved_curve
from _parallel_runs import SAVED_AT, Run, made_corpus, plan_of, run_each
from skald_mup.init import initial_weights
from skald_specs.claims import Measure
from skald_specs.corpus import load_corpus
from skald_trainer.launch import run_ranks

FOLDER = Path("build/proofs/parallel")
MINUTES = 8.0

ALL_REDUCE: dict[str, Any] = {"tp": 2}
PIECES = {"tp": 2, "tp_mode": "reduce_scatter"}
OVERLAPPED = {"tp": 2, "tp_mode": "reduce_scatter_async"}
ZERO = {"zero_stage": 1}
RECOMPUTING = {"activation_checkpointing": True}
STAGES = {"pp": 2, "pp_schedule": "1f1b"}
FLUSHED = {"pp": 2, "pp_schedule": "afab"}
#: Micro-batches of 4: 24 sequences on three ranks.
THREE = {"dp": 3, "micro_batch_sequences": 4}

#: A unit in the last place of an fp32 loss near 5 is 4.8e-7; sums in another order give two of them.
#: Gradients are sums of some 10^3 rounded terms. Adam divides them by their own size, so what was
#: small in a gradient is not small in a weight's path.
FP32 = Difference(loss=2e-6, gradient=2e-6, weight=1e-5)
#: bf16 keeps 8 bits. Once anything differs by a bit, some weights round the other way and so does all
#: that follows: as far as one process with other micro-batches lies from itself.
_NOISE = Difference(loss=3e-3, gradient=0.05, weight=0.1)
#: Under tp each rank rounds its partial sums to bf16 before they are added up.
BF16_TP = BF16_MICRO_BATCHES = _NOISE
#: Under dp the same bf16 gradients are added up in fp32, in another order.
BF16_DP = _NOISE._replace(gradient=2e-6)
#: In one process the two gradients of a tied matrix are added in bf16; two stages add theirs in fp32.
BF16_TIED_STAGES = _NOISE._replace(gradient=2e-3)
#: Stages of an untied model compute what one process computes, in the same order.
NOTHING = Difference(0.0, 0.0, 0.0)

NEXT_STEP, CURVE = 1e-6, 2e-6


def _runs(model: str, *layouts: dict[str, Any], dtype: Any = "float32") -> list[Run]:
    return [Run(model, dtype, layout) for layout in layouts]


REFERENCES = [Run(m, d, {}) for m in ("plain", "tied", "qk_norm") for d in ("float32", "bfloat16")]
COMPARED: dict[int, list[Run]] = {
    1: [
        *_runs("plain", RECOMPUTING),
        *_runs("plain", RECOMPUTING, {"micro_batch_sequences": 4}, dtype="bfloat16"),
    ],
    2: [
        *_runs(
            "plain", {"dp": 2}, {"dp": 2, **ZERO}, ALL_REDUCE, PIECES, OVERLAPPED, STAGES, FLUSHED,
            {**OVERLAPPED, **RECOMPUTING}, {"dp": 2, **RECOMPUTING},
        ),
        *_runs(
            "plain", {"dp": 2}, {"dp": 2, **ZERO}, ALL_REDUCE, OVERLAPPED, STAGES, dtype="bfloat16"
        ),
        *_runs("tied", {"dp": 2, **ZERO}, PIECES, {**STAGES, **ZERO}),
        *_runs("tied", STAGES, dtype="bfloat16"),
        *_runs("qk_norm", ALL_REDUCE, PIECES),
        *_runs("qk_norm", OVERLAPPED, dtype="bfloat16"),
    ],
    3: _runs("plain", THREE, {**THREE, **ZERO}),
    4: [
        *_runs(
            "plain", {"dp": 4}, {"dp": 4, **ZERO}, {"tp": 4}, {**PIECES, "tp": 4},
            {**STAGES, "pp": 4}, {**FLUSHED, "pp": 4}, {"dp": 2, **ALL_REDUCE},
            {"dp": 2, **PIECES, **ZERO}, {"dp": 2, **STAGES}, {"dp": 2, **FLUSHED, **ZERO},
            {**ALL_REDUCE, **STAGES}, {**OVERLAPPED, **FLUSHED, **RECOMPUTING},
        ),
        *_runs("plain", {"dp": 2, **PIECES, **ZERO}, {"dp": 2, **STAGES, **ZERO}, dtype="bfloat16"),
        *_runs("tied", {"dp": 2, **STAGES, **ZERO}, {**PIECES, **STAGES}),
        *_runs("tied", {"dp": 2, **STAGES, **ZERO}, dtype="bfloat16"),
        *_runs("qk_norm", {**PIECES, **STAGES}),
    ],
}  # fmt: skip
PLANTED = [
    Run("plain", "float32", {"dp": 2}, plant="gradient not reduced"),
    Run("plain", "float32", ALL_REDUCE, plant="shard like its neighbour"),
    Run("plain", "float32", OVERLAPPED, plant="nanotron's own overlap"),
]
#: Trained through checkpoints, by processes; each is also resumed in its own layout.
SAVED = [
    Run("plain", "float32", {}, saved=True),
    Run("plain", "float32", {"dp": 2, **ZERO}, saved=True),
    Run("plain", "bfloat16", {"dp": 2, **ZERO}, saved=True),
    Run("plain", "float32", PIECES, saved=True),
    Run("tied", "float32", STAGES, saved=True),
    Run("plain", "float32", {**OVERLAPPED, **STAGES}, saved=True),
]


def _resumed(execution: dict[str, Any], origin: Run, **more: Any) -> Run:
    return Run(origin.model, origin.dtype, execution, resume=origin.name, **more)


SAME = [(_resumed(run.execution, run), run) for run in SAVED]
OTHER = [
    (_resumed(execution, SAVED[origin]), SAVED[origin])
    for execution, origin in (
        (FLUSHED, 0), (OVERLAPPED, 1), ({"dp": 2, **ZERO}, 3), ({"dp": 2}, 4),
        ({"dp": 2, **PIECES, **ZERO}, 0), ({**ALL_REDUCE, **STAGES}, 1), ({"dp": 4, **ZERO}, 5),
        ({**STAGES, "pp": 4}, 3), ({"dp": 2, **STAGES, **ZERO}, 4), ({}, 5),
    )
]  # fmt: skip
WRONG_RATE = _resumed(SAVED[1].execution, SAVED[1], plant="lr not re-applied")


def main() -> int:
    """Train everything, compare, and conclude."""
    given = options(__doc__)
    busy, started = is_busy(), time.monotonic()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    made_corpus(FOLDER / "corpus")
    _train()
    measures = [*_layouts(), *_same_layout(), *_other_layout(), *_planted()]
    measures.append(time_of_proof(busy, started, MINUTES))
    return conclude("parallel", "proofs", measures, given)


def _train() -> None:
    """Take the runs in launches of as many processes as they need, origins before their resumes."""
    resumed = [*(run for run, _ in SAME), *(run for run, _ in OTHER), WRONG_RATE]
    origins = chain(REFERENCES, *COMPARED.values(), PLANTED, SAVED)
    everything = [*origins, *resumed]
    late = [run for run, origin in OTHER if run.world_size < origin.world_size]
    for world_size in (1, 2, 3, 4):
        now = [run for run in everything if run.world_size == world_size and run not in late]
        _launch(world_size, now)
    for world_size in (1, 2):
        _launch(world_size, [run for run in late if run.world_size == world_size])


def _launch(world_size: int, runs: list[Run]) -> None:
    if not runs:
        return
    started = time.monotonic()
    run_ranks(world_size, run_each, runs, FOLDER)
    print(
        f"{len(runs)} runs, {world_size} process(es): {time.monotonic() - started:.0f} s",
        flush=True,
    )


def _bound(run: Run) -> Difference:
    if run.world_size == 1:
        return BF16_MICRO_BATCHES if "micro_batch_sequences" in run.execution else NOTHING
    dp, tp, pp = (run.execution.get(name, 1) for name in ("dp", "tp", "pp"))
    if dp == tp == 1 and run.model != "tied":
        return NOTHING
    if run.dtype == "float32":
        return FP32
    if tp > 1:
        return BF16_TP
    return BF16_TIED_STAGES if run.model == "tied" and pp > 1 else BF16_DP


def _compared(run: Run) -> Difference:
    reference = Run(run.model, run.dtype, {})
    plan = plan_of(reference, load_corpus(FOLDER / "corpus"))
    initial = initial_weights(plan.identity)
    return difference(FOLDER / run.name, FOLDER / reference.name, initial)


def _layouts() -> list[Measure]:
    """Return one measure for each layout."""
    found = []
    for run in chain(*COMPARED.values()):
        measured, bound = _compared(run), _bound(run)
        found.append(
            Measure(
                measure=f"loss against one process: {run.name}",
                value=measured.loss,
                unit="nats",
                bound=f"<= {bound.loss:g}",
                holds=measured.within(bound),
                detail=f"gradient {measured.gradient:.1e} (<= {bound.gradient:g}), "
                f"weights {measured.weight:.1e} (<= {bound.weight:g})",
            )
        )
    return found


def _same_layout() -> list[Measure]:
    """Return one measure for each run that was resumed where it was: no bit may differ."""
    found = []
    for run, origin in SAME:
        ours, undisturbed = saved_curve(FOLDER / run.name), saved_curve(FOLDER / origin.name)
        worst = max(abs(a[0] - b[0]) for a, b in zip(ours, undisturbed[SAVED_AT:], strict=True))
        same = same_bits(FOLDER / run.name, FOLDER / origin.name)
        found.append(
            Measure(
                measure=f"resumed in its own layout: {origin.name}",
                value=worst,
                unit="nats",
                bound="= 0",
                holds=ours == undisturbed[SAVED_AT:] and same,
                detail="losses, gradient norms, weights and moments, to the last bit",
            )
        )
    return found


def _other_layout() -> list[Measure]:
    """Return one measure for each run that was resumed in another layout."""
    found = []
    for run, origin in OTHER:
        first, rest, weights = _departure(run, origin)
        found.append(
            Measure(
                measure=f"loss after resuming: {run.layout} from {origin.model}, {origin.layout}",
                value=first,
                unit="nats",
                bound=f"<= {NEXT_STEP:g}",
                holds=first <= NEXT_STEP and rest <= CURVE and weights <= FP32.weight,
                detail=f"later steps {rest:.1e} (<= {CURVE:g}), weights {weights:.1e} "
                f"(<= {FP32.weight:g})",
            )
        )
    return found


def _departure(run: Run, origin: Run) -> tuple[float, float, float]:
    """Return how far the next loss, the later ones and the last weights lie from the origin's."""
    curves = [saved_curve(FOLDER / run.name), saved_curve(FOLDER / origin.name)[SAVED_AT:]]
    losses = [abs(a[0] - b[0]) for a, b in zip(*curves, strict=True)]
    got, wanted = (final_weights(FOLDER / one.name) for one in (run, origin))
    assert got.keys() == wanted.keys()
    initial = initial_weights(plan_of(origin, load_corpus(FOLDER / "corpus")).identity)
    weights = [float((got[k] - w).norm() / (w - initial[k]).norm()) for k, w in wanted.items()]
    return losses[0], max(losses[1:]), max(weights)


def _planted() -> list[Measure]:
    """Return one measure for each planted fault: the comparison must not hold."""
    found = []
    for run in PLANTED:
        measured = _compared(run)
        caught = [measured.loss > FP32.loss, measured.gradient > FP32.gradient,
                  measured.weight > FP32.weight]  # fmt: skip
        found.append(
            Measure(
                measure=f"planted, caught: {run.plant}",
                value=measured.loss,
                unit="nats",
                bound=f"> {FP32.loss:g}",
                holds=all(caught),
                detail=f"gradient {measured.gradient:.1e}, weights {measured.weight:.1e}",
            )
        )
    first, rest, weights = _departure(WRONG_RATE, SAVED[1])
    found.append(
        Measure(
            measure=f"planted, caught: {WRONG_RATE.plant}",
            value=rest,
            unit="nats",
            bound=f"> {CURVE:g}",
            holds=rest > CURVE and weights > FP32.weight,
            detail=f"the next loss cannot tell ({first:.1e}); weights {weights:.1e}",
        )
    )
    return found


if __name__ == "__main__":
    sys.exit(main())
