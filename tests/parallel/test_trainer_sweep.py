"""The sweep: resident workers give the rows that separate runs give, and lose none when stopped."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from skald_specs.errors import UserInputError
from skald_specs.runtable import CURVE_COLUMNS, RUN_TABLE_COLUMNS
from skald_trainer import sweep
from support_trainer import run_alone, tiny_corpus, tiny_plan

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
    alone = run_alone(plans[1], tmp_path / "corpus")
    assert alone.row.loss == table["loss"][1], "bit-equal to a run of its own"
    curves = pd.read_parquet(tmp_path / "sweep" / sweep.CURVES_FILE)
    assert tuple(curves.columns) == CURVE_COLUMNS
    own = curves[curves["fingerprint"] == table["fingerprint"][1]]
    assert own["step"].tolist() == [1, 2, 3, 4, 5, 6]
    assert tuple(own["loss_nats"]) == alone.losses_nats
    diverged = curves[curves["fingerprint"] == table["fingerprint"][3]]
    assert len(diverged) < 6, "a diverged run's curve ends where its loss is no number"

    (next((tmp_path / "sweep-runs").glob("p2-*"))).unlink()
    (tmp_path / "sweep" / sweep.TABLE_FILE).unlink()
    capfd.readouterr()
    sweep.run_sweep(plans, tmp_path / "corpus", tmp_path / "sweep")
    assert "sweep 1/1  p2" in capfd.readouterr().out
    assert pd.read_parquet(tmp_path / "sweep" / sweep.TABLE_FILE).equals(table)


def test_shapes_may_differ_and_the_costliest_starts_first(tmp_path: Path) -> None:
    manifest = tiny_corpus(tmp_path / "corpus")
    wide = {"d_model": 64, "n_heads": 8, "n_kv_heads": 4, "d_ff": 96}
    plans = [
        tiny_plan(manifest, "narrow", micro_batch_sequences=8),
        tiny_plan(manifest, "wide", micro_batch_sequences=8, model=wide),
    ]
    assert sweep._cost(plans[1:]) > sweep._cost(plans[:1])
    small = tiny_plan(manifest, n_steps=12, batch_sequences=4, micro_batch_sequences=4)
    assert sweep._cost([small])[0] == sweep._cost(plans[:1])[0]
    assert sweep._cost([small]) > sweep._cost(plans[:1]), "the same tokens in more steps"
    sweep.run_sweep(plans[::-1], tmp_path / "corpus", tmp_path / "sweep")
    table = pd.read_parquet(tmp_path / "sweep" / sweep.TABLE_FILE)
    assert table["width"].tolist() == [32, 64]


def test_two_runs_of_one_name_are_refused(tmp_path: Path) -> None:
    """Finished runs are kept by name; the second would be taken for the first."""
    manifest = tiny_corpus(tmp_path / "corpus")
    plans = [tiny_plan(manifest, "same", base_lr=lr) for lr in (0.01, 0.02)]
    with pytest.raises(UserInputError, match="two runs are named same"):
        sweep.run_sweep(plans, tmp_path / "corpus", tmp_path / "sweep")
    assert not (tmp_path / "sweep").exists()


def test_one_run_under_two_names_is_refused(tmp_path: Path) -> None:
    manifest = tiny_corpus(tmp_path / "corpus")
    plans = [tiny_plan(manifest, name) for name in ("one", "other")]
    with pytest.raises(UserInputError, match="one and other are the same run") as caught:
        sweep.run_sweep(plans, tmp_path / "corpus", tmp_path / "sweep")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "sweep").exists()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_validation_loss_that_is_no_number_is_a_divergence(tmp_path: Path, bad: float) -> None:
    plan = tiny_plan(tiny_corpus(tmp_path / "corpus"))
    row = sweep._row(plan, {"da": (2.0, 0.1), "sv": (bad, 0.1)})
    assert row.diverged and row.loss is None and row.loss_se is None
    assert sweep._row(plan, {"da": (2.0, 0.1), "sv": (3.0, 0.1)}).loss == 2.5
