"""What the report says of cost and of the training text, and what it says where it does not know."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from skald_report.over_time.compare import TOLERANCES
from skald_report.page.blocks import Block, Grid, Paragraph
from skald_report.reading.inputs import ReportInputs, load
from skald_report.sections.context import context_of
from skald_report.sections.cost import cost_blocks
from skald_report.sections.data import data_blocks
from skald_report.tables.cost import cost_tables, trained_tokens
from skald_report.tables.data import data_tables
from skald_report.tables.order import in_order
from skald_specs.datacard import DataCard
from skald_specs.decontamination import CorpusHits, Decontamination, DecontaminationReport
from skald_specs.errors import UserInputError
from skald_specs.files import write_json
from skald_specs.funnel import Amount, Funnel, FunnelRow
from skald_specs.manifest import RunManifest
from skald_specs.outlook import SiteCost
from skald_specs.plan import Plan
from support_report import LANGUAGES, write_inputs


@pytest.fixture()
def inputs(tmp_path: Path) -> ReportInputs:
    return write_inputs(tmp_path, n_items=8, kinds=("pairs",))


def manifest(inputs: ReportInputs, station: str, name: str, plan: str = "", **more: object) -> None:
    facts = {
        "schema_version": 1, "station": station, "name": name, "git_commit": "c" * 40, "git_dirty": False,
        "constraints_sha256": "", "data_dvc_md5": "", "plan_fingerprint": plan, "layout": {"dp": 2},
        "seeds": {}, "tokens_seen": 5, "hardware": "a machine", "python": "3.11", "libraries": {},
        "wall_seconds": 12.25, "cpu_seconds": 20.5, "energy_joules": {}, **more,
    }  # fmt: skip
    folder = inputs.plans[0].parents[1] / "manifests"
    write_json(folder / f"{station}-{name}.json", RunManifest.check(facts, "x").model_dump(mode="json"))  # fmt: skip


def trained(inputs: ReportInputs, number: int, **more: object) -> ReportInputs:
    plan = Plan.load(inputs.plans[number])
    manifest(inputs, "train", plan.name, plan.fingerprint, **more)
    return replace(inputs, manifests=inputs.plans[0].parents[1] / "manifests")


def blocks(inputs: ReportInputs) -> list[Block]:
    sources = load(inputs)
    return list(cost_blocks(context_of(sources, cost_tables(sources), (), (), inputs)))


def gaps(found: Iterable[Block]) -> str:
    return "\n".join(b.text for b in found if isinstance(b, Paragraph) and b.kind == "gap")


def grid(found: Iterable[Block], name: str) -> Grid:
    return next(b for b in found if isinstance(b, Grid) and b.name == name)


def test_cost_is_planned_by_the_plan_and_measured_by_the_manifest(inputs: ReportInputs) -> None:
    inputs = trained(inputs, 0, energy_joules={"cpu": 1.8e6, "gpu": 5.4e6})
    sources = load(inputs)
    rows = cost_tables(sources)["cost"].frame.set_index("model")
    one, other = rows.loc["mini-2.6b"], rows.loc["mini-7.8b"]
    plan = sources.plans["mini-2.6b"]
    assert one["tokens"] == 195 * 4096 == trained_tokens(plan) and one["flops_train"] == 3e15
    assert (one["wall_seconds"], one["cpu_seconds"], one["energy_kwh"]) == (12.25, 20.5, 2.0)
    assert one["measured"] == "" and other["measured"] == "no manifest"
    assert math.isnan(other["energy_kwh"]) and math.isnan(other["wall_seconds"])
    found = blocks(inputs)
    cells = grid(found, "cost").rows
    assert [cell.text for cell in cells[0]][1:6] == ["798,720", "3e+15", "12.2", "20.5", "2"]
    assert cells[0][3].of == "cost:0:wall_seconds" and cells[1][3].text == "–"
    assert "not in the plans" in grid(found, "cost").caption
    assert "Time and energy of mini-7.8b are not known: no manifest" in gaps(found)


def test_energy_that_was_not_measured_is_never_a_number(inputs: ReportInputs) -> None:
    inputs = trained(trained(inputs, 0), 1)
    found = blocks(inputs)
    assert all(row[5].text == "–" and row[5].detail == "not measured" for row in grid(found, "cost").rows)  # fmt: skip
    assert "Energy of mini-2.6b and mini-7.8b was not measured" in gaps(found)


def test_the_manifest_of_another_plan_is_not_taken(inputs: ReportInputs) -> None:
    trained(inputs, 0)
    manifest(inputs, "train", "mini-7.8b", "f" * 64)
    inputs = replace(inputs, manifests=inputs.plans[0].parents[1] / "manifests")
    assert "mini-7.8b are not known: the manifest is of another plan" in gaps(blocks(inputs))


def test_a_sweep_is_shown_only_where_one_is_there(inputs: ReportInputs) -> None:
    inputs = trained(inputs, 0)
    assert "What the sweep took is not known" in gaps(blocks(inputs))
    manifest(inputs, "sweep", "one", tokens_seen=77)
    found = blocks(inputs)
    assert "sweep" not in gaps(found)
    assert grid(found, "stations").rows[0][1].text == "77"
    manifest(inputs, "sweep", "two")
    found = blocks(inputs)
    assert "2 sweeps are there (one and two)" in gaps(found)
    assert all("sweep" not in row[0].text for row in grid(found, "stations").rows)


def test_machines_are_planned_and_said_to_be_assumed(inputs: ReportInputs) -> None:
    assert "No plan names GPU-hours" in gaps(blocks(inputs)) and "float32" in gaps(blocks(inputs))
    site = SiteCost(site="JUPITER", device="GH200", nodes=8, n_devices=32, mfu=0.4, gpu_hours=1234.5,
                    days=1.6, energy_mwh=0.86)  # fmt: skip
    for path in (inputs.plans[0], inputs.runs[0] / "plan.yaml"):
        plan = Plan.load(path)
        assert plan.outlook and plan.outlook.cost
        swept = {"sites": (site,), "sweep_flops": 5e14, "sweep_share": 1 / 6}
        cost = plan.outlook.cost.model_copy(update=swept)
        outlook = plan.outlook.model_copy(update={"cost": cost})
        plan.model_copy(update={"outlook": outlook}).save(path)
    of_sweep = [row[3].text for row in grid(blocks(inputs), "cost").rows]
    assert of_sweep == ["5e+14", "–"]
    shown = grid(blocks(inputs), "cost-sites")
    assert "not measured" in shown.caption and "assumed" in shown.caption
    assert [c.text for c in shown.rows[0][:4]] == ["mini-2.6b, JUPITER", "1,234", "1.6", "0.86"]


def test_no_measurement_has_a_unit_so_no_comparison_judges_one(inputs: ReportInputs) -> None:
    tables = cost_tables(load(trained(inputs, 0)))
    measured = {"wall_seconds", "cpu_seconds", "energy_kwh", "hardware"}
    for table in tables.values():
        assert not measured & set(table.units)
        assert set(table.units.values()) <= set(TOLERANCES)
    assert "flops_train" in tables["cost"].units


def test_without_plans_or_with_a_broken_manifest(inputs: ReportInputs) -> None:
    bare = replace(inputs, plans=(), runs=())
    assert "No plan was given" in gaps(blocks(bare))
    inputs = trained(inputs, 0)
    assert inputs.manifests is not None
    (inputs.manifests / "train-mini-2.6b.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserInputError, match=r"train-mini-2\.6b"):
        load(inputs)


def data_of(inputs: ReportInputs) -> tuple[dict[str, pd.DataFrame], list[Block]]:
    sources = load(inputs)
    tables = data_tables(sources)
    found = list(data_blocks(context_of(sources, tables, (), (), inputs)))
    return {name: table.frame for name, table in tables.items()}, found


def test_text_is_counted_by_language_and_what_is_not_known_is_said(inputs: ReportInputs) -> None:
    frames, found = data_of(inputs)
    assert list(frames["data"]["language"]) == in_order(LANGUAGES)
    first = frames["data"].iloc[0]
    assert first["bytes_per_token"] == pytest.approx(640_000 / 220_000)
    assert "items were not looked for" in gaps(found) and "under which licence" in gaps(found)
    assert "synthetic" in found[0].text
    mixture = grid(found, "mixture")
    assert mixture.header == ("language", "mini-2.6b", "mini-7.8b")
    assert mixture.rows[1][2].of == "mixture:6:share" and mixture.rows[1][2].text == "0.200"


def test_a_search_for_items_is_told_with_its_rule(inputs: ReportInputs, tmp_path: Path) -> None:
    hits = [
        CorpusHits(language=tag, n_documents_read=9, n_documents_kept=7, n_documents_cut=0,
                   n_documents_dropped=2, n_bytes_read=90, n_bytes_kept=70, n_bytes_removed=20)
        for tag in LANGUAGES
    ]  # fmt: skip
    report = DecontaminationReport(
        schema_version=1, rule=Decontamination(), corpus=tuple(hits), tasks=(), items=()
    )
    write_json(tmp_path / "searched.json", report.model_dump(mode="json"))
    frames, found = data_of(replace(inputs, searched=tmp_path / "searched.json"))
    assert frames["data"]["n_documents_dropped"].sum() == 2 * len(LANGUAGES)
    assert any("13 words" in b.text and "10 documents" in b.text for b in found if isinstance(b, Paragraph))  # fmt: skip
    assert "not looked for" not in gaps(found)


def test_without_a_corpus_the_page_says_so(inputs: ReportInputs) -> None:
    _, found = data_of(replace(inputs, corpus=None))
    assert "No corpus manifest" in gaps(found) and len(found) == 1


def test_a_corpus_that_a_model_was_not_trained_on_is_said_to_be_another(
    inputs: ReportInputs,
) -> None:
    path = inputs.plans[0]
    plan = Plan.load(path)
    data = plan.identity.data.model_copy(update={"corpus_fingerprint": "e" * 64})
    plan.model_copy(update={"identity": plan.identity.model_copy(update={"data": data})}).save(path)
    _, found = data_of(inputs)
    assert any("mini-2.6b was trained on another corpus" in b.text for b in found if isinstance(b, Paragraph))  # fmt: skip


def test_a_data_card_says_what_stages_left_and_under_which_licences(
    inputs: ReportInputs, tmp_path: Path
) -> None:
    kept, gone = Amount(documents=8, bytes=80), Amount(documents=2, bytes=20)
    row = FunnelRow(
        language="da", source="avis", read=kept + gone, kept=kept, removed={"short": gone}
    )
    card = DataCard(
        name="nordic", about="News of five lands.", sources=(), text=(), lengths={}, clusters={},
        funnels=(Funnel(stage="quality", on=True, rows=(row,)),),
        licences={"da": {"CC-BY-4.0": kept}, "sv": {"CC0-1.0": gone}}, idle_opt_outs=(),
        masked=None, confusion=None, complaints=None, contamination=None, fertility=None, mixture=None,
    )  # fmt: skip
    path = inputs.plans[0].parents[1] / "card" / "card.json"
    write_json(path, card.model_dump(mode="json"))
    _, found = data_of(replace(inputs, data_card=path))
    assert "News of five lands." in found[0].text
    stage = grid(found, "data-stages").rows[0]
    assert [cell.text for cell in stage] == ["quality", "10", "8", "80"]
    licences = grid(found, "data-licences").rows
    assert [(row[0].detail, row[2].text) for row in licences] == [
        ("CC-BY-4.0", "80"),
        ("CC0-1.0", "20"),
    ]
    assert "licence" not in gaps(found)
    by_place = ReportInputs.from_folders(inputs.plans[0].parents[1], ["mini-2.6b"], ["core"], None)
    assert by_place.data_card == path
