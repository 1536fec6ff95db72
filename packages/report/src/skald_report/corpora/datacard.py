"""The data card of a corpus: a page like any other, from `card.json`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from skald_specs.datacard import DataCard
from skald_specs.files import atomic_folder, write_json
from skald_specs.funnel import Amount, FunnelRow, summed

from skald_report.figures.datacard import (
    confusion_matrix,
    duplicate_bars,
    funnel_lines,
    length_map,
)
from skald_report.page.blocks import Block, Cell, Gallery, Grid, Page, Paragraph, Section
from skald_report.page.writing import write_page

CARD_FILE = "card.json"


def write_card(card: DataCard, out: Path) -> Path:
    """Write `card.json`, README.md, index.html and figures.

    Args:
        card: What the stages wrote down.
        out: Folder; an older card in it is replaced.

    Returns:
        The page.
    """
    page = compose(card)
    with atomic_folder(out, marker=CARD_FILE) as folder:
        write_json(folder / CARD_FILE, card.model_dump(mode="json"))
        write_page(page, folder)
    return out / "index.html"


def compose(card: DataCard) -> Page:
    """Return the card as a page."""
    sections = (
        Section("text", "What is in it", list(_content(card))),
        Section("funnel", "What was removed, and why", list(_funnel(card))),
        Section("language", "Language identification", list(_language(card))),
        Section("duplicates", "Lengths and duplicates", list(_shapes(card))),
        Section("people", "Personal data", list(_people(card))),
        Section("evaluation", "Evaluation items in the text", list(_contamination(card))),
        Section("tokens", "Tokenizer and mixture", list(_tokens(card))),
        Section("sources", "Sources and licences", list(_sources(card))),
    )
    return Page(f"Data card: {card.name}", card.about, sections)


def _content(card: DataCard) -> Iterator[Block]:
    tags = sorted({text.language for text in card.text})
    total = sum((text.amount for text in card.text), Amount())
    yield Paragraph(
        f"{len(tags)} languages, {total.documents:,} documents, {_size(total.bytes)} of UTF-8 text. "
        "No document was written by hand or looked at one by one; what each stage did to each "
        "document can be asked with `skald corpus why`."
    )
    rows = []
    for tag in tags:
        mine = {text.split: text for text in card.text if text.language == tag}
        read = sum(
            (r.read for f in card.funnels[:1] for r in f.rows if r.language == tag), Amount()
        )
        kept = mine["train"].amount + mine["validation"].amount
        rows.append((
            Cell(tag),
            Cell(f"{kept.documents:,}", f"of {read.documents:,} read"),
            Cell(_size(kept.bytes), f"{100 * kept.bytes / max(1, read.bytes):.1f} % of what was read"),
            Cell(f"{mine['validation'].amount.documents:,}", _size(mine["validation"].amount.bytes)),
            Cell(mine["train"].sha256[:12], "of the training text"),
        ))  # fmt: skip
    header = ("language", "documents", "text", "of it validation", "sha256")
    caption = (
        "UTF-8 bytes of text alone. Validation text is chosen by key, so copies stay together."
    )
    yield Grid("content", "Text by language", caption, header, tuple(rows))


def _funnel(card: DataCard) -> Iterator[Block]:
    off = [funnel.stage for funnel in card.funnels if not funnel.on]
    if off:
        yield Paragraph(f"Stages that were off: {', '.join(off)}.", "gap")
    tags = sorted({text.language for text in card.text})
    yield Gallery(
        tuple(funnel_lines(card.funnels, tag) for tag in tags),
        "What each stage left. Every stage accounts for all it read: kept and removed, documents "
        "and bytes, add up (stages that change text say by how much).",
    )
    header = ("stage, reason", *tags)
    caption = "Documents by language; below them their bytes, in % of what the stage read."
    yield Grid("removed", "Removed", caption, header, tuple(_removals(card, tags)))
    changed = [
        (Cell(f.stage), Cell(tag), Cell(f"{row.changed:,}"), Cell(f"{row.bytes_gained:+,}"))
        for f in card.funnels
        for tag in tags
        if (row := summed([r for r in f.rows if r.language == tag], tag, "")).changed
    ]
    if changed:
        yield Grid(
            "changed", "Kept with other text", "Documents whose text a stage changed, and the bytes "
            "that they gained.", ("stage", "language", "documents", "bytes gained"), tuple(changed),
        )  # fmt: skip
    if card.idle_opt_outs:
        yield Paragraph(
            f"Opt-outs that met no document: {'; '.join(card.idle_opt_outs[:12])}"
            + ("; and more in idle-opt-outs.json." if len(card.idle_opt_outs) > 12 else "."),
            "gap",
        )
    if card.complaints:
        yield Paragraph(
            f"The lint of the quality limits has {len(card.complaints)} complaints: "
            + "; ".join(f"{c.language} {c.subject} {c.problem}" for c in card.complaints[:12])
            + ("; and more in lint.json." if len(card.complaints) > 12 else "."),
            "gap",
        )


def _removals(card: DataCard, tags: Sequence[str]) -> Iterator[tuple[Cell, ...]]:
    """Yield a row for each stage and reason, the most bytes first within a stage."""
    for funnel in card.funnels:
        rows = {tag: summed([r for r in funnel.rows if r.language == tag], tag, "") for tag in tags}
        total = summed(funnel.rows, "", "")
        for reason in sorted(total.removed, key=lambda r: -total.removed[r].bytes):
            cells = []
            for tag in tags:
                gone = rows[tag].removed.get(reason)
                cells.append(
                    Cell(f"{gone.documents:,}", _share(gone, rows[tag])) if gone else Cell("0")
                )
            yield Cell(reason, funnel.stage), *cells


def _language(card: DataCard) -> Iterator[Block]:
    if card.confusion is None:
        yield Paragraph(
            "No confusion matrix: language identification was off, or used a model of others.",
            "gap",
        )
        return
    held_out = sum(map(sum, card.confusion.counts))
    yield Gallery(
        (confusion_matrix(card.confusion),),
        f"{held_out:,} held-out reference texts of {card.confusion.min_chars} characters and more, "
        "in % of the true language, all languages of the reference to choose from. The pipeline "
        "asks less: whether a text is plausibly in the language of its source.",
    )


def _shapes(card: DataCard) -> Iterator[Block]:
    drawings = [length_map(card.lengths)]
    if any(
        size > 1 for tags in card.clusters.values() for sizes in tags.values() for size in sizes
    ):
        drawings.append(duplicate_bars(card.clusters))
    yield Gallery(
        tuple(drawings),
        "Lengths of the finished text's documents in % of each language, and clusters of duplicates. Of each cluster of duplicates one document stayed, "
        "the one with the smallest id.",
    )


def _people(card: DataCard) -> Iterator[Block]:
    if card.masked is None:
        yield Paragraph("Personal data was not looked for.", "gap")
        return
    kinds = sorted({kind for counts in card.masked.values() for kind in counts})
    if not kinds:
        yield Paragraph("Nothing was found that the rules take for personal data.")
        return
    rows = tuple(
        (Cell(tag), *(Cell(f"{counts.get(kind, 0):,}") for kind in kinds))
        for tag, counts in card.masked.items()
    )
    caption = (
        "Replaced by tags such as <PII:EMAIL>. Names and street addresses have no rule and are not "
        "looked for."
    )
    yield Grid("people", "Replaced by tags", caption, ("language", *kinds), rows)


def _contamination(card: DataCard) -> Iterator[Block]:
    if card.contamination is None:
        yield Paragraph("Evaluation items were not looked for.", "gap")
        return
    rows = tuple(
        (
            Cell(task.task),
            Cell(f"{task.n_items:,}"),
            Cell(f"{task.n_contaminated:,}"),
            Cell(f"{task.n_common:,}"),
            Cell(
                f"{task.n_short:,}",
                f"{task.n_undecidable:,} cannot be decided" if task.n_undecidable else "",
            ),
            Cell(f"{task.n_documents:,}"),
        )
        for task in card.contamination
    )
    header = ("task", "items", "found, taken out", "common phrases", "too short", "documents hit")
    caption = (
        "Items found in the text were taken out of it; clean-subset.json lists them, for scores "
        "without them. Common phrases and strings too short to tell a leak from chance stayed."
    )
    yield Grid("contamination", "Items by task", caption, header, rows)


def _tokens(card: DataCard) -> Iterator[Block]:
    if card.fertility is None or card.mixture is None:
        yield Paragraph("No tokenizer was trained and no mixture computed.", "gap")
        return
    shares = {row.language: row for row in card.mixture.languages}
    rows = tuple(
        (
            Cell(row.language),
            Cell(f"{row.tokens_per_word:.2f}"),
            Cell(f"{row.bytes_per_token:.2f}"),
            Cell(f"{shares[row.language].n_tokens:,}" if row.language in shares else "-"),
            Cell(f"{100 * shares[row.language].share:.1f} %" if row.language in shares else "-"),
            Cell(f"{shares[row.language].epochs:.2f}" if row.language in shares else "-"),
        )
        for row in card.fertility
    )
    header = ("language", "tokens a word", "bytes a token", "training tokens", "share", "epochs")
    caption = (
        f"Fertility on validation text. Mixture by {card.mixture.rule.method} for "
        f"{card.mixture.budget_tokens:,} tokens, at most {card.mixture.rule.max_epochs:g} epochs."
    )
    yield Grid("tokens", "Tokens by language", caption, header, rows)


def _sources(card: DataCard) -> Iterator[Block]:
    rows = tuple(
        (
            Cell(source.id),
            Cell(source.language),
            Cell(source.kind),
            Cell(source.licence),
            Cell(source.place, source.citation),
            Cell(source.sha256[:12]),
        )
        for source in card.sources
    )
    header = ("source", "language", "kind", "licence", "files", "sha256")
    yield Grid("sources", "Sources", "As the sources file has them.", header, rows)
    left = tuple(
        (Cell(tag), Cell(licence), Cell(f"{amount.documents:,}"), Cell(_size(amount.bytes)))
        for tag, licences in card.licences.items()
        for licence, amount in licences.items()
    )
    yield Grid(
        "licences", "What is left, by licence", "A document's own licence counts where it has one.",
        ("language", "licence", "documents", "text"), left,
    )  # fmt: skip


def _size(n: int) -> str:
    """Return bytes in the unit that a reader would use."""
    for limit, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if n >= limit:
            return f"{n / limit:.3g} {unit}"
    return f"{n} B"


def _share(amount: Amount, row: FunnelRow) -> str:
    return f"{100 * amount.bytes / max(1, row.read.bytes):.2g} %"
