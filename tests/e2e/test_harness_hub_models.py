"""Models of a hub: downloaded, pinned, gated, interrupted and measured, against a Hub of our own."""

import errno
import os
import re
import shutil
import subprocess
import sys

import pytest
import support_architectures
import support_harness
from skald_harness.models import download
from skald_harness.models.download import resolve
from skald_harness.models.loading import load_model
from skald_harness.models.register import ModelRegister
from skald_specs.records import EvaluationSummary
from support_architectures import ARCHITECTURES
from support_hub import Hub

MODELS = [f"org/{kind}" for kind in ARCHITECTURES]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    root = tmp_path_factory.mktemp("checkpoints")
    for kind in ARCHITECTURES:
        shards = 20_000 if kind == "llama" else None
        support_architectures.write_checkpoint(root / kind, kind, shard_bytes=shards)
    support_architectures.write_checkpoint(root / "newer", "mistral", seed=2)
    return root


@pytest.fixture(scope="module")
def served(checkpoints):
    """One Hub for all tests: each architecture, with files beside it that must not be fetched."""
    with Hub() as hub:
        for kind in ARCHITECTURES:
            folder = checkpoints / kind
            for name in ("pytorch_model.bin", "consolidated.safetensors", "code.py", "README.md"):
                (folder / name).write_bytes(b"not for us")
            hub.publish(f"org/{kind}", folder)
        hub.publish("org/gated", checkpoints / "qwen2", gated=True)
        yield hub


@pytest.fixture
def hub(served, monkeypatch, tmp_path):
    """The Hub with an empty cache and no token."""
    served.requests.clear()
    served.breaks, served.break_only = 0, ""
    served.here(monkeypatch, tmp_path / "cache")
    return served


def register(*models):
    """Make a register of these models, each a mapping of the fields that matter."""
    rows = [{"tuning": "base", "eu": True} | row for row in models]
    for row in rows:
        facts = {"revision": "test"} if "revision" in row else {}
        row |= {"sources": facts, "revision_pinned": "revision" in row}
    value = {"schema_version": 2, "sources": {"test": "this test"}, "models": rows}
    return ModelRegister.check(value, "here")


def get(*names, trust=(), models=()):
    """Resolve names; return folders, problems as text, and what was told on the way."""
    told = []
    found = resolve(names, trust, register(*models), told.append)
    return found.folders, [str(problem) for problem in found.problems], told


def refused(*names, **others):
    """Resolve one thing that cannot be had; return its line."""
    folders, (problem,), _ = get(*names, **others)
    assert not folders and "\n" not in problem
    return problem


def fetched(hub, ends=""):
    """The files whose content was asked for."""
    paths = [path for method, path, _ in hub.requests if method == "GET" and "/api/" not in path]
    names = [hub.names.get(path.rsplit("/", 1)[1], path.rsplit("/", 1)[1]) for path in paths]
    return [name for name in names if name.endswith(ends)]


def test_every_architecture_comes_as_safetensors_with_its_commit(hub):
    folders, problems, told = get("org/llama,org/mistral org/gemma", "org/gpt_neox", "org/qwen2")
    assert not problems
    for folder, name, line in zip(folders, MODELS, told, strict=True):
        commit = hub.repos["model", name].branches["main"]
        assert (folder.name, folder.role) == (name.split("/")[1], "external")
        assert (folder.revision, folder.path.name) == (commit, commit)
        assert line == f"{name}: unpinned: measured at {commit}, pin it in evals/models.yaml"
    assert all(name.endswith((".json", ".safetensors")) for name in fetched(hub))
    assert "consolidated.safetensors" not in fetched(hub)
    assert len(fetched(hub, ".safetensors")) == 6 + 4
    assert type(load_model(folders[3])).__name__ == "GPTNeoXForCausalLM"
    # Asked again, nothing is fetched again.
    hub.requests.clear()
    assert get(*MODELS)[0] == folders
    assert fetched(hub) == []


def test_a_large_download_is_one_line_and_what_is_there_is_none(hub, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(download, "TOLD_BYTES", 1)
    told = get("org/llama")[2]
    assert told[0] == f"org/llama: downloading 0.0 GB to {tmp_path / 'cache'}" and len(told) == 2
    assert len(get("org/llama")[2]) == 1
    assert capfd.readouterr().err == ""


def test_a_pinned_commit_stays_when_the_main_branch_moves_on(hub, checkpoints):
    old = hub.publish("org/moving", checkpoints / "mistral")
    pinned = [{"hub_id": "org/moving", "revision": old, "tuning": "instruct"}]
    (before,), _, told = get("org/moving", models=pinned)
    new = hub.publish("org/moving", checkpoints / "newer")
    (after,), _, _ = get("moving", models=pinned)
    (newest,), _, said = get("org/moving")
    assert before == after != newest
    assert (before.revision, newest.revision, before.tuning) == (old, new, "instruct")
    assert told == [] and new in said[0]
    (named,), _, told = get(f"org/moving@{old}")
    assert (named.weights_sha256, told) == (before.weights_sha256, [])
    assert named.name == f"moving@{old[:12]}"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("org/nothing", "org/nothing: no such model on http://127.0.0.1"),
        ("org/qwen2@nothing", "org/qwen2: no revision nothing"),
        (f"org/qwen2@{'a' * 40}", f"org/qwen2: no revision {'a' * 40}"),
        ("../qwen2", "'../qwen2' is neither a folder nor a model id"),
        ("qwen3", "unknown model or group 'qwen3'"),
    ],
)
def test_what_is_not_there_costs_a_line_and_the_others_go_on(hub, name, said):
    folders, problems, _ = get(name, "org/qwen2")
    assert [folder.name for folder in folders] == ["qwen2"]
    assert len(problems) == 1 and said in problems[0]


