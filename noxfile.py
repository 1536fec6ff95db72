"""Entry points. `nox -s cycle` runs everything, `nox -s tests` checks everything.

nox owns the environment and the entry points, DVC owns staleness, YAML owns values. One session,
`env`, builds the one environment; the others require it and run from its bin folder.
"""

from __future__ import annotations

import hashlib
import os
import runpy
import shutil
import sys
import time
from pathlib import Path

import nox

# nox itself runs on older ones, and pip would then refuse the packages with a page of its own.
if sys.version_info < (3, 11):  # noqa: UP036 - the reader's Python, not the one of the packages
    sys.exit(f"skald needs Python 3.11 or newer, and this nox runs on {sys.version.split()[0]}")

nox.needs_version = ">=2026.4.10"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["tests"]

ROOT = Path(__file__).parent
#: `all` counts what the environment takes, too.
BEGAN = str(time.time())
PACKAGES = sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml"))
PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
#: Every wheel, for machines without a network; sessions install from it where it is.
WHEELHOUSE = Path(os.environ.get("SKALD_WHEELHOUSE", ROOT / "wheelhouse")).resolve()
GATHERING = str(ROOT / "packages" / "cli" / "src" / "skald_cli" / "wheelhouse.py")
#: A worker for each core, up to four; tests/conftest.py says which tests stay together.
WORKERS = ["-n", "logical", "--maxprocesses=4"]
GUESSES = ROOT / "packages" / "specs" / "src" / "skald_specs" / "guesses.py"
#: What `scale` adds: datatrove's own tokenizers, and pytest, since that environment stands alone.
SCALE = ["spacy==3.8.18", "regex", "pytest>=9"]
#: No network, no window, no time zone or locale in a result. One OpenMP thread for each process:
#: the trainer starts as many processes as its layout says, and threads would fight over the cores.
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "DVC_NO_ANALYTICS": "1",
    "MPLBACKEND": "Agg",
    "TOKENIZERS_PARALLELISM": "false",
    "TQDM_DISABLE": "1",
    "OMP_NUM_THREADS": "1",
    "PYTHONUTF8": "1",
    "LC_ALL": "C.UTF-8",
}


def run(session, *command, **more):
    """Run a program of the environment that `env` built, with more variables than the quiet ones."""
    bin_folder = Path(session.cache_dir).resolve().parent / "env" / "bin"
    path = f"{bin_folder}{os.pathsep}{os.environ['PATH']}"
    words, named = [str(bin_folder / command[0]), *command[1:]], {**QUIET, **more, "PATH": path}
    try:
        # On Ctrl-C nox would kill it after half a second, before it has left something to go on from;
        # so wait for it. Another Ctrl-C ends both.
        session.run(*words, env=named, interrupt_timeout=None)
    except KeyboardInterrupt:
        again = "run the same command again to continue"
        print(f"nox -s {session.name}: interrupted; {again}", file=sys.stderr, flush=True)
        # In place of nox's 130: the code of every verb of `skald`.
        raise SystemExit(os.EX_TEMPFAIL) from None


def pins():
    """Return a hash of all that decides which wheels the environment holds."""
    inputs = [ROOT / "constraints.txt", ROOT / "pyproject.toml"]
    inputs += [package / "pyproject.toml" for package in PACKAGES]
    return hashlib.sha256(b"".join(path.read_bytes() for path in inputs)).hexdigest()


def source(session):
    """Return pip's options: from the wheelhouse where there is one, else as pip is configured."""
    if "SKALD_WHEELHOUSE" not in os.environ and not WHEELHOUSE.is_dir():
        return ["-q", "-c", "constraints.txt"]
    session.run(sys.executable, GATHERING, "check", str(WHEELHOUSE), pins(), external=True)
    return ["-q", "-c", "constraints.txt", "--no-index", "--find-links", str(WHEELHOUSE)]


