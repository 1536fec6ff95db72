"""What the documents walk through happens, on tiny data.

docs/architecture.md follows one datum: each function it names is there, and is called in that order. The
commands of the pages for newcomers run; those that do not are named with the reason.
"""

import importlib
import re
import shlex
import shutil
import sys
import threading
from pathlib import Path

import pytest
import support_harness
from skald_cli import own_text
from skald_cli.main import main as skald
from skald_corpus.build import build as build_corpus
from skald_harness.running.evaluate import evaluate
from skald_mup.export import export
from skald_report.build import build as build_report
from skald_report.reading.inputs import ReportInputs
from skald_report.tables.file import rows_of
from skald_specs.files import read_json, read_jsonl, write_jsonl, write_text
from skald_specs.shards import read_tokens
from skald_trainer.bridge import patches
from skald_trainer.train import train
from support import ROOT
from support_corpus import small_recipe, some_text, write_rows
from support_docs import commands
from support_trainer import tiny_plan
from tokenizers import Tokenizer

PAGE = ROOT / "docs" / "architecture.md"
ROW = re.compile(r"^\| \d+ \| .* \| \[`([\w.]+)`\]\(\.\./([\w/.]+)\) \|$", re.M)
STEPS = ROW.findall(PAGE.read_text(encoding="utf-8"))
#: Every function that the page links to its file, those of the index included.
NAMED = re.findall(r"\[`([\w.]+)`\]\(\.\./([\w/.]+\.py)\)", PAGE.read_text(encoding="utf-8"))
TAG = "da"
NAME = "mini-7.8b"
WALKED = ("report", "own-text", "own-model", "own-task", "cluster", "gpu", "how-it-works")
#: Beginnings of commands that no test of this file runs, and why.
NOT_RUN = {
    "corpus build recipes/own-text.yaml": "test_cycle_own_text.py runs these on real text",
    "plan predict recipes/own-text.yaml --corpus": "the same",
    "train artifacts/own-text": "the same",
    "export artifacts/own-text": "the same",
    "evaluate artifacts/own-text": "the same",
    "report build own-text": "the same",
    "generate artifacts/own-text": "the same",
    "corpus build recipes/gpu-time-transfer.yaml": "takes minutes, and a GPU for what follows",
    "sweep run": "takes minutes; test_trainer_sweep.py",
    "plan fit": "needs a sweep; test_planner_transfer.py",
    "plan predict recipes/mini-7.8b.yaml": "needs a fit; test_planner_decide.py",
    "plan show artifacts/gpu": "needs a fit",
    "mup coord-check": "takes half a minute; test_cli_parametrising.py",
    "report build mini-7.8b": "as `report build`, which runs",
    "report compare OLD NEW": "names of the reader's; test_cli_reporting.py",
    "evals check": "reads every task of every suite; test_harness_suites.py",
    "doctor": "judges this machine; test_cli_doctor.py",
}


patches.apply("cpu")  # before anything of the bridge is imported


def place_of(name: str) -> tuple[str, str]:
    """Return the module and the name within it."""
    parts = name.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        try:
            importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        return ".".join(parts[:cut]), ".".join(parts[cut:])
    raise LookupError(name)


def found(name: str) -> object:
    module, inner = place_of(name)
    value = sys.modules[module]
    for part in inner.split("."):
        value = getattr(value, part)
    return value


@pytest.mark.parametrize(("name", "file"), NAMED, ids=[name for name, _ in NAMED])
def test_each_function_is_where_the_page_says(name: str, file: str) -> None:
    assert callable(found(name))
    module = sys.modules[place_of(name)[0]]
    assert module.__file__ is not None and Path(module.__file__).samefile(ROOT / file)


def test_a_function_that_is_gone_is_noticed() -> None:
    assert set(STEPS) < set(NAMED), "the index of the page is not looked at"
    with pytest.raises(AttributeError):
        found("skald_corpus.build.built")


def write_user_items(folder: Path) -> None:
    """Write what the suite `ud` asks."""
    texts = some_text(TAG, 8)
    pairs = [
        {"good": text, "bad": text[::-1], "type": kind, "source_id": f"{kind}{n}"}
        for n, text in enumerate(texts)
        for kind in ("swap", "delete")
    ]
    write_jsonl(folder / "pairs" / f"{TAG}.jsonl", pairs)
    write_rows(folder / "ud" / TAG / "test.jsonl", texts)


class Calls:
    """The first call of every function of ours, in order."""

    def __init__(self) -> None:
        self.first: dict[str, int] = {}

    def __call__(self, frame: object, event: str, argument: object) -> None:
        if event == "call":
            module = frame.f_globals.get("__name__", "")
            if module.startswith("skald_"):
                name = f"{module}.{frame.f_code.co_qualname}"
                self.first.setdefault(name, len(self.first))


