"""Skald's stages on datatrove's executors: the same bytes as the plain run, and one line when a rank fails."""

import os
import shutil
import stat
from pathlib import Path

import pytest
import yaml
from skald_cli.main import main
from skald_corpus.pipeline.carried import carry
from skald_corpus.pipeline.rows import Part
from skald_corpus.scale import RankPool
from skald_specs.errors import SkaldError, UserInputError
from skald_specs.slurm import SlurmSettings
from skald_specs.stages import STAGES
from support import REAL_TEXT, ROOT
from support_scale import broken, done, killed

needs_text = pytest.mark.skipif(
    not (REAL_TEXT / "ud").is_dir(), reason="no real text, see CONTRIBUTING.md"
)
FAKE = Path(__file__).parent / "fake_slurm"
#: Small ones, each twice, so that there are duplicates and a language has several parts.
LANGUAGES = ("da", "fo", "is")


def sources_file(folder: Path, **blocks) -> Path:
    """Write a sources file with every stage on."""
    source = [
        {
            "id": f"ud-{tag}{copy}", "language": tag, "kind": "curated", "licence": "CC-BY-SA-4.0",
            "path": str(REAL_TEXT / "ud" / tag / f"{split}.jsonl.gz"),
        }
        for tag in LANGUAGES
        for copy, split in (("", "train"), ("-again", "train"), ("-more", "dev"))
    ]  # fmt: skip
    letters = folder / "letters.jsonl"
    letters.write_text(
        "".join(
            f'{{"text": "Skriv til os på post{i}@avis.example, så svarer vi i løbet af ugen."}}\n'
            for i in range(50)
        ),
        encoding="utf-8",
    )
    source.append({**source[0], "id": "letters", "path": str(letters)})
    value = {
        "schema_version": 1,
        "name": "parity",
        "about": "test data",
        "sources": source,
        "rights": {"allow_licences": ["CC-BY-SA-4.0"]},
        "language": {"reference": str(REAL_TEXT / "ud")},
        "quality": {},
        "pii": {},
        "duplicates": {},
        "decontamination": {
            "against": [{"path": str(REAL_TEXT / "pairs"), "layout": "pairs"}],
            "rule": {"policy": "cut"},
        },
        **blocks,
    }
    path = folder / "sources.yaml"
    path.write_text(yaml.safe_dump(value), encoding="utf-8")
    return path


def build(sources: Path, out: Path, *words: str) -> dict[str, bytes]:
    """Run all stages of the funnel by the command line; return every file that came of it."""
    for stage in STAGES:
        code = main(["corpus", "build", str(sources), "--out", str(out), "--stage", stage, *words])
        assert code == 0, stage
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    sources = sources_file(folder)
    return sources, build(sources, folder / "out", "--workers", "1")


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Put stand-ins for sbatch, srun and scontrol on the path, which run the script here."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in FAKE.iterdir():
        copy = tools / tool.name
        shutil.copyfile(tool, copy)
        copy.chmod(copy.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests"), prepend=os.pathsep)
    monkeypatch.setenv("FAKE_SLURM_LOG", str(tmp_path / "calls"))
    settings = tmp_path / "slurm.yaml"
    settings.write_text(
        "schema_version: 1\npartition: cpu\ntime: '00:10:00'\nparts_per_job: 4\n"
        "sbatch: {account: corpora}\n"
    )
    return settings


@needs_text
def test_the_plain_run_has_something_to_compare(plain):
    _, files = plain
    for stage in ("quality", "exact", "near", "decontaminate", "pii"):
        assert any(name.startswith(f"{stage}/") and name.endswith(".jsonl") for name in files), (
            stage
        )


@needs_text
@pytest.mark.parametrize("workers", ["1", "2"])
def test_datatrove_writes_the_same_bytes(plain, tmp_path, workers):
    sources, expected = plain
    out = tmp_path / "out"
    assert build(sources, out, "--engine", "datatrove", "--workers", workers) == expected
    assert not (out / ".ranks").exists()


@needs_text
def test_slurm_writes_the_same_bytes(plain, tmp_path, slurm):
    sources, expected = plain
    assert build(sources, tmp_path / "out", "--engine", str(slurm)) == expected
    script = (tmp_path / "calls" / "1.script").read_text()
    for line in ("partition=cpu", "time=00:10:00", "account=corpora", "array=0-2", "wait"):
        assert f"#SBATCH --{line}\n" in script
    assert "qos" not in script


@needs_text
def test_a_wrong_input_reads_as_in_the_plain_run(tmp_path, slurm, capsys):
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"text": "godt"}\n{"text": 1}\n', encoding="utf-8")
    one = {"language": "da", "kind": "curated", "licence": "CC0-1.0"}
    fine = {**one, "id": "fine", "path": str(REAL_TEXT / "ud" / "da" / "dev.jsonl.gz")}
    sources = sources_file(tmp_path, sources=[fine, {**one, "id": "bad", "path": str(bad)}])
    said = []
    for number, engine in enumerate(("local", "datatrove", str(slurm))):
        words = ["--out", str(tmp_path / f"out{number}"), "--stage", "ingest", "--engine", engine]
        assert main(["corpus", "build", str(sources), *words]) == 2
        said.append(capsys.readouterr().err)
    assert said[0].startswith("skald: ") and "bad.jsonl:2" in said[0]
    assert len(said[0].splitlines()) == 1
    assert said[1] == said[0] and said[2] == said[0]


