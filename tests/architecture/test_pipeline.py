"""dvc.yaml: plain `skald` commands, on files that exist, with each output written once."""

import shlex

import yaml
from skald_cli.main import build_parser
from skald_specs.params import Params
from support import ROOT

PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
PARAMS = Params.load(ROOT / "params.yaml")


def fill(text: str) -> str:
    """Resolve DVC's templates with the first of each list."""
    for key, value in {
        "${sweep}": PARAMS.sweep,
        "${item.baseline}": PARAMS.baselines[0],
        "${item.suite}": PARAMS.suites[0],
    }.items():
        text = text.replace(key, value)
    assert "$" not in text
    return text


def test_every_command_is_a_verb_of_ours() -> None:
    for name, stage in PIPELINE["stages"].items():
        program, *words = shlex.split(fill(stage["cmd"]))
        assert program == "skald", name
        build_parser().parse_args(words)


def test_the_stations_run_in_the_order_of_the_house() -> None:
    assert list(PIPELINE["stages"]) == [
        "corpus", "sweep", "law", "plan", "train", "export", "evaluate", "report",
    ]  # fmt: skip


def test_every_dependency_is_in_the_repository_or_made_before() -> None:
    made = {"data/text", "data/items"}
    for name, stage in PIPELINE["stages"].items():
        for dependency in map(fill, stage["deps"]):
            known = (ROOT / dependency).exists() and not dependency.startswith(
                ("artifacts", "data")
            )
            inside = any(dependency.startswith(out) or out.startswith(dependency) for out in made)
            assert known or inside, f"{name}: {dependency}"
        made |= {fill(out) for out in stage["outs"]}


def test_every_stage_depends_on_the_source_of_its_station() -> None:
    station = {
        "corpus": "corpus", "sweep": "trainer", "law": "planner", "plan": "planner",
        "train": "trainer", "export": "mup", "evaluate": "harness", "report": "report",
    }  # fmt: skip
    for name, stage in PIPELINE["stages"].items():
        assert f"packages/{station[name]}/src" in stage["deps"]
        assert "packages/specs/src" in stage["deps"]


def test_outputs_do_not_overlap_and_nothing_writes_data() -> None:
    outs = [fill(out) for stage in PIPELINE["stages"].values() for out in stage["outs"]]
    assert len(set(outs)) == len(outs)
    for out in outs:
        assert not out.startswith("data")
        assert not any(other != out and other.startswith(f"{out}/") for other in outs)
