"""An evaluation in the formats of others: as lm-eval writes its own, and as Every Eval Ever asks."""

import json
import math
import os
from pathlib import Path

import pytest
import support_harness
from skald_cli.main import main
from skald_harness.running.evaluate import evaluate
from skald_harness.store.evaluation import mean_of, read_evaluation, standard_error
from skald_harness.store.every_eval_ever import export_every_eval_ever, validate
from skald_harness.store.lm_eval_results import export_lm_eval
from skald_harness.tasks.suites import EVALS
from skald_specs.errors import UserInputError
from skald_specs.files import read_json, write_json
from skald_specs.records import ItemRecord
from support_schema import faults

PAIRS, TEXT = "skald_core_pairs_dan_Latn", "skald_core_text_dan_Latn"
_SCHEMAS = os.environ.get("SKALD_EEE_SCHEMA")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("made")
    support_harness.write_items(root / "items", ["da"])
    support_harness.write_corpus(root / "corpus")
    export = support_harness.write_export(root / "exports" / "model", seed=1)
    evaluate([export], ["core"], root / "eval", root / "items", root / "corpus", ["da"])
    return root


@pytest.fixture(scope="module")
def theirs(made):
    """Return what `lm_eval` itself writes of the same model and tasks."""
    import lm_eval
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    tasks = TaskManager(
        include_path=str(EVALS / "core"),
        include_defaults=False,
        metadata={"items_dir": str(made / "items")},
    )
    tracker = EvaluationTracker(output_path=str(made / "theirs"))
    results = lm_eval.simple_evaluate(
        model="hf", model_args=f"pretrained={made / 'exports' / 'model'}", tasks=[PAIRS, TEXT],
        task_manager=tasks, evaluation_tracker=tracker, log_samples=True, device="cpu",
        bootstrap_iters=10,
    )  # fmt: skip
    samples = results.pop("samples")
    tracker.save_results_aggregated(results=results, samples=samples)
    for name, rows in samples.items():
        tracker.save_results_samples(task_name=name, samples=rows)
    (folder,) = (made / "theirs").iterdir()
    return folder


@pytest.fixture(scope="module")
def ours(made):
    export_lm_eval(made / "eval" / "core", made / "ours")
    return made / "ours" / "model"


def results(folder):
    (path,) = folder.glob("results_*.json")
    return read_json(path)


def samples(folder, task):
    (path,) = folder.glob(f"samples_{task}_*.jsonl")
    return support_harness.read_rows(path)


def test_results_have_every_field_of_lm_evals_own(theirs, ours):
    first, second = results(theirs), results(ours)
    assert first.keys() == second.keys()
    assert first["config"].keys() == second["config"].keys()
    for name in ("versions", "n-shot", "higher_is_better", "n-samples", "task_hashes"):
        assert {task: second[name][task] for task in (PAIRS, TEXT)} == first[name], name
    for task, scores in first["results"].items():
        assert scores.keys() == second["results"][task].keys()
        for name, value in scores.items():
            known = value if isinstance(value, str) else pytest.approx(value, abs=1e-5)
            if name == "acc_stderr,none" or name == "acc_bytes_stderr,none":
                known = pytest.approx(value, rel=1e-9)
            assert second["results"][task][name] == known, name


def test_samples_are_lm_evals_own_to_the_digit_but_for_sums(theirs, ours):
    for task in (PAIRS, TEXT):
        rows = list(zip(samples(theirs, task), samples(ours, task), strict=True))
        assert len(rows) == 12
        for first, second in rows:
            assert first.keys() == second.keys()
            loose = {"resps", "filtered_resps", "bits_per_byte"}
            assert {k: v for k, v in first.items() if k not in loose} == {
                k: v for k, v in second.items() if k not in loose
            }
            for a, b in zip(first["filtered_resps"], second["filtered_resps"], strict=True):
                a, b = (x[0] if isinstance(x, list) else x for x in (a, b))
                assert float(b) == pytest.approx(float(a), abs=1e-4)
            assert second["resps"] == [[answer] for answer in second["filtered_resps"]]


