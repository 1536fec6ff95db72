"""One abstract scene grammar, said in several languages.

`concepts` names what scenes are made of, `scene` is the abstract syntax, `lexicon` the shape of a
language's words, `words/` holds the words as data, `rules/` turns abstract sentences into text.

To add a language: write `words/<tag>.py` (every concept, all forms spelled out), a class in
`rules/` (or reuse one: Nynorsk would be `rules.north` with its own words), and one line in
`register`. `tests/unit/test_corpus_grammar.py` says which forms are missing; then have a page read
by somebody who speaks the language and put it in `tests/golden/corpus/`.
"""
