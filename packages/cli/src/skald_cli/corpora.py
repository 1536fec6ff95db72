"""`skald corpus build SOURCES.yaml` and `skald corpus why`: real text, stage by stage."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from skald_specs.errors import UserInputError
from skald_specs.stages import STAGES

if TYPE_CHECKING:
    from skald_corpus.pipeline.pool import Pool

#: After the stages of the funnel: tokenizer and shards, then the data card.
SHARDS, CARD = "shards", "card"
ALL_STAGES = (*STAGES, SHARDS, CARD)
#: What the stage `shards` writes below the pipeline's folder.
SHARD_OUTPUTS = ("corpus", "shards.json", "recipe.yaml")
#: Says that a folder is one of ours, and of which corpus.
MARKER = "about.json"
#: Folder of an engine's results and logs while a stage runs, and after it failed.
RANKS = ".ranks"


def build(
    path: Path,
    out: Path,
    stages: Sequence[str],
    workers: int,
    keep_going: bool,
    engine: str = "local",
) -> None:
    """Run stages of a sources file.

    Args:
        path: The sources file.
        out: Folder to write to, one folder a stage.
        stages: In their order.
        workers: Processes; 0 takes one for each core.
        keep_going: Whether what cannot be read is left out and written down.
        engine: What runs the parts: `local`, `datatrove`, or a file of `SlurmSettings`.

    Raises:
        UserInputError: The input is wrong.
    """
    from skald_corpus.pipeline.run import Pipeline
    from skald_specs.sources import SourcesFile

    sources = SourcesFile.load(path)
    base = path.resolve().parent
    if sources.shards is None and SHARDS in stages:
        stages = [stage for stage in stages if stage != SHARDS]
    claim(out, sources.name)
    with _pool(engine, workers, out) as pool:
        pipeline = Pipeline(sources, base, out, pool, keep_going)
        pipeline.run([stage for stage in stages if stage in STAGES])
    if SHARDS in stages:
        from skald_corpus.pipeline.shards import make_shards

        assert sources.shards is not None
        facts = make_shards(sources.shards, sources, base, out)
        print(facts.mixture.table())
    if CARD in stages:
        from skald_corpus.pipeline.card import collect
        from skald_report.corpora.datacard import write_card

        print(f"data card: {write_card(collect(sources, base, out), out / CARD)}")


def claim(out: Path, name: str) -> None:
    """Mark a folder as ours, and refuse one that is somebody's own or another corpus'.

    Args:
        out: Folder of a pipeline.
        name: The corpus' name.

    Raises:
        UserInputError: It holds other files, or another corpus.
    """
    from skald_specs.files import read_json, write_json

    if out.is_dir() and any(out.iterdir()):
        if not (out / MARKER).is_file():
            raise UserInputError(
                str(out), f"holds other files (no {MARKER})", "Choose an empty or new folder"
            )
        if (held := read_json(out / MARKER).get("name")) != name:
            raise UserInputError(
                str(out), f"holds the corpus {held}, not {name}", "Choose another folder"
            )
    write_json(out / MARKER, {"schema_version": 1, "name": name})


def _pool(engine: str, workers: int, out: Path) -> Pool:
    """Return what works on the parts."""
    from skald_corpus.pipeline.pool import Pool

    here = workers or len(os.sched_getaffinity(0))
    if engine == "local":
        return Pool(here)
    if engine != "datatrove" and not Path(engine).is_file():
        raise UserInputError(
            "--engine",
            f"{engine!r} is neither an engine nor a file",
            "Give local, datatrove, or a file of Slurm settings (docs/data.md)",
        )
    from skald_specs.slurm import SlurmSettings

    slurm = None if engine == "datatrove" else SlurmSettings.load(Path(engine))
    try:
        from skald_corpus.scale import RankPool
    except ModuleNotFoundError as error:
        if error.name != "datatrove":
            raise
        raise UserInputError(
            "--engine", "datatrove is not installed", "Install skald-corpus[scale]"
        ) from None
    return RankPool(here if slurm is None else workers, out / RANKS, slurm)
