"""What the training text is, by language, and what is known of where it comes from."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from skald_report.page.blocks import Block, Cell, Grid, Paragraph
from skald_report.page.formatting import join, language_cell, language_name, of
from skald_report.reading.inputs import Sources
from skald_report.sections.context import Context
from skald_report.tables.data import is_generated
from skald_report.tables.table import Table


def data_blocks(context: Context) -> Iterator[Block]:
    """Yield the section."""
    sources, tables = context.sources, context.tables
    if sources.corpus is None or "data" not in tables:
        yield Paragraph("No corpus manifest was given, so this page cannot say what the models were "
                        "trained on.", "gap")  # fmt: skip
        return
    yield Paragraph(_where_from(sources))
    yield _languages(tables["data"])
    yield _searched(sources, tables["data"].frame)
    if "mixture" in tables:
        yield from _read(tables["mixture"])
    if "data_stages" in tables:
        yield _stages(tables["data_stages"])
    if "data_licences" in tables:
        yield _licences(tables["data_licences"])
    yield from _unknown(sources)


def _where_from(sources: Sources) -> str:
    assert sources.corpus is not None
    recipe = sources.corpus.recipe
    text = (
        "The text is synthetic: Skald's own small generator wrote it, and what it holds of a language is no more than "
        "that generator knows."
        if is_generated(sources.corpus)
        else f"The text comes from the folder {recipe.source!r}."
    )
    if sources.data_card is not None:
        card = sources.data_card
        text += f" Its data card ({card.name}) says: {card.about}"
    return (
        f"{text} One tokenizer serves all languages: byte-level BPE with {sources.corpus.vocab_size:,} tokens, trained on a sample of this text. "
        f"Fingerprint of tokenizer and text: `{sources.corpus.fingerprint}`."
    )


def _languages(table: Table) -> Grid:
    columns = ("n_documents", "n_bytes", "n_tokens")
    rows = tuple(
        (
            language_cell(str(r["language"])),
            *(Cell(f"{r[name]:,}", of=of("data", i, name)) for name in columns),
            Cell(f"{r['bytes_per_token']:.2f}", of=of("data", i, "bytes_per_token")),
            Cell(f"{r['n_validation_documents']:,}", f"{r['n_validation_bytes']:,} bytes",
                 of=of("data", i, "n_validation_documents", "n_validation_bytes")),
            Cell("–", "not looked for") if pd.isna(r["n_documents_dropped"])
            else Cell(f"{r['n_documents_dropped']:,}", f"{r['n_bytes_removed']:,} bytes",
                      of=of("data", i, "n_documents_dropped", "n_bytes_removed")),
        )
        for i, r in enumerate(table.frame.to_dict("records"))
    )  # fmt: skip
    caption = (
        f"All text of {len(rows)} languages, counted. UTF-8 bytes of text; tokens with the end of each text. Fewer bytes a token "
        "make a text longer for the model. Taken out: documents with evaluation items."
    )
    header = ("language", "documents", "bytes", "tokens", "bytes a token", "held out", "taken out")
    return Grid("data", "Training text by language", caption, header, rows, "tables/data.csv")


def _searched(sources: Sources, frame: pd.DataFrame) -> Paragraph:
    report = sources.searched
    if report is None:
        return Paragraph("Evaluation items were not looked for in this text: it may hold some, and this page cannot say how "
                         "many.", "gap")  # fmt: skip
    rule = report.rule
    found = sum(task.n_contaminated for task in report.tasks)
    asked = sum(task.n_items for task in report.tasks)
    was = "was" if found == 1 else "were"
    done = {"drop": "documents that had them were dropped", "cut": "such text was cut out",
            "report": "such text was left in"}[rule.policy]  # fmt: skip
    return Paragraph(
        f"{asked:,} evaluation items of {len(report.tasks)} tasks were looked for in the text, by runs of "
        f"{rule.ngram_words} words ({rule.short_ngram_words} for shorter items); {found:,} {was} found; {done} "
        f"({int(frame['n_documents_dropped'].sum()):,} documents taken out)."
    )


def _read(table: Table) -> Iterator[Block]:
    frame = table.frame
    tags = list(dict.fromkeys(frame["language"]))
    models = list(dict.fromkeys(frame["model"]))
    at = {(str(r["model"]), str(r["language"])): (i, r) for i, r in enumerate(frame.to_dict("records"))}  # fmt: skip

    def cell(model: str, tag: str) -> Cell:
        if (model, tag) not in at:
            return Cell("–")
        i, row = at[model, tag]
        known = not pd.isna(row["epochs"])
        times = f"read {row['epochs']:.2f} times" if known else ""
        columns = ("share", "epochs") if known else ("share",)
        return Cell(f"{row['share']:.3f}", times, of=of("mixture", i, *columns))

    rows = tuple((language_cell(tag), *(cell(model, tag) for model in models)) for tag in tags)
    yield Grid(
        "mixture",
        "What each model reads",
        "Share of a model's training tokens, as planned; below it how often the language's text is read.",
        ("language", *models),
        rows,
        "tables/mixture.csv",
        folded=True,
    )


def _stages(table: Table) -> Grid:
    rows = tuple(
        (
            Cell(str(r["stage"]), "" if r["on"] else "off"),
            Cell(f"{r['n_documents_read']:,}", of=of("data_stages", i, "n_documents_read")),
            Cell(f"{r['n_documents_kept']:,}", of=of("data_stages", i, "n_documents_kept")),
            Cell(f"{r['n_bytes_kept']:,}", of=of("data_stages", i, "n_bytes_kept")),
        )
        for i, r in enumerate(table.frame.to_dict("records"))
    )
    caption = "Every stage of the corpus, over all languages; reasons and languages stand in the data card."
    header = ("stage", "documents read", "documents kept", "bytes kept")
    return Grid("data-stages", "What filters and deduplication left", caption, header, rows,
                "tables/data_stages.csv")  # fmt: skip


def _licences(table: Table) -> Grid:
    rows = tuple(
        (
            Cell(language_name(str(r["language"])), str(r["licence"])),
            Cell(f"{r['n_documents']:,}", of=of("data_licences", i, "n_documents")),
            Cell(f"{r['n_bytes']:,}", of=of("data_licences", i, "n_bytes")),
        )
        for i, r in enumerate(table.frame.to_dict("records"))
    )
    caption = (
        "By language and licence, as the sources file and the documents state them; not checked."
    )
    header = ("language, licence", "documents", "bytes")
    return Grid("data-licences", "What is left, by licence", caption, header, rows,
                "tables/data_licences.csv", len(rows) > 12)  # fmt: skip


def _unknown(sources: Sources) -> Iterator[Block]:
    assert sources.corpus is not None
    other = [
        name
        for name, plan in sources.plans.items()
        if plan.identity.data.corpus_fingerprint != sources.corpus.fingerprint
    ]
    if other:
        yield Paragraph(
            f"{join(other)} {'was' if len(other) == 1 else 'were'} trained on another corpus than this: the "
            "amounts above are not theirs.",
            "important",
        )
    if sources.data_card is None:
        unsaid = "under which licence the text stands"
        if not is_generated(sources.corpus):
            unsaid += ", and what was filtered and deduplicated before it came here"
        yield Paragraph(f"No data card was given, so this page cannot say {unsaid}.", "gap")
