"""Shared trunks: rows and curves of runs that differ in horizon are those of separate runs, bit by bit."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from skald_specs.plan import Plan
from skald_specs.runtable import FinishedRun
from skald_trainer import sweep
from skald_trainer.bridge import snapshot
from skald_trainer.guard import Guard
from skald_trainer.trunk import tokens_trained, trunk_groups, trunk_steps
from support_trainer import run_alone, tiny_corpus, tiny_plan

pytestmark = [pytest.mark.parallel, pytest.mark.slow]

#: Steps and decay of runs along one trunk: decays that overlap, one of no step, one from the first step on,
#: two from the same step on.
LENGTHS = ((4, 4), (5, 2), (6, 2), (7, 0), (12, 4), (10, 2))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trunk") / "corpus"
    tiny_corpus(folder)
    return folder


def _plan(corpus: Path, name: str, steps: int, decay: int, **changes: object) -> Plan:
    manifest = sweep.load_corpus(corpus)
    run = {"micro_batch_sequences": 8, "validate_every_steps": steps, **changes}
    return tiny_plan(manifest, name, n_steps=steps, decay_steps=decay, **run)


def _line(corpus: Path, **changes: object) -> list[Plan]:
    return [_plan(corpus, f"h{n}-d{decay}", n, decay, **changes) for n, decay in LENGTHS]


def _shared(plans: list[Plan], corpus: Path, folder: Path) -> dict[str, FinishedRun]:
    (group,) = trunk_groups(plans)
    files = [folder / f"{plan.name}.json" for plan in group]
    sweep.proxy_runs([plan.model_dump_json() for plan in group], corpus, files)
    return {plan.name: FinishedRun.load(file) for plan, file in zip(group, files, strict=True)}


def test_a_shared_trunk_gives_what_separate_runs_give(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In fp32 and with bf16 weights; and with a piece of the state left as it was, it does not."""
    cases: dict[str, dict[str, object]] = {
        "fp32": {},
        "bf16": {"dtype": "bfloat16"},
        # Any step that is not better than the last is left out: the guard's memory decides.
        "skipping": {
            "base_lr": 0.05,
            "guard": {
                "on_bad_step": "skip", "spike_nats": 0.01, "window_steps": 2,
                "max_skipped_steps": 100,
            },
        },
    }  # fmt: skip
    alone: dict[str, dict[str, FinishedRun]] = {}
    for case, changes in cases.items():
        plans = _line(corpus, **changes)
        alone[case] = {plan.name: run_alone(plan, corpus) for plan in plans}
        assert _shared(plans, corpus, tmp_path / case) == alone[case], case
        assert len({run.row.loss for run in alone[case].values()}) == len(LENGTHS)

    faults: dict[str, tuple[str, str, Callable[..., object]]] = {
        "moments stay": ("fp32", "_set_states", lambda trainer, states: None),
        "weights stay": ("fp32", "_trained", lambda trainer: iter(())),
        "fp32 copies stay": (
            "bf16", "_trained", lambda trainer: iter(list(trainer.unwrapped_model.parameters())),
        ),
    }  # fmt: skip
    for fault, (case, name, planted) in faults.items():
        with monkeypatch.context() as patched:
            patched.setattr(snapshot, name, planted)
            found = _shared(_line(corpus, **cases[case]), corpus, tmp_path / fault)
        assert found != alone[case], fault
    with monkeypatch.context() as patched:
        patched.setattr(Guard, "restore", _remembers_branches)
        found = _shared(_line(corpus, **cases["skipping"]), corpus, tmp_path / "guard")
    assert found != alone["skipping"], "the guard remembered a branch"


def _remembers_branches(
    guard: Guard, n_skipped: int, recent_losses_nats: tuple[float, ...]
) -> None:
    if not hasattr(guard, "_recent"):
        guard.n_skipped, guard._recent = 0, deque(maxlen=2)


def test_a_divergence_is_recorded_and_concerns_what_it_must(corpus: Path, tmp_path: Path) -> None:
    """In the trunk all runs that are left; in a branch that run alone."""
    trunk = _line(corpus, base_lr=1e30)
    found = _shared(trunk, corpus, tmp_path / "trunk")
    assert found == {plan.name: run_alone(plan, corpus) for plan in trunk}
    assert all(run.row.diverged and run.row.loss is None for run in found.values())

    # A "decay" that rises beyond measure: every run diverges after its branch has left the trunk.
    branch = [
        _plan(corpus, f"b{steps}", steps, decay, final_lr_fraction=1e30)
        for steps, decay in ((6, 3), (9, 3), (8, 0), (12, 0))
    ]
    found = _shared(branch, corpus, tmp_path / "branch")
    assert found == {plan.name: run_alone(plan, corpus) for plan in branch}
    assert {name for name, run in found.items() if run.row.diverged} == {"b6", "b9"}


def test_who_shares_a_trunk_and_what_it_saves(corpus: Path) -> None:
    plans = _line(corpus)
    (group,) = trunk_groups(plans[::-1])
    assert [plan.name for plan in group] == ["h4-d4", "h5-d2", "h6-d2", "h7-d0", "h10-d2", "h12-d4"]
    assert trunk_steps(group) == 8 + 4 + 2 + 2 + 0 + 4 + 2
    assert tokens_trained(plans) == 128 * trunk_steps(group)
    others = [
        _plan(corpus, "other", 6, 2, **changes)
        for changes in (
            {"base_lr": 0.02}, {"model_seed": 2}, {"batch_sequences": 16}, {"dtype": "bfloat16"},
            {"final_lr_fraction": 0.1}, {"micro_batch_sequences": 4}, {"data": {"seed": 2}},
        )
    ]  # fmt: skip
    assert len(trunk_groups([*plans, *others])) == 1 + len(others)


def test_an_interrupted_group_goes_on_with_what_is_left(
    corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    plans = [*_line(corpus), _plan(corpus, "hot", 6, 2, base_lr=1e30)]
    sweep.run_sweep(plans, corpus, tmp_path / "sweep")
    table = pd.read_parquet(tmp_path / "sweep" / sweep.TABLE_FILE)
    curves = pd.read_parquet(tmp_path / "sweep" / sweep.CURVES_FILE)
    assert table["diverged"].sum() == 1
    assert len(list((tmp_path / "sweep-runs").iterdir())) == len(plans)
    for name in ("h5-d2", "h10-d2"):
        next((tmp_path / "sweep-runs").glob(f"{name}-*")).unlink()
    capfd.readouterr()
    sweep.run_sweep(plans, corpus, tmp_path / "sweep")
    shown = capfd.readouterr().out
    assert [line.split()[:3] for line in shown.splitlines() if line.startswith("sweep")] == [
        ["sweep", "1/2", "h5-d2"],
        ["sweep", "2/2", "h10-d2"],
    ]
    assert pd.read_parquet(tmp_path / "sweep" / sweep.TABLE_FILE).equals(table)
    assert pd.read_parquet(tmp_path / "sweep" / sweep.CURVES_FILE).equals(curves)
