"""Copy controls: what the context says is repeated or looked up; no knowledge of a language helps.

`words` and `letters`: a span of random words, or of letters of the language's alphabet, begins again;
which one follows? `recall`: a list of random names with numbers; which number has the name that is
asked for, at several distances from the end? All four choices stand in the context, so that only their
places tell. A model that fails here fails other tasks for want of copying, not of the language.
"""

from __future__ import annotations

from collections.abc import Iterator

from skald_specs.items import ClozeItem

from skald_corpus.keyed import Stream

_LATIN = "abcdefghijklmnopqrstuvwxyz"
#: Letters of each language's own words. Source: the alphabets as taught; letters of loans left out.
ALPHABETS = {
    "da": _LATIN + "æøå",
    "de": _LATIN + "äöüß",
    "en": _LATIN,
    "fo": "aábdðefghiíjklmnoóprstuúvyýæø",
    "is": "aábdðeéfghiíjklmnoóprstuúvxyýþæö",
    "nb": _LATIN + "æøå",
    "nl": _LATIN,
    "sv": _LATIN + "åäö",
}
#: Sizes of the spans by family, and how many items each size gives.
SPANS = {"words": (4, 8), "letters": (6, 12)}
ITEMS_PER_SPAN = 8
#: Names in a list, how far from its end the one asked for stands, and items of each distance.
N_NAMES, DISTANCES, ITEMS_PER_DISTANCE = 8, (1, 2, 4, 8), 4
_WORD_LETTERS = (3, 5)
_CHOICES = 4


def copy_items(tag: str) -> Iterator[ClozeItem]:
    """Yield a language's items; the place of the right answer goes round."""
    index = 0
    for family, sizes in SPANS.items():
        for size in sizes:
            for number in range(ITEMS_PER_SPAN):
                yield _repeated(tag, family, size, number, index % _CHOICES)
                index += 1
    for distance in DISTANCES:
        for number in range(ITEMS_PER_DISTANCE):
            yield _recalled(tag, distance, number, index % _CHOICES)
            index += 1


def _repeated(tag: str, family: str, size: int, number: int, answer: int) -> ClozeItem:
    stream = Stream(f"copy {tag} {family} {size} {number}")
    alphabet = ALPHABETS[tag]
    span = _words(stream, alphabet, size) if family == "words" else stream.shuffled(alphabet)[:size]
    # At least two repeated, so that the span is seen to begin again; at least one left to follow.
    cue = 2 + stream.below(size - 2)
    wrong = stream.shuffled([part for part in span if part != span[cue]])
    return _item(
        tag, f"{family}_{size}", number, " ".join([*span, *span[:cue]]), span[cue], wrong, answer
    )


def _recalled(tag: str, distance: int, number: int, answer: int) -> ClozeItem:
    stream = Stream(f"copy {tag} recall {distance} {number}")
    names = _words(stream, ALPHABETS[tag], N_NAMES)
    values = [str(value) for value in stream.shuffled(range(10, 100))[:N_NAMES]]
    listed = ", ".join(f"{name} = {value}" for name, value in zip(names, values, strict=True))
    asked = N_NAMES - distance
    wrong = stream.shuffled([value for value in values if value != values[asked]])
    context = f"{listed}, {names[asked]} ="
    return _item(tag, f"recall_{distance}", number, context, values[asked], wrong, answer)


def _item(
    tag: str, family: str, number: int, context: str, right: str, wrong: list[str], answer: int
) -> ClozeItem:
    choices = [f" {choice}" for choice in wrong[: _CHOICES - 1]]
    choices.insert(answer, f" {right}")
    return ClozeItem(
        id=f"{tag}-copy-{family}-{number:02d}",
        key=f"{family} {number}",
        context=context,
        choices=tuple(choices),
        answer=answer,
    )


def _words(stream: Stream, alphabet: str, n: int) -> list[str]:
    """Return n different words of random letters."""
    least, most = _WORD_LETTERS
    words: dict[str, None] = {}
    while len(words) < n:
        length = least + stream.below(most - least + 1)
        words["".join(stream.pick(alphabet) for _ in range(length))] = None
    return list(words)
