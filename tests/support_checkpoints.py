"""What a rank does in tests of checkpoints; in a module that started ranks can import."""

from __future__ import annotations

from pathlib import Path

from skald_specs.corpus import CorpusManifest
from skald_specs.plan import Plan
from skald_trainer.bridge import patches
from skald_trainer.loader import TrainingData
from skald_trainer.meeting import process_group


def gather(rank: int, world_size: int, meeting: Path, plan_json: str, corpus: Path) -> None:
    """Gather a sharded model and say what this rank holds of it."""
    patches.apply("cpu")
    from skald_trainer.bridge.trainer import SkaldTrainer

    plan = Plan.model_validate_json(plan_json)
    data = TrainingData(plan, corpus, CorpusManifest.load(corpus / "corpus.json"))
    with process_group(rank, world_size, "cpu", meeting):
        trainer = SkaldTrainer(plan, data, lambda *step: None)
        held = len(trainer.full_weights()) + len(trainer.full_moments())
    (corpus.parent / f"held.{rank}").write_text(str(held))
