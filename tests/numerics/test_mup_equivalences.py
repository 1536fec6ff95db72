"""Parametrisations that must train alike do so to the last bit; those that must not, do not."""

from __future__ import annotations

import pytest
import torch
from skald_mup.coordinates import Study, built, fixed_batch
from skald_mup.shrink import widened
from skald_mup.tables import MUP, SAME, Power, RuleTable
from skald_specs.parametrisation import Parametrisation
from skald_specs.shape import ModelShape
from support_planner import recipe
from torch.nn import functional as F

FAMILY = recipe("mup-transfer")
#: TP-V's Table 3: no multiplier, the readout's 1/m in its own standard deviation and learning rate.
#: Its gradient is m times that of Table 8, so an eps that follows it stays as it is.
TABLE_3 = MUP.changed(output_mult=SAME).changed(
    ("lm_head",), init_std=Power(fan_in=-1), lr=Power(fan_in=-1), eps=SAME
)


def asked(rules: str = "mup", **changes: object) -> Parametrisation:
    alpha = 1.0 if rules == "completep" else None
    update = {"rules": rules, "depth_alpha": alpha, "weight_decay": 1e-3, **changes}
    return Parametrisation.model_validate(FAMILY.parametrisation.model_dump() | update)


def trajectory(
    shape: ModelShape, given: Parametrisation, table: RuleTable | None = None, n_steps: int = 8
) -> tuple[list[float], dict[str, torch.Tensor]]:
    """Train without clipping; return losses and final weights."""
    torch.set_num_threads(1)
    decoder, optimizer = built(shape, Study(given, 2.0**-6, table=table), seed=3)
    ids_BT, losses = fixed_batch(shape, 3), []
    for _ in range(n_steps):
        logits_BTV = decoder(ids_BT[:, :-1])
        loss = F.cross_entropy(logits_BTV.flatten(0, 1), ids_BT[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, decoder.state_dict()


@pytest.mark.parametrize("rules", ["mup", "completep", "sp_per_layer"])
def test_at_the_base_every_table_trains_as_standard_parametrisation(rules: str) -> None:
    losses, weights = trajectory(FAMILY.model, asked(rules))
    plain_losses, plain_weights = trajectory(FAMILY.model, asked("sp"))
    assert losses == plain_losses
    assert all(torch.equal(weights[name], plain_weights[name]) for name in weights)
    wide = widened(FAMILY.model, 64)
    assert trajectory(wide, asked(rules))[0] != trajectory(wide, asked("sp"))[0]


@pytest.mark.parametrize("width", [16, 64, 128])
@pytest.mark.parametrize("eps", [1e-12, 1e-6])
def test_table_3_and_table_8_are_one_parametrisation(width: int, eps: float) -> None:
    """Ratios are powers of two, so scaling rounds nothing; eps is large enough to matter once."""
    shape, given = widened(FAMILY.model, width), asked(eps=eps)
    eighth, third = trajectory(shape, given), trajectory(shape, given, TABLE_3)
    assert eighth[0] == third[0]
    m = width / FAMILY.model.d_model
    assert torch.equal(eighth[1]["head.linear.weight"], third[1]["head.linear.weight"] * m)


def test_an_eps_that_does_not_follow_the_gradient_tells_the_tables_apart() -> None:
    shape, unscaled = widened(FAMILY.model, 128), TABLE_3.changed(("lm_head",), eps=Power(width=-1))
    given = asked(eps=1e-6)
    assert trajectory(shape, given)[0] != trajectory(shape, given, unscaled)[0]
