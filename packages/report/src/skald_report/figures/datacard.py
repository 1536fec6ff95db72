"""The figures of a data card: the funnel, the confusion matrix, lengths and duplicates."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import seaborn as sns
from matplotlib.ticker import FuncFormatter
from skald_specs.datacard import Confusion
from skald_specs.funnel import Funnel

from skald_report.figures.style import (
    HUES,
    INK,
    MUTED,
    Drawing,
    drawing,
    subplots,
    theme,
)


def funnel_lines(funnels: tuple[Funnel, ...], language: str) -> Drawing:
    """Draw what each stage left of a language's documents and bytes, as bars from the top.

    Args:
        funnels: Of all stages, in the order of the pipeline; those that were off, or did not see
            the language, get no bar.
        language: Its tag.
    """
    names, documents, sizes = list[str](), list[int](), list[int]()
    for funnel in funnels:
        rows = [row for row in funnel.rows if row.language == language]
        if not funnel.on or not rows:
            continue
        if not names:
            names.append("read")
            documents.append(sum(row.read.documents for row in rows))
            sizes.append(sum(row.read.bytes for row in rows))
        names.append(funnel.stage)
        documents.append(sum(row.kept.documents for row in rows))
        sizes.append(sum(row.kept.bytes for row in rows))
    shares = [100 * size / max(1, sizes[0]) for size in sizes]
    with theme():
        figure, axes = subplots(0.5 + 0.24 * len(names))
        sns.barplot(x=shares, y=names, color=HUES[0], orient="h", width=0.72, ax=axes)
        for number, (share, n) in enumerate(zip(shares, documents, strict=True)):
            inside = share > 45
            axes.text(
                share - 1 if inside else share + 1, number, f"{share:.1f} %, {n:,} documents",
                ha="right" if inside else "left", va="center", size=7.5,
                color="white" if inside else INK,
            )  # fmt: skip
        axes.set(xlabel=f"{language}: bytes left, % of what was read", ylabel="", xlim=(0, 104))
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        told = ", ".join(f"{name} {share:.1f} %" for name, share in zip(names, shares, strict=True))
        return drawing(figure, f"funnel-{language}", f"Bytes of {language} left after: {told}")


def confusion_matrix(confusion: Confusion) -> Drawing:
    """Draw which language held-out reference texts are taken for, in % of the true language."""
    counts = np.array(confusion.counts, dtype=float)
    seen = counts.sum(axis=1) > 0
    shares = 100 * counts[seen] / counts[seen].sum(axis=1, keepdims=True)
    tags = [tag for tag, known in zip(confusion.languages, seen, strict=True) if known]
    words = np.vectorize(
        lambda share: "" if share == 0 else f"{share:.1f}" if share < 99.95 else "100"
    )
    with theme():
        figure, axes = subplots(0.9 + 0.3 * len(tags))
        sns.heatmap(
            shares, annot=words(shares), fmt="", cmap="crest", vmin=0, vmax=100, cbar=False,
            xticklabels=confusion.languages, yticklabels=tags, linewidths=0.5, ax=axes,
            annot_kws={"size": 7.5},
        )  # fmt: skip
        axes.set(xlabel="taken for", ylabel="true language")
        axes.tick_params(length=0, rotation=0)
        rates = ", ".join(
            f"{tag} {100 * rate:.1f} %"
            for tag, rate in zip(confusion.languages, confusion.accuracy, strict=True)
            if rate is not None
        )
        return drawing(figure, "confusion", f"Held-out texts taken for their language: {rates}")


def length_map(lengths: Mapping[str, Mapping[int, int]]) -> Drawing:
    """Draw how long the documents of each language are, a row a language."""
    tags = sorted(lengths)
    powers = range(
        min(min(counts) for counts in lengths.values()),
        max(max(counts) for counts in lengths.values()) + 1,
    )
    shares = np.array([
        [100 * lengths[tag].get(n, 0) / sum(lengths[tag].values()) for n in powers] for tag in tags
    ])  # fmt: skip
    words = np.vectorize(lambda share: "" if share < 0.5 else f"{share:.0f}")
    with theme():
        figure, axes = subplots(0.9 + 0.3 * len(tags))
        sns.heatmap(
            shares, annot=words(shares), fmt="", cmap="crest", vmin=0, cbar=False, ax=axes,
            xticklabels=[_short_size(2**n) for n in powers], yticklabels=tags, linewidths=0.5,
            annot_kws={"size": 7.5},
        )  # fmt: skip
        axes.set(xlabel="UTF-8 bytes of a document, from", ylabel="")
        axes.tick_params(length=0, rotation=0)
        modes = ", ".join(
            f"{tag} {_short_size(2 ** powers[int(row.argmax())])}"
            for tag, row in zip(tags, shares, strict=True)
        )
        alt = f"Documents by length in % of the language; the commonest begin at: {modes}"
        return drawing(figure, "lengths", alt)


def _short_size(n: int) -> str:
    return f"{n}" if n < 1024 else f"{n >> 10}k" if n < 1 << 20 else f"{n >> 20}M"


def duplicate_bars(clusters: Mapping[str, Mapping[str, Mapping[int, int]]]) -> Drawing:
    """Draw how many clusters of duplicates there are of each size, all languages together."""
    edges = (2, 3, 4, 5, 6, 11, 101)
    labels = ("2", "3", "4", "5", "6-10", "11-100", "> 100")
    with theme():
        figure, axes = subplots(2.3)
        told = []
        for number, (kind, tags) in enumerate(sorted(clusters.items())):
            counts = [0] * len(labels)
            for sizes in tags.values():
                for size, n in sizes.items():
                    if size > 1:
                        counts[int(np.searchsorted(edges, size, side="right")) - 1] += n
            at = [place + (number - (len(clusters) - 1) / 2) * 0.4 for place in range(len(labels))]
            axes.bar(at, counts, width=0.38, color=HUES[number], label=f"{kind} duplicates")
            for x, n in zip(at, counts, strict=True):
                if n:
                    axes.text(x, n, f"{n:,}", ha="center", va="bottom", size=7, color=MUTED)
            told.append(
                f"{kind}: "
                + ", ".join(f"{n} of {s}" for s, n in zip(labels, counts, strict=True) if n)
            )
        axes.set_yscale("symlog", linthresh=1)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.set_xticks(range(len(labels)), labels=labels)
        axes.set(xlabel="documents in a cluster", ylabel="clusters, log scale", ylim=(0, None))
        axes.grid(visible=False, axis="x")
        figure.legend(loc="outside upper left", ncols=2)
        return drawing(figure, "duplicates", "Clusters of duplicates. " + "; ".join(told))
