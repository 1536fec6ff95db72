"""A window of several texts under the mask is those texts, each alone."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skald_mup.model import Decoder, document_mask
from skald_specs.corpus import END_OF_TEXT_ID
from skald_specs.plan import Multipliers
from skald_specs.shape import ModelShape
from torch.nn import functional as F

SHAPE = ModelShape(
    d_model=32, n_layers=2, d_head=8, n_heads=4, n_kv_heads=2, d_ff=48, vocab_size=64, seq_len=64,
    qk_norm=True,
)  # fmt: skip
MULTIPLIERS = Multipliers(emb_mult=1.0, attn_scale=0.3, residual_mult=0.7, output_mult=2.0)
#: Rounding of fp32 through two layers; logits are of order 1.
SAME = 2e-5

texts = st.lists(st.integers(1, 63), min_size=1, max_size=20)
windows = st.lists(texts, min_size=2, max_size=4)


def decoder(mask_documents: bool) -> Decoder:
    torch.manual_seed(1)
    made = Decoder(SHAPE, MULTIPLIERS, mask_documents=mask_documents)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, 1.0 if parameter.ndim == 1 else 0.0, 0.3)
    return made


def opened(text: list[int]) -> torch.Tensor:
    """Return a text as a window holds it, after the token that opens it: (1, T)."""
    return torch.tensor([[END_OF_TEXT_ID, *text]])


def test_a_token_sees_its_own_text_back_to_the_token_that_opens_it() -> None:
    ids_BT = torch.tensor([[5, 6, END_OF_TEXT_ID, 7, END_OF_TEXT_ID, END_OF_TEXT_ID]])
    assert document_mask(ids_BT)[0, 0].int().tolist() == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [0, 0, 1, 0, 0, 0],
        [0, 0, 1, 1, 0, 0],
        [0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 1],
    ]


@settings(max_examples=30, deadline=None)
@given(window=windows)
def test_every_text_of_a_window_gets_the_logits_it_gets_alone(window: list[list[int]]) -> None:
    """Positions run on through the window; alone, each text starts at position 0."""
    masked, plain = decoder(True), decoder(False)
    packed_BT = torch.cat([opened(text) for text in window], dim=1)
    with torch.inference_mode():
        alone_BTV = torch.cat([plain(opened(text)) for text in window], dim=1)
        torch.testing.assert_close(masked(packed_BT), alone_BTV, rtol=0, atol=SAME)
        assert (plain(packed_BT) - alone_BTV).abs().max() > 100 * SAME


@settings(max_examples=20, deadline=None)
@given(first=texts, other=texts, second=texts)
def test_what_came_before_a_text_does_not_matter(
    first: list[int], other: list[int], second: list[int]
) -> None:
    masked, n = decoder(True), len(second) + 1
    with torch.inference_mode():
        after_first_BTV, after_other_BTV = (
            masked(torch.cat([opened(before), opened(second)], dim=1))[:, -n:]
            for before in (first, other)
        )
    torch.testing.assert_close(after_first_BTV, after_other_BTV, rtol=0, atol=SAME)


def test_a_single_text_is_not_changed_by_the_mask() -> None:
    ids_BT = opened([3, 9, 27, 3, 9])
    with torch.inference_mode():
        torch.testing.assert_close(decoder(True)(ids_BT), decoder(False)(ids_BT), rtol=0, atol=SAME)


def test_a_window_trains_as_its_texts_do_alone() -> None:
    window = [[4, 8, 15], [16, 23, 42, 4], [8, 15]]
    targets = torch.tensor([t for text in window for t in [*text, END_OF_TEXT_ID]])
    packed_BT = torch.cat([opened(text) for text in window], dim=1)

    def gradients(mask_documents: bool, pieces: list[torch.Tensor]) -> list[torch.Tensor]:
        model = decoder(mask_documents)
        logits_BTV = torch.cat([model(piece) for piece in pieces], dim=1)
        F.cross_entropy(logits_BTV[0], targets).backward()
        return [parameter.grad for parameter in model.parameters() if parameter.grad is not None]

    packed = gradients(True, [packed_BT])
    alone = gradients(False, [opened(text) for text in window])
    unmasked = gradients(False, [packed_BT])
    assert len(packed) == len(alone) == len(list(decoder(True).parameters()))
    for ours, expected in zip(packed, alone, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-6)
    assert any(
        (a - b).abs().max() > 0.01 * b.abs().max() for a, b in zip(unmasked, alone, strict=True)
    )
