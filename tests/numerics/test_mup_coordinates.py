"""The coordinate check accepts what is right, refuses standard parametrisation, catches mutants."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skald_mup.coordcheck import bearable_lr, check_depths, check_widths
from skald_mup.coordinates import Study, built, fixed_batch
from skald_mup.mutants import MUTANTS, Mutant
from skald_mup.names import tensor_kind
from skald_mup.shrink import widened, width_family
from skald_mup.tables import HIDDEN, MUP, SAME, table_of
from skald_specs.parametrisation import Parametrisation
from support_planner import recipe
from torch.nn import functional as F

FAMILY = recipe("mup-transfer")
SHAPE = FAMILY.model


def asked(rules: str = "mup", **changes: object) -> Parametrisation:
    alpha = 1.0 if rules == "completep" else None
    update = {"rules": rules, "depth_alpha": alpha, **changes}
    return Parametrisation.model_validate(FAMILY.parametrisation.model_dump() | update)


def value(check, moment, quantity):
    return next(s.value for s in check.slopes if (s.moment, s.quantity) == (moment, quantity))


@pytest.mark.parametrize("rules", ["mup", "completep", "sp_per_layer"])
def test_correct_rules_hold(rules: str) -> None:
    check = check_widths(SHAPE, asked(rules))
    assert check.holds, [s for s in check.slopes if not s.holds]


def test_standard_parametrisation_is_refused() -> None:
    """The negative control: without it a check that says yes to everything would pass."""
    check = check_widths(SHAPE, asked("sp"))
    assert not check.holds
    assert value(check, "change", "residual") >= 0.5


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
def test_every_visible_mutant_is_caught(mutant: Mutant) -> None:
    """The last one is invisible to slopes, which is why a unit test holds its formula."""
    check = check_widths(
        SHAPE, asked(), seeds=(1, 2), scale_heads=not mutant.visible, table=mutant.table
    )
    assert check.holds != mutant.visible


@pytest.mark.parametrize("name", ["trustllm-7.8b", "mini-proxy"])
def test_shipped_recipes_hold_and_say_what_was_shrunk(name: str) -> None:
    given = recipe(name)
    lr = given.optimizer.base_lr
    check = check_widths(given.model, given.parametrisation, None if lr == "sweep" else lr)
    assert check.holds, [s for s in check.slopes if not s.holds]
    assert any(note.startswith("vocab_size") for note in check.notes)
    assert any(note.startswith("base_lr") for note in check.notes)


def test_the_rate_it_checks_at_follows_the_narrowest_width() -> None:
    """Whichever widths are asked for, the narrowest learns as fast as it bears and no faster."""
    given = asked()
    rates = [bearable_lr(widened(SHAPE, width), given, None) for width in (32, 64, 128)]
    assert rates == [2.0**-6] * 3, "under muP one base rate serves all widths"
    plain = [bearable_lr(widened(SHAPE, width), asked("sp"), None) for width in (32, 64, 128)]
    assert plain == [2.0**-6, 2.0**-7, 2.0**-8]
    assert bearable_lr(SHAPE, given, 1e-4) == 1e-4
    assert check_widths(SHAPE, given, widths=(64, 128, 256, 512)).holds


def test_legitimate_exceptions_are_known() -> None:
    """A zero readout has no logits to compare at first; 1/d_head makes attention logits decay."""
    silent = check_widths(SHAPE, asked(output_std=0.0))
    assert silent.holds
    assert value(silent, "initial", "output_logits") == 0
    heads = check_widths(SHAPE, asked(), scale_heads=True)
    assert heads.holds
    assert value(heads, "initial", "attn_logits") == pytest.approx(-0.5, abs=0.1)
    tied = check_widths(SHAPE.model_copy(update={"tie_embeddings": True}), asked())
    assert tied.holds
    assert {s.quantity for s in tied.slopes} - {s.quantity for s in silent.slopes} == {"readout"}


def test_depth_holds_with_completep_and_not_without() -> None:
    assert check_depths(SHAPE, asked("completep"), depths=(2, 4, 8), seeds=(1, 2)).holds
    unscaled = check_depths(SHAPE, asked("mup"), depths=(2, 4, 8), seeds=(1, 2))
    assert value(unscaled, "change", "residual") > 0.3
    assert not unscaled.holds


def test_one_eps_for_all_widths_fails_where_gradients_are_small() -> None:
    """Gradients shrink as 1/m. At this scale they meet torch's default eps of 1e-8 on the way, and
    only an eps that shrinks with them keeps the updates of wide models alive."""
    given, unscaled = asked(eps=1e-8), MUP.changed(tuple(MUP.rows), eps=SAME)
    small = {"loss_mult": 1e-5}
    scaled = check_widths(SHAPE, given, **small)
    assert scaled.holds, [s for s in scaled.slopes if not s.holds]
    dying = check_widths(SHAPE, given, table=unscaled, **small)
    assert not dying.holds
    assert value(dying, "change", "residual") < -0.15
    assert check_widths(SHAPE, given, table=unscaled, seeds=(1, 2)).holds, "unseen at usual scales"


@pytest.mark.parametrize("rules", ["mup", "sp_per_layer"])
def test_eps_follows_the_measured_scale_of_each_gradient(rules: str) -> None:
    torch.set_num_threads(1)
    family = width_family(SHAPE, asked(rules), (32, 64, 128, 256))
    sizes: dict[str, list[float]] = {}
    for shape in family.shapes:
        found: dict[str, list[float]] = {}
        for seed in (1, 2, 3):
            decoder, _ = built(shape, Study(family.parametrisation, 2.0**-6), seed)
            ids_BT = fixed_batch(shape, seed)
            logits_BTV = decoder(ids_BT[:, :-1])
            F.cross_entropy(logits_BTV.flatten(0, 1), ids_BT[:, 1:].flatten()).backward()
            for name, parameter in decoder.named_parameters():
                rms = parameter.grad.square().mean().sqrt().item()
                found.setdefault(tensor_kind(name), []).append(rms)
        for kind, values in found.items():
            sizes.setdefault(kind, []).append(float(np.mean(values)))
    for kind in (*HIDDEN, "embedding", "block_norm", "lm_head"):
        slope = np.polyfit(np.log2([32, 64, 128, 256]), np.log2(sizes[kind]), 1)[0]
        power = table_of(rules).rows[kind].eps
        assert slope == pytest.approx(power.fan_in + power.width, abs=0.2), kind
