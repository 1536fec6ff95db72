"""`skald evaluate --verify`: numbers of evaluations and reports, computed again from their records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from skald_specs.errors import EXIT_CLAIM_FAILED, EXIT_DONE, UserInputError

from skald_cli import places

#: What each kind of folder holds.
_EVALUATION, _REPORT = "summary.json", "report.json"
#: So many mismatches of a folder are printed.
_SHOWN = 50


def verify(
    folders: Sequence[Path],
    evaluations: Path,
    corpus: Path,
    items_of: Callable[[Sequence[str]], Mapping[str, Path]],
) -> int:
    """Verify folders and print what was compared.

    Args:
        folders: Of evaluations and reports; none: every evaluation there is, and the last report.
        evaluations: The folder of all suites.
        corpus: The corpus that evaluations and a report speak of.
        items_of: Returns the folder of items of each of some suites.

    Returns:
        The exit code: 1 where a number does not follow from its records.

    Raises:
        UserInputError: A folder is none of the two, or a file cannot be read.
    """
    chosen = list(folders) or _standard(evaluations)
    from skald_process.progress import tracked

    by_suite = _by_suite([*sorted(evaluations.glob("*")), *chosen])
    known = corpus if (corpus / places.CORPUS_FILE).is_file() else None
    items = items_of(list(by_suite))
    n_wrong = 0
    for folder in tracked(chosen, "folders"):
        if (folder / _EVALUATION).is_file():
            counts, wrong = _evaluation(folder, known, items)
        elif (folder / _REPORT).is_file():
            counts, wrong = _report(folder, by_suite, known)
        else:
            raise UserInputError(
                str(folder),
                f"neither an evaluation ({_EVALUATION}) nor a report ({_REPORT})",
                "Name a folder that `skald evaluate` or `skald report build` wrote",
            )
        print(f"{folder}: {', '.join(f'{count:,} {name}' for name, count in counts.items())}")
        for line in wrong[:_SHOWN]:
            print(line)
        if len(wrong) > _SHOWN:
            print(f"{folder}: {len(wrong) - _SHOWN:,} more")
        n_wrong += len(wrong)
    print(f"{n_wrong:,} numbers do not follow from the records")
    return EXIT_CLAIM_FAILED if n_wrong else EXIT_DONE


def _standard(evaluations: Path) -> list[Path]:
    found = [path for path in sorted(evaluations.glob("*")) if (path / _EVALUATION).is_file()]
    found += [places.REPORT] if (places.REPORT / _REPORT).is_file() else []
    if not found:
        raise UserInputError(
            str(evaluations), "no evaluation here, and no report", "Run `skald evaluate` first"
        )
    return found


def _by_suite(folders: Sequence[Path]) -> dict[str, Path]:
    """Return evaluations by their suite; of two, the one named on the command line."""
    from skald_specs.records import EvaluationSummary

    there = [folder for folder in folders if (folder / _EVALUATION).is_file()]
    return {EvaluationSummary.load(folder / _EVALUATION).suite: folder for folder in there}


def _evaluation(
    folder: Path, corpus: Path | None, items: Mapping[str, Path]
) -> tuple[Mapping[str, int], list[str]]:
    from skald_harness.store.verify import verify_evaluation
    from skald_specs.records import EvaluationSummary

    data = items.get(EvaluationSummary.load(folder / _EVALUATION).suite)
    there = data if data is not None and data.is_dir() else None
    found = verify_evaluation(folder, corpus, there)
    return found.checked, [str(mismatch) for mismatch in found.mismatches]


def _report(
    folder: Path, evaluations: Mapping[str, Path], corpus: Path | None
) -> tuple[dict[str, int], list[str]]:
    from skald_report.verify import verify_report

    found = verify_report(folder, evaluations, corpus)
    wrong = [f"{folder / _REPORT}: {line}" for line in found.changed]
    counts = {"cells": found.n_cells}
    if found.n_without_corpus:
        counts["scores without items of training text (not recomputed: no corpus)"] = (
            found.n_without_corpus
        )
    return counts, wrong
