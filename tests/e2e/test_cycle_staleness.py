"""What dvc.yaml reruns, and what it leaves alone; with stand-ins for the stations, which DVC runs.

The claim is about the pipeline's graph, so the stations only copy what they read into what they
write. Their real work is tested elsewhere.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT

STAND_IN = r"""#!{python}
import os, pathlib, sys

os.chdir(os.environ["DVC_ROOT"])
words = sys.argv[1:]
A = pathlib.Path("artifacts")


def write(path, *inputs):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(pathlib.Path(name).read_text() for name in inputs))


def listed(key):
    text = pathlib.Path("params.yaml").read_text()
    return text.split(key + ": [")[1].split("]")[0].split(", ")


if words[:2] == ["corpus", "build"]:
    write(A / "corpus/corpus.json", words[2], "data/text/a")
    for name in ("decontamination", "clean-subset"):
        write(A / f"corpus/{name}.json", "data/items/b")
elif words[:2] == ["sweep", "run"]:
    write(A / "sweep/runs.parquet", words[2])
elif words[:2] == ["plan", "fit"]:
    write(A / "plan/fit.json", A / "sweep/runs.parquet")
elif words[:2] == ["plan", "predict"]:
    ending = "-untransferred.yaml" if "--untransferred" in words else ".yaml"
    write(A / "plan" / (pathlib.Path(words[-1]).stem + ending), words[-1], A / "plan/fit.json")
elif words[0] == "train":
    run = A / "runs" / pathlib.Path(words[1]).stem
    seen = run / "checkpoints/starts"
    starts = int(seen.read_text()) if seen.is_file() else 0
    seen.parent.mkdir(parents=True, exist_ok=True)
    seen.write_text(str(starts + 1))
    (run / "metrics.jsonl").write_text(str(os.urandom(8)))
    if pathlib.Path("stop").exists():
        sys.exit(75)
    write(run / "final/model", words[1])
elif words[0] == "export":
    write(A / "exports" / pathlib.Path(words[1]).name / "model", words[1] + "/final/model")
elif words[0] == "evaluate":
    write(A / "eval" / words[2] / "items", *[A / "exports" / n / "model" for n in listed("baselines")])
elif words[:2] == ["report", "build"]:
    write(pathlib.Path("reports/latest/index.html"), A / "eval/core/items")
else:
    sys.exit(f"unknown: {words}")
