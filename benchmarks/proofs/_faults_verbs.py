"""Every verb that takes long, interrupted as by Ctrl-C at moments of chance.

It ends with one line and code 75, leaves nothing half-written, and the same command then makes the same
bytes. Each verb is the real command in a process group of its own, on a small world that holds what the
stations before it wrote. Training has a part of its own, `_faults_kills`.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from skald_corpus.generate import documents
from skald_corpus.grammar.register import LANGUAGES
from skald_specs.claims import Measure
from skald_specs.corpus import SPLITS
from skald_specs.errors import EXIT_DONE, EXIT_RESUMABLE
from skald_specs.files import sha256_file, write_jsonl, write_yaml
from skald_specs.recipe import Recipe
from skald_specs.stopping import CONTINUE

_TAGS = ("da", "sv")
_PATIENCE_SECONDS, _N_MOMENTS = 300.0, 3
_BASIS = Path("recipes/mini-proxy.yaml")
#: What tells of one run alone (times), and what an evaluation or a sweep keeps to go on from.
_OF_ONE_RUN = ("manifests", "metrics.jsonl", "origin.json")


class Verb(NamedTuple):
    """A command as one would type it in the world's folder."""

    name: str
    words: str


#: In the order of the stations: each finds what those before it wrote.
VERBS = (
    Verb("corpus of sources", "corpus build sources.yaml --workers 2"),
    Verb("corpus of a recipe", "corpus build recipe.yaml"),
    Verb("sweep", "sweep run recipe.yaml"),
    Verb("fit", "plan fit artifacts/sweep"),
    Verb("plan", "plan predict recipe.yaml"),
    Verb("train", "train artifacts/plan/trial.yaml"),
    Verb("export", "export artifacts/runs/trial"),
    Verb("evaluate", "evaluate artifacts/exports/trial --suite ud --items items"),
    Verb("report", "report build trial --suites ud --out reports/trial"),
    Verb("ablation", "corpus ablate artifacts/corpus other --recipe recipe.yaml --seeds 2"),
    Verb("coordinate check", "mup coord-check recipe.yaml --widths 16 32 64 --seeds 2"),
)


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    said: str
    seconds: float


def measures(folder: Path, corpus: Path) -> list[Measure]:
    """Interrupt each verb some times; the world grows by what its uninterrupted run wrote."""
    del corpus  # this part builds its own
    world = made_world(folder / "verbs")
    return [_measured(verb, world, folder) for verb in VERBS]


def _measured(verb: Verb, world: Path, folder: Path) -> Measure:
    rng = random.Random(verb.name)
    before = folder / "before"
    shutil.copytree(world, before, symlinks=True)
    whole = run(verb.words, world)
    wrong = [] if whole.code == EXIT_DONE else [f"uninterrupted: {whole.code}: {whole.said}"]
    for number in range(0 if wrong else _N_MOMENTS):
        trial = folder / f"trial-{number}"
        shutil.copytree(before, trial, symlinks=True)
        wrong += [f"at {number}: {fault}" for fault in faults(verb, trial, world, whole, rng)]
        shutil.rmtree(trial)
    shutil.rmtree(before)
    return Measure(
        measure=f"interrupted, {verb.name}",
        value=len(wrong),
        unit="faults",
        bound="at most 0",
        holds=not wrong,
        detail="; ".join(wrong)[:1000] or f"{_N_MOMENTS} times within {whole.seconds:.0f} s",
    )


def faults(verb: Verb, trial: Path, world: Path, whole: Ended, rng: random.Random) -> Iterator[str]:
    """Interrupt a verb, run it again, and say what is not as it should be.

    Args:
        verb: The verb.
        trial: A copy of the world as the verb finds it.
        world: The world after an uninterrupted run.
        whole: How that ended.
        rng: Chooses the moment.
    """
    stopped = run(verb.words, trial, rng.uniform(0.1, 0.95) * whole.seconds)
    if stopped.code == EXIT_DONE:
        return  # it was faster this time
    lines = stopped.said.strip().splitlines()
    if stopped.code != EXIT_RESUMABLE or not lines or not lines[-1].endswith(CONTINUE):
        yield f"code {stopped.code}, last said {stopped.said[-300:]!r}"
    if "Traceback" in stopped.said:
        yield f"a traceback: {stopped.said[-600:]}"
    if left := sorted(_temporary(trial)):
        yield f"left behind: {', '.join(left[:3])}"
    again = run(verb.words, trial)
    if again.code != EXIT_DONE:
        yield f"again: code {again.code}, {again.said[-300:]!r}"
    elif differing := sorted(_contents(trial) ^ _contents(world)):
        yield f"other bytes: {', '.join(sorted({path for path, _ in differing})[:4])}"


