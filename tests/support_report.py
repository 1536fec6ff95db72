"""Inputs of the report with the right format and simulated numbers, for the report's tests.

The numbers follow a simple story (training helps, size helps a little, controls do not learn), so
that a test can ask whether the page tells it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from skald_report.reading.inputs import ReportInputs
from skald_specs.corpus import CorpusManifest, ShardInfo
from skald_specs.execution import ExecutionRecipe
from skald_specs.files import read_jsonl, write_json, write_jsonl
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
    TimeFit,
)
from support import ROOT
from support_fits import make_fit, make_outlook

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
