"""A tiny run through every station, by the commands themselves, and what it came to, file by file."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from skald_corpus.generate import documents
from skald_corpus.grammar.register import LANGUAGES
from skald_specs.corpus import SPLITS
from skald_specs.files import write_jsonl, write_text

ROOT = Path(__file__).resolve().parents[2]
NAME, TAGS, N_PAIRS, N_STEPS = "rough", ("da", "fo"), 8, 4
BYTES = {"train": 60_000, "validation": 15_000, "test": 15_000}
_BATCH_TOKENS = 512
#: No command of these takes longer; whatever does hangs.
_PATIENCE_SECONDS = 300
#: What Skald and its libraries need on any machine: no network, one thread.
_QUIET = {
    "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1",
    "MPLBACKEND": "Agg", "DVC_NO_ANALYTICS": "1", "TOKENIZERS_PARALLELISM": "false",
}  # fmt: skip
_KEPT = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "SKALD_REAL_TEXT")


@dataclass(frozen=True)
class Told:
    """What a command came to."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The last line of what it complained of."""
        return (self.err.strip().splitlines() or [""])[-1]

    @property
    def is_one_line(self) -> bool:
        """Whether it failed, and said so in one line of ours."""
        ours = [line for line in self.err.splitlines() if line.startswith("skald: ")]
        return self.code != 0 and len(ours) == 1 and not self.has_traceback

    @property
    def has_traceback(self) -> bool:
        """Whether Python's own words reached the user."""
        return "Traceback (most recent call last)" in self.err + self.out


@dataclass(frozen=True)
class Machine:
    """Where commands run.

    Args:
        variables: Replace those of the quiet environment; None: unset.
        around: Words before Python, such as `prlimit --nofile=64 --`.
        closed: Whether standard output is closed, as by `>&-`.
        umask: Of the process.
    """

    variables: Mapping[str, str | None] = field(default_factory=dict)
    around: tuple[str, ...] = ()
    closed: bool = False
    umask: int = 0o022

    def start(
        self, folder: Path, *words: str, module: str = "skald_cli.main"
    ) -> subprocess.Popen[str]:
        """Start a command of `skald` in a folder, with no terminal."""
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        given: dict[str, str | None] = {"HOME": str(folder), **kept, **_QUIET, **self.variables}
        # A shell's own `>&-`: `subprocess` cannot start a process without a standard output.
        shell = ("sh", "-c", 'exec "$@" >&-', "sh") if self.closed else ()
        return subprocess.Popen(
            [*shell, *self.around, sys.executable, "-m", module, *words],
            cwd=folder, env={name: value for name, value in given.items() if value is not None},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            errors="replace", umask=self.umask, start_new_session=True,
        )  # fmt: skip

    def run(self, folder: Path, *words: str, module: str = "skald_cli.main") -> Told:
        """Run a command of `skald` in a folder to its end."""
        return ended(self.start(folder, *words, module=module), words)


def ended(process: subprocess.Popen[str], words: Sequence[str]) -> Told:
    """Wait for a command; one that hangs is killed and has no exit code of ours."""
    try:
        out, err = process.communicate(timeout=_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
    return Told(tuple(words), process.returncode, out, err)


def lay_out(folder: Path) -> None:
    """Write recipe, text and items of a tiny run: two languages, four steps, a few pairs."""
    recipe = yaml.safe_load((ROOT / "recipes" / "mup-depth.yaml").read_text(encoding="utf-8"))
    recipe.pop("sweep", None)
    recipe |= {"name": NAME, "max_epochs": 1000.0, "mixture": dict.fromkeys(TAGS, 0.5)}
    recipe["corpus"]["languages"] = list(TAGS)
    recipe["optimizer"]["base_lr"] = 0.01
    recipe["budget"] = {
        "horizon_tokens": N_STEPS * _BATCH_TOKENS, "global_batch_tokens": _BATCH_TOKENS,
    }  # fmt: skip
    recipe["execution"] = {
        "micro_batch_sequences": 4, "device": "cpu", "checkpoint_every_steps": 2,
        "validate_every_steps": 2,
    }  # fmt: skip
    write_text(folder / "recipe.yaml", yaml.safe_dump(recipe, sort_keys=False))
    for tag in TAGS:
        for split in SPLITS:
            told = documents(LANGUAGES[tag], split, BYTES[split])
            rows = [document.model_dump(mode="json") for document, _ in told]
            write_jsonl(folder / "text" / tag / f"{split}.jsonl", rows)
        pairs = [_pair(tag, number, str(row["text"])) for number, row in enumerate(rows[:N_PAIRS])]
        write_jsonl(folder / "items" / "pairs" / f"{tag}.jsonl", pairs)


def _pair(tag: str, number: int, text: str) -> dict[str, str]:
    words = text.split()[:6]
    wrong = [words[1], words[0], *words[2:]]
    return {
        "good": " ".join(words), "bad": " ".join(wrong), "type": ("swap", "delete")[number % 2],
        "source_id": f"{tag}-{number}",
    }  # fmt: skip


def commands(out: str = "out") -> dict[str, list[str]]:
    """Return the commands of all stations, in order; all that they write lies in one folder."""
    corpus = ["--corpus", f"{out}/corpus"]
    return {
        "corpus": ["corpus", "build", "recipe.yaml", "--source", "text", "--out", f"{out}/corpus"],
        "plan": ["plan", "predict", "recipe.yaml", *corpus, "--out", f"{out}/plan"],
        "train": ["train", f"{out}/plan/{NAME}.yaml", *corpus, "--out", f"{out}/runs"],
        "export": ["export", f"{out}/runs/{NAME}", *corpus, "--out", f"{out}/exports"],
        "evaluate": ["evaluate", f"{out}/exports/{NAME}", "--suite", "ud", "--items", "items", *corpus, "--out", f"{out}/eval"],
        "report": ["report", "build", NAME, "--artifacts", out, "--suites", "ud", "--out", f"{out}/report"],
    }  # fmt: skip


def results(folder: Path, shown: str = "out") -> dict[str, str]:
    """Return what a run came to: the hash of every file but those that hold times or locks.

    Args:
        folder: What the commands wrote into.
        shown: How they were told of it; the report names its command.
    """
    timed = ("metrics.jsonl", "run.lock", ".lock")
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(
            path.read_bytes().replace(shown.encode(), b"out")
        ).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in timed and "manifests" not in path.parts
    }


def differing(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """Return the files that two runs do not have alike."""
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))


def half_written(folder: Path) -> list[str]:
    """Return what a writer left that did not end: temporary names of ours."""
    found = [*folder.rglob(".*.*"), *folder.rglob("*.partial")]
    return sorted({p.relative_to(folder).as_posix() for p in found if p.name not in (".lock",)})
