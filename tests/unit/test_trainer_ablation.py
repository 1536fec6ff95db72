"""Scoring texts: the sum of single predictions, whatever the batch and however long the text."""

from __future__ import annotations

import math

import pytest
import torch
from skald_mup.init import initial_tensor
from skald_mup.model import Decoder
from skald_mup.names import tensor_shapes
from skald_specs.corpus import END_OF_TEXT_ID
from skald_trainer.ablation import text_bits
from support_trainer import VOCAB, tiny_corpus, tiny_plan


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Decoder:
    identity = tiny_plan(tiny_corpus(tmp_path_factory.mktemp("corpus"))).identity
    model = Decoder(identity.model, identity.multipliers)
    model.load_weights(
        {name: initial_tensor(identity, name) for name in tensor_shapes(identity.model)}
    )
    return model


def one_by_one(decoder: Decoder, ids: list[int], seq_len: int) -> float:
    """Predict each token alone from the window before it."""
    seen, bits = [END_OF_TEXT_ID, *ids], 0.0
    for at, token in enumerate(ids):
        window = seen[at - at % seq_len : at + 1]
        logits = decoder(torch.tensor([window]))[0, -1].double()
        bits -= float(torch.log_softmax(logits, -1)[token]) / math.log(2)
    return bits


def test_texts_of_any_length_are_scored_token_by_token(decoder: Decoder) -> None:
    generator = torch.Generator().manual_seed(1)
    texts = [
        torch.randint(1, VOCAB, (n,), generator=generator).tolist() for n in (1, 5, 16, 17, 40, 3)
    ]
    with torch.inference_mode():
        expected = [one_by_one(decoder, ids, 16) for ids in texts]
    found = text_bits(decoder, texts, 16)
    assert found == pytest.approx(expected, rel=1e-5)
    assert text_bits(decoder, texts[::-1], 16) == pytest.approx(found[::-1], rel=1e-6)
    assert text_bits(decoder, [texts[1] * 2000], 16)[0] > 1000 * found[1]
