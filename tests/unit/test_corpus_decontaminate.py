"""Planted items are found in any form, innocent text stays, nothing is lost, and lists are checked."""

import gzip
import json
import unicodedata

import numpy as np
import pytest
from skald_corpus.decontaminate import index as index_module
from skald_corpus.decontaminate import sources
from skald_corpus.decontaminate.index import ItemIndex, gram_length
from skald_corpus.decontaminate.scan import Decontaminator, Tally, count
from skald_corpus.decontaminate.spans import joined, without, word_spans
from skald_corpus.words import hash_texts
from skald_specs.corpus import Document
from skald_specs.decontamination import CorpusHits, Decontamination, ReferenceItem
from skald_specs.errors import UserInputError
from support_dedup import documents

RULE = Decontamination()
LONG = "Den gamle mand gik langsomt ned ad gaden for at købe »frisk« brød hos bageren på hjørnet"
MIDDLE = "Hvor længe blev bogen egentlig liggende på bordet?"
WHOLE = "Hunden sover under bordet"
SHORT = "Hunden sover"
FILLER = "Og så skete der ikke mere den dag, for alle var gået hjem til deres egne huse i byen."


def item(item_id, *strings, task="task"):
    return ReferenceItem(task=task, item_id=item_id, language="da", strings=strings)


ITEMS = [item("long", LONG), item("middle", MIDDLE), item("whole", WHOLE), item("short", SHORT)]


def run(texts, items=ITEMS, rule=RULE):
    index, docs = ItemIndex(items, rule), documents(texts)
    counts = count(docs, index)
    work, tally = Decontaminator(index, counts.documents), Tally("da")
    outcomes = list(work.apply(docs, tally, counts.flags))
    slow = list(Decontaminator(index, counts.documents).apply(docs, Tally("da")))
    assert outcomes == slow
    assert [o.id for o in outcomes] == [d.id for d in docs]
    return outcomes, work.report([tally])


def inside(text):
    return f"{FILLER} {text} {FILLER}"