def scripts(session, folder):
    """Run the named scripts of a folder, or all of them; the rest of the words go to each."""
    known = {path.stem: path for path in sorted((ROOT / folder).glob("[a-z]*.py"))}
    names = [word for word in session.posargs if not word.startswith("-")] or list(known)
    options = [word for word in session.posargs if word.startswith("-")]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        # From its file: nox runs outside the environment.
        near = runpy.run_path(str(GUESSES))["near"]
        meant = [name for word in unknown for name in near(word, known)]
        guess = f"; did you mean {' '.join(meant)}?" if meant else "."
        lacking = f"no {' '.join(unknown) or 'script'} in {folder}"
        session.error(f"{lacking}{guess} There are: {', '.join(known)}")
    for name in names:
        run(session, "python", str(known[name]), *options)


# Backend by name: uv would ignore pip's configuration and fetch another build of torch.
@nox.session(venv_backend="virtualenv", default=False)
def env(session):
    """Build the environment; unchanged pins cost nothing."""
    digest, stamp = pins(), Path(session.virtualenv.location) / ".skald"
    if stamp.is_file() and stamp.read_text() == digest:
        return
    stamp.unlink(missing_ok=True)
    options, groups = source(session), nox.project.dependency_groups
    session.install(*options, *groups(PYPROJECT, "build"))
    editable = [word for package in PACKAGES for word in ("-e", str(package))]
    everything = [*editable, *groups(PYPROJECT, "all")]
    session.install(*options, "--no-build-isolation", *everything)
    stamp.write_text(digest)


@nox.session(venv_backend="virtualenv", default=False)
def wheelhouse(session):
    """Gather every wheel into wheelhouse/ (or $SKALD_WHEELHOUSE), for machines without a network."""
    projects = [nox.project.load_toml(path / "pyproject.toml")["project"] for path in PACKAGES]
    words = {word for project in projects for word in project["dependencies"]}
    base = ["nox", *nox.project.dependency_groups(PYPROJECT, "build")]
    base += sorted(word for word in words if not word.startswith("skald-"))
    extras = [p["optional-dependencies"]["scale"] for p in projects if p["name"] == "skald-corpus"]
    sets = [[*base, *nox.project.dependency_groups(PYPROJECT, "all")], [*base, *extras[0], *SCALE]]
    words = [word for one in sets for word in ("--set", *one)]
    session.run("python", GATHERING, "gather", str(WHEELHOUSE), "constraints.txt", pins(), *words)


@nox.session(venv_backend="none", requires=["env"], default=False)
def data(session):
    """Bring data/ to its pin; with `-- --from SOURCES.yaml` make a corpus of real text by DVC."""
    if "--from" in session.posargs:
        online = {"HF_HUB_OFFLINE": os.environ.get("HF_HUB_OFFLINE", "0")}
        run(session, "python", "-m", "skald_cli.pipelining", *session.posargs, **online)
        return
    run(session, "python", "-m", "skald_cli.pull")
    run(session, "skald", "corpus", "generate", "--pin", "data.dvc")


@nox.session(venv_backend="none", requires=["env", "data"], default=False)
def cycle(session):
    """Run what has changed, from data to report; say where the page is and what it took."""
    if "DVC_STAGE" in os.environ:
        session.error("`nox -s cycle` was called from inside a DVC stage")
    run(session, "dvc", "repro", *session.posargs)
    run(session, "python", "-m", "skald_cli.summary")


@nox.session(venv_backend="none", requires=["cycle"], default=False)
def reproduce(session):
    """Run the cycle and compare its report with the committed one."""
    run(session, "skald", "report", "compare", "reports/reference", "reports/latest")


@nox.session(venv_backend="none", requires=["env"], default=False)
def lint(session):
    """Check format, rules, types and import contracts."""
    run(session, "ruff", "format", "--check", ".")
    run(session, "ruff", "check", ".")
    code = [str(package / "src") for package in PACKAGES]
    run(session, "mypy", *code, "benchmarks", "--exclude", "benchmarks/proofs/")
    # Apart: a benchmark and a proof may have one name.
    run(session, "mypy", "benchmarks/proofs", "docs/diagrams.py", "docs/pictures.py")
    run(session, "lint-imports", "--no-logo")


@nox.session(venv_backend="none", requires=["env", "lint"])
def tests(session):
    """Check everything: lint first, then every test; `-- WORDS` go to pytest, and then one worker runs."""
    run(session, "pytest", *(session.posargs or WORKERS))


