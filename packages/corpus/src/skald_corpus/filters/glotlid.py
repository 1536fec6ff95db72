"""GlotLID, or any fastText model with FLORES labels, as a language filter: optional, by path.

The model and the library are the user's own to fetch: neither is a dependency of Skald.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from skald_specs.errors import UserInputError
from skald_specs.languages import REGISTER

from skald_corpus.filters.language import neighbours
from skald_corpus.filters.verdict import Verdict, removed

#: Lowest probability of the target by FLORES code.
#: Source: huggingface/fineweb-2 @ d0defb24, configs/*.yml (measured there on web text).
MINIMUM: dict[str, float] = {
    "dan_Latn": 0.300, "deu_Latn": 0.821, "fao_Latn": 0.431, "isl_Latn": 0.863,
    "nld_Latn": 0.689, "nno_Latn": 0.300, "nob_Latn": 0.813, "swe_Latn": 0.629,
    "afr_Latn": 0.300, "fry_Latn": 0.723, "ltz_Latn": 0.300, "nds_Latn": 0.300,
}  # fmt: skip
#: For a language that FineWeb-2 lacks. Source: TrustLLM Trove's one threshold.
ELSE_MINIMUM = 0.4
_LABELS = 10


class GlotLid:
    """A filter whose score is the target's probability.

    Args:
        path: The fastText model, such as GlotLID's `model.bin`.
        margin: The target's probability must exceed each confusable neighbour's by at least this.

    Raises:
        UserInputError: The library or the model is missing.
    """

    def __init__(self, path: Path, margin: float = 0.0) -> None:
        try:
            fasttext = importlib.import_module("fasttext")
        except ImportError:
            raise UserInputError(
                "language identification",
                "GlotLID needs the library fasttext, which is not installed",
                "Install it with `pip install fasttext`, or use Skald's own model",
            ) from None
        if not path.is_file():
            raise UserInputError(
                str(path), "no such fastText model", "Fetch GlotLID's model.bin and give its path"
            )
        try:
            self._model: Any = fasttext.load_model(str(path))
        except ValueError as error:
            raise UserInputError(
                str(path), f"no fastText model ({error})", "Fetch GlotLID's model.bin again"
            ) from None
        self.margin = margin

    def __call__(self, text: str, language: str) -> Verdict:
        """Judge one text against one target language."""
        # Not `predict` of the Python class: in fasttext 0.9.3 it fails with numpy 2.
        pairs = self._model.f.predict(" ".join(text.split()) + "\n", _LABELS, 0.0, "strict")
        chances = {label.removeprefix("__label__"): float(chance) for chance, label in pairs}
        codes = _codes(language)
        target = sum(chances.get(code, 0.0) for code in codes)
        minimum = min(MINIMUM.get(code, ELSE_MINIMUM) for code in codes)
        rivals = {c: chances.get(c, 0.0) for tag in neighbours(language) for c in _codes(tag)}
        rival = max(rivals, key=lambda code: rivals[code], default="")
        if rival and target - rivals[rival] < self.margin:
            return removed("near-neighbour", target, f"{rival} has {rivals[rival]:.3f}")
        if target < minimum:
            best = max(chances, key=lambda code: chances[code], default="nothing")
            return removed("wrong-language", target, f"{best} is likelier; least {minimum}")
        return Verdict(True, score=target)


def _codes(language: str) -> list[str]:
    rows = [row for row in REGISTER if language in (row.tag, row.macro)]
    codes = [row.flores for row in rows if row.flores]
    if not codes:
        raise UserInputError(
            "language identification", f"GlotLID has no label for {language!r}", "Leave it out"
        )
    return codes
