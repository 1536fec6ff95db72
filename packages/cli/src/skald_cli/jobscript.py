"""The text of a Slurm job script, from a site and what is to run; a pure function.

What goes into an `#SBATCH` line is a plain word by the site's patterns; everything else is quoted.
Two things need thought. A stop signal must reach every rank: Slurm tells this shell alone
(`--signal=B:`), the shell tells srun, srun tells the program it started on each node, and that one
tells its ranks. And only a run that can be continued (exit code 75) goes back into the queue: not
one that failed, and not one that its owner has cancelled (SIGTERM to this shell).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from skald_specs.errors import EXIT_RESUMABLE
from skald_specs.execution import ExecutionRecipe
from skald_specs.site import Site

#: Where `containers/skald.def` puts the environment.
CONTAINER_PYTHON = "/opt/skald/.nox/env/bin/python"
#: Compute nodes have no internet, and a library that asks for it waits for minutes.
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "WANDB_MODE": "offline",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONUTF8": "1",
    "PYTHONUNBUFFERED": "1",
}
#: After one node has ended, the others get this long (seconds) before srun ends them.
_SECONDS_TO_FOLLOW = 30


def training_script(
    site: Site,
    name: str,
    execution: ExecutionRecipe,
    nodes: int,
    words: Sequence[str],
    python: Path,
    logs: Path,
) -> str:
    """Return the script that trains a plan on whole nodes, one torchrun on each.

    Args:
        site: The cluster.
        name: The plan's name.
        execution: Its layout.
        nodes: Nodes that the layout fills.
        words: Arguments of `skald`.
        python: The environment's interpreter; a container has its own.
        logs: Folder of the job's output.
    """
    processes = execution.world_size // nodes
    cpus = processes * site.cpus_per_process
    more = {"OMP_NUM_THREADS": str(execution.threads_per_process)}
    size = [f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1"]
    whole = site.exclusive and processes == site.processes_per_node
    ask = [*size, f"--cpus-per-task={cpus}", *_gpus(site, processes), *["--exclusive"] * whole]
    step = [
        # srun does not take the number of cores from sbatch (Slurm 22.05 and later).
        f"srun {' '.join(size)} --cpus-per-task={cpus}",
        f"--kill-on-bad-exit=0 --wait={_SECONDS_TO_FOLLOW}",
        f"{_python(site, python)} -m skald_trainer.torchrun",
        f"--nnodes={nodes} --nproc-per-node={processes}",
        '--master-addr="$MASTER_ADDR" --master-port="$MASTER_PORT"',
        '-m skald_cli.main "$@"',
    ]
    return "\n".join(
        [
            *_header(site, name, ask, f"{logs}/%x-%j.out"),
            *_surroundings(site, more),
            "# Checkout, corpus and run folder must lie where every node sees them.",
            'hosts=$(scontrol show hostnames "$SLURM_JOB_NODELIST") || exit 1',
            "export MASTER_ADDR=\"${hosts%%$'\\n'*}\"" + site.host_suffix,
            'export MASTER_PORT="${MASTER_PORT:-$((20000 + SLURM_JOB_ID % 20000))}"',
            "",
            *_step(" \\\n  ".join(step), words, "USR1"),
            *_ending(site, '"$SLURM_JOB_ID"'),
        ]
    )


def evaluation_script(
    site: Site, suites: Mapping[str, Path], words: Sequence[str], python: Path, logs: Path
) -> str:
    """Return the script of a job array that scores exports, one suite in each job.

    Args:
        site: The cluster.
        suites: Folders under evals/, each with the folder of its items.
        words: Arguments of `skald`, all but the suite and its items.
        python: The environment's interpreter; a container has its own.
        logs: Folder of the jobs' output.
    """
    ask = [f"--array=0-{len(suites) - 1}", "--nodes=1", "--ntasks=1"]
    ask += [f"--cpus-per-task={site.cpus_per_process}", *_gpus(site, 1)]
    step = f"srun --ntasks=1 --cpus-per-task={site.cpus_per_process}"
    return "\n".join(
        [
            *_header(site, "evaluate", ask, f"{logs}/%x-%A_%a.out"),
            *_surroundings(site, {"OMP_NUM_THREADS": str(site.cpus_per_process)}),
            f"suites=({_quoted(list(suites))})",
            f"items=({_quoted([str(folder) for folder in suites.values()])})",
            'chosen=(--suite "${suites[$SLURM_ARRAY_TASK_ID]}" --items "${items[$SLURM_ARRAY_TASK_ID]}")',
            "",
            *_step(f'{step} {_python(site, python)} -m skald_cli.main "$@" "${{chosen[@]}}"', words, "TERM"),
            *_ending(site, '"${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"'),
        ]
    )  # fmt: skip


def _header(site: Site, name: str, ask: Sequence[str], output: str) -> list[str]:
    job = re.sub(r"[^A-Za-z0-9_.-]+", "-", name)
    chosen = {"account": site.account, "partition": site.partition, "qos": site.qos}
    options = [f"--{option}={value}" for option, value in chosen.items() if value]
    options += [f"--time={site.time}", *ask]
    options += [f"--output={output}", "--open-mode=append"]
    options += ["--requeue" if site.max_requeues else "--no-requeue"]
    options += [f"--signal=B:USR1@{site.signal_seconds}"]
    options += [f"--{key}={value}" if value else f"--{key}" for key, value in site.sbatch.items()]
    return [
        "#!/bin/bash",
        f"# Written by `skald launch` for {site.name}. Submit it from the root of the checkout.",
        f"#SBATCH --job-name={job}",
        *(f"#SBATCH {option}" for option in options),
        "",
        'cd "$SLURM_SUBMIT_DIR" || exit 1',
        "",
    ]


def _surroundings(site: Site, more: dict[str, str]) -> list[str]:
    lines = []
    if site.modules:
        loads = [f"module load {_quoted([name])} || exit 1" for name in site.modules]
        lines += ["module purge", *loads, ""]
    # Only now: the module command of many a site reads variables that are not set.
    lines += ["set -u"]
    variables = OFFLINE | more | site.environment
    lines += [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    return [*lines, ""]


def _step(command: str, words: Sequence[str], stop: str) -> list[str]:
    """Run a command of srun and wait for it, passing signals on; `code` is what it ended with."""
    return [
        f"set -- {_quoted(words)}",
        "step='' asked=0 cancelled=0",
        f"trap 'asked=1; ${{step:+kill -{stop} $step}}' USR1",
        "trap 'asked=1; cancelled=1; ${step:+kill -TERM $step}' TERM",
        f"{command} &",
        "step=$!",
        "# A signal ends the waiting, not the step.",
        "while asked=0; wait \"$step\"; code=$?; ((asked)); do :; done",
        "",
    ]  # fmt: skip


def _ending(site: Site, job: str) -> list[str]:
    if not site.max_requeues:
        return ['exit "$code"', ""]
    return [
        f"if ((code == {EXIT_RESUMABLE} && ! cancelled)); then",
        f"  if ((${{SLURM_RESTART_COUNT:-0}} < {site.max_requeues})); then",
        '    echo "skald: saved and back into the queue"',
        f"    scontrol requeue {job}",
        "  else",
        f'    echo "skald: saved, but put back {site.max_requeues} times already" >&2',
        "  fi",
        "fi",
        'exit "$code"',
        "",
    ]


def _gpus(site: Site, count: int) -> list[str]:
    return [f"--gres=gpu:{count}"] if site.gpus_per_node else []


def _python(site: Site, python: Path) -> str:
    if not site.container:
        return _quoted([str(python)])
    flags = ["--nv"] if site.gpus_per_node else []
    start = _quoted(["apptainer", "exec", *flags])
    return f'{start} --bind "$SLURM_SUBMIT_DIR" {_quoted([site.container, CONTAINER_PYTHON])}'


def _quoted(words: Sequence[str]) -> str:
    return " ".join(shlex.quote(word) for word in words)
