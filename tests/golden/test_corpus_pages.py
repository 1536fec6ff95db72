"""One page of each language, read form by form; the generator still writes it.

The first part says one list of abstract sentences in every language, so that the files can be read
beside each other. To renew them on purpose: `python tests/golden/test_corpus_pages.py`. What each
page was checked against, and who has not read it, stands in `corpus/README.md`.
"""

from pathlib import Path

import pytest
from skald_corpus.grammar.register import LANGUAGES
from skald_corpus.grammar.scene import Clause, NounPhrase, Sentence
from skald_corpus.keyed import Stream
from skald_corpus.story import Story

FOLDER = Path(__file__).parent / "corpus"


def some(concept, adjective="", quantity=""):
    return NounPhrase(concept, "pl" if quantity else "sg", "indefinite", adjective, quantity)


def the(concept, adjective="", number="sg"):
    return NounPhrase(concept, number, "definite", adjective)


def it(concept, number="sg"):
    return NounPhrase(concept, number, "pronoun")


def say(clause, **rest):
    return Sentence(rest.pop("kind", "statement"), clause, **rest)


PAGE = [
    say(Clause(some("dog", "small"), "exist", "past", place="garden", front="place")),
    say(Clause(some("house", "old"), "exist", "present", place="street")),
    say(Clause(some("girl"), "see", "past", some("horse", "big"), time="yesterday", front="time")),
    say(Clause(the("man", "old"), "buy", "past", the("house", "white"), adverb="not")),
    say(Clause(the("woman"), "find", "past", it("letter"), place="kitchen", front="place")),
    say(Clause(the("child", "tired"), "watch", "present", some("apple", "green", "two"))),
    say(Clause(it("queen"), "carry", "past", it("ball"), adverb="never")),
    say(Clause(the("boy"), "open", "present", the("box", "heavy"), modal=True, adverb="often",
               place="forest", front="place")),
    say(Clause(the("bird", number="pl"), "be", "past", quality="beautiful")),
    say(Clause(the("ship"), "be", "past", quality="big", adverb="not")),
    say(Clause(the("bear"), "chase", "past", the("lamb", "young"), modal=True),
        kind="question"),
    say(Clause(the("bear"), "chase", "past", it("lamb"), adverb="not"), reply="no"),
    say(Clause(the("prince"), "meet", "present", the("farmer", "strong"), adverb="not"),
        kind="report", speaker=the("king"), attitude="ask"),
    say(Clause(it("prince"), "see", "past", it("farmer"), modal=True, adverb="often"),
        kind="report", speaker=the("sister", number="pl"), attitude="say"),
    say(Clause(the("mother"), "wash", "past", the("cup", "red", "pl")), kind="reason",
        reason=Clause(it("cup", "pl"), "be", "past", quality="old")),
    say(Clause(some("brother", "hungry", "many"), "steal", "past", some("egg"), time="night")),
]  # fmt: skip


def page(tag):
    language = LANGUAGES[tag]
    lines = [language.sentence(sentence) for sentence in PAGE]
    for index in range(3):
        story = Story(Stream(f"story {tag}-train-{index:06d}"), "train", language.pronoun_key)
        lines.append("")
        lines += [language.sentence(sentence) for sentence in story.sentences]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("tag", sorted(LANGUAGES))
def test_the_page_is_the_one_that_was_read(tag):
    assert page(tag) == (FOLDER / f"{tag}.txt").read_text(encoding="utf-8")


def test_a_changed_form_would_be_seen():
    assert page("de") != page("nl")
    changed = (FOLDER / "de.txt").read_text(encoding="utf-8").replace("einen", "ein", 1)
    assert page("de") != changed


def test_every_page_says_what_it_was_checked_against():
    lines = (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()
    rows = {cells[1].strip(): cells for cells in (line.split("|") for line in lines) if cells[1:]}
    for tag in LANGUAGES:
        # Change the last cell when a native speaker has read the page, with name and date.
        assert len(rows[tag]) == 6 and all(cell.strip() for cell in rows[tag][1:5])
    assert "xx" not in rows


if __name__ == "__main__":
    for tag in LANGUAGES:
        (FOLDER / f"{tag}.txt").write_text(page(tag), encoding="utf-8")
