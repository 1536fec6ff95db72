"""Inputs of the report with the right format and simulated numbers, for the report's tests.

The numbers follow a simple story (training helps, size helps a little, controls do not learn), so
that a test can ask whether the page tells it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from skald_report.reading.inputs import ReportInputs
from skald_specs.corpus import CorpusManifest, ShardInfo
from skald_specs.execution import ExecutionRecipe
from skald_specs.files import read_jsonl, write_json, write_jsonl
from skald_specs.outlook import Cost, Distance, Outlook, PriorShare, PublishedSays
from skald_specs.plan import (
    TENSOR_KINDS,
    UNTRANSFERRED,
    Multipliers,
    Plan,
    PlanIdentity,
    PlannedData,
    PlannedOptimizer,
    PlannedSchedule,
    Quantity,
    TensorRule,
)
from skald_specs.recipe import CorpusRecipe, TokenizerRecipe
from skald_specs.records import EvaluatedModel, EvaluationSummary, ItemRecord, TaskInfo
from skald_specs.shape import ModelShape
from skald_specs.timefit import (
    Centre,
    CriticalBatch,
    Estimate,
    FamilyFit,
    FittedRun,
    HeldOut,
    LocalOptimum,
    Sensitivity,
    TableFacts,
    TimeFit,
)
from support import ROOT

LANGUAGES = ("da", "de", "en", "nl", "sv")
BASELINES = ("mini-2.6b", "mini-7.8b")
CONTROLS = ("random-init-mini-2.6b", "random-init-mini-7.8b", "byte-ngram")
PUBLISHED = ROOT / "evals" / "published"
KINDS = ("pairs", "cloze", "text")
#: Chance of a right answer on pairs and cloze, and bits per byte.
SKILL = {
    "mini-2.6b": (0.86, 0.66, 1.55),
    "mini-7.8b": (0.91, 0.76, 1.38),
    "random-init-mini-2.6b": (0.50, 0.25, 8.6),
    "random-init-mini-7.8b": (0.50, 0.25, 8.7),
    "byte-ngram": (0.74, 0.52, 1.90),
}


def write_inputs(
    root: Path,
    baselines: Iterable[str] = BASELINES,
    controls: Iterable[str] = CONTROLS,
    languages: Iterable[str] = LANGUAGES,
    source: str = "data/text",
    seed: int = 1,
    n_items: int = 120,
    kinds: Iterable[str] = KINDS,
    fit: TimeFit | None = None,
    worse_by: Mapping[str, float] = MappingProxyType({}),
) -> ReportInputs:
    """Write a whole set of inputs below `root` in the standard folders and return their paths."""
    names, tags = list(baselines), list(languages)
    artifacts = root / "artifacts"
    corpus = _corpus(tags, source)
    write_json(artifacts / "corpus" / "corpus.json", corpus.model_dump(mode="json"))
    (fit or make_fit(seed=seed)).save(artifacts / "plan" / "fit.json")
    for number, name in enumerate(names):
        made = make_plan(name, corpus, width=96 * (number + 1))
        plan = made.model_copy(update={"outlook": make_outlook(number)})
        plan.save(artifacts / "plan" / f"{name}.yaml")
        final = artifacts / "runs" / name / "final"
        plan.save(final / "plan.yaml")
        write_jsonl(final / "curve.jsonl", _curve(tags, number, seed))
        if name in worse_by:
            write_untransferred(root, name, plan, worse_by[name])
    evaluation = artifacts / "eval" / "core"
    write_evaluation(evaluation, [*names, *controls], tags, seed, n_items, kinds)
    return ReportInputs.from_folders(artifacts, names, ["core"], PUBLISHED)


def _corpus(tags: list[str], source: str) -> CorpusManifest:
    return CorpusManifest(
        schema_version=1,
        recipe=CorpusRecipe(
            source=source, languages=tuple(tags), tokenizer=TokenizerRecipe(vocab_size=1024)
        ),
        vocab_size=1024,
        tokenizer_sha256="0" * 64,
        shards=tuple(
            ShardInfo(
                language=tag, split=split, path=f"{tag}.{split}.ds", sha256=f"{n:064d}",
                n_documents=900 // (1 + 8 * (split == "validation")), n_tokens=220_000 + n,
                n_bytes=640_000 + n,
            )
            for n, tag in enumerate(tags)
            for split in ("train", "validation")
        ),
    )  # fmt: skip


def make_plan(name: str, corpus: CorpusManifest, width: int) -> Plan:
    """Return a plan with a fitted learning rate."""
    rule = TensorRule(
        role="hidden", fan_in_mult=1, init_std=0.02, lr=0.01, eps=1e-8, weight_decay=0.1
    )
    shape = ModelShape(
        d_model=width, n_layers=3, d_head=32, n_heads=width // 32, n_kv_heads=width // 32,
        d_ff=width * 3, vocab_size=1024, seq_len=256,
    )  # fmt: skip
    count = Quantity[int](value=width * width * 36, standing="derived", source="closed form")
    identity = PlanIdentity(
        model=shape,
        n_params_total=count,
        n_params_non_embedding=count,
        rules=dict.fromkeys(TENSOR_KINDS, rule),
        multipliers=Multipliers(emb_mult=1, attn_scale=0.1, residual_mult=1, output_mult=1),
        optimizer=PlannedOptimizer(
            base_lr=Quantity[float](
                value=2**-6.4,
                standing="fitted",
                source="sweep at 131072, 262144 tokens; horizon exponent -0.31",
                interval=(2**-6.9, 2**-5.9),
            ),
            beta1=0.9,
            beta2=0.95,
            grad_clip=1.0,
        ),
        schedule=PlannedSchedule(
            n_steps=Quantity[int](value=195, standing="derived"),
            warmup_steps=Quantity[int](value=20, standing="derived"),
            decay_steps=Quantity[int](value=40, standing="derived"),
            final_lr_fraction=0.0,
        ),
        global_batch_tokens=Quantity[int](value=4096, standing="given"),
        horizon_tokens=Quantity[int](value=800_000, standing="given"),
        data=PlannedData(
            corpus_fingerprint=corpus.fingerprint,
            mixture={tag: 1 / len(corpus.recipe.languages) for tag in corpus.recipe.languages},
            seed=1,
        ),
        dtype="float32",
        model_seed=1,
    )
    execution = ExecutionRecipe(
        micro_batch_sequences=4, checkpoint_every_steps=50, validate_every_steps=50
    )
    return Plan(schema_version=1, name=name, identity=identity, execution=execution)


def make_fit(
    batches: Iterable[int] = (4096,),
    horizons: Iterable[int] = (131_072, 262_144),
    widths: Iterable[int] = (64,),
    seeds: Iterable[int] = (1, 2),
    scattered: bool = False,
    seed: int = 1,
) -> TimeFit:
    """Return a fit of runs drawn from a power-law ridge: lr ~ batch^0.5 horizon^-0.35.

    `scattered` gives it the surface of a design without rows of learning rates, which knows the best
    batch. The largest learning rate of every row diverged, and the last batch's optimum at the first
    horizon is a bound.
    """
    rng = np.random.default_rng(seed)
    batches, horizons, widths, seeds = (tuple(v) for v in (batches, horizons, widths, seeds))
    centre = Centre(
        log2_lr=-5.8,
        log2_batch=float(np.mean(np.log2(batches))),
        log2_size=20.0,
        log2_horizon=float(np.mean(np.log2(horizons))),
    )
    runs, local, held_out = [], [], []
    for width, horizon, batch in itertools.product(widths, horizons, batches):
        y = math.log2(batch) - centre.log2_batch
        t = math.log2(horizon) - centre.log2_horizon
        best = centre.log2_lr + 0.5 * y - 0.35 * t
        rise = 0.021 * 2 ** (-0.3 * t)
        away = 0.006 * (y - 0.45 * t) ** 2
        level = 2.31 * 2 ** (-0.17 * t) * (1 if width == 64 else 0.97)
        cell = {
            "width": width, "depth": 3, "n_params_non_embedding": 36 * width**2,
            "horizon_tokens": horizon, "global_batch_tokens": batch,
        }  # fmt: skip
        grid = [round(best) + step for step in (-2, -1, 0, 1, 2, 3)]
        for lr, s in itertools.product(grid, seeds):
            lost = lr == grid[-1]
            excess = rise * (lr - best) ** 2 + away + rng.normal(0, 0.004)
            runs.append(FittedRun(
                **cell, lr=2.0**lr, seed=s, loss=None if lost else level * math.exp(excess),
                diverged=lost, in_fit=abs(lr - best) < 2,
            ))  # fmt: skip
        if len(batches) > 1 and (batch, horizon) == (batches[-1], horizons[0]):
            local.append(LocalOptimum(**cell, bound="at_least", bound_log2_lr=best - 0.5))
            continue
        found = best + rng.normal(0, 0.1)
        local.append(LocalOptimum(
            **cell, log2_lr=found, interval=(found - 0.3, found + 0.4), loss=level * math.exp(away),
            rise_at_one_octave=rise,
        ))  # fmt: skip
        if horizon != horizons[0]:
            held_out.append(HeldOut(
                horizon_tokens=horizon, global_batch_tokens=batch,
                n_params_non_embedding=36 * width**2, predicted_log2_lr=best - 0.1,
                predicted_interval=(best - 0.6, best + 0.4), measured_log2_lr=found,
                measured_interval=(found - 0.3, found + 0.4),
            ))  # fmt: skip
    several = len(batches) > 1
    return TimeFit(
        schema_version=1,
        table=TableFacts(
            sha256="0" * 64, source="artifacts/sweep", loss_unit="bits/byte", n_runs=len(runs),
            n_diverged=sum(r.diverged for r in runs), n_in_fit=sum(r.in_fit for r in runs),
            widths=widths, depths=(3,), n_params_non_embedding=tuple(36 * w**2 for w in widths),
            horizons_tokens=horizons, global_batches_tokens=batches,
            lr_range=(min(r.lr for r in runs), max(r.lr for r in runs)), seeds=seeds,
            schedule="wsd",
        ),
        runs=tuple(runs),
        centre=centre,
        families=tuple(_families(several, scattered, rng)),
        spread_octaves=0.1,
        size_terms=False,
        size_drift=Estimate(value=0.02, interval=(-0.1, 0.15)) if len(widths) > 1 else None,
        size_drift_p_value=0.7 if len(widths) > 1 else None,
        horizon_exponent=Estimate(value=-0.35, interval=(-0.5, -0.2)),
        batch_exponent=Estimate(value=0.5, interval=(0.4, 0.6)) if several else None,
        best_batch_exponent=Estimate(value=0.45, interval=(0.3, 0.6)) if scattered else None,
        local=tuple(local),
        sensitivities=tuple(
            Sensitivity(
                horizon_tokens=h,
                rise_at_one_octave=0.021 * (h / 2**centre.log2_horizon) ** -0.3,
                interval=(0.012, 0.031),
            )
            for h in horizons
        ),
        sensitivity_exponent=Estimate(value=-0.3, interval=(-0.5, -0.1)),
        held_out=tuple(held_out),
        extrapolation_sd_per_octave=0.1,
        critical=tuple(
            CriticalBatch(
                definition=what, horizon_tokens=h, tokens=factor * (h / 4096) ** 0.5,
                interval=(factor * (h / 8192) ** 0.5, factor * (h / 2048) ** 0.5),
            )
            for what, factor in (("knee", 4000.0), ("overhead", 9000.0))
            for h in horizons
            if several
        ),
        critical_exponent=Estimate(value=0.5, interval=(0.2, 0.8)) if several else None,
        overhead_exponent=Estimate(value=0.5, interval=(0.3, 0.7)) if several else None,
        loss_law=None,
        noise_sd=0.004,
        offered=() if several else ("the best batch: one batch was swept",),
        family={},
    )  # fmt: skip


def _families(several: bool, scattered: bool, rng: np.random.Generator) -> Iterator[FamilyFit]:
    surface = {"curvature": math.log(0.021), "curvature_horizon": -0.2, "skew": 0.06}
    if scattered:
        surface |= {"profile": 0.006, "profile_batch": 0.0, "profile_horizon": -2 * 0.006 * 0.45}
    power = surface | {"level": 0.0, "batch": 0.5, "horizon": -0.35}
    surge = surface | {"level": 0.0, "horizon": -0.1, "knee": 1.0, "knee_horizon": 0.5}
    kinds = {"power": (power, 0.7), "surge": (surge, 0.28), "saturating": (surge, 0.02)}
    if not several:
        del power["batch"]
        kinds = {"power": (power, 1.0)}
    for kind, (values, weight) in kinds.items():
        fitted = np.array(list(values.values()))
        spread = [0.05 if "profile" not in name else 0.0005 for name in values]
        draws = fitted + rng.normal(0, 1, (40, len(fitted))) * spread
        yield FamilyFit(
            kind=kind, names=tuple(values), values=tuple(fitted),
            draws=tuple(map(tuple, draws.tolist())), held_out_error=0.0021, weight=weight,
        )  # fmt: skip


def make_outlook(size: int) -> Outlook:
    """Return what a plan expects of itself, three octaves beyond its sweep."""
    return Outlook(
        distance=Distance(horizon_octaves=1.6, batch_octaves=0, size_octaves=2.3),
        regret=Estimate(value=0.004, interval=(0.001, 0.012)),
        chosen_below_median_octaves=0.1,
        final_loss=Estimate(value=1.5 - 0.1 * size, interval=(1.4 - 0.1 * size, 1.62 - 0.1 * size)),
        loss_unit="bits/byte",
        tau_ema=0.2,
        priors=(PriorShare(quantity="base_lr", share=0.35, prior="horizon exponent of 2409.19913"),),
        published=tuple(
            PublishedSays(
                law=law, source=source, quantity=quantity, theirs=theirs, ours=ours,
                octaves=math.log2(ours / theirs), comparable=law == "Power Lines", note=note,
            )
            for law, source, quantity, theirs, ours, note in (
                ("StepLaw", "arXiv 2503.04715", "lr", 0.0031, 0.0118, "standard parametrisation"),
                ("Power Lines", "arXiv 2505.13738", "tau_ema", 0.31, 0.2, ""),
            )
        ),
        cost=Cost(training_flops=3e15),
        warnings=("the horizon lies 1.6 octaves beyond the sweep",),
    )  # fmt: skip


def write_untransferred(root: Path, name: str, corpus_of: Plan, worse_by: float) -> None:
    """Write the second run of a baseline: a rate half an octave higher, and so much worse a loss."""
    identity = corpus_of.identity
    base_lr = identity.optimizer.base_lr
    raised = base_lr.model_copy(update={"value": base_lr.value * 2**0.5, "standing": "given"})
    optimizer = identity.optimizer.model_copy(update={"base_lr": raised})
    plan = corpus_of.model_copy(update={
        "name": f"{name}{UNTRANSFERRED}",
        "identity": identity.model_copy(update={"optimizer": optimizer}),
        "outlook": None,
    })  # fmt: skip
    final = root / "artifacts" / "runs" / plan.name / "final"
    plan.save(final / "plan.yaml")
    own = read_jsonl(root / "artifacts" / "runs" / name / "final" / "curve.jsonl")
    rows = [
        row
        if "bits_per_byte" not in row
        else {
            **row,
            "bits_per_byte": {
                tag: bits + worse_by * (1 + 0.1 * number)
                for number, (tag, bits) in enumerate(row["bits_per_byte"].items())
            },
        }
        for row in own
    ]
    write_jsonl(final / "curve.jsonl", rows)


def _curve(tags: list[str], size: int, seed: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed + size)
    rows: list[dict[str, Any]] = []
    for step in range(1, 196):
        loss = 2.4 - 0.15 * size + 4.4 * math.exp(-step / 28) + rng.normal(0, 0.03)
        row = {"step": step, "tokens_seen": step * 4096}
        rows.append({**row, "loss_nats": loss, "lr": 0.01, "grad_norm": 1.0})
        if step % 39 == 0:
            bits = {
                tag: 1.4 - 0.1 * size + 0.05 * n + 3 * math.exp(-step / 40)
                for n, tag in enumerate(tags)
            }
            rows.append({**row, "bits_per_byte": bits})
    return rows


def write_evaluation(
    folder: Path,
    names: list[str],
    tags: list[str],
    seed: int = 1,
    n_items: int = 120,
    kinds: Iterable[str] = KINDS,
) -> None:
    """Write `summary.json` and `items.jsonl` of simulated models; four items share a key."""
    kinds = tuple(kinds)
    summary = EvaluationSummary(
        schema_version=1,
        suite=folder.name,
        models=tuple(
            EvaluatedModel(
                name=name,
                role="control" if name in CONTROLS else "baseline",
                about=f"about {name}",
                n_params_total=None if name == "byte-ngram" else 400_000,
                weights_sha256=f"{number:064d}",
                tokenizer_sha256="0" * 64,
                dtype="float32",
                scorer="tree",
            )
            for number, name in enumerate(names)
        ),
        tasks=tuple(
            TaskInfo(
                name=f"{folder.name}_{kind}_{tag}", kind=kind, suite=folder.name, language=tag,
                version=1.0, chance={"pairs": 0.5, "number": 0.5, "text": None}.get(kind, 0.25),
                n_items=n_items, data_sha256="0" * 64, items_sha256="0" * 64,
                metric="bits_per_byte" if kind == "text" else "acc",
                family=f"{folder.name}_{kind}", source="generated",
            )
            for kind in kinds
            for tag in tags
        ),
        lm_eval_version="0.4.13",
        fewshot_seed=1234,
        flags=(),
    )  # fmt: skip
    write_json(folder / "summary.json", summary.model_dump(mode="json"))
    write_jsonl(folder / "items.jsonl", _records(folder.name, names, tags, seed, n_items, kinds))


def _records(
    suite: str, names: list[str], tags: list[str], seed: int, n_items: int, kinds: tuple[str, ...]
) -> list[dict[str, Any]]:
    rows = []
    for tag in tags:
        rng = np.random.default_rng([seed, *tag.encode()])
        for kind in kinds:
            hardness = np.repeat(rng.normal(0, 1, -(-n_items // 4)), 4)[:n_items]
            luck = rng.random(n_items)
            n_bytes = rng.integers(200, 900, n_items)
            for name in names:
                pairs, cloze, bits = SKILL.get(name, SKILL["mini-2.6b"])
                for i in range(n_items):
                    if kind == "text":
                        score = bits + 0.12 * hardness[i] + 0.05 * luck[i]
                    else:
                        chance = 0.5 if kind == "number" else 0.25
                        skill = {"pairs": pairs, "cloze": cloze, "skill": cloze}.get(kind, chance)
                        odds = math.log(skill / (1 - skill)) - 0.5 * hardness[i]
                        # A control guesses by itself, so it is not paired with the others' luck.
                        own = rng.random() if name.startswith("random") else luck[i]
                        score = float(own < 1 / (1 + math.exp(-odds)))
                    record = ItemRecord(
                        model=name, task=f"{suite}_{kind}_{tag}", kind=kind, language=tag,
                        item_id=f"{kind}-{i}", key=f"scene-{i // 4}", group="", score=score,
                        n_bytes=int(n_bytes[i]), metrics={},
                    )  # fmt: skip
                    rows.append(record.model_dump())
    return rows
