"""lm-eval's own tasks, with their data from a Hub: evaluated as plain lm-eval does, item by item."""

import json
import shutil
import subprocess
import sys
from collections import Counter

import pytest
import support_harness
import support_public
from skald_harness.store.verify import verify_evaluation
from skald_harness.tasks.suites import EVALS, HUB
from skald_specs.files import write_yaml
from skald_specs.records import EvaluationSummary, ItemRecord
from support_hub import Hub

WORDINGS = ["belebele_nob_Latn", *(f"norbelebele_p{i}" for i in range(5))]
SERVED = {
    "fao_Latn": [
        "multiblimp_fao",
        "global_piqa_nonparallel_cloze_fao_latn",
        "global_piqa_parallel_cloze_fao_latn",
    ],
    "nob_Latn": WORDINGS,
    "isl_Latn": ["mela_is"],
    "afr_Latn": ["sib_afr_prompt_1"],
    "nno_Latn": ["noridiom_nno_p0", "noridiom_nno_p1", "noridiom_nno_p2"],
}
#: Data sets that the Hub does not have, and a configuration that one of them lacks.
MISSING = {
    "isl_Latn": ["multiblimp_isl", "icelandic_winogrande", "belebele_isl_Latn"],
    "nob_Latn": ["belebele_eng_Latn"],
}
TASKS = [name for names in SERVED.values() for name in names]
#: Evaluates by Skald, then by plain lm-eval, with and without the chat template.
SCRIPT = """
import json, sys
from pathlib import Path
from skald_harness.models.folder import read_folder
from skald_harness.running.evaluate import evaluate

root, evals, tasks = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3].split(",")
tuned = read_folder(root / "tuned", tuning="instruct")
done = evaluate(
    [root / "model"], ["hub"], root / "out", root, root / "corpus", evals=evals, models=[tuned],
)
import lm_eval
from lm_eval.tasks import TaskManager
from skald_harness.adapter.index import tasks_folder

folders = ["belebele", "multiblimp", "global_piqa", "mela", "noreval", "afrobench/sib"]
manager = TaskManager(
    include_path=[evals / "hub", *(tasks_folder() / name for name in folders)],
    include_defaults=False,
)
found = {"exit_code": done.exit_code}
for name, chat in (("model", False), ("tuned", True)):
    plain = lm_eval.simple_evaluate(
        model="hf", model_args=f"pretrained={root / name}", tasks=tasks, task_manager=manager,
        batch_size=1, device="cpu", bootstrap_iters=0,
        apply_chat_template=chat, fewshot_as_multiturn=chat,
    )
    found[name] = plain["samples"]
(root / "plain.json").write_text(json.dumps(found, default=float))
"""

