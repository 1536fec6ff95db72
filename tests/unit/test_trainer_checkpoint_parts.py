"""What a checkpoint says, keeps and refuses, piece by piece and without training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from skald_mup.init import initial_weights
from skald_mup.names import tensor_shapes
from skald_specs.checkpoint import (
    MANIFEST_FILE,
    MODEL_FILE,
    MOMENTS,
    OPTIMIZER_FILE,
    PLAN_FILE,
    STATE_FILE,
    CheckpointState,
    checkpoint_name,
    checkpoint_step,
    checkpoints_in,
    verify,
)
from skald_specs.errors import UserInputError
from skald_specs.files import read_json, sha256_file
from skald_specs.plan import Plan
from skald_trainer import checkpoint
from skald_trainer.checkpoint_view import inspect, page, verify_tensors
from support_trainer import tiny_corpus, tiny_plan


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    manifest = tiny_corpus(tmp_path_factory.mktemp("corpus"), n_documents=2)
    return tiny_plan(manifest).model_copy(update={"recipe_fingerprint": "r" * 64})


def moments_of(plan: Plan, value: float = 2.0) -> dict[str, torch.Tensor]:
    sizes = tensor_shapes(plan.identity.model)
    return {f"{what}.{n}": torch.full(size, value) for what in MOMENTS for n, size in sizes.items()}


def saved(folder: Path, plan: Plan, step: int = 3, bare: bool = False) -> Path:
    state = CheckpointState(step=step, tokens_seen=step * 128, samples_seen=step * 8)
    moments = None if bare else moments_of(plan)
    path = checkpoint.path_of(folder, step)
    return checkpoint.save(path, plan, state, initial_weights(plan.identity), moments)


def test_names_and_steps_are_each_others_inverse_and_nothing_else_has_a_step() -> None:
    for step in (0, 7, 12_345_678, 123_456_789):
        assert checkpoint_step(Path("x") / checkpoint_name(step)) == step
    assert checkpoint_name(384) == "step_00000384"
    for name in ("step_384", "step_00000384.damaged", ".step_00000384.old", "final", "step_x"):
        assert checkpoint_step(Path(name)) is None


def test_checkpoints_are_in_the_order_of_their_steps_and_strangers_are_none(tmp_path: Path) -> None:
    for name in ("step_123456789", "step_00000010", "step_00000009.damaged", "step_9", "final",
                 "step_00000009"):  # fmt: skip
        (tmp_path / name).mkdir()
    found = [path.name for path in checkpoints_in(tmp_path)]
    assert found == ["step_00000009", "step_00000010", "step_123456789"]


def test_the_manifest_names_the_plan_the_data_and_every_file(tmp_path: Path, plan: Plan) -> None:
    path = saved(tmp_path, plan)
    manifest = verify(path)
    files = {MODEL_FILE, OPTIMIZER_FILE, STATE_FILE, PLAN_FILE}
    assert manifest.sha256 == {name: sha256_file(path / name) for name in files}
    assert {file.name for file in path.iterdir()} == files | {MANIFEST_FILE}
    assert manifest.model_dump(exclude={"sha256"}) == {
        "schema_version": 1,
        "plan_fingerprint": plan.fingerprint,
        "recipe_fingerprint": "r" * 64,
        "corpus_fingerprint": plan.identity.data.corpus_fingerprint,
        "step": 3,
    }
    assert read_json(path / STATE_FILE)["tokens_seen"] == 384
    assert Plan.load(path / PLAN_FILE) == plan


def test_a_file_that_is_gone_or_changed_is_named_with_a_remedy(tmp_path: Path, plan: Plan) -> None:
    path = saved(tmp_path, plan)
    (path / STATE_FILE).write_text((path / STATE_FILE).read_text() + " ")
    with pytest.raises(UserInputError, match=r"state\.json: its checksum differs .*earlier one"):
        verify(path)
    (path / STATE_FILE).unlink()
    with pytest.raises(UserInputError, match=r"state\.json: missing from the .*earlier one"):
        verify(path)


def test_half_a_checkpoint_makes_way_for_a_whole_one(tmp_path: Path, plan: Plan) -> None:
    """What was there is set aside; a second time its former self is gone."""
    path = checkpoint.path_of(tmp_path, 3)
    for content in ("first", "second"):
        path.mkdir()
        (path / MODEL_FILE).write_text(content)
        saved(tmp_path, plan)
        assert (tmp_path / "step_00000003.damaged" / MODEL_FILE).read_text() == content
        verify(path)
        (path / MANIFEST_FILE).unlink()
        for file in path.iterdir():
            file.unlink()
        path.rmdir()
    # A whole one is replaced, and somebody's own folder is not touched.
    saved(tmp_path, plan)
    saved(tmp_path, plan, bare=True)
    assert not (path / OPTIMIZER_FILE).exists()
    own = tmp_path / "mine"
    own.mkdir()
    (own / "thesis.txt").write_text("years")
    with pytest.raises(UserInputError, match="holds other files"):
        checkpoint.save(own, plan, CheckpointState(step=3, tokens_seen=1, samples_seen=1), {}, None)
    assert (own / "thesis.txt").read_text() == "years"


def test_training_starts_from_what_was_saved_and_from_zero_moments_without(
    tmp_path: Path, plan: Plan
) -> None:
    step, weights, moments = checkpoint.start_from(saved(tmp_path, plan), plan)
    assert step == 3
    for name, tensor in initial_weights(plan.identity).items():
        assert torch.equal(weights(name), tensor)
        for what in MOMENTS:
            assert torch.equal(moments(f"{what}.{name}"), torch.full_like(tensor, 2.0))
    step, weights, moments = checkpoint.start_from(saved(tmp_path, plan, 0, bare=True), plan)
    assert step == 0
    for name, tensor in initial_weights(plan.identity).items():
        assert torch.equal(weights(name), tensor)
        for what in MOMENTS:
            assert torch.equal(moments(f"{what}.{name}"), torch.zeros_like(tensor))


def test_only_a_start_may_lack_adams_state(tmp_path: Path, plan: Plan) -> None:
    checkpoint.check(saved(tmp_path, plan, 0, bare=True), plan)
    with pytest.raises(UserInputError, match=r"step_00000001: has no Adam state\. Name a folder"):
        checkpoint.check(saved(tmp_path, plan, 1, bare=True), plan)


def test_a_moment_that_does_not_fit_is_named_in_its_file(tmp_path: Path, plan: Plan) -> None:
    name = "exp_avg_sq.layers.1.attn.k_proj.weight"
    state = CheckpointState(step=3, tokens_seen=384, samples_seen=24)
    good, weights = moments_of(plan), initial_weights(plan.identity)
    for changed, said in (
        (good | {name: torch.ones(2, 2)}, rf"{name} is F32 \[2, 2\], the plan's is F32 \[16, 32\]"),
        ({k: v for k, v in good.items() if k != name}, f"lacks the tensor {name}"),
        (good | {"exp_avg.x": torch.ones(1)}, r"has exp_avg\.x, a stranger"),
    ):
        path = checkpoint.save(tmp_path / "step_00000003", plan, state, weights, changed)
        with pytest.raises(UserInputError, match=rf"optimizer\.safetensors: {said}\. Name another"):
            checkpoint.check(path, plan)


def other(plan: Plan, **changes: Any) -> Plan:
    identity = plan.identity.model_copy(update=changes)
    return plan.model_copy(update={"identity": identity})


def test_the_first_thing_that_differs_from_a_checkpoints_plan_is_named(
    tmp_path: Path, plan: Plan
) -> None:
    path = saved(tmp_path, plan)
    where = "step_00000003: belongs to another plan"
    longer = plan.identity.schedule.n_steps.model_copy(update={"value": 7, "source": "by hand"})
    schedule = plan.identity.schedule.model_copy(update={"n_steps": longer})
    rules = dict(plan.identity.rules)
    rules["k_proj"] = rules["k_proj"].model_copy(update={"lr": 0.5})
    for changes, said in (
        ({"schedule": schedule}, "schedule.n_steps = 6 there, 7 here"),
        ({"rules": rules}, f"rules.k_proj.lr = {plan.identity.rules['k_proj'].lr} there, 0.5 here"),
        ({"dtype": "bfloat16"}, "dtype = float32 there, bfloat16 here"),
        ({"rules": {**rules, "k_proj": plan.identity.rules["k_proj"],
                    "qk_norm": plan.identity.rules["final_norm"]}}, "rules.qk_norm = None there, {"),
    ):  # fmt: skip
        with pytest.raises(UserInputError) as refused:
            checkpoint.check(path, other(plan, **changes))
        assert f"{where} ({said}" in str(refused.value)
        assert "train afresh without --resume" in str(refused.value)
    # Where a number comes from is no difference, though it stands before one.
    told = plan.identity.n_params_total.model_copy(
        update={"source": "elsewhere", "standing": "assumed", "interval": (1, 2)}
    )
    with pytest.raises(UserInputError, match=r"\(dtype = float32 there, bfloat16 here\)"):
        checkpoint.check(path, other(plan, n_params_total=told, dtype="bfloat16"))
    data = plan.identity.data.model_copy(update={"corpus_fingerprint": "f" * 64})
    with pytest.raises(
        UserInputError, match=r"\(for other data: corpus \w{12} there, f{12} here\)"
    ):
        checkpoint.check(path, other(plan, data=data))


@pytest.mark.parametrize(
    ("theirs", "ours", "said"), [("a", "b", True), ("a", "a", False), ("", "b", False)]
)
def test_another_recipe_is_named_where_both_are_known(
    tmp_path: Path, plan: Plan, theirs: str, ours: str, said: bool
) -> None:
    path = saved(tmp_path, plan.model_copy(update={"recipe_fingerprint": theirs}))
    changed = other(plan.model_copy(update={"recipe_fingerprint": ours}), model_seed=9)
    with pytest.raises(UserInputError, match=r"model_seed = 1 there, 9 here") as refused:
        checkpoint.check(path, changed)
    assert ("from another recipe: " in str(refused.value)) is said


def test_the_newest_good_one_is_taken_and_what_is_passed_over_said_unless_quiet(
    tmp_path: Path, plan: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    assert checkpoint.latest(tmp_path, plan) is None
    paths = {step: saved(tmp_path, plan, step) for step in (1, 2, 3)}
    assert checkpoint.latest(tmp_path, plan) == paths[3]
    assert checkpoint.latest(tmp_path, plan, below=4) == paths[3]
    assert checkpoint.latest(tmp_path, plan, below=3) == paths[2]
    assert checkpoint.latest(tmp_path, plan, below=1) is None
    assert capsys.readouterr().out == "", "an earlier one was asked for; nothing is wrong"
    (paths[3] / MANIFEST_FILE).unlink()
    assert checkpoint.latest(tmp_path, plan, quiet=True) == paths[2]
    assert capsys.readouterr().out == ""
    assert checkpoint.latest(tmp_path, plan) == paths[2]
    assert capsys.readouterr().out.startswith(f"passing over {paths[3]}: no complete checkpoint")


def test_pruning_takes_what_a_killed_pruning_left(tmp_path: Path) -> None:
    for step in (1, 2, 4, 6):
        (tmp_path / checkpoint_name(step)).mkdir()
    left = tmp_path / ".step_00000002.old"
    left.mkdir()
    (left / MODEL_FILE).write_text("half")
    checkpoint.prune(tmp_path, 6, keep_last=1, keep_every_steps=4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step_00000004", "step_00000006"]


def test_a_page_says_what_is_there(tmp_path: Path, plan: Plan) -> None:
    path = saved(tmp_path, plan)
    facts = inspect(path)
    sizes = tensor_shapes(plan.identity.model)
    assert {key: facts[key] for key in ("plan", "step", "n_steps", "tokens_seen", "samples_seen")} == {
        "plan": "tiny", "step": 3, "n_steps": 6, "tokens_seen": 384, "samples_seen": 24,
    }  # fmt: skip
    assert facts["plan_fingerprint"] == plan.fingerprint
    assert facts["recipe_fingerprint"] == "r" * 64
    assert facts["corpus_fingerprint"] == plan.identity.data.corpus_fingerprint
    assert facts["start_weights_sha256"] == ""
    names = [MODEL_FILE, OPTIMIZER_FILE, PLAN_FILE, STATE_FILE]
    assert facts["files"] == {name: (path / name).stat().st_size for name in names}
    assert list(facts["files"]) == names
    assert len(facts["tensors"]) == 3 * len(sizes)
    lines = page(facts).splitlines()
    assert lines[0] == "step 3 of 6"
    assert f"{'tokens seen':22}384" in lines
    assert f"{'start weights sha256':22}-" in lines
    assert f"{'plan':22}tiny" in lines
    assert not any(line.startswith(("files", "n steps", "step  ")) for line in lines)
    assert f"{'file':34}{'bytes':>16}" in lines
    assert f"{'tensors':24}{'count':>6}{'numbers':>16}  type and shape" in lines
    assert f"{STATE_FILE:34}{facts['files'][STATE_FILE]:16,}" in lines
    # Two layers of 16 x 32 numbers each, and of each moment as many.
    for kind in ("k_proj", "exp_avg k_proj", "exp_avg_sq k_proj"):
        assert f"{kind:24}{2:6}{1024:16,}  F32 [16, 32]" in lines
    assert f"{'final_norm':24}{1:6}{32:16,}  F32 [32]" in lines
    assert lines.count("") == 2


def test_a_finished_model_has_no_state_to_show(tmp_path: Path, plan: Plan) -> None:
    path = saved(tmp_path, plan, bare=True)
    (path / STATE_FILE).unlink()
    (path / MANIFEST_FILE).unlink()
    checkpoint.write_manifest(path, plan, 6)
    assert "tokens_seen" not in inspect(path) and inspect(path)["step"] == 6
    assert verify_tensors(path)[1] == len(tensor_shapes(plan.identity.model))
    with pytest.raises(UserInputError, match=r"a finished model without Adam's state\. Name a fol"):
        checkpoint.check(path, plan)


def test_a_manifest_of_another_plan_is_told_from_the_plan_beside_it(
    tmp_path: Path, plan: Plan
) -> None:
    path = saved(tmp_path, plan)
    changed = other(plan, model_seed=9)
    (path / MANIFEST_FILE).unlink()
    checkpoint.write_manifest(path, changed, 3)
    with pytest.raises(UserInputError) as refused:
        verify_tensors(path)
    assert str(refused.value).startswith(
        f"{path / PLAN_FILE}: is another plan ({plan.fingerprint[:12]}) than manifest.json names "
        f"({changed.fingerprint[:12]})"
    )
