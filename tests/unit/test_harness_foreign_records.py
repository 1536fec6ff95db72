"""Records of tasks of others: a delimiter, contexts as choices, requests beside them, generated text."""

import json
import os

import pytest
import support_harness
from skald_harness.running.contamination import contamination
from skald_harness.store.every_eval_ever import export_every_eval_ever, validate
from skald_harness.store.lm_eval_results import export_lm_eval
from skald_harness.store.verify import verify_evaluation
from skald_specs.files import read_json, write_json, write_jsonl
from skald_specs.records import (
    EvaluatedModel,
    EvaluationSummary,
    ItemRecord,
    RequestRecord,
    TaskInfo,
)

MODEL, HUB_ID = "model@abc", "org/model"


def task(name, kind, metric, chance=None, **more):
    return TaskInfo(
        name=name, kind=kind, suite="hub", language="da", version=1.0, chance=chance, n_items=2,
        data_sha256="0" * 64, metric=metric, family=name, source="org/data", **more,
    )  # fmt: skip


TASKS = (
    task("spaced", "choice", "acc", 0.5, target_delimiter=" "),
    task("contexts", "choice", "acc", 0.5, target_delimiter=" "),
    task("written", "generate", "exact_match"),
    task("sums", "generate", "exact_match,flexible-extract", first_filter="strict-match"),
)


def request(name, item, index, context, continuation, nats=None, right=None, response=None):
    return RequestRecord(
        run_key=f"key {name}", task=name, item_id=item, index=index, context=context,
        continuation=continuation, logprob_nats=nats, is_greedy=None, response=response,
        recheck_nats=None, n_tokens=1, n_bytes=len(continuation.encode()), is_right=right,
    )  # fmt: skip