"""
ALL = [
    "corpus", "sweep", "fit", "plan@mini-2.6b", "plan@mini-7.8b", "control-plan@mini-2.6b",
    "train@mini-2.6b", "train@mini-7.8b", "control@mini-2.6b", "export@mini-2.6b", "export@mini-7.8b", "evaluate@core", "report",
]  # fmt: skip


class Checkout:
    """A small clone in which `dvc repro` runs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        programs = root.parent / "bin"
        programs.mkdir()
        skald = programs / "skald"
        skald.write_text(STAND_IN.replace("{python}", sys.executable))
        skald.chmod(0o755)
        python_bin = Path(sys.executable).parent
        self.env = {
            **os.environ,
            "PATH": f"{programs}{os.pathsep}{python_bin}{os.pathsep}{os.environ['PATH']}",
            "DVC_NO_ANALYTICS": "1",
        }
        for name in ("DVC_STAGE", "DVC_ROOT"):
            self.env.pop(name, None)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.root, env=self.env, capture_output=True, text=True, check=False
        )

    def repro(self) -> tuple[int, set[str]]:
        """Run the pipeline; return the exit code and the stages that ran."""
        done = self.run("dvc", "repro")
        return done.returncode, set(re.findall(r"Running stage '([^']+)'", done.stdout))

    def status(self) -> str:
        return self.run("git", "status", "--porcelain").stdout

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.root / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One finished cycle; tests work on copies."""
    root = tmp_path_factory.mktemp("cycle") / "finished" / "checkout"
    root.mkdir(parents=True)
    for name in ("dvc.yaml", "params.yaml", "constraints.txt", ".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, root / name)
    (root / ".dvc").mkdir()
    for name in ("config", ".gitignore"):
        shutil.copy(ROOT / ".dvc" / name, root / ".dvc" / name)
    shutil.copytree(ROOT / "recipes", root / "recipes")
    for source in sorted(ROOT.glob("packages/*/src/**/*.py")):
        target = root / source.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(f"# {source.name}\n")
    for name in (
        "data/text/a", "data/items/b", "evals/core/t.yaml", "evals/models.yaml", "evals/published/p.csv",
        "reports/evidence/mup/m.csv",
    ):  # fmt: skip
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}\n")
    checkout = Checkout(root)
    assert checkout.run("git", "init", "-q").returncode == 0
    assert checkout.run("dvc", "add", "-q", "data").returncode == 0
    code, ran = checkout.repro()
    assert (code, ran) == (0, set(ALL))
    author = ("-c", "user.name=a", "-c", "user.email=a@b")
    assert checkout.run("git", "add", "-A").returncode == 0
    assert checkout.run("git", *author, "commit", "-qm", "all").returncode == 0
    return root


@pytest.fixture
def checkout(finished: Path, tmp_path: Path) -> Checkout:
    root = tmp_path / "checkout"
    shutil.copytree(finished, root, symlinks=True)
    return Checkout(root)


def test_nothing_runs_when_nothing_changed_and_git_is_clean(checkout: Checkout) -> None:
    assert checkout.repro() == (0, set())
    assert checkout.status() == ""


def test_one_number_of_one_recipe_reruns_what_depends_on_it(checkout: Checkout) -> None:
    checkout.edit("recipes/mini-2.6b.yaml", "horizon_tokens: ", "horizon_tokens: 1")
    code, ran = checkout.repro()
    assert code == 0
    assert ran == {
        "plan@mini-2.6b", "train@mini-2.6b", "export@mini-2.6b", "evaluate@core", "report",
        "control-plan@mini-2.6b", "control@mini-2.6b",
    }  # fmt: skip


def test_a_number_of_the_sweep_leaves_the_corpus_alone(checkout: Checkout) -> None:
    checkout.edit("recipes/mini-proxy.yaml", "base_lrs: [", "base_lrs: [0.0001, ")
    code, ran = checkout.repro()
    assert code == 0
    assert {"sweep", "fit"} <= ran and "corpus" not in ran


def test_changed_tasks_and_published_scores_train_nothing(checkout: Checkout) -> None:
    checkout.edit("evals/core/t.yaml", "t.yaml", "t2.yaml")
    assert checkout.repro() == (0, {"evaluate@core"})
    checkout.edit("evals/published/p.csv", "p.csv", "p2.csv")
    assert checkout.repro() == (0, {"report"})
    checkout.edit("reports/evidence/mup/m.csv", "m.csv", "m2.csv")
    assert checkout.repro() == (0, {"report"})


def test_other_items_are_looked_for_and_train_nothing(checkout: Checkout) -> None:
    (checkout.root / "data/items/b").write_text("other items\n")
    assert checkout.repro() == (0, {"corpus", "evaluate@core", "report"})
    (checkout.root / "data/text/a").write_text("other text\n")
    assert {"corpus", "sweep", "train@mini-2.6b"} <= checkout.repro()[1]


def test_changed_source_of_a_station_reruns_it(checkout: Checkout) -> None:
    source = next((checkout.root / "packages/report/src").rglob("*.py"))
    source.write_text("# changed\n")
    assert checkout.repro() == (0, {"report"})
    byte_code = source.parent / "__pycache__" / "x.pyc"
    byte_code.parent.mkdir()
    byte_code.write_text("x")
    (checkout.root / "artifacts/runs/mini-2.6b/metrics.jsonl").write_text("other times")
    assert checkout.repro() == (0, set())


def test_another_version_of_a_library_reruns_everything(checkout: Checkout) -> None:
    checkout.edit("constraints.txt", "torch==", "torch==9")
    code, ran = checkout.repro()
    assert code == 0
    assert {"train@mini-2.6b", "train@mini-7.8b"} <= ran
    assert ran == set(ALL)


def test_a_verb_reruns_its_stages_and_a_display_reruns_nothing(checkout: Checkout) -> None:
    packages = checkout.root / "packages"
    for name in (
        "planner/src/skald_planner/display/show.py", "cli/src/skald_cli/showing.py",
        "cli/src/skald_cli/doctor.py",
    ):  # fmt: skip
        (packages / name).write_text("# changed\n")
    assert checkout.repro() == (0, set())
    for name, stages in (("reporting", {"report"}), ("evaluating", {"evaluate@core"})):
        (packages / f"cli/src/skald_cli/{name}.py").write_text("# changed\n")
        assert checkout.repro() == (0, stages)
    # The fit comes out the same, so nothing is trained again; nor is the sweep, which does not ask it.
    (packages / "planner/src/skald_planner/fitting/joint.py").write_text("# changed\n")
    plans = {"plan@mini-2.6b", "plan@mini-7.8b", "control-plan@mini-2.6b"}
    assert checkout.repro() == (0, {"fit", *plans})


def test_what_a_killed_writer_leaves_is_no_change(checkout: Checkout) -> None:
    for name in (
        "exports/.mini-2.6b.x1y2/model", "exports/.mini-2.6b.x1y2.old/model",
        "exports/mini-2.6b/.model.x1y2", "eval/.core.x1y2/items", "plan/.fit.json.x1y2",
        "plan/.mini-2.6b.yaml.x1y2", "runs/mini-2.6b/.final.x1y2/model",
        "runs/mini-2.6b/final/.model.x1y2", "sweep/.runs.parquet.x1y2", "corpus/.corpus.json.x1y2",
    ):  # fmt: skip
        path = checkout.root / "artifacts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("half")
    assert checkout.repro() == (0, set())
    (checkout.root / "artifacts/exports/other").mkdir()
    (checkout.root / "artifacts/exports/other/model").write_text("whole")
    assert checkout.repro()[1] == {"evaluate@core"}


def test_a_stopped_training_is_not_done_and_keeps_its_checkpoints(checkout: Checkout) -> None:
    starts = checkout.root / "artifacts/runs/mini-2.6b/checkpoints/starts"
    checkout.edit("recipes/mini-2.6b.yaml", "seeds: {model: 1", "seeds: {model: 2")
    (checkout.root / "stop").touch()
    code, ran = checkout.repro()
    assert code != 0 and "train@mini-2.6b" in ran and "export@mini-2.6b" not in ran
    assert starts.read_text() == "2"
    (checkout.root / "stop").unlink()
    code, ran = checkout.repro()
    assert code == 0 and "train@mini-2.6b" in ran and "plan@mini-2.6b" not in ran
    assert starts.read_text() == "3"
