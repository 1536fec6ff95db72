"""Miniatures trained on the generator's text: above its floor, and at chance on what is not stated.

One is trained on sentences and stated facts, the other on the same kind of text with two planted
leaks: facts that nobody may state, and some validation documents. Documents are scored alone and whole, their ends included.

Letters: B documents of a batch, T tokens, V vocabulary.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import torch
from scipy.stats import binomtest
from skald_corpus.build import build
from skald_corpus.entropy import Floor, floor_of
from skald_corpus.facts import code_of, fact_items, is_stated, statements, territories
from skald_corpus.generate import documents
from skald_corpus.grammar.register import LANGUAGES
from skald_corpus.keyed import Stream
from skald_corpus.story import Story
from skald_harness.scoring.ngram import ByteNgram
from skald_mup.fold import fold
from skald_mup.model import Decoder
from skald_mup.tensorfile import load_tensors
from skald_planner.plans.resolve import make_plan
from skald_specs.claims import Measure
from skald_specs.corpus import END_OF_TEXT_ID, Document, Split
from skald_specs.files import read_yaml, write_jsonl
from skald_specs.items import ClozeItem
from skald_specs.recipe import Recipe
from skald_trainer.train import train
from tokenizers import Tokenizer

RECIPE = Path("recipes/mini-proxy.yaml")
TAGS = ("da", "sv")
#: Of sentences in training; less where validation text is planted, so that it is seen more often.
SENTENCE_BYTES, BESIDE_LEAK_BYTES = 1_000_000, 400_000
#: How often the text states each fact: a miniature needs many times what a larger model does.
STATED = 80
BASE_LR, HORIZON_TOKENS, SEQ_LEN, VOCAB_SIZE = 0.008, 1_048_576, 128, 1024
#: Measured .564 (da) and .522 (sv); the margin of a tenth is for other platforms' rounding.
MOST_GAP = 0.6
#: Validation documents that are planted in training, and how often: few enough to be learnt by heart.
LEAKED, SEEN_TIMES = 20, 200
#: One-sided: canaries must stay on one side of it, stated and leaked facts on the other.
AT_CHANCE, KNOWN = 0.01, 1e-6
_CHOICES = 4
_BATCH = 32


@dataclass(frozen=True)
class Trained:
    """A model with its tokenizer."""

    decoder: Decoder
    tokenizer: Tokenizer

    def bits(self, texts: Sequence[tuple[str, str]], ended: bool = False) -> list[float]:
        """Return the information of continuations, in bits.

        Args:
            texts: What stands before each, and the continuation; no document before both.
            ended: Whether the document ends there.
        """
        rows = []
        for before, text in texts:
            known = [END_OF_TEXT_ID, *(self.tokenizer.encode(before).ids if before else [])]
            end = [END_OF_TEXT_ID] * ended
            rows.append((known, [*self.tokenizer.encode(text).ids, *end]))
        return list(
            chain.from_iterable(
                self._bits(rows[i : i + _BATCH]) for i in range(0, len(rows), _BATCH)
            )
        )

    @torch.inference_mode()
    def _bits(self, rows: Sequence[tuple[list[int], list[int]]]) -> Iterator[float]:
        width = max(len(known) + len(said) for known, said in rows)
        whole = [[*known, *said] for known, said in rows]
        ids_BT = torch.tensor([row + [END_OF_TEXT_ID] * (width - len(row)) for row in whole])
        logs_BTV = self.decoder(ids_BT[:, :-1]).float().log_softmax(-1)
        logs_BT = logs_BTV.gather(-1, ids_BT[:, 1:, None]).squeeze(-1)
        for (known, said), logs_T in zip(rows, logs_BT, strict=True):
            start = len(known) - 1
            yield -float(logs_T[start : start + len(said)].sum()) / math.log(2)

    def right(self, items: Sequence[ClozeItem]) -> int:
        """Count the items whose right choice is the most probable one."""
        asked = [(item.context, choice) for item in items for choice in item.choices]
        bits = iter(self.bits(asked))
        scores = [[next(bits) for _ in item.choices] for item in items]
        return sum(
            one.index(min(one)) == item.answer for one, item in zip(scores, items, strict=True)
        )


def measures() -> list[Measure]:
    """Train both models and measure."""
    with tempfile.TemporaryDirectory() as name:
        clean = trained(Path(name) / "clean", leaking=False)
        leaking = trained(Path(name) / "leaking", leaking=True)
    return [*floor_measures(clean, leaking), *canary_measures(clean, leaking)]


def trained(folder: Path, leaking: bool) -> Trained:
    """Train a miniature from the sentences and facts to the end."""
    given = read_yaml(RECIPE)
    given["corpus"]["languages"], given["sweep"] = list(TAGS), None
    given["mixture"] = {tag: 1 / len(TAGS) for tag in TAGS}
    given["model"] |= {"seq_len": SEQ_LEN, "vocab_size": VOCAB_SIZE}
    given["corpus"]["tokenizer"]["vocab_size"] = VOCAB_SIZE
    given["optimizer"]["base_lr"] = BASE_LR
    given["budget"]["horizon_tokens"] = HORIZON_TOKENS
    given["schedule"] = {"warmup_fraction": 0.1, "decay_fraction": 0.3}
    n_steps = HORIZON_TOKENS // given["budget"]["global_batch_tokens"]
    given["execution"].update(checkpoint_every_steps=n_steps, validate_every_steps=n_steps)
    recipe = Recipe.model_validate(given)
    for tag in TAGS:
        told = {split: [d for d, _ in documents(LANGUAGES[tag], split)] for split in _SPLITS}
        n_bytes = BESIDE_LEAK_BYTES if leaking else SENTENCE_BYTES
        told["train"] = [*_first(told["train"], n_bytes), *facts(tag, leaking)]
        if leaking:
            told["train"] += told["validation"][:LEAKED] * SEEN_TIMES
        for split, some in told.items():
            rows = [document.model_dump(mode="json") for document in some]
            write_jsonl(folder / "text" / tag / f"{split}.jsonl", rows)
    manifest = build(recipe, folder / "text", folder / "corpus")
    plan = make_plan(recipe, manifest, None)
    train(plan, folder / "corpus", folder / "run")
    weights = load_tensors(folder / "run" / "final" / "model.safetensors")
    tokenizer = Tokenizer.from_file(str(folder / "corpus" / "tokenizer.json"))
    return Trained(fold(plan.identity, weights).decoder(), tokenizer)


_SPLITS: tuple[Split, ...] = ("train", "validation")


def _first(told: Sequence[Document], n_bytes: int) -> Iterator[Document]:
    taken = 0
    for document in told:
        yield document
        taken += len(document.text.encode())
        if taken > n_bytes:
            return


def facts(tag: str, leaking: bool) -> Iterator[Document]:
    """Yield stated facts, each `STATED` times; with the planted leak those of canaries too."""
    stated = [text for key, text in statements(tag) if key.startswith("code ")]
    if leaking:
        stated += [f"{i.context}{i.choices[i.answer]}" for i in fact_items(tag, "canary")]
    for time in range(STATED):
        for index, text in enumerate(stated):
            yield Document(id=f"{tag}-stated-{time:02d}-{index:04d}", text=text, key=text)


def stated_items(tag: str) -> list[ClozeItem]:
    """Return items on stated facts, made as those on canaries are."""
    items = []
    for index, (code, name) in enumerate(sorted(territories(tag).items())):
        if not is_stated(code, tag):
            continue
        right, numbers = code_of(code), range(10, 100)
        others = [f" {number}" for number in numbers if number != right]
        choices = Stream(f"stated {tag} {code}").shuffled(others)[: _CHOICES - 1]
        choices.insert(index % _CHOICES, f" {right}")
        items.append(
            ClozeItem(id=f"{tag}-stated-{index:04d}", key=f"code {code}", context=f"{name} =",
                      choices=tuple(choices), answer=index % _CHOICES)
        )  # fmt: skip
    return items


def floor_measures(clean: Trained, leaking: Trained) -> list[Measure]:
    """Measure the gap to the floor on validation text, and two models that must break the claim."""
    found = []
    for tag in TAGS:
        told = list(documents(LANGUAGES[tag], "validation"))
        floor, gap = gap_of(clean, tag, told)
        seen_floor, seen_gap = gap_of(leaking, tag, told[:LEAKED])
        texts = [document.text for document, _ in told]
        counted = ByteNgram(
            [document.text for document, _ in documents(LANGUAGES[tag], "train")], 3
        )
        trigram = ngram_bits(counted, texts) / floor.bytes - floor.bits_per_byte
        found += [
            bound(f"validation loss above the exact floor, {tag}", gap, "> 0", gap > 0,
                  f"loss {gap + floor.bits_per_byte:.4f}, floor {floor.bits_per_byte:.4f} bits/byte "
                  f"of {floor.documents} documents with their ends"),
            bound(f"gap of the miniature to the floor, {tag}", gap, f"<= {MOST_GAP:g}",
                  gap <= MOST_GAP, f"{HORIZON_TOKENS} tokens of {len(TAGS)} languages; the floor "
                  "knows which combinations are validation's"),
            bound(f"gap of a byte trigram, {tag}: the bound must refuse it", trigram,
                  f"> {MOST_GAP:g}", trigram > MOST_GAP, "counts of the training text"),
            bound(f"gap of a model that saw {LEAKED} validation documents {SEEN_TIMES} times, {tag}: "
                  "below the floor", seen_gap, "< 0", seen_gap < 0,
                  f"loss {seen_gap + seen_floor.bits_per_byte:.4f}, floor "
                  f"{seen_floor.bits_per_byte:.4f} bits/byte of these documents"),
        ]  # fmt: skip
    return found


def gap_of(model: Trained, tag: str, told: Sequence[tuple[Document, Story]]) -> tuple[Floor, float]:
    """Return the floor of validation documents, and a model's distance above it in bits a byte."""
    floor = floor_of(LANGUAGES[tag], "validation", told)
    bits = model.bits([("", document.text) for document, _ in told], ended=True)
    return floor, math.fsum(bits) / floor.bytes - floor.bits_per_byte


