"""The sweep: resident workers give the rows that separate runs give, and lose none when stopped."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from skald_specs.runtable import RUN_TABLE_COLUMNS
from skald_trainer import sweep
from support_trainer import tiny_corpus, tiny_plan

pytestmark = [pytest.mark.parallel, pytest.mark.slow]


def test_workers_agree_with_a_run_alone_and_keep_what_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
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
    alone = sweep.proxy_run(plans[1].model_dump_json(), tmp_path / "corpus")[1]
    assert alone.loss == table["loss"][1], "bit-equal to a run of its own"

    (next((tmp_path / "sweep-runs").glob("p2-*"))).unlink()
    (tmp_path / "sweep" / sweep.TABLE_FILE).unlink()
    capfd.readouterr()
    sweep.run_sweep(plans, tmp_path / "corpus", tmp_path / "sweep")
    assert "sweep 1/1  p2" in capfd.readouterr().out
    assert pd.read_parquet(tmp_path / "sweep" / sweep.TABLE_FILE).equals(table)
