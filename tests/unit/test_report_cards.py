"""Model cards: read by huggingface_hub, whole, true to the report, and only of what was exported."""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pytest
from huggingface_hub import ModelCard, constants
from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results
from skald_cli.main import main
from skald_report.build import build
from skald_report.cards.body import own_controls
from skald_report.cards.check import ask_hub, check_report, problems
from skald_report.cards.model_card import model_cards
from skald_report.reading.inputs import ReportInputs, Sources, load
from skald_report.tables.cost import cost_tables
from skald_report.tables.data import data_tables
from skald_report.tables.exported import card_file, exported, without_card
from skald_report.tables.file import read_report, rows_of
from skald_report.tables.table import Table
from skald_report.tables.tasks import task_tables
from skald_specs.errors import UserInputError
from skald_specs.files import read_json, write_json
from skald_specs.plan import Plan
from support import ROOT
from support_report import write_inputs
from support_tables import all_tables


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cards")
    inputs = write_inputs(folder, n_items=40)
    # Cards need neither the sweep nor figures of others, whose figures are most of the work.
    build(replace(inputs, fit=None, published=None), folder / "latest")
    return folder / "latest"


def made(inputs: ReportInputs) -> dict[str, str]:
    """Return the cards of some inputs without building the page."""
    sources = load(inputs)
    tables = all_tables(sources) | cost_tables(sources) | data_tables(sources)
    tables |= task_tables(sources, tables["scores"])
    return model_cards(sources, tables, inputs.command)


def card_of(report: Path, name: str = "mini-7.8b") -> tuple[str, pd.DataFrame]:
    text = (report / "cards" / card_file(name)).read_text(encoding="utf-8")
    scores = pd.DataFrame(rows_of(read_report(report), "scores"))
    return text, scores[scores["model"] == name]


def test_the_cards_of_a_report_are_valid_and_read_by_the_hubs_library(report: Path) -> None:
    assert check_report(report) == {"mini-2.6b.md": [], "mini-7.8b.md": []}
    text, scores = card_of(report)
    data = ModelCard(text).data
    assert data.language == ["da", "de", "en", "nl", "sv"] and data.get("license") is None
    index = eval_results_to_model_index(data.model_name, data.eval_results)
    name, results = model_index_to_eval_results(index)
    assert name == "mini-7.8b" and results == data.eval_results and len(results) == len(scores)
    one = next(r for r in results if r.dataset_config == "sv" and r.metric_type == "accuracy")
    assert one.metric_args["low"] <= one.metric_value <= one.metric_args["high"]
    assert (
        "95 % interval" in one.metric_name
        and f"n = {one.metric_args['n_items']}" in one.metric_name
    )


def test_every_score_of_the_text_is_the_reports(report: Path) -> None:
    text, scores = card_of(report)
    rows = re.findall(
        r"^\| (?:minimal pairs|cloze choices|bits per byte) \|.*$", text, re.MULTILINE
    )
    assert len(rows) == len(scores)
    for line, row in zip(rows, scores.to_dict("records"), strict=True):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert cells[2] == f"{row['score']:.3f}" and cells[4] == f"{row['n_items']:,}"
    # Its own untrained twin and the counting control stand beside it, the other model's twin does not.
    header = next(line for line in text.splitlines() if line.startswith("| task |"))
    assert "random-init-mini-7.8b" in header and "byte-ngram" in header and "2.6b" not in header


