"""What changed between two reports: more than noise, no more than noise, or not comparable."""

import numpy as np
import pytest
from skald_report.over_time.changes import INDEPENDENT, changes
from skald_report.over_time.writing import compared
from skald_report.tables.file import read_report, rows_of
from skald_specs.errors import UserInputError
from skald_specs.files import read_json, write_json
from support_over_time import EVALUATION, first_cycle, next_cycle, retrained

#: Nothing here is asked of figures.
pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def old(undrawn, tmp_path_factory):
    return first_cycle(tmp_path_factory.mktemp("first"))


@pytest.fixture(scope="module")
def better(old, tmp_path_factory):
    """The first baseline, retrained: every text takes half the bits, pairs move by one item."""

    def change(row):
        if row["model"] == "mini-2.6b":
            if row["kind"] == "text":
                return row | {"score": row["score"] / 2}
            if (row["kind"], row["item_id"]) == ("pairs", "pairs-0"):
                return row | {"score": 1 - row["score"]}
        return row

    root = tmp_path_factory.mktemp("better")
    return next_cycle(old, root, change, retrained("mini-2.6b"))


def rows(found, name="scores", **wanted):
    frame = found.judged[name].frame
    for column, value in wanted.items():
        frame = frame[frame[column] == value]
    return frame


def test_a_report_against_itself_is_the_same_byte_for_byte(old):
    made = compared(old / "report", old / "report")
    assert made.said == ("The two reports are the same, byte for byte: nothing changed.",)
    for table in made.found.judged.values():
        assert set(table.frame["verdict"]) == {"same"}
        assert (table.frame["p"] == 1).all()
    assert not len(made.found.flipped.frame) and not len(made.found.provenance.frame)


def test_a_large_change_is_better_and_one_item_is_noise(old, better):
    found = compared(old / "report", better / "report").found
    text = rows(found, model="mini-2.6b", kind="text")
    assert len(text) >= 2 and set(text["verdict"]) == {"better"}
    assert set(text["weights"]) == {"other"}
    pairs = rows(found, model="mini-2.6b", kind="pairs")
    assert set(pairs["verdict"]) == {"noise"} and (pairs["change"] != 0).all()
    assert set(rows(found, model="mini-7.8b")["verdict"]) == {"same"}
    back = compared(better / "report", old / "report").found
    assert set(rows(back, model="mini-2.6b", kind="text")["verdict"]) == {"worse"}


def test_the_independent_interval_follows_from_both_intervals(old, better):
    row = rows(compared(old / "report", better / "report").found, kind="pairs").iloc[0]
    halves = []
    for root in (old, better):
        (own,) = [
            r
            for r in rows_of(read_report(root / "report"), "scores")
            if all(r[k] == row[k] for k in ("task", "language", "model"))
        ]
        halves.append(max((own["high"] - own["low"]) / 2, 1.959964 * own.get("standard_error", 0)))
    assert (row["high"] - row["low"]) / 2 == pytest.approx(np.hypot(*halves), rel=1e-6)
    assert row["test"] == INDEPENDENT


def test_records_of_the_same_items_give_narrower_intervals(old, better):
    evaluations = (old / EVALUATION, better / EVALUATION.parent)
    alone = compared(old / "report", better / "report").found
    paired = compared(old / "report", better / "report", evaluations).found
    at = {"model": "mini-2.6b", "kind": "text", "language": "da"}
    (far,), (near,) = (f.to_dict("records") for f in (rows(alone, **at), rows(paired, **at)))
    assert near["test"] == "paired cluster t" and near["change"] == far["change"]
    assert near["low"] <= near["change"] <= near["high"]
    assert near["high"] - near["low"] < far["high"] - far["low"]
    (far,), (near,) = (
        rows(f, "overall", measure="text", scope="mean", model="mini-2.6b").to_dict("records")
        for f in (alone, paired)
    )
    assert near["test"] == "paired t over keys" and far["test"] == INDEPENDENT
    assert near["low"] <= near["change"] <= near["high"]
    assert near["high"] - near["low"] < far["high"] - far["low"]
    for name in ("scores", "overall"):
        own = paired.judged[name].frame
        own = own[(own["scope"] if name == "overall" else own["language"]) != "worst"]
        assert (own["test"] != INDEPENDENT).all()
    for name in ("pairwise", "differences"):
        assert (paired.judged[name].frame["test"] != INDEPENDENT).all()
        widths = [f.judged[name].frame.eval("high - low").sum() for f in (alone, paired)]
        assert widths[1] < widths[0] / 2
    # One flipped item of forty: nothing that a paired test would call a change either.
    assert set(rows(paired, model="mini-2.6b", kind="pairs")["verdict"]) == {"noise"}


