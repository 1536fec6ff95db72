"""Bad input through the command line: the page says what it cannot say, or one line says what to mend."""

import dataclasses
import errno
import json
import os
import shutil
from pathlib import Path

import pytest
from skald_cli.main import main
from skald_report.build import build as build_report
from skald_specs.files import read_json, read_jsonl, write_json, write_jsonl
from support import ROOT
from support_report import BASELINES, write_inputs

#: Nothing here is asked of figures.
pytestmark = pytest.mark.usefixtures("undrawn")

TAGS = ("da", "sv")


@pytest.fixture(scope="module")
def made(undrawn, tmp_path_factory):
    """A small cycle's artifacts and their report."""
    root = tmp_path_factory.mktemp("made")
    inputs = write_inputs(root, languages=TAGS, n_items=8)
    (root / "artifacts" / "plan" / "fit.json").unlink()
    build_report(dataclasses.replace(inputs, published=None, fit=None), root / "reports" / "latest")
    return root


@pytest.fixture
def artifacts(made, tmp_path, monkeypatch):
    """Stand in a folder with that cycle and no report."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made, tmp_path, dirs_exist_ok=True, ignore=lambda *_: ["reports"])
    return tmp_path / "artifacts"


@pytest.fixture
def report(made, artifacts):
    """Stand in a folder with that cycle and its report."""
    shutil.copytree(made / "reports", "reports")
    return Path("reports/latest")


@pytest.fixture
def skald(artifacts, capsys):
    """Return a function that runs a verb and returns its exit code and its only line of error."""

    def run(*words):
        code = main(["report", *map(str, words)])
        said = capsys.readouterr()
        if code == 2:
            assert said.err.startswith("skald: ") and said.err.count("\n") == 1
        else:
            assert not said.err
        return code, said.err

    return run


def build(skald, *more):
    return skald("build", *BASELINES, "--suites", "core", *more)


def page():
    return Path("reports/latest/README.md").read_text(encoding="utf-8").replace("\\", "")


def change(artifacts, item=lambda row: row, summary=lambda found: None):
    folder = artifacts / "eval" / "core"
    rows = [made for row in read_jsonl(folder / "items.jsonl") if (made := item(row)) is not None]
    write_jsonl(folder / "items.jsonl", rows)
    found = read_json(folder / "summary.json")
    summary(found)
    write_json(folder / "summary.json", found)


def test_without_records_the_page_makes_no_claim(artifacts, skald):
    for path in (artifacts / "eval" / "core").iterdir():
        path.unlink()
    (artifacts / "eval" / "core").rmdir()
    code, said = build(skald)
    assert code == 2 and "eval/core: no evaluation (summary.json)" in said
    # Only a suite that was typed has to be there.
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    assert skald("build", *BASELINES)[0] == 0
    assert "No evaluation was given, so this page makes no claim." in page()
    assert skald("release", "v1") == (
        2,
        "skald: reports/latest: is not complete: it has no scores. Run `skald evaluate`, then build it again\n",
    )


def test_an_empty_file_of_records_is_an_error(artifacts, skald):
    (artifacts / "eval" / "core" / "items.jsonl").write_text("", encoding="utf-8")
    code, said = build(skald)
    assert code == 2 and "items.jsonl: holds no item records. Run `skald evaluate` again" in said
    assert not Path("reports").exists() or not list(Path("reports").iterdir())


def test_an_item_scored_twice_is_an_error(artifacts, skald):
    path = artifacts / "eval" / "core" / "items.jsonl"
    first = path.read_text(encoding="utf-8").splitlines(keepends=True)[0]
    path.write_text(path.read_text(encoding="utf-8") + first, encoding="utf-8")
    code, said = build(skald)
    row = json.loads(first)
    assert code == 2
    assert (
        f"item {row['item_id']!r} of task {row['task']!r} is scored twice for {row['model']!r}"
        in said
    )


def test_one_model_asked_other_versions_of_the_items_is_an_error(artifacts, skald):
    def renamed(row):
        other = (row["model"], row["item_id"]) == ("mini-7.8b", "pairs-0")
        return row | {"key": "another scene"} if other else row

    change(artifacts, renamed)
    code, said = build(skald)
    assert code == 2 and "they were asked different versions of it" in said


def test_a_model_without_a_language_is_named_and_has_no_mean_over_it(artifacts, skald):
    def without(row):
        return None if (row["model"], row["language"]) == ("mini-2.6b", "sv") else row

    change(artifacts, without)
    assert build(skald)[0] == 0
    assert "mini-2.6b has no score on" in page() and "for sv" in page()
    overall = read_json(Path("reports/latest/report.json"))["tables"].get("overall")
    if overall:
        rows = [dict(zip(overall["columns"], row, strict=True)) for row in overall["rows"]]
        assert not [r for r in rows if r["model"] == "mini-2.6b" and r["scope"] == "sv"]


def test_without_variance_there_is_no_winner(artifacts, skald):
    change(artifacts, lambda row: row | {"score": 1.0 if row["kind"] != "text" else 2.0})
    assert build(skald)[0] == 0
    report = read_json(Path("reports/latest/report.json"))
    for name in {"differences", "pairwise"} & report["tables"].keys():
        table = report["tables"][name]
        at = table["columns"].index("verdict")
        assert {row[at] for row in table["rows"]} == {"tie"}
    assert "tied" in page() or "no difference is beyond noise" in page()


def test_a_single_seed_is_said_to_leave_training_noise_unknown(report, skald):
    assert "No model was trained again with another seed" in page()


def test_what_is_no_report_is_one_line(report, skald):
    good, bad = report, Path("bad")
    bad.mkdir()
    whole = (good / "report.json").read_text(encoding="utf-8")
    (bad / "report.json").write_text(whole[: len(whole) // 2], encoding="utf-8")
    code, said = skald("compare", good, bad)
    assert code == 2 and "bad/report.json:" in said and "not JSON" in said
    write_json(bad / "report.json", json.loads(whole) | {"schema_version": 1})
    code, said = skald("compare", bad, good)
    assert code == 2
    assert "bad/report.json: not a report of schema 2" in said and "Build the report again" in said
    (bad / "report.json").unlink()
    code, said = skald("compare", good, bad)
    assert code == 2 and "bad/report.json: no such file" in said
    # A file where a folder should be, and a name that is a folder.
    Path("letter").write_text("x", encoding="utf-8")
    code, said = skald("compare", good, "letter")
    assert code == 2 and "letter/report.json: cannot be read (Not a directory)" in said
    (bad / "report.json").mkdir()
    code, said = skald("compare", good, bad)
    assert code == 2 and "bad/report.json: is a folder, not a file" in said


@pytest.mark.skipif(not os.geteuid(), reason="root reads everything")
def test_a_folder_that_may_not_be_read_is_one_line(report, skald):
    Path("closed").mkdir(mode=0o000)
    code, said = skald("compare", "reports/latest", "closed")
    assert code == 2 and "closed/report.json: cannot be read (Permission denied)" in said


def test_a_table_of_other_columns_is_one_line(report, skald):
    """A report cut inside a table, mended by hand to be JSON again."""
    Path("bad").mkdir()
    content = read_json(report / "report.json")
    content["tables"]["scores"]["rows"][0] = content["tables"]["scores"]["rows"][0][:3]
    write_json(Path("bad/report.json"), content)
    code, said = skald("compare", "reports/latest", "bad")
    assert code == 2 and "bad/report.json: table `scores` has a row of 3 values for" in said
    del content["tables"]
    write_json(Path("bad/report.json"), content)
    code, said = skald("compare", "reports/latest", "bad")
    assert code == 2 and "bad/report.json: has no tables" in said


def test_a_report_against_itself_is_the_same(report, skald):
    assert skald("compare", "reports/latest", "reports/latest", "--out", "same") == (0, "")
    said = Path("same/README.md").read_text(encoding="utf-8")
    assert "The two reports are the same, byte for byte: nothing changed." in said


def test_a_disk_that_takes_no_more_leaves_the_earlier_report(report, skald, monkeypatch):
    compared = ("compare", "reports/latest", "reports/latest", "--out", "same")
    assert skald(*compared)[0] == 0
    assert skald("release", "v1")[0] == 0

    def files():
        folders = ("reports", "same")
        return {p: p.read_bytes() for f in folders for p in Path(f).rglob("*") if p.is_file()}

    before = files()
    write, left, number = Path.write_bytes, [3], [errno.ENOSPC]

    def full(path, content):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(number[0], os.strerror(number[0]))
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    code, line = build(skald)
    assert code == 2 and "the disk is full. Free some space" in line
    for number[0], said in (
        (errno.ENOSPC, "the disk is full. Free some space"),
        (errno.EACCES, "cannot be written to. Choose a writable output folder"),
        (errno.EROFS, "cannot be written to. Choose a writable output folder"),
    ):
        for words in (compared, ("release", "v2")):
            left[0] = 3
            code, line = skald(*words)
            assert code == 2 and said in line
    assert files() == before


def test_a_place_that_takes_no_folder_is_one_line(artifacts, skald):
    Path("letter").write_text("x", encoding="utf-8")
    code, said = build(skald, "--out", "letter")
    assert code == 2 and "letter: is a file, not a folder" in said
    code, said = build(skald, "--out", "letter/page")
    assert code == 2 and "letter/page: a file is in the way of a folder" in said
    assert Path("letter").read_text(encoding="utf-8") == "x"


def test_a_folder_with_other_files_is_nobodys_report(artifacts, skald):
    Path("own").mkdir()
    Path("own/letter").write_text("x", encoding="utf-8")
    code, said = build(skald, "--out", "own")
    assert code == 2 and "own: holds other files (no report.json among them)" in said
    assert [path.name for path in Path("own").iterdir()] == ["letter"]
