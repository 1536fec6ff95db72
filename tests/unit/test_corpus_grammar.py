"""Every language has every form; phrases are built as its grammar wants."""

import pytest
from skald_corpus.grammar.concepts import (
    ADJECTIVES,
    ADVERBS,
    ATTITUDES,
    AUXILIARIES,
    NOUNS,
    PLACES,
    QUANTITIES,
    TIMES,
    VERBS,
)
from skald_corpus.grammar.register import LANGUAGES
from skald_corpus.grammar.scene import Clause, NounPhrase, Sentence


def missing(lexicon):
    """Return what a lexicon lacks, as `table concept`."""
    wanted = {
        "nouns": NOUNS, "adjectives": ADJECTIVES, "verbs": VERBS, "places": PLACES,
        "times": TIMES, "auxiliaries": AUXILIARIES, "attitudes": ATTITUDES,
        "links": (*ATTITUDES, "because"), "words": (*QUANTITIES, *ADVERBS, "yes", "no"),
    }  # fmt: skip
    gaps = [
        f"{table} {concept}"
        for table, concepts in wanted.items()
        for concept in concepts
        if concept not in getattr(lexicon, table)
    ]
    gaps += [
        f"pronouns {noun.pronoun}"
        for noun in lexicon.nouns.values()
        if noun.pronoun and noun.pronoun not in lexicon.pronouns
    ]
    return gaps


@pytest.mark.parametrize("tag", sorted(LANGUAGES))
def test_every_form_is_there(tag):
    lexicon = LANGUAGES[tag].lexicon
    assert missing(lexicon) == []
    assert set(lexicon.nouns) == set(NOUNS)
    for noun in lexicon.nouns.values():
        assert noun.singular and noun.plural
    for table in (lexicon.verbs, lexicon.auxiliaries, lexicon.attitudes):
        for verb in table.values():
            assert all((verb.present, verb.present_plural, verb.past, verb.past_plural))
    assert lexicon.homographs <= set(NOUNS)


def test_a_missing_form_is_named():
    lexicon = LANGUAGES["sv"].lexicon
    nouns = {key: noun for key, noun in lexicon.nouns.items() if key != "wolf"}
    assert missing(type(lexicon)(**{**vars(lexicon), "nouns": nouns})) == ["nouns wolf"]


@pytest.mark.parametrize("tag", ["da", "sv"])
def test_the_suffixed_article_follows_the_gender(tag):
    for noun in LANGUAGES[tag].lexicon.nouns.values():
        ending = {"en": "n", "et": "t"}[noun.gender]
        assert noun.definite.endswith(ending), noun
        assert noun.definite_plural[-2:] in ("ne", "na", "en"), noun


def test_german_plurals_take_the_article_of_the_plural():
    german = LANGUAGES["de"]
    for concept in NOUNS:
        assert german.noun_phrase(NounPhrase(concept, "pl"), "object").startswith("die ")


PHRASES = [
    ("da", NounPhrase("dog", adjective="big"), "object", "den store hund"),
    ("sv", NounPhrase("dog", adjective="big"), "object", "den stora hunden"),
    ("da", NounPhrase("house", adjective="small"), "object", "det lille hus"),
    ("sv", NounPhrase("house", adjective="small"), "object", "det lilla huset"),
    ("da", NounPhrase("horse", "pl", adjective="small"), "object", "de små heste"),
    ("sv", NounPhrase("horse", "pl", adjective="small"), "object", "de små hästarna"),
    ("sv", NounPhrase("apple", "sg", "indefinite", "red"), "object", "ett rött äpple"),
    ("de", NounPhrase("dog", adjective="big"), "subject", "der große Hund"),
    ("de", NounPhrase("dog", adjective="big"), "object", "den großen Hund"),
    ("de", NounPhrase("dog", "sg", "indefinite", "big"), "subject", "ein großer Hund"),
    ("de", NounPhrase("dog", "sg", "indefinite", "big"), "object", "einen großen Hund"),
    ("de", NounPhrase("horse", "sg", "indefinite", "big"), "object", "ein großes Pferd"),
    ("de", NounPhrase("cat", "sg", "indefinite", "big"), "object", "eine große Katze"),
    ("de", NounPhrase("boy"), "object", "den Jungen"),
    ("de", NounPhrase("cat", "pl", adjective="old"), "object", "die alten Katzen"),
    ("de", NounPhrase("cat", "pl", "indefinite", "old", "two"), "object", "zwei alte Katzen"),
    ("nl", NounPhrase("house", "sg", "indefinite", "big"), "object", "een groot huis"),
    ("nl", NounPhrase("house", adjective="big"), "object", "het grote huis"),
    ("nl", NounPhrase("dog", "sg", "indefinite", "big"), "object", "een grote hond"),
    ("nl", NounPhrase("house", "pl", adjective="big"), "object", "de grote huizen"),
    ("en", NounPhrase("apple", "sg", "indefinite"), "object", "an apple"),
    ("en", NounPhrase("apple", "sg", "indefinite", "red"), "object", "a red apple"),
    ("en", NounPhrase("house", "sg", "indefinite", "old"), "object", "an old house"),
]


@pytest.mark.parametrize(("tag", "phrase", "case", "said"), PHRASES)
def test_noun_phrases(tag, phrase, case, said):
    assert LANGUAGES[tag].noun_phrase(phrase, case) == said


WOMAN, HIM = NounPhrase("woman"), NounPhrase("king", "sg", "pronoun")


def test_verb_second_and_its_absence():
    clause = Clause(WOMAN, "see", "past", HIM, time="yesterday", front="time")
    said = {tag: LANGUAGES[tag].sentence(Sentence("statement", clause)) for tag in LANGUAGES}
    assert said == {
        "da": "I går så kvinden ham.",
        "de": "Gestern sah die Frau ihn.",
        "en": "Yesterday the woman saw him.",
        "nl": "Gisteren zag de vrouw hem.",
        "sv": "I går såg kvinnan honom.",
    }


def test_subordinate_clauses_and_object_shift():
    clause = Clause(WOMAN, "see", "past", HIM, adverb="not")
    report = Sentence("report", clause, speaker=NounPhrase("man"), attitude="say")
    said = {
        tag: (language.sentence(Sentence("statement", clause)), language.sentence(report))
        for tag, language in LANGUAGES.items()
    }
    assert said == {
        "da": ("Kvinden så ham ikke.", "Manden sagde, at kvinden ikke så ham."),
        "de": ("Die Frau sah ihn nicht.", "Der Mann sagte, dass die Frau ihn nicht sah."),
        "en": ("The woman did not see him.", "The man said that the woman did not see him."),
        "nl": ("De vrouw zag hem niet.", "De man zei dat de vrouw hem niet zag."),
        "sv": ("Kvinnan såg honom inte.", "Mannen sade att kvinnan inte såg honom."),
    }


def test_the_end_of_a_modal_clause():
    clause = Clause(WOMAN, "see", "present", NounPhrase("dog"), modal=True, adverb="not")
    report = Sentence("report", clause, speaker=NounPhrase("man"), attitude="ask")
    said = {tag: LANGUAGES[tag].sentence(report) for tag in LANGUAGES}
    assert said == {
        "da": "Manden spørger, om kvinden ikke kan se hunden.",
        "de": "Der Mann fragt, ob die Frau den Hund nicht sehen kann.",
        "en": "The man asks whether the woman cannot see the dog.",
        "nl": "De man vraagt of de vrouw de hond niet kan zien.",
        "sv": "Mannen frågar om kvinnan inte kan se hunden.",
    }
