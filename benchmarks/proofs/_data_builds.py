"""Two builds of one corpus are one: another process, another worker count, strings that hash otherwise."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

from skald_specs.claims import Measure
from skald_specs.files import sha256_file

RECIPE = Path("recipes/mini-proxy.yaml")
_SCRIPT = (
    "import sys; from pathlib import Path; from skald_corpus.build import build; "
    "from skald_specs.recipe import Recipe; "
    "build(Recipe.load(Path(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[3]))"
)
#: Threads of the tokenizer's library, and whether it may use them.
_ALONE = {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
_MANY = {"RAYON_NUM_THREADS": "4", "TOKENIZERS_PARALLELISM": "true"}


def measures(first: Path, second: Path, scratch: Path) -> list[Measure]:
    """Build from two generated folders and compare, then from one with a changed word.

    Args:
        first: A generated `data/`.
        second: Another one; a word of its training text is changed here.
        scratch: Where the builds go.
    """
    # Any seed will do, so each run of the proof takes another; a failure names it.
    seed = str(random.SystemRandom().randrange(1, 2**32))
    one = built(first, scratch / "one", _ALONE, "0")
    other = built(second, scratch / "other", _MANY, seed)
    victim = second / "text" / "da" / "train.jsonl"
    victim.write_text(victim.read_text(encoding="utf-8").replace("hund", "hond"), encoding="utf-8")
    changed = built(second, scratch / "changed", _MANY, seed)
    return [
        _count(
            "files of two builds that differ (tokenizer, shards, corpus.json)",
            differing(one, other),
            "= 0",
            f"{len(one)} files; 1 and 4 threads, PYTHONHASHSEED 0 and {seed}",
        ),
        _count(
            "files that differ when a word of the source is changed",
            differing(one, changed),
            "> 0",
            "the comparison sees a difference",
        ),
    ]


def built(data: Path, out: Path, threads: dict[str, str], hash_seed: str) -> dict[str, str]:
    """Build in a process of its own; return the hash of every file."""
    subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(RECIPE), str(data / "text"), str(out)],
        env={**os.environ, **threads, "PYTHONHASHSEED": hash_seed},
        check=True,
    )
    return {path.name: sha256_file(path) for path in sorted(out.iterdir())}


def differing(one: dict[str, str], other: dict[str, str]) -> int:
    """Count files that are not alike, or only in one."""
    return sum(one.get(name) != other.get(name) for name in one.keys() | other.keys())


def _count(measure: str, value: int, bound: str, detail: str) -> Measure:
    holds = value == 0 if bound == "= 0" else value > 0
    return Measure(measure=measure, value=value, unit="", bound=bound, holds=holds, detail=detail)
