"""Generated text: that of lm-eval's `hf`, whatever the batch, and with tokenizers that lack tokens."""

import json
import random

import pytest
import support_harness
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from skald_cli.main import main
from skald_harness.adapter.network import TrieLM
from skald_harness.adapter.vllm import GenerationBackend
from skald_harness.models import controls
from skald_harness.models.folder import read_export
from skald_harness.models.loading import load_model, load_tokenizer
from skald_harness.scoring.questions import Question
from skald_specs.errors import UserInputError

GREEDY = {"until": ["\n\n"], "max_gen_toks": 12, "do_sample": False, "temperature": 0.0}


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    return read_export(support_harness.write_export(tmp_path_factory.mktemp("x") / "tiny"))


@pytest.fixture(scope="module")
def network(export):
    return load_model(export)


def contexts(n=14):
    rng = random.Random(7)
    # Some are longer than what 64 tokens leave; some bring the begin-of-text token.
    texts = [support_harness.document(rng, "da", 1 + i % 9) for i in range(n)]
    return [("<|endoftext|>" if i % 4 == 3 else "") + text for i, text in enumerate(texts)]


def generate(model, options=GREEDY):
    requests = [Instance("generate_until", {}, (text, dict(options)), 0) for text in contexts()]
    return model.generate_until(requests, disable_tqdm=True)


def asked(options=GREEDY):
    return [Question("generate", context, "", json.dumps(options)) for context in contexts()]


def by_chunks(model, questions):
    found = {}
    for part in model.chunks(questions):
        found |= zip(part, model.answer([questions[i] for i in part]), strict=True)
    return [found[i].text for i in range(len(questions))]


@pytest.mark.parametrize("begins", [False, True])
def test_greedy_text_is_that_of_hf_for_every_batch_size(export, network, begins):
    tokenizer = load_tokenizer(export)
    if begins:
        tokenizer = support_harness.with_begin_token(tokenizer)
        assert tokenizer.encode("e")[0] == tokenizer.bos_token_id
    theirs = generate(HFLM(network, tokenizer=tokenizer, batch_size=1))
    assert len(set(theirs)) > 5
    first = TrieLM(network, tokenizer=tokenizer).answer(asked()[:1])[0]
    assert (first.text, first.logprob_nats, first.recheck_nats) == (theirs[0], None, None)
    assert first.n_tokens > 0
    for batch_size in (1, 4, 16):
        model = TrieLM(network, tokenizer=tokenizer, batch_size=batch_size)
        assert generate(model) == theirs
        assert by_chunks(model, asked()) == theirs


def test_text_ends_before_a_stop_string(export, network):
    model = TrieLM(network, tokenizer=load_tokenizer(export))
    whole = generate(model)
    stop = whole[0][3:5]
    cut = generate(model, GREEDY | {"until": stop})
    assert cut[0] == whole[0].split(stop)[0] != whole[0]
    assert cut == [text.split(stop)[0] for text in whole]


def test_more_tokens_than_the_context_are_refused_and_the_default_fits(export, network):
    model = TrieLM(network, tokenizer=load_tokenizer(export))
    with pytest.raises(UserInputError, match="64 tokens to generate"):
        generate(model, GREEDY | {"max_gen_toks": 64})
    assert model.max_gen_toks == 32
    assert any(generate(model, {"until": ["\n\n"]}))


def test_sampled_text_depends_on_the_question_alone(export, network):
    options = GREEDY | {"do_sample": True, "temperature": 1.0}
    model = TrieLM(network, tokenizer=load_tokenizer(export))
    torch.manual_seed(1)
    texts = by_chunks(model, asked(options))
    torch.manual_seed(2)
    assert by_chunks(model, asked(options)) == texts != by_chunks(model, asked())


def test_tokenizers_without_end_or_padding_tokens_work(export, network):
    bare = load_tokenizer(export)
    bare.bos_token = bare.eos_token = None
    model = TrieLM(network, tokenizer=bare)
    # lm-eval invents a padding token beyond the weights, so nothing may be padded.
    assert bare.pad_token_id >= network.config.vocab_size
    assert model.batch_size == 1
    assert model.eot_token_id == model.prefix_token_id == network.config.eos_token_id
    usual = TrieLM(network, tokenizer=load_tokenizer(export))
    plain = [text for text in contexts() if not text.startswith("<")]
    questions = [Question("generate", text, "", json.dumps(GREEDY)) for text in plain]
    assert by_chunks(model, questions) == by_chunks(usual, questions)


def test_a_model_that_names_no_end_is_refused_in_one_line(export, network, monkeypatch):
    bare = load_tokenizer(export)
    bare.bos_token = bare.eos_token = None
    monkeypatch.setattr(network.config, "eos_token_id", None)
    with pytest.raises(UserInputError, match="end-of-text token") as caught:
        TrieLM(network, tokenizer=bare)
    assert "\n" not in str(caught.value)


def test_a_model_that_vllm_runs_is_asked_for_text_alone(export, network, monkeypatch):
    with pytest.raises(UserInputError, match="vllm is not installed"):
        controls.generating(export)
    ours = TrieLM(network, tokenizer=load_tokenizer(export))
    started = []
    monkeypatch.setattr(controls, "require_vllm", lambda: "0.99")
    monkeypatch.setattr(
        controls, "load_vllm", lambda path: started.append(path) or GenerationBackend(ours)
    )
    subject, plain = controls.generating(export), controls.baseline(export)
    assert started == [], "nothing is loaded before it is asked"
    assert by_chunks(subject.answerer("da"), asked()) == by_chunks(ours, asked())
    assert started == [str(export.path)]
    assert subject.takes("generate", "da") and not subject.takes("choice", "da")
    assert subject.identity("da") == plain.identity("da") | {"vllm": "0.99"}
    assert subject.model.scorer != plain.model.scorer


def test_the_command_says_in_one_line_that_vllm_is_missing(export, capsys):
    command = ["evaluate", str(export.path), "--suite", "core", "--backend", "vllm"]
    assert main(command) == 2
    assert capsys.readouterr().err.count("vllm is not installed") == 1