@nox.session(venv_backend="none", requires=["env"], default=False)
def coverage(session):
    """Measure which lines and branches of packages/ the tests run; below 90 % is an error."""
    data = str(ROOT / "build" / "coverage" / "data")  # absolute: tests start programs elsewhere
    run(
        session,
        "pytest",
        "--cov",
        "--cov-report=term",
        *(session.posargs or WORKERS),
        COVERAGE_FILE=data,
    )


@nox.session(venv_backend="none", requires=["env"], default=False)
def prove(session):
    """Rerun the proof of a claim: `nox -s prove -- NAME`; no name: all."""
    scripts(session, "benchmarks/proofs")


@nox.session(venv_backend="none", requires=["env"], default=False)
def bench(session):
    """Measure a speed: `nox -s bench -- NAME`; no name: all."""
    scripts(session, "benchmarks")


@nox.session(venv_backend="none", requires=["env"], default=False)
def all(session):
    """Run all that Skald claims, in at most 90 minutes on two cores; `-- --plan` prints the plan."""
    words = ["benchmarks/_everything.py", *session.posargs]
    run(session, "python", *words, SKALD_NOX=sys.executable, SKALD_BEGAN=BEGAN)


@nox.session(venv_backend="none", requires=["env"], default=False)
def claims(session):
    """Write docs/claims.md from what `prove` and `bench` measured here."""
    run(session, "python", "benchmarks/_claims.py", *session.posargs)


@nox.session(venv_backend="none", requires=["env"], default=False)
def docs(session):
    """Make the docs site, build/docs/index.html; a warning is an error."""
    words = ["-W", "--keep-going", "-q", "-c", "docs", "-d", "build/doctrees", *session.posargs]
    run(session, "python", "-m", "sphinx", *words, ".", "build/docs")
    session.log(f"the site: {(ROOT / 'build' / 'docs' / 'index.html').as_posix()}")


@nox.session(venv_backend="none", requires=["env"], default=False)
def mutants(session):
    """Measure which small changes of the code the tests notice: `nox -s mutants -- GROUP`."""
    run(session, "python", "-m", "mutants", *session.posargs, PYTHONPATH="benchmarks")


# An environment of its own: datatrove's own pipeline, the peer of `bench -- corpus`, wants spaCy.
@nox.session(venv_backend="virtualenv", default=False)
def scale(session):
    """Check that datatrove's executors give the same bytes; builds what `bench -- corpus` needs."""
    options, groups = source(session), nox.project.dependency_groups
    session.install(*options, *groups(PYPROJECT, "build"), *SCALE)
    specs, process, corpus, cli = (
        str(ROOT / "packages" / name) for name in ("specs", "process", "corpus", "cli")
    )
    ours = ["-e", specs, "-e", process, "-e", f"{corpus}[scale]"]
    session.install(*options, "--no-build-isolation", *ours)
    # The verb `corpus build` needs no other station.
    session.install("-q", "--no-deps", "--no-build-isolation", "-e", cli)
    session.run("pytest", "tests/scale", *session.posargs, env=QUIET)


@nox.session(venv_backend="none", requires=["env"], default=False)
def own_text(session):
    """Train and evaluate on your text: `nox -s own_text -- DIR [ITEMS_DIR]`."""
    run(session, "python", "-m", "skald_cli.own_text", *session.posargs)


# An environment of its own: what looks at the pins must not be one of them.
@nox.session(venv_backend="virtualenv", requires=["env"], default=False)
def audit(session):
    """Look the pinned versions up among known vulnerabilities; needs a network."""
    session.install("-q", "pip-audit==2.10.1")
    run(session, "python", "-m", "skald_cli.auditing", f"{session.bin}/pip-audit")


@nox.session(venv_backend="none", default=False)
def clean(session):
    """Remove what a cycle wrote; `nox -s clean -- all` also data/, DVC's cache, .nox and wheels."""
    folders = ["artifacts", "build", "reports/latest", "reports/own-text"]
    if "all" in session.posargs:
        folders += ["data", ".dvc/cache", ".dvc/tmp", ".nox", "wheelhouse", "wheelhouse.partial"]
    for folder in folders:
        shutil.rmtree(ROOT / folder, ignore_errors=True)