PARTS = [Part("da", "a-00000"), Part("da", "b-00000"), Part("nb", "c-00000")]


@pytest.mark.parametrize("engine", ["datatrove", "slurm"])
def test_a_bug_names_part_and_log(tmp_path, slurm, engine):
    settings = SlurmSettings.load(slurm) if engine == "slurm" else None
    with pytest.raises(SkaldError, match=r"^part da/b-00000: .*, see \S+\.log$") as failed:
        RankPool(2, tmp_path / "ranks", settings).map(broken, PARTS)
    assert "RuntimeError: a bug" in Path(str(failed.value).split("see ")[1]).read_text()


def test_a_killed_rank_on_slurm_is_named(tmp_path, slurm):
    settings = SlurmSettings.load(slurm)
    with pytest.raises(SkaldError, match="part da/b-00000: its rank 1 ended without a result, see"):
        RankPool(0, tmp_path / "ranks", settings).map(killed, PARTS)


def test_slurm_refusing_the_job_is_one_line(tmp_path, slurm, monkeypatch):
    monkeypatch.setenv("FAKE_SLURM_REFUSES", "1")
    with pytest.raises(SkaldError, match=r"^sbatch refused .*launch_script.slurm \(exit code 1\)$"):
        RankPool(0, tmp_path / "ranks", SlurmSettings.load(slurm)).map(done, PARTS)


def test_an_interrupted_wait_cancels_its_jobs(tmp_path, slurm, monkeypatch):
    def interrupted(self):
        raise KeyboardInterrupt

    monkeypatch.setattr("skald_corpus.scale._Slurm.run", interrupted)
    scancel = tmp_path / "bin" / "scancel"
    scancel.write_text(f'#!/bin/bash\nprintf "%s " "$@" > {tmp_path}/cancelled\n')
    scancel.chmod(0o755)
    with pytest.raises(KeyboardInterrupt):
        RankPool(0, tmp_path / "ranks", SlurmSettings.load(slurm)).map(done, PARTS)
    assert (tmp_path / "cancelled").read_text().startswith("-n skald-map-")


def test_no_sbatch_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    settings = SlurmSettings(schema_version=1, partition="cpu", time="10")
    with pytest.raises(UserInputError, match="no sbatch here"):
        RankPool(0, tmp_path / "ranks", settings).map(done, PARTS)


def test_a_task_of_an_array_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    with pytest.raises(UserInputError, match="a task of a Slurm array"):
        RankPool(1, tmp_path / "ranks")


def test_more_parts_than_an_array_takes(tmp_path, slurm):
    settings = SlurmSettings(
        schema_version=1, partition="cpu", time="10", parts_per_job=1, max_array=2
    )
    assert RankPool(0, tmp_path / "ranks", settings).map(done, PARTS) == [None] * 3
    assert len(list((tmp_path / "calls").glob("*.script"))) == 2


def test_nothing_more_is_done_once_a_rank_failed(tmp_path):
    (tmp_path / "failed").write_text("0")
    carry(done, PARTS[0], tmp_path, 5)
    assert not (tmp_path / "00005.json").exists()