def test_the_untrained_twin_of_a_model_with_a_longer_name_is_no_control_of_it() -> None:
    names = ["mini", "tiny-mini", "random-init-mini", "random-init-tiny-mini", "byte-ngram"]
    roles = ["baseline", "baseline", "control", "control", "control"]
    known = pd.DataFrame({"model": names, "role": roles})
    assert own_controls(known, "mini") == ["random-init-mini", "byte-ngram"]
    assert own_controls(known, "tiny-mini") == ["random-init-tiny-mini", "byte-ngram"]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda t: t.replace("- sv\n", "- tlh\n", 1), "'tlh', which the register does not have"),
        (lambda t: re.sub(r"  - task:\n(?:.*\n)*?(?=  - task:)", "", t, count=1), "lacks the score"),
        (lambda t: re.sub(r"(value: 0\.)\d", r"\g<1>1", t, count=1), "the report has"),
        (lambda t: re.sub(r"( low: 0\.)\d", r"\g<1>0", t, count=1), "low end of its interval"),
        (lambda t: re.sub(r" +low: .*\n", "", t, count=1), "low end of its interval is None"),
        (lambda t: re.sub(r"n_items: \d+", "n_items: 1", t, count=1), "of 1 items"),
        (lambda t: t.replace("## Limits", "## Other"), "lacks the section 'Limits'"),
        (lambda t: re.sub(r" +value: .*\n", "", t, count=1), "metadata is refused"),
        (lambda t: t.replace("pipeline_tag: text-generation\n", ""), "pipeline_tag is None"),
        (lambda t: t.replace("library_name:", "library_name: ["), "metadata is refused"),
        (lambda t: t.removeprefix("---"), "no metadata block"),
        (lambda t: t.replace("name: mini-7.8b", "name: other", 1), "its model index is of 'other'"),
        (lambda t: t.replace("config: sv", "config: fo", 1), "that the report has not"),
    ],
)  # fmt: skip
def test_a_card_that_is_broken_or_says_other_than_the_report_is_found(
    report: Path, damage: Callable[[str], str], said: str
) -> None:
    text, scores = card_of(report)
    assert problems(text, "mini-7.8b", scores) == []
    assert damage(text) != text
    assert any(said in problem for problem in problems(damage(text), "mini-7.8b", scores))


def test_a_missing_card_fails_the_verb_and_copies_nothing(
    report: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(report, tmp_path / "r")
    assert main(["report", "cards", str(tmp_path / "r"), "--out", str(tmp_path / "cards")]) == 0
    assert {p.name for p in (tmp_path / "cards").iterdir()} == {
        "mini-2.6b.md", "mini-7.8b.md",
    }  # fmt: skip
    (tmp_path / "r" / "cards" / "mini-2.6b.md").unlink()
    assert main(["report", "cards", str(tmp_path / "r"), "--out", str(tmp_path / "none")]) == 1
    assert "mini-2.6b.md: is missing" in capsys.readouterr().out
    assert not (tmp_path / "none").exists()


@pytest.fixture()
def validator(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, str]]]:
    """A local stand-in for the Hub's endpoint: it refuses a card with a licence that it does not know."""
    asked: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append({"path": self.path, **body})
            bad = "license: nobodys" in body["content"]
            said = b'"license" must be one of the known' if bad else b"{}"
            self.send_response(400 if bad else 200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    yield asked
    server.shutdown()
    server.server_close()


def test_the_hubs_validator_is_sent_the_card_and_its_refusal_is_told(
    report: Path, validator: list[dict[str, str]]
) -> None:
    text, _ = card_of(report)
    assert ask_hub(text) == []
    assert validator[0]["path"] == "/api/validate-yaml" and validator[0]["repoType"] == "model"
    assert "# mini-7.8b" in validator[0]["content"]
    (said,) = ask_hub(text.replace("library_name", "license: nobodys\nlibrary_name", 1))
    assert said.startswith("the Hub refuses it") and "\n" not in said


def test_offline_the_hub_is_not_asked(report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserInputError, match="not reached"):
        ask_hub(card_of(report)[0])


def as_role(folder: Path, name: str, role: str) -> None:
    path = folder / "artifacts" / "eval" / "core" / "summary.json"
    summary = read_json(path)
    for model in summary["models"]:
        model["role"] = role if model["name"] == name else model["role"]
    write_json(path, summary)


def sources_of(folder: Path, drop_plan: str = "") -> Sources:
    inputs = write_inputs(folder, n_items=20, kinds=("pairs",))
    if drop_plan:
        runs = tuple(run for run in inputs.runs if drop_plan not in str(run))
        plans = tuple(path for path in inputs.plans if drop_plan not in str(path))
        inputs = replace(inputs, runs=runs, plans=plans)
    return load(inputs)


def test_models_of_others_and_models_without_a_plan_have_no_card(tmp_path: Path) -> None:
    sources = sources_of(tmp_path / "a", drop_plan="mini-2.6b")
    assert list(exported(sources)) == ["mini-7.8b"]
    assert without_card(sources) == {"mini-2.6b": "its plan is missing"}
    inputs = write_inputs(tmp_path / "b", n_items=20, kinds=("pairs",))
    as_role(tmp_path / "b", "mini-7.8b", "external")
    sources = load(inputs)
    assert list(exported(sources)) == ["mini-2.6b"]
    assert without_card(sources) == {"mini-7.8b": "it was not evaluated"}


def test_without_an_evaluation_there_is_no_card(tmp_path: Path) -> None:
    inputs = replace(write_inputs(tmp_path, n_items=20, kinds=("pairs",)), evaluations=())
    assert model_cards(load(inputs), {}, "") == {}


HOSTILE = ("../../escape", "a/b", "<script>alert(1)</script>", "x | y\n---\nevil: 1", "=1+1", "\u202egnp", ".md")  # fmt: skip
#: Names that a plan may have and YAML, Markdown or a file system may stumble over.
ODD = ("m" * 300, "null", "1e5", "0", "a..b", "x--", "a_b_c")


def named(folder: Path, name: str) -> ReportInputs:
    """Return a world of one model of that name, in its plan, its run and its records."""
    inputs = write_inputs(folder, baselines=("plain",), n_items=20, kinds=("pairs",))
    for path in [folder / "artifacts/plan/plain.yaml", inputs.runs[0] / "plan.yaml"]:
        Plan.load(path).model_copy(update={"name": name}).save(path)
    evaluation = folder / "artifacts/eval/core"
    for path in (evaluation / "summary.json", evaluation / "items.jsonl"):
        text = path.read_text(encoding="utf-8").replace('"plain"', json.dumps(name))
        path.write_text(text, encoding="utf-8")
    return inputs


@pytest.mark.parametrize("name", ODD)
def test_an_odd_name_names_a_plain_file_and_breaks_no_card(tmp_path: Path, name: str) -> None:
    cards = made(named(tmp_path, name))
    (text,) = cards.values()
    assert list(cards) == [card_file(name)]
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,90}\.md", card_file(name))
    assert ModelCard(text).data.model_name == name


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_refused_in_a_plan_and_names_a_plain_file(
    tmp_path: Path, name: str
) -> None:
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,90}\.md", card_file(name))
    with pytest.raises(UserInputError, match=r"`name` = .* should match pattern") as refused:
        made(named(tmp_path, name))
    assert "\n" not in str(refused.value) and "\u202e" not in str(refused.value)


