"""What the training text is: amounts by language, what each model reads of it, what was taken out.

Knows `corpus.json`, the search for evaluation items, the plans' mixtures and the corpus' data card; refuses to
say more of the text than they do.
"""

from __future__ import annotations

import math

import pandas as pd
from skald_specs.corpus import CorpusManifest
from skald_specs.funnel import summed

from skald_report.reading.inputs import Sources
from skald_report.tables.cost import trained_tokens
from skald_report.tables.order import in_order
from skald_report.tables.table import Table

#: Where the repository's generated text lies. A corpus of exactly this source is synthetic; of any
#: other, also of a folder beside it, the page does not presume to know what the text is.
GENERATED_SOURCE = "data/text"


def is_generated(corpus: CorpusManifest) -> bool:
    """Return whether the text is the repository's own, made by its generator."""
    return corpus.recipe.source == GENERATED_SOURCE


def data_tables(sources: Sources) -> dict[str, Table]:
    """Return the tables of the training text by name; one without rows is left out."""
    made = [data(sources), mixture(sources), data_stages(sources), data_licences(sources)]
    return {table.name: table for table in made if len(table.frame)}


def data(sources: Sources) -> Table:
    """Return text of each language: to train on, held out, and taken out for evaluation items.

    Bytes are UTF-8 bytes of text; what was taken out is missing where nothing was looked for.
    """
    corpus, rows = sources.corpus, []
    hits = {hit.language: hit for hit in sources.searched.corpus} if sources.searched else {}
    for tag in in_order(corpus.recipe.languages if corpus else ()):
        train, held = (corpus.shard(tag, split) if corpus else None for split in ("train", "validation"))  # fmt: skip
        if train is None:
            continue
        hit = hits.get(tag)
        rows.append(
            {
                "language": tag,
                "n_documents": train.n_documents,
                "n_bytes": train.n_bytes,
                "n_tokens": train.n_tokens,
                "bytes_per_token": train.n_bytes / train.n_tokens if train.n_tokens else math.nan,
                "n_validation_documents": held.n_documents if held else 0,
                "n_validation_bytes": held.n_bytes if held else 0,
                "n_documents_dropped": hit.n_documents_dropped if hit else pd.NA,
                "n_bytes_removed": hit.n_bytes_removed if hit else pd.NA,
            }
        )
    counted = ("n_documents", "n_bytes", "n_tokens", "n_validation_documents", "n_validation_bytes")
    units = dict.fromkeys(counted, "count")
    return Table("data", ("language",), units, pd.DataFrame(rows))


def mixture(sources: Sources) -> Table:
    """Return how much of each language each model reads, and how often it reads that language's text."""
    rows = [
        {
            "model": name,
            "language": tag,
            "share": plan.identity.data.mixture[tag],
            "tokens": plan.identity.data.mixture[tag] * trained_tokens(plan),
            "epochs": plan.epochs.get(tag, math.nan),
        }
        for name, plan in sources.plans.items()
        for tag in in_order(plan.identity.data.mixture)
    ]
    return Table("mixture", ("model", "language"), {"share": "points"}, pd.DataFrame(rows))


def data_stages(sources: Sources) -> Table:
    """Return what each stage of the corpus' funnel left, over all languages; from the data card."""
    rows = []
    for funnel in sources.data_card.funnels if sources.data_card else ():
        total = summed(funnel.rows, "", "")
        rows.append(
            {
                "stage": funnel.stage,
                "on": funnel.on,
                "n_documents_read": total.read.documents,
                "n_documents_kept": total.kept.documents,
                "n_bytes_kept": total.kept.bytes,
            }
        )
    units = dict.fromkeys(("n_documents_read", "n_documents_kept", "n_bytes_kept"), "count")
    return Table("data_stages", ("stage",), units, pd.DataFrame(rows))


def data_licences(sources: Sources) -> Table:
    """Return what is left of the text by language and licence; from the data card."""
    licences = sources.data_card.licences if sources.data_card else {}
    rows = [
        {"language": tag, "licence": licence, "n_documents": left.documents, "n_bytes": left.bytes}
        for tag in in_order(licences)
        for licence, left in licences[tag].items()
    ]
    units = dict.fromkeys(("n_documents", "n_bytes"), "count")
    return Table("data_licences", ("language", "licence"), units, pd.DataFrame(rows))
