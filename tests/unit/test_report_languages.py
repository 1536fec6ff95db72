"""What the page says by language: worst languages, branches, and tables that name their rows."""

import math

from skald_report.page.blocks import Explorer, Gallery, Grid, Paragraph
from skald_report.sections.branches import language_sentences
from skald_report.sections.languages import language_blocks
from skald_report.tables.table import Table
from support_words import context, models, overall, tables, untraced

GIVEN = {"tasks": {"small": 0.4, "large": 0.5}, "text": {"small": 1.0, "large": 0.9}}
ROLES = {"small": "baseline", "large": "baseline"}


def blocks_of(table, roles=ROLES):
    return list(language_blocks(context(tables(models(roles), table))))


def test_worst_language_and_branches_are_said_for_both_models():
    assert list(language_sentences(tables(models(ROLES), overall(GIVEN)))) == [
        "The worst language on tasks is Danish for small (0.400, interval 0.380–0.420, not told apart from 2 others) "
        "and large (0.500, interval 0.480–0.520, not told apart from 2 others).",
        "On tasks, the best branch is West for both models and the worst branch is North for both models; these "
        "are means, not tested against each other.",
        "The worst language in bits per byte is Faroese for small (1.020, interval 1.000–1.040, not told apart from 2 "
        "others) and large (0.920, interval 0.900–0.940, not told apart from 2 others).",
        "In bits per byte, the best branch is North for both models and the worst branch is West for both "
        "models; these are means, not tested against each other.",
        "Languages of a model count as told apart here where their intervals do not overlap.",
    ]


def test_models_that_differ_in_their_worst_language_are_named_with_it():
    frame = overall(GIVEN).frame
    at = (frame["scope"] == "worst") & (frame["model"] == "large") & (frame["measure"] == "tasks")
    frame.loc[at, ["language", "score", "low", "high"]] = ["fo", 0.48, 0.475, 0.478]
    (first, *_) = language_sentences(tables(models(ROLES), Table("overall", (), {}, frame)))
    assert first == (
        "The worst language on tasks is Danish for small (0.400, interval 0.380–0.420, not told apart from 2 others) and "
        "Faroese for large (0.480, interval 0.475–0.478, told apart from all others)."
    )
    frame.loc[at, ["low", "high"]] = math.nan
    (first, *_) = language_sentences(tables(models(ROLES), Table("overall", (), {}, frame)))
    assert "Faroese for large (0.480, no interval, not told apart from 2 others)" in first


def test_a_model_that_lacks_a_language_has_no_worst_one_and_enters_no_sentence_on_branches():
    frame = overall(GIVEN).frame
    gone = (frame["model"] == "large") & frame["scope"].isin(["mean", "worst", "fo", "West"])
    found = tables(models(ROLES), Table("overall", (), {}, frame[~gone].reset_index(drop=True)))
    worst, branches, *_ = language_sentences(found)
    assert worst.startswith("The worst language on tasks is Danish for small (0.400")
    assert worst.endswith("; large lacks a language and has none.")
    assert branches.startswith(
        "On tasks, the best branch is West for small (0.410) and the worst branch is North for small (0.400)"
    )
    assert "large" not in branches and "both" not in branches


def test_tables_name_languages_twice_and_every_number_is_of_its_row():
    found = tables(models(ROLES), overall(GIVEN))
    blocks = list(language_blocks(context(found)))
    grids = [block for block in blocks if isinstance(block, Grid)]
    assert [grid.name for grid in grids] == ["languages"]
    heads = {row[0].text: row[0].detail for row in grids[0].rows}
    assert heads["Danish"] == "dansk" and heads["Faroese"] == "føroyskt"
    assert heads["North branch"] == "da" and "worst language" in heads
    assert grids[0].header == (
        "language",
        "small, tasks",
        "large, tasks",
        "small, bits per byte",
        "large, bits per byte",
    )
    assert untraced(blocks, found) == []
    assert untraced(blocks, found | tables(overall(GIVEN, half=0.05)))
    assert sum(len(b.drawings) for b in blocks if isinstance(b, Gallery)) == 2 + 3


def test_many_models_are_rows_and_the_table_is_folded():
    names = [f"m{n:02d}" for n in range(30)]
    given = {"tasks": {name: 0.01 * n for n, name in enumerate(names)}}
    blocks = blocks_of(overall(given), dict.fromkeys(names, "external"))
    (grid,) = [block for block in blocks if isinstance(block, Grid)]
    assert grid.folded and len(grid.rows) == 30 and grid.header[:2] == ("model", "mean")
    found = tables(models(dict.fromkeys(names, "external")), overall(given))
    assert next(language_sentences(found)) == (
        "The worst language on tasks is Danish for all 30 models; for 30 of them it is not told apart from another "
        "language."
    )


def test_more_models_than_the_heat_map_shows_are_searched_not_listed():
    names = [f"m{n:02d}" for n in range(41)]
    given = {"tasks": {name: 0.01 * n for n, name in enumerate(names)}}
    roles = {"byte-ngram": "control", **dict.fromkeys(names, "external")}
    given["tasks"]["byte-ngram"] = 0.1
    table = overall(given)
    blocks = blocks_of(table, roles)
    assert not any(isinstance(block, Grid) for block in blocks)
    (explorer,) = [block for block in blocks if isinstance(block, Explorer)]
    frame = table.frame
    shown = explorer.table.frame
    assert list(shown.index) == list(frame.index[frame["model"] != "byte-ngram"])
    assert (shown["score"] == frame.loc[shown.index, "score"]).all()
    assert set(shown.loc[shown["scope"] == "worst", "worst"]) == {"Danish"}


def test_a_model_that_lacks_a_language_has_a_dash_there_and_no_mean():
    frame = overall(GIVEN).frame
    gone = (frame["model"] == "small") & frame["scope"].isin(["mean", "worst", "fo"])
    blocks = blocks_of(Table("overall", (), {}, frame[~gone].reset_index(drop=True)))
    grid = next(block for block in blocks if isinstance(block, Grid))
    rows = {row[0].text: row[1].text for row in grid.rows}
    assert (rows["mean"], rows["Faroese"]) == ("–", "–") and rows["Danish"] == "0.400"


def test_one_language_alone_has_its_row_and_no_figure_of_languages():
    blocks = blocks_of(overall(GIVEN, tags=("da",)))
    assert not any(isinstance(block, Gallery) for block in blocks)
    grid = next(block for block in blocks if isinstance(block, Grid))
    assert [row[0].text for row in grid.rows] == ["Danish"]


def test_without_an_evaluation_or_a_model_the_page_says_so():
    assert list(language_blocks(context({}))) == [
        Paragraph("No evaluation was given, so no language has a score.", "gap")
    ]
    controls = blocks_of(overall({"tasks": {"byte-ngram": 0.1}}), {"byte-ngram": "control"})
    assert controls == [
        Paragraph("No model but controls was evaluated, so no language is shown.", "gap")
    ]