FORMS = {
    "as it is": LONG,
    "NFD": unicodedata.normalize("NFD", LONG),
    "quotes": LONG.replace("»", "“").replace("«", "”"),
    "upper case": LONG.upper(),
    "hyphens and commas": LONG.replace(" mand ", " mand, – ").replace(" hos ", "\n…hos "),
    "everything": unicodedata.normalize("NFKD", LONG.upper()).replace("»", "'"),
    "the middle of it": " ".join(LONG.split()[2:16]),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_planted_item_is_found_in_any_form(form):
    outcomes, report = run([FILLER, inside(FORMS[form]), FILLER])
    assert [o.document is None for o in outcomes] == [False, True, False]
    assert outcomes[1].items == (("task", "long"),)
    assert report.clean_subset().contaminated == {"task": ("long",)}
    assert report.tasks[0].n_documents == 1 and report.items[0].documents == ("doc-000001",)


def test_items_match_by_their_length():
    assert [gram_length(n, RULE) for n in (0, 1, 7, 8, 12, 13, 40)] == [0, 1, 7, 8, 8, 13, 13]
    part = " ".join(LONG.split()[:12])
    outcomes, report = run(
        [inside(part), inside(MIDDLE), inside(WHOLE), inside(WHOLE.replace("under", "ved"))]
    )
    assert [o.document is None for o in outcomes] == [False, True, True, False]
    assert {row.item_id: row.standing for row in report.items} == {
        "middle": "contaminated",
        "whole": "contaminated",
        "short": "short",
    }


def test_short_items_are_reported_apart():
    outcomes, report = run([inside(SHORT), inside("hunden... SOVER")])
    assert all(o.document is not None for o in outcomes)
    assert [(r.item_id, r.standing, r.n_documents) for r in report.items] == [("short", "short", 2)]
    assert report.tasks[0].n_undecidable == 1 and report.clean_subset().contaminated == {}


def test_common_phrases_are_reported_apart_but_long_ones_never():
    rule = Decontamination(common_documents=3)
    outcomes, report = run([inside(MIDDLE), inside(LONG)] * 4, rule=rule)
    assert [o.document is None for o in outcomes] == [False, True] * 4
    standings = {row.item_id: (row.standing, row.n_documents) for row in report.items}
    assert standings == {"middle": ("common", 4), "long": ("contaminated", 4)}
    assert len(run([inside(MIDDLE)] * 3, rule=rule)[1].clean_subset().contaminated["task"]) == 1


def test_both_sides_of_a_pair_are_looked_for():
    pair = item("pair", MIDDLE, MIDDLE.replace("liggende på", "på liggende"))
    for side in pair.strings:
        assert run([inside(side)], [pair])[1].tasks[0].n_contaminated == 1


def test_cutting_leaves_the_rest():
    rule = Decontamination(policy="cut")
    text = f"{FILLER}\n{unicodedata.normalize('NFD', LONG.upper())}. {FILLER}"
    outcomes, report = run([text, LONG, FILLER], rule=rule)
    left = outcomes[0].document
    assert left is not None and left.text == f"{FILLER}\n{FILLER}" and outcomes[0].cut
    assert outcomes[1].document is None and not outcomes[1].cut
    assert outcomes[2].document is not None and not outcomes[2].cut
    hits = report.corpus[0]
    assert (hits.n_documents_cut, hits.n_documents_dropped) == (1, 1)
    kept = sum(len(o.document.text.encode()) for o in outcomes if o.document)
    assert hits.n_bytes_kept == kept and hits.n_bytes_removed == sum(
        o.n_bytes_removed for o in outcomes
    )


def test_reporting_finds_the_same_and_keeps_every_byte():
    texts = [inside(LONG), FILLER, inside(MIDDLE)]
    outcomes, report = run(texts, rule=Decontamination(policy="report"))
    dropped, other = run(texts)
    assert [o.document.text for o in outcomes if o.document] == texts
    assert [o.items for o in outcomes] == [o.items for o in dropped]
    assert (report.items, report.tasks) == (other.items, other.tasks)
    hits = report.corpus[0]
    assert hits.n_documents_dropped == hits.n_documents_cut == hits.n_bytes_removed == 0


def test_spans():
    text = "  E\u0301n «to», tre-fire"
    assert word_spans(text) == [(2, 5), (6, 11), (12, 20), (12, 20)]
    # U+00A8 normalises to a space and a mark: the words of this text cannot be placed.
    assert word_spans("a\u00a8b") is None or word_spans("a\u00a8b") == [(0, 3), (0, 3)]
    assert joined([(5, 7), (0, 2), (1, 3)]) == [(0, 3), (5, 7)]
    assert without("abc def ghi", [(4, 7)]) == "abc\nghi"


def test_one_item_named_twice_has_all_strings():
    index = ItemIndex([item("a", LONG), item("a", MIDDLE), item("b", MIDDLE)], RULE)
    assert len(index.items) == 2
    assert {len(index.owners(gram)) for gram in index.grams(0)} == {1, 2}
    assert run([inside(MIDDLE)], [item("a", LONG), item("a", MIDDLE)])[1].items[0].item_id == "a"


def test_parts_add_up():
    texts = [inside(LONG), FILLER, inside(MIDDLE), inside(WHOLE)] * 3
    docs, index = documents(texts), ItemIndex(ITEMS, RULE)
    whole = count(docs, index)
    halves = [count(part, index) for part in (docs[:5], docs[5:])]
    assert np.array_equal(halves[0].documents + halves[1].documents, whole.documents)
    assert halves[0].flags + halves[1].flags == whole.flags
    work = Decontaminator(index, whole.documents)
    one, two, both = Tally("da"), Tally("da"), Tally("da")
    list(work.apply(docs[:5], one))
    list(work.apply(docs[5:], two))
    list(work.apply(docs, both))
    two.add(one)
    assert work.report([two]) == work.report([both])


def test_long_texts_are_searched_in_blocks(monkeypatch):
    texts = [inside(LONG), inside(MIDDLE), FILLER, inside(f"{WHOLE} {WHOLE}")]
    hashed, one = hash_texts(texts), ItemIndex(ITEMS, RULE)
    whole = one.match(hashed)
    monkeypatch.setattr(index_module, "_BLOCK_WORDS", 7)
    blocks = one.match(hashed)
    pairs = [sorted(zip(m.grams.tolist(), m.words.tolist(), strict=True)) for m in (whole, blocks)]
    assert pairs[0] == pairs[1] and len(pairs[0]) > 6


def test_nothing_to_look_for_finds_nothing():
    outcomes, report = run([FILLER, ""], [item("empty", "…")])
    assert all(o.document is not None for o in outcomes) and report.items == ()


def test_rules_and_reports_are_checked():
    with pytest.raises(UserInputError, match="order them"):
        Decontamination.check({"min_words": 9}, "rule")
    row = dict.fromkeys(CorpusHits.model_fields, 0) | {"language": "da", "n_documents_read": 2}
    with pytest.raises(UserInputError, match="are not those read"):
        CorpusHits.check(row, "report")


def write(path, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def test_layouts_are_read(tmp_path):
    base = {"id": "1", "key": "k"}
    write(tmp_path / "i/pairs/da.jsonl", base | {"phenomenon": "p", "good": "a", "bad": "b"})
    write(
        tmp_path / "i/cloze/de.jsonl", base | {"context": "c", "choices": [" d", " e"], "answer": 0}
    )
    write(tmp_path / "i/text/nb.jsonl.gz", base | {"text": "t"})
    assert [(i.task, i.strings) for i in sources.skald_items(tmp_path / "i")] == [
        ("skald_core_pairs_dan_Latn", ("a", "b")),
        ("skald_core_cloze_deu_Latn", ("c d", "c e")),
        ("skald_core_text_nob_Latn", ("t",)),
    ]
    write(
        tmp_path / "p/fo.jsonl.gz",
        {"good": "g", "bad": "b", "type": "swap", "source_id": "s/1", "license": "x"},
    )
    assert sources.pair_files(tmp_path / "p") == [
        ReferenceItem(
            task="skald_ud_swap_fao_Latn", item_id="swap/s/1", language="fo", strings=("g", "b")
        )
    ]
    write(tmp_path / "s/da.jsonl.gz", {"text": "x", "id": "s/correct"})
    found = sources.sentence_files(tmp_path / "s", "scala", sources.row_id)
    assert [(i.task, i.item_id) for i in found] == [("scala_dan_Latn", "s/correct")]
    path = write(tmp_path / "list.jsonl", ITEMS[0].model_dump())
    assert sources.listed_items(path) == [ITEMS[0]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "not JSON"),
        (b"[1]", "not a JSON object"),
        (b'{"good": "a", "type": "swap", "source_id": "s"}', "no `bad`"),
        (b"\xff", "not UTF-8"),
        (b"\n", "no evaluation items"),
    ],
)
def test_bad_items_are_named(tmp_path, content, message):
    (tmp_path / "da.jsonl").write_bytes(content)
    with pytest.raises(UserInputError, match=message) as error:
        sources.pair_files(tmp_path)
    assert "\n" not in str(error.value)
    (tmp_path / "da.jsonl").rename(tmp_path / "xx.jsonl")
    with pytest.raises(UserInputError):
        sources.pair_files(tmp_path)


def test_documents_keep_their_other_fields():
    docs = [Document(id="a", text=inside(LONG), key="k")]
    index = ItemIndex(ITEMS, Decontamination(policy="cut"))
    work = Decontaminator(index, count(docs, index).documents)
    left = next(work.apply(docs, Tally("da"))).document
    assert left is not None and (left.id, left.key) == ("a", "k")
