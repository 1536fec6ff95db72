"""What is kept depends on the documents alone: not on order, division, workers or chunk sizes."""

import random
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skald_corpus.dedup import exact, minhash
from skald_corpus.dedup.clusters import Forest
from skald_specs.corpus import Document
from skald_specs.dedup import NearDuplicates
from support_dedup import made_up, near_copy, write_part

RULES = (NearDuplicates(), NearDuplicates(verify_jaccard=0.75), NearDuplicates(bands=4, rows=2))


def collection(seed: int, n: int = 40) -> list[Document]:
    """Families of near-copies at many similarities, some of them exact, ids at random."""
    rng = random.Random(seed)
    texts: list[str] = []
    while len(texts) < n:
        text = made_up(rng, rng.randrange(1, 60))
        texts.append(text)
        for _ in range(rng.choice((0, 0, 1, 3))):
            texts.append(near_copy(rng, rng.choice(texts[-3:]), rng.uniform(0.5, 1)))
    return [Document(id=f"{rng.randrange(10**9):x}-{i}", text=t) for i, t in enumerate(texts)]


def outcome(parts: list[list[Document]], rule: NearDuplicates | None) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / str(i) for i in range(len(parts))]
        for path, part in zip(paths, parts, strict=True):
            if rule is None:
                exact.write_part(part, path)
            else:
                minhash.write_part(part, path, rule)
        opened = exact.exact_clusters(paths) if rule is None else minhash.near_clusters(paths, rule)
        with opened as found:
            verdicts = list(found.verdicts())
            assert [v.id for v in verdicts] == [d.id for part in parts for d in part]
            assert found.n_kept == sum(v.kept for v in verdicts)
            assert sum(size * n for size, n in found.sizes().items()) == len(verdicts)
    return {v.id: (v.kept, v.kept_id, v.cluster_size) for v in verdicts}


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.randoms(use_true_random=False), st.sampled_from((None, *RULES)))
def test_order_and_division_change_nothing(seed, rng, rule):
    docs = collection(seed)
    expected = outcome([docs], rule)
    shuffled = list(docs)
    rng.shuffle(shuffled)
    cuts = sorted(rng.randrange(len(docs) + 1) for _ in range(rng.randrange(4)))
    parts = [shuffled[a:b] for a, b in zip([0, *cuts], [*cuts, len(docs)], strict=True)]
    assert outcome(parts, rule) == expected
    for verdict_id, (kept, kept_id, size) in expected.items():
        members = [i for i, other in expected.items() if other[1] == kept_id]
        assert len(members) == size and kept_id == min(members) and kept == (verdict_id == kept_id)


@pytest.mark.parallel
def test_workers_change_nothing(tmp_path):
    docs, rule, workers = collection(11, 90), RULES[0], 3
    expected = outcome([docs], rule)
    pairs = [(d.id, d.text) for d in docs]
    jobs = [(pairs[i::workers], tmp_path / str(i), rule) for i in range(workers)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        list(pool.map(write_part, jobs))
    with minhash.near_clusters([job[1] for job in jobs], rule) as found:
        got = {v.id: (v.kept, v.kept_id, v.cluster_size) for v in found.verdicts()}
    assert got == expected


@settings(deadline=None)
@given(st.integers(1, 60), st.lists(st.tuples(st.integers(0, 59), st.integers(0, 59))))
def test_the_forest_finds_components(n, edges):
    edges = [(a % n, b % n) for a, b in edges]
    forest = Forest(n)
    for chunk in (edges[: len(edges) // 2], edges[len(edges) // 2 :]):
        one, other = (np.array([e[k] for e in chunk], dtype=np.uint32) for k in (0, 1))
        forest.join(one, other)
    forest.flatten()
    label = list(range(n))
    for _ in range(n):
        for a, b in edges:
            label[a] = label[b] = min(label[a], label[b])
    assert forest.parent.tolist() == label


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=40), max_size=12))
def test_any_text_is_judged(texts):
    docs = [Document(id=str(i), text=text) for i, text in enumerate(texts)]
    for rule in (None, RULES[0]):
        got = outcome([docs], rule)
        assert len(got) == len(docs)
