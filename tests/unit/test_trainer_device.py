"""Where a plan's processes compute: on GPUs only where each has one of its own."""

import pytest
from skald_specs.errors import UserInputError
from skald_trainer.run import choose_device
from skald_trainer.train import train
from support_trainer import tiny_corpus, tiny_plan


@pytest.fixture
def plan_of(tmp_path, monkeypatch):
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    manifest = tiny_corpus(tmp_path)

    def make(n_gpus: int, **execution):
        monkeypatch.setattr("torch.cuda.is_available", lambda: n_gpus > 0)
        monkeypatch.setattr("torch.cuda.device_count", lambda: n_gpus)
        return tiny_plan(manifest, **execution)

    return make


@pytest.mark.parametrize(
    ("n_gpus", "execution", "device"),
    [
        (0, {"device": "auto"}, "cpu"),
        (1, {"device": "auto"}, "cuda"),
        (1, {"device": "cpu"}, "cpu"),
        (1, {"device": "auto", "dp": 2}, "cpu"),
        (2, {"device": "auto", "dp": 2}, "cuda"),
        (4, {"device": "cuda", "dp": 2}, "cuda"),
    ],
)
def test_auto_takes_gpus_only_where_each_process_has_one(plan_of, n_gpus, execution, device):
    assert choose_device(plan_of(n_gpus, **execution)) == device


@pytest.mark.parametrize(("n_gpus", "sees"), [(0, "no GPU"), (1, "1 GPU$|1 GPU\\.")])
def test_asked_for_gpus_that_are_not_there_are_refused(plan_of, n_gpus, sees):
    with pytest.raises(
        UserInputError, match=rf"cuda for 2 processes here, but torch sees ({sees})"
    ):
        choose_device(plan_of(n_gpus, device="cuda", dp=2))


def test_on_several_nodes_the_processes_of_this_one_count(plan_of, monkeypatch):
    plan = plan_of(2, device="cuda", dp=4)
    with pytest.raises(UserInputError, match="4 processes"):
        choose_device(plan)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert choose_device(plan) == "cuda"


def test_a_run_says_that_its_gpu_stays_unused(plan_of, tmp_path, monkeypatch, capsys):
    plan = plan_of(1, device="auto", dp=2)
    monkeypatch.setattr("skald_trainer.train.held", lambda *_: (_ for _ in ()).throw(KeyError))
    with pytest.raises(KeyError):
        train(plan, tmp_path, tmp_path / "run")
    assert (
        "on the CPU, for its 2 processes want a GPU each and this machine has 1"
        in capsys.readouterr().out
    )
