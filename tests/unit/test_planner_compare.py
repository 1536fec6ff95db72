"""Plans and recipes side by side."""

import re

import pytest
from skald_cli.main import main
from skald_planner.display.compare import compare, facts_of, render_compare
from skald_planner.display.layout import amount
from skald_planner.machine.cost import cost_of
from skald_planner.plans.resolve import make_plan
from skald_specs.outlook import Outlook
from skald_specs.plan import Plan
from skald_specs.timefit import Estimate
from support import ROOT
from support_planner import recipe


def given_rate(source, base_lr=0.004):
    optimizer = source.optimizer.model_copy(update={"base_lr": base_lr})
    return source.model_copy(update={"optimizer": optimizer})


def rows(left, right):
    return {row.name: row for row in compare(left, right)}


def test_a_plan_of_no_steps_has_no_time_scale():
    plan = make_plan(given_rate(recipe("trustllm-7.8b")), None, None)
    assert rows(plan, plan)["tau_ema"].left.value > 0
    data = plan.model_dump(mode="json")
    data["identity"]["schedule"]["n_steps"]["value"] = 0
    mended = Plan.check(data, "test")
    assert "tau_ema" not in rows(mended, mended)


def test_ratios_are_the_second_over_the_first():
    found = rows(recipe("trustllm-7.8b"), recipe("next-larger"))
    assert found["d_model"].ratio == 1.5
    assert found["n_params_total"].ratio == pytest.approx(30_674_737_152 / 7_799_574_528)
    assert found["seq_len"].ratio is None and not found["seq_len"].differs
    assert found["base_lr"].differs and found["base_lr"].ratio is None
    assert found["training FLOPs"].ratio == pytest.approx(
        found["JUPITER: GPU-hours"].ratio, rel=1e-12
    )
    assert found["sweep, share of FLOPs"].left is None
    assert not found["sweep, share of FLOPs"].differs
    back = rows(recipe("next-larger"), recipe("trustllm-7.8b"))
    assert back["d_model"].ratio == pytest.approx(1 / 1.5)
    # Whatever the order of the two, a fact keeps its place.
    assert list(back).index("sweep, share of FLOPs") == list(found).index("sweep, share of FLOPs")


def test_the_same_twice_differs_in_nothing():
    for source in (recipe("mini-2.6b"), make_plan(given_rate(recipe("next-larger")), None, None)):
        assert not any(row.differs for row in compare(source, source))
        assert not any("mixture" in row.name for row in compare(source, source))


def test_a_plan_and_its_recipe_say_the_same():
    source = given_rate(recipe("next-larger-optimal"))
    found = rows(make_plan(source, None, None), source)
    assert not any(row.differs for row in found.values())
    assert found["lr of hidden matrices"].right.value == pytest.approx(0.004 / 12)


def test_tau_is_the_published_recipes():
    """tau_ema = batch / (lr x weight decay x horizon) = 1 / (2^-8 x 0.01 x 489,553)."""
    assert facts_of(recipe("trustllm-7.8b"))["tau_ema"].value == pytest.approx(0.0523, rel=1e-3)
    # An independent decay needs no learning rate, a coupled one does.
    swept = recipe("next-larger")
    assert facts_of(swept)["tau_ema"].value == pytest.approx(8_388_608 / (2e-5 * 6e12), rel=1e-3)
    coupled = swept.parametrisation.model_copy(update={"decay": "coupled"})
    assert "tau_ema" not in facts_of(swept.model_copy(update={"parametrisation": coupled}))


def test_mixtures_are_compared_by_share():
    ours = recipe("mini-2.6b")
    scaled = {tag: 2 * share for tag, share in ours.mixture.items()}
    assert not [n for n in rows(ours, ours.model_copy(update={"mixture": scaled})) if "mixt" in n]
    moved = ours.mixture | {"da": 0.25}
    found = rows(ours, ours.model_copy(update={"mixture": moved}))
    assert found["mixture.da"].ratio == pytest.approx(0.25 / 1.125 / 0.125)


def test_what_a_plan_expects_is_shown_with_its_interval():
    source = given_rate(recipe("next-larger"))
    plan = make_plan(source, None, None)
    outlook = Outlook(
        final_loss=Estimate(value=1.75, interval=(1.7, 1.8)),
        regret=Estimate(value=0.00624, interval=(0.0, 0.02)),
        loss_unit="bits/byte",
        cost=cost_of(source, source, nodes=512),
    )
    found = rows(plan, plan.model_copy(update={"outlook": outlook}))
    assert found["expected loss, bits/byte"].right.shown == "1.75 (1.7 .. 1.8)"
    assert found["expected loss, bits/byte"].left is None
    assert found["expected regret, of the loss"].right.shown == "0.62% (0.00% .. 2.00%)"
    assert found["JUPITER: days"].right.shown.endswith("on 512 nodes"), "as it stands in the plan"


def test_costs_are_shown_as_words_of_their_size():
    found = facts_of(recipe("next-larger"))
    assert re.fullmatch(r"[0-9,]{3,}", found["JUPITER: GPU-hours"].shown)
    assert re.fullmatch(r"[0-9,]{3,}", found["JUPITER: MWh"].shown)
    tiny = recipe("mup-transfer").model_copy(update={"dtype": "bfloat16"})
    shown = [cell.shown for name, cell in facts_of(tiny).items() if name.startswith("JUPITER")]
    assert shown and all("e-" not in words and words != "0" for words in shown)
    assert [amount(value) for value in (0, 6.5e-6, 0.0012345, 5.5, 1060.4)] == [
        "0", "<0.001", "0.00123", "5.5", "1,060"
    ]  # fmt: skip


@pytest.mark.parametrize("left", ["trustllm-2.6b", "trustllm-7.8b", "mini-7.8b"])
@pytest.mark.parametrize("right", ["next-larger", "next-larger-optimal"])
def test_a_page_holds_it(left, right):
    page = render_compare(recipe(left), recipe(right)).splitlines()
    assert max(map(len, page)) <= 100
    assert page[0].split() == ["recipe", left, "recipe", right, "right", "/", "left"]
    assert next(line for line in page if line.startswith("n_layers")).endswith(" x")


def test_long_names_are_cut():
    source = recipe("mini-2.6b").model_copy(update={"name": "a" * 60})
    assert max(map(len, render_compare(source, source).splitlines())) <= 100


def test_the_verb_takes_a_plan_and_a_recipe(tmp_path, capsys):
    source = given_rate(recipe("next-larger"))
    make_plan(source, None, None).save(tmp_path / "plan.yaml")
    words = [str(tmp_path / "plan.yaml"), str(ROOT / "recipes" / "trustllm-7.8b.yaml")]
    assert main(["plan", "compare", *words]) == 0
    shown = capsys.readouterr().out
    assert "plan next-larger" in shown and "recipe trustllm-7.8b" in shown
    assert "0.6667 x" in shown
    assert main(["plan", "compare", words[0], str(tmp_path / "none.yaml")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
