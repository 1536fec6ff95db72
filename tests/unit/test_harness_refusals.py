"""Bad input: one line for each thing that cannot be used, and the rest goes on."""

import shutil

import pytest
import support_harness
from skald_harness.running.evaluate import evaluate
from skald_specs.errors import UserInputError
from skald_specs.files import read_json, write_json
from support_harness import CORE_KINDS, N_TASKS, evaluate_core


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Inputs, and one finished evaluation of them."""
    root = support_harness.write_inputs(tmp_path_factory.mktemp("made"))
    evaluate_core(root)
    return root


@pytest.fixture
def copy(made, tmp_path):
    return shutil.copytree(made, tmp_path / "copy")


def _remove(name):
    return lambda root: (root / "exports" / "base-a" / name).unlink()


def _grow_tokenizer(root):
    support_harness.write_tokenizer(root / "exports/base-a/tokenizer.json", vocab_size=330)


def _cut_config(root):
    path = root / "exports" / "base-a" / "config.json"
    write_json(path, read_json(path) | {"vocab_size": 300})


def _lose_a_tensor(root):
    from safetensors.torch import load_file, save_file

    path = root / "exports" / "base-a" / "model.safetensors"
    tensors = load_file(path)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, path, metadata={"format": "pt"})


def _cut_weights(root):
    path = root / "exports" / "base-a" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def _other_model(root):
    path = root / "exports" / "base-a" / "config.json"
    write_json(path, read_json(path) | {"architectures": ["GPT2LMHeadModel"]})


def _spoil_weights(root):
    from safetensors.torch import load_file, save_file

    path = root / "exports" / "base-a" / "model.safetensors"
    tensors = load_file(path)
    tensors["model.norm.weight"][:] = float("nan")
    save_file(tensors, path, metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda root: shutil.rmtree(root / "exports" / "base-a"), "no such export. Run `skald ex"),
        (_remove("config.json"), "not an export"),
        (_remove("model.safetensors"), "no *.safetensors weights"),
        (_remove("tokenizer.json"), "the export has no tokenizer"),
        (_remove("tokenizer_config.json"), "the export has no tokenizer"),
        (_grow_tokenizer, "330 tokens but the weights have 320 embedding rows"),
        (_cut_config, "`vocab_size` = 300 but the weights have 320"),
        (_lose_a_tensor, "base-a is left out: "),
        (_cut_weights, "damaged weights"),
        (_other_model, "only LlamaForCausalLM"),
    ],
)
def test_a_bad_model_is_one_line_and_the_others_go_on(copy, capfd, damage, said):
    damage(copy)
    done = evaluate_core(copy)
    assert done.exit_code == 2
    (line,) = [x for x in capfd.readouterr().err.splitlines() if x.startswith("skald: ")]
    assert said in line
    (summary,) = done.summaries
    names = {model.name for model in summary.models}
    assert "base-a" not in names and {"base-b", "random-init-base-b", "byte-ngram"} <= names
    rows = support_harness.read_rows(copy / "out" / "core" / "items.jsonl")
    assert {row["model"] for row in rows} == names


def test_weights_that_are_no_numbers_fail_a_check(copy, capfd):
    _spoil_weights(copy)
    done = evaluate_core(copy)
    assert done.exit_code == 1
    assert "skald: base-a is left out: skald_core_" in capfd.readouterr().err
    assert "base-a" not in {model.name for model in done.summaries[0].models}


def test_of_two_bad_models_nothing_is_left_and_the_earlier_result_stays(copy, capfd):
    before = support_harness.folder_sha256(copy / "out")
    _remove("config.json")(copy)
    shutil.rmtree(copy / "exports" / "base-b")
    with pytest.raises(UserInputError, match=r"base-a: not an export \(config\.json is missing\)"):
        evaluate_core(copy)
    assert "base-b: no such export" in capfd.readouterr().err
    assert support_harness.folder_sha256(copy / "out") == before
    assert [path.name for path in (copy / "out").iterdir()] == ["core"]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda root: shutil.rmtree(root / "items"), "no such items folder"),
        (lambda root: shutil.rmtree(root / "corpus"), "corpus.json"),
    ],
)
def test_without_items_or_corpus_the_earlier_result_stays(copy, damage, said):
    before = support_harness.folder_sha256(copy / "out")
    damage(copy)
    with pytest.raises(UserInputError) as caught:
        evaluate_core(copy)
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert support_harness.folder_sha256(copy / "out") == before


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda root: (root / "corpus" / "da.train.ds").unlink(), "no such shard"),
        (lambda root: (root / "corpus" / "tokenizer.json").unlink(), "no such tokenizer"),
    ],
)
def test_a_control_that_cannot_be_made_is_one_line(copy, capfd, damage, said):
    damage(copy)
    done = evaluate_core(copy)
    assert done.exit_code == 2 and said in capfd.readouterr().err
    assert [m.name for m in done.summaries[0].models][:2] == ["base-a", "base-b"]
    assert "byte-ngram" not in {m.name for m in done.summaries[0].models}


def test_a_bad_task_is_one_line_and_the_others_go_on(copy, capfd):
    path = copy / "items" / "pairs" / "da.jsonl"
    path.write_text(path.read_text() + "{not JSON\n")
    (copy / "items" / "cloze" / "de.jsonl").unlink()
    done = evaluate_core(copy)
    assert done.exit_code == 2
    lines = [x for x in capfd.readouterr().err.splitlines() if x.startswith("skald: ")]
    assert len(lines) == 2
    assert "de.jsonl: no items for skald_core_cloze_deu_Latn" in lines[0]
    assert f"{path}:13: not JSON" in lines[1]
    assert len(done.summaries[0].tasks) == N_TASKS - 2


def test_a_bad_suite_is_one_line_and_the_others_go_on(copy, capfd):
    exports, empty = [copy / "exports" / "base-b"], copy / "empty"
    empty.mkdir()
    items = dict.fromkeys(("cores", "core"), copy / "items") | {"ud": empty}
    done = evaluate(exports, ["cores", "ud", "core"], copy / "out", items, copy / "corpus")
    assert done.exit_code == 2 and [summary.suite for summary in done.summaries] == ["core"]
    err = capfd.readouterr().err
    assert "skald: suite: unknown suite 'cores'. Did you mean 'core'" in err
    assert "no items for suite ud (such as " in err


def test_odd_requests_are_refused(copy):
    with pytest.raises(UserInputError, match=r"unknown suite 'cores'\. Did you mean 'core'"):
        evaluate_core(copy, suite="cores")
    with pytest.raises(UserInputError, match="two models named 'base-a'"):
        evaluate_core(copy, ("base-a", "base-a"))
    with pytest.raises(UserInputError, match="Name at least one export"):
        evaluate_core(copy, ())
    with pytest.raises(UserInputError, match=r"no task in language 'dk'\. Did you mean 'd"):
        evaluate_core(copy, languages=["dk"])
    with pytest.raises(UserInputError, match="no items for skald_core_calendar_swe_Latn"):
        evaluate_core(copy, languages=["sv"])
    with pytest.raises(UserInputError, match="suites: none named"):
        evaluate([copy / "exports" / "base-a"], [], copy / "out", copy / "items", copy / "corpus")


def test_a_language_without_training_text_is_left_out_or_has_no_byte_counts(copy, capfd):
    for kind in CORE_KINDS:
        shutil.copy(copy / "items" / kind / "da.jsonl", copy / "items" / kind / "nl.jsonl")
    (summary,) = evaluate_core(copy).summaries
    assert {task.language for task in summary.tasks} == {"da", "de"}
    assert "nl: left out, no training text in the corpus" in capfd.readouterr().err
    done = evaluate_core(copy, languages=["nl"])
    assert not done.exit_code
    assert "byte-ngram" not in {model.name for model in done.summaries[0].models}
    assert "nl: no training text in" in capfd.readouterr().err


def test_a_store_that_is_in_use_stops_everything(copy):
    from skald_harness.store.answers import AnswerStore
    from skald_harness.store.keys import RunKey
    from skald_process.locks import LockedError

    before = support_harness.folder_sha256(copy / "out")
    (key,) = {
        row["run_key"]
        for row in support_harness.read_rows(copy / "out/core/requests/base-b.jsonl")
        if "_pairs_dan" in row["task"]
    }
    folder = copy / "out-store" / key
    (folder / "rank-0.jsonl").write_text("")
    facts = read_json(folder / "key.json")["facts"]
    with (
        AnswerStore(copy / "out-store").writing(RunKey(facts, key), 0, "", "another"),
        pytest.raises(LockedError, match="another evaluation is writing these answers"),
    ):
        evaluate_core(copy)
    assert support_harness.folder_sha256(copy / "out") == before
    assert evaluate_core(copy).exit_code == 0
    assert support_harness.folder_sha256(copy / "out") == before


def test_an_output_folder_that_cannot_be_is_told_before_anything_is_asked(copy, capfd):
    (copy / "notes.txt").write_text("mine")
    with pytest.raises(UserInputError, match=r"notes\.txt: a file is in the way of a folder"):
        evaluate(
            [copy / "exports" / "base-a"], ["core"], copy / "notes.txt", copy / "items",
            copy / "corpus",
        )  # fmt: skip
    assert not (copy / "notes.txt-store").exists() and "answers" not in capfd.readouterr().err
