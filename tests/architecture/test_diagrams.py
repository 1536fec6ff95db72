"""The diagrams of docs/architecture.md are what dvc.yaml and the imports say today."""

import importlib.util

import pytest
from support import ROOT


def drawing_module():
    spec = importlib.util.spec_from_file_location("diagrams", ROOT / "docs" / "diagrams.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


diagrams = drawing_module()


@pytest.fixture(scope="module")
def drawn():
    return diagrams.pictures()


@pytest.mark.parametrize("name", ["stations.svg", "packages.svg"])
def test_the_picture_is_what_would_be_drawn_today(drawn, name):
    kept = (ROOT / "docs" / "pictures" / name).read_text(encoding="utf-8")
    assert drawn[name] == kept, "run `python docs/diagrams.py`"


def test_another_graph_gives_another_picture():
    boxes, edges = diagrams.stations()
    whole = diagrams.drawn("t", boxes, edges)
    assert diagrams.drawn("t", boxes, edges - {("train", "export")}) != whole


def test_what_follows_from_other_edges_is_left_out_and_nothing_else():
    edges = frozenset({("a", "b"), ("b", "c"), ("a", "c"), ("a", "d")})
    assert diagrams.reduced(edges) == {("a", "b"), ("b", "c"), ("a", "d")}
    assert diagrams.levels("abcd", edges) == [["a"], ["b", "d"], ["c"]]


def test_every_package_and_stage_has_a_box(drawn):
    boxes, edges = diagrams.packages()
    assert set(boxes) == {path.name for path in (ROOT / "packages").iterdir() if path.is_dir()}
    assert ("trainer", "mup") in edges and ("trainer", "harness") not in edges
    assert "imports nanotron" in drawn["packages.svg"]
