"""Real text: planted near-copies and items are found, order does not matter, nothing is lost."""

import random
import unicodedata

import pytest
from skald_corpus.decontaminate import sources
from skald_corpus.decontaminate.index import ItemIndex
from skald_corpus.decontaminate.scan import Decontaminator, Tally, count
from skald_corpus.dedup import exact, minhash
from skald_corpus.words import words
from skald_specs.corpus import Document
from skald_specs.decontamination import Decontamination
from skald_specs.dedup import NearDuplicates
from support import REAL_TEXT
from support_dedup import near_copy, sentences, similarity

pytestmark = [
    pytest.mark.real_text,
    pytest.mark.skipif(not REAL_TEXT.is_dir(), reason="no real text at $SKALD_REAL_TEXT"),
]
RULE, VERIFIED = NearDuplicates(), NearDuplicates(verify_jaccard=0.72)


def pages(tag, n=12):
    texts = sentences(tag)
    return ["\n".join(texts[i : i + n]) for i in range(0, len(texts), n)]


@pytest.mark.parametrize("tag", ["fo", "is"])
def test_near_copies_are_found_where_the_rule_can_decide(tag, tmp_path):
    rng, docs, found, similar = random.Random(tag), [], {}, {}
    for i, page in enumerate(pages(tag)):
        docs.append(Document(id=f"{i:05}", text=page))
        if len(words(page)) >= 100:
            copy = near_copy(rng, page, rng.choice((0.4, 0.5, 0.9, 0.95)))
            docs.append(Document(id=f"{i:05}-copy", text=copy))
            similar[f"{i:05}-copy"] = similarity(page, copy)
    rng.shuffle(docs)
    for name, rule in (("plain", RULE), ("verified", VERIFIED)):
        minhash.write_part(docs, tmp_path / name, rule)
        with minhash.near_clusters([tmp_path / name], rule) as clusters:
            verdicts = list(clusters.verdicts())
        found = {v.id: v.kept_id == v.id.removesuffix("-copy") for v in verdicts}
        high = [found[key] for key, value in similar.items() if value >= 0.85]
        low = [found[key] for key, value in similar.items() if value <= 0.5]
        assert len(high) > 20 and len(low) > 20
        assert sum(high) / len(high) >= 0.98
        assert sum(high) / (sum(high) + sum(low)) >= 0.95
        assert all(v.kept_id[:5] == v.id[:5] for v in verdicts), "unlike documents were joined"
        assert sum(v.kept for v in verdicts) + sum(not v.kept for v in verdicts) == len(docs)
        assert name == "plain" or not any(low)


def test_sentences_lose_repeats_only(tmp_path):
    docs = [Document(id=f"{i:06}", text=t) for i, t in enumerate(sentences("en"))]
    exact.write_part(docs, tmp_path / "exact")
    with exact.exact_clusters([tmp_path / "exact"]) as clusters:
        for verdict in clusters.verdicts():
            if not verdict.kept:
                assert words(docs[int(verdict.id)].text) == words(docs[int(verdict.kept_id)].text)
        removed = clusters.n_documents - clusters.n_kept
    assert 0 < removed < len(docs) / 20


FORMS = {
    "NFD": lambda text: unicodedata.normalize("NFD", text),
    "quotes": lambda text: text.replace('"', "»").replace("'", "’").replace("-", "–"),
    "upper case": str.upper,
}


@pytest.mark.parametrize("form", FORMS)
def test_planted_items_are_found_and_others_are_not(form):
    tag, rng = "nb", random.Random(form)
    items = [i for i in sources.pair_files(REAL_TEXT / "pairs") if i.language == tag]
    docs, planted = [], {}
    for i, page in enumerate(pages(tag)):
        if i % 5 == 0:
            item = rng.choice(items)
            page = f"{page}\n{FORMS[form](rng.choice(item.strings))}"
            planted[f"{i:05}"] = item.item_id
        docs.append(Document(id=f"{i:05}", text=page))
    index = ItemIndex(items, Decontamination())
    counts, tally = count(docs, index), Tally(tag)
    work = Decontaminator(index, counts.documents)
    outcomes = list(work.apply(docs, tally, counts.flags))
    hit = {o.id: {item for _, item in o.items} for o in outcomes if o.items}
    good = sum(item in hit.get(name, ()) for name, item in planted.items())
    assert good / len(planted) >= 0.98
    assert good / len(hit) >= 0.95
    row = work.report([tally]).corpus[0]
    assert row.n_documents_kept + row.n_documents_dropped == len(docs) == len(outcomes)
    assert row.n_bytes_read == sum(len(d.text.encode()) for d in docs)
