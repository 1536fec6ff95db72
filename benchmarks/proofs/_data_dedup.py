"""Proof of deduplication and decontamination on real text, called by `prove -- data`.

Near-copies at stated similarities, order and division, nothing lost, memory; planted items are in
`_data_decontaminate`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import _data_decontaminate as decontaminate_part
import _plants as plants
import numpy as np
from skald_corpus.dedup import exact, minhash
from skald_corpus.dedup.clusters import Clusters, Verdict
from skald_corpus.keyed import Stream
from skald_specs.claims import Measure
from skald_specs.corpus import Document
from skald_specs.dedup import NearDuplicates

RULE = NearDuplicates()
VERIFIED = NearDuplicates(verify_jaccard=0.72)
#: Similarities that are planted, each on an original of its own. From `ABOVE` on, and up to
#: `BELOW`, the rule can decide: it finds 0.988 or more, and joins 0.053 or less.
WANTED = (0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
ABOVE, BELOW = 0.85, 0.5
#: Lower edges of the bins that the curve is printed in.
BINS = (0.25, 0.35, 0.45, 0.55, 0.625, 0.675, 0.725, 0.775, 0.825, 0.875, 0.925)
_WORDS_AT_LEAST = 120
_STREAM_GB, _SENTENCE_BYTES = (0.05, 0.15), 130


@dataclass(frozen=True)
class Planted:
    """A document, its near-copy, and their similarity by 5-grams and by words."""

    original: str
    copy: str
    jaccard: float
    word_jaccard: float


def measures() -> list[Measure]:
    """Return every figure; those of real text say so where it is absent."""
    if not plants.languages():
        named = ("recall", "precision", "similarity curve", "order", "nothing lost")
        missing = plants.absent([f"near-duplicates: {name}" for name in named])
        return [*missing, memory(), *decontaminate_part.measures()]
    found: list[Measure] = []
    documents, planted = {}, {}
    for tag in plants.languages():
        documents[tag], planted[tag] = collection(tag)
    for name, rule in (("", RULE), (", verified at 0.72", VERIFIED)):
        clusters = {tag: kept_ids(documents[tag], rule) for tag in documents}
        found += quality(name, clusters, planted, rule)
    found += [order(documents), lost(documents), memory()]
    return found + decontaminate_part.measures()


def collection(tag: str) -> tuple[list[Document], list[Planted]]:
    """Return a language's documents with near-copies among them, and what was planted."""
    pages = plants.pages(tag)
    vocabulary = sorted({word for page in pages for word in page.split()})
    documents = [Document(id=f"{tag}/{i:05}", text=page) for i, page in enumerate(pages)]
    planted = []
    for i, page in enumerate(pages):
        if len(page.split()) < _WORDS_AT_LEAST:
            continue
        stream = Stream(f"near-copy {tag} {i}")
        wanted = WANTED[i % len(WANTED)]
        text = plants.near_copy(stream, page, vocabulary, wanted, RULE.shingle_words)
        copy = Document(id=f"{tag}/{i:05}-copy", text=text)
        documents.append(copy)
        jaccard = plants.similarity(page, text, RULE.shingle_words)
        planted.append(Planted(f"{tag}/{i:05}", copy.id, jaccard, plants.similarity(page, text, 1)))
    return documents, planted


@contextmanager
def clustered(
    parts: Sequence[Sequence[Document]], rule: NearDuplicates | None
) -> Iterator[Clusters]:
    """Open the clusters of documents given in parts; no rule: exact duplicates."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / str(i) for i in range(len(parts))]
        for path, part in zip(paths, parts, strict=True):
            if rule is None:
                exact.write_part(part, path)
            else:
                minhash.write_part(part, path, rule)
        opened = exact.exact_clusters(paths) if rule is None else minhash.near_clusters(paths, rule)
        with opened as clusters:
            yield clusters


def kept_ids(documents: Sequence[Document], rule: NearDuplicates) -> dict[str, str]:
    """Return the id that is kept in each document's place."""
    with clustered([documents], rule) as clusters:
        return {verdict.id: verdict.kept_id for verdict in clusters.verdicts()}


def quality(
    name: str,
    clusters: dict[str, dict[str, str]],
    planted: dict[str, list[Planted]],
    rule: NearDuplicates,
) -> list[Measure]:
    """Recall above the threshold, precision, and the curve against its formula."""
    pairs = [pair for some in planted.values() for pair in some]
    kept = {key: value for some in clusters.values() for key, value in some.items()}
    joined = {pair.copy: kept[pair.copy] == kept[pair.original] for pair in pairs}
    above = [joined[pair.copy] for pair in pairs if pair.jaccard >= ABOVE]
    below = [joined[pair.copy] for pair in pairs if pair.jaccard <= BELOW]
    originals = {pair.copy: pair.original for pair in pairs}
    strangers = strange_joins(kept, originals)
    hits, wrong = sum(above), sum(below) + strangers
    curve, worst = similarity_curve(pairs, joined, rule)
    out = [
        Measure(
            measure=f"near-copies of Jaccard >= {ABOVE} found{name}",
            value=hits / len(above),
            unit="",
            bound=">= 0.98",
            holds=hits / len(above) >= 0.98,
            detail=f"{len(above)} planted in {len(planted)} languages",
        ),
        Measure(
            measure=f"joins that are right, near-copies of Jaccard <= {BELOW} among them{name}",
            value=hits / (hits + wrong),
            unit="",
            bound=">= 0.95",
            holds=hits / (hits + wrong) >= 0.95,
            detail=f"wrong: {sum(below)} of {len(below)} planted below, {strangers} other joins",
        ),
    ]
    if rule.verify_jaccard is None:
        out.append(
            Measure(
                measure="similarity curve: largest distance from 1 - (1 - s^8)^14 in a bin",
                value=worst,
                unit="standard errors",
                bound="<= 4",
                holds=worst <= 4,
                detail=curve,
            )
        )
        return out
    under = sum(joined[p.copy] for p in pairs if p.jaccard < (rule.verify_jaccard or 0))
    out.append(
        Measure(
            measure="near-copies below 0.72 joined in spite of verification",
            value=under,
            unit="",
            bound="= 0",
            holds=under == 0,
            detail=curve,
        )
    )
    return out


