"""Real text stage by stage: what goes and why, that nothing is lost, and that workers change nothing."""

import filecmp
import json
from itertools import pairwise

import pytest
from skald_corpus.filters.quality import QualityThresholds
from skald_specs.funnel import Amount, Funnel, FunnelRow
from skald_specs.recipe import Recipe
from skald_specs.stages import STAGES
from support import ROOT
from support_pipeline import build, left, removed, rows, sources, texts

DANISH, SWEDISH = texts("da", 60), texts("sv", 40)
#: Everything on; the reference is other text of the same languages.
ALL = {
    "language": {"reference": "reference"},
    "quality": {"thresholds": "thresholds.yaml"},
    "pii": {},
    "duplicates": {"near": {"verify_jaccard": 0.9}},
    "rights": {"ledger": "opt-out.txt", "robots": "robots"},
    "decontamination": {
        "against": [{"path": "items", "layout": "pairs"}],
        "rule": {"ngram_words": 8, "short_ngram_words": 5},
    },
}
LIMITS = {
    "schema_version": 1,
    "source": "made up",
    "quantile": 0.01,
    "languages": {
        tag: {"n_documents": 100, "stop_words": [], "limits": {"alphabetic_share": {"min": 0.7}}}
        for tag in ("da", "sv")
    },
}
#: One document for each thing that a stage is there for: id, and what is said of it.
ODD = {
    "licensed": ("rights", "licence-nc"),
    "reserved": ("rights", "tdm-reserved"),
    "robots": ("rights", "robots-refused"),
    "ledger": ("rights", "opted-out"),
    "swedish": ("language", "wrong-language"),
    "symbols": ("quality", "quality-alphabetic-share"),
    "copy": ("exact", "exact-duplicate"),
    "near": ("near", "near-duplicate"),
    "leak": ("decontaminate", "contaminated"),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    long = " ".join(texts("da", 12, "long"))
    leak = texts("da", 1, "leak")[0]
    danish = [{"id": f"d{i:02d}", "text": text} for i, text in enumerate(DANISH)]
    danish += [
        {"id": "licensed", "text": DANISH[0] + " Nej.", "license": "CC-BY-NC-4.0"},
        {"id": "reserved", "text": DANISH[1] + " Nej.", "tdm": {"reservation": 1}},
        {"id": "robots", "text": DANISH[2] + " Nej.", "url": "https://a.example/private/1"},
        {"id": "ledger", "text": DANISH[3] + " Nej.", "url": "https://gone.example/2"},
        {"id": "swedish", "text": " ".join(SWEDISH[:5])},
        {"id": "symbols", "text": "1234 5678 //// 0000 #### 1111 2222 **** 3333 4444 5555 6666"},
        {"id": "zcopy", "text": DANISH[5].upper() + "  "},
        {"id": "long", "text": long},
        {"id": "near", "text": long + " Og så var det slut."},
        {"id": "leak", "text": leak},
        {"id": "mail", "text": DANISH[6] + " Skriv til hans@example.org, siger han."},
        {"id": "mojibake", "text": DANISH[7] + " Det er en sÃ¸d \u00ad hund."},
    ]
    danish[DANISH.index(DANISH[5])]["id"] = "copy"
    rows(folder / "text" / "da.jsonl", danish)
    rows(folder / "text" / "sv.jsonl", [{"text": text} for text in SWEDISH])
    for tag in ("da", "sv"):
        rows(
            folder / "reference" / tag / "train.jsonl", [{"text": t} for t in texts(tag, 700, "r")]
        )
        rows(folder / "reference" / tag / "test.jsonl", [{"text": t} for t in texts(tag, 50, "t")])
    (folder / "robots").mkdir()
    (folder / "robots" / "a.example.txt").write_text("User-agent: GPTBot\nDisallow: /private\n")
    (folder / "opt-out.txt").write_text(
        "2026-01-31 domain gone.example asked by letter\n2026-01-31 id src-da/mistyped asked\n"
    )
    (folder / "thresholds.yaml").write_text(json.dumps(LIMITS))
    pair = {"good": leak, "bad": "Nej " + leak, "type": "swap", "source_id": "x"}
    rows(folder / "items" / "da.jsonl", [pair])
    path = sources(folder, **ALL)
    assert build(path, folder / "out") == 0
    return folder


@pytest.mark.parametrize("name", ODD)
def test_each_stage_takes_what_it_is_there_for(world, name):
    stage, reason = ODD[name]
    # Of copies the smallest id stays: `copy` before `zcopy`, `long` before `near`.
    gone = "zcopy" if name == "copy" else name
    assert removed(world / "out", stage, "da")[f"src-da/{gone}"] == reason
    assert f"src-da/{gone}" not in left(world / "out", "da")


def test_the_good_rest_stays(world):
    good = {f"src-da/d{i:02d}" for i in range(60)} - {"src-da/d05"}
    good |= {f"src-da/{name}" for name in ("copy", "long", "mail", "mojibake")}
    assert set(left(world / "out", "da")) == good
    assert len(left(world / "out", "sv")) == len(SWEDISH)
    text = (world / "out" / "split" / "da" / "train.jsonl").read_text()
    text += (world / "out" / "split" / "da" / "validation.jsonl").read_text()
    assert "hans@example.org" not in text and "<PII:EMAIL>" in text
    assert "sød hund" in text


def test_every_stage_accounts_for_what_the_one_before_left(world):
    funnels = [Funnel.load(world / "out" / stage / "funnel.json") for stage in STAGES]
    for earlier, later in pairwise(funnels):
        assert {r.source: r.kept for r in earlier.rows} == {r.source: r.read for r in later.rows}
    assert funnels[0].rows[0].read.documents == 72
    assert funnels[-1].rows[0].kept.documents == 63


def test_a_funnel_that_loses_something_is_no_funnel():
    two = Amount(documents=2, bytes=9)
    row = {"language": "da", "source": "a", "read": two, "removed": {}}
    assert FunnelRow.model_validate({**row, "kept": two})
    with pytest.raises(ValueError, match="documents kept and removed"):
        FunnelRow.model_validate({**row, "kept": Amount(documents=1, bytes=9)})
    with pytest.raises(ValueError, match="bytes kept and removed"):
        FunnelRow.model_validate({**row, "kept": Amount(documents=2, bytes=8)})


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("swedish", "language: removed, wrong-language, score -"),
        ("zcopy", "exact: removed, exact-duplicate, score 2: of src-da/copy, 2 alike"),
        ("mail", "pii: changed (EMAIL by shape), -5 bytes"),
        ("ledger", "rights: removed, opted-out: domain gone.example, 2026-01-31: asked by letter"),
        ("leak", "decontaminate: removed, contaminated, score 1: skald_ud_swap_dan_Latn swap/x"),
        ("d10", "near: kept as it was"),
    ],
)
def test_why(world, capsys, name, wanted):
    from skald_cli.main import main

    assert main(["corpus", "why", str(world / "out"), f"src-da/{name}"]) == 0
    assert wanted in capsys.readouterr().out


