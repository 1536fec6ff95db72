"""Job scripts: what they ask for, that no value becomes a command, what is refused."""

from __future__ import annotations

import inspect
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from skald_cli.jobscript import evaluation_script, training_script
from skald_cli.launching import load_site, nodes_for
from skald_cli.main import build_parser, main
from skald_specs.errors import EXIT_RESUMABLE, EXIT_USER_INPUT, UserInputError
from skald_specs.execution import ExecutionRecipe
from skald_specs.files import read_yaml, write_jsonl, write_yaml
from skald_specs.site import Site, seconds_of
from skald_trainer import torchrun
from support import ROOT
from support_harness import write_items
from support_trainer import tiny_corpus, tiny_plan

GOLDEN = ROOT / "tests" / "golden" / "launch"
SITES = ("generic-slurm", "jwb", "marenostrum5")


@pytest.fixture(autouse=True)
def in_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """Return a plan of eight processes."""
    path = tmp_path / "plan.yaml"
    corpus = tiny_corpus(tmp_path / "corpus")
    tiny_plan(corpus, dp=4, tp=2, batch_sequences=16, device="auto").save(path)
    return path


def layout(**changes: object) -> ExecutionRecipe:
    need = {"micro_batch_sequences": 1, "checkpoint_every_steps": 1, "validate_every_steps": 1}
    return ExecutionRecipe.model_validate(need | changes)


def training(
    site: Site, execution: ExecutionRecipe, words: tuple[str, ...] = ("train", "p")
) -> str:
    nodes = nodes_for(site, execution)
    python = Path(".nox/env/bin/python")
    return training_script(site, "baseline", execution, nodes, words, python, Path("logs"))


def evaluation(site: Site) -> str:
    words = ["evaluate", "exports/a", "exports/b"]
    return evaluation_script(
        site,
        {"core": Path("items"), "own": Path("my items")},
        words,
        Path(".nox/env/bin/python"),
        Path("logs"),
    )


@pytest.mark.parametrize("name", SITES)
def test_golden_scripts(name: str) -> None:
    # Written by SKALD_WRITE_GOLDEN=1; read the difference before committing it.
    site = load_site(name, account="acc1")
    asynchronous = layout(dp=2, tp=4, tp_mode="reduce_scatter_async", threads_per_process=4)
    imaged = site.model_copy(update={"container": "images/skald 1.sif"})
    for file, text in (
        (f"{name}.train.sbatch", training(site, asynchronous)),
        (f"{name}.container.sbatch", training(imaged, layout(dp=2))),
        (f"{name}.evaluate.sbatch", evaluation(site)),
    ):
        if os.environ.get("SKALD_WRITE_GOLDEN"):
            (GOLDEN / file).write_text(text, encoding="utf-8")
        assert (GOLDEN / file).read_text(encoding="utf-8") == text, file
        subprocess.run(["bash", "-n"], input=text, text=True, check=True)


def test_what_the_two_machines_need_is_in_their_scripts() -> None:
    jwb = training(load_site("jwb", account="a"), layout(dp=8))
    assert "${hosts%%$'\\n'*}\"i\n" in jwb, "the name of the fast network"
    assert "--partition=booster" in jwb and "--gres=gpu:4" in jwb and "--cpus-per-task=48" in jwb
    mn5 = training(load_site("marenostrum5", account="a"), layout(dp=8))
    assert "--qos=acc_ehpc" in mn5 and "--cpus-per-task=80" in mn5 and "--exclusive" in mn5
    for text in (jwb, mn5):
        assert "#SBATCH --account=a\n" in text and "#SBATCH --nodes=2\n" in text
        assert "#SBATCH --requeue\n" in text and "#SBATCH --signal=B:USR1@300\n" in text
        assert "export HF_HUB_OFFLINE=1\n" in text and "--nnodes=2 --nproc-per-node=4" in text


def test_modules_are_loaded_before_unset_variables_are_errors() -> None:
    site = load_site("generic-slurm").model_copy(update={"modules": ("GCC/13", "Python")})
    lines = training(site, layout()).splitlines()
    order = [
        "module purge",
        "module load GCC/13 || exit 1",
        "module load Python || exit 1",
        "set -u",
    ]
    places = [lines.index(line) for line in order]
    assert places == sorted(places)


