"""`skald report build` refuses what it was not meant to be given, and leaves the last page as it is."""

import pytest
from skald_cli import places
from skald_cli.main import main
from support import ROOT
from support_report import BASELINES, write_inputs

PARAMS = ROOT / places.PARAMS


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("build")
    write_inputs(root, languages=("da",), n_items=12)
    (root / "empty").mkdir()
    return root


def build(root, *words):
    return main(["report", "build", *map(str, words), "--out", str(root / "out")])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--suites", "core", "--artifacts", "nowhere"], "nowhere: no such folder"),
        (["--artifacts", "empty"], "runs/mini-2.6b: no such run. Check the name. Models without"),
        (["--suites", "core", "nosuch"], "eval/nosuch: no evaluation (summary.json). Run"),
        (["--suites", "core", "--published", "empty"], "empty: no published scores (*.csv)"),
    ],
)
def test_a_mistyped_folder_is_refused_and_the_last_page_stays(
    root, words, said, monkeypatch, capsys
):
    monkeypatch.chdir(root)
    monkeypatch.setattr(places, "PARAMS", PARAMS)
    (root / "out").mkdir(exist_ok=True)
    (root / "out" / "report.json").write_text("{}", encoding="utf-8")
    given = [] if "--artifacts" in words else ["--artifacts", "artifacts"]
    assert build(root, BASELINES[0], *words, *given) == 2
    shown = capsys.readouterr()
    assert said in shown.err and shown.err.count("\n") == 1 and shown.out == ""
    assert [path.name for path in (root / "out").iterdir()] == ["report.json"]


def test_a_folder_of_no_station_is_refused(root, monkeypatch, capsys):
    monkeypatch.chdir(root)
    monkeypatch.setattr(places, "PARAMS", PARAMS)
    assert main(["report", "build", "--artifacts", "empty", "--out", "new"]) == 2
    assert "empty: holds no evaluation of core" in capsys.readouterr().err
    assert not (root / "new").exists()


def test_runs_without_an_evaluation_have_a_page_with_gaps(root, monkeypatch, capsys):
    monkeypatch.chdir(root)
    monkeypatch.setattr(places, "PARAMS", PARAMS)
    (root / "runs-alone").mkdir()
    for name in ("runs", "plan"):
        if (root / "artifacts" / name).is_dir():
            (root / "runs-alone" / name).symlink_to(root / "artifacts" / name)
    assert main(["report", "build", "--artifacts", "runs-alone", "--out", "gaps"]) == 0
    assert 'class="gap"' in (root / "gaps" / "index.html").read_text(encoding="utf-8")
    # Only the cycle's own report has a manifest.
    assert not (root / "artifacts" / "manifests").exists()