#: Loads from the cache alone, as nobody answers; then as plain lm-eval does.
AGAIN = """
import json, sys
from pathlib import Path
from skald_harness.adapter.index import define_all
from skald_harness.adapter.public import load_hub
from skald_harness.running.reference import reference_items
from skald_harness.tasks.hub import hub_tasks
from lm_eval.tasks import TaskManager

root = Path(sys.argv[1])
tasks, _ = define_all(hub_tasks(root / "evals"))
loaded = load_hub(tasks)
found = {
    "data": {name: items.sha256 for name, items in loaded.data.items()},
    "families": [problem.where for problem in loaded.problems],
    "texts": [i.model_dump() for i in reference_items(["norbelebele_p1"], root, evals=root / "evals")],
    "fetches code": ["evaluate" in sys.modules],
}
[topic] = [task for task in tasks if task.name == "sib_afr_prompt_1"]
import datasets, huggingface_hub
datasets.config.HF_HUB_OFFLINE = huggingface_hub.constants.HF_HUB_OFFLINE = True
TaskManager(include_defaults=False).load([str(topic.path)])
found["fetches code"].append("evaluate" in sys.modules)
(root / "again.json").write_text(json.dumps(found))
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("hub")
    shape = {"seq_len": 512, "d_model": 16}
    support_harness.write_export(root / "model", **shape)
    support_public.write_instruct(root / "tuned", **shape)
    texts = ["Hunden ser katten i skoven."] * 4
    support_harness.write_corpus(
        root / "corpus", dict.fromkeys(("fo", "nb", "is", "af", "nn"), texts)
    )
    evals = root / "evals"
    (evals / HUB).mkdir(parents=True)
    shutil.copy(EVALS / HUB / "_families_yaml", evals / HUB)
    shutil.copy(EVALS / HUB / "fao_Latn.yaml", evals / HUB)
    for code in list(SERVED)[1:]:
        names = SERVED[code] + MISSING.get(code, [])
        write_yaml(evals / HUB / f"{code}.yaml", {"group": f"skald_hub_{code}", "task": names})
    # Plain lm-eval is asked for a whole group by its name, and for the other tasks by theirs.
    named = ["skald_hub_fao_Latn", *(n for code in list(SERVED)[1:] for n in SERVED[code])]
    with Hub() as hub:
        support_public.publish_all(hub, root / "sets")
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(root), str(evals), ",".join(named)],
            env=hub.environment(root / "cache") | {"DISABLE_MULTIPROC": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
        )
    assert done.returncode == 0, done.stderr[-3000:]
    return root, json.loads((root / "plain.json").read_text()), done.stderr


def summary(root):
    return EvaluationSummary.load(root / "out" / HUB / "summary.json")


def items(root, model):
    rows = support_harness.read_rows(root / "out" / HUB / "items.jsonl")
    records = [ItemRecord.model_validate(row) for row in rows]
    return {(r.task, r.item_id): r for r in records if r.model == model}


def requests(root, model):
    rows = support_harness.read_rows(root / "out" / HUB / "requests" / f"{model}.jsonl")
    return {(row["task"], row["item_id"], row["index"]): row for row in rows}


def plain_requests(samples):
    return {
        (task, str(sample["doc_id"]), index): (arguments, response)
        for task, mine in samples.items()
        for sample in mine
        for index, (arguments, response) in enumerate(
            zip(sample["arguments"], sample["filtered_resps"], strict=True)
        )
    }


@pytest.mark.parametrize("model", ["model", "tuned"])
def test_every_question_and_answer_is_that_of_plain_lm_eval(made, model):
    root, plain, _ = made
    ours, theirs = requests(root, model), plain_requests(plain[model])
    assert ours.keys() == theirs.keys() and {task for task, _, _ in ours} == set(TASKS)
    for key, row in ours.items():
        arguments, response = theirs[key]
        assert row["context"] == arguments[0], key
        if row["response"] is None:
            assert row["continuation"] == arguments[1], key
            assert row["logprob_nats"] == pytest.approx(response[0], abs=1e-4), key
            assert row["is_greedy"] == response[1], key
        else:
            assert row["response"] == response, key


@pytest.mark.parametrize("model", ["model", "tuned"])
def test_every_item_has_the_score_of_plain_lm_eval(made, model):
    root, plain, _ = made
    found = items(root, model)
    headline = {task.name: task.metric for task in summary(root).tasks}
    for task, samples in plain[model].items():
        for sample in samples:
            item = found[task, str(sample["doc_id"])]
            if headline[task] in sample:
                expected = sample[headline[task]]
            else:
                right, chosen = sample["mcc"]
                expected = float(right == chosen)
            assert item.score == expected, (task, item.item_id)
    assert len(found) == sum(map(len, plain[model].values()))
    assert {item.score for item in found.values()} >= {0.0, 1.0}


def test_the_comparison_would_notice_another_model(made):
    root, plain, _ = made
    ours, theirs = requests(root, "tuned"), plain_requests(plain["model"])
    chosen = [key for key in ours if key[0] == "multiblimp_fao"]
    assert any(
        ours[key]["logprob_nats"] != pytest.approx(theirs[key][1][0], abs=1e-2) for key in chosen
    )


def test_the_tuned_model_alone_is_asked_in_its_chat_template_and_that_is_recorded(made):
    root, _, _ = made
    models = {model.name: model for model in summary(root).models}
    assert (models["tuned"].tuning, models["model"].tuning) == ("instruct", None)
    assert models["tuned"].chat_template_sha256 and models["model"].chat_template_sha256 is None
    for model, said in (("tuned", True), ("model", False)):
        contexts = [row["context"] for row in requests(root, model).values()]
        assert all(("[user]" in context) is said for context in contexts)


def test_what_is_known_of_a_task_stands_in_the_summary(made):
    root, _, _ = made
    tasks = {task.name: task for task in summary(root).tasks}
    assert tasks.keys() == set(TASKS)
    wordings = [task for task in tasks.values() if task.family == "belebele"]
    assert sorted(task.name for task in wordings) == sorted(WORDINGS)
    assert sorted(task.variant for task in wordings) == ["", "p0", "p1", "p2", "p3", "p4"]
    assert {(t.translated, t.license) for t in wordings} == {(True, "CC-BY-SA-4.0")}
    # Letters are the same in every item, answers are not; two of six times the first letter is right.
    assert {(t.fixed_labels, t.chance) for t in wordings} == {(True, 0.333333333333), (False, 0.25)}
    assert len({task.data_sha256 for task in wordings}) == 1
    pairs, judged, said = (tasks[n] for n in ("multiblimp_fao", "mela_is", "noridiom_nno_p0"))
    assert (pairs.translated, pairs.chance, pairs.n_items) == (False, 0.5, 6)
    assert (judged.metric, judged.license) == ("acc", None)
    topic = tasks["sib_afr_prompt_1"]
    assert (judged.fixed_labels, topic.fixed_labels, pairs.fixed_labels) == (True, True, False)
    counts = Counter(row["category"] for row in support_public.sentences("test"))
    assert topic.chance == round(max(counts.values()) / sum(counts.values()), 12) > 1 / 7
    assert (said.kind, said.metric, said.chance) == ("generate", "em", None)


def test_whoever_says_one_label_has_the_chance_of_its_task_and_no_other_task(made):
    root, _, _ = made
    found = items(root, "majority-answer")
    assert found.keys() < items(root, "oracle").keys()
    scored = {}
    for (task, _), item in found.items():
        scored.setdefault(task, []).append(item.score)
    tasks = {task.name: task for task in summary(root).tasks}
    assert scored.keys() == {name for name, task in tasks.items() if task.fixed_labels}
    for name, scores in scored.items():
        assert sum(scores) / len(scores) == pytest.approx(tasks[name].chance, abs=1e-9)


def test_questions_on_one_passage_hang_together_and_pairs_do_not(made):
    root, _, _ = made
    found = items(root, "model")
    asked = [item for (task, _), item in found.items() if task == "norbelebele_p1"]
    assert len({item.key for item in asked}) == support_public.PASSAGES < len(asked)
    pairs = [item for (task, _), item in found.items() if task == "multiblimp_fao"]
    assert len({item.key for item in pairs}) == len(pairs)


def test_what_the_hub_lacks_costs_a_line_a_family_and_the_exit_code_tells(made):
    _, plain, told = made
    assert plain["exit_code"] == 2
    lines = [line for line in told.splitlines() if line.startswith("skald: ")]
    families = (
        "multiblimp (is): 1 task left",
        "icelandic_winogrande (is): 1 task left",
        "belebele (is, nb): 2 tasks left",
    )
    for family in families:
        assert len([line for line in lines if line.startswith(f"skald: {family}")]) == 1, told
    assert len(lines) == len(families)


def test_a_filled_cache_will_do_where_no_hub_answers(made):
    root, _, _ = made
    with Hub() as gone:
        environment = gone.environment(root / "cache")
    done = subprocess.run(
        [sys.executable, "-c", AGAIN, str(root)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads((root / "again.json").read_text())
    assert found["data"] == {task.name: task.data_sha256 for task in summary(root).tasks}
    assert len(found["families"]) == 3
    assert "no answer" in done.stderr and "the cache alone is read" in done.stderr
    # The texts that a model must not have seen are named as the records are.
    texts = {item["item_id"]: item for item in found["texts"]}
    asked = {i for task, i in items(root, "model") if task == "norbelebele_p1"}
    assert texts.keys() == asked and {item["language"] for item in texts.values()} == {"nb"}
    # lm-eval would fetch and run the code of a metric that it does not know.
    assert found["fetches code"] == [False, True]


def test_every_number_can_be_computed_again_from_the_records(made):
    root, _, _ = made
    found = verify_evaluation(root / "out" / HUB)
    assert found.mismatches == [] and found.checked["item scores"] > 100
