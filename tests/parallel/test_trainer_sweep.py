"""The sweep: resident workers give what separate runs give, and lose no finished run when stopped."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest
from skald_specs.errors import UserInputError
from skald_specs.files import sha256_file
from skald_specs.runtable import CURVE_COLUMNS, RUN_TABLE_COLUMNS
from skald_trainer import sweep
from support_trainer import tiny_corpus, tiny_plan

pytestmark = [pytest.mark.parallel, pytest.mark.slow]

FILES = (sweep.TABLE_FILE, sweep.CURVES_FILE)


def test_workers_agree_with_a_run_alone_and_keep_what_is_done(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    manifest = tiny_corpus(tmp_path / "corpus")
    plans = [
        tiny_plan(manifest, f"p{i}", base_lr=lr, micro_batch_sequences=8)
        for i, lr in enumerate((0.003, 0.01, 0.03, 1e30))
    ]
    sweep.run_sweep(plans, tmp_path / "corpus", tmp_path / "sweep")
    table = pd.read_parquet(tmp_path / "sweep" / sweep.TABLE_FILE)
    assert tuple(table.columns) == RUN_TABLE_COLUMNS
    assert table["lr"].tolist() == [0.003, 0.01, 0.03, 1e30]
    assert table["diverged"].tolist() == [False, False, False, True]
    assert table["loss"].isna().tolist() == [False, False, False, True]

    curves = pd.read_parquet(tmp_path / "sweep" / sweep.CURVES_FILE)
    assert tuple(curves.columns) == CURVE_COLUMNS
    assert curves["fingerprint"].unique().tolist() == table["fingerprint"].tolist()
    by_run = {tag: list(rows["loss_nats"]) for tag, rows in curves.groupby("fingerprint")}
    assert [len(by_run[tag]) for tag in table["fingerprint"][:3]] == [6, 6, 6]
    assert 1 <= len(by_run[table["fingerprint"][3]]) < 6, "a curve ends where its run diverged"
    assert curves["step"][:6].tolist() == [1, 2, 3, 4, 5, 6]

    name, alone = sweep.proxy_run(plans[1].model_dump_json(), tmp_path / "corpus")
    assert (name, alone.row.loss) == ("p1", table["loss"][1]), "bit-equal to a run of its own"
    assert list(alone.losses) == by_run[plans[1].fingerprint], "at every step"
    assert list(alone.losses) != by_run[plans[0].fingerprint]

    before = {file: sha256_file(tmp_path / "sweep" / file) for file in FILES}
    (next((tmp_path / "sweep-runs").glob("p2-*"))).unlink()
    for file in FILES:
        (tmp_path / "sweep" / file).unlink()
    capfd.readouterr()
    sweep.run_sweep(plans[::-1], tmp_path / "corpus", tmp_path / "sweep")
    assert "sweep 1/1  p2" in capfd.readouterr().out
    assert {file: sha256_file(tmp_path / "sweep" / file) for file in FILES} == before


def test_shapes_mix_in_one_sweep_costliest_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    manifest = tiny_corpus(tmp_path / "corpus")
    # One worker, so that the order of the lines is the order of the queue.
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0})
    shapes = {
        "narrow-long": {"d_model": 16, "n_steps": 6},
        "wide": {"d_model": 64, "n_steps": 4},
        "deep": {"d_model": 16, "n_layers": 3, "n_steps": 4},
        "narrow": {"d_model": 16, "n_steps": 4},
    }
    plans = [
        tiny_plan(manifest, name, micro_batch_sequences=8, **shape)
        for name, shape in shapes.items()
    ]
    sweep.run_sweep(plans, tmp_path / "corpus", tmp_path / "sweep")
    shown = [line.split()[2] for line in capfd.readouterr().out.splitlines() if "sweep " in line]
    assert shown == ["wide", "narrow-long", "deep", "narrow"]
    table = pd.read_parquet(tmp_path / "sweep" / sweep.TABLE_FILE)
    rows = list(zip(table["width"], table["depth"], table["horizon_tokens"], strict=True))
    assert rows == [(16, 2, 512), (16, 2, 768), (16, 3, 512), (64, 2, 512)]
    curves = pd.read_parquet(tmp_path / "sweep" / sweep.CURVES_FILE)
    assert curves["fingerprint"].unique().tolist() == table["fingerprint"].tolist()


def test_two_plans_of_one_name_are_refused(tmp_path: Path) -> None:
    manifest = tiny_corpus(tmp_path / "corpus")
    plans = [tiny_plan(manifest, "p", base_lr=lr) for lr in (0.01, 0.02)]
    with pytest.raises(UserInputError, match="two of its plans have this name"):
        sweep.run_sweep(plans, tmp_path / "corpus", tmp_path / "sweep")
