"""The reports of releases: kept whole, never replaced, all reachable from one page."""

import os
import re
import shutil
from datetime import date

import pytest
from skald_report.over_time import releases as kept
from skald_report.over_time.releases import release, releases
from skald_specs.errors import UserInputError
from skald_specs.files import read_json, write_json
from support_over_time import first_cycle

#: Nothing here is asked of figures.
pytestmark = pytest.mark.usefixtures("undrawn")

TODAY = date(2026, 2, 3)


@pytest.fixture(scope="module")
def report(undrawn, tmp_path_factory):
    return first_cycle(tmp_path_factory.mktemp("first"), n_items=12) / "report"


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_release_is_the_report_as_it_was(report, tmp_path):
    first = release(report, tmp_path, "v0.1.0", TODAY)
    own = files(first)
    assert own.pop("release.json")
    assert own == files(report)
    second = release(report, tmp_path, "v0.2.0", TODAY)
    assert files(first).keys() == own.keys() | {"release.json"}
    assert [r.name for r in releases(tmp_path)] == ["v0.1.0", "v0.2.0"]
    assert "nothing changed" in (second / "changes" / "README.md").read_text(encoding="utf-8")


def test_every_release_is_reachable_from_the_index(report, tmp_path):
    shutil.copytree(report, tmp_path / "reference")
    for name in ("b", "a", "c"):
        release(report, tmp_path, name, TODAY)
    index = (tmp_path / "README.md").read_text(encoding="utf-8")
    # The last release first, whatever the letters.
    assert re.findall(r"^## (.*)", index, re.M) == ["c", "a", "b"]
    links = re.findall(r"\]\(([^)]+)\)", index)
    assert links[:2] == ["reference/README.md", "reference/index.html"]
    assert "releases/a/changes/README.md" in links and "releases/b/changes/README.md" not in links
    assert all((tmp_path / link).is_file() and "://" not in link for link in links)
    assert "2026-02-03: mini-2.6b, mini-7.8b." in index


def test_a_release_is_never_replaced(report, tmp_path):
    folder = release(report, tmp_path, "v1", TODAY)
    before = files(tmp_path)
    with pytest.raises(UserInputError, match="is a release already"):
        release(report, tmp_path, "v1", TODAY)
    assert files(tmp_path) == before and folder.is_dir()


@pytest.mark.parametrize("name", ["", ".", "..", "../up", "a/b", "-v", "a b", "x" * 65, "é", "a\n"])
def test_a_name_stays_in_its_folder(report, tmp_path, name):
    with pytest.raises(UserInputError, match="Choose another name"):
        release(report, tmp_path / "reports", name, TODAY)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("lacking", "said"),
    [
        ("index.html", "no index.html"),
        ("tables/scores.csv", "no tables/scores.csv"),
        ("README.md", "no such file"),
        ("report.json", "no such file"),
    ],
)
def test_an_incomplete_report_is_not_released(report, tmp_path, lacking, said):
    copy = shutil.copytree(report, tmp_path / "report")
    (copy / lacking).unlink()
    with pytest.raises(UserInputError, match=said):
        release(copy, tmp_path / "reports", "v1", TODAY)
    assert not (tmp_path / "reports").exists()


def test_a_missing_figure_and_a_report_without_scores_are_not_released(report, tmp_path):
    copy = shutil.copytree(report, tmp_path / "report")
    next((copy / "figures").glob("*.svg")).unlink()
    with pytest.raises(UserInputError, match="no figures/"):
        release(copy, tmp_path / "reports", "v1", TODAY)
    shutil.rmtree(copy)
    shutil.copytree(report, copy)
    content = read_json(copy / "report.json")
    del content["tables"]["scores"]
    write_json(copy / "report.json", content)
    with pytest.raises(UserInputError, match="has no scores"):
        release(copy, tmp_path / "reports", "v1", TODAY)


def test_a_full_disk_leaves_no_half_release(report, tmp_path, monkeypatch):
    release(report, tmp_path, "v1", TODAY)
    before = files(tmp_path)

    def full(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(kept, "fill", full)
    with pytest.raises(UserInputError, match="the disk is full"):
        release(report, tmp_path, "v2", TODAY)
    assert files(tmp_path) == before
    assert [p.name for p in (tmp_path / "releases").iterdir()] == ["v1"]
