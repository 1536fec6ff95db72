"""`skald corpus ablate` on real text: damage loses, halves tie, finished runs stay, nonsense is refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import yaml
from skald_cli.ablating import names
from skald_cli.main import main
from skald_corpus.build import build
from skald_corpus.keyed import fraction
from skald_specs.ablation import Ablation
from skald_specs.recipe import Recipe
from support import REAL_TEXT, ROOT

#: No name for a file of ours, and yet a folder's.
DAMAGED = "Skemmd málheild"
UD, PAIRS = REAL_TEXT / "ud", REAL_TEXT / "pairs"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.parallel,
    pytest.mark.real_text,
    pytest.mark.skipif(not UD.is_dir(), reason=f"no real text at {UD}"),
]


def recipe_at(path: Path, **budget: int) -> Recipe:
    """Write the recipe of the user's own text, much smaller."""
    value = Recipe.load(ROOT / "recipes" / "own-text.yaml").model_dump(mode="json")
    value["corpus"]["languages"], value["mixture"] = ["da"], {"da": 1.0}
    value["corpus"]["tokenizer"]["vocab_size"] = value["model"]["vocab_size"] = 512
    value["model"] |= {"d_model": 48, "n_heads": 4, "d_ff": 168, "seq_len": 64}
    value["budget"] = {"horizon_tokens": 131_072, "global_batch_tokens": 1024, **budget}
    value["execution"] |= {"micro_batch_sequences": 16}
    path.write_text(yaml.safe_dump(value), encoding="utf-8")
    return Recipe.load(path)


def half_of_the_text(first: bool, damaged: float = 0.0) -> list[str]:
    """Return training sentences; in the damaged ones the words stand in alphabetical order."""
    with gzip.open(UD / "da" / "train.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [
        " ".join(sorted(row["text"].split()))
        if fraction(f"d {row['id']}") < damaged
        else row["text"]
        for row in rows
        if (fraction(f"half {row['id']}") < 0.5) == first
    ]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ablate")
    recipe = recipe_at(folder / "recipe.yaml")
    for name, texts in {
        "one": half_of_the_text(True),
        "two": half_of_the_text(False),
        DAMAGED: half_of_the_text(True, damaged=0.5),
    }.items():
        path = folder / "text" / name / "da" / "all.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text("".join(json.dumps({"text": t}) + "\n" for t in texts), encoding="utf-8")
        build(recipe, folder / "text" / name, folder / name)
    return folder


def ablate(
    made: Path, *corpora: str, recipe: str = "recipe.yaml", more: tuple[str, ...] = ()
) -> int:
    return main(
        [
            "corpus", "ablate", *(str(made / name) for name in corpora), "--recipe",
            str(made / recipe), "--out", str(made / "out"), *more,
        ]
    )  # fmt: skip


def test_damage_loses_halves_tie_and_finished_runs_stay(
    made: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(made)
    on = ("--on", str(UD), "--pairs", str(PAIRS))
    assert ablate(made, "one", DAMAGED, more=on) == 0
    assert "ablate 6/6" in capfd.readouterr().out
    result = Ablation.load(made / "out" / "ablation.json")
    bits = next(d for d in result.differences if d.metric == "bits_per_byte")
    assert (bits.corpus, bits.reference, bits.verdict) == (DAMAGED, "one", "worse")
    assert 0 < bits.low < bits.estimate < bits.high
    assert [c.rank for c in result.corpora] == [1, 2]
    assert result.corpora[0].pairs_accuracy > 0.6 and result.texts[0].n_pairs > 400

    assert ablate(made, "one", "two", more=on) == 0
    shown = capfd.readouterr().out
    assert "ablate 3/3" in shown and "one seed" not in shown, "the runs of `one` are not repeated"
    (bits, pairs) = Ablation.load(made / "out" / "ablation.json").differences
    assert bits.verdict == pairs.verdict == "tied" and bits.low < 0 < bits.high

    page = (made / "out" / "ablation.md").read_bytes()
    assert ablate(made, "one", "two", more=on) == 0
    assert "ablate " not in capfd.readouterr().out
    assert (made / "out" / "ablation.md").read_bytes() == page


@pytest.mark.parametrize(
    ("corpora", "budget", "more", "message"),
    [
        (["one"], {}, (), "corpora: one alone"),
        (["one", "one"], {}, (), "named twice"),
        (["one", "two"], {}, ("--seeds", "1"), "--seeds: 1 tells nothing"),
        (["one", "nowhere"], {}, (), "no such file"),
        (["one", "two"], {"horizon_tokens": 1_024_000}, (), "times, more than 4"),
        (["one", "two"], {}, ("--on", "text/one"), "are in the training text of a corpus"),
        (["one", "two"], {}, ("--on", str(UD), "--pairs", "text"), "no pairs in da"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(
    made: Path,
    corpora: list[str],
    budget: dict[str, int],
    more: tuple[str, ...],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(made)
    recipe_at(made / "other.yaml", **budget)
    assert ablate(made, *corpora, recipe="other.yaml", more=more) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_names_are_the_shortest_ends_that_differ() -> None:
    assert names([Path("a/corpus"), Path("b/corpus")]) == ["a/corpus", "b/corpus"]
    assert names([Path("x/a"), Path("x/b")]) == ["a", "b"]
