"""What the filters of single documents do to real text: languages, planted lines, planted numbers."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from _data_pii import PRECISION, RECALL, pii_measures, precision_at
from skald_corpus.filters.language import LanguageFilter, accuracy, confusion, neighbours
from skald_corpus.filters.language_model import LanguageModel
from skald_corpus.filters.normalise import normalise
from skald_corpus.filters.quality import QualityFilter
from skald_corpus.filters.quality_derive import lay_out, lint
from skald_corpus.keyed import Stream
from skald_specs.claims import Measure

ROOT = Path(os.environ.get("SKALD_REAL_TEXT") or Path(__file__).parents[3] / "shared" / "testdata")
LANGUAGES = ("da", "de", "en", "fo", "is", "nb", "nl", "sv")
#: Its training text is a Bible and its test text an encyclopedia: its figures stand apart.
APART = "fo"
MIN_CHARS = 40
MACRO = 0.97
#: Documents with one planted line, and the lines of each: a prevalence of 5 %.
N_DOCUMENTS, N_LINES = 500, 20
#: Reasons that say that a line is in another language; one that is merely unlike the reference text is not.
FOREIGN = ("other-script", "near-neighbour", "wrong-language")

Texts = Mapping[str, Sequence[str]]


def measures() -> list[Measure]:
    """Take every figure, or say once that the real text is not there."""
    if not (ROOT / "ud").is_dir():
        return [
            Measure(
                measure="language identification, planted lines and personal data on real text",
                value=None, unit="", bound="no bound", holds=None, detail=f"no real text at {ROOT}",
            )
        ]  # fmt: skip
    model = LanguageModel.train({tag: read(tag, "train") for tag in LANGUAGES})
    test = {tag: [t for t in read(tag, "test") if len(t) >= MIN_CHARS] for tag in LANGUAGES}
    return [
        *language_measures(model, test),
        *line_measures(model, test),
        *pii_measures(test),
        *form_measures(test),
    ]


def read(tag: str, split: str) -> list[str]:
    """Return the sentences of a split of `ud`."""
    with gzip.open(ROOT / "ud" / tag / f"{split}.jsonl.gz", "rt", encoding="utf-8") as stream:
        return [json.loads(line)["text"] for line in stream]


def figure(name: str, value: float, detail: str = "", bound: float | None = None) -> Measure:
    """A share, with a least value or as information."""
    return Measure(
        measure=name,
        value=round(value, 4),
        unit="",
        bound="no bound" if bound is None else f">= {bound}",
        holds=True if bound is None else value >= bound,
        detail=detail,
    )


def language_measures(model: LanguageModel, test: Texts) -> list[Measure]:
    """Accuracy over held-out sentences, all languages to choose from, and the confusions."""
    counts = confusion(model, test)
    shares = dict(zip(model.languages, accuracy(counts), strict=True))
    seven = [float(share) for tag, share in shares.items() if tag != APART]
    each = ", ".join(f"{tag} {share:.4f}" for tag, share in shares.items() if tag != APART)

    def taken(tag: str, other: str) -> Measure:
        row, column = (model.languages.index(name) for name in (tag, other))
        n = int(counts[row].sum())
        detail = f"{counts[row, column]} of {n} sentences"
        return figure(f"LID: {tag} taken for {other}", counts[row, column] / n, detail)

    return [
        figure("LID: macro accuracy without Faroese", float(np.mean(seven)), each, MACRO),
        figure(f"LID: accuracy of {APART}, trained on a Bible", float(shares[APART])),
        taken("da", "nb"),
        taken("nb", "da"),
        taken("is", "fo"),
        taken("fo", "is"),
    ]


def line_measures(model: LanguageModel, test: Texts) -> list[Measure]:
    """Plant one line of another language among 19, and count the lines that are judged to be foreign."""
    judge = LanguageFilter(model)
    rows: list[Measure] = []
    total = np.zeros(4, np.int64)
    each = []
    for tag in (tag for tag in LANGUAGES if tag != APART):
        beside = sorted(neighbours(tag) & set(LANGUAGES))
        far = planted_lines(judge, tag, [o for o in LANGUAGES if o not in (tag, *beside)], test)
        total += far
        each.append(f"{tag} {_rates(far)[1]:.3f}")
        if beside:
            name = f"{' or '.join(beside)} line in {tag}"
            near = planted_lines(judge, tag, beside, test)
            rows += _line_rows(name, near, "neighbours: a figure alone", False)
    detail = f"precision by language: {', '.join(each)}"
    return [*_line_rows("line of another language", total, detail, True), *rows]


def _rates(counts: np.ndarray[tuple[int], np.dtype[np.int64]]) -> tuple[float, float]:
    """Return recall, and precision at the prevalence."""
    hits, planted, mistaken, own = map(int, counts)
    return hits / planted, precision_at(1 / N_LINES, hits / planted, mistaken / own)


def _line_rows(
    name: str, counts: np.ndarray[tuple[int], np.dtype[np.int64]], detail: str, bound: bool
) -> list[Measure]:
    recall, precision = _rates(counts)
    detail = f"{counts[1]} planted, prevalence {1 / N_LINES:g}; {detail}"
    return [
        figure(f"planted {name}: recall", recall, detail, RECALL if bound else None),
        figure(f"planted {name}: precision", precision, detail, PRECISION if bound else None),
    ]


def planted_lines(
    judge: LanguageFilter, tag: str, others: Sequence[str], test: Texts
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return counts: planted lines found, planted, own lines taken for planted, own lines."""
    stream = Stream(f"planted line {tag} {others}")
    hits = mistaken = 0
    for _ in range(N_DOCUMENTS):
        lines = [stream.pick(test[tag]) for _ in range(N_LINES - 1)]
        place = stream.below(N_LINES)
        lines.insert(place, stream.pick(test[stream.pick(others)]))
        verdicts = enumerate(judge.judge(lines, tag), start=1)
        found = {number for number, verdict in verdicts if verdict.reason in FOREIGN}
        hits += place + 1 in found
        mistaken += len(found - {place + 1})
    return np.array([hits, N_DOCUMENTS, mistaken, N_DOCUMENTS * (N_LINES - 1)])