def test_a_part_of_a_node_is_asked_for_alone() -> None:
    text = training(load_site("marenostrum5", account="a"), layout(dp=2))
    assert "--gres=gpu:2\n" in text and "--nodes=1\n" in text and "--cpus-per-task=40\n" in text
    assert "--exclusive" not in text


def test_the_command_writes_the_script_and_submits_nothing(
    plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "deep" / "job.sbatch"
    words = ["launch", str(plan), "--site", "jwb", "--account", "acc1", "--time", "02:00:00"]
    assert main([*words, "--script", str(script)]) == 0
    shown = capsys.readouterr()
    assert shown.out == f"sbatch {script}\n"
    assert "time=02:00:00 nodes=2 cpus-per-task=48 gres=gpu:4" in shown.err
    text = script.read_text()
    assert f"--output={tmp_path}/deep/%x-%j.out" in text and "--time=02:00:00" in text
    assert f"set -- train {plan} --corpus artifacts/corpus --out artifacts/runs" in text


def test_a_limit_above_the_sites_is_noted(
    plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["launch", str(plan), "--site", "jwb", "--account", "a"]
    words += ["--script", str(tmp_path / "job.sbatch"), "--time"]
    noted = "note: --time 2-00:00:00 is more than the 1-00:00:00 of sites/jwb.yaml"
    for time_limit, said in (("24:00:00", False), ("2-00:00:00", True)):
        assert main([*words, time_limit]) == 0
        assert (noted in capsys.readouterr().err) is said


def test_items_languages_and_models_reach_the_job(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export, items, script = tmp_path / "export", tmp_path / "my items", tmp_path / "job.sbatch"
    export.mkdir()
    (export / "config.json").touch()
    write_jsonl(items / "ud" / "da" / "test.jsonl", [{"text": "En hund."}])
    write_items(tmp_path / "own", languages=("da",), n=2)
    words = ["launch", str(export), "--site", "generic-slurm", "--script", str(script)]
    words += ["--evaluate", "core", "--evaluate", "ud", "--items", f"ud={items}"]
    words += ["--items", str(tmp_path / "own"), "--languages", "da,sv", "--models", "eu-small"]
    assert main(words) == 0
    for number, asked in enumerate(
        (["core", "--items", str(tmp_path / "own")], ["ud", "--items", str(items)])
    ):
        text = script.read_text(encoding="utf-8")
        code, said, _ = run_script(text, tmp_path, "0", SLURM_ARRAY_TASK_ID=str(number))
        got = said.splitlines()
        ours = got[got.index("skald_cli.main") + 1 : -1]
        args = build_parser().parse_args(ours)
        assert code == 0 and ["--suite", *asked] == ours[-4:]
        assert args.languages == ["da,sv"] and args.models == ["eu-small"]
        assert args.exports == [export]


SRUN = """#!/bin/bash
printf '%s\\n' "$@" "$EVIL" >"$SAID"
asked() { echo "$1" >>"$SAID"; exit 75; }
trap 'asked USR1' USR1
trap 'asked TERM' TERM
[ "$ENDS" = waits ] || exit "$ENDS"
touch "$SAID.ready"
while :; do sleep 0.02; done
"""


def run_script(
    text: str, folder: Path, ends: str, number: signal.Signals | None = None, **more: str
) -> tuple[int, str, str]:
    """Run a script with a srun that only listens; return its code, what srun saw, and scontrol."""
    for name, body in (("srun", SRUN), ("scontrol", '#!/bin/bash\necho "$@" >>"$SAID.scontrol"\n')):
        (folder / name).write_text(body)
        (folder / name).chmod(0o755)
    said = folder / "said"
    for old in folder.glob("said*"):
        old.unlink()
    slurm = {
        "PATH": f"{folder}:{os.environ['PATH']}", "SAID": str(said), "ENDS": ends,
        "SLURM_SUBMIT_DIR": str(folder), "SLURM_JOB_NODELIST": "a", "SLURM_JOB_ID": "7",
        "SLURM_ARRAY_JOB_ID": "5", "SLURM_ARRAY_TASK_ID": "1", **more,
    }  # fmt: skip
    process = subprocess.Popen(["bash", "-c", text], env=os.environ | slurm)
    if number is not None:
        deadline = time.monotonic() + 60
        while not Path(f"{said}.ready").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(number)
    code = process.wait(timeout=60)
    asked = Path(f"{said}.scontrol")
    seen = asked.read_text() if asked.exists() else ""
    return code, said.read_text(), re.sub(r"^show .*\n", "", seen, flags=re.M)


def test_signals_reach_srun_and_only_what_can_be_continued_is_put_back(tmp_path: Path) -> None:
    train = training(load_site("generic-slurm"), layout(dp=4))
    code, said, asked = run_script(train, tmp_path, "waits", signal.SIGUSR1)
    assert (code, said.splitlines()[-1], asked) == (EXIT_RESUMABLE, "USR1", "requeue 7\n")
    code, said, asked = run_script(train, tmp_path, "waits", signal.SIGTERM)
    assert (code, said.splitlines()[-1], asked) == (EXIT_RESUMABLE, "TERM", ""), "cancelled"
    for ends in ("0", "1", "2", "137"):
        code, _, asked = run_script(train, tmp_path, ends)
        assert (code, asked) == (int(ends), "")
    # Slurm tells the steps alone that another job takes their place: no signal comes here.
    assert run_script(train, tmp_path, "75")[2] == "requeue 7\n"
    assert run_script(train, tmp_path, "75", SLURM_RESTART_COUNT="99")[2] == "requeue 7\n"
    assert run_script(train, tmp_path, "75", SLURM_RESTART_COUNT="100")[2] == ""
    never = load_site("generic-slurm").model_copy(update={"max_requeues": 0})
    assert run_script(training(never, layout(dp=4)), tmp_path, "75")[2] == ""
    assert "#SBATCH --no-requeue\n" in training(never, layout(dp=4))


def test_an_evaluation_is_an_array_with_one_suite_in_each_job(tmp_path: Path) -> None:
    text = evaluation(load_site("generic-slurm"))
    assert "#SBATCH --array=0-1\n" in text and "#SBATCH --gres=gpu:1\n" in text
    code, said, asked = run_script(text, tmp_path, "waits", signal.SIGUSR1)
    assert said.splitlines()[-1] == "TERM", "an evaluation knows no SIGUSR1"
    # The job's own number may be the number of the whole array.
    assert (code, asked) == (EXIT_RESUMABLE, "requeue 5_1\n")
    words = ["-m", "skald_cli.main", "evaluate", "exports/a", "exports/b", "--suite", "own"]
    words += ["--items", "my items"]
    assert said.splitlines()[-len(words) - 2 : -2] == words


def test_no_value_becomes_a_command(tmp_path: Path) -> None:
    evil = "$(touch owned) `touch owned` '; touch owned; \" & touch owned\ntouch owned"
    site = Site.check(
        {
            "name": "evil", "time": "60", "gpus_per_node": 0, "cpus_per_process": 1,
            "environment": {"EVIL": evil}, "container": evil,
        },
        "evil",
    )  # fmt: skip
    _, said, _ = run_script(training(site, layout(), ("train", evil)), tmp_path, "0")
    assert said.count(evil) == 3, "the argument, the image and the variable, as they were"
    assert not (tmp_path / "owned").exists()
    name = training_script(site, evil, layout(), 1, (), Path("p"), Path("l")).splitlines()[2]
    assert re.fullmatch(r"#SBATCH --job-name=[A-Za-z0-9_.-]+", name)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("account", "a\n#SBATCH --uid=0"), ("account", "a b"), ("partition", "$(id)"), ("qos", "'"),
        ("time", "1;2"), ("modules", ["a; id"]), ("environment", {"A B": "x"}),
        ("environment", {"A;id": "x"}), ("host_suffix", "$x"), ("sbatch", {"wrap x": ""}),
        ("sbatch", {"comment": "a b"}), ("signal_seconds", 3600), ("nodes", 4),
        ("cpus_per_process", 0), ("name", "a/../b c"),
    ],
)  # fmt: skip
def test_bad_values_of_a_site_are_refused(field: str, value: object) -> None:
    sound = read_yaml(ROOT / "sites" / "generic-slurm.yaml") | {"time": "60"}
    Site.check(sound, "x")
    with pytest.raises(UserInputError) as refused:
        Site.check(sound | {field: value}, "x.yaml")
    assert field in str(refused.value) or "signal_seconds" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("time", "seconds"),
    [("5", 300), ("5:30", 330), ("1:00:00", 3600), ("1-0", 86400), ("1-02:30", 95400),
     ("2-00:00:01", 172801)],
)  # fmt: skip
def test_time_limits_as_slurm_reads_them(time: str, seconds: int) -> None:
    assert seconds_of(time) == seconds


