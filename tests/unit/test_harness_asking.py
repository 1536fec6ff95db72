"""Asking: lm-eval's own requests, and samples equal to those of `lm_eval.evaluate`."""

import hashlib
import json

import datasets
import lm_eval
import numpy as np
import pytest
import support_harness
from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from lm_eval.api.task import ConfigurableTask
from skald_harness.adapter.asking import ask, measure, questions_sha256
from skald_harness.adapter.tasks import FEWSHOT_SEED, load_tasks
from skald_harness.scoring.questions import Answer
from skald_harness.tasks.suites import EVALS
from support_harness import CORE_KINDS


class HashLM(LM):
    """Answers by a hash of what it is asked, so that a request of other words shows."""

    def loglikelihood(self, requests):
        return [(-1 - _share(r.args) * 9, _share(r.args) < 0.3) for r in requests]

    def loglikelihood_rolling(self, requests):
        return [-1 - _share(request.args) * 9 for request in requests]

    def generate_until(self, requests):
        return [f"svar {int(_share(r.args) * 4)}" for r in requests]

    @property
    def tokenizer_name(self):
        return "hash"

    def apply_chat_template(self, messages, add_generation_prompt=True):
        turns = "".join(f"<{m['role']}>{m['content']}" for m in messages)
        return turns + ("<assistant>" if add_generation_prompt else "")


def _share(args):
    text = json.dumps(args, sort_keys=True).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "big") / 2**32


def _rows(**_):
    rows = [
        {"q": f"spørgsmål {i}\u2028", "options": [f"svar {j}" for j in range(3)], "right": i % 3}
        for i in range(9)
    ]
    return {"test": datasets.Dataset.from_list(rows), "train": datasets.Dataset.from_list(rows)}


_CHOICE = {
    "task": "choice", "custom_dataset": _rows, "test_split": "test", "output_type": "multiple_choice",
    "doc_to_text": "Q: {{q}}\nA:", "doc_to_choice": "{{options}}", "doc_to_target": "right",
    "metric_list": [{"metric": m, "aggregation": "mean", "higher_is_better": True}
                    for m in ("acc", "acc_norm", "acc_bytes", "acc_mutual_info")],
}  # fmt: skip
_GENERATE = _CHOICE | {
    "task": "generate", "output_type": "generate_until", "doc_to_choice": None,
    "doc_to_target": "svar {{right}}", "repeats": 2,
    "generation_kwargs": {"until": ["\n"], "max_gen_toks": 8},
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    "filter_list": [
        {"name": "whole", "filter": [{"function": "take_first"}]},
        {"name": "number", "filter": [
            {"function": "regex", "regex_pattern": "(\\d)"}, {"function": "take_first"}]},
    ],
}  # fmt: skip
_SHOTS = {"num_fewshot": 2, "training_split": "train"}
#: Tasks in the manner of others: by Jinja, with examples, several filters, several contexts.
CONFIGS = {
    "choice": _CHOICE,
    "shots": _CHOICE | _SHOTS,
    "gold by text": _CHOICE | {"doc_to_target": "{{options[right]}}"},
    "several golds": _CHOICE | {"doc_to_target": "{{[right, 0]}}", "metric_list": _CHOICE["metric_list"][:3]},
    "contexts": _CHOICE | {
        "doc_to_text": "right", "doc_to_target": "{{q}}", "metric_list": _CHOICE["metric_list"][:3],
    },
    "last word": _CHOICE | {
        "output_type": "loglikelihood", "doc_to_choice": None, "doc_to_target": " {{options[right]}}",
        "metric_list": [{"metric": m} for m in ("acc", "perplexity")],
    },
    "generate": _GENERATE,
    "generate with shots": _GENERATE | _SHOTS,
}  # fmt: skip


@pytest.fixture(scope="module")
def core(tmp_path_factory):
    items = support_harness.write_items(tmp_path_factory.mktemp("x") / "items", ["da"])
    return load_tasks(EVALS / "core", [f"skald_core_{kind}_dan_Latn" for kind in CORE_KINDS], items)


def theirs(task, chat=False):
    task.set_fewshot_seed(seed=FEWSHOT_SEED)
    name = task.config.task
    results = lm_eval.evaluate(
        lm=HashLM(), task_dict={"tasks": {name: task}}, bootstrap_iters=0,
        apply_chat_template=chat, fewshot_as_multiturn=chat,
    )  # fmt: skip
    return results["samples"][name]