def run(words: str, folder: Path, seconds: float | None = None) -> Ended:
    """Run a command in a folder; after some seconds press Ctrl-C, which its whole group gets."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "skald_cli.main", *words.split()], cwd=folder, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        if seconds is not None:
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        _, said = process.communicate()
    return Ended(process.returncode, said, time.monotonic() - began)


def made_world(folder: Path) -> Path:
    """Write text, items, a recipe and a sources file, all small."""
    folder.mkdir(parents=True)
    for name in ("evals", "constraints.txt"):
        (folder / name).symlink_to(Path(name).absolute())
    value = Recipe.load(_BASIS).model_dump(mode="json", exclude_none=True)
    value |= {"name": "trial", "max_epochs": 1e6, "mixture": dict.fromkeys(_TAGS, 0.5)}
    value["corpus"] |= {"source": "text", "languages": list(_TAGS)}
    value["corpus"]["tokenizer"]["vocab_size"] = value["model"]["vocab_size"] = 512
    value["budget"] = {"horizon_tokens": 64 * 1024, "global_batch_tokens": 1024}
    value["schedule"] = {"kind": "wsd", "warmup_fraction": 0.1, "decay_fraction": 0.3}
    value["sweep"] = {
        "base_lrs": [0.004, 0.01, 0.025],
        "horizons_tokens": [16 * 1024, 32 * 1024, 64 * 1024],
        "seeds": [1, 2],
    }
    value["execution"] |= {"checkpoint_every_steps": 10, "validate_every_steps": 30}
    write_yaml(folder / "recipe.yaml", value)
    _write_text(folder / "text", 120_000)
    _write_text(folder / "more", 60_000)
    for tag in _TAGS:
        rows = [
            {"id": f"{tag}-{i}", "type": "swap", "good": f"{text}", "bad": f"{text[::-1]}"}
            for i, text in enumerate(_sentences(tag, 40))
        ]
        write_jsonl(folder / "items" / "pairs" / f"{tag}.jsonl", rows)
    sources = [
        {"id": f"src-{tag}", "language": tag, "kind": "curated", "licence": "CC0-1.0",
         "path": f"text/{tag}/*.jsonl"}
        for tag in _TAGS
    ]  # fmt: skip
    about = {"schema_version": 1, "name": "trial", "about": "Made text", "sources": sources}
    write_yaml(folder / "sources.yaml", {**about, "validation_fraction": 0.1})
    done = run("corpus build recipe.yaml --source more --out other", folder)
    assert done.code == EXIT_DONE, done.said
    return folder


def _write_text(folder: Path, n_bytes: int) -> None:
    for tag in _TAGS:
        for split in SPLITS:
            told = documents(LANGUAGES[tag], split, n_bytes if split == "train" else n_bytes // 6)
            rows = (document.model_dump(mode="json") for document, _ in told)
            write_jsonl(folder / tag / f"{split}.jsonl", rows)


def _sentences(tag: str, count: int) -> Sequence[str]:
    told = documents(LANGUAGES[tag], "test", 20_000)
    return [document.text.split(".")[0] + "." for document, _ in told][:count]


def _temporary(folder: Path) -> Iterator[str]:
    """Yield what our writers and tempfile name things that are not done."""
    for path in folder.rglob(".*"):
        yield str(path.relative_to(folder))


def _contents(folder: Path) -> set[tuple[str, str]]:
    """Return every file that follows from the inputs alone, with its hash."""
    return {
        (str(path.relative_to(folder)), sha256_file(path))
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
        if not any(part in _OF_ONE_RUN for part in path.relative_to(folder).parts)
    }
