"""Corpus building: the same bytes each time, nothing lost, too little refused, the pin as DVC's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from skald_corpus import pin
from skald_corpus.build import build
from skald_corpus.tokenizer import sample_bytes
from skald_specs.corpus import END_OF_TEXT, END_OF_TEXT_ID, CorpusManifest
from skald_specs.errors import UserInputError
from skald_specs.files import write_yaml
from skald_specs.recipe import Recipe, TokenizerRecipe
from skald_specs.shards import read_document_ends, read_tokens
from support import ROOT
from tokenizers import Tokenizer


def _recipe(vocab_size: int = 300, batch: int = 256) -> Recipe:
    recipe = Recipe.load(ROOT / "recipes" / "mini-2.6b.yaml")
    tokenizer = TokenizerRecipe(vocab_size=vocab_size, sample_bytes=100_000)
    corpus = recipe.corpus.model_copy(update={"languages": ("da", "nl"), "tokenizer": tokenizer})
    budget = recipe.budget.model_copy(update={"global_batch_tokens": batch})
    changes = {"corpus": corpus, "budget": budget, "mixture": {"da": 0.5, "nl": 0.5}}
    return recipe.model_copy(update=changes)


def _source(folder: Path, n_documents: int = 400) -> Path:
    for tag, text in (("da", "Æblet nummer {} er rødt."), ("nl", "De appel nummer {} is rood.")):
        (folder / tag).mkdir(parents=True)
        for split, count in (("train", n_documents), ("validation", 20), ("test", 5)):
            rows = (json.dumps({"id": str(i), "text": text.format(i * i)}) for i in range(count))
            (folder / tag / f"{split}.jsonl").write_text("\n".join(rows))
    return folder


def test_shards_hold_every_document_and_decode_to_the_text(tmp_path: Path) -> None:
    manifest = build(_recipe(), _source(tmp_path / "s"), tmp_path / "c")
    assert CorpusManifest.load(tmp_path / "c" / "corpus.json") == manifest
    tokenizer = Tokenizer.from_file(str(tmp_path / "c" / "tokenizer.json"))
    shard = manifest.shard("da", "train")
    assert shard is not None
    assert manifest.shard("da", "test") is None, "test text is never made into a shard"
    tokens = read_tokens(tmp_path / "c" / shard.path, manifest.vocab_size)
    ends = read_document_ends(tmp_path / "c" / shard.path)
    assert len(ends) == shard.n_documents == 400
    assert len(tokens) == shard.n_tokens
    assert all(tokens[int(end) - 1] == END_OF_TEXT_ID for end in ends)
    texts = [f"Æblet nummer {i * i} er rødt." for i in range(400)]
    assert tokenizer.decode(tokens[: int(ends[0]) - 1].tolist()) == texts[0]
    assert shard.n_bytes == sum(len(text.encode()) for text in texts)


def test_two_builds_in_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    source = _source(tmp_path / "s")
    build(_recipe(), source, tmp_path / "one")
    recipe = tmp_path / "recipe.json"
    recipe.write_text(_recipe().model_dump_json())
    code = (
        "import sys; from pathlib import Path; from skald_corpus.build import build;"
        "from skald_specs.recipe import Recipe;"
        "build(Recipe.load(Path(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[3]))"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(recipe), str(source), str(tmp_path / "two")],
        check=True, env={"PYTHONHASHSEED": "7", "TOKENIZERS_PARALLELISM": "true"},
    )  # fmt: skip
    assert pin.directory_md5(tmp_path / "one") == pin.directory_md5(tmp_path / "two")


def test_a_document_cannot_smuggle_the_special_token_in(tmp_path: Path) -> None:
    source = _source(tmp_path / "s")
    hostile = f"Før {END_OF_TEXT} efter."
    with (source / "da" / "train.jsonl").open("a") as out:
        out.write("\n" + json.dumps({"id": "x", "text": hostile}))
    manifest = build(_recipe(), source, tmp_path / "c")
    shard = manifest.shard("da", "train")
    assert shard is not None
    tokens = read_tokens(tmp_path / "c" / shard.path, manifest.vocab_size)
    assert int((tokens == END_OF_TEXT_ID).sum()) == shard.n_documents == 401


@pytest.mark.parametrize(
    ("recipe", "n_documents", "message"),
    [
        (_recipe(vocab_size=5000), 400, r"vocab_size: 5000 tokens asked for, but .* only \d+"),
        (_recipe(vocab_size=257), 1, r"corpus da: \d+ tokens are too few for one sequence"),
        (_recipe(batch=2**20), 400, r"training tokens are too few for one batch of 1048576"),
    ],
)
def test_too_little_text_is_refused_and_nothing_is_left(
    tmp_path: Path, recipe: Recipe, n_documents: int, message: str
) -> None:
    with pytest.raises(UserInputError, match=message):
        build(recipe, _source(tmp_path / "s", n_documents), tmp_path / "c")
    assert [p.name for p in tmp_path.iterdir()] == ["s"]


def test_the_sample_balances_languages_and_takes_no_more_than_there_is() -> None:
    available = {"de": 1_000_000, "fo": 1_000, "en": 500_000}

    def shares(alpha: float) -> dict[str, int]:
        recipe = TokenizerRecipe(vocab_size=300, sampling_exponent=alpha, sample_bytes=300_000)
        return sample_bytes(available, recipe)

    assert shares(0.0) == {"de": 100_000, "fo": 1_000, "en": 100_000}
    proportional = shares(1.0)
    assert proportional["de"] / proportional["en"] == pytest.approx(2, rel=1e-3)


def test_the_hash_is_dvcs_and_tampering_is_loud(tmp_path: Path) -> None:
    data = _source(tmp_path / "data")
    quiet = {"cwd": tmp_path, "check": True, "capture_output": True}
    dvc = str(Path(sys.executable).with_name("dvc"))
    subprocess.run([dvc, "init", "--no-scm", "-q"], **quiet)  # type: ignore[call-overload]
    subprocess.run([dvc, "add", "-q", "data"], **quiet)  # type: ignore[call-overload]
    pin.verify(data, tmp_path / "data.dvc")
    with (data / "nl" / "test.jsonl").open("a") as out:
        out.write(" ")
    with pytest.raises(
        UserInputError, match=r"differs from .*last changed .*nl/test\.jsonl.*nox -s data"
    ):
        pin.verify(data, tmp_path / "data.dvc")
    write_yaml(tmp_path / "odd.dvc", {"outs": [{"md5": "0.dir", "path": "data"}]})
    with pytest.raises(UserInputError, match="differs from"):
        pin.verify(data, tmp_path / "odd.dvc")
