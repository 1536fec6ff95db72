"""Simulated evaluations of many tasks: tasks of others in several wordings, and every control."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from skald_specs.controls import BYTE_NGRAM, BYTE_UNIGRAM, LONGEST, ORACLE, RULES
from skald_specs.files import write_json, write_jsonl
from skald_specs.records import (
    ControlFlag,
    EvaluatedModel,
    EvaluationSummary,
    ItemRecord,
    Recheck,
    TaskInfo,
    TaskKind,
)

MODELS = ("mini-2.6b", "mini-7.8b")
CONTROLS = ("random-init-mini-2.6b", "random-init-mini-7.8b", BYTE_NGRAM, BYTE_UNIGRAM, *RULES)


class Family(NamedTuple):
    """Tasks of one family: the share that the models get right, each wording a little more."""

    name: str
    kind: TaskKind
    right: float
    chance: float | None = 0.25
    wordings: tuple[str, ...] = ("",)
    translated: bool | None = None


HUB = (
    Family("arc", "choice", 0.40, 0.25, ("v1", "v2", "v3"), True),
    Family("belebele", "choice", 0.35, 0.25, ("v1", "v2", "v3"), False),
    Family("multiblimp", "choice", 0.85, 0.5),
    Family("summaries", "generate", 0.30, None),
)


def write_suite(
    folder: Path,
    families: Iterable[Family] = HUB,
    languages: Iterable[str] = ("da", "de", "nb", "sv"),
    models: Iterable[str] = MODELS,
    controls: Iterable[str] = CONTROLS,
    n_items: int = 60,
    leaks: str = "",
) -> EvaluationSummary:
    """Write `summary.json` and `items.jsonl`; the longest answers of family `leaks` are right.

    What each model answers to an item depends on names alone, so the same arguments give the same
    bytes.
    """
    families, tags, models = tuple(families), tuple(languages), tuple(models)
    names = [*models, *controls]
    infos = [
        TaskInfo(
            name="_".join(filter(None, (family.name, wording, tag))), kind=family.kind,
            suite=folder.name, language=tag, version=1.0, chance=family.chance, n_items=n_items,
            data_sha256="0" * 64, metric="acc" if family.kind != "generate" else "rougeL",
            family=family.name, variant=wording, num_fewshot=5 if family.kind == "choice" else 0,
            translated=family.translated, license="CC-BY-4.0", source=f"org/{family.name}",
        )
        for family in families for wording in family.wordings for tag in tags
    ]  # fmt: skip
    by_name = {family.name: family for family in families}
    rows = [
        record
        for info in infos
        for name in names
        if name not in controls or info.kind != "generate" or name.startswith("random")
        for record in _records(info, by_name[info.family], name, name in models, leaks)
    ]
    flags = [
        ControlFlag(task=t.name, control=LONGEST, score=0.9, chance=t.chance or 0, p_value=1e-9)
        for t in infos
        if t.family == leaks
    ]
    summary = EvaluationSummary(
        schema_version=1, suite=folder.name, models=tuple(map(_model, names)), tasks=tuple(infos),
        lm_eval_version="0.4.13", fewshot_seed=1234, flags=tuple(flags),
        rechecks=tuple(
            Recheck(model=name, n_requests=4000, n_rechecked=41, largest_nats=1.3e-6 * (1 + n))
            for n, name in enumerate(models)
        ),
    )  # fmt: skip
    write_json(folder / "summary.json", summary.model_dump(mode="json"))
    write_jsonl(folder / "items.jsonl", rows)
    return summary


def _model(name: str) -> EvaluatedModel:
    return EvaluatedModel(
        name=name, role="control" if name in CONTROLS else "baseline", about=f"about {name}",
        n_params_total=None, weights_sha256=f"{zlib.crc32(name.encode()):064x}",
        tokenizer_sha256="", dtype="float32", scorer="tree",
    )  # fmt: skip


def _records(
    info: TaskInfo, family: Family, name: str, trained: bool, leaks: str
) -> Iterable[dict[str, Any]]:
    rng = np.random.default_rng(zlib.crc32(f"{name} {info.name}".encode()))
    chance = info.chance or 0.05
    right = family.right + 0.06 * family.wordings.index(info.variant) if trained else chance
    right = {ORACLE: 1.0, LONGEST: 0.9 if info.family == leaks else chance}.get(name, right)
    for i in range(info.n_items):
        score = float(rng.random() < right) if info.kind != "generate" else right * rng.random()
        yield ItemRecord(
            model=name, task=info.name, kind=info.kind, language=info.language, item_id=str(i),
            key=str(i), group="", score=score, n_bytes=20, metrics={},
        ).model_dump()  # fmt: skip