def form_measures(test: Texts) -> list[Measure]:
    """Clean text must pass: shares that normalising changes, that the quality filter removes."""
    n = sum(map(len, test.values()))
    changed = sum(normalise(text, tag)[0] != text for tag in test for text in test[tag])
    broken = mended = 0
    for tag, texts in test.items():
        for text in texts:
            bad = text.encode("utf-8").decode("latin-1")
            if bad != text:
                broken += 1
                mended += normalise(bad, tag)[0] == normalise(text, tag)[0]
    quality = QualityFilter()
    documents = {tag: lay_out(texts) for tag, texts in test.items()}
    removed = {
        tag: sum(not quality(text, tag).kept for text in texts) / len(texts)
        for tag, texts in documents.items()
    }
    reference = {tag: lay_out(read(tag, "train")) for tag in LANGUAGES}
    complaints = lint(quality.thresholds, reference)
    return [
        figure("normalising: clean sentences left alone", 1 - changed / n, f"of {n}", 0.999),
        figure("normalising: sentences mended that were read as Latin-1", mended / broken,
               f"of {broken}", 0.95),
        figure("quality: test documents kept, mean over languages",
               1 - float(np.mean(list(removed.values()))),
               ", ".join(f"{tag} {1 - share:.3f}" for tag, share in removed.items()), 0.95),
        Measure(measure="quality: complaints about the shipped limits", value=len(complaints),
                unit="", bound="= 0", holds=not complaints,
                detail="; ".join(map(str, complaints[:3]))),
    ]  # fmt: skip
