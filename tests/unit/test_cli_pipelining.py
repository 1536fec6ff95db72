"""A sources file as DVC stages: each names what it reads, all of it, and nobody's file is overwritten."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from skald_cli import corpora
from skald_cli.main import build_parser, main
from skald_cli.pipelining import Pipeline, write
from skald_cli.pipelining import main as pipelining
from skald_specs.errors import UserInputError
from skald_specs.files import write_yaml
from skald_specs.stages import STAGES
from support import ROOT
from support_corpus import small_recipe
from support_sources import write_sources

FILE = Path("sources/sources.yaml")
PIPELINE = Path("corpora/tiny/dvc.yaml")
INPUTS = "corpora/tiny/inputs.yaml"
OUT = "artifacts/corpora/tiny"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_sources(tmp_path / "sources")
    (tmp_path / ".dvc").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def change(**blocks: object) -> None:
    value = yaml.safe_load(FILE.read_text(encoding="utf-8")) | blocks
    kept = {key: block for key, block in value.items() if block != "off"}
    FILE.write_text(yaml.safe_dump(kept, sort_keys=False), encoding="utf-8")


def stages(root: Path, keep_going: bool = False) -> dict[str, dict]:
    return Pipeline(FILE, root, keep_going).compiled().stages


def params(stage: dict) -> list[str]:
    entries = [entry for entry in stage.get("params", ()) if FILE.as_posix() in entry]
    return [key for entry in entries for key in entry[FILE.as_posix()]]


def left_out(stage: dict) -> list[str]:
    entries = [entry for entry in stage.get("params", ()) if INPUTS in entry]
    return [key for entry in entries for key in entry[INPUTS]]


def test_every_stage_is_a_verb_of_ours_with_its_folder(root: Path) -> None:
    found = stages(root)
    assert list(found) == [*STAGES, "card"]
    for name, stage in found.items():
        words = stage["cmd"].split()
        args = build_parser().parse_args(words[1:])
        assert words[0] == "skald" and args.stage == name and args.out == Path(OUT)
        assert stage["outs"][0] == f"{OUT}/{name}"
        for dep in stage["deps"]:
            assert dep.startswith(OUT) or (ROOT / dep).exists() or (root / dep).exists(), dep


def test_a_stage_tracks_the_keys_that_it_uses(root: Path) -> None:
    found = {name: params(stage) for name, stage in stages(root).items() if name != "card"}
    assert found == {
        "ingest": ["sources"], "rights": ["rights", "sources"], "normalise": [],
        "language": ["language"], "quality": ["quality", "sources"], "pii": ["pii"],
        "exact": ["duplicates"], "near": ["duplicates.near"],
        "decontaminate": ["decontamination"], "split": ["validation_fraction"],
    }  # fmt: skip
    # DVC takes no key that is not in the file: that it is left out is a value elsewhere.
    change(quality="off", pii="off", duplicates={"exact": True}, validation_fraction="off")
    found = {name: params(stage) for name, stage in stages(root).items() if name != "card"}
    assert found["quality"] == found["pii"] == found["split"] == []
    assert found["exact"] == ["duplicates.exact"] and found["near"] == ["duplicates"]
    _, now, inputs = Pipeline(FILE, root).compiled()
    assert left_out(now["quality"]) == ["left_out.quality"] and inputs["left_out"]["quality"]
    assert (
        left_out(now["split"]) == ["left_out.validation_fraction"] and left_out(now["near"]) == []
    )
    assert left_out(now["ingest"]) == ["left_out.rights_allow_licences", "files"]
    assert set(inputs["left_out"]) == {
        "quality",
        "pii",
        "validation_fraction",
        "rights_allow_licences",
    }
    change(rights={"allow_licences": ["My-Own"]})
    assert params(stages(root)["ingest"]) == ["sources", "rights.allow_licences"]
    change(shards={"recipe": "r.yaml", "mixture": {"method": "proportional", "max_epochs": 1.0}})
    assert params(stages(root)["shards"]) == ["shards", "decontamination.against"]
    assert stages(root)["card"]["params"] == [{FILE.as_posix(): None}, {INPUTS: ["files"]}]


def test_limits_that_are_linted_depend_on_the_reference_of_the_language(root: Path) -> None:
    change(quality={})
    quality = stages(root)["quality"]
    assert "sources/reference" in quality["deps"] and "language.reference" in params(quality)
    change(language="off")
    quality = stages(root)["quality"]
    assert "sources/reference" not in quality["deps"]
    assert left_out(quality) == ["left_out.language_reference"]


def test_keep_going_is_said_to_ingest_alone(root: Path) -> None:
    plain, going = stages(root), stages(root, keep_going=True)
    assert going["ingest"]["cmd"] == plain["ingest"]["cmd"] + " --keep-going"
    assert {n for n in plain if plain[n] != going[n]} == {"ingest"}


def test_files_outside_and_odd_names_are_kept_as_they_are(root: Path, tmp_path: Path) -> None:
    (tmp_path.parent / "far").mkdir(exist_ok=True)
    far = tmp_path.parent / "far" / "b ${x}.jsonl"
    shutil.copy("sources/text/da/a.jsonl", far)
    value = yaml.safe_load(FILE.read_text())["sources"]
    change(sources=[{**value[0], "path": str(far)}, value[1]])
    deps = stages(root)["ingest"]["deps"]
    assert str(far).replace("$", "\\$") in deps and "sources/text/sv/a.jsonl" in deps


def test_it_is_written_once_and_the_same_each_time(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert write(Pipeline(FILE, root)) == PIPELINE
    assert "11 stages written" in capsys.readouterr().out
    text, stamp = PIPELINE.read_bytes(), PIPELINE.stat().st_mtime_ns
    write(Pipeline(FILE.absolute(), root))
    assert "as before" in capsys.readouterr().out
    assert PIPELINE.stat().st_mtime_ns == stamp
    PIPELINE.unlink()
    write(Pipeline(FILE, root))
    assert PIPELINE.read_bytes() == text


def test_what_is_not_ours_is_left_alone(root: Path) -> None:
    PIPELINE.parent.mkdir(parents=True)
    PIPELINE.write_text("stages: {}\n")
    with pytest.raises(UserInputError, match="not made by Skald"):
        write(Pipeline(FILE, root))
    assert PIPELINE.read_text() == "stages: {}\n"
    PIPELINE.unlink()
    own = root / OUT / "ingest" / "mine.txt"
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    with pytest.raises(UserInputError, match="holds other files"):
        write(Pipeline(FILE, root))
    assert own.read_text() == "mine" and not PIPELINE.exists()


def test_two_sources_of_one_name_do_not_take_turns(root: Path) -> None:
    write(Pipeline(FILE, root))
    other = FILE.with_name("other.yaml")
    shutil.copy(FILE, other)
    with pytest.raises(UserInputError, match=r"belongs to sources/sources\.yaml"):
        write(Pipeline(other, root))
    FILE.unlink()
    write(Pipeline(other, root))
    for path in (PIPELINE, Path(INPUTS)):
        assert "other.yaml" in path.read_text().splitlines()[0]


def test_errors_are_one_line(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pipelining(["--from", str(FILE), "--no-run"]) == 0
    capsys.readouterr()
    shutil.rmtree("sources/text/da")
    assert pipelining(["--from", str(FILE), "--no-run"]) == 2
    shown = capsys.readouterr().err
    assert (
        shown.startswith("skald: source da-a: no file text/da/*.jsonl") and shown.count("\n") == 1
    )
    shutil.rmtree(".dvc")
    assert pipelining(["--from", str(FILE)]) == 2
    assert "checkout's root" in capsys.readouterr().err


@pytest.mark.parametrize("items", ["items", "../data/items"])
def test_data_is_checked_where_a_stage_reads_it(
    root: Path, monkeypatch: pytest.MonkeyPatch, items: str
) -> None:
    done: list[str] = []
    monkeypatch.setattr("skald_cli.pull.pull_missing", lambda _: done.append("pull"))
    monkeypatch.setattr("skald_cli.main.main", lambda words: done.append(" ".join(words)) or 0)
    monkeypatch.setattr("skald_cli.pipelining._become_dvc", lambda path: done.append(f"run {path}"))
    change(decontamination={"against": [{"path": items, "layout": "skald"}]})
    pipelining(["--from", str(FILE)])
    check = ["pull", "corpus generate --pin data.dvc"] if "data" in items else []
    assert done == [*check, f"run {PIPELINE}"]


_WATCH = """
import os, sys
from pathlib import Path
root, opened = Path.cwd(), set()
def hook(event, args):
    if event == "open" and isinstance(args[0], str | bytes | os.PathLike) and not args[2] & os.O_WRONLY:
        path = Path(os.path.abspath(os.fsdecode(args[0])))
        if path.is_relative_to(root) and path.is_file():
            opened.add(path.relative_to(root).as_posix())
