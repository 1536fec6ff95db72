"""The section on muP: shown from committed tables, absent with a reason, damaged in one line."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from skald_report.page.blocks import Gallery, Grid, Paragraph
from skald_report.sections.evidence import mup_evidence, transfer_evidence
from skald_report.tables.evidence import measures
from skald_specs.errors import UserInputError
from skald_specs.files import write_json
from support_fits import make_fit

MEASURES = [
    {"measure": "drift of muP", "value": 0.31, "unit": "octaves", "bound": "<= 0.5", "holds": True,
     "detail": "-0.31 +- 0.05"},
    {"measure": "drift of SP", "value": 1.2, "unit": "octaves", "bound": ">= 2", "holds": False},
    {"measure": "on a GPU", "value": None, "unit": "", "bound": "", "holds": None},
]  # fmt: skip


def written(folder: Path) -> Path:
    own = folder / "mup"
    own.mkdir(parents=True)
    write_json(own / "measures.json", MEASURES)
    coordinates = [
        {"axis": "width", "rules": rules, "d_model": width, "n_layers": 2, "seed": seed, "step": 5,
         "quantity": quantity, "size": 1.0, "change": 0.1 * seed * width**slope}
        for rules, slope in (("mup", 0.0), ("sp", 1.0))
        for width in (32, 64, 128)
        for seed in (1, 2)
        for quantity in ("embedding", "residual")
    ]  # fmt: skip
    pd.DataFrame(coordinates).to_csv(own / "coordinates.csv", index=False)
    for along, sizes in (("width", (32, 64, 128)), ("depth", (2, 4, 8))):
        rules = ("mup", "sp") if along == "width" else ("completep",)
        runs = [
            {"rules": name, along: size, "lr": 2.0**x, "seed": seed, "loss": 2 + 0.1 * (x + 6) ** 2}
            for name in rules for size in sizes for x in (-7, -6, -5) for seed in (1, 2)
        ]  # fmt: skip
        optima = [
            {"rules": name, along: size, "log2_lr": -6.0, "standard_error": 0.1, "loss": 2.0}
            for name in rules for size in sizes
        ]  # fmt: skip
        pd.DataFrame(runs).to_csv(own / f"{along}.csv", index=False)
        pd.DataFrame(optima).to_csv(own / f"optima-{along}.csv", index=False)
    return folder


def test_figures_and_every_measure_are_shown(tmp_path: Path) -> None:
    blocks = list(mup_evidence(written(tmp_path)))
    words = next(block for block in blocks if isinstance(block, Paragraph))
    assert "1 of 2 measures hold; does not: drift of SP; 1 more figure stands there" in words.text
    assert "nox -s prove -- mup" in words.text
    gallery = next(block for block in blocks if isinstance(block, Gallery))
    assert len(gallery.drawings) == 4
    assert all(drawing.alt and "<svg" in drawing.svg for drawing in gallery.drawings)
    grid = next(block for block in blocks if isinstance(block, Grid))
    assert not grid.folded, "three measures are few enough to stand open"
    marks = [(row[0].text, row[3].text) for row in grid.rows]
    assert marks == [
        ("drift of muP", "holds"), ("drift of SP", "does not hold"), ("on a GPU", "not measured"),
    ]  # fmt: skip


def test_of_many_measures_the_first_ones_stand_open_and_one_that_fails_before_them(
    tmp_path: Path,
) -> None:
    written(tmp_path)
    many = [MEASURES[0] | {"measure": f"other {n}"} for n in range(6)]
    many += [MEASURES[0] | {"measure": f"{what}: drift of the best learning rate, width 9"} for what in ("SP", "muP")]  # fmt: skip
    write_json(tmp_path / "mup" / "measures.json", [*many, MEASURES[1]])
    table = measures(tmp_path)
    first, every = (b for b in mup_evidence(tmp_path, table) if isinstance(b, Grid))
    assert [row[0].text.split(":")[0] for row in first.rows] == ["drift of SP", "muP", "SP"]
    assert not first.folded and every.folded and len(every.rows) == 9
    assert first.rows[0][1].of == "measures:8:value,unit" and every.file == "tables/measures.csv"


@pytest.mark.parametrize("bound", ["none", "-"])
def test_a_measure_without_a_bound_is_not_said_to_hold(tmp_path: Path, bound: str) -> None:
    written(tmp_path)
    write_json(tmp_path / "mup" / "measures.json", [MEASURES[0], MEASURES[0] | {"bound": bound, "measure": "x"}])  # fmt: skip
    words = next(b for b in mup_evidence(tmp_path) if isinstance(b, Paragraph))
    assert "1 of 1 measure holds; 1 more figure stands there without a bound." in words.text


def test_without_evidence_the_page_says_so(tmp_path: Path) -> None:
    for folder in (None, tmp_path / "nowhere", tmp_path):
        for evidence in (mup_evidence, transfer_evidence):
            (only,) = evidence(folder)
            assert isinstance(only, Paragraph) and only.kind == "gap"


def test_time_transfer_shows_its_measures_and_a_fit_only_where_there_is_one(tmp_path: Path) -> None:
    own = tmp_path / "transfer"
    own.mkdir()
    write_json(own / "measures.json", MEASURES)
    words, grid = transfer_evidence(tmp_path)
    assert isinstance(words, Paragraph) and "1 of 2 measures hold" in words.text
    assert isinstance(grid, Grid) and len(grid.rows) == 3
    make_fit(batches=(1024, 4096)).save(own / "fit.json")
    gallery = list(transfer_evidence(tmp_path))[1]
    assert isinstance(gallery, Gallery)
    # A cycle's own figures stand on the same page under the plain names.
    assert all(drawing.name.startswith("proof-") for drawing in gallery.drawings)
    (own / "measures.json").unlink()
    with pytest.raises(UserInputError, match=r"measures\.json"):
        list(transfer_evidence(tmp_path))


@pytest.mark.parametrize("name", ["width.csv", "measures.json"])
@pytest.mark.parametrize("damage", ["missing", "empty"])
def test_a_damaged_file_is_one_line(tmp_path: Path, name: str, damage: str) -> None:
    path = written(tmp_path) / "mup" / name
    path.unlink()
    if damage == "empty":
        path.write_text("[{}]" if name.endswith("json") else "", encoding="utf-8")
    with pytest.raises(UserInputError) as caught:
        list(mup_evidence(tmp_path))
    assert name in str(caught.value) and "\n" not in str(caught.value)
