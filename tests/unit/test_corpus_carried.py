"""What a worker elsewhere found comes back as it was, errors too; and --engine without datatrove."""

import pickle
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import yaml
from skald_cli.main import main
from skald_corpus.decontaminate.scan import Counts
from skald_corpus.pipeline.carried import carry, failed, has_result, result
from skald_specs.errors import SkaldError, UserInputError
from skald_specs.funnel import Amount, FunnelRow
from skald_specs.slurm import SlurmSettings

ROW = FunnelRow(
    language="da", source="a", read=Amount(documents=2, bytes=9), kept=Amount(documents=1, bytes=4),
    removed={"empty": Amount(documents=1, bytes=5)},
)  # fmt: skip
COUNTS = Counts(np.array([0, 3, 1 << 40]), bytearray(b"\0\1\1"))


def test_results_come_back_as_they_were(tmp_path: Path) -> None:
    for rank, found in enumerate((None, ROW, COUNTS)):
        assert not has_result(tmp_path, rank)
        carry(lambda found: found, found, tmp_path, rank)
        assert has_result(tmp_path, rank)
    assert failed(tmp_path) is None
    assert result(tmp_path, 0, "a") is None
    assert result(tmp_path, 1, "a") == ROW
    back = result(tmp_path, 2, "a")
    assert isinstance(back, Counts)
    assert back.documents.dtype == np.int64 and (back.documents == COUNTS.documents).all()
    assert back.flags == COUNTS.flags


def test_an_error_is_the_same_on_the_other_side(tmp_path: Path) -> None:
    def wrong(_: object) -> None:
        raise UserInputError("a:1", "no text", "Add some")

    carry(wrong, None, tmp_path, 1)
    carry(lambda _: None, None, tmp_path, 2)
    assert failed(tmp_path) == 1
    assert not has_result(tmp_path, 2)
    with pytest.raises(UserInputError, match=r"^a:1: no text\. Add some$"):
        result(tmp_path, 1, "part da/a")


def test_a_bug_leaves_its_traceback(tmp_path: Path) -> None:
    carry(lambda _: 1 / 0, None, tmp_path, 0)
    with pytest.raises(SkaldError, match="part da/a: the work on it failed, see") as told:
        result(tmp_path, 0, "part da/a")
    assert "ZeroDivisionError" in Path(str(told.value).split("see ")[1]).read_text()


def test_what_cannot_be_carried_is_a_bug(tmp_path: Path) -> None:
    carry(lambda _: {1, 2}, None, tmp_path, 0)
    with pytest.raises(SkaldError, match="failed"):
        result(tmp_path, 0, "part da/a")


def test_an_error_in_a_worker_process_is_one_line() -> None:
    error = UserInputError("a", "b", "C")
    # This very round trip is what a pool of processes does.
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) and again.remedy == "C"


def sources(folder: Path) -> Path:
    (folder / "a.jsonl").write_text('{"text": "noget tekst"}\n', encoding="utf-8")
    one = {"id": "a", "language": "da", "kind": "curated", "licence": "CC0-1.0", "path": "a.jsonl"}
    path = folder / "sources.yaml"
    value = {"schema_version": 1, "name": "a", "about": "a", "sources": [one]}
    path.write_text(yaml.safe_dump(value), encoding="utf-8")
    return path


def stopped(folder: Path, engine: str, capsys: pytest.CaptureFixture[str]) -> str:
    words = ["--out", str(folder / "out"), "--stage", "ingest", "--engine", engine]
    assert main(["corpus", "build", str(sources(folder)), *words]) == 2
    return capsys.readouterr().err


@pytest.mark.skipif(find_spec("datatrove") is not None, reason="datatrove is installed here")
def test_without_datatrove_its_engine_is_one_line(tmp_path, capsys) -> None:
    assert stopped(tmp_path, "datatrove", capsys) == (
        "skald: --engine: datatrove is not installed. Install skald-corpus[scale]\n"
    )


def test_an_unknown_engine_is_one_line(tmp_path, capsys) -> None:
    assert "'slrum' is neither an engine nor a file" in stopped(tmp_path, "slrum", capsys)


def test_settings_of_slurm_are_checked(tmp_path, capsys) -> None:
    settings = tmp_path / "slurm.yaml"
    settings.write_text("schema_version: 1\npartition: cpu\ntime: soon\n", encoding="utf-8")
    assert "`time` = 'soon'" in stopped(tmp_path, str(settings), capsys)
    settings.write_text("schema_version: 1\npartition: cpu\ntime: 1-00:00:00\n", encoding="utf-8")
    assert SlurmSettings.load(settings).parts_per_job == 64


def test_a_recipe_takes_no_engine(tmp_path, capsys) -> None:
    assert main(["corpus", "build", "recipes/mini-7.8b.yaml", "--engine", "datatrove"]) == 2
    assert "is for a sources file" in capsys.readouterr().err
