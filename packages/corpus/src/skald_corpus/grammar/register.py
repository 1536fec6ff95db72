"""The languages that the generator speaks."""

from __future__ import annotations

from skald_corpus.grammar.rules.base import Linearizer
from skald_corpus.grammar.rules.dutch import Dutch
from skald_corpus.grammar.rules.english import English
from skald_corpus.grammar.rules.german import German
from skald_corpus.grammar.rules.insular import Faroese, Icelandic
from skald_corpus.grammar.rules.north import Bokmal, Danish, Swedish
from skald_corpus.grammar.words import da, de, en, fo, is_, nb, nl, sv

LANGUAGES: dict[str, Linearizer] = {
    "da": Danish(da.LEXICON),
    "de": German(de.LEXICON),
    "en": English(en.LEXICON),
    "fo": Faroese(fo.LEXICON),
    "is": Icelandic(is_.LEXICON),
    "nb": Bokmal(nb.LEXICON),
    "nl": Dutch(nl.LEXICON),
    "sv": Swedish(sv.LEXICON),
}