def test_answers_that_were_only_mended_count_for_more_in_pairs(old, tmp_path):
    """Half the wrong answers mended, none spoilt: paired tests see what independent ones cannot."""

    def change(row):
        mended = row["model"] == "byte-ngram" and row["kind"] == "pairs" and row["score"] == 0
        return row | {"score": float(int(row["item_id"].split("-")[1]) % 2)} if mended else row

    new = next_cycle(old, tmp_path, change, retrained("byte-ngram"))
    folders = [(old / EVALUATION, new / EVALUATION), None]
    paired, alone = (compared(old / "report", new / "report", f).found for f in folders)
    at = {"model": "byte-ngram", "kind": "pairs", "language": "da"}
    assert rows(paired, **at)["p"].item() < rows(alone, **at)["p"].item()


def test_records_of_other_weights_than_the_report_are_refused(old, better):
    with pytest.raises(UserInputError, match=r"model 'mini-2\.6b' has other weights than in"):
        compared(old / "report", better / "report", (better / EVALUATION, better / EVALUATION))
    with pytest.raises(UserInputError, match="holds no evaluation"):
        compared(old / "report", better / "report", (old / "report", better / EVALUATION))


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [("version", 2.0, "other task version"), ("data_sha256", "1" * 64, "other items")],
)
def test_other_items_are_not_comparable(old, tmp_path, field, value, why):
    def change(summary):
        for task in summary["tasks"]:
            if task["name"] == "core_text_da":
                task[field] = value

    new = next_cycle(old, tmp_path, lambda row: row, change)
    made = compared(old / "report", new / "report")
    apart = rows(made.found, verdict="not comparable")
    assert set(apart["why"]) == {why} and set(apart["kind"]) == {"text"}
    # The language itself and the mean that it is part of; not the other language.
    assert "da" in set(apart["language"]) and "sv" not in set(apart["language"])
    assert apart["p_holm"].isna().all()
    assert any(f"not comparable ({len(apart)} {why})" in sentence for sentence in made.said)


@pytest.mark.parametrize(
    ("edit", "verdicts"),
    [
        (lambda tags: tags[::-1], {"same"}),
        (lambda tags: [*tags[:-1], "fo"], {"not comparable"}),
    ],
    ids=["another order", "another language"],
)
def test_a_mean_is_over_the_same_languages_in_any_order(old, tmp_path, edit, verdicts):
    report = read_report(old / "report")
    table = report["tables"]["scores"]
    column, edited = table["columns"].index("languages"), 0
    for row in table["rows"]:
        if len(tags := (row[column] or "").split()) > 1:
            edited += 1
            row[column] = " ".join(edit(tags))
    write_json(tmp_path / "report.json", report)
    found = changes(read_report(old / "report"), read_json(tmp_path / "report.json"))
    means = rows(found, language="mean")
    assert len(means) == edited > 0 and set(means["verdict"]) == verdicts
    assert set(found.judged["scores"].frame.query("language != 'mean'")["verdict"]) == {"same"}


def test_what_is_new_and_what_is_gone_is_named(old, tmp_path):
    def without(row):
        return None if row["model"] == "byte-ngram" or row["kind"] == "cloze" else row

    new = next_cycle(old, tmp_path, without)
    said = " ".join(compared(old / "report", new / "report").said)
    assert "Models gone: byte-ngram." in said and "Tasks gone: cloze choices." in said
    said = " ".join(compared(new / "report", old / "report").said)
    assert "New models: byte-ngram." in said and "New tasks: cloze choices." in said


def test_a_verdict_that_flipped_is_named(old, tmp_path):
    def swapped(row):
        if row["kind"] != "text" or not row["model"].startswith("mini"):
            return row
        return row | {"score": row["score"] + (0.6 if row["model"] == "mini-7.8b" else 0)}

    new = next_cycle(old, tmp_path, swapped, retrained("mini-7.8b"))
    made = compared(old / "report", new / "report")
    flipped = made.found.flipped.frame
    own = flipped[(flipped["model"] == "mini-7.8b") & (flipped["reference"] == "mini-2.6b")]
    assert {*own["verdict_old"]} == {"better"} and {*own["verdict_new"]} == {"worse"}
    assert any("Verdicts that are others now" in sentence for sentence in made.said)


def test_the_same_weights_with_another_figure_are_another_measurement(old, tmp_path):
    new = next_cycle(
        old, tmp_path, lambda row: row | {"score": row["score"] * 1.01 * (row["kind"] == "text")}
    )
    said = compared(old / "report", new / "report").said
    assert any("what changed is how it was measured, not the model" in line for line in said)
    assert not any("Other weights" in line for line in said)


def test_figures_without_an_interval_have_no_verdict(old, tmp_path):
    report = read_report(old / "report")
    table = report["tables"]["scores"]
    low = table["columns"].index("low")
    high, score = table["columns"].index("high"), table["columns"].index("score")
    for row in table["rows"]:
        row[low] = row[high] = None
        row[score] += 0.25
    if "standard_error" in table["columns"]:
        for row in table["rows"]:
            row[table["columns"].index("standard_error")] = None
    write_json(tmp_path / "report.json", report)
    found = changes(read_report(old / "report"), read_json(tmp_path / "report.json"))
    assert set(rows(found)["verdict"]) == {"no interval"}