def item(name, kind, item_id, score, n_bytes, metrics):
    return ItemRecord(
        model=MODEL, task=name, kind=kind, language="da", item_id=item_id, key=item_id, group="",
        score=score, n_bytes=n_bytes, metrics=metrics,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    requests, items = [], []
    for i in ("0", "1"):
        requests += [
            request("spaced", i, 0, "Hvad?", " å", -3.0, True),
            request("spaced", i, 1, "Hvad?", " nej", -4.0, False),
            # lm-eval's mutual information asks for the choices without their context, too.
            request("spaced", i, 2, "", " å", -9.0),
            request("spaced", i, 3, "", " nej", -1.0),
            request("contexts", i, 0, "Bogen", " faldt.", -2.0, False),
            request("contexts", i, 1, "Hylden", " faldt.", -1.0, True),
            request("written", i, 0, "2 + 2 =", "", response="4"),
            request("sums", i, 0, "3 + 4 =", "", response="It is 7."),
        ]
        gold = {"logprob_gold": -3.0, "logprob_best_wrong": -4.0}
        # Per character: -3 / 1 against -4 / 3; per byte -3 / 2 against -4 / 3.
        norms = {"acc_norm": 0.0, "acc_bytes": 0.0, "acc_mutual_info": 1.0}
        items.append(item("spaced", "choice", i, 1.0, 3, gold | norms))
        gold = {"logprob_gold": -1.0, "logprob_best_wrong": -2.0}
        items.append(item("contexts", "choice", i, 1.0, 7, gold | {"acc_norm": 1.0}))
        items.append(item("written", "generate", i, 0.5, 0, {}))
        items.append(item("sums", "generate", i, 1.0, 0, {"exact_match": 0.0}))
    summary = EvaluationSummary(
        schema_version=1, suite="hub", tasks=TASKS, lm_eval_version="0.4.13", fewshot_seed=1234,
        flags=(), models=(
            EvaluatedModel(
                name=MODEL, role="external", about="", n_params_total=1, weights_sha256="w",
                tokenizer_sha256="t", dtype="bfloat16", scorer="plain: made", hub_id=HUB_ID,
                revision="r",
            ),
        ),
    )  # fmt: skip
    write_json(tmp_path / "summary.json", summary.model_dump(mode="json"))
    overlap = contamination(summary, items, None)
    write_json(tmp_path / "contamination.json", overlap.model_dump(mode="json"))
    write_jsonl(tmp_path / "items.jsonl", (row.model_dump(mode="json") for row in items))
    path = tmp_path / "requests" / f"{MODEL}.jsonl"
    write_jsonl(path, (row.model_dump(mode="json") for row in requests))
    return tmp_path


def test_what_follows_from_answers_is_recomputed_and_the_rest_is_counted(folder):
    found = verify_evaluation(folder)
    assert [str(mismatch) for mismatch in found.mismatches] == []
    assert found.checked["values of acc_mutual_info (not recomputed)"] == 2
    assert found.checked["values of acc_norm (not recomputed)"] == 2
    told = "items whose task does not tell the right answer (not recomputed)"
    assert found.checked[told] == 4
    rows = support_harness.read_rows(folder / "items.jsonl")
    rows[0]["metrics"]["acc_bytes"] = 1.0
    write_jsonl(folder / "items.jsonl", rows)
    assert len(verify_evaluation(folder).mismatches) == 1


def test_both_exports_take_them(folder, tmp_path):
    (path,) = export_lm_eval(folder, tmp_path / "lm-eval")
    assert path.parent.name == "org__model@abc"
    assert read_json(path)["config"]["model_args"] == f"pretrained={HUB_ID},revision=r"
    scores = read_json(path)["results"]
    assert scores["spaced"]["acc_mutual_info,none"] == 1
    assert scores["written"]["exact_match,none"] == 0.5
    (written,) = path.parent.glob("samples_written_*")
    assert support_harness.read_rows(written)[0]["filtered_resps"] == ["4"]
    (spaced,) = path.parent.glob("samples_spaced_*")
    row = support_harness.read_rows(spaced)[0]
    assert row["doc"]["choices"] == ["å", "nej"]
    assert row["arguments"]["gen_args_0"] == {"arg_0": "Hvad?", "arg_1": " å"}
    (log,) = export_every_eval_ever(folder, tmp_path / "eee")
    assert log.parent.relative_to(tmp_path / "eee").as_posix() == "data/skald_hub/org/model@abc"
    known = read_json(log)["model_info"]
    assert (known["developer"], known["id"]) == ("org", "org/model@abc")
    assert known["additional_details"]["hub_id"] == HUB_ID
    assert validate(log) == 9
    rows = support_harness.read_rows(log.with_name(f"{log.stem}_samples.jsonl"))
    by_result = {row["evaluation_result_id"]: row for row in rows}
    assert by_result["contexts/acc"]["output"]["raw"] == ["Hylden faldt."]
    assert by_result["spaced/acc"]["output"]["raw"] == ["å"]
    assert by_result["spaced/acc_norm"]["output"]["raw"] == ["nej"]
    assert by_result["written/exact_match"]["output"]["raw"] == ["4"]
    assert by_result["written/exact_match"]["evaluation"] == {"score": 0.5, "is_correct": False}
    source = json.loads(log.read_text())["evaluation_results"][0]["source_data"]
    assert (source["source_type"], source["hf_repo"]) == ("hf_dataset", "org/data")


def test_a_headline_behind_another_filter_has_the_names_of_lm_eval(folder, tmp_path):
    (path,) = export_lm_eval(folder, tmp_path / "lm-eval")
    results = read_json(path)
    scores = {k: v for k, v in results["results"]["sums"].items() if "," in k}
    assert scores == {
        "exact_match,flexible-extract": 1.0, "exact_match_stderr,flexible-extract": 0.0,
        "exact_match,strict-match": 0.0, "exact_match_stderr,strict-match": 0.0,
    }  # fmt: skip
    assert results["higher_is_better"]["sums"] == {"exact_match": True}
    assert results["n-samples"]["sums"]["original"] == 2
    (written,) = path.parent.glob("samples_sums_*")
    rows = support_harness.read_rows(written)
    assert [(r["filter"], r["doc_id"], r["metrics"], r["exact_match"]) for r in rows] == [
        ("strict-match", 0, ["exact_match"], 0.0), ("strict-match", 1, ["exact_match"], 0.0),
        ("flexible-extract", 0, ["exact_match"], 1.0), ("flexible-extract", 1, ["exact_match"], 1.0),
    ]  # fmt: skip
    assert rows[0]["resps"] == [["It is 7."]] and rows[0]["filtered_resps"] == [None]
    (log,) = export_every_eval_ever(folder, tmp_path / "eee")
    found = {row["evaluation_result_id"]: row for row in read_json(log)["evaluation_results"]}
    for done in ("strict-match", "flexible-extract"):
        name = "sums/exact_match" + ("" if done == "strict-match" else f"/{done}")
        metric = found[name]["metric_config"]
        assert (metric["metric_id"], metric["metric_parameters"]) == (
            "exact_match",
            {"filter": done},
        )
        assert (metric["min_score"], metric["max_score"]) == (0.0, 1.0)
    assert "metric_parameters" not in found["written/exact_match"]["metric_config"]


def test_a_copy_has_the_same_exports_to_the_byte_and_other_scores_have_others(folder, tmp_path):
    def exported(source, out):
        export_lm_eval(source, out)
        export_every_eval_ever(source, out)
        return {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()}

    copy = tmp_path / "copy"
    for name in ("summary.json", "items.jsonl", f"requests/{MODEL}.jsonl"):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes((folder / name).read_bytes())
        os.utime(copy / name, (1e9, 1e9))
    first = exported(folder, tmp_path / "first")
    assert exported(copy, tmp_path / "second") == first
    rows = support_harness.read_rows(copy / "items.jsonl")
    write_jsonl(copy / "items.jsonl", [rows[0] | {"score": 0.0}, *rows[1:]])
    assert exported(copy, tmp_path / "third").keys() != first.keys()
