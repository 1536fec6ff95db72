"""The section on provenance: what makes the page again, versions, cards, and tasks by family."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from skald_report.page.blocks import Block, Grid, Paragraph
from skald_report.reading.inputs import ReportInputs, load
from skald_report.sections.provenance import provenance, provenance_blocks
from skald_report.tables.tasks import task_tables
from skald_specs.files import write_json
from skald_specs.manifest import RunManifest
from skald_specs.plan import Plan
from support_report import LANGUAGES, write_inputs
from support_tables import all_tables


def written(tmp_path: Path) -> ReportInputs:
    return write_inputs(tmp_path, n_items=8, kinds=("pairs", "text"))


def blocks(inputs: ReportInputs) -> list[Block]:
    sources = load(inputs)
    tables = all_tables(sources)
    tables |= task_tables(sources, tables["scores"])
    return list(provenance_blocks(sources, tables, inputs))


def test_the_command_the_files_and_the_cards_are_named(tmp_path: Path) -> None:
    inputs = replace(written(tmp_path), command="skald report build mini-2.6b")
    text = " ".join(b.text for b in blocks(inputs) if isinstance(b, Paragraph))
    assert (
        "`skald report build mini-2.6b`" in text and "`report.json`" in text and "`tables/`" in text
    )
    assert "`cards/mini-2.6b.md` and `cards/mini-7.8b.md`" in text


def test_a_baseline_without_a_card_is_named_with_its_reason(tmp_path: Path) -> None:
    inputs = written(tmp_path)
    some = replace(inputs, plans=inputs.plans[:1], runs=inputs.runs[:1])
    gaps = [b.text for b in blocks(some) if isinstance(b, Paragraph) and b.kind == "gap"]
    assert gaps == ["mini-7.8b has no model card: its plan is missing."]


def test_tasks_are_counted_by_family_over_languages(tmp_path: Path) -> None:
    grid = next(b for b in blocks(written(tmp_path)) if isinstance(b, Grid) and b.name == "tasks")
    pairs = grid.rows[0]
    assert [cell.text for cell in pairs][:3] == ["minimal pairs", "acc", "0.50"]
    assert pairs[4].text == str(len(LANGUAGES)) and pairs[6].text == str(8 * len(LANGUAGES))
    assert pairs[6].of == "task_families:0:n_items"
    assert grid.rows[1][2].text == "–", "bits per byte have no chance"


def test_versions_come_from_manifests_of_the_same_plan(tmp_path: Path) -> None:
    inputs = written(tmp_path)
    plan = Plan.load(inputs.plans[0])
    facts = {
        "schema_version": 1, "station": "train", "name": plan.name, "git_commit": "c" * 40,
        "git_dirty": True, "constraints_sha256": "", "data_dvc_md5": "",
        "plan_fingerprint": plan.fingerprint, "layout": {}, "seeds": {}, "tokens_seen": 0,
        "hardware": "", "python": "3.11.7", "libraries": {"torch": "2.13"}, "wall_seconds": 1.0,
        "cpu_seconds": 1.0, "energy_joules": {},
    }  # fmt: skip
    path = tmp_path / "artifacts" / "manifests" / f"train-{plan.name}.json"
    for fingerprint, known in ((plan.fingerprint, True), ("f" * 64, False)):
        manifest = RunManifest.check(facts | {"plan_fingerprint": fingerprint}, "x")
        write_json(path, manifest.model_dump(mode="json"))
        found = provenance(load(replace(inputs, manifests=path.parent)))
        assert ("trained with" in found) == known
        assert found.get("commit that trained mini-2.6b") == (
            "cccccccccc with uncommitted changes" if known else None
        )