def test_lm_evals_own_tools_read_it(ours):
    from lm_eval.utils import (
        get_file_datetime,
        get_file_task_name,
        get_latest_filename,
        get_results_filenames,
        get_sample_results_filenames,
        make_table,
    )

    names = [f"{ours.name}/{path.name}" for path in ours.iterdir()]
    assert len(get_results_filenames(names)) == 1
    assert len(get_sample_results_filenames(names)) == len(support_harness.CORE_KINDS)
    latest = get_latest_filename(get_results_filenames(names))
    when = {get_file_datetime(name) for name in get_sample_results_filenames(names)}
    assert when == {get_file_datetime(latest).removesuffix(".json")}
    assert PAIRS in {get_file_task_name(n) for n in get_sample_results_filenames(names)}
    assert PAIRS in make_table(read_json(ours.parent / latest))


@pytest.fixture(scope="module")
def logs(made):
    return export_every_eval_ever(made / "eval" / "core", made / "eee")


def test_what_lies_here_is_local_and_only_controls_are_our_own(made, logs):
    found = {read_json(path)["model_info"]["id"] for path in logs}
    controls = {m.name for m in read_evaluation(made / "eval" / "core").summary.models} - {"model"}
    assert found == {"local/model"} | {f"skald/{name}" for name in controls}


