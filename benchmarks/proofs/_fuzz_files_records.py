"""Fuzz targets: records of evaluations, the store of answers, logs of runs, and what stations keep."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pandas as pd
from _fuzz_files_mutate import fixed, lines_of, of_numbers, once, put
from _fuzz_mutate import mutated
from _fuzz_target import Target
from skald_cli import wheelhouse
from skald_corpus.decontaminate.scan import Counts
from skald_corpus.pipeline import carried
from skald_corpus.pipeline.why import why
from skald_harness.running.watch import read_points as read_watched
from skald_harness.store import answers
from skald_harness.store.every_eval_ever import export_every_eval_ever, validate
from skald_harness.store.keys import RunKey
from skald_harness.store.lm_eval_results import export_lm_eval
from skald_harness.store.records import recorded_answer
from skald_harness.store.verify import verify_evaluation
from skald_planner.fitting.runs import read_runs
from skald_report.reading.inputs import ReportInputs, load
from skald_report.reading.points import read_points
from skald_report.reading.records import read_items
from skald_specs.curves import ScorePoint
from skald_specs.errors import UserInputError
from skald_specs.fingerprint import fingerprint
from skald_specs.funnel import Funnel
from skald_specs.records import (
    EvaluatedModel,
    EvaluationSummary,
    ItemRecord,
    RequestRecord,
    TaskInfo,
)
from skald_trainer.metrics import MetricsFile, curve_rows, energy_joules, first_step
from skald_trainer.origin import Origin

_FACTS: dict[str, Any] = {"model": "base", "task": {"name": "own_pairs_da"}}
_KEY = RunKey(_FACTS, fingerprint(_FACTS))


def _task(kind: Any) -> TaskInfo:
    return TaskInfo(
        name=f"own_{kind}_da", kind=kind, suite="own", language="da", version=1.0,
        chance=None if kind == "text" else 0.5, n_items=2, data_sha256="0" * 64,
        metric="bits_per_byte" if kind == "text" else "acc", family=f"own_{kind}", source="own",
    )  # fmt: skip


_SUMMARY = EvaluationSummary(
    schema_version=1, suite="own",
    models=(EvaluatedModel(
        name="base", role="baseline", about="a decoder", n_params_total=100, weights_sha256="0" * 64,
        tokenizer_sha256="1" * 64, dtype="float32", scorer="tree",
    ),),
    tasks=(_task("pairs"), _task("text")), lm_eval_version="0.4.13", fewshot_seed=1234, flags=(),
)  # fmt: skip


def _request(kind: str, item: int, index: int) -> dict[str, Any]:
    text = f"En hund løber {item}{index}."
    return RequestRecord(
        run_key=_KEY.digest, task=f"own_{kind}_da", item_id=f"i{item}", index=index, context="",
        continuation=text, logprob_nats=-4.0 - index, is_greedy=False, response=None,
        recheck_nats=-4.0 - index if item else None, n_tokens=5, n_bytes=len(text.encode()),
        is_right=None if kind == "text" else index == 0,
    ).model_dump(mode="json")  # fmt: skip


_REQUESTS = [_request("pairs", item, index) for item in (0, 1) for index in (0, 1)]
_REQUESTS += [_request("text", item, 0) for item in (0, 1)]
_ITEMS = [
    ItemRecord(
        model="base", task=f"own_{kind}_da", kind=kind, language="da", item_id=f"i{item}", key=f"k{item}",
        group="", score=1.0, n_bytes=16, metrics={} if kind == "text" else {"acc_bytes": 1.0},
    ).model_dump(mode="json")
    for kind in ("pairs", "text") for item in (0, 1)
]  # fmt: skip
_CURVE: list[dict[str, Any]] = [
    {"step": 1, "tokens_seen": 128, "loss_nats": 4.0, "lr": 0.01, "energy_joules": {"gpu": 1.5},
     "energy_since_step": 0, "tokens_per_second": 10.0},
    {"step": 2, "tokens_seen": 256, "loss_nats": 3.0, "skipped": True},
    {"step": 2, "tokens_seen": 256, "bits_per_byte": {"da": 2.5, "sv": 2.6}},
]  # fmt: skip
_POINTS = [
    ScorePoint(
        run="base", suite="own", task="own_pairs_da", language="da", step=step, tokens=128 * step, score=0.5,
        standard_error=0.1, kind="pairs", metric="acc", higher_is_better=True, version=1.0, n_items=2,
        data_sha256="0" * 64, weights_sha256="0" * 64, plan_fingerprint="f",
    ).model_dump(mode="json")
    for step in (1, 2)
]  # fmt: skip


def _evaluation(folder: Path) -> None:
    put(folder / "eval" / "summary.json", _SUMMARY.model_dump_json().encode())
    put(folder / "eval" / "items.jsonl", lines_of(_ITEMS))
    put(folder / "eval" / "requests" / "base.jsonl", lines_of(_REQUESTS))


def _records(name: str) -> Callable[[bytes, Path], object]:
    def call(data: bytes, folder: Path) -> object:
        place = once(folder / name.replace("/", "-"), _evaluation) / "eval"
        put(place / name, data)
        which = len(data) % 4
        if which == 0:
            return export_lm_eval(place, folder / "lm-eval")
        if which == 1:
            return export_every_eval_ever(place, folder / "every-eval")
        if which == 2 and name == "items.jsonl":
            return read_items([(place / name, _SUMMARY)])
        return verify_evaluation(place)

    return call


def _exported(folder: Path) -> None:
    _evaluation(folder)
    export_every_eval_ever(folder / "eval", folder)


def _logged(folder: Path, end: str) -> Path:
    (path,) = once(folder, _exported).glob(f"data/*/*/*/*{end}")
    return path


def _log(end: str) -> Callable[[bytes, Path], object]:
    def call(data: bytes, folder: Path) -> object:
        log, path = (_logged(folder / f"log{end}", one) for one in (".json", end))
        put(path, data)
        return validate(path if len(data) % 2 else log)

    return call


def _stored_line(record: bytes) -> bytes:
    told = b"%08d%s%s" % (0, answers.LAST, record)
    crc = zlib.crc32(told)
    return b"%s%08x%s%s%s\n" % (answers.HEAD, crc, answers.MIDDLE, told, answers.TAIL)


def _of_store(data: bytes, rng: Random, words: tuple[bytes, ...]) -> bytes:
    """Change lines; in most cases their records, with a checksum that holds."""
    if rng.random() < 0.3:
        return mutated(data, rng, words)
    found = mutated(lines_of(_REQUESTS), rng, words).split(b"\n")
    return b"".join(_stored_line(line) for line in found if line)


def _stored(data: bytes, folder: Path) -> object:
    place = folder / "store" / _KEY.digest
    put(place / "rank-0.jsonl", data)
    put(place / "key.json", json.dumps({"facts": _FACTS, "scorer": "tree"}).encode())
    store = answers.AnswerStore(folder / "store")
    return [recorded_answer(kept.fields) for kept in store.read(_KEY).records.values()]


def _store_key(data: bytes, folder: Path) -> object:
    place = folder / "keys" / _KEY.digest
    put(place / "rank-0.jsonl", _stored_line(json.dumps(_REQUESTS[0]).encode()))
    put(place / "key.json", data)
    store = answers.AnswerStore(folder / "keys")
    return store.read(_KEY), store.scorer(_KEY)


def _points(data: bytes, folder: Path) -> object:
    path = put(folder / "points.jsonl", data)
    return read_watched(path), read_points([path], {}, [_SUMMARY])


def _curve(data: bytes, folder: Path) -> object:
    path = put(folder / "run" / "final" / "curve.jsonl", data)
    return load(ReportInputs(runs=(path.parent,)))


def _metrics(data: bytes, folder: Path) -> object:
    path = put(folder / "metrics.jsonl", data)
    told = energy_joules(path), first_step(path, 2), curve_rows(path)
    MetricsFile(path, 2).close()
    return told


def _origin(data: bytes, folder: Path) -> object:
    path = put(folder / "origin.json", data)
    return _ORIGIN.matches(path), Origin.load(path)


_ORIGIN = Origin(
    plan_fingerprint="a", validate_every_steps=3, corpus_fingerprint="b", code_fingerprint="c"
)


def _wheels(folder: Path) -> list[bytes]:
    machine = wheelhouse._machine()
    return [json.dumps({"pins": "p", "machine": machine, "sha256": {}}).encode()]


def _wheelhouse(data: bytes, folder: Path) -> None:
    put(folder / "wheels" / wheelhouse.MANIFEST, data)
    try:
        wheelhouse.check(folder / "wheels", "p")
    except wheelhouse.WheelhouseError as error:
        raise UserInputError(str(folder), str(error), "") from None


def _runs(folder: Path) -> list[bytes]:
    rows = [
        {"horizon_tokens": 1e6, "global_batch_tokens": 4096.0, "lr": lr, "loss": 2.0 + lr, "width": 8,
         "depth": 1, "n_params_total": 100, "n_params_non_embedding": 80, "seed": 1, "schedule": "wsd", "loss_se": None,
         "diverged": False, "fingerprint": "", "family": "{}"}
        for lr in (0.1, 0.2, 0.4)
    ]  # fmt: skip
    out = io.BytesIO()
    pd.DataFrame(rows).to_parquet(out)
    return [out.getvalue()]


def _run_table(data: bytes, folder: Path) -> object:
    return read_runs(put(folder / "runs.parquet", data))


_CARRIED: tuple[dict[str, Any], ...] = (
    {"kind": "nothing"},
    {"kind": "counts"},
    {"kind": "row", "row": {"language": "da", "source": "one", "read": {"documents": 1, "bytes": 2},
                            "kept": {"documents": 1, "bytes": 2}, "removed": {}}},
)  # fmt: skip


def _result(data: bytes, folder: Path) -> object:
    put(folder / "00000.json", data)
    if not (folder / "00000.npz").is_file():
        np.savez_compressed(
            folder / "00000.npz", documents=np.zeros(3), flags=np.zeros(3, np.uint8)
        )
    return carried.result(folder, 0, "part")


def _counted(folder: Path) -> list[bytes]:
    counts = Counts(np.zeros(3, np.int64), bytearray(8))
    carried.carry(lambda item: counts, 0, folder, 0)
    return [(folder / "00000.npz").read_bytes()]


def _counts(data: bytes, folder: Path) -> object:
    put(folder / "00000.json", b'{"kind": "counts"}')
    put(folder / "00000.npz", data)
    return carried.result(folder, 0, "part")


def _part(data: bytes, folder: Path) -> object:
    funnel = Funnel(stage="ingest", on=True, rows=())
    put(folder / "pipeline" / "ingest" / "funnel.json", funnel.model_dump_json().encode())
    put(folder / "pipeline" / "ingest" / "da" / "one-00000.removed.jsonl", data)
    put(folder / "pipeline" / "ingest" / "da" / "one-00000.jsonl", data)
    return list(why(folder / "pipeline", "one/1"))


_ROWS: list[dict[str, Any]] = [
    {"id": "one/1", "text": "En hund.", "at": "a:1", "reason": "no-text", "detail": "x"},
    {"id": "one/2", "text": "To hunde.", "at": "a:2"},
]
_WORDS = (
    b'"run_key"',
    b'"item_id"',
    b'"index"',
    b'"score"',
    b'"metrics"',
    b'"kind"',
    b'"logprob_nats"',
)

TARGETS = (
    Target("item records", fixed(lines_of(_ITEMS)), _records("items.jsonl"), _WORDS),
    Target("request records", fixed(lines_of(_REQUESTS)), _records("requests/base.jsonl"), _WORDS),
    Target("summary of records", fixed(_SUMMARY.model_dump_json().encode()), _records("summary.json"), _WORDS),
    Target("every eval log", lambda f: [_logged(f, ".json").read_bytes()], _log(".json"), _WORDS),
    Target("every eval samples", lambda f: [_logged(f, "_samples.jsonl").read_bytes()],
           _log("_samples.jsonl"), _WORDS),
    Target("stored answers", fixed(b"".join(_stored_line(json.dumps(r).encode()) for r in _REQUESTS)), _stored,
           _WORDS, _of_store),
    Target("key of stored answers", fixed(json.dumps({"facts": _FACTS, "scorer": "tree"}).encode()), _store_key,
           (b'"facts"', b'"scorer"')),
    Target("score points", fixed(lines_of(_POINTS)), _points, (b'"step"', b'"task"')),
    Target("training curve", fixed(lines_of(_CURVE)), _curve, (b'"step"', b'"bits_per_byte"')),
    Target("metrics of a run", fixed(lines_of(_CURVE)), _metrics, (b'"step"', b'"energy_joules"')),
    Target("origin of a run", fixed(_ORIGIN.model_dump_json().encode()), _origin, (b'"plan_fingerprint"',)),
    Target("wheelhouse manifest", _wheels, _wheelhouse, (b'"sha256"', b'"pins"', b'"../x"')),
    Target("run table parquet", _runs, _run_table, (b"PAR1",), of_numbers),
    Target("carried result", lambda f: [json.dumps(told).encode() for told in _CARRIED], _result, (b'"kind"', b'"error"', b'"counts"', b'"row"', b'"log"')),
    Target("carried counts", _counted, _counts, (b"PK\x03\x04",), of_numbers),
    Target("part of a corpus", fixed(lines_of(_ROWS)), _part, (b'"id"', b'"text"', b'"reason"')),
)  # fmt: skip
