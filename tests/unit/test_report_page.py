"""The page from simulated inputs: what it says, what it cannot say, and that it is reproducible."""

import dataclasses
import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pandas as pd
import pytest
from skald_report.build import build
from skald_report.reading.inputs import ReportInputs
from skald_report.tables.file import rows_of
from skald_report.tables.order import in_order
from skald_specs.files import read_json, read_jsonl, write_json, write_jsonl
from support_report import BASELINES, CONTROLS, LANGUAGES, write_evaluation, write_inputs


class _Seen(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.ids, self.text, self.outside = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("a", "b", "code", "span"):
            self.text.append(" ")
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "srcset", "data", "action"):
                self.outside.append(value)
            if name == "href" and tag in ("link", "use", "image") and not value.startswith("#"):
                self.outside.append(value)

    def handle_data(self, data):
        self.text.append(data)


def _scripts(seen):
    """Return the attributes of the page's scripts: its own, and the data of its table."""
    return sorted((dict(a) for tag, a in seen.tags if tag == "script"), key=len)


def _read(folder):
    seen = _Seen()
    seen.feed((folder / "index.html").read_text(encoding="utf-8"))
    return seen, " ".join("".join(seen.text).split())


def _files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def whole(whole_report):
    return whole_report


def _built(tmp_path, inputs):
    build(inputs, tmp_path / "latest")
    return _read(tmp_path / "latest")


def test_the_folder_holds_page_readme_figures_tables_and_numbers(whole):
    _, folder = whole
    files = _files(folder)
    assert {"index.html", "README.md", "report.json", "tables/scores.csv"} <= set(files)
    figures = {name for name in files if name.endswith(".svg")}
    assert {"figures/learning-rate.svg", "figures/training-loss.svg", "figures/published-da.svg",
            "figures/scores-core-text.svg"} <= figures  # fmt: skip
    readme = files["README.md"].decode()
    assert set(re.findall(r"\]\((figures/.*?)\)", readme)) == figures
    assert {"figures/learning-rate.svg"} & set(re.findall(r"!\[.*?\]\((.*?)\)", readme)) == set()
    tables = re.findall(r'href="(tables/[^"]+)"', files["index.html"].decode())
    assert set(tables) <= set(files)


def test_two_builds_are_byte_identical(whole, tmp_path):
    inputs, folder = whole
    build(inputs, tmp_path / "again")
    assert _files(tmp_path / "again") == _files(folder)


def test_the_page_needs_nothing_else_and_no_id_is_used_twice(whole):
    seen, _ = _read(whole[1])
    assert seen.outside == []
    assert _scripts(seen) == [{}, *[{"type": "application/json"}] * 2]
    assert len(seen.ids) == len(set(seen.ids))
    html = (whole[1] / "index.html").read_text(encoding="utf-8")
    targets = set(re.findall(r'(?:xlink:href="#|url\(#)([^")]+)', html))
    assert targets
    assert targets <= set(seen.ids)


def test_every_figure_has_words(whole):
    seen, _ = _read(whole[1])
    drawings = [attributes for tag, attributes in seen.tags if tag == "svg"]
    assert len(drawings) == len(list((whole[1] / "figures").iterdir()))
    assert all(a["role"] == "img" and len(a["aria-label"]) > 20 for a in drawings)


def test_standing_figures_are_valid_svg_without_dates(whole):
    for path in (whole[1] / "figures").iterdir():
        assert ElementTree.parse(path).getroot().tag.endswith("svg")
        assert "<dc:date>" not in path.read_text(encoding="utf-8")


def test_the_page_says_plainly_what_synthetic_scores_show(whole, tmp_path):
    _, text = _read(whole[1])
    assert "They say nothing about competence in Danish" in text
    own = write_inputs(tmp_path, source="/somewhere/texts", languages=("da", "sv"), n_items=16)
    _, text = _built(tmp_path, dataclasses.replace(own, published=None, fit=None, sweep=None))
    assert "on synthetic text" not in text and "items are synthetic" in text
    assert "texts" in text


def test_only_the_generated_folder_itself_is_called_synthetic(tmp_path):
    own = write_inputs(tmp_path, source="data/text-of-mine", languages=("da",), n_items=8)
    _, text = _built(tmp_path, dataclasses.replace(own, published=None, fit=None, sweep=None))
    assert "on synthetic text" not in text and "items are synthetic" in text