def test_logs_hold_every_score_with_its_uncertainty(made, logs):
    found = read_evaluation(made / "eval" / "core")
    assert len(logs) == len(found.summary.models)
    for path in logs:
        log = read_json(path)
        scores = {r["evaluation_result_id"]: r for r in log["evaluation_results"]}
        # A rule that looks at choices has no answer to a document.
        own = found.asked.get((log["model_info"]["name"], TEXT), ())
        assert (f"{TEXT}/bits_per_byte" in scores) is bool(own)
        if own:
            text = scores[f"{TEXT}/bits_per_byte"]
            items = [row.item for row in own]
            total = sum(i.metrics["bits"] for i in items) / sum(i.n_bytes for i in items)
            assert text["score_details"]["score"] == pytest.approx(total, rel=1e-12)
            assert text["metric_config"]["lower_is_better"] is True
            assert text["metric_config"]["max_score"] == "Infinity"
            assert text["score_details"]["uncertainty"]["standard_error"]["value"] > 0
        assert scores[f"{PAIRS}/acc"]["metric_config"]["lower_is_better"] is False
        assert set(scores) >= {f"{PAIRS}/acc_bytes", f"{PAIRS}/acc"}
        assert validate(path) == len(scores)
        rows = support_harness.read_rows(path.with_name(f"{path.stem}_samples.jsonl"))
        mine = [r for r in rows if r["evaluation_result_id"] == f"{PAIRS}/acc"]
        right = [r["output"]["raw"] == r["input"]["reference"] for r in mine]
        assert right == [r["evaluation"]["is_correct"] for r in mine]
        assert sum(right) / 12 == pytest.approx(
            scores[f"{PAIRS}/acc"]["score_details"]["score"], rel=1e-12
        )
    before = [path.read_bytes() for path in logs]
    assert export_every_eval_ever(made / "eval" / "core", made / "eee") == logs
    assert [path.read_bytes() for path in logs] == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda log: log.pop("eval_library"), "missing key `eval_library`"),
        (lambda log: log.update(schema_version="0.2.1"), "`schema_version` = '0.2.1'"),
        (lambda log: log.update(more=1), "unknown key `more`"),
        (
            lambda log: log["evaluation_results"][1]["score_details"].update(score="0.5"),
            "`evaluation_results.1.score_details.score` = '0.5'",
        ),
        (
            lambda log: log["evaluation_results"][0]["score_details"].update(score=51.0),
            "`score` = 51.0 lies outside 0.0 to 1.0",
        ),
        (
            lambda log: log["evaluation_results"][0]["metric_config"].pop("lower_is_better"),
            "missing key `evaluation_results.0.metric_config.lower_is_better`",
        ),
        (
            lambda log: log["detailed_evaluation_results"].update(checksum="0" * 64),
            "`checksum` is not that of",
        ),
        (lambda log: log["detailed_evaluation_results"].update(total_rows=3), "`total_rows` = 3"),
        (lambda log: log.update(evaluation_id="x"), "`evaluation_id` = "),
        (lambda log: log["model_info"].update(id="alone"), "`model_info.id` = 'alone'"),
    ],
)
def test_the_first_broken_field_is_named_in_one_line(logs, tmp_path, change, said):
    path = tmp_path / logs[0].name
    samples = logs[0].with_name(f"{logs[0].stem}_samples.jsonl")
    (tmp_path / samples.name).write_bytes(samples.read_bytes())
    log = read_json(logs[0])
    change(log)
    write_json(path, log)
    with pytest.raises(UserInputError) as caught:
        validate(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_broken_line_of_samples_is_named(logs, tmp_path):
    samples = logs[0].with_name(f"{logs[0].stem}_samples.jsonl")
    path = tmp_path / samples.name
    lines = samples.read_text().splitlines(keepends=True)
    row = json.loads(lines[2])
    row["evaluation"]["is_correct"] = "yes"
    path.write_text("".join([*lines[:2], json.dumps(row) + "\n"]))
    with pytest.raises(UserInputError, match=r"jsonl:3: `evaluation\.is_correct` = 'yes'"):
        validate(path)
    assert validate(samples) == len(lines)


@pytest.mark.skipif(not _SCHEMAS, reason="$SKALD_EEE_SCHEMA names no folder of their schemas")
def test_logs_hold_by_their_own_schema(logs):
    folder = Path(str(_SCHEMAS))
    whole = json.loads((folder / "eval.schema.json").read_text())
    one = json.loads((folder / "instance_level_eval.schema.json").read_text())
    for path in logs:
        assert list(faults(read_json(path), whole, whole)) == []
        rows = support_harness.read_rows(path.with_name(f"{path.stem}_samples.jsonl"))
        assert [fault for row in rows for fault in faults(row, one, one)] == []
    log = read_json(logs[0])
    log["evaluation_results"][0]["metric_config"]["score_type"] = "levels"
    assert list(faults(log, whole, whole))
    assert list(faults(log | {"stranger": 1}, whole, whole))


def test_the_commands_write_and_check(made, capsys, tmp_path):
    words = ["evals", "export", str(made / "eval" / "core"), "--out", str(tmp_path), "--format"]
    assert main([*words, "lm-eval"]) == 0
    capsys.readouterr()
    assert main([*words, "every-eval-ever"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert main(["evals", "validate", first]) == 0
    assert main(["evals", "validate", str(made / "eval" / "core" / "summary.json")]) == 2
    assert "summary.json: " in capsys.readouterr().err
    words[2] = str(tmp_path / "none")
    assert main([*words, "lm-eval"]) == 2


def _item(score, key, n_bytes=1, kind="pairs"):
    return ItemRecord(
        model="m", task="t", kind=kind, language="da", item_id=f"{key}{score}{n_bytes}", key=key,
        group="", score=score, n_bytes=n_bytes, metrics={},
    )  # fmt: skip


def test_the_standard_error_knows_keys_and_bytes():
    alone = [_item(x, f"k{i}") for i, x in enumerate([1.0, 0.0, 1.0, 1.0])]
    assert standard_error(alone, "acc", "acc") == pytest.approx(math.sqrt(0.75 / 3 / 4))
    # The same item twice under one key tells no more than once.
    twice = [item for item in alone for _ in range(2)]
    assert standard_error(twice, "acc", "acc") == pytest.approx(standard_error(alone, "acc", "acc"))
    assert standard_error([alone[0], alone[0]], "acc", "acc") is None
    texts = [_item(2.0, "a", 100, "text"), _item(1.0, "b", 300, "text")]
    assert mean_of(texts, "bits_per_byte", "bits_per_byte") == pytest.approx(1.25)
    away = math.sqrt(2 * (75.0**2 + 75.0**2)) / 400
    assert standard_error(texts, "bits_per_byte", "bits_per_byte") == pytest.approx(away)
