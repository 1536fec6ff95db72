"""`ablation.md`: an ablation in words and tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from skald_specs.ablation import Ablation, AblationDifference, Metric

_UNIT: dict[Metric, str] = {"bits_per_byte": "bits/byte", "pairs": "accuracy"}


def render(ablation: Ablation) -> str:
    """Return the page: one table of corpora, one of comparisons, and what was scored.

    Args:
        ablation: The result.
    """
    tags = [text.language for text in ablation.texts]
    pairs = any(text.n_pairs for text in ablation.texts)
    first = ablation.corpora[0].name
    to_first = {(d.metric, d.corpus): d for d in ablation.differences if d.reference == first}
    head = ["rank", "corpus", "tokens", "epochs", *tags, "mean", f"against {first}", "verdict"]
    head += ["pairs", f"pairs against {first}", "verdict"] if pairs else []
    rows = []
    for corpus in sorted(ablation.corpora, key=lambda c: (c.rank, c.bits_per_byte)):
        counts = [row.n_tokens for row in corpus.languages]
        readings = [row.epochs for row in corpus.languages]
        row = [str(corpus.rank), corpus.name, f"{sum(counts):,}"]
        row.append("-".join(dict.fromkeys([f"{min(readings):.2g}", f"{max(readings):.2g}"])))
        row += [f"{language.bits_per_byte:.4f}" for language in corpus.languages]
        row += [f"{corpus.bits_per_byte:.4f}"]
        row += _against(to_first.get(("bits_per_byte", corpus.name)))
        if pairs:
            row.append("-" if corpus.pairs_accuracy is None else f"{corpus.pairs_accuracy:.3f}")
            row += _against(to_first.get(("pairs", corpus.name)))
        rows.append(row)
    return "\n".join(
        [
            f"# Ablation of data: {', '.join(corpus.name for corpus in ablation.corpora)}",
            "",
            f"Recipe `{ablation.recipe}`: {ablation.n_params_total:,} parameters, "
            f"{ablation.horizon_tokens:,} tokens, {len(ablation.seeds)} seeds for each corpus.",
            "",
            *_table(head, rows),
            "",
            f"Bits per byte (lower is better) on {ablation.held_out}; differences with 95 % "
            "intervals, paired by seed and item. Verdicts are at 5 % after Holm's correction over "
            "all pairs of corpora; an equal rank is a tie.",
            "",
            *_comparisons(ablation),
            *_table(
                ["language", "documents", "bytes", "left out as seen", "pairs", "left out"],
                [
                    [
                        text.language,
                        f"{text.n_documents:,}",
                        f"{text.n_bytes:,}",
                        f"{text.n_documents_contaminated:,}",
                        f"{text.n_pairs:,}",
                        f"{text.n_pairs_contaminated:,}",
                    ]
                    for text in ablation.texts
                ],
            ),
            "",
        ]
    )


def _against(difference: AblationDifference | None) -> list[str]:
    if difference is None:
        return ["-", "-"]
    return [_interval(difference), difference.verdict]


def _interval(d: AblationDifference) -> str:
    return f"{d.estimate:+.4f} [{d.low:+.4f}, {d.high:+.4f}]"


def _comparisons(ablation: Ablation) -> Iterator[str]:
    """Yield the table of all comparisons: with two corpora it adds the parts of the error alone."""
    head = [
        "corpus",
        "against",
        "of",
        "difference",
        "error by seeds",
        "by texts",
        "p (Holm)",
        "verdict",
    ]
    yield from _table(
        head,
        [
            [
                d.corpus,
                d.reference,
                _UNIT[d.metric],
                _interval(d),
                f"{d.se_seeds:.4f}",
                f"{d.se_texts:.4f}",
                f"{d.p_adjusted:.2g}",
                d.verdict,
            ]
            for d in ablation.differences
        ],
    )
    yield ""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]
