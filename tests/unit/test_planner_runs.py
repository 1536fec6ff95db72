"""Tables of runs that may be fitted, and the one line that refuses each of the others."""

import math

import numpy as np
import pandas as pd
import pytest
from skald_planner.fitting.runs import read_runs
from skald_specs.columns import ColumnMap
from skald_specs.errors import UserInputError
from support import ROOT
from support_planner import run_table

#: The layout of StepLaw's CSV with numbers of our own.
STEPLAW_LIKE = """\
h,ffnh,numh,numl,lr,bs,ti,loss,smooth loss,exp_name,D,N,D/N
128,512,2,4,0.001,32,15258,3.9,3.5,a,1000000000,1048576,953.7
128,512,2,4,0.002,32,15258,3.1,3.4,b,1000000000,1048576,953.7
128,512,2,4,0.004,64,7629,3.2,3.45,c,1000000000,1048576,953.7
"""


@pytest.fixture
def runs():
    return run_table(np.random.default_rng(0))


def csv(tmp_path, table):
    path = tmp_path / "runs.csv"
    table.to_csv(path, index=False)
    return path


def refused(path, *words, **arguments):
    with pytest.raises(UserInputError) as caught:
        read_runs(path, **arguments)
    line = str(caught.value)
    assert "\n" not in line
    for word in (str(path), *words):
        assert word in line, line
    return line


def test_parquet_and_csv_read_alike(tmp_path, runs):
    path = tmp_path / "runs.parquet"
    runs.to_parquet(path)
    ours = read_runs(path)
    pd.testing.assert_frame_equal(ours, read_runs(csv(tmp_path, runs)), check_exact=False)
    assert len(ours) == len(runs) and ours.attrs["notes"] == ()
    assert ours["horizon_tokens"].is_monotonic_increasing


def test_a_published_table_is_read_by_its_map(tmp_path):
    path = tmp_path / "theirs.csv"
    path.write_text(STEPLAW_LIKE)
    table = read_runs(path, ColumnMap.load(ROOT / "recipes/columns/steplaw.yaml"))
    assert list(table["global_batch_tokens"]) == [65_536, 65_536, 131_072]
    assert list(table["loss"]) == [3.5, 3.4, 3.45]
    assert set(table["schedule"]) == {"cosine to 1e-5"} and set(table["width"]) == {128}
    assert list(table["seed"]) == [0, 0, 0] and not table["diverged"].any()
    refused(path, "global_batch_tokens", "recipes/columns/steplaw.yaml")


def test_columns_multiply(tmp_path):
    path = tmp_path / "theirs.csv"
    path.write_text(STEPLAW_LIKE.replace("D/N", "seq").replace("953.7", "1024"))
    given = {"column": "N"}, {"column": "lr"}, {"column": "smooth loss"}
    columns = dict(zip(("n_params_non_embedding", "lr", "loss"), given, strict=True)) | {
        "horizon_tokens": {"column": "ti", "times": ["bs", "seq"]},
        "global_batch_tokens": {"column": "bs", "times": ["seq"]},
    }
    mapping = ColumnMap.model_validate(
        {"schema_version": 1, "loss_unit": "nats/token", "columns": columns}
    )
    table = read_runs(path, mapping)
    assert set(table["horizon_tokens"]) == {15_258 * 32 * 1024}
    assert list(table["global_batch_tokens"]) == [32_768, 32_768, 65_536]
    columns["lr"] = {"column": "eta"}
    mapping = ColumnMap.model_validate(
        {"schema_version": 1, "loss_unit": "nats/token", "columns": columns}
    )
    refused(path, "`eta`", "lr", "Correct the column map", columns=mapping)


def test_what_is_no_table(tmp_path):
    refused(tmp_path / "none.csv", "no such file")
    refused(tmp_path, "a folder")
    (tmp_path / "bytes.csv").write_bytes(b"PAR1 and then nothing of the kind")
    refused(tmp_path / "bytes.csv", "not a table")
    (tmp_path / "empty.csv").write_text("")
    refused(tmp_path / "empty.csv", "not a table")
    (tmp_path / "latin.csv").write_bytes(b"lr,loss\n1,2\n1,b\xf8\n")
    refused(tmp_path / "latin.csv", "not UTF-8: byte 0xf8 at offset 15", "iconv")
    (tmp_path / "ragged.csv").write_text("lr,loss\n1,2\n1,2,3,4\n")
    refused(tmp_path / "ragged.csv", ": line 3 has 4 cells, the header 2. Mend")
    (tmp_path / "semicolons.csv").write_text("lr;loss\n1;2\n")
    refused(tmp_path / "semicolons.csv", "header is one column, `lr;loss`", "by commas")
    (tmp_path / "bare.csv").write_text("lr,loss\n")
    refused(tmp_path / "bare.csv", "no rows")


