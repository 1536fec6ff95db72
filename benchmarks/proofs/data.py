"""`nox -s prove -- data`: the sources regenerate to the pinned bytes, and no key leaks across splits."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from skald_corpus.generate import generate
from skald_corpus.pin import directory_md5, verify
from skald_specs.claims import Measure, conclude
from skald_specs.corpus import SPLITS
from skald_specs.errors import UserInputError
from skald_specs.files import read_jsonl, read_yaml

PIN = Path("data.dvc")


def main() -> int:
    """Generate twice, compare with the pin, look for leaks, and plant a changed byte."""
    pinned = read_yaml(PIN)["outs"][0]["md5"]
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder) / "first", Path(folder) / "second"
        generate(first)
        generate(second)
        differing = sum(directory_md5(data) != pinned for data in (first, second))
        leaks = shared_keys(first / "text")
        victim = max(second.rglob("*.jsonl"), key=lambda path: path.stat().st_size)
        victim.write_bytes(victim.read_bytes().replace(b"e", b"E", 1))
        unnoticed = not refused(second)
    return conclude(
        "data",
        "proofs",
        [
            count("generated folders that differ from data.dvc", differing, f"pin {pinned}"),
            count("keys that stand in two splits of a language", leaks, "train, validation, test"),
            count("changed bytes that the check lets pass", int(unnoticed), str(victim.name)),
        ],
    )


def count(measure: str, value: int, detail: str) -> Measure:
    """A number that must be zero."""
    return Measure(
        measure=measure, value=value, unit="", bound="= 0", holds=value == 0, detail=detail
    )


def shared_keys(text: Path) -> int:
    """Count keys of one language that stand in more than one split."""
    leaks = 0
    for language in sorted(path for path in text.iterdir() if path.is_dir()):
        keys = [{row["key"] for row in read_jsonl(language / f"{split}.jsonl")} for split in SPLITS]
        leaks += sum(len(set_) for set_ in keys) - len(set().union(*keys))
    return leaks


def refused(folder: Path) -> bool:
    """Say whether the check refuses a folder."""
    try:
        verify(folder, PIN)
    except UserInputError:
        return True
    return False


if __name__ == "__main__":
    sys.exit(main())
