"""A user's own text, through every station and the very commands of `nox -s own_text`."""

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from skald_cli.own_text import RECIPE
from skald_specs.controls import COUNTING, LONGEST, ORACLE, RANDOM_INIT, SHORTEST
from skald_specs.files import read_json, read_jsonl
from support import REAL_TEXT, ROOT

LANGUAGES = ["da", "fo"]
#: Sentences a language and pairs of each type; enough for a tokenizer and a few steps, little enough for a test.
SENTENCES, PAIRS = 1500, 40

pytestmark = [
    pytest.mark.real_text,
    pytest.mark.slow,
    pytest.mark.skipif(not REAL_TEXT.is_dir(), reason="no real text at $SKALD_REAL_TEXT"),
]


def head(path: Path, lines: int) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return [line for _, line in zip(range(lines), stream, strict=False)]


def own_text(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    quiet = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "skald_cli.own_text", *words],
        cwd=folder, env={**os.environ, **quiet}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with a smaller recipe, text and pairs; one finished run in it."""
    folder = tmp_path_factory.mktemp("own")
    recipe = yaml.safe_load((ROOT / RECIPE).read_text(encoding="utf-8"))
    recipe["corpus"]["languages"] = LANGUAGES
    recipe["corpus"]["tokenizer"]["vocab_size"] = recipe["model"]["vocab_size"] = 512
    recipe["mixture"] = dict.fromkeys(LANGUAGES, 0.5)
    recipe["budget"] = {"horizon_tokens": 20 * 1024, "global_batch_tokens": 1024}
    recipe["execution"] |= {"checkpoint_every_steps": 10, "validate_every_steps": 10}
    (folder / "recipes").mkdir()
    (folder / RECIPE).write_text(yaml.safe_dump(recipe), encoding="utf-8")
    for tag in LANGUAGES:
        (folder / "text" / tag).mkdir(parents=True)
        (folder / "items" / "pairs").mkdir(parents=True, exist_ok=True)
        for split, count in (("train", SENTENCES), ("dev", 50)):
            sentences = head(REAL_TEXT / "ud" / tag / f"{split}.jsonl.gz", count)
            file = folder / "text" / tag / f"{split}.jsonl"
            file.write_text("".join(sentences), encoding="utf-8")
        pairs = head(REAL_TEXT / "pairs" / f"{tag}.jsonl.gz", 1024)
        chosen = [
            line
            for kind in ("swap", "delete")
            for line in [line for line in pairs if json.loads(line)["type"] == kind][:PAIRS]
        ]
        (folder / "items" / "pairs" / f"{tag}.jsonl").write_text("".join(chosen), encoding="utf-8")
    done = own_text(folder, "text", "items")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_run_learns_and_every_language_is_scored(folder: Path) -> None:
    out = folder / "artifacts" / "own-text"
    curve = list(read_jsonl(out / "runs" / "own-text" / "final" / "curve.jsonl"))
    losses = [row["loss_nats"] for row in curve if "loss_nats" in row]
    assert len(losses) == 20 and losses[-1] < losses[0] - 0.5
    items = list(read_jsonl(out / "eval" / "ud" / "items.jsonl"))
    assert {item["language"] for item in items} == set(LANGUAGES)
    # Pairs offer no fixed labels, so nobody can always say the same one.
    controls = {*COUNTING, LONGEST, SHORTEST, ORACLE, f"{RANDOM_INIT}own-text"}
    assert {item["model"] for item in items} == {"own-text", *controls}


def test_the_page_is_complete_and_names_no_machine(folder: Path) -> None:
    report = folder / "reports" / "own-text"
    page = (report / "index.html").read_text(encoding="utf-8")
    assert "own-text" in page and str(folder) not in page
    assert read_json(report / "report.json")["headline"]


def test_the_same_text_gives_the_same_bytes(folder: Path) -> None:
    def hashes() -> dict[str, str]:
        final = folder / "artifacts" / "own-text" / "runs" / "own-text" / "final"
        return dict(read_json(final / "manifest.json")["sha256"])

    before = hashes()
    shutil.rmtree(folder / "artifacts" / "own-text")
    done = own_text(folder, "text")
    assert done.returncode == 0, done.stderr
    assert hashes() == before


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.txt", b"", ["empty.txt", "empty"]),
        ("latin.txt", "Grüße aus København ".encode("latin-1") * 50, ["latin.txt", "not UTF-8"]),
    ],
)
def test_bad_text_is_one_line_and_leaves_nothing(
    folder: Path, tmp_path: Path, name: str, content: bytes, words: list[str]
) -> None:
    shutil.copytree(folder / "recipes", tmp_path / "recipes")
    shutil.copytree(folder / "text", tmp_path / "text")
    (tmp_path / "text" / "da" / name).write_bytes(content)
    done = own_text(tmp_path, "text")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert all(word in done.stderr for word in words), done.stderr
    assert not (tmp_path / "artifacts").exists()


def test_too_little_text_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "recipes", tmp_path / "recipes")
    for tag in LANGUAGES:
        (tmp_path / "text" / tag).mkdir(parents=True)
        (tmp_path / "text" / tag / "a.txt").write_text("et to tre\nfire fem\nseks syv\n" * 3)
    done = own_text(tmp_path, "text")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert not (tmp_path / "artifacts").exists()
