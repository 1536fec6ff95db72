"""What the stages `language` and `quality` learn from reference text before they judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from skald_specs.errors import UserInputError
from skald_specs.files import write_json
from skald_specs.languages import BY_TAG
from skald_specs.sources import LanguageStage, QualityStage

from skald_corpus.filters import quality_derive
from skald_corpus.filters.language import LanguageRule, accuracy, confusion
from skald_corpus.filters.language_model import LanguageModel
from skald_corpus.filters.quality import QualityThresholds, shipped_thresholds
from skald_corpus.ingest import STEM_SPLITS, text_files, text_of
from skald_corpus.pipeline.judges import MODEL, THRESHOLDS
from skald_corpus.readers import Bad, records

#: Reference documents shorter than this many words are sentences, and are laid out as documents.
_SENTENCE_WORDS = 40


def train_identifier(rule: LanguageStage, base: Path, out: Path, wanted: Sequence[str]) -> None:
    """Train the language model and write it with its confusion matrix on held-out reference text.

    Args:
        rule: Says where the reference is; with GlotLID there is nothing to learn.
        base: Folder of the sources file.
        out: The stage's folder.
        wanted: Languages that the sources have.

    Raises:
        UserInputError: The reference lacks a language of the sources, or cannot be read.
    """
    if rule.reference is None:
        return
    folder = base / rule.reference
    tags = _languages(folder, wanted)
    model = LanguageModel.train({tag: _texts(folder, tag, held_out=False) for tag in tags})
    model.save(out / MODEL)
    least = LanguageRule().min_chars
    held_out = {
        tag: [text for text in _texts(folder, tag, held_out=True) if len(text) >= least]
        for tag in tags
    }
    counts = confusion(model, held_out)
    rates = accuracy(counts)
    write_json(
        out / "confusion.json",
        {
            "schema_version": 1,
            "languages": list(model.languages),
            "counts": counts.tolist(),
            "accuracy": [None if rate != rate else round(float(rate), 4) for rate in rates],
            "min_chars": least,
        },
    )


def settle_thresholds(
    rule: QualityStage, base: Path, out: Path, wanted: Sequence[str]
) -> list[str]:
    """Derive the limits where the rule says so, and lint them against the reference.

    Args:
        rule: Without a `reference` its limits are given, and there is nothing to derive.
        base: Folder of the sources file, from which the reference's path counts.
        out: Folder of the stage; gets the limits and `lint.json`.
        wanted: Languages of the sources; each must have reference text.

    Returns:
        Complaints of the lint, one line each; also written as `lint.json`.
    """
    if rule.reference is None:
        return []
    folder = base / rule.reference
    _languages(folder, wanted)
    reference = {tag: laid_out(_texts(folder, tag, held_out=False)) for tag in wanted}
    thresholds = quality_derive.derive(reference, rule.reference, rule.quantile)
    quality_derive.save(thresholds, out / THRESHOLDS)
    return _lint(thresholds, reference, out)


def lint_given(
    rule: QualityStage, base: Path, out: Path, reference: str | None, wanted: Sequence[str]
) -> list[str]:
    """Lint limits that were not derived here, where there is reference text to lint them with.

    Args:
        rule: With a `reference` of its own, `settle_thresholds` has linted the limits. Without
            `thresholds` they are the shipped ones.
        base: Folder of the sources file, from which paths count.
        out: Folder of the stage; gets `lint.json`.
        reference: That of the stage `language`, None where there is none.
        wanted: Languages of the sources.
    """
    if reference is None or rule.reference is not None:
        return []
    thresholds = (
        shipped_thresholds()
        if rule.thresholds is None
        else QualityThresholds.load(base / rule.thresholds)
    )
    folder = base / reference
    texts = {tag: laid_out(_texts(folder, tag, held_out=False)) for tag in wanted}
    return _lint(thresholds, {tag: found for tag, found in texts.items() if len(found) > 1}, out)


def _lint(
    thresholds: QualityThresholds, reference: Mapping[str, Sequence[str]], out: Path
) -> list[str]:
    # The file may have limits of languages that this corpus does not hold.
    mine = thresholds.model_copy(
        update={"languages": {t: q for t, q in thresholds.languages.items() if t in reference}}
    )
    complaints = [c._asdict() for c in quality_derive.lint(mine, reference)]
    write_json(out / "lint.json", complaints)
    return [f"{c['language']} {c['subject']}: {c['problem']}" for c in complaints]


def laid_out(texts: Sequence[str]) -> list[str]:
    """Return reference documents; where they are single sentences, neighbours are put together."""
    words = sum(len(text.split()) for text in texts)
    if texts and words < _SENTENCE_WORDS * len(texts):
        return quality_derive.lay_out(texts)
    return list(texts)


def _languages(folder: Path, wanted: Sequence[str]) -> list[str]:
    if not folder.is_dir():
        raise UserInputError(str(folder), "no such folder of reference text", "Check `reference`")
    tags = sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name in BY_TAG)
    if missing := sorted(set(wanted) - set(tags)):
        raise UserInputError(
            str(folder),
            f"no reference text for {', '.join(missing)}",
            f"Add a folder of text for each, {folder / missing[0]} first",
        )
    return tags


def _texts(folder: Path, tag: str, held_out: bool) -> list[str]:
    """Read reference text: that of files named dev, validation or test, or all other."""
    found = []
    for path in text_files(folder, tag):
        if (STEM_SPLITS.get(path.name.split(".")[0], "train") != "train") != held_out:
            continue
        for record in records(path):
            if isinstance(record, Bad):
                raise record.error()
            where, row = record
            found.append(text_of(row, where))
    return found