def test_wrong_commands_are_one_line(
    plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*words: str) -> str:
        assert main(["launch", *words]) == EXIT_USER_INPUT
        shown = capsys.readouterr()
        assert shown.out == "" and shown.err.count("\n") == 1, shown.err
        return shown.err

    job, here = str(plan), ("--script", str(tmp_path / "job.sbatch"))
    assert "Did you mean 'jwb'?" in refused(job, "--site", "jbw")
    assert "Use one of: generic-slurm, jwb, marenostrum5" in refused(job, "--site", "zzzzz")
    assert "`account` is empty" in refused(job, "--site", "jwb")
    assert "--account: " in refused(job, "--site", "jwb", "--account", "a b")
    assert "--time: " in refused(job, "--site", "jwb", "--account", "a", "--time", "soon")
    assert "Write 08:00:00 (hours), or 2-00:00:00" in refused(
        job, "--site", "jwb", "--account", "a", "--time", "48h"
    )
    assert "no such file" in refused(str(tmp_path / "none.yaml"), "--site", "generic-slurm")
    assert "2 are named" in refused(job, job, "--site", "generic-slurm")
    assert "no export here" in refused(
        str(tmp_path), "--site", "generic-slurm", "--evaluate", "core"
    )
    export = tmp_path / "export"
    export.mkdir()
    (export / "config.json").touch()
    node = (str(export), "--site", "generic-slurm")
    assert "an export, not a plan. Add --evaluate SUITE" in refused(*node)
    assert "no such items folder" in refused(*node, "--evaluate", "ud", "--items", "nowhere")
    nothing = f"--items: {export} has nothing for suite ud. Name its folder: ud=DIR"
    assert nothing in refused(*node, "--evaluate", "ud", "--items", str(export))
    assert "names no suite" in refused(*node, "--evaluate", "core", "--items", "ud=x")
    for option in ("items", "languages", "models"):
        said = refused(job, "--site", "generic-slurm", f"--{option}", "x")
        assert f"--{option}: is for an evaluation" in said
    assert "no such image" in refused(job, "--site", "generic-slurm", "--container", "/none.sif")
    assert "Did you mean 'core'" in refused(job, "--site", "generic-slurm", "--evaluate", "cor")
    odd = tmp_path / "a folder" / "job.sbatch"
    assert "#SBATCH line" in refused(job, "--site", "generic-slurm", "--script", str(odd))
    taken = tmp_path / "file"
    taken.write_text("")
    assert "a file is in the way of a folder" in refused(
        job, "--site", "generic-slurm", "--script", str(taken / "job.sbatch")
    )
    bare = tmp_path / "bare.yaml"
    made = read_yaml(plan)
    made["identity"]["data"]["corpus_fingerprint"] = ""
    write_yaml(bare, made)
    assert "made without a corpus" in refused(str(bare), "--site", "generic-slurm", *here)
    own = tmp_path / "own.yaml"
    write_yaml(own, read_yaml(ROOT / "sites" / "generic-slurm.yaml") | {"name": "own", "gpu": 4})
    assert "unknown key `gpu`" in refused(job, "--site", str(own))
    write_yaml(own, read_yaml(ROOT / "sites" / "generic-slurm.yaml"))
    assert "unlike the file" in refused(job, "--site", str(own))
    assert not (tmp_path / "job.sbatch").exists()
    assert main(["launch", job, "--site", "generic-slurm", *here]) == 0


