"""Real text under DVC: what runs again, what one removal changes, and what a remote gives back.

The stages are the real ones, on made-up text. Only the data card is a stand-in here: it draws what the
others wrote, and has tests of its own.
"""

import functools
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from skald_specs.stages import STAGES
from support import ROOT
from support_sources import documents, write_jsonl, write_sources

pytestmark = pytest.mark.slow

SKALD = """#!{python}
import os, pathlib, sys

# One core, so that no stage starts workers for a few kilobytes.
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
words = sys.argv[1:]
stage = words[words.index("--stage") + 1]
if os.path.exists(f"stop-{stage}"):
    sys.exit(75)
if stage == "card":
    card = pathlib.Path(words[words.index("--out") + 1]) / "card"
    card.mkdir()
    (card / "index.html").write_text(pathlib.Path(words[2]).read_text())
    sys.exit()
from skald_cli.main import main

sys.exit(main(words))
"""
PIPELINE = "corpora/tiny/dvc.yaml"
OUT = Path("artifacts/corpora/tiny")
LATER = {*STAGES[STAGES.index("quality") :], "card"}


class Checkout:
    """A small clone with two sources, in which DVC runs the stages."""

    def __init__(self, root: Path) -> None:
        self.root = root
        programs = root.parent / "bin"
        programs.mkdir(exist_ok=True)
        skald = programs / "skald"
        skald.write_text(SKALD.replace("{python}", sys.executable))
        skald.chmod(0o755)
        path = (str(programs), str(Path(sys.executable).parent), os.environ["PATH"])
        self.env = {**os.environ, "PATH": os.pathsep.join(path), "DVC_NO_ANALYTICS": "1"}
        for name in ("DVC_STAGE", "DVC_ROOT"):
            self.env.pop(name, None)

    def run(self, *command: str, fails: bool = False) -> str:
        done = subprocess.run(
            command, cwd=self.root, env=self.env, capture_output=True, text=True, check=False
        )
        told = f"{command}: {done.stdout[-3000:]} {done.stderr[-3000:]}"
        assert bool(done.returncode) == fails, told
        return done.stdout

    def make(self, *words: str, fails: bool = False) -> set[str]:
        """Do what `nox -s data -- --from` does; return the stages that ran or began."""
        module = (sys.executable, "-m", "skald_cli.pipelining", "--from", "sources/sources.yaml")
        found = re.findall(
            r"Running stage '[^']*?:?(\w+)':", self.run(*module, *words, fails=fails)
        )
        return set(found)

    def edit(self, old: str, new: str) -> None:
        path = self.root / "sources/sources.yaml"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    def files(self) -> dict[str, bytes]:
        folder = self.root / OUT
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    def kept(self) -> dict[str, str]:
        """Return the texts that the last stage left, by id."""
        lines = [
            json.loads(line)
            for path in sorted((self.root / OUT / "split").glob("*/*.jsonl"))
            for line in path.read_text(encoding="utf-8").splitlines()
        ]
        return {line["id"]: line["text"] for line in lines}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus made once and committed; tests work on copies."""
    root = tmp_path_factory.mktemp("corpus") / "finished" / "checkout"
    (root / ".dvc").mkdir(parents=True)
    for name in (".dvcignore", ".gitignore", "constraints.txt", ".dvc/config"):
        shutil.copy(ROOT / name, root / name)
    cli = "packages/cli/src/skald_cli"
    for name in (
        *(f"{cli}/{module}.py" for module in ("places", "corpus", "corpora")),
        *(f"packages/{package}/src/x.py" for package in ("corpus", "specs", "report")),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("# stands for ours\n")
    write_sources(root / "sources")
    rows = [{"text": text, "id": f"e{i}"} for i, text in enumerate(documents("da", 3, seed=7))]
    write_jsonl(root / "sources/text/da/b.jsonl", rows)
    checkout = Checkout(root)
    checkout.run("git", "init", "-q")
    assert checkout.make() == {*STAGES, "card"}
    checkout.run("git", "add", "-A")
    checkout.run("git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "all")
    return root


@pytest.fixture
def checkout(finished: Path, tmp_path: Path) -> Checkout:
    root = tmp_path / "checkout"
    shutil.copytree(finished, root, symlinks=True)
    return Checkout(root)


def test_nothing_runs_again_and_git_is_clean(checkout: Checkout) -> None:
    assert checkout.make() == set()
    assert checkout.run("git", "status", "--porcelain") == ""
    tracked = checkout.run("git", "ls-files", "corpora", "artifacts").split()
    assert tracked == ["corpora/tiny/dvc.lock", PIPELINE, "corpora/tiny/inputs.yaml"]


def test_a_file_that_is_gone_or_new_is_noticed(checkout: Checkout) -> None:
    text = checkout.root / "sources/text/da"
    for change in (
        (text / "b.jsonl").unlink,
        lambda: shutil.copy(text / "a.jsonl", text / "c.jsonl"),
    ):
        change()
        checkout.make("--no-run")
        told = json.loads(checkout.run("dvc", "status", "--json", PIPELINE))
        assert f"{PIPELINE}:ingest" in told


def test_a_threshold_of_quality_reruns_what_follows_also_after_an_interruption(
    checkout: Checkout,
) -> None:
    checkout.edit("quantile: 0.01", "quantile: 0.02")
    # Interrupted on the way, it goes on with the stage that was not finished.
    stop = checkout.root / "stop-near"
    stop.touch()
    begun = checkout.make(fails=True)
    assert begun == {"quality", "pii", "exact", "near"}
    stop.unlink()
    assert checkout.make() == LATER - begun | {"near"}
    # The old value is in DVC's cache of runs.
    checkout.edit("quantile: 0.02", "quantile: 0.01")
    assert checkout.make() <= {"card"}


def test_one_line_in_the_ledger_removes_one_document(checkout: Checkout) -> None:
    before, texts = checkout.files(), checkout.kept()
    assert "da-a/d7" not in texts and "sv-a/d11" in texts
    with (checkout.root / "sources/ledger.txt").open("a") as ledger:
        ledger.write("2026-02-01 id sv-a/d11 withdrawn\n")
    ran = checkout.make()
    assert "rights" in ran and "ingest" not in ran
    left = checkout.kept()
    assert left == {name: text for name, text in texts.items() if name != "sv-a/d11"}
    after = checkout.files()
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    # Beside the files with the document in it, only the stages' counts and the card have changed.
    (split,) = (name for name in changed if name.startswith("split/") and name.endswith(".jsonl"))
    assert split in {"split/sv/train.jsonl", "split/sv/validation.jsonl"}
    assert {name for name in changed if name.endswith(".jsonl")} == {
        "rights/sv/sv-a-00000.removed.jsonl", split,
    }  # fmt: skip
    assert all(name.endswith(".json") for name in changed if not name.endswith(".jsonl"))
    gone = [line for line in before[split].splitlines() if b"sv-a/d11" not in line]
    assert after[split].splitlines() == gone
    told = json.loads(checkout.run("dvc", "diff", "--json"))
    shown = {entry["path"] for group in told.values() for entry in group}
    assert {path for path in shown if not path.endswith("/")} == {
        (OUT / name).as_posix() for name in changed
    }
    assert {entry["path"] for entry in told["added"]} == {
        (OUT / "rights/sv/sv-a-00000.removed.jsonl").as_posix()
    }


def test_a_remote_gives_the_same_files_back_over_http(checkout: Checkout, tmp_path: Path) -> None:
    store = tmp_path / "store"
    checkout.run("dvc", "remote", "add", "-q", "-d", "store", str(store))
    checkout.run("dvc", "push", "-q")
    before = checkout.files()
    shutil.rmtree(checkout.root / "artifacts")
    shutil.rmtree(checkout.root / ".dvc" / "cache")
    handler = functools.partial(_Quiet, directory=str(store))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        checkout.run("dvc", "remote", "add", "-q", "web", url)
        checkout.run("dvc", "pull", "-q", "-r", "web")
        server.shutdown()
    assert checkout.files() == before
    # What was pulled is a corpus that goes on: only what follows the change runs.
    checkout.edit("validation_fraction: 0.2\n", "")
    assert checkout.make() == {"split", "card"}


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass
