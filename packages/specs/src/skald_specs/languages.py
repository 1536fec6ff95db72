"""The language register: one row per Germanic variety, and code.

One table holds every name a language goes by, so that no station invents another.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from skald_specs.errors import UserInputError
from skald_specs.guesses import offer

Branch = Literal["North", "West", "Insular", "-"]


class Language(NamedTuple):
    """One row of the register.

    `branch` follows the common typological split (Insular: Icelandic and Faroese). `macro` names
    the macro language a variety belongs to. `published` is the name in public leaderboards.
    """

    tag: str
    iso639_3: str
    flores: str
    cldr: str
    published: str
    branch: Branch
    endonym: str
    english: str
    macro: str = ""


# Sources: IANA language subtag registry (BCP-47), ISO 639-3, FLORES-200 codes, CLDR 47 locale ids.
REGISTER: tuple[Language, ...] = (
    Language("da", "dan", "dan_Latn", "da", "Danish", "North", "dansk", "Danish"),
    Language("de", "deu", "deu_Latn", "de", "German", "West", "Deutsch", "German"),
    Language("en", "eng", "eng_Latn", "en", "English", "West", "English", "English"),
    Language("nl", "nld", "nld_Latn", "nl", "Dutch", "West", "Nederlands", "Dutch"),
    Language("sv", "swe", "swe_Latn", "sv", "Swedish", "North", "svenska", "Swedish"),
    Language("no", "nor", "", "no", "Norwegian", "North", "norsk", "Norwegian"),
    Language(
        "nb", "nob", "nob_Latn", "no", "Norwegian Bokmål", "North", "norsk bokmål",
        "Norwegian Bokmål", "no",
    ),
    Language(
        "nn", "nno", "nno_Latn", "nn", "Norwegian Nynorsk", "North", "norsk nynorsk",
        "Norwegian Nynorsk", "no",
    ),
    Language("is", "isl", "isl_Latn", "is", "Icelandic", "Insular", "íslenska", "Icelandic"),
    Language("fo", "fao", "fao_Latn", "fo", "Faroese", "Insular", "føroyskt", "Faroese"),
    Language("af", "afr", "afr_Latn", "af", "", "West", "Afrikaans", "Afrikaans"),
    Language("fy", "fry", "fry_Latn", "fy", "", "West", "Frysk", "West Frisian"),
    Language("lb", "ltz", "ltz_Latn", "lb", "Luxembourgish", "West", "Lëtzebuergesch",
             "Luxembourgish"),
    Language("li", "lim", "lim_Latn", "", "", "West", "Limburgs", "Limburgish"),
    Language("nds", "nds", "nds_Latn", "nds", "", "West", "Neddersassisch", "Low German"),
    Language("gsw", "gsw", "", "gsw", "", "West", "Schwiizertüütsch", "Swiss German"),
    Language("code", "", "", "", "", "-", "code", "program code"),
)  # fmt: skip
# `no` is the macro language over nb and nn: 16 Germanic varieties and code, as in the public
# TrustLLM mixture (TrustLLMeu/trustllm-envs, baseline YAML).

BY_TAG = {language.tag: language for language in REGISTER}


def language(tag: str, where: str = "language") -> Language:
    """Look a language up by its BCP-47 tag.

    Args:
        tag: BCP-47, as the register spells it.
        where: The field or option that held the tag, for the error's line.

    Raises:
        UserInputError: The tag is not in the register.
    """
    if tag not in BY_TAG:
        raise UserInputError(where, f"unknown language {tag!r}", offer(tag, BY_TAG))
    return BY_TAG[tag]
