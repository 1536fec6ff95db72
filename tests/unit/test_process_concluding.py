"""A script's figures lie in one file, how it ran in another, and the exit code says what came of it."""

import json
import os
import time

import pytest
from skald_process.circumstances import LIBRARIES, circumstances, hardware, versions
from skald_process.concluding import conclude
from skald_process.recording import recorded
from skald_specs.circumstances import Circumstances
from skald_specs.claims import Measure
from skald_specs.manifest import MANIFEST_FOLDER, RunManifest


def measure(holds):
    return Measure(measure="a figure", value=1.0, unit="s", bound="<= 2", holds=holds)


@pytest.mark.parametrize(
    ("holds", "allow_missing", "code"),
    [
        ([True, True], False, 0), ([True, False], True, 1), ([True, None], False, 1),
        ([True, None], True, 0),
    ],
)  # fmt: skip
def test_what_does_not_hold_or_was_not_measured_is_no_success(
    tmp_path, monkeypatch, holds, allow_missing, code
):
    monkeypatch.chdir(tmp_path)
    assert conclude("x", "proofs", [measure(one) for one in holds], allow_missing) == code
    written = json.loads((tmp_path / "build/proofs/x.json").read_text())
    assert [row["holds"] for row in written] == holds


def test_a_detail_does_not_tell_where_the_checkout_lies(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    told = measure(True).model_copy(update={"detail": f"see {tmp_path}/build/a.txt, not /etc/b"})
    conclude("x", "proofs", [told])
    (row,) = json.loads((tmp_path / "build/proofs/x.json").read_text())
    assert row["detail"] == "see build/a.txt, not /etc/b"
    assert str(tmp_path) not in capsys.readouterr().out


def test_beside_the_figures_lies_how_they_were_taken(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["x.py", "--gigabytes=0.1"])
    conclude("x", "bench", [measure(True)])
    ran = Circumstances.load(tmp_path / "build/bench/x.run.json")
    assert ran.arguments == ("--gigabytes=0.1",)
    assert ran.cores == len(os.sched_getaffinity(0)) and ran.memory_gb > 0 and ran.cpu
    assert ran.git_commit == "" and ran.git_dirty is None, "no repository is here"
    assert set(ran.libraries) <= set(LIBRARIES) and "torch" in ran.libraries


def test_seconds_are_counted_from_the_start_of_the_process():
    first = circumstances(0.0)
    time.sleep(0.3)
    second = circumstances(0.0)
    assert 0.2 < second.wall_seconds - first.wall_seconds < 30
    assert 0 < first.cpu_seconds <= second.cpu_seconds


def test_what_is_not_installed_has_no_version():
    assert list(versions(["numpy", "no-such-distribution"])) == ["numpy"]


def test_hardware_is_named_in_one_line_and_equal_cards_once(monkeypatch):
    cards = ("NVIDIA H100, 570.1", "NVIDIA H100, 570.1", "NVIDIA L4, 570.1")
    monkeypatch.setattr("skald_process.circumstances._gpus", lambda: cards)
    named, ran = hardware(), circumstances(0.0)
    assert named.startswith(f"{ran.cpu}, {ran.cores} cores, 2 x NVIDIA H100, 570.1, 1 x NVIDIA L4")
    monkeypatch.setattr("skald_process.circumstances._gpus", lambda: ())
    assert " x " not in hardware()


def test_a_manifest_and_a_claim_say_the_same_of_what_they_ran_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with recorded("train", "tiny"):
        pass
    manifest, ran = (
        RunManifest.load(tmp_path / MANIFEST_FOLDER / "train-tiny.json"),
        circumstances(0.0),
    )
    assert manifest.libraries == ran.libraries and manifest.python == ran.python
    assert (manifest.git_commit, manifest.git_dirty) == (ran.git_commit, ran.git_dirty)
    assert ran.cpu in manifest.hardware
