"""The examples of the help pages run, on tiny artifacts of every station."""

import shlex
import shutil
from pathlib import Path

import pytest
import support_harness
from matplotlib.figure import Figure
from skald_cli.main import build_parser
from skald_cli.main import main as skald
from skald_cli.parser import Parser
from skald_corpus.build import build as build_corpus
from skald_specs.files import write_jsonl, write_text
from skald_trainer.bridge import patches
from support import ROOT
from support_corpus import small_recipe, some_text, write_rows
from support_trainer import tiny_plan

BASELINES = ("mini-2.6b", "mini-7.8b")
TAG = "da"
_NETWORK = "needs a network"
_SWEEP = "needs a sweep; test_planner_transfer.py, test_trainer_sweep.py"
_WALKED = "takes minutes, or text in many languages; the end-to-end tests of the station"
#: Beginnings of examples that do not run here, and why.
NOT_RUN = {
    "corpus generate": "takes half a minute; test_corpus_generate.py",
    "corpus build": _WALKED,
    "corpus contamination": "names a suite of others; test_corpus_contamination.py",
    "corpus why": "needs a corpus of sources; test_corpus_pipeline.py",
    "corpus ablate": "takes minutes; test_corpus_ablate.py",
    "sweep run": _SWEEP,
    "plan fit": _SWEEP,
    "plan predict recipes/mini": _SWEEP,
    "plan show artifacts/plan/fit.json": _SWEEP,
    "evaluate artifacts/exports/mini-7.8b --suite core --models": _NETWORK,
    "evals check": "reads every task of every suite; test_harness_suites.py",
    "evals items belebele": _NETWORK,
    "report build own-text": "test_cycle_own_text.py",
    "report compare": "its verdict is of two cycles; test_docs_walk.py, test_cli_reporting.py",
    "report import-published": "reads files of others; test_published_import.py",
    "mup coord-check": "takes half a minute; test_cli_parametrising.py",
    "doctor": "judges this machine; test_cli_doctor.py",
}
#: What an example reads and another one wrote: those come first.
BEFORE = (
    "train artifacts",
    "checkpoint convert",
    "export",
    "evaluate art",
    "report build",
    "train",
)


def examples(parser: Parser) -> list[list[str]]:
    """Return the examples of a parser and of those below it, without the program's name."""
    found = [shlex.split(command)[1:] for command in parser.examples.values()]
    for action in parser._actions:
        for child in (action.choices or {}).values() if action.nargs == "A..." else ():
            found += examples(child)
    return found


def place(words: list[str]) -> int:
    """Return when an example runs."""
    said = shlex.join(words)
    return next((at for at, first in enumerate(BEFORE) if said.startswith(first)), len(BEFORE))


EXAMPLES = sorted(examples(build_parser()), key=place)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the examples start from: corpus, plans, items, a foreign model's folder."""
    patches.apply("cpu")
    root = tmp_path_factory.mktemp("checkout")
    for name in ("recipes", "evals", "sites", "reports/reference", "reports/evidence"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).symlink_to(ROOT / name)
    named = ", ".join(BASELINES)
    write_text(
        root / "params.yaml",
        f"sweep: mini-proxy\nbaselines: [{named}]\ncontrols: []\nsuites: [core]\nlanguages: [{TAG}]\n",
    )
    write_rows(root / "text" / TAG / "train.jsonl", some_text(TAG, 300))
    write_rows(root / "text" / TAG / "dev.jsonl", some_text("dev", 20))
    support_harness.write_items(root / "data" / "items", languages=(TAG,), n=6)
    write_jsonl(root / "my/items/ud" / TAG / "test.jsonl", [{"text": "En hund."}])
    corpus = build_corpus(small_recipe((TAG,)), root / "text", root / "artifacts" / "corpus")
    shape = {"vocab_size": corpus.vocab_size, "seq_len": 64}
    for name in BASELINES:
        plan = tiny_plan(corpus, name, model=shape, data={"mixture": {TAG: 1.0}}, device="auto")
        plan.save(root / "artifacts" / "plan" / f"{name}.yaml")
    return root


def test_the_examples_run(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(checkout)
    # Drawing would take most of the time, and no exit code hangs on it.
    blank = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"></svg>'
    monkeypatch.setattr(Figure, "savefig", lambda figure, out, **more: out.write(blank))
    ran = 0
    for words in EXAMPLES:
        said = shlex.join(words)
        if said.startswith(tuple(NOT_RUN)):
            continue
        lay_out(words)
        try:
            code = skald([found for word in words for found in expanded(word)])
        except SystemExit as ended:  # as argparse leaves after a help page
            code = ended.code
        assert code == 0, f"skald {said}: {code}\n{capsys.readouterr().err}"
        ran += 1
    assert ran >= 30


def expanded(word: str) -> list[str]:
    """Return the paths that a shell makes of a word."""
    return sorted(map(str, Path().glob(word))) if "*" in word else [word]


def lay_out(words: list[str]) -> None:
    """Make what no example writes: the model of others."""
    if words[0] == "checkpoint" and "my-llama" in words:
        exported = ["export", "artifacts/runs/mini-7.8b", "--out", "other"]
        assert skald(exported) == 0
        shutil.move("other/mini-7.8b", "my-llama")


def test_nothing_is_left_out_for_no_example() -> None:
    said = [shlex.join(words) for words in EXAMPLES]
    assert [one for one in NOT_RUN if not any(words.startswith(one) for words in said)] == []