def test_why_of_an_unknown_document(world, capsys):
    from skald_cli.main import main

    assert main(["corpus", "why", str(world / "out"), "src-da/nothing"]) == 2
    assert "no such document" in capsys.readouterr().err


def test_the_data_card_says_all_of_it(world):
    card = json.loads((world / "out" / "card" / "card.json").read_text())
    assert card["masked"]["da"] == {"EMAIL": 1}
    assert card["idle_opt_outs"] == ["id src-da/mistyped, 2026-01-31: asked"]
    assert card["licences"]["da"] == {
        "CC0-1.0": {
            "documents": 63,
            "bytes": card["text"][0]["amount"]["bytes"] + card["text"][1]["amount"]["bytes"],
        }
    }
    assert sum(card["lengths"]["da"].values()) == 63
    page = (world / "out" / "card" / "README.md").read_text()
    for word in ("wrong-language", "exact-duplicate", "skald\\_ud\\_swap\\_dan\\_Latn", "CC0-1.0"):
        assert word in page
    for figure in ("funnel-da", "confusion", "lengths", "duplicates"):
        assert f"figures/{figure}.svg" in page
        assert (world / "out" / "card" / "figures" / f"{figure}.svg").stat().st_size > 1000


def test_workers_and_order_change_nothing(world, tmp_path, monkeypatch):
    from skald_corpus.pipeline import ingest

    monkeypatch.setattr(ingest, "PART_BYTES", 2000)
    value = sources(tmp_path, **ALL)
    for name in ("text", "reference", "robots", "items", "opt-out.txt", "thresholds.yaml"):
        (tmp_path / name).symlink_to(world / name)
    assert build(value, tmp_path / "out", "--stage", "ingest") == 0
    for stage in STAGES[1:]:
        assert build(value, tmp_path / "out", "--stage", stage, "--workers", "2") == 0
    assert len(list((tmp_path / "out" / "ingest" / "da").glob("*.jsonl"))) > 4
    for tag in ("da", "sv"):
        assert left(tmp_path / "out", tag) == left(world / "out", tag)
        for split in ("train", "validation"):
            file = f"split/{tag}/{split}.jsonl"
            assert filecmp.cmp(tmp_path / "out" / file, world / "out" / file, shallow=False)