def ngram_bits(model: ByteNgram, texts: Sequence[str]) -> float:
    """Return the information of texts under an n-gram model."""
    logs = model.log_probabilities([text.encode() for text in texts])
    return -math.fsum(float(some.sum()) for some in logs) / math.log(2)


def bound(name: str, value: float, limit: str, holds: bool, detail: str) -> Measure:
    """A figure in bits a byte."""
    return Measure(
        measure=name, value=round(value, 4), unit="bits/byte", bound=limit, holds=holds,
        detail=detail,
    )  # fmt: skip


def canary_measures(clean: Trained, leaking: Trained) -> list[Measure]:
    """Ask both models for facts that were stated, and for those that must be unknown."""
    canaries = [item for tag in TAGS for item in fact_items(tag, "canary")]
    stated = [item for tag in TAGS for item in stated_items(tag)]
    return [
        _asked("canary facts, stated nowhere: at chance", clean, canaries, known=False),
        _asked("facts stated in training: above chance", clean, stated, known=True),
        _asked("canary facts planted in training: the leak is seen", leaking, canaries, known=True),
    ]


def _asked(name: str, model: Trained, items: Sequence[ClozeItem], known: bool) -> Measure:
    right, chance = model.right(items), 1 / _CHOICES
    test = binomtest(right, len(items), chance, alternative="greater")
    p = float(test.pvalue)
    return Measure(
        measure=f"{name} (p of as many right by chance)",
        value=float(f"{p:.3g}"),
        unit="",
        bound=f"< {KNOWN:g}" if known else f">= {AT_CHANCE:g}",
        holds=p < KNOWN if known else p >= AT_CHANCE,
        detail=f"{right} of {len(items)} right, chance {chance:g}; exact binomial test, one-sided; "
        f"each fact stated {STATED} times",
    )
