"""Whose answers they are, and whether they are right: other models, planted faults, lm-eval's `hf`."""

from __future__ import annotations

import importlib
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import lm_eval
import torch
from lm_eval.models.huggingface import HFLM
from safetensors.torch import load_file, save_file
from skald_harness.adapter.asking import ask, measure
from skald_harness.adapter.network import TrieLM
from skald_harness.adapter.tasks import FEWSHOT_SEED, load_tasks
from skald_harness.running.evaluate import Evaluation, evaluate
from skald_harness.scoring.questions import Question
from skald_harness.scoring.requests import Score
from skald_harness.scoring.scorer import Scorer
from skald_harness.tasks.suites import EVALS
from skald_specs.claims import Measure
from skald_specs.files import read_json, write_json

# Of the tests, which have no types; evaluate.py knows where they are.
support_architectures: Any = importlib.import_module("support_architectures")
support_harness: Any = importlib.import_module("support_harness")

SAME_NATS = 1e-4
#: A wrong scorer's error in nats, ten times what the recheck lets pass for one token.
PLANTED_NATS = 1e-2


def measures(folder: Path) -> list[Measure]:
    """Ask again as somebody else, plant a wrong scorer, and compare with other ways of asking."""
    support_harness.write_inputs(folder)
    return [_strangers(folder), *_wrong_scorer(folder), *_orders(folder), *_architectures(folder)]


def _evaluate(folder: Path, out: Path, evals: Path = EVALS) -> Evaluation:
    exports = [folder / "exports" / name for name in ("base-a", "base-b")]
    # Its tables would bury what the proof has to say.
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        done = evaluate(exports, ["core"], out, folder / "items", folder / "corpus", evals=evals)
    if done is None:
        raise RuntimeError("WORLD_SIZE is set")
    return done


def _weights(folder: Path) -> None:
    support_harness.write_export(folder / "exports" / "base-a", seed=99)


def _tokenizer(folder: Path) -> None:
    path = folder / "exports" / "base-a" / "tokenizer.json"
    support_harness.write_tokenizer(path, ("de",), 300)


def _dtype(folder: Path) -> None:
    export = folder / "exports" / "base-a"
    path = export / "model.safetensors"
    tensors = {name: tensor.bfloat16() for name, tensor in load_file(path).items()}
    save_file(tensors, path, metadata={"format": "pt"})
    config = read_json(export / "config.json")
    write_json(export / "config.json", config | {"dtype": "bfloat16"})


def _adapter(folder: Path) -> None:
    support_architectures.add_adapter(folder / "exports" / "base-a")


def _data(folder: Path) -> None:
    path = folder / "items" / "pairs" / "da.jsonl"
    rows = support_harness.read_rows(path)
    rows[3]["good"] += " ."
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _examples(folder: Path) -> None:
    path = folder / "evals" / "core" / "_cloze_yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("num_fewshot: 0", "num_fewshot: 2"), encoding="utf-8")


STRANGERS: dict[str, Callable[[Path], None]] = {
    "other weights": _weights,
    "another tokenizer": _tokenizer,
    "another type": _dtype,
    "an adapter beside the weights": _adapter,
    "other data": _data,
    "other few-shot examples": _examples,
}


def _strangers(folder: Path) -> Measure:
    """Under one model's name, evaluate others into the same folder; each must come out as alone."""
    mixed, unchanged, said = [], [], []
    for name, change in STRANGERS.items():
        here = folder / name.replace(" ", "-")
        for part in ("exports", "items", "corpus"):
            shutil.copytree(folder / part, here / part)
        shutil.copytree(EVALS, here / "evals")
        _evaluate(here, here / "out", here / "evals")
        first = support_harness.folder_sha256(here / "out")
        change(here)
        _evaluate(here, here / "out", here / "evals")
        _evaluate(here, here / "alone", here / "evals")
        second, alone = (support_harness.folder_sha256(here / out) for out in ("out", "alone"))
        mixed += [name] if second != alone else []
        unchanged += [name] if second == first else []
        said.append(name)
    return _none(
        "models of one name that get another's answers",
        len(mixed) + len(unchanged),
        "; ".join(said) + f"; unlike alone: {mixed or 'none'}; unchanged: {unchanged or 'none'}",
    )


@contextmanager
def _planted_scorer() -> Iterator[None]:
    real = Scorer._score_unit

    def wrong(self: Scorer, rows: list[list[int]], n_targets: list[int]) -> list[Score]:
        right = real(self, rows, n_targets)
        return [Score(score.logprob_nats + PLANTED_NATS, score.is_greedy) for score in right]

    Scorer._score_unit = wrong  # type: ignore[method-assign]  # the plant
    try:
        yield
    finally:
        Scorer._score_unit = real  # type: ignore[method-assign]  # as it was


