"""`nox -s prove -- data`: the sources regenerate to the pinned bytes, builds repeat, items hold.

What is asked of real text is not measured where `$SKALD_REAL_TEXT` has none; the proof then fails
unless called with `--allow-missing`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from itertools import combinations
from pathlib import Path

# What all share lies in the folder above.
sys.path.append(str(Path(__file__).parents[1]))

import _data_builds as builds
import _data_cues as cues
import _data_dedup as dedup
import _data_filters as filters
import _data_pipeline as pipeline
from _conclude import conclude
from _mentioned import events
from _options import options
from skald_corpus.generate import documents, generate
from skald_corpus.grammar.register import LANGUAGES
from skald_corpus.grammar.scene import Event
from skald_corpus.pin import directory_md5, verify
from skald_specs.claims import Measure
from skald_specs.corpus import SPLITS
from skald_specs.errors import UserInputError
from skald_specs.files import read_yaml

PIN = Path("data.dvc")


def main() -> int:
    """Generate twice, in two processes, compare with the pin, look for leaks, and plant a changed byte."""
    given = options(__doc__)
    pinned = read_yaml(PIN)["outs"][0]["md5"]
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder) / "first", Path(folder) / "second"
        generate(first)
        # The second time in another process, whose strings hash otherwise.
        script = (
            "import sys; from pathlib import Path; from skald_corpus.generate import generate; "
        )
        subprocess.run(
            [sys.executable, "-c", script + "generate(Path(sys.argv[1]))", str(second)],
            env={**os.environ, "PYTHONHASHSEED": "4711"},
            check=True,
        )
        differing = sum(directory_md5(data) != pinned for data in (first, second))
        repeated = builds.measures(first, second, Path(folder))
        victim = max(first.rglob("*.jsonl"), key=lambda path: path.stat().st_size)
        victim.write_bytes(victim.read_bytes().replace(b"e", b"E", 1))
        unnoticed = not refused(first)
    # First and apart: what this process holds counts in the peak memory of those it starts.
    deduplicated = dedup.measures()
    import _data_models as models

    mentioned = events_of_splits()
    leaks = shared(mentioned)
    planted = shared({**mentioned, "train": mentioned["train"] | mentioned["test"]})
    return conclude(
        "data",
        "proofs",
        [
            count("generated folders that differ from data.dvc", differing, f"pin {pinned}"),
            count(
                "events (agent, verb, patient) that two splits mention, in whatever languages",
                len(leaks),
                ", ".join(f"{len(mentioned[split])} in {split}" for split in SPLITS),
            ),
            count(
                "test events planted in training that the count misses",
                len(mentioned["test"] - planted),
                f"{len(mentioned['test'])} planted",
            ),
            count("changed bytes that the check lets pass", int(unnoticed), str(victim.name)),
            *repeated,
            *cues.measures(),
            *models.measures(),
            *filters.measures(),
            *pipeline.measures(),
            *deduplicated,
        ],
        given,
    )


def count(measure: str, value: int, detail: str) -> Measure:
    """A number that must be zero."""
    return Measure(
        measure=measure, value=value, unit="", bound="= 0", holds=value == 0, detail=detail
    )


def events_of_splits() -> dict[str, set[Event]]:
    """Collect every event that the documents of a split mention, over all languages."""
    return {
        split: {
            event
            for language in LANGUAGES.values()
            for _, story in documents(language, split)
            for event in events(story.sentences)
        }
        for split in SPLITS
    }


def shared(mentioned: dict[str, set[Event]]) -> set[Event]:
    """Return the events of more than one split."""
    return {
        event
        for one, other in combinations(sorted(mentioned), 2)
        for event in mentioned[one] & mentioned[other]
    }


def refused(folder: Path) -> bool:
    """Say whether the check refuses a folder."""
    try:
        verify(folder, PIN)
    except UserInputError:
        return True
    return False


if __name__ == "__main__":
    sys.exit(main())