def test_a_stage_alone_and_out_of_order(world, tmp_path, capsys):
    path = world / "sources.yaml"
    assert build(path, tmp_path / "out", "--stage", "language") == 2
    assert "stage ingest was not run" in capsys.readouterr().err
    for stage in STAGES:
        assert build(path, tmp_path / "out", "--stage", stage) == 0
    assert left(tmp_path / "out", "da") == left(world / "out", "da")


def test_all_optional_stages_off_keep_everything(world, tmp_path):
    path = sources(tmp_path)
    (tmp_path / "text").symlink_to(world / "text")
    assert build(path, tmp_path / "out") == 0
    # Own licences and reservations still count.
    assert len(left(tmp_path / "out", "da")) == 72 - 2
    assert not Funnel.load(tmp_path / "out" / "near" / "funnel.json").on


def test_limits_derived_from_reference_text_are_linted(world, tmp_path, capsys):
    path = sources(tmp_path, quality={"reference": "reference"})
    for name in ("text", "reference"):
        (tmp_path / name).symlink_to(world / name)
    for stage in ("ingest", "rights", "normalise", "language", "quality"):
        assert build(path, tmp_path / "out", "--stage", stage) == 0
    thresholds = QualityThresholds.load(tmp_path / "out" / "quality" / "thresholds.yaml")
    assert set(thresholds.languages) == {"da", "sv"}
    assert "src-da/symbols" in removed(tmp_path / "out", "quality", "da")
    # A limit that filters nothing is said, by name.
    idle = json.loads(json.dumps(LIMITS).replace('"min": 0.7', '"min": 0.0'))
    (tmp_path / "idle.yaml").write_text(json.dumps(idle))
    blocks = {"language": {"reference": "reference"}, "quality": {"thresholds": "idle.yaml"}}
    path = sources(tmp_path, **blocks)
    for stage in ("language", "quality"):
        assert build(path, tmp_path / "out", "--stage", stage) == 0
    assert "quality, lint: da alphabetic_share:" in capsys.readouterr().out


def test_annotated_reservations_stay_and_are_counted(world, tmp_path):
    path = sources(tmp_path, rights={"reservations": "annotate"})
    (tmp_path / "text").symlink_to(world / "text")
    assert build(path, tmp_path / "out", "--stage", "ingest") == 0
    assert build(path, tmp_path / "out", "--stage", "rights") == 0
    funnel = Funnel.load(tmp_path / "out" / "rights" / "funnel.json")
    assert funnel.rows[0].noted == {"tdm-reserved": 1}
    assert "src-da/reserved" not in removed(tmp_path / "out", "rights", "da")


def test_shards_and_a_recipe_whose_mixture_fits(world, tmp_path, capsys):
    from support_corpus import small_recipe

    recipe = small_recipe(languages=("da",)).model_dump(mode="json", exclude_none=True)
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))
    shards = {"recipe": "recipe.yaml", "mixture": {"method": "unimax", "max_epochs": 4}}
    path = sources(tmp_path, shards=shards)
    (tmp_path / "text").symlink_to(world / "text")
    assert build(path, tmp_path / "out") == 0
    made = Recipe.load(tmp_path / "out" / "recipe.yaml")
    assert made.corpus.languages == ("da", "sv") and made.mixture == {"da": 0.5, "sv": 0.5}
    assert (tmp_path / "out" / "corpus" / "corpus.json").is_file()
    shards["mixture"] = {"method": "given", "weights": {"da": 0, "sv": 0}, "max_epochs": 4}
    path = sources(tmp_path, shards=shards)
    capsys.readouterr()
    assert build(path, tmp_path / "out", "--stage", "shards") == 2
    assert "they sum to 0" in capsys.readouterr().err
    shards["mixture"] = {"method": "given", "weights": {"da": 1, "sv": 0}, "max_epochs": 0.0001}
    assert build(sources(tmp_path, shards=shards), tmp_path / "out", "--stage", "shards") == 2
    assert "the cap is 0.0001" in capsys.readouterr().err


def test_somebody_elses_folder_is_left_alone(world, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("all of it")
    assert build(world / "sources.yaml", tmp_path / "mine") == 2
    assert "holds other files" in capsys.readouterr().err
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


def test_flags_for_sources_are_refused_with_a_recipe(capsys):
    from skald_cli.main import main

    recipe = str(ROOT / "recipes" / "mini-proxy.yaml")
    assert main(["corpus", "build", recipe, "--keep-going"]) == 2
    assert "is for a sources file" in capsys.readouterr().err