def ours(task, chat=False):
    model = HashLM()
    asked = ask(task, model.apply_chat_template if chat else None)
    return measure(task, asked, [[answered(model, q) for q in item.questions] for item in asked])


def answered(model, question):
    if question.kind == "generate":
        args = (question.context, json.loads(question.options))
        return Answer(None, text=model.generate_until([Instance("generate_until", {}, args, 0)])[0])
    if question.kind == "rolling":
        request = Instance("loglikelihood_rolling", {}, (question.continuation,), 0)
        return Answer(model.loglikelihood_rolling([request])[0])
    args = (question.context, question.continuation)
    return Answer(*model.loglikelihood([Instance("loglikelihood", {}, args, 0)])[0])


def plain(samples):
    # Arrays have no truth of their own.
    return json.loads(json.dumps(samples, default=lambda x: np.asarray(x).tolist()))


@pytest.mark.parametrize("kind", CORE_KINDS)
def test_samples_of_the_core_suite_equal_those_of_lm_eval(core, kind):
    task = core[f"skald_core_{kind}_dan_Latn"]
    expected = plain(theirs(task))
    assert plain(ours(task)) == expected and len(expected) == 12
    # Asked a second time, for the next model.
    assert plain(ours(task)) == expected


@pytest.mark.parametrize("chat", [False, True], ids=["", "chat"])
@pytest.mark.parametrize("name", CONFIGS)
def test_samples_of_tasks_of_others_equal_those_of_lm_eval(name, chat):
    task = ConfigurableTask(config=dict(CONFIGS[name]))
    expected = plain(theirs(task, chat))
    found = plain(ours(task, chat))
    assert found == expected
    assert len(found) == 9 * len(task._filters)
    assert plain(ours(task, chat)) == expected, "examples are drawn anew"
    if chat:
        assert found != plain(theirs(task))


def test_the_comparison_would_notice_other_words(core):
    task = ConfigurableTask(config=_CHOICE | _SHOTS)
    fewer = ConfigurableTask(config=_CHOICE | _SHOTS | {"num_fewshot": 1})
    assert plain(ours(fewer)) != plain(theirs(task))
    one, other = ask(task), ask(fewer)
    assert questions_sha256(one) == questions_sha256(ask(task)) != questions_sha256(other)


def test_documents_have_names_of_their_own_or_their_number(core):
    named = ask(core["skald_core_pairs_dan_Latn"])
    assert [item.item_id for item in named] == [f"da-{i:03}" for i in range(12)]
    assert named[7].key == "key-2" and named[7].group == "order"
    unnamed = ask(ConfigurableTask(config=dict(_CHOICE)))
    assert [(i.item_id, i.key, i.group) for i in unnamed] == [(str(n),) * 3 for n in range(9)]

    def twice(**_):
        rows = [{"id": "same", "key": "k", "group": "g", **row} for row in _rows()["test"]]
        return {"test": datasets.Dataset.from_list(rows)}

    doubled = ask(ConfigurableTask(config=_CHOICE | {"custom_dataset": twice}))
    assert [item.item_id for item in doubled] == [str(n) for n in range(9)]


def test_questions_know_which_choice_is_right(core):
    item = ask(core["skald_core_cloze_dan_Latn"])[0]
    assert item.gold == (0,)
    assert [q.is_right for q in item.questions] == [True, False, False, False]
    several = ask(ConfigurableTask(config=dict(CONFIGS["several golds"])))[1]
    assert several.gold == (1, 0)
    assert [q.is_right for q in several.questions] == [True, True, False]
    # Mutual information asks each choice again without its context: that is neither.
    shots = ask(ConfigurableTask(config=dict(_CHOICE)))[2]
    assert [q.is_right for q in shots.questions] == [False, False, True, None, None, None]
    by_text = ask(ConfigurableTask(config=dict(CONFIGS["gold by text"])))[2]
    assert by_text.gold == (2,)
    contexts = ask(ConfigurableTask(config=dict(CONFIGS["contexts"])))[1]
    assert contexts.gold == (1,) and len({q.context for q in contexts.questions}) == 3
    for name in ("generate", "last word"):
        (question,) = ask(ConfigurableTask(config=dict(CONFIGS[name])))[0].questions
        assert question.is_right is None
    (text,) = ask(core["skald_core_text_dan_Latn"])[0].questions
    assert (text.kind, text.context, text.is_right) == ("rolling", "", None)
