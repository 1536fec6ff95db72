"""Pairs of models in two reports: named either way round, in one report alone, or of other things."""

from pathlib import Path

import pytest
from skald_report.over_time.changes import changes
from skald_report.over_time.words import sentences
from skald_report.over_time.writing import compared
from skald_report.tables.file import read_report, rows_of
from support_over_time import first_cycle, next_cycle
from support_report import BASELINES

OF_PAIRS = ("pairwise", "differences")


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    return first_cycle(tmp_path_factory.mktemp("first"))


@pytest.fixture(scope="module")
def turned(old, tmp_path_factory):
    """The same records, the baselines named in the other order."""
    return next_cycle(old, tmp_path_factory.mktemp("turned"), names=reversed(BASELINES))


def read(folder: Path):
    return read_report(folder / "report")


def test_another_order_of_the_baselines_loses_no_pair_and_changes_none(old, turned):
    before, after = read(old), read(turned)
    found = changes(before, after)
    for name in OF_PAIRS:
        frame = found.judged[name].frame
        assert len(frame) == len(rows_of(before, name)) == len(rows_of(after, name))
        assert set(frame["verdict"]) == {"same"} and found.alone[name] == (0, 0)
        # The order is another one in truth, so the pairs were turned.
        named = [{(r["model"], r["reference"]) for r in rows_of(x, name)} for x in (before, after)]
        assert named[0] != named[1]
    assert found.flipped.frame.empty
    assert not [said for said in sentences(found, False) if "only in the" in said]


def test_paired_tests_hold_for_turned_pairs(old, turned):
    folders = tuple(root / "artifacts" / "eval" / "core" for root in (old, turned))
    found = compared(old / "report", turned / "report", folders).found
    for name in OF_PAIRS:
        frame = found.judged[name].frame
        assert set(frame["verdict"]) == {"same"} and set(frame["test"]) != {"independent"}
        assert (frame["low"] <= 0).all() and (frame["high"] >= 0).all()


def test_a_flip_is_found_through_the_other_order(old, turned):
    before, after = read(old), read(turned)
    at = after["tables"]["pairwise"]
    place = at["columns"].index("verdict")
    for row in at["rows"]:
        if set(row[1:3]) == set(BASELINES):
            row[place] = "tie"
    flipped = changes(before, after).flipped.frame
    assert len(flipped) and {frozenset(x) for x in flipped[["model", "reference"]].to_numpy()} == {
        frozenset(BASELINES)
    }
    was = {r["measure"]: r["verdict"] for r in rows_of(before, "pairwise")
           if {r["model"], r["reference"]} == set(BASELINES)}  # fmt: skip
    mirror = {"better": "worse", "worse": "better"}
    for row in flipped.to_dict("records"):
        assert row["verdict_old"] == mirror[was[row["measure"]]] and row["verdict_new"] == "tie"


def test_pairs_that_one_report_alone_has_are_counted(old, tmp_path):
    new = next_cycle(old, tmp_path, lambda r: None if r["model"] == "byte-ngram" else r)
    found = changes(read(old), read(new))
    n_old, n_new = (len(rows_of(read(root), "pairwise")) for root in (old, new))
    n_both = len(found.judged["pairwise"].frame)
    assert found.alone["pairwise"] == (n_old - n_both, n_new - n_both)
    (said,) = [x for x in sentences(found, False) if "comparisons of two models by" in x]
    for count, side in zip(found.alone["pairwise"], ("old", "new"), strict=True):
        assert (f"{count} only in the {side} report" in said) == (count > 0)
    assert sum(found.alone["pairwise"])


def test_a_flipped_verdict_of_other_items_is_said_to_be_not_comparable(old, tmp_path):
    def spoil(row):
        return (
            row | {"score": 0.0} if row["model"] == "mini-7.8b" and row["kind"] == "pairs" else row
        )

    def other(summary):
        for task in summary["tasks"]:
            if task["name"] == "core_pairs_da":
                task["data_sha256"] = "1" * 64

    new = next_cycle(old, tmp_path, spoil, other)
    made = compared(old / "report", new / "report")
    frame = made.found.flipped.frame
    there = frame[frame["table"] == "differences"].set_index("language")
    assert set(there.loc[["da"], "why"]) == {"other items"} and set(there.loc[["sv"], "why"]) == {
        ""
    }
    said = [
        part for x in made.said if x.startswith("Verdicts that are others") for part in x.split(";")
    ]
    found = [part for part in said if "(pairs, " in part]
    assert {"not comparable: other items" in part for part in found if "(pairs, da)" in part} == {
        True
    }
    assert not any("not comparable" in part for part in found if "(pairs, sv)" in part)
