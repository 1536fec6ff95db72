"""Damaged data loses, halves of the same data tie: the ablation of data on real text."""

from __future__ import annotations

import gzip
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from skald_cli.ablating import ablate
from skald_corpus.build import build
from skald_corpus.keyed import Stream, fraction
from skald_specs.ablation import Ablation, AblationDifference
from skald_specs.claims import Measure
from skald_specs.recipe import Recipe

#: $SKALD_REAL_TEXT, see CONTRIBUTING.md.
REAL_TEXT = Path(os.environ.get("SKALD_REAL_TEXT", "../shared/testdata"))
LANGUAGES = ("da", "nb")
#: Share of training documents that are damaged, and seeds for each corpus.
DAMAGED, SEEDS = 0.25, 3
#: Divisions into halves; of so many true ties, one may be missed by chance.
DIVISIONS = 4

Rows = dict[str, list[dict[str, str]]]


def demonstration_recipe() -> Recipe:
    """Return the recipe of the user's own text, small: a run takes seconds."""
    value = Recipe.load(Path("recipes/own-text.yaml")).model_dump(mode="json")
    value["corpus"] |= {"languages": list(LANGUAGES)}
    value["corpus"]["tokenizer"] |= {"vocab_size": 1024, "sample_bytes": 1_000_000}
    value["mixture"] = dict.fromkeys(LANGUAGES, 1.0)
    value["model"] |= {"d_model": 48, "n_heads": 4, "d_ff": 168, "vocab_size": 1024, "seq_len": 64}
    value["budget"] = {"horizon_tokens": 409_600, "global_batch_tokens": 2048}
    value["execution"] |= {"micro_batch_sequences": 32}
    return Recipe.check(value, "demonstration")


def training_rows(tag: str, n: int = 5000) -> list[dict[str, str]]:
    """Read training sentences of the treebank."""
    path = REAL_TEXT / "ud" / tag / "train.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for _, line in zip(range(n), lines, strict=False)]


def shuffled(rows: Sequence[dict[str, str]], share: float) -> Iterator[dict[str, str]]:
    """Yield rows, of which a share chosen by hash has its words in random order."""
    for row in rows:
        if fraction(f"damage {row['id']}") < share:
            words, stream = row["text"].split(" "), Stream(f"shuffle {row['id']}")
            order = sorted(range(len(words)), key=lambda i: (stream.below(1 << 30), i))
            yield {**row, "text": " ".join(words[i] for i in order)}
        else:
            yield row


def build_from(rows: Rows, recipe: Recipe, folder: Path) -> Path:
    """Build a corpus of rows; its validation text is set aside by their hash."""
    for tag, some in rows.items():
        path = folder / "text" / tag / "all.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in some), encoding="utf-8")
    build(recipe, folder / "text", folder / "corpus")
    return folder / "corpus"


def halves(rows: Rows, division: int) -> tuple[Rows, Rows]:
    """Divide every language's rows in two by hash."""

    def part(first: bool) -> Rows:
        return {
            tag: [r for r in some if (fraction(f"half {division} {r['id']}") < 0.5) == first]
            for tag, some in rows.items()
        }

    return part(True), part(False)


def measures() -> list[Measure]:
    """Measure that damage is seen, on which text it is not, and that halves of one text tie."""
    if not (REAL_TEXT / "ud").is_dir():
        names = ("damage", "pairs", "damaged held-out text", "halves")
        why = f"no real text at {REAL_TEXT}"
        return [_measure(f"ablation, {name}", None, "", "-", None, why) for name in names]
    recipe, on, pairs = demonstration_recipe(), REAL_TEXT / "ud", REAL_TEXT / "pairs"
    rows: Rows = {tag: training_rows(tag) for tag in LANGUAGES}
    damaged: Rows = {tag: list(shuffled(some, DAMAGED)) for tag, some in rows.items()}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        plain_corpus = build_from(rows, recipe, folder / "plain")
        damaged_corpus = build_from(damaged, recipe, folder / "damaged")
        both = [plain_corpus, damaged_corpus]
        seen = ablate(recipe, both, SEEDS, on, pairs, folder / "seen")
        own = ablate(recipe, both[::-1], SEEDS, None, None, folder / "own")
        divided = []
        for division in range(DIVISIONS):
            parts = [
                build_from(half, recipe, folder / f"half-{division}-{number}")
                for number, half in enumerate(halves(rows, division))
            ]
            divided.append(ablate(recipe, parts, SEEDS, on, None, folder / f"halves-{division}"))
    return [*_damage(seen), _own_text(own), _halves(divided)]


def _damage(seen: Ablation) -> Iterator[Measure]:
    for difference, unit in zip(seen.differences, ("bits/byte", "accuracy"), strict=True):
        name = "damage" if difference.metric == "bits_per_byte" else "damage, pairs"
        worse = difference.verdict == "worse"
        yield _measure(
            f"ablation, {name}", difference.estimate, unit, "worse", worse, _words(difference)
        )


def _own_text(own: Ablation) -> Measure:
    (difference,) = own.differences
    return _measure(
        "ablation, plain against damaged, on the damaged corpus' own text",
        difference.estimate,
        "bits/byte",
        "-",
        True,
        f"{difference.verdict}; {_words(difference)}",
    )


def _halves(divided: Sequence[Ablation]) -> Measure:
    found = [ablation.differences[0] for ablation in divided]
    tied = sum(difference.verdict == "tied" for difference in found)
    return _measure(
        "ablation, halves of one text that tie",
        tied,
        f"of {len(found)}",
        f">= {DIVISIONS - 1}",
        tied >= DIVISIONS - 1,
        "; ".join(map(_words, found)),
    )


def _words(d: AblationDifference) -> str:
    return (
        f"{d.estimate:+.4f} [{d.low:+.4f}, {d.high:+.4f}], error by seeds {d.se_seeds:.4f}, by "
        f"texts {d.se_texts:.4f}, {SEEDS} seeds"
    )


def _measure(
    name: str, value: float | None, unit: str, bound: str, holds: bool | None, detail: str
) -> Measure:
    shown = None if value is None else round(value, 4)
    return Measure(measure=name, value=shown, unit=unit, bound=bound, holds=holds, detail=detail)