def strange_joins(kept: dict[str, str], originals: dict[str, str]) -> int:
    """Count documents that joined a cluster which is not their own or their original's."""
    return sum(
        originals.get(name, name) != originals.get(other, other) for name, other in kept.items()
    )


def similarity_curve(
    pairs: Sequence[Planted], joined: dict[str, bool], rule: NearDuplicates
) -> tuple[str, float]:
    """Return found shares by similarity as text, and the largest distance from the formula."""
    cells, worst = [], 0.0
    for low, high in zip(BINS, [*BINS[1:], 1.0], strict=True):
        here = [pair for pair in pairs if low <= pair.jaccard < high]
        if not here:
            continue
        found = float(np.mean([joined[pair.copy] for pair in here]))
        expected = np.array([rule.probability(pair.jaccard) for pair in here])
        # At least one find or miss, or a bin in which nothing can go wrong has no width.
        error = max(float(np.sqrt((expected * (1 - expected)).sum())), 1.0) / len(here)
        worst = max(worst, abs(found - float(expected.mean())) / error)
        middle, by_words = (
            float(np.mean(values))
            for values in ([p.jaccard for p in here], [p.word_jaccard for p in here])
        )
        cell = f"{middle:.2f} (words {by_words:.2f}): {found:.2f}"
        if rule.verify_jaccard is None:
            cell += f" ({expected.mean():.2f})"
        cells.append(f"{cell} n={len(here)}")
    legend = "found (expected)" if rule.verify_jaccard is None else "found"
    return f"5-gram Jaccard (of words): {legend}: " + ", ".join(cells), worst


def order(documents: dict[str, list[Document]]) -> Measure:
    """Compare what is kept when documents come in another order and division."""
    differing = 0
    for tag, some in documents.items():
        expected = set(kept_ids(some, RULE).values())
        for turn in range(3):
            shuffled = Stream(f"order {tag} {turn}").shuffled(some)
            parts = [shuffled[i :: turn + 1] for i in range(turn + 1)]
            with clustered(parts, RULE) as clusters:
                kept = {verdict.id for verdict in clusters.verdicts() if verdict.kept}
            differing += len(kept ^ expected)
    return Measure(
        measure="ids kept in one order or division and not in another",
        value=differing,
        unit="",
        bound="= 0",
        holds=differing == 0,
        detail=f"3 orders, 1 to 3 parts, {sum(map(len, documents.values()))} documents",
    )


def lost(documents: dict[str, list[Document]]) -> Measure:
    """Count documents and bytes that are neither kept nor removed, over both stages."""
    missing, lines = 0, []
    for tag, some in documents.items():
        sizes = {document.id: len(document.text.encode()) for document in some}
        for rule in (None, RULE):
            with clustered([some], rule) as clusters:
                verdicts = list(clusters.verdicts())
            kept, removed = (_bytes(verdicts, sizes, which) for which in (True, False))
            missing += abs(len(verdicts) - len(some)) + abs(kept + removed - sum(sizes.values()))
        lines.append(f"{tag} {sum(v.kept for v in verdicts)}/{len(some)}")
    return Measure(
        measure="documents and bytes neither kept nor removed, exact and near",
        value=missing,
        unit="",
        bound="= 0",
        holds=missing == 0,
        detail="kept of read: " + ", ".join(lines),
    )


def _bytes(verdicts: Sequence[Verdict], sizes: dict[str, int], kept: bool) -> int:
    return sum(sizes[verdict.id] for verdict in verdicts if verdict.kept == kept)


def memory() -> Measure:
    """Measure the peak at two lengths of a stream of sentences, and extrapolate to 5 GB."""
    script = Path(__file__).parents[1] / "_dedup_memory.py"
    peaks = []
    for size in _STREAM_GB:
        ran = subprocess.run(
            [sys.executable, str(script), str(size), str(_SENTENCE_BYTES)],
            capture_output=True,
            text=True,
            check=True,
        )
        last = ran.stdout.strip().splitlines()[-1].split()
        peaks.append(float(last[last.index("peak") + 1]))
    slope = max(0.0, peaks[1] - peaks[0]) / (_STREAM_GB[1] - _STREAM_GB[0])
    # Fixed cost and what the arrays need by their definition, where the slope shows less.
    slope = max(slope, 12 * 1e9 / _SENTENCE_BYTES / 2**20)
    whole = peaks[0] + slope * (5 - _STREAM_GB[0])
    return Measure(
        measure="peak memory for 5 GB of sentences, extrapolated",
        value=whole / 1024,
        unit="GiB",
        bound="<= 2",
        holds=whole <= 2048,
        detail=f"{peaks[0]:.0f} MB at {_STREAM_GB[0]} GB, {peaks[1]:.0f} MB at {_STREAM_GB[1]} GB, "
        "12 bytes a document; the whole: benchmarks/_dedup_memory.py 5 130",
    )