sys.addaudithook(hook)
from skald_cli.main import main
code = main(sys.argv[1:])
Path("opened.txt").write_text("\\n".join(sorted(opened)))
sys.exit(code)
"""


@pytest.fixture
def traced(root: Path) -> Iterator[dict[str, set[str]]]:
    """What each stage really opens, run one after the other."""
    recipe = small_recipe(languages=("da", "sv"))
    write_yaml(root / "sources/recipe.yaml", recipe.model_dump(mode="json", exclude_none=True))
    mixture = {"method": "proportional", "max_epochs": 100.0}
    change(shards={"recipe": "recipe.yaml", "mixture": mixture})
    (root / "sources/robots").mkdir()
    (root / "sources/robots/da1.example.txt").write_text("User-agent: *\nDisallow: /b\n")
    change(rights={"ledger": "ledger.txt", "robots": "robots"}, language={"reference": "reference"})
    found = {}
    for stage in corpora.ALL_STAGES:
        words = ["corpus", "build", str(FILE), "--out", OUT, "--stage", stage, "--workers", "1"]
        done = subprocess.run(
            [sys.executable, "-c", _WATCH, *words], capture_output=True, text=True, check=False,
            env={**os.environ, "TOKENIZERS_PARALLELISM": "false"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found[stage] = set((root / "opened.txt").read_text().split("\n"))
    yield found


def undeclared(opened: set[str], stage: dict) -> set[str]:
    """Return what a stage opened that is neither a dependency nor its own."""
    outs = [next(iter(out)) if isinstance(out, dict) else out for out in stage["outs"]]
    known = [*stage["deps"], *outs, FILE.as_posix(), f"{OUT}/{corpora.MARKER}", "opened.txt"]
    known.append("artifacts/manifests")
    return {
        name
        for name in opened
        if not any(name == path or name.startswith(f"{path}/") for path in known)
        # What is written goes through hidden names beside its own.
        and not any(part.startswith(".") for part in Path(name).parts)
    }


@pytest.mark.slow
def test_a_stage_opens_nothing_that_it_does_not_depend_on(
    root: Path, traced: dict[str, set[str]]
) -> None:
    found = stages(root)
    for name, opened in traced.items():
        assert undeclared(opened, found[name]) == set(), name
        # And it asks for no file of the user's that it does not open.
        for dep in found[name]["deps"]:
            if dep.startswith("sources/"):
                fewer = {**found[name], "deps": [d for d in found[name]["deps"] if d != dep]}
                assert undeclared(opened, fewer), f"{name} does not need {dep}"
    assert main(["corpus", "why", OUT, "sv-a/d11"]) == 0