def test_the_mean_over_languages_names_its_method(whole):
    _, text = _read(whole[1])
    assert "one key at a time, in every language that has it; the languages are fixed" in text
    assert "hierarchical" not in text


def test_learning_rate_axes_show_at_most_seven_powers_of_two(whole):
    for name in ("learning-rate", "transfer"):
        svg = (whole[1] / "figures" / f"{name}.svg").read_text(encoding="utf-8")
        assert 2 <= len(re.findall(">2[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+<", svg)) <= 7


def test_claims_are_true_of_the_data(whole):
    report = read_json(whole[1] / "report.json")
    _, text = _read(whole[1])
    assert all(" ".join(claim.split()) in text for claim in report["claims"])
    untrained = next(
        claim for claim in report["claims"] if claim.startswith("Both models are better")
    )
    assert (
        "untrained networks (random-init-mini-2.6b and random-init-mini-7.8b): by 0." in untrained
    )
    verdicts = [
        row["verdict"]
        for row in rows_of(report, "differences")
        if row["model"] == "mini-7.8b" and row["reference"] == "mini-2.6b" and row["kind"] != "text"
    ]
    counts = {verdict: verdicts.count(verdict) or "none" for verdict in ("better", "worse", "tie")}
    (said,) = [claim for claim in report["claims"] if claim.startswith("Task by task, of ")]
    assert f"of {len(verdicts)} pairs of task and language on tasks mini-7.8b is better" in said
    assert f"better in {counts['better']} " in said and f"worse in {counts['worse']} " in said
    assert said.endswith(f"tied in {counts['tie']}.")


def test_a_baseline_that_does_not_beat_the_controls_somewhere_is_named(tmp_path):
    inputs = write_inputs(tmp_path, languages=("da", "sv"), n_items=120)
    folder = inputs.evaluations[0]
    rows = list(read_jsonl(folder / "items.jsonl"))
    for row in rows:
        if (row["model"], row["kind"], row["language"]) == ("mini-2.6b", "pairs", "sv"):
            row["score"] = float(int(row["item_id"].split("-")[1]) % 2)
    write_jsonl(folder / "items.jsonl", rows)
    build(dataclasses.replace(inputs, published=None), tmp_path / "latest")
    said = read_json(tmp_path / "latest" / "report.json")["claims"]
    assert (
        "Task by task against random-init-mini-2.6b, of 6 pairs of task and language mini-2.6b is better in 5, "
        "worse in none and tied in 1; mini-7.8b is better in 6, worse in none and tied in none."
    ) in said


def test_baselines_that_learned_nothing_are_tied_with_the_untrained(tmp_path):
    inputs = write_inputs(tmp_path, languages=("da",), controls=CONTROLS[:1], n_items=60)
    folder = inputs.evaluations[0]
    rows = [dict(row, score=float(row["item_id"][-1] in "02468")) for row in
            read_jsonl(folder / "items.jsonl")]  # fmt: skip
    write_jsonl(folder / "items.jsonl", rows)
    build(dataclasses.replace(inputs, published=None), tmp_path / "latest")
    said = [" ".join(c.split()) for c in read_json(tmp_path / "latest" / "report.json")["claims"]]
    assert (
        "Against the untrained network (random-init-mini-2.6b), on tasks both models are tied; in bits per "
        "byte both models are tied (Holm-corrected p < 0.05)."
    ) in said
    assert not any("better in 1" in claim or "are better" in claim for claim in said)


def test_shown_scores_are_those_of_the_records(whole):
    inputs, folder = whole
    rows = pd.DataFrame(read_jsonl(inputs.evaluations[0] / "items.jsonl"))
    headline = read_json(folder / "report.json")["headline"]
    pairs = rows[(rows["kind"] == "pairs") & (rows["model"] == "mini-7.8b")]
    for tag, own in pairs.groupby("language"):
        assert headline[f"core/pairs/{tag}/mini-7.8b"] == pytest.approx(own["score"].mean())
    text = rows[(rows["kind"] == "text") & (rows["model"] == "mini-2.6b")]
    danish = text[text["language"] == "da"]
    bits = (danish["score"] * danish["n_bytes"]).sum() / danish["n_bytes"].sum()
    assert headline["core/text/da/mini-2.6b"] == pytest.approx(bits)
    _, shown = _read(folder)
    assert f"{bits:.3f}" in shown