def test_layouts_that_do_not_fit_the_nodes_are_refused() -> None:
    site = load_site("generic-slurm")
    assert [nodes_for(site, layout(dp=dp)) for dp in (1, 2, 3, 4, 8)] == [1, 1, 1, 1, 2]
    for changes, said in (
        ({"dp": 3, "tp": 2}, "dp 3 x tp 2 x pp 1 = 6 processes do not fill nodes of 4"),
        ({"device": "cpu"}, "cpu, but generic-slurm has 4 GPUs a node"),
        ({"threads_per_process": 9}, "9 exceeds cpus_per_process = 8"),
    ):
        with pytest.raises(UserInputError, match=re.escape(said)):
            nodes_for(site, layout(**changes))
    cpus = site.model_copy(update={"gpus_per_node": 0, "cpu_processes_per_node": 2})
    assert nodes_for(cpus, layout(dp=4, device="cpu")) == 2
    with pytest.raises(UserInputError, match="cuda, but generic-slurm has no GPUs"):
        nodes_for(cpus, layout(device="cuda"))


@pytest.fixture
def handlers() -> Iterator[None]:
    """Leave the signals of this process as they were."""
    numbers = (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_meeting_point_that_cannot_work_is_one_line(
    handlers: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_NODEID", "0")
    monkeypatch.delenv("PET_NODE_RANK", raising=False)
    program = ["-m", "skald_cli.main", "doctor"]
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        options = ["--nnodes=2", "--master-addr=localhost", f"--master-port={port}"]
        assert torchrun.main([*options, *program]) == EXIT_USER_INPUT
        assert f"--master-port: {port} cannot be used here" in capsys.readouterr().err
    assert torchrun.main(["--nnodes=2", "--master-addr=no.such.host.invalid", *program]) == 2
    said = capsys.readouterr().err
    assert "'no.such.host.invalid' is no host" in said and said.count("\n") == 1
    monkeypatch.delenv("PET_NODE_RANK")


def test_exit_codes_of_ranks_become_the_nodes() -> None:
    signals = torchrun._Signals()
    assert signals.exit_code([75, 75]) == EXIT_RESUMABLE
    assert signals.exit_code([75, -15, -9]) == EXIT_RESUMABLE, "torchrun ends the rest itself"
    assert signals.exit_code([75, 3]) == EXIT_RESUMABLE, "one hung, another lost it"
    assert signals.exit_code([75, 1, -15]) == 1
    assert signals.exit_code([-9]) == signals.exit_code([-9, 3, -15]) == 1, "out of memory"
    assert signals.exit_code([-signal.SIGUSR1]) == 1, "nobody told this node to stop"
    assert signals.exit_code([1, 2]) == EXIT_USER_INPUT
    signals.passed.append(signal.SIGUSR1)
    assert signals.exit_code([75, -signal.SIGUSR1]) == EXIT_RESUMABLE
    assert signals.exit_code([75, 1]) == 1


def test_what_is_changed_in_torch_is_there() -> None:
    from torch.distributed.elastic.agent.server.local_elastic_agent import LocalElasticAgent
    from torch.distributed.launcher import api
    from torch.distributed.run import parse_args

    assert "exit_barrier_timeout" in inspect.signature(LocalElasticAgent).parameters
    assert hasattr(api, "LocalElasticAgent")
    assert "SIGTERM" in parse_args(["x.py"]).signals_to_handle


def test_a_signal_reaches_the_ranks_and_no_other_child(handlers: None, tmp_path: Path) -> None:
    wait = [sys.executable, "-c", "import time; time.sleep(60)"]
    rank = subprocess.Popen(wait, env=os.environ | {"TORCHELASTIC_RUN_ID": "x"})
    other = subprocess.Popen(wait)
    signals = torchrun._Signals()
    signals.listen()
    try:
        deadline = time.monotonic() + 30
        while torchrun._ranks() != [rank.pid] and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGUSR1)
        assert rank.wait(timeout=30) == -signal.SIGUSR1
        assert other.poll() is None and signals.passed == [signal.SIGUSR1]
    finally:
        other.kill()
        other.wait()


def test_a_converted_model_is_launched_with_its_start(tmp_path: Path) -> None:
    made = tiny_plan(tiny_corpus(tmp_path / "corpus"))
    identity = made.identity.model_copy(update={"start_weights_sha256": "5" * 64})
    path, script = tmp_path / "plan.yaml", tmp_path / "job.sbatch"
    made.model_copy(update={"identity": identity}).save(path)
    words = ["launch", str(path), "--site", "generic-slurm", "--account", "a"]
    words += ["--script", str(script)]
    site = read_yaml(ROOT / "sites" / "generic-slurm.yaml")
    cpus = tmp_path / "cpus.yaml"
    write_yaml(cpus, site | {"name": "cpus", "gpus_per_node": 0})
    words[3] = str(cpus)
    assert main(words) == EXIT_USER_INPUT and not script.exists()
    assert main([*words, "--resume", "start"]) == 0
    assert "--resume start" in script.read_text()
