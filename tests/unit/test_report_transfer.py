"""Time transfer on the page: what was fitted, what plans chose, and whether transferring helped."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from skald_planner.fitting.cells import Points
from skald_planner.fitting.surface import Surface as FittedSurface
from skald_report.build import build
from skald_report.figures.style import looks
from skald_report.page.blocks import Gallery, Grid, Notes, Paragraph
from skald_report.reading.inputs import ReportInputs, load
from skald_report.sections.fit_figures import fit_drawings
from skald_report.sections.transfer import time_transfer
from skald_report.statistics.comparison import paired_mean
from skald_report.tables.file import rows_of
from skald_report.tables.timefit import Surface, best_batch, heaviest, main_batch, main_size, some
from skald_report.tables.transfer import transfer_tables, transfers
from skald_report.tables.untransferred import untransferred
from skald_specs.files import read_json, read_jsonl, write_jsonl
from skald_specs.plan import Plan
from support_fits import make_fit
from support_report import write_inputs

HORIZONS = tuple(2**k for k in range(15, 22))
BATCHES = (1024, 4096, 16384)


def _blocks(inputs: ReportInputs) -> list[object]:
    sources = load(inputs)
    tables = transfer_tables(sources)
    compared = untransferred(sources)
    tables |= {compared.name: compared} if len(compared.frame) else {}
    return list(
        time_transfer(sources, tables, looks(tables["transfers"].frame.assign(role="baseline")))
    )


def _texts(blocks: list[object]) -> str:
    return " ".join(b.text for b in blocks if isinstance(b, Paragraph))


def _claims(blocks: list[object]) -> tuple[str, ...]:
    return tuple(
        b.text for b in blocks if isinstance(b, Paragraph) and "transferred against" in b.text
    )


def _grid(blocks: list[object], name: str) -> Grid:
    return next(b for b in blocks if isinstance(b, Grid) and b.name == name)


def test_one_batch_gives_curves_and_says_what_stays_open(tmp_path: Path) -> None:
    blocks = _blocks(write_inputs(tmp_path, languages=("da",), n_items=4))
    names = [d.name for b in blocks if isinstance(b, Gallery) for d in b.drawings]
    assert names == ["learning-rate", "transfer", "sensitivity", "held-out"]
    (open_questions,) = (b for b in blocks if isinstance(b, Notes) and "cannot show" in b.title)
    assert "The best batch: one batch was swept." in open_questions.texts
    assert "Neither a best batch nor a critical one follows" in _texts(blocks)


@pytest.mark.parametrize("scattered", [False, True])
def test_several_batches_give_surface_and_batch_figures(scattered: bool) -> None:
    fit = make_fit(BATCHES, HORIZONS, (64, 128), scattered=scattered)
    made = {drawing.name: drawing.svg for drawing in fit_drawings(fit)}
    assert list(made) == [
        "learning-rate", "surface", "transfer", "batch", "sensitivity", "held-out",
    ]  # fmt: skip
    for svg in made.values():
        assert ElementTree.fromstring(svg).tag.endswith("svg")
    surface = made["surface"]
    assert surface.count(" tokens</text>") == 4, "at most four panels"
    assert (">fit, same steps<" in surface) == scattered
    assert (">best batch<" in made["batch"]) == scattered
    transfer = made["transfer"]
    assert "power, weight 0.70" in transfer
    assert ">saturating" not in transfer, "a weightless family has no line"
    assert {drawing.name: drawing.svg for drawing in fit_drawings(fit)} == made


def test_figures_show_the_plans_they_are_given(tmp_path: Path) -> None:
    plans = [Plan.load(path) for path in write_inputs(tmp_path, languages=("da",), n_items=4).plans]
    fit = make_fit(BATCHES, HORIZONS[:3], scattered=True)
    chosen = plans[0].identity.global_batch_tokens.model_copy(
        update={"standing": "fitted", "interval": (2048.0, 16384.0)}
    )
    identity = plans[0].identity.model_copy(update={"global_batch_tokens": chosen})
    plans[0] = plans[0].model_copy(update={"identity": identity})
    given = transfers({plan.name: plan for plan in plans})
    look = looks(given.frame.assign(role="baseline"))
    made = {drawing.name: drawing.svg for drawing in fit_drawings(fit, given, look)}
    for name in ("learning-rate", "transfer"):
        assert "mini-2.6b" in made[name] and "mini-7.8b" in made[name]
    assert "mini-2.6b" in made["batch"]
    assert "mini-7.8b" not in made["batch"], "its batch was given, nothing chose it"


def test_a_one_sided_bound_is_no_optimum() -> None:
    fit = make_fit(BATCHES, HORIZONS[:2])
    bounds = [best for best in fit.local if best.bound]
    assert bounds
    curves, surface = fit_drawings(fit)[:2]
    assert "at least" in surface.alt
    assert "at least" not in curves.alt, "the bound is another batch's"
    nowhere = make_fit(horizons=HORIZONS[:2])
    nowhere = nowhere.model_copy(update={"local": (
        *nowhere.local[1:],
        nowhere.local[0].model_copy(update={
            "log2_lr": None, "interval": None, "loss": None, "rise_at_one_octave": None,
            "bound": "unknown",
        }),
    )})  # fmt: skip
    drawn = fit_drawings(nowhere)[0]
    assert "Optimum at 32.8k tokens: not found." in drawn.alt
    assert ">optimum, 65.5k<" in drawn.svg and ">optimum, 32.8k<" not in drawn.svg
    hidden = fit.model_copy(update={"local": tuple(b for b in fit.local if not b.bound)})
    assert "at least" not in fit_drawings(hidden)[1].alt


def test_a_loss_off_the_scale_is_marked_and_does_not_set_it() -> None:
    fit = make_fit(horizons=HORIZONS[:2])
    assert "off the scale" not in fit_drawings(fit)[0].svg
    first = fit.runs[0].model_copy(update={"loss": 40.0})
    outlier = fit_drawings(fit.model_copy(update={"runs": (first, *fit.runs[1:])}))[0].svg
    assert "off the scale" in outlier
    assert ">40<" not in outlier and ">30<" not in outlier


def test_every_run_diverged_draws_no_loss() -> None:
    fit = make_fit(BATCHES, HORIZONS[:2])
    lost = tuple(r.model_copy(update={"loss": None, "diverged": True}) for r in fit.runs)
    names = [d.name for d in fit_drawings(fit.model_copy(update={"runs": lost}))]
    assert "learning-rate" not in names and "surface" not in names


def test_the_surface_is_the_one_that_the_fit_describes() -> None:
    fit = make_fit(BATCHES, HORIZONS, scattered=True)
    surface = Surface.fitted(heaviest(fit), fit.centre)
    n, t = fit.centre.log2_size, fit.centre.log2_horizon
    ridge = surface.ridge([10.0, 12.0], n, t)
    assert ridge[1] - ridge[0] == pytest.approx(2 * 0.5)
    assert surface.ridge(10.0, n, t + 3) - ridge[0] == pytest.approx(3 * -0.35)
    assert surface.best_batch(n, t + 2) - surface.best_batch(n, t) == pytest.approx(2 * 0.45)
    found = [best_batch(fit, n, h) for h in HORIZONS]
    assert all(s.low < s.value < s.high for s in found)
    assert all(a.value < b.value for a, b in pairwise(found))


@pytest.mark.parametrize("kind", ["power", "surge"])
def test_the_drawn_surface_is_the_fitted_one(kind: str) -> None:
    fit = make_fit(BATCHES, HORIZONS, scattered=True)
    family = next(family for family in fit.families if family.kind == kind)
    surface = Surface.fitted(family, fit.centre)
    n, t = fit.centre.log2_size, fit.centre.log2_horizon + 1.5
    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 1.5, 20), rng.normal(0, 1.5, 20)
    flat = np.zeros(20)
    points = Points(
        x=x, y=y, n=flat, t=flat + 1.5, log_loss=flat, weight=flat + 1, level=flat.astype(int),
        cell=flat.astype(int), seed=flat.astype(int), centre=fit.centre, scattered=True,
        rows=np.arange(20),
    )  # fmt: skip
    planned = FittedSurface(family.kind, family.names).values(np.array([family.values]), points)[0]
    drawn = surface.excess(x + fit.centre.log2_lr, y + fit.centre.log2_batch, n, t)
    assert np.ptp(drawn - planned) < 1e-12, "they differ by a level alone"
    for level in (0.005, 0.02):
        batches, low, high = surface.contour(level, n, t, (5.0, 18.0))
        assert (low[5:-5] < high[5:-5]).all()
        for rates in (low, high):
            assert surface.excess(rates, batches, n, t) == pytest.approx(level, rel=1e-4)
    nothing, *_ = surface.contour(0.005, n, t, (40.0, 41.0))
    assert not nothing.size


def test_what_is_shown_alone_is_chosen_by_the_data() -> None:
    fit = make_fit(BATCHES, HORIZONS, (64, 128))
    fewer = tuple(r for r in fit.runs if r.width == 128 or r.horizon_tokens != HORIZONS[0])
    assert main_size(fit.model_copy(update={"runs": fewer})).width == 128
    assert main_batch(fit, main_size(fit)) == 4096, "the middle of three alike"
    assert main_batch(fit, main_size(fit), used=[16384]) == 16384
    assert main_batch(fit, main_size(fit), used=[99]) == 4096
    assert some(range(10), 4) == [0, 3, 6, 9]
    assert some([1, 2], 4) == [1, 2]


def test_a_plan_stands_beside_what_it_reached(tmp_path: Path) -> None:
    inputs = write_inputs(tmp_path, languages=("da", "sv"), n_items=4)
    blocks = _blocks(inputs)
    small = _grid(blocks, "transfers").rows[0]
    text = " ".join(f"{cell.text} {cell.detail} {cell.note}" for cell in small)
    for words in ("0.01184", "0.40 %", "35 %", "1.500", "inside", "fitted"):
        assert words in text
    (origins,) = (b for b in blocks if isinstance(b, Notes) and "come from" in b.title)
    for words in (
        "Learning rate of mini-2.6b and mini-7.8b, fitted: sweep at 131072",
        "Published exponents of the best learning rate: horizon exponent of 2409.19913.",
    ):
        assert " ".join(origins.texts).count(words) == 1, "said once for both"
    assert "1.6 octaves beyond the sweep" in _texts(blocks)
    laws = _grid(blocks, "published-laws").rows
    assert [row[4].detail for row in laws] == ["", "not comparable"] * 2
    final = inputs.runs[0]
    rows = list(read_jsonl(final / "curve.jsonl"))
    for row in rows:
        if "bits_per_byte" in row:
            row["bits_per_byte"] = dict.fromkeys(row["bits_per_byte"], 9.0)
    write_jsonl(final / "curve.jsonl", rows)
    small = _grid(_blocks(inputs), "transfers").rows[0]
    assert "above the interval" in [cell.detail for cell in small]


def test_published_exponents_stand_beside_the_fitted_ones(tmp_path: Path) -> None:
    fit = make_fit(BATCHES, HORIZONS[:3], (64, 128), scattered=True)
    blocks = _blocks(write_inputs(tmp_path, languages=("da",), n_items=4, fit=fit))
    rows = {row[0].text: row for row in _grid(blocks, "exponents").rows}
    horizon = rows["best learning rate over the horizon, at one batch"]
    assert (horizon[1].text, horizon[2].text) == ("−0.35", "−0.50 to −0.20")
    assert "2409.19913" in horizon[3].text
    assert (
        "p\u00a0=\u00a00.70" in rows["best learning rate over non-embedding parameters"][0].detail
    )
    assert len(rows) == 7
    one = _blocks(write_inputs(tmp_path / "one", languages=("da",), n_items=4))
    assert len(_grid(one, "exponents").rows) == 2, "what is not fitted has no row"


@pytest.mark.parametrize(
    ("worse_by", "ended", "verdict"),
    [
        (0.05, "ended lower", "Transferring helped."),
        (-0.05, "ended higher", "Transferring hurt."),
        (0.003, "ended lower", "made no difference that one seed can show"),
    ],
)
def test_transferring_is_judged_whichever_way_it_falls(
    tmp_path: Path, worse_by: float, ended: str, verdict: str
) -> None:
    inputs = write_inputs(tmp_path, n_items=4, worse_by={"mini-2.6b": worse_by})
    blocks = _blocks(inputs)
    (said,) = _claims(blocks)
    assert ended in said and verdict in said
    assert "a learning rate 0.50 octaves below it" in said
    assert "mini-7.8b was not trained a second time" in _texts(blocks)
    sources = load(inputs)
    mean = untransferred(sources).frame.set_index("language").loc["mean"]
    assert mean["difference"] == pytest.approx(-worse_by * 1.2)
    assert mean["run_scale"] == pytest.approx(math.sqrt(2) * 0.004 * mean["transferred"])


def test_without_any_control_each_baseline_has_one_sentence(tmp_path: Path) -> None:
    blocks = _blocks(write_inputs(tmp_path, languages=("da",), n_items=4))
    assert not _claims(blocks)
    assert _texts(blocks).count("was not trained a second time") == 2


def test_a_control_of_another_horizon_is_not_compared(tmp_path: Path) -> None:
    inputs = write_inputs(tmp_path, n_items=4, worse_by={"mini-2.6b": 0.05})
    path = inputs.untransferred[0] / "plan.yaml"
    plan = Plan.load(path)
    horizon = plan.identity.horizon_tokens.model_copy(update={"value": 400_000})
    identity = plan.identity.model_copy(update={"horizon_tokens": horizon})
    plan.model_copy(update={"identity": identity}).save(path)
    blocks = _blocks(inputs)
    assert not _claims(blocks)
    assert "differ in horizon_tokens" in _texts(blocks)


def test_a_control_is_in_no_other_table(tmp_path: Path) -> None:
    inputs = write_inputs(tmp_path, n_items=8, worse_by={"mini-2.6b": 0.05, "mini-7.8b": 0.05})
    build(dataclasses.replace(inputs, published=None), tmp_path / "latest")
    report = read_json(tmp_path / "latest" / "report.json")
    assert len(rows_of(report, "untransferred")) == 2 * 6
    for name in report["tables"]:
        models = {row["model"] for row in rows_of(report, name) if "model" in row}
        assert not any("untransferred" in model for model in models), name
    readme = (tmp_path / "latest" / "README.md").read_text(encoding="utf-8")
    assert "mini-2.6b-untransferred" not in readme


def test_the_paired_mean_covers_its_truth_and_knows_its_limits() -> None:
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(400):
        base = rng.normal(1, 0.3, 8)
        found = paired_mean(base + rng.normal(0.02, 0.01, 8), base)
        hits += found.low <= 0.02 <= found.high
    assert 0.92 <= hits / 400 <= 0.98
    alone = paired_mean([1.0], [2.0])
    assert alone.estimate == -1 and math.isnan(alone.low) and alone.p == 1
    with pytest.raises(ValueError, match="no pairs"):
        paired_mean([1.0, 2.0], [1.0])