def test_a_gated_model_needs_a_token_that_was_let_in(hub, tmp_path, monkeypatch):
    assert "gated, and there is no token. First accept its terms at" in refused("org/gated")
    hub.tokens, hub.admitted = {"hf_stranger", "hf_guest"}, {"hf_guest"}
    hub.here(monkeypatch, tmp_path / "cache", token="hf_stranger")
    assert "gated, and this token was not let in" in refused("org/gated")
    assert fetched(hub, ".safetensors") == []
    hub.here(monkeypatch, tmp_path / "cache", token="hf_guest")
    assert [folder.name for folder in get("org/gated")[0]] == ["gated"]
    # The place where large files lie is another host: no token may reach it.
    assert hub.leaked == []


def test_offline_the_cache_serves_what_it_has_whole(hub, tmp_path, monkeypatch):
    hub.here(monkeypatch, tmp_path / "cache", offline=True)
    assert "not whole in the cache" in refused("org/llama")
    hub.here(monkeypatch, tmp_path / "cache")
    (online,), _, _ = get("org/llama")
    hub.here(monkeypatch, tmp_path / "cache", offline=True)
    hub.requests.clear()
    (offline,), _, told = get("org/llama")
    assert offline == online and online.revision in told[0]
    assert hub.requests == []
    (online.path / "model-00002-of-00006.safetensors").unlink()
    assert "and HF_HUB_OFFLINE is set. Unset it" in refused("org/llama")


def test_without_a_network_the_cache_serves_and_the_endpoint_is_named(hub, tmp_path, monkeypatch):
    (online,), _, _ = get("org/gemma")
    with Hub() as other:
        gone = other.endpoint
    other.here(monkeypatch, tmp_path / "cache")
    assert get("org/gemma")[0] == (online,)
    assert f"org/qwen2: cannot reach {gone}, and the cache" in refused("org/qwen2")


def test_an_endpoint_that_is_no_hub_is_named(hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"{hub.endpoint}/html")
    assert "/html does not answer as a hub does" in refused("org/qwen2")


def test_models_of_one_name_go_by_their_ids(hub, checkpoints):
    hub.publish("other/qwen2", checkpoints / "qwen2")
    folders, problems, _ = get("org/qwen2", "other/qwen2", "org/gemma")
    assert [folder.name for folder in folders] == ["org--qwen2", "other--qwen2", "gemma"]
    assert not problems


def test_a_connection_that_breaks_is_taken_up_and_whole_files_are_kept(hub, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _: None)
    hub.breaks = 1
    assert len(get("org/mistral")[0]) == 1
    assert fetched(hub, ".safetensors") == ["model.safetensors"] * 2
    hub.requests.clear()
    hub.breaks, hub.break_only = 1_000, "model-00006-of-00006.safetensors"
    assert "the download broke off" in refused("org/llama")
    (snapshot,) = (tmp_path / "cache" / "models--org--llama" / "snapshots").iterdir()
    whole = {path.name for path in snapshot.glob("*.safetensors")}
    assert hub.break_only not in whole
    hub.breaks, hub.break_only = 0, ""
    hub.requests.clear()
    assert len(get("org/llama")[0]) == 1
    shards = {f"model-{i:05}-of-00006.safetensors" for i in range(1, 7)}
    assert sorted(fetched(hub, ".safetensors")) == sorted(shards - whole)


