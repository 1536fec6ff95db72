"""Drawings of means and pairs: every value where it belongs, nothing on top of anything."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from skald_report.figures.cells import letters_on, luminance
from skald_report.figures.forest import forest
from skald_report.figures.heat import colours, heat_map
from skald_report.figures.overview import overview
from skald_report.figures.pairs import Pair, colour, pairwise_matrix, ranking
from skald_report.figures.style import looks, short_names, signed
from skald_report.tables.table import Table
from support_figures import (
    CONTROLS,
    TAGS,
    at_row,
    boxes,
    clashes,
    marks,
    models,
    overall,
    pairwise,
    words,
)

NINE = models(["a", "b", "c"], [f"lab/model-{i}" for i in range(6)])
HUNDRED = models(["a", "b"], [f"lab/model-{i}" for i in range(98)])


def _contrast(one, other):
    high, low = sorted((luminance(to_rgb(one)), luminance(to_rgb(other))), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _mean(means, measure, model):
    rows = means.frame
    row = rows[(rows["scope"] == "mean") & (rows["measure"] == measure) & (rows["model"] == model)]
    return row.iloc[0]


def test_the_overview_writes_every_mean_beside_its_dot_and_draws_intervals_to_scale():
    means = overall(NINE)
    drawing = overview(means, looks(NINE))
    assert drawing.table == "overall"
    names = short_names(NINE["model"], 20)
    bands = [box for box in boxes(drawing) if box.width == 6.0]
    dots = marks(drawing)
    places = {}
    for model in NINE.loc[NINE["role"] != "control", "model"]:
        label, tasks, text = at_row(drawing, names[model])
        assert [label.text, tasks.text, text.text] == [
            names[model],
            *(signed(_mean(means, m, model)["score"], ".3f") for m in ("tasks", "text")),
        ]
        for x in (x for x, y in dots if abs(y - label.y) < 2):
            band = next(b for b in bands if abs(b.y[0] - label.y) < 2 and b.x[0] <= x <= b.x[1])
            # Half an interval is 0.02 in all rows.
            assert x == pytest.approx(sum(band.x) / 2, abs=0.1)
            places.setdefault(x < tasks.x, []).append((model, x, band.x[1] - band.x[0]))
    for left, measure in ((True, "tasks"), (False, "text")):
        for (one, x, width), (other, y, _) in itertools.pairwise(places[left]):
            gap = _mean(means, measure, one)["score"] - _mean(means, measure, other)["score"]
            assert (x - y) / width == pytest.approx(gap / 0.04, abs=0.03)


def test_rows_are_sorted_by_tasks_and_a_changed_score_moves_its_row():
    cast = models(["a", "b", "c"])
    means = overall(cast)

    def order(table):
        every = {w.text: w.y for w in words(overview(table, looks(cast)))}
        return sorted(["a", "b", "c"], key=every.__getitem__)

    own = means.frame[(means.frame["scope"] == "mean") & (means.frame["measure"] == "tasks")]
    own = own[own["model"].isin(["a", "b", "c"])].sort_values("score", ascending=False)
    assert order(means) == list(own["model"])
    last = own["model"].iloc[-1]
    moved = means.frame.copy()
    here = (moved["scope"] == "mean") & (moved["measure"] == "tasks") & (moved["model"] == last)
    moved.loc[here, ["score", "low", "high", "low_tasks", "high_tasks"]] += 0.4
    assert order(means._replace(frame=moved))[0] == last


def test_a_control_far_away_is_an_arrow_so_that_the_contestants_keep_their_scale():
    means = overall(NINE)
    drawing = overview(means, looks(NINE))
    n_dots = len(marks(drawing))
    near = means.frame.copy()
    far = (near["model"] == "random-init-a") & (near["measure"] == "text")
    near.loc[far, ["score", "low", "high"]] = [1.7, 1.68, 1.72]
    assert len(marks(overview(means._replace(frame=near), looks(NINE)))) == n_dots + 1
    _, _, text = at_row(drawing, "random-init-a")
    assert float(text.text) == pytest.approx(8.0, abs=0.1)


def test_a_model_without_a_measure_has_a_dash_and_one_without_a_mean_no_row():
    cast = models(["a", "b"])
    means = overall(cast, missing={("b", "fo")})
    assert "b" not in {w.text for w in words(overview(means, looks(cast)))}
    frame = (means := overall(cast)).frame
    only = frame[~((frame["model"] == "a") & (frame["measure"] == "text"))]
    drawn = overview(means._replace(frame=only.reset_index(drop=True)), looks(cast))
    assert [w.text for w in at_row(drawn, "a")][-1] == "–"


@pytest.mark.parametrize("tags", [("da",), ("da", "fo")])
def test_one_model_without_width_and_one_language_can_be_drawn(tags):
    cast = models(["a"])
    means = overall(cast, tags=tags, half=0.0)
    drawn = [overview(means, looks(cast)), forest(means, "da", looks(cast))]
    drawn += [heat_map(means, measure, looks(cast)) for measure in ("tasks", "text")]
    for drawing in drawn:
        assert clashes(drawing) == []
        assert "nan" not in drawing.svg + drawing.alt
    assert ("Danish" in drawn[0].alt) == (len(tags) == 1)


def test_of_a_hundred_models_the_best_and_the_baselines_stay_and_the_rest_is_counted():
    means, look = overall(HUNDRED), looks(HUNDRED)
    bad = means.frame.copy()
    bad.loc[(bad["model"] == "a") & (bad["measure"] == "tasks"), "score"] = 0.01
    drawing = forest(means._replace(frame=bad), "da", look)
    texts = [w.text for w in words(drawing)]
    shown = [t for t in texts if t.startswith("model-") or t in ("a", "b")]
    assert {"a", "b"} <= set(shown) and 15 <= len(shown) <= 17
    assert f"{100 - len(shown)} more contestants are in the table alone" in texts
    heat = [w.text for w in words(heat_map(means, "tasks", look))]
    assert "60 more contestants are in the table alone" in heat
    few = [w.text for w in words(forest(overall(NINE), "da", looks(NINE)))]
    assert not any("more contestants" in text for text in few)


@pytest.mark.parametrize("measure", ["tasks", "text"])
def test_heat_map_cells_hold_the_tables_numbers_in_letters_that_stand_out(measure):
    means = overall(NINE, missing={("lab/model-1", "fo")})
    drawing = heat_map(means, measure, looks(NINE))
    every = words(drawing)
    column = {w.text: w.x for w in every if w.text in (*TAGS, "mean")}
    assert list(column) == ["da", "nb", "sv", "nl", "en", "de", "fo", "is", "mean"]
    cells = [b for b in boxes(drawing) if b.fill.startswith("#") and 0 < b.x[1] - b.x[0] < 40]
    rows = means.frame[means.frame["measure"] == measure]
    names = short_names(NINE["model"], 20)
    for model in NINE["model"]:
        row = at_row(drawing, names[model])
        for tag, x in column.items():
            word = next(w for w in row if abs(w.x - x) < 1)
            own = rows[(rows["model"] == model) & (rows["scope"] == tag)]["score"]
            assert word.text == (signed(own.iloc[0], ".2f") if len(own) else "–")
            if len(own):
                cell = next(b for b in cells if b.x[0] < x < b.x[1] and b.y[0] < word.y < b.y[1])
                assert _contrast(cell.fill, word.fill) >= 4.5
    # The model without Faroese lacks that cell and the mean, no other.
    assert sum(w.text == "–" for w in every) == 2 and "url(#" in drawing.svg
    assert "url(#" not in heat_map(overall(NINE), measure, looks(NINE)).svg


def test_better_is_darker_on_both_scales_in_print_too():
    for measure in ("tasks", "text"):
        scale = colours([0.2, 0.9], measure)
        shades = [luminance(scale.cell(score)) for score in np.linspace(0.2, 0.9, 21)]
        falling = all(a > b for a, b in itertools.pairwise(shades))
        rising = all(a < b for a, b in itertools.pairwise(shades))
        assert (falling, rising) == ((True, False) if measure == "tasks" else (False, True))
    alike = colours([0.5, 0.501], "tasks")
    assert abs(luminance(alike.cell(0.5)) - luminance(alike.cell(0.501))) < 0.01


def test_letters_stand_out_from_any_colour():
    rng = np.random.default_rng(0)
    for shade in rng.random((500, 3)):
        tone = tuple(float(c) for c in shade)
        assert _contrast(tone, letters_on(tone)) >= 4.5


@pytest.mark.parametrize("measure", ["tasks", "text"])
def test_the_matrix_shows_each_difference_both_ways_and_ties_as_ties(measure):
    cast = models(["a", "b", "c"])
    table = pairwise(overall(cast), cast)
    drawing = pairwise_matrix(table, measure)
    assert drawing.table == "pairwise"
    rows = table.frame[table.frame["measure"] == measure]
    order = ranking(rows)
    head = {w.text: w.x for w in words(drawing) if w.text in "123ab" and w.y < 20}
    column = dict(zip([*order, *CONTROLS], (head[n] for n in "123ab"), strict=True))
    for row in rows.to_dict("records"):
        for one, other, sign in (
            (row["model"], row["reference"], 1),
            (row["reference"], row["model"], -1),
        ):
            if one in CONTROLS:
                continue
            label = next(w for w in words(drawing) if w.text == one and w.y > 20)
            near = [
                w
                for w in words(drawing)
                if abs(w.x - column[other]) < 1 and abs(w.y - label.y) < 12
            ]
            value = ("= " if row["verdict"] == "tie" else "") + signed(
                sign * row["difference"], "+.3f"
            )
            assert [w.text for w in near] == [value, "(0.028)"]
    best = rows[(rows["model"] == order[0]) & (rows["reference"] == order[-1])]
    worst = rows[(rows["model"] == order[-1]) & (rows["reference"] == order[0])]
    assert [*best["verdict"], *worst["verdict"]] in (["better"], ["worse"])
    assert (rows["verdict"] == "tie").any()


def test_a_cell_is_blue_where_better_orange_where_worse_grey_for_a_tie():
    red, _, blue = colour(Pair(-0.3, 0.1, "better"), 0.3)
    assert blue > red
    red, _, blue = colour(Pair(-0.3, 0.1, "worse"), 0.3)
    assert red > blue
    assert max(grey := colour(Pair(-0.3, 0.1, "tie"), 0.3)) - min(grey) < 0.05
    small, large = (colour(Pair(d, 0.1, "better"), 0.3) for d in (0.05, 0.25))
    assert luminance(small) > luminance(large)


def test_the_matrix_leaves_out_all_but_the_best():
    table = pairwise(overall(HUNDRED), HUNDRED)
    drawing = pairwise_matrix(table, "tasks")
    assert "76 more contestants are in the table alone" in [w.text for w in words(drawing)]
    assert 'class="wide"' in drawing.svg and drawing.scrolls and clashes(drawing) == []
    few = models(["a", "b"])
    assert not pairwise_matrix(pairwise(overall(few), few), "tasks").scrolls


LONG = [f"some-laboratory/a-model-with-a-very-long-name-{n}-of-many-parts" for n in range(9)]


@pytest.mark.parametrize(
    "cast",
    [models(["a", "b"]), NINE, HUNDRED, models(LONG[:3], LONG[3:])],
    ids=["two", "nine", "hundred", "long"],
)
def test_no_label_lies_on_another_or_leaves_the_drawing(cast):
    means, look = overall(cast), looks(cast)
    table = pairwise(means, cast)
    drawn = [overview(means, look), forest(means, "is", look)]
    drawn += [heat_map(means, measure, look) for measure in ("tasks", "text")]
    drawn += [pairwise_matrix(table, measure) for measure in ("tasks", "text")]
    assert {drawing.name: clashes(drawing) for drawing in drawn if clashes(drawing)} == {}


def test_hostile_names_do_no_harm_and_stay_apart():
    evil = ["<script>alert(1)</script>", "\u202egnp.exe", "$x^2$ & \"q\" 'p'", "y" * 400, "y" * 399 + "z",
            "שלום", "=1+1"]  # fmt: skip
    cast = models(evil)
    means, look = overall(cast), looks(cast)
    drawn = [overview(means, look), forest(means, "da", look), heat_map(means, "tasks", look)]
    drawn.append(pairwise_matrix(pairwise(means, cast), "tasks"))
    for drawing in drawn:
        root = ET.fromstring(drawing.svg[drawing.svg.index("<svg") :])
        assert not [node for node in root.iter() if node.tag.endswith("script")]
        assert "\u202e" not in drawing.svg
        assert clashes(drawing) == []
    shown = short_names(evil, 20)
    assert len(set(shown.values())) == len(evil)


def test_the_same_tables_give_the_same_bytes_and_other_tables_other_ones():
    look = looks(NINE)
    one, again, other = (heat_map(overall(NINE, seed=s), "text", look) for s in (1, 1, 2))
    assert one == again and one.svg != other.svg
    table = pairwise(overall(NINE), NINE)
    assert pairwise_matrix(table, "tasks") == pairwise_matrix(table, "tasks")
    assert overview(overall(NINE), look) == overview(overall(NINE), look)


def test_alt_text_tells_the_best_the_last_and_the_controls():
    means = overall(NINE)
    alt = overview(means, looks(NINE)).alt
    tasks = means.frame[(means.frame["scope"] == "mean") & (means.frame["measure"] == "tasks")]
    tasks = tasks[~tasks["model"].isin(CONTROLS)].sort_values("score")
    best, last = tasks.iloc[-1], tasks.iloc[0]
    assert f"best {best['model']} {best['score']:.3f}" in alt
    assert f"last {last['model']} {last['score']:.3f}" in alt
    assert "control byte-ngram" in alt and "figure" not in alt


def test_more_models_than_colours_share_a_tone_after_baselines_and_leaders():
    cast = models(["a", "b"], [f"x{i}" for i in range(10)])
    own = looks(cast, leaders=["x9", "x3", "x5", "x7", "x1"])
    plain = {name for name in own if own[name].colour == own["x0"].colour}
    assert plain == {"x0", "x1", "x2", "x4", "x6", "x8"}
    few = looks(models(["a", "b"]))
    assert few["a"] == own["a"] and few["b"] == own["b"]


#: Source: Machado, Oliveira and Fernandes 2009, severity 1.0: protanopia, deuteranopia, tritanopia.
_BLINDNESS = (
    np.eye(3),
    np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
              [-0.003882, -0.048116, 1.051998]]),
    np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
              [-0.011820, 0.042940, 0.968881]]),
    np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
              [0.004733, 0.691367, 0.303900]]),
)  # fmt: skip
_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def _lab(linear):
    x, y, z = np.cbrt(_XYZ @ np.clip(linear, 1e-4, 1) / np.array([0.9505, 1.0, 1.089]))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def _least_distance(tones):
    channels = [np.array([luminance((c, c, c)) for c in to_rgb(tone)]) for tone in tones]
    return min(
        float(np.linalg.norm(_lab(m @ a) - _lab(m @ b)))
        for m in _BLINDNESS for a, b in itertools.combinations(channels, 2)
    )  # fmt: skip


def test_models_colours_differ_for_the_colour_blind_and_stand_out_on_both_papers():
    look = looks(models([f"m{i}" for i in range(7)]))
    tones = [look[f"m{i}"].colour for i in range(7)]
    assert _least_distance(tones) > 15
    # Okabe and Ito's published palette would just do; red and green of one brightness would not.
    assert _least_distance(["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"]) > 15
    assert _least_distance(["#c03020", "#5f7d10"]) < 15
    for tone in tones:
        assert _contrast(tone, "#ffffff") >= 3 and _contrast(tone, "#14181d") >= 3


def test_an_overview_without_contestants_shows_the_controls():
    cast = models([])
    drawing = overview(overall(cast), looks(cast))
    assert {w.text for w in words(drawing)} >= set(CONTROLS)
    assert isinstance(Table("overall", (), {}, overall(cast).frame), Table)
