"""Pairs of models on the page: every pair of few, the leader's of many, and task by task."""

from skald_report.page.blocks import Gallery, Grid, Paragraph
from skald_report.sections.pairs import pair_blocks
from support_words import context, differences, models, overall, pairwise, tables, untraced

GIVEN = {"tasks": {"small": 0.4, "large": 0.5, "byte-ngram": 0.4}}
ROLES = {"small": "baseline", "large": "baseline", "byte-ngram": "control"}


def test_a_pair_shows_its_verdict_p_power_and_counts_of_its_own_row():
    found = tables(models(ROLES), pairwise(GIVEN, {("tasks", "small", "large"): "worse"}),
                   differences("large", "small", {"cloze": ("better", "tie", "worse")}))  # fmt: skip
    blocks = list(pair_blocks(context(found)))
    grids = {block.name: block for block in blocks if isinstance(block, Grid)}
    assert set(grids) == {"pairs-tasks", "differences-models"}
    first = grids["pairs-tasks"].rows[0]
    assert [cell.text for cell in first] == [
        "small − large", "▼ −0.100", "<\u00a00.001", "0.030", "1–0–5", "300"
    ]  # fmt: skip
    assert first[1].mark == "worse" and grids["pairs-tasks"].rows[1][1].text == "= 0.000"
    assert "Holm-corrected over 3 pairs" in grids["pairs-tasks"].caption
    assert grids["differences-models"].folded
    assert [cell.text for cell in grids["differences-models"].rows[0][1:]] == [
        "▲ +0.100", "= +0.200", "▼ +0.300"
    ]  # fmt: skip
    assert untraced(blocks, found) == []
    assert untraced(blocks, found | tables(pairwise(GIVEN, {}, mde=0.04)))
    assert len([block for block in blocks if isinstance(block, Gallery)]) == 1


def test_of_many_models_only_the_leaders_pairs_are_listed():
    names = [f"m{n:02d}" for n in range(20)]
    given = {"tasks": {name: 0.01 * n for n, name in enumerate(names)}}
    found = tables(models(dict.fromkeys(names, "external")), overall(given), pairwise(given, {}))
    (grid,) = [block for block in pair_blocks(context(found)) if isinstance(block, Grid)]
    assert len(grid.rows) == 19 and grid.folded
    assert all("m19" in row[0].text for row in grid.rows)
    assert "Of 190 pairs these are the 19 of m19; the file has all." in grid.caption


def test_a_single_model_is_compared_with_nobody():
    assert list(pair_blocks(context(tables(models({"one": "baseline"}))))) == [
        Paragraph("Fewer than two models share an item, so nothing is compared.", "gap")
    ]