def test_missing_columns_name_the_map(tmp_path, runs):
    path = csv(tmp_path, runs.drop(columns=["lr", "loss"]))
    refused(path, "no column `lr`, `loss`. Say", "--columns")
    path.write_bytes(b"\xef\xbb\xbf" + csv(tmp_path, runs).read_bytes().replace(b"\n", b"\r\n"))
    assert len(read_runs(path)) == len(runs)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("lr", "fast", ("`lr`, line 4", "'fast' is no number")),
        ("lr", -7.5, ("lr = -7.5 is not above 0", "line 4", "not its logarithm")),
        ("lr", None, ("lr, line 4", "is no number")),
        ("lr", 1e-300, ("lr = 1e-300 is no size that a run has", "line 4")),
        ("lr", 1e250, ("lr = 1e+250 is no size that a run has", "line 4")),
        ("horizon_tokens", 1e30, ("horizon_tokens = 1e+30 is no size that a run has", "line 4")),
        ("n_params_non_embedding", 1e-3, ("= 0.001 is no size that a run has", "line 4")),
        ("loss", -0.1, ("loss, line 4", "not above 0")),
        ("diverged", "perhaps", ("`diverged`, line 4", "neither true nor false")),
        ("global_batch_tokens", 16, ("line 4", "looks like sequences (1 of 14 rows)", "scale")),
        ("horizon_tokens", 20, ("horizon_tokens, line 4", "below one batch")),
        ("horizon_tokens", 10**12, ("global_batch_tokens, line 4", "steps", "sequences")),
        ("global_batch_tokens", 2**19, ("count sequences", "either part can be fitted")),
    ],
)
def test_impossible_cells(tmp_path, runs, column, value, words):
    if value == 2**19:
        runs["horizon_tokens"] *= 2**10
    runs[column] = runs[column].astype(object)
    runs.loc[2, column] = value
    refused(csv(tmp_path, runs), *words)


def test_a_missing_loss_is_a_divergence_and_said(tmp_path, runs):
    runs.loc[3, "loss"] = math.nan
    runs.loc[5, "loss"] = math.inf
    table = read_runs(csv(tmp_path, runs))
    assert table["diverged"].sum() == 2 and len(table) == len(runs)
    (note,) = table.attrs["notes"]
    assert "2 runs have no finite loss (line 5)" in note
    runs["diverged"] = True
    refused(csv(tmp_path, runs), "all 14 runs diverged")


def test_repeats(tmp_path, runs):
    twice = pd.concat([runs, runs.iloc[[2]]], ignore_index=True)
    table = read_runs(csv(tmp_path, twice))
    assert len(table) == len(runs) and "1 row repeats a run" in table.attrs["notes"][0]
    twice.loc[14, "loss"] *= 1.001
    refused(csv(tmp_path, twice), "line 4 and line 16", "the same run", "seed")
    twice.loc[14, "seed"] += 1
    assert len(read_runs(csv(tmp_path, twice))) == 15


def test_mixed_schedules_offer_one(tmp_path, runs):
    runs.loc[:3, "schedule"] = "cosine"
    path = csv(tmp_path, runs)
    refused(path, "cosine (4 rows), wsd (10 rows)", '--schedule "wsd"')
    assert len(read_runs(path, schedule="cosine")) == 4
    refused(path, "no run has the schedule 'linear'", schedule="linear")


def test_mixed_families_name_the_field(tmp_path, runs):
    runs["family"] = '{"optimizer": {"beta2": 0.95}}'
    runs.loc[:3, "family"] = '{"optimizer": {"beta2": 0.98}}'
    refused(csv(tmp_path, runs), "optimizer.beta2 = 0.95 here, 0.98 there")