def _wrong_scorer(folder: Path) -> list[Measure]:
    out = folder / "wrong"
    with _planted_scorer():
        done = _evaluate(folder, out)
    networks = {"base-a", "base-b", "random-init-base-a", "random-init-base-b"}
    kept = networks & {model.name for summary in done.summaries for model in summary.models}
    stored = sum(
        "tree" in str(read_json(path).get("scorer"))
        and any(part.stat().st_size for part in path.parent.glob("rank-*.jsonl"))
        for path in (folder / "wrong-store").rglob("key.json")
    )
    right = _evaluate(folder, folder / "right")
    return [
        _none("models with a planted wrong scorer that the recheck lets pass",
              len(kept) + stored + (done.exit_code != 1),
              f"{PLANTED_NATS} nats for each request; exit code {done.exit_code}"),
        _none("models with the right scorer that the recheck stops", right.exit_code, ""),
    ]  # fmt: skip


def _orders(folder: Path) -> list[Measure]:
    """Ask in another order, and in units of other sizes."""
    model = TrieLM(str(folder / "exports" / "base-a"))
    asked = [
        question
        for task in _tasks(folder).values()
        for item in ask(task)
        for question in item.questions
    ]
    usual = _answers(model, asked, [list(range(len(asked)))])
    rng, worst = random.Random(0), 0.0
    for size in (1, 7, 64):
        order = rng.sample(range(len(asked)), len(asked))
        parts = [order[i : i + size] for i in range(0, len(order), size)]
        given = _answers(model, asked, parts)
        worst = max(worst, *(abs(a - b) for a, b in zip(usual, given, strict=True)))
    return [_within("order of requests and size of units: largest difference", worst, SAME_NATS,
                    f"{len(asked)} requests, units of 1, 7, 64 and all, shuffled")]  # fmt: skip


def _answers(model: TrieLM, asked: list[Question], parts: list[list[int]]) -> list[float]:
    found: dict[int, float] = {}
    for part in parts:
        for i, answer in zip(part, model.answer([asked[i] for i in part]), strict=True):
            found[i] = float(answer.logprob_nats or 0.0)
    return [found[i] for i in range(len(asked))]


def _tasks(folder: Path) -> dict[str, Any]:
    names = [f"skald_core_{kind}_dan_Latn" for kind in support_harness.CORE_KINDS]
    return load_tasks(EVALS / "core", names, folder / "items")


def _architectures(folder: Path) -> list[Measure]:
    """Compare every sample of the core suite with lm-eval's own evaluation by its `hf` model."""
    found = []
    for kind in support_architectures.ARCHITECTURES:
        path = support_architectures.write_checkpoint(folder / kind, kind)
        ours, theirs = TrieLM(str(path)), HFLM(str(path), batch_size=4, device="cpu")
        worst, other_choices, n = 0.0, 0, 0
        for name, task in _tasks(folder).items():
            items = ask(task)
            mine = measure(task, items, [ours.answer(item.questions) for item in items])
            task.set_fewshot_seed(seed=FEWSHOT_SEED)
            with torch.no_grad():
                whole = lm_eval.evaluate(
                    lm=theirs, task_dict={"tasks": {name: task}}, bootstrap_iters=0
                )
            for one, other in zip(mine, whole["samples"][name], strict=True):
                for a, b in zip(one["filtered_resps"], other["filtered_resps"], strict=True):
                    n += 1
                    worst = max(worst, abs(_nats(a) - _nats(b)))
                other_choices += one.get("acc") != other.get("acc")
        found.append(
            _within(f"{kind} ({ours.how}) and lm-eval's hf: largest difference", worst, SAME_NATS,
                    f"{n} requests, {other_choices} choices decided otherwise", other_choices == 0)
        )  # fmt: skip
    return found


def _nats(response: Any) -> float:
    return float(response[0] if isinstance(response, tuple | list) else response)


def _none(measure: str, value: int, detail: str) -> Measure:
    return Measure(
        measure=measure, value=value, unit="", bound="= 0", holds=value == 0, detail=detail
    )


def _within(measure: str, value: float, bound: float, detail: str, also: bool = True) -> Measure:
    return Measure(
        measure=measure, value=value, unit="nats", bound=f"<= {bound:g}",
        holds=value <= bound and also, detail=detail,
    )  # fmt: skip