@pytest.fixture(scope="module")
def way(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Calls]:
    """Every station once, on tiny data, while calls are noted."""
    root, calls = tmp_path_factory.mktemp("way"), Calls()
    for name in ("recipes", "evals", "sites", "reports/reference", "reports/evidence"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).symlink_to(ROOT / name)
    write_text(
        root / "params.yaml",
        f"sweep: mini-proxy\nbaselines: [{NAME}]\ncontrols: []\nsuites: [core]\nlanguages: [{TAG}]\n",
    )
    (root / "data").mkdir()
    write_rows(root / "text" / TAG / "train.jsonl", some_text(TAG, 300))
    write_rows(root / "text" / TAG / "dev.jsonl", some_text("dev", 20))
    support_harness.write_items(root / "data" / "items", languages=(TAG,), n=6)
    threading.setprofile(calls)
    sys.setprofile(calls)
    try:
        corpus = root / "artifacts" / "corpus"
        manifest = build_corpus(small_recipe((TAG,)), root / "text", corpus)
        shape = {"vocab_size": manifest.vocab_size, "seq_len": 64}
        plan = tiny_plan(manifest, NAME, model=shape, data={"mixture": {TAG: 1.0}}, device="auto")
        plan.save(root / "artifacts" / "plan" / f"{NAME}.yaml")
        run = root / "artifacts" / "runs" / plan.name
        train(plan, corpus, run)
        export(run / "final", corpus, root / "artifacts" / "exports" / plan.name)
        done = evaluate(
            [root / "artifacts" / "exports" / plan.name], ["core"], root / "artifacts" / "eval",
            root / "data" / "items", corpus, controls=False,
        )  # fmt: skip
        assert done is not None and done.exit_code == 0
        inputs = ReportInputs.from_folders(root / "artifacts", [plan.name], ["core"], None)
        build_report(inputs, root / "report")
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return root, calls


def test_the_functions_are_called_in_the_order_of_the_page(way: tuple[Path, Calls]) -> None:
    first = way[1].first
    names = [name for name, _ in STEPS]
    assert len(names) >= 15
    assert [name for name in names if name not in first] == []
    assert sorted(names, key=first.__getitem__) == names


def test_the_line_is_in_the_shard_and_the_record_is_the_cell(way: tuple[Path, Calls]) -> None:
    root = way[0]
    corpus = root / "artifacts" / "corpus"
    tokenizer = Tokenizer.from_file(str(corpus / "tokenizer.json"))
    size = tokenizer.get_vocab_size()
    written = tokenizer.decode(list(read_tokens(corpus / f"{TAG}.train.ds", size)))
    assert some_text(TAG, 300)[6] in written and "dev: der stod" not in written
    items = [
        row for row in read_jsonl(root / "artifacts" / "eval" / "core" / "items.jsonl")
        if row["kind"] == "text"
    ]  # fmt: skip
    bits = sum(row["metrics"]["bits"] for row in items) / sum(row["n_bytes"] for row in items)
    table = read_json(root / "report" / "report.json")["tables"]["scores"]
    cell = next(
        row for row in rows_of({"tables": {"scores": table}}, "scores") if row["kind"] == "text"
    )
    assert cell["score"] == pytest.approx(bits, rel=1e-9)
    assert f"{bits:.3f}" in (root / "report" / "index.html").read_text(encoding="utf-8")


def walk() -> list[tuple[str, list[str]]]:
    """Return the commands of `skald` on the walked pages, in order."""
    found = []
    for page in WALKED:
        for words in commands(ROOT / "docs" / f"{page}.md"):
            if Path(words[0]).name == "skald":
                found.append((page, words[1:]))
    return found


def test_the_commands_of_the_pages_run(
    way: tuple[Path, Calls], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(way[0])
    shutil.copytree(way[0] / "artifacts" / "exports" / NAME, way[0] / "path" / "to" / "my-model")
    write_user_items(way[0] / "my" / "items")
    (way[0] / "skald.sif").touch()
    ran = 0
    for page, words in walk():
        said = shlex.join(words)
        if said.startswith(tuple(NOT_RUN)):
            continue
        code = skald(words)
        # A comparison's exit code is its verdict, and this report is not the committed one.
        assert code in ((0, 1) if words[:2] == ["report", "compare"] else (0,)), (
            f"{page}.md: skald {said}: {code}\n{capsys.readouterr().err}"
        )
        ran += 1
    assert ran >= 15


def test_nothing_is_left_out_for_no_command() -> None:
    said = [shlex.join(words) for _, words in walk()]
    assert [one for one in NOT_RUN if not any(words.startswith(one) for words in said)] == []


def test_the_steps_of_own_text_are_those_of_the_session() -> None:
    page = [words for page, words in walk() if page == "own-text"]
    assert page[:-1] == own_text.commands(Path("my/text"), Path("my/items"))
