"""Every language has every form; phrases are built as its grammar wants."""

from dataclasses import replace

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
        "links": (*ATTITUDES, "because"), "words": (*ADVERBS, "yes", "no"),
    }  # fmt: skip
    gaps = [
        f"quantities {concept}"
        for concept in QUANTITIES
        if not (concept in lexicon.words or concept in lexicon.determiners)
    ]
    gaps += [
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


@pytest.mark.parametrize("tag", ["da", "nb", "sv"])
def test_the_suffixed_article_follows_the_gender(tag):
    for concept, noun in LANGUAGES[tag].lexicon.nouns.items():
        ending = {"en": "n", "ei": "a", "et": "t"}[noun.gender]
        assert noun.definite.endswith(ending), noun
        irregular = tag == "nb" and concept == "child"
        assert irregular or noun.definite_plural[-2:] in ("ne", "na", "en"), noun


def gaps_of(lexicon, cases):
    """Return the concepts without a full paradigm of case, number and definiteness."""
    gaps = [
        concept
        for concept, noun in lexicon.nouns.items()
        if len(noun.declined) != cases
        or any(len(row) != 4 or not all(row) for row in noun.declined)
    ]
    gaps += [c for c, forms in lexicon.adjectives.items() if len(forms) != 6 * cases + 3]
    gaps += [c for c, forms in lexicon.adjectives.items() if not all(forms)]
    gaps += [c for c, forms in lexicon.determiners.items() if len(forms) != 6 * cases]
    return gaps + [key for key, forms in lexicon.pronouns.items() if len(forms) != cases]


@pytest.mark.parametrize(("tag", "cases"), [("is", 3), ("fo", 2)])
def test_paradigms_of_case_are_complete(tag, cases):
    lexicon = LANGUAGES[tag].lexicon
    assert gaps_of(lexicon, cases) == []
    wolf = lexicon.nouns["wolf"]
    short = replace(wolf, declined=(*wolf.declined[:-1], ("x", "y", "", "z")))
    assert gaps_of(replace(lexicon, nouns={"wolf": short}), cases) == ["wolf"]


#: How the suffixed article ends, by gender, for each case: singular, plural.
ARTICLES = {
    "is": {
        "m": (("inn", "nir"), ("nn", "na"), ("num", "num")),
        "f": (("n", "nar"), ("na", "nar"), ("nni", "num")),
        "n": (("ð", "n"), ("ð", "n"), ("nu", "num")),
    },
    "fo": {
        "m": (("in", "nir"), ("n", "nar")),
        "f": (("n", "nar"), ("na", "nar")),
        "n": (("ð", "ni"), ("ð", "ni")),
    },
}
#: Feminine plurals in -ir keep it in the Faroese article; kinship terms lack the masculine -nar.
IRREGULAR = {("is", "brother"), ("fo", "bed"), ("fo", "bear"), ("fo", "goat")}


@pytest.mark.parametrize("tag", sorted(ARTICLES))
def test_the_article_agrees_in_gender_number_and_case(tag):
    wrong = set()
    for concept, noun in LANGUAGES[tag].lexicon.nouns.items():
        for row, (one, many) in zip(noun.declined, ARTICLES[tag][noun.gender], strict=True):
            if not (row[1].endswith(one) and row[3].endswith(many)):
                wrong.add((tag, concept))
            # The definite form is longer than the bare one, and the dative plural ends in -m.
            assert len(row[1]) > len(row[0]) and len(row[3]) > len(row[2])
        assert len(noun.declined) == 2 or noun.declined[2][2].endswith("m")
    assert wrong <= IRREGULAR


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
    ("nb", NounPhrase("dog", adjective="big"), "object", "den store hunden"),
    ("nb", NounPhrase("book", "sg", "indefinite", "small"), "object", "ei lita bok"),
    ("nb", NounPhrase("book", adjective="small"), "object", "den lille boka"),
    ("nb", NounPhrase("house", "sg", "indefinite", "small"), "object", "et lite hus"),
    ("nb", NounPhrase("house", "pl", adjective="small"), "object", "de små husene"),
    ("is", NounPhrase("dog", adjective="big"), "subject", "stóri hundurinn"),
    ("is", NounPhrase("dog", adjective="big"), "object", "stóra hundinn"),
    ("is", NounPhrase("dog", adjective="big"), "dative", "stóra hundinum"),
    ("is", NounPhrase("cat", "sg", "indefinite", "black"), "dative", "svörtum ketti"),
    ("is", NounPhrase("bag", "sg", "indefinite", "old"), "dative", "gamalli tösku"),
    ("is", NounPhrase("bag", adjective="old"), "object", "gömlu töskuna"),
    ("is", NounPhrase("lamb", "pl", "indefinite", "young", "two"), "object", "tvö ung lömb"),
    ("is", NounPhrase("dog", "pl", "indefinite", "", "three"), "object", "þrjá hunda"),
    ("is", NounPhrase("dog", "pl", "indefinite", "", "three"), "dative", "þremur hundum"),
    ("is", NounPhrase("queen", "pl", "pronoun"), "object", "þær"),
    ("fo", NounPhrase("dog", adjective="big"), "subject", "tann stóri hundurin"),
    ("fo", NounPhrase("dog", adjective="big"), "object", "tann stóra hundin"),
    ("fo", NounPhrase("bag", adjective="old"), "subject", "tann gamla taskan"),
    ("fo", NounPhrase("bag", adjective="old"), "object", "ta gomlu taskuna"),
    ("fo", NounPhrase("house", adjective="old"), "object", "tað gamla húsið"),
    ("fo", NounPhrase("child", "sg", "indefinite", "happy"), "object", "eitt glatt barn"),
    ("fo", NounPhrase("bear", "sg", "indefinite"), "object", "eina bjørn"),
    ("fo", NounPhrase("boy", "pl", adjective="young"), "object", "teir ungu dreingirnar"),
    ("fo", NounPhrase("boy", "pl", "indefinite", "", "three"), "object", "tríggjar dreingir"),
    ("fo", NounPhrase("lamb", "pl", "pronoun"), "subject", "tey"),
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
        "fo": "Í gjár sá kvinnan hann.",
        "is": "Í gær sá konan hann.",
        "nb": "I går så kvinnen ham.",
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
        "fo": ("Kvinnan sá hann ikki.", "Maðurin segði at kvinnan ikki sá hann."),
        "is": ("Konan sá hann ekki.", "Maðurinn sagði að konan sæi hann ekki."),
        "nb": ("Kvinnen så ham ikke.", "Mannen sa at kvinnen ikke så ham."),
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
        "fo": "Maðurin spyr um kvinnan ikki kann síggja hundin.",
        "is": "Maðurinn spyr hvort konan geti ekki séð hundinn.",
        "nb": "Mannen spør om kvinnen ikke kan se hunden.",
        "nl": "De man vraagt of de vrouw de hond niet kan zien.",
        "sv": "Mannen frågar om kvinnan inte kan se hunden.",
    }


def test_icelandic_verbs_govern_their_case_and_reasons_keep_the_indicative():
    icelandic = LANGUAGES["is"]
    lost = Clause(WOMAN, "lose", "past", NounPhrase("bag"))
    assert icelandic.sentence(Sentence("statement", lost)) == "Konan týndi töskunni."
    bought = lost._replace(verb="buy", object=NounPhrase("bag", "sg", "pronoun"), adverb="not")
    assert icelandic.sentence(Sentence("statement", bought)) == "Konan keypti hana ekki."
    old = Clause(NounPhrase("bag", "sg", "pronoun"), "be", "past", quality="old")
    said = icelandic.sentence(Sentence("reason", lost, reason=old))
    assert said == "Konan týndi töskunni af því að hún var gömul."