def test_two_hostile_names_have_two_files() -> None:
    assert card_file("a/b") != card_file("a b") and card_file("a.b") == "a.b.md"


def test_code_is_no_language_of_a_card(tmp_path: Path) -> None:
    cards = made(write_inputs(tmp_path, languages=("da", "code"), n_items=20, kinds=("pairs",)))
    data = ModelCard(cards["mini-7.8b.md"]).data
    assert data.language == ["da"] and "code" in data.tags


def test_only_text_of_the_generator_is_called_synthetic(report: Path, tmp_path: Path) -> None:
    assert "synthetic" in card_of(report)[0]
    inputs = write_inputs(tmp_path, source="/home/me/text", n_items=20, kinds=("pairs",))
    text = made(inputs)["mini-7.8b.md"]
    assert "synthetic" not in text and "/home/me/text" in text


@pytest.mark.parametrize(
    ("licences", "named"), [(("CC0-1.0",), "cc0-1.0"), (("CC0-1.0", "CC-BY-4.0"), None)]
)
def test_a_licence_is_named_only_where_all_text_has_it(
    tmp_path: Path, licences: tuple[str, ...], named: str | None
) -> None:
    inputs = write_inputs(tmp_path, n_items=20, kinds=("pairs",))
    sources = load(inputs)
    tables = all_tables(sources) | cost_tables(sources) | data_tables(sources)
    rows = [
        {"language": "da", "licence": name, "n_documents": 1, "n_bytes": 9} for name in licences
    ]
    tables["data_licences"] = Table(
        "data_licences", ("language", "licence"), {}, pd.DataFrame(rows)
    )
    text = model_cards(sources, tables, "")["mini-7.8b.md"]
    assert ModelCard(text).data.get("license") == named
    assert all(licence in text for licence in licences) and "is not stated" not in text


def test_the_committed_cards_are_those_of_the_reference() -> None:
    committed = {p.name: p.read_text(encoding="utf-8") for p in (ROOT / "reports/cards").glob("*.md")}  # fmt: skip
    folder = ROOT / "reports" / "reference" / "cards"
    assert committed == {p.name: p.read_text(encoding="utf-8") for p in folder.glob("*.md")}
    assert check_report(folder.parent) == {name: [] for name in committed}