def test_a_full_disk_is_told_before_and_during_the_download(hub, tmp_path, monkeypatch):
    full = shutil.disk_usage("/")._replace(free=download.SPARE_BYTES + 1_000)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: full)
    assert re.search(r"0\.0 GB to download, 1\.1 GB free, of which 1\.1 GB", refused("org/qwen2"))
    assert fetched(hub, ".safetensors") == []
    monkeypatch.undo()
    hub.here(monkeypatch, tmp_path / "cache")

    def write(*_args, **_options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("huggingface_hub.snapshot_download", write)
    assert "the disk is full, org/qwen2 is not whole" in refused("org/qwen2")


def test_pickles_are_refused_before_they_are_fetched(hub, checkpoints, tmp_path):
    folder = shutil.copytree(checkpoints / "qwen2", tmp_path / "pickled")
    support_architectures.pickle_only(folder)
    hub.publish("org/pickled", folder)
    assert "org/pickled: only pickled weights (pytorch_model.bin), which" in refused("org/pickled")
    (folder / "adapter_config.json").write_text("{}")
    hub.publish("org/pickled", folder)
    assert "org/pickled: an adapter (adapter_config.json)" in refused("org/pickled")
    assert fetched(hub) == []


def test_what_transformers_cannot_compute_is_refused_before_it_is_fetched(
    hub, checkpoints, tmp_path
):
    folder = shutil.copytree(checkpoints / "qwen2", tmp_path / "other")
    support_architectures.change(folder / "config.json", model_type="mistral3")
    hub.publish("org/other", folder)
    assert refused("org/other").startswith("org/other config.json: `model_type` = 'mistral3' is no")
    support_architectures.change(folder / "config.json", model_type="qwen2")
    (folder / "tokenizer.json").rename(folder / "tokenizer.model")
    hub.publish("org/other", folder)
    assert refused("org/other").startswith("org/other: no tokenizer.json but tokenizer.model, and")
    assert fetched(hub, ".safetensors") == []


def test_weights_that_do_not_fit_are_named_by_id(hub, checkpoints, tmp_path):
    folder = shutil.copytree(checkpoints / "qwen2", tmp_path / "grown")
    support_architectures.grow_tokenizer(folder)
    hub.publish("org/grown", folder)
    assert refused("org/grown").startswith(
        "org/grown tokenizer.json: 330 tokens but the weights have 320 embedding rows"
    )
    (folder / "config.json").write_text("{")
    hub.publish("org/grown", folder)
    hub.requests.clear()
    assert refused("org/grown").startswith("org/grown config.json:1: not JSON")
    assert fetched(hub, ".safetensors") == []


def test_code_runs_only_if_the_register_allows_it_and_the_user_confirms(
    hub, checkpoints, tmp_path, monkeypatch
):
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "m"))
    ran = tmp_path / "it-ran"
    folder = shutil.copytree(checkpoints / "mistral", tmp_path / "coded")
    support_architectures.write_checkpoint(folder, "llama")
    support_architectures.need_code(folder, ran)
    (folder / "deep").mkdir()
    (folder / "deep" / "own.py").write_text("")
    hub.publish("org/coded", folder)
    allowed = [{"hub_id": "org/coded", "trust_remote_code": True}]
    for models in ([], [{"hub_id": "org/coded"}], allowed):
        line = refused("org/coded", models=models)
        assert "needs code of its own (`auto_map`: configuration_own.py, modeling_own.py)" in line
    _, (first, second), _ = get("org/coded", trust=["org/coded"], models=[{"hub_id": "org/coded"}])
    assert "evals/models.yaml does not allow the code of org/coded" in first
    assert "needs code of its own" in second
    _, (line, _), _ = get("org/coded", trust=["org/other"], models=allowed)
    assert "org/other is not among the models" in line
    assert fetched(hub, (".py", ".safetensors")) == [] and not ran.exists()
    (found,), problems, _ = get("coded", trust=["org/coded"], models=allowed)
    assert not problems and ran.exists()
    assert {"configuration_own.py", "modeling_own.py", "deep/own.py"} <= set(found.identity)
    assert type(load_model(found)).__name__ == "OwnForCausalLM"


def test_a_folder_works_in_place_of_an_id(hub, checkpoints):
    (folder,), problems, told = get(str(checkpoints / "gemma"))
    assert (folder.name, folder.role, folder.revision) == ("gemma", "external", None)
    assert folder.hub_id is None
    assert (problems, told, hub.requests) == ([], [], [])


@pytest.mark.slow
def test_evaluate_measures_what_can_be_had_and_says_what_cannot(hub, checkpoints, tmp_path):
    """The whole way: one process knows the Hub by its environment alone."""
    support_harness.write_items(tmp_path / "items")
    support_harness.write_corpus(tmp_path / "corpus")
    asked = [",".join(MODELS), "org/gated", "org/nothing@x", "eu-smal", str(checkpoints / "newer")]
    words = [
        "evaluate",
        "--suite",
        "core",
        "--items",
        "items",
        "--corpus",
        "corpus",
        "--out",
        "out",
    ]
    started = subprocess.run(
        [sys.executable, "-m", "skald_cli.main", *words, "--languages", "da", "--models", *asked],
        cwd=tmp_path,
        env=hub.environment(tmp_path / "home"),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    lines = started.stderr.splitlines()
    assert started.returncode == 2, started.stderr
    said = [line for line in lines if line.startswith("skald: ")]
    assert [line.split()[1].strip(":") for line in said] == ["--models", "org/gated", "org/nothing"]
    assert "Traceback" not in started.stderr
    summary = EvaluationSummary.load(tmp_path / "out" / "core" / "summary.json")
    measured = {m.name: m for m in summary.models if m.role != "control"}
    assert sorted(measured) == sorted([*ARCHITECTURES, "newer"])
    assert {m.role for m in measured.values()} == {"external"}
    for name in ARCHITECTURES:
        assert measured[name].hub_id == f"org/{name}"
        assert measured[name].revision == hub.repos["model", f"org/{name}"].branches["main"]
    assert measured["newer"].revision is None
    # Twins with random weights are controls of what was trained here, not of others' models.
    assert not [m.name for m in summary.models if m.name.startswith("random-init")]
