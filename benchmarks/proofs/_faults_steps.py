"""Steps whose loss is no number, or a spike: stopped before a weight changes, or left out and logged."""

from __future__ import annotations

import math
import shutil
import signal
from pathlib import Path
from typing import Any

from _faults_lives import (
    N_STEPS,
    Forked,
    ended,
    made_plan,
    newest_whole,
    reached,
    result,
)
from _faults_plants import losses_multiplied
from skald_specs.claims import Measure
from skald_specs.errors import EXIT_CLAIM_FAILED
from skald_specs.files import read_json, read_jsonl

_BAD_STEP = N_STEPS // 2 + 1
_BOUND: dict[str, Any] = {"spike_nats": 1.0, "window_steps": 16}
_PLANTS = {"no number": math.nan, "a spike": 4.0}


def measures(folder: Path, corpus: Path) -> list[Measure]:
    """Plant a loss that is no number, and a spike, under either rule."""
    wrong = list[str]()
    plan, reference = made_plan(corpus, guard=_BOUND), folder / "guarded-reference"
    log = folder / "guarded.log"
    ended(Forked(plan, corpus, reference, log))
    if result(reference) != result(folder / "forked-reference"):
        wrong.append("a guard that met nothing changed the result")
    for what, factor in _PLANTS.items():
        out, report = folder / f"stopped-{what}", folder / f"stopped-{what}" / "bad_step.json"
        code = ended(Forked(plan, corpus, out, log, fault=losses_multiplied({_BAD_STEP: factor})))
        said, newest = log.read_text(), newest_whole(out)
        words = [f"step {_BAD_STEP} is bad", "It read the windows ", "--resume", str(newest)]
        if code != EXIT_CLAIM_FAILED or any(word not in said for word in words):
            wrong.append(f"{what}, stop (code {code}): {said[-300:]}")
        if not report.is_file() or sum(map(len, read_json(report)["windows"].values())) != 8:
            wrong.append(f"{what}, stop: {report} does not name the batch")
        if ended(Forked(plan, corpus, out, log)) != 0 or result(out) != result(reference):
            wrong.append(f"{what}, stop: did not continue alike")
    skipping = made_plan(corpus, guard={**_BOUND, "on_bad_step": "skip", "max_skipped_steps": 2})
    # The first is no number and the second a spike, which needs the memory of losses.
    factors = dict(zip((_BAD_STEP, _BAD_STEP + 40), _PLANTS.values(), strict=True))
    whole, killed = folder / "skipped-whole", folder / "skipped-killed"
    code = ended(Forked(skipping, corpus, whole, log, fault=losses_multiplied(factors)))
    rows = read_jsonl(whole / "final" / "curve.jsonl") if code == 0 else iter(())
    if [row["step"] for row in rows if "skipped" in row] != list(factors):
        wrong.append(f"skip (code {code}): {log.read_text()[-300:]}")
    life = Forked(skipping, corpus, killed, log, fault=losses_multiplied(factors))
    reached(life, killed, _BAD_STEP + 20)
    life.send(signal.SIGKILL)
    ended(life)
    ended(Forked(skipping, corpus, killed, log, fault=losses_multiplied(factors)))
    if result(killed) != result(whole):
        wrong.append("skip: killed between the two, it did not continue alike")
    shutil.rmtree(folder / "too-many", ignore_errors=True)
    many = losses_multiplied(dict.fromkeys((10, 12, 14), math.inf))
    code = ended(Forked(skipping, corpus, folder / "too-many", log, fault=many))
    if code != EXIT_CLAIM_FAILED or "guard.max_skipped_steps = 2" not in log.read_text():
        wrong.append(f"three skips (code {code}): {log.read_text()[-300:]}")
    return [
        Measure(
            measure="bad steps that were not stopped or left out as the recipe says", value=len(wrong),
            unit="", bound="= 0", holds=not wrong,
            detail="; ".join(wrong)
            or "no number and a spike; stop, skip, skip and kill, too many; none without a plant",
        )
    ]  # fmt: skip
