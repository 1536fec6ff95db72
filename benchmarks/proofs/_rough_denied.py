"""A checkout that may be read alone, and a machine that starts no more processes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from _rough_chain import NAME, Machine, Told, commands, lay_out
from _rough_surroundings import judged
from skald_specs.claims import Measure

#: Root is let in everywhere: commands run as the user nobody, who may still read what root may.
NOBODY = (
    "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all,+dac_read_search",
    "--ambient-caps=-all,+dac_read_search",
)  # fmt: skip
#: In a namespace of its own, the folder of the command becomes one of a file system that is read alone.
_REMOUNT = 'mount --bind . . && mount -o remount,bind,ro . && cd "$PWD" && exec "$@"'
READ_ONLY = ("unshare", "--mount", "--propagation", "private", "sh", "-c", _REMOUNT, "sh")
_PROCESSES = 3


def measures(folder: Path, wanted: Mapping[str, str]) -> list[Measure]:
    """Run every station with its outputs elsewhere, and each once where it may not write."""
    checkout, out = folder / "checkout", folder / "elsewhere"
    lay_out(checkout)
    out.mkdir(parents=True)
    machine = _unprivileged(out, checkout)
    if machine is None:
        return [_not(what) for what in ("read-only checkout", "few processes")]
    told = [machine.run(checkout, *words) for words in commands(str(out)).values()]
    rows = judged(
        "read-only checkout, outputs elsewhere", told, out, wanted,
        "as the user nobody" if os.geteuid() == 0 else "folders without w",
    )  # fmt: skip
    return [*rows, _refused(checkout, out, machine), _few(checkout, out, machine)]


def _unprivileged(out: Path, checkout: Path) -> Machine | None:
    """Return where a command may write below `out` and not below `checkout`; None where none can be made."""
    if os.geteuid() != 0:
        for path in (checkout, *checkout.rglob("*")):
            path.chmod(path.stat().st_mode & ~0o222)
        return Machine({"TMPDIR": "/tmp"})
    os.chown(out, 65534, 65534)
    works = (
        shutil.which("setpriv") and subprocess.run([*NOBODY, "true"], check=False).returncode == 0
    )
    return Machine({"TMPDIR": "/tmp", "HOME": "/nonexistent"}, NOBODY) if works else None


def _refused(checkout: Path, out: Path, machine: Machine) -> Measure:
    """Each station is told to write into the checkout: one line, and nothing is written."""
    before = sorted(checkout.rglob("*"))
    place = str(out)
    inside = {
        "corpus": commands()["corpus"],
        **{
            name: [
                word.replace("out/", f"{place}/") if word != f"out/{_LAST[name]}" else word
                for word in words
            ]
            for name, words in commands().items()
            if name in _LAST
        },
    }
    ways = {"no rights": machine}
    if (
        os.geteuid() == 0
        and subprocess.run([*READ_ONLY, "true"], cwd=checkout, check=False).returncode == 0
    ):
        ways["mounted read-only"] = Machine(around=READ_ONLY)
    told = [
        (way, name, at.run(checkout, *words))
        for way, at in ways.items()
        for name, words in inside.items()
    ]
    wrong = [f"{way}, {name}: {one.code} {one.line}" for way, name, one in told if not _well(one)]
    wrong += [str(path) for path in checkout.rglob("*") if path not in before]
    return Measure(
        measure="read-only checkout: refusals that are not one line, or that wrote", value=len(wrong),
        unit="", bound="= 0", holds=not wrong,
        detail="; ".join(wrong[:5]) or f"of {len(told)}: {', '.join(ways)}",
    )  # fmt: skip


#: What each station writes last, by its own name of the folder.
_LAST = {"plan": "plan", "train": "runs", "export": "exports"}


def _well(told: Told) -> bool:
    return told.code == 2 and told.is_one_line


def _few(checkout: Path, out: Path, machine: Machine) -> Measure:
    """Train where the system starts no more processes; one line says so, and nothing is spoilt."""
    name = "few processes: ends that are not one line"
    if not machine.around or not shutil.which("prlimit"):
        return _not(name)
    limited = Machine(
        machine.variables, (*machine.around, "prlimit", f"--nproc={_PROCESSES}", "--")
    )
    words = ["train", f"{out}/plan/{NAME}.yaml", "--corpus", f"{out}/corpus", "--out", f"{out}/few"]
    told = limited.run(checkout, *words)
    good = told.is_one_line and "processes" in told.line
    return Measure(
        measure=name, value=int(not good), unit="", bound="= 0", holds=good,
        detail=f"ulimit -u {_PROCESSES}: {told.line[:200]}",
    )  # fmt: skip


def _not(name: str) -> Measure:
    return Measure(
        measure=name, value=None, unit="", bound="= 0", holds=None,
        detail="no user to become without rights: neither root with setpriv, nor another one",
    )  # fmt: skip
