"""`skald evaluate --verify`: what was recorded follows from the requests, and a changed digit shows."""

import json
import shutil

import pytest
import support_harness
from skald_cli.main import main
from skald_cli.verifying import verify
from skald_corpus.decontaminate.report import search, write_findings
from skald_corpus.decontaminate.sources import skald_items
from skald_harness.running.evaluate import evaluate
from skald_harness.store.recompute import choice_metrics, text_metrics
from skald_harness.store.verify import verify_evaluation
from skald_report.build import build
from skald_report.reading.inputs import ReportInputs
from skald_specs.corpus import Document
from skald_specs.errors import UserInputError
from skald_specs.files import read_json, write_json, write_jsonl
from skald_specs.records import RequestRecord


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One evaluation and the report of it; tests that change something copy it."""
    root = tmp_path_factory.mktemp("made")
    support_harness.write_items(root / "items", n=16)
    support_harness.write_corpus(root / "corpus")
    exports = [
        support_harness.write_export(root / "exports" / name, seed=seed, d_model=16)
        for name, seed in (("b", 1), ("a", 2))
    ]
    evaluate(exports, ["core"], root / "eval", root / "items", root / "corpus")
    build(ReportInputs(evaluations=(root / "eval" / "core",)), root / "report")
    return root


@pytest.fixture
def copy(made, tmp_path):
    return shutil.copytree(made, tmp_path / "copy")


def run(root, *folders, corpus="no corpus", items="no items"):
    named = [root / name for name in folders]
    return verify(
        named, root / "eval", root / corpus, lambda names: dict.fromkeys(names, root / items)
    )


def rewrite(path, line, change):
    lines = path.read_text(encoding="utf-8").split("\n")
    lines[line] = json.dumps(change(json.loads(lines[line])), ensure_ascii=False)
    path.write_text("\n".join(lines), encoding="utf-8")


def found(root):
    return [str(mismatch) for mismatch in verify_evaluation(root / "eval" / "core").mismatches]


def test_what_was_not_touched_verifies(made, capsys):
    assert run(made, "eval/core", "report", corpus="corpus", items="items") == 0
    out = capsys.readouterr().out
    assert "item scores" in out and "facts of run keys" in out and "keys and groups" in out
    assert "0 numbers do not follow from the records" in out
    assert "not recomputed" not in out and "not compared" not in out
    counts = verify_evaluation(made / "eval" / "core").checked
    lines = (made / "eval" / "core" / "items.jsonl").read_text().count("\n")
    assert counts["item scores"] >= 3 * lines


def test_a_changed_digit_of_an_answer_is_found(copy):
    path = copy / "eval" / "core" / "requests" / "a.jsonl"
    kept = json.loads(path.read_text().split("\n")[0])
    rewrite(path, 0, lambda row: row | {"logprob_nats": row["logprob_nats"] - 1e-6})
    (line,) = found(copy)
    assert f"items.jsonl: a/{kept['task']}/{kept['item_id']}: logprob_" in line
    assert f"{kept['logprob_nats']!r}, recomputed {kept['logprob_nats'] - 1e-6!r}" in line


@pytest.mark.parametrize(
    ("file", "kind", "change", "said"),
    [
        ("items.jsonl", "pairs", lambda r: r | {"score": 1 - r["score"]}, ": acc is "),
        (
            "items.jsonl",
            "cloze",
            lambda r: r | {"metrics": r["metrics"] | {"acc_bytes": 1 - r["metrics"]["acc_bytes"]}},
            ": acc_bytes is ",
        ),
        ("items.jsonl", "text", lambda r: r | {"score": r["score"] * (1 + 1e-9)}, "bits_per_byte"),
        ("items.jsonl", "text", lambda r: r | {"n_bytes": r["n_bytes"] + 1}, ": n_bytes is "),
        ("items.jsonl", "text", lambda r: r | {"language": "sv"}, ": language is sv"),
        ("items.jsonl", "text", lambda r: r | {"item_id": "other"}, "times recorded is 0"),
        ("requests/a.jsonl", "pairs", lambda r: r | {"run_key": "0" * 64}, "run_key is 0"),
        ("requests/a.jsonl", "pairs", lambda r: r | {"is_right": not r["is_right"]}, ""),
        ("requests/a.jsonl", "pairs", lambda r: r | {"index": 7}, "indices of its requests"),
        ("requests/a.jsonl", "text", lambda r: r | {"continuation": r["continuation"] + "!"}, "n_byt"),
        ("requests/a.jsonl", "text", lambda r: r | {"logprob_nats": None}, "nothing: a document"),
        (
            "requests/a.jsonl",
            "text",
            lambda r: r | {"recheck_nats": r["logprob_nats"] + 0.01},
            "logprob_nats is ",
        ),
    ],
)  # fmt: skip
def test_each_change_is_named(copy, file, kind, change, said):
    path = copy / "eval" / "core" / file
    rows = path.read_text(encoding="utf-8").split("\n")
    line = next(i for i, row in enumerate(rows) if f"_{kind}_" in row)
    rewrite(path, line, change)
    assert any(said in words for words in found(copy)), found(copy)
    assert run(copy, "eval/core") == 1


@pytest.mark.parametrize(
    ("field", "value", "said"), [("n_items", 7, "n_items is 7, rec"), ("chance", 0.3, "chance is")]
)
def test_a_changed_count_of_the_summary_is_found(copy, field, value, said):
    path = copy / "eval" / "core" / "summary.json"
    summary = read_json(path)
    summary["tasks"][0][field] = value
    write_json(path, summary)
    assert any(said in line for line in found(copy))


def _flagged(summary):
    return summary | {"flags": [*summary["flags"], _flag(summary)]}


def _flag(summary):
    task = next(t for t in summary["tasks"] if "_pairs_" in t["name"])
    return {"task": task["name"], "control": "byte-unigram", "score": 0.5, "chance": 0.5,
            "p_value": 0.5}  # fmt: skip


def _changed(name, **values):
    def change(summary):
        return summary | {name: [summary[name][0] | values, *summary[name][1:]]}

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            _flagged,
            "flag of byte-unigram on skald_core_pairs_dan_Latn: p_value is 0.5, recomputed None",
        ),
        (lambda s: s | {"flags": []}, "all flags: number is 0, recomputed"),
        (_changed("flags", p_value=0.9e-9), "p_value is 9e-10, recomputed"),
        (_changed("flags", score=0.1), "score is 0.1, recomputed"),
        (_changed("flags", chance=0.1), "chance is 0.1, recomputed"),
        (lambda s: s | {"flags": s["flags"][1:]}, "p_value is None, recomputed"),
        (_changed("rechecks", n_rechecked=0), "value is "),
        (_changed("rechecks", largest_nats=0.5), "value is "),
        (lambda s: s | {"rechecks": []}, "value is None, recomputed "),
    ],
)
def test_changed_flags_and_rechecks_are_found(copy, change, said):
    path = copy / "eval" / "core" / "summary.json"
    before = read_json(path)
    assert before["flags"], "the byte n-gram knows the items' language"
    write_json(path, change(before))
    assert any(said in line for line in found(copy)), found(copy)
    write_json(path, before)
    assert found(copy) == []


@pytest.fixture
def overlapped(made, tmp_path):
    """An evaluation against a corpus that has the first two Danish texts."""
    root = shutil.copytree(made, tmp_path / "overlapped")
    rows = support_harness.read_rows(root / "items" / "text" / "da.jsonl")
    planted = [Document(id=row["id"], text=row["text"]) for row in rows[:2]]
    write_findings(root / "corpus", search({"da": planted}, skald_items(root / "items")))
    exports = [root / "exports" / name for name in ("b", "a")]
    evaluate(exports, ["core"], root / "eval", root / "items", root / "corpus")
    return root


def test_what_overlaps_is_recomputed_from_the_corpus_and_the_scores_without_it(overlapped):
    folder, corpus = overlapped / "eval" / "core", overlapped / "corpus"
    path = folder / "contamination.json"
    before = read_json(path)
    at = next(i for i, t in enumerate(before["tasks"]) if "_text_da" in t["task"])
    # What the corpus reads from files is, hash for hash, what lm-eval renders.
    searched = {t["task"].split("_")[2] for t in before["tasks"] if t["searched"]}
    assert searched == {"pairs", "cloze", "text"}
    assert before["tasks"][at]["searched"] and len(before["tasks"][at]["overlapping"]) == 2

    def said(corpus, **values):
        told = read_json(path)
        told["tasks"][at] |= values
        write_json(path, told)
        lines = [str(mismatch) for mismatch in verify_evaluation(folder, corpus).mismatches]
        write_json(path, before)
        return lines

    assert said(corpus) == said(None) == []
    absent = verify_evaluation(folder).checked
    assert absent["tasks against the corpus' search (not recomputed: no corpus)"] == len(
        before["tasks"]
    )
    scores = before["tasks"][at]["scores"]
    clean = [row | {"clean": row["score"]} for row in scores]
    whole = said(corpus, overlapping=[], scores=clean)
    assert ["overlapping is []" in line or "overlapping is , rec" in line for line in whole] == [
        True
    ]
    less = said(corpus, searched=False, overlapping=[], scores=[], why_not="not looked for")
    assert any("searched is False, recomputed True" in line for line in less)
    changed = [scores[0] | {"clean": scores[0]["clean"] + 1e-6}, *scores[1:]]
    assert [": clean is " in line for line in said(None, scores=changed)] == [True]
    assert any("models with scores" in line for line in said(None, scores=scores[1:]))
    assert any("not asked" in line for line in said(None, overlapping=["stranger"]))
    path.unlink()
    assert any("contamination is missing" in str(m) for m in verify_evaluation(folder).mismatches)


def test_other_items_of_the_same_names_were_not_searched(overlapped):
    corpus, folder = overlapped / "corpus", overlapped / "eval" / "core"
    rewrite(overlapped / "items" / "text" / "da.jsonl", 0, lambda row: row | {"text": "En anden."})
    search_again = search({"da": []}, skald_items(overlapped / "items"))
    write_findings(corpus, search_again)
    (line, *rest) = [str(m) for m in verify_evaluation(folder, corpus).mismatches]
    assert "_text_dan_Latn: searched is True, recomputed False" in line
    assert all("_text_dan_Latn" in other for other in rest)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_changed("tasks", version=9.0), "version is 9.0, recomputed"),
        (_changed("tasks", data_sha256="0" * 64), "data_sha256 is 0"),
        (_changed("tasks", items_sha256="0" * 64), "items_sha256 is 0"),
        (_changed("tasks", num_fewshot=5), "num_fewshot is 5, recomputed 0"),
        (lambda s: s | {"lm_eval_version": "9"}, "lm_eval_version is 9, recomputed"),
        (lambda s: s | {"fewshot_seed": 9}, "fewshot_seed is 9, recomputed"),
    ],
)
def test_what_does_not_follow_from_records_is_compared_with_store_and_items(copy, change, said):
    folder = copy / "eval" / "core"
    path = folder / "summary.json"
    before = read_json(path)
    write_json(path, change(before))
    found = verify_evaluation(folder, None, copy / "items")
    assert any(said in str(mismatch) for mismatch in found.mismatches), found.mismatches
    write_json(path, before)


def test_changed_keys_of_items_are_found_and_without_their_data_said_not_to_be(copy):
    folder = copy / "eval" / "core"
    rewrite(folder / "items.jsonl", 0, lambda row: row | {"key": "another"})
    (line,) = verify_evaluation(folder, None, copy / "items").mismatches
    assert "key and group is another " in str(line)
    shutil.rmtree(copy / "eval-store")
    rewrite(copy / "items" / "text" / "da.jsonl", 0, lambda row: row | {"text": "En anden."})
    counts = verify_evaluation(folder, None, copy / "items").checked
    assert counts["keys and groups of items (not recomputed: no such data)"] > 0
    assert counts["run keys (not compared: not in the store)"] > 0


def test_a_tree_without_a_recheck_is_found(copy):
    folder = copy / "eval" / "core"
    path = folder / "summary.json"
    assert read_json(path)["models"][0]["scorer"].startswith("tree")
    write_json(path, read_json(path) | {"rechecks": []})
    for file in (folder / "requests").iterdir():
        rows = [row | {"recheck_nats": None} for row in support_harness.read_rows(file)]
        write_jsonl(file, rows)
    assert any("whether there is one is False" in line for line in found(copy))


def test_answers_of_another_model_are_found(copy):
    requests = copy / "eval" / "core" / "requests"
    shutil.copy(requests / "b.jsonl", requests / "a.jsonl")
    assert any("run_key of" in line for line in found(copy))


@pytest.mark.parametrize("column", ["score", "low", "high", "n_items", "n_keys", "chance"])
def test_a_changed_cell_of_a_report_is_found(copy, capsys, column):
    path = copy / "report" / "report.json"
    report = read_json(path)
    table = report["tables"]["scores"]
    at, model = table["columns"].index(column), table["columns"].index("model")
    row = table["rows"][0]
    row[at] = round(row[at] + 0.01, 9)
    write_json(path, report)
    assert run(copy, "report") == 1
    assert f"/{row[model]}/{column} is {row[at]}, recomputed" in capsys.readouterr().out


def test_a_changed_claim_or_headline_of_a_report_is_found(copy):
    path = copy / "report" / "report.json"
    for change in ({"claims": ["All is well."]}, {"headline": {}}):
        report = read_json(path)
        write_json(path, report | change)
        assert run(copy, "report") == 1
        write_json(path, report)
    assert run(copy, "report") == 0


def test_what_cannot_be_read_is_one_line_and_exit_2(copy, capsys, monkeypatch):
    monkeypatch.chdir(copy)
    words = ["evaluate", "--out", "eval", "--verify"]
    assert main(words) == 0
    path = copy / "eval" / "core" / "requests" / "a.jsonl"
    path.write_text("{" + path.read_text()[3:])
    assert main([*words, "eval/core"]) == 2
    assert "a.jsonl:1: not JSON" in capsys.readouterr().err
    path.unlink()
    assert main([*words, "eval/core"]) == 2
    assert main([*words, "items"]) == 2
    assert "neither an evaluation" in capsys.readouterr().err
    assert main(["evaluate", "--out", "none", "--verify"]) == 2
    shutil.move(copy / "eval", copy / "moved")
    with pytest.raises(UserInputError, match="suite 'core', of which there are no records"):
        run(copy, "report")
    assert main(["evaluate"]) == 2
    assert "--suite: no suite named" in capsys.readouterr().err


def _asked(*rows):
    return [
        RequestRecord(
            run_key="k", task="t", item_id="i", index=i, context="", continuation=text,
            logprob_nats=nats, is_greedy=None, response=None, recheck_nats=None, n_tokens=1,
            n_bytes=len(text.encode()), is_right=right,
        )
        for i, (text, nats, right) in enumerate(rows)
    ]  # fmt: skip


def test_ties_and_lengths_follow_lm_eval():
    tie = _asked((" a", -2.0, True), (" b", -2.0, False))
    assert choice_metrics(tie, "")["acc"] == 1
    assert choice_metrics(_asked((" a", -2.0, False), (" b", -2.0, True)), "")["acc"] == 0
    # Per character of the choice alone the second is better, with the delimiter counted the first.
    rows = _asked((" ab", -2.9, True), (" abcdefg", -9.0, False))
    assert choice_metrics(rows, " ")["acc_norm"] == 0
    assert choice_metrics(rows, "")["acc_norm"] == 1
    umlauts = _asked((" øø", -4.0, True), (" abc", -4.5, False))
    assert choice_metrics(umlauts, " ") == {
        "acc": 1, "acc_norm": 0, "acc_bytes": 1, "logprob_gold": -4.0, "logprob_best_wrong": -4.5,
    }  # fmt: skip
    assert choice_metrics(_asked(("a", -1.0, None), ("b", -2.0, None)), "") is None
    assert text_metrics(_asked(("øø", -8.0, None)))["bits_per_byte"] == pytest.approx(2.885390081)
    with pytest.raises(ValueError, match="exactly one"):
        text_metrics(tie)
