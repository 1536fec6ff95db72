"""The text that `bench -- corpus` compares on, and our limits as datatrove's parameters."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
from skald_corpus.filters.quality import PROFILES, Limit, QualityThresholds
from skald_corpus.filters.quality_derive import lay_out
from skald_corpus.filters.quality_metrics import LINE_ENDS
from skald_specs.languages import BY_TAG

#: UTF-8 bytes a language, so that every one counts; Faroese has a quarter of it.
LANGUAGE_BYTES = 400_000


def write_documents(text: Path, out: Path) -> int:
    """Write `<language>/train.jsonl` with documents of ten sentences, a quarter of them spoilt.

    One in twenty each: a copy, a near-copy, a line four times, a list of words, text of another
    language.

    Args:
        text: Folder `<language>/train.jsonl.gz` of sentences.
        out: Folder to write to.

    Returns:
        UTF-8 bytes of all documents.
    """
    laid_out = {path.name: _documents(path) for path in sorted(text.iterdir()) if path.is_dir()}
    total = 0
    for tag, documents in laid_out.items():
        others = laid_out["de" if tag != "de" else "sv"]
        (out / tag).mkdir(parents=True)
        with (out / tag / "train.jsonl").open("wb") as stream:
            for number, document in enumerate(_spoilt(documents, others)):
                row = {"id": f"{number:06d}", "text": document}
                stream.write(orjson.dumps(row) + b"\n")
                total += len(document.encode())
        # So that no key has to be drawn for validation while the clock runs.
        (out / tag / "validation.jsonl").write_bytes(orjson.dumps({"text": "."}) + b"\n")
    return total


def reference(text: Path, tag: str) -> str:
    """Return some held-out text of a language, from which limits are translated."""
    return "\n".join(_sentences(text / tag / "dev.jsonl.gz")[:500])


def _documents(folder: Path) -> list[str]:
    found, room = [], LANGUAGE_BYTES
    for document in lay_out(_sentences(folder / "train.jsonl.gz")):
        found.append(document)
        room -= len(document.encode())
        if room <= 0:
            break
    return found


def _sentences(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return [json.loads(line)["text"] for line in stream]


def _spoilt(documents: Sequence[str], others: Sequence[str]) -> Iterator[str]:
    for i, document in enumerate(documents):
        words = document.split(" ")
        match i % 20:
            case 3:
                yield documents[i - 1]
            case 7:
                # Three words in a hundred are others: a similarity of 5-grams of about .85.
                before = documents[i - 1].split(" ")
                before[5 : len(before) : 60] = ["und"] * len(before[5 : len(before) : 60])
                yield " ".join(before)
            case 11:
                yield "\n".join([document.split("\n")[0]] * 4)
            case 15:
                yield "\n".join(f"- {word}" for word in words[:80])
            case 19:
                yield others[i % len(others)]
            case _:
                yield document


def peer_filters(thresholds: QualityThresholds, tag: str, profile: str) -> dict[str, Any]:
    """Return the keyword arguments of datatrove's three filters that say what our limits say.

    A figure that is not limited here is turned off there. Our figures are taken of white-space separated
    words, datatrove's of the tokens of spaCy, punctuation marks among them: the least share of words with
    letters is therefore multiplied, over there, by the words a token of held-out text (`reference`).
    What cannot be said: texts below 20 words are judged by three figures here.
    """
    mine = thresholds.languages[tag]
    limits = {**mine.limits, **PROFILES[profile]}

    def upper(name: str) -> float | None:
        return limits.get(name, Limit()).max

    def lower(name: str) -> float | None:
        return limits.get(name, Limit()).min

    top, fivegrams = upper("top_2gram_share"), upper("duplicate_5gram_share")
    code = BY_TAG[tag].flores.split("_")[0]
    return {
        "language": code,
        "repetition": {
            "dup_line_frac": None,
            "dup_para_frac": None,
            "dup_para_char_frac": None,
            "dup_line_char_frac": upper("duplicate_line_share"),
            "top_n_grams": [] if top is None else [[2, top]],
            "dup_n_grams": [] if fivegrams is None else [[5, fivegrams]],
        },
        "quality": {
            "min_doc_words": lower("n_words"),
            "max_doc_words": upper("n_words"),
            "min_avg_word_length": lower("mean_word_length"),
            "max_avg_word_length": upper("mean_word_length"),
            "max_symbol_word_ratio": upper("symbol_ratio"),
            "max_bullet_lines_ratio": upper("bullet_line_share"),
            "max_ellipsis_lines_ratio": upper("ellipsis_line_share"),
            "max_non_alpha_words_ratio": lower("alphabetic_share"),
            "min_stop_words": lower("stop_words"),
            "stop_words": list(mine.stop_words),
        },
        "fineweb": {
            "line_punct_thr": lower("line_end_share") or 0.0,
            "stop_chars": list(LINE_ENDS),
            "short_line_thr": 1.0,
            "char_duplicates_ratio": _or_one(upper("duplicate_line_share")),
            "new_line_ratio": _or_one(upper("new_line_ratio")),
        },
    }


def _or_one(limit: float | None) -> float:
    return 1.0 if limit is None else limit