def test_published_figures_never_share_a_table_with_measured_ones(whole):
    html = (whole[1] / "index.html").read_text(encoding="utf-8")
    foreign = html[html.index('<section id="published"') : html.index('<section id="provenance"')]
    rest = html.replace(foreign, "")
    assert "EuroLLM" in foreign
    assert "TrustLLM 7.8B 2.3T" in foreign
    assert "EuroLLM" not in rest
    assert not any(name in foreign for name in BASELINES)
    assert "2026-04-17" in foreign
    assert "1a77f1d2f8ba" in foreign


def test_a_copy_of_a_model_under_another_name_ties_everywhere(tmp_path):
    inputs = write_inputs(tmp_path, baselines=("mini-2.6b", "twin"), controls=(), n_items=20)
    build(dataclasses.replace(inputs, published=None), tmp_path / "latest")
    report = read_json(tmp_path / "latest" / "report.json")
    rows = rows_of(report, "differences")
    assert {row["verdict"] for row in rows} == {"tie"}
    assert (
        "mini-2.6b and twin are tied on tasks and in bits per byte: no mean difference is beyond noise."
        in {claim.replace("twin and mini-2.6b", "mini-2.6b and twin") for claim in report["claims"]}
    )
    assert any("No control was evaluated" in claim for claim in report["claims"])


def test_missing_parts_are_said_to_be_missing(tmp_path):
    everything = write_inputs(tmp_path, baselines=("mini-2.6b",), languages=("da",), n_items=8)
    inputs = dataclasses.replace(
        everything, published=None, fit=None, sweep=None, runs=(), corpus=None
    )
    _, text = _built(tmp_path, inputs)
    for words in (
        "No learning-rate sweep was given",
        "No published scores were given",
        "No run was given",
        "No corpus manifest was given",
        "Only one model was evaluated, mini-2.6b, so none is better than another",
    ):
        assert words in text


def test_a_report_of_nothing_says_so(tmp_path):
    _, text = _built(tmp_path, ReportInputs())
    assert "No evaluation was given" in text
    assert json.loads((tmp_path / "latest" / "report.json").read_text())["headline"] == {}


def test_a_language_missing_for_one_model_is_named_and_left_out_of_means(tmp_path):
    inputs = write_inputs(tmp_path, n_items=12)
    folder = inputs.evaluations[0]
    rows = [
        row
        for row in read_jsonl(folder / "items.jsonl")
        if (row["model"], row["language"], row["kind"]) != ("mini-2.6b", "sv", "cloze")
    ]
    write_jsonl(folder / "items.jsonl", rows)
    build(dataclasses.replace(inputs, published=None), tmp_path / "latest")
    report = read_json(tmp_path / "latest" / "report.json")
    assert any("mini-2.6b has no score on cloze choices for sv" in c for c in report["claims"])
    means = [r for r in rows_of(report, "scores") if r["language"] == "mean"]
    assert {r["languages"] for r in means if r["kind"] == "cloze"} == {"da nl en de"}
    assert {r["languages"] for r in means if r["kind"] == "pairs"} == {
        " ".join(in_order(LANGUAGES))
    }


def test_a_sweep_in_which_every_run_diverged_is_no_figure(tmp_path):
    inputs = write_inputs(tmp_path, languages=("da",), n_items=8)
    fit = read_json(inputs.fit)
    for run in fit["runs"]:
        run.update(loss=None, diverged=True)
    write_json(inputs.fit, fit)
    _, text = _built(tmp_path, dataclasses.replace(inputs, published=None))
    assert "Every run of the sweep diverged" in text


def test_hostile_names_do_no_harm(tmp_path):
    names = ["<script>alert(1)</script>", "=cmd()|x`y`", "x" * 300, "a\u202eb *c* [d](e)", "$x_1$"]
    folder = tmp_path / "eval" / "core"
    write_evaluation(folder, [*names, "plain"], ["da"], n_items=8)
    seen, text = _built(tmp_path, ReportInputs(evaluations=(folder,)))
    assert _scripts(seen) == [{}, {"type": "application/json"}]
    for name in names:
        assert " ".join(name.split()).replace("\u202e", "\ufffd") in text
    readme = (tmp_path / "latest" / "README.md").read_text(encoding="utf-8")
    assert "<script>" not in readme
    for rows in re.findall(r"(?:^\|.*\n)+", readme, flags=re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows.splitlines()}) == 1
    table = pd.read_csv(tmp_path / "latest" / "tables" / "scores.csv")
    assert not table["model"].str.startswith("=").any()
    for path in (tmp_path / "latest" / "figures").iterdir():
        ElementTree.parse(path)
