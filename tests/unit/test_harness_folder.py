"""Folders of others: what is known of them, and what is refused before anything is scored."""

import json
import re
import shutil
import weakref

import pytest
import support_architectures
import support_harness
from skald_harness.models.controls import baseline
from skald_harness.models.folder import read_export, read_folder
from skald_harness.models.loading import load_model, load_tokenizer
from skald_specs.errors import UserInputError
from skald_specs.files import sha256_file
from support_architectures import ARCHITECTURES, add_adapter, change, name_other_weights
from tokenizers import Tokenizer


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One folder of each architecture; Llama's weights lie in several files."""
    root = tmp_path_factory.mktemp("made")
    for kind in ARCHITECTURES:
        shards = 20_000 if kind == "llama" else None
        support_architectures.write_checkpoint(root / kind, kind, shard_bytes=shards)
    return root


@pytest.fixture
def folder(made, tmp_path):
    return shutil.copytree(made / "mistral", tmp_path / "mistral")


@pytest.fixture
def shards(made, tmp_path):
    return shutil.copytree(made / "llama", tmp_path / "llama")


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_every_architecture_is_read_and_loaded(made, kind):
    found = read_folder(made / kind)
    assert (found.name, found.role, found.context, found.dtype) == (kind, "external", 64, "float32")
    assert found.about.endswith("decoder, 2 layers, d_model 32, vocabulary 320, context 64 tokens")
    model = load_model(found)
    assert type(model).__name__ == found.architecture
    # Tied weights are stored once, and counted once.
    assert sum(p.numel() for p in model.parameters()) == found.n_params_total
    assert len(load_tokenizer(found)) == 320
    for name, digest in found.identity.items():
        assert digest == sha256_file(made / kind / name)
    assert {"config.json", "tokenizer.json", "tokenizer_config.json"} < set(found.identity)


def test_shards_load_as_one_file_does(made, shards):
    found = read_folder(shards)
    assert len([name for name in found.identity if name.endswith(".safetensors")]) == 6
    whole = load_model(found)
    whole.save_pretrained(shards.parent / "one")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(shards / name, shards.parent / "one" / name)
    one = read_folder(shards.parent / "one")
    assert (one.n_params_total, one.about) == (found.n_params_total, found.about)
    assert one.weights_sha256 != found.weights_sha256
    state = load_model(one).state_dict()
    assert all((value == state[name]).all() for name, value in whole.state_dict().items())


def test_stray_weights_are_hashed_but_not_counted_and_pickles_and_prose_are_neither(folder):
    before = read_folder(folder)
    (folder / "pytorch_model.bin").write_bytes(b"never read")
    (folder / "README.md").write_text("# A card")
    (folder / "own.py").write_text("never run")
    assert read_folder(folder) == before
    shutil.copy(folder / "model.safetensors", folder / "consolidated.safetensors")
    after = read_folder(folder)
    assert after.identity.keys() - before.identity.keys() == {"consolidated.safetensors"}
    assert (after.weights_sha256, after.n_params_total) == (
        before.weights_sha256, before.n_params_total,
    )  # fmt: skip


def test_every_file_that_can_change_an_answer_changes_the_identity(folder):
    def identity(trusted=None):
        return json.dumps(read_folder(folder, trusted=trusted).identity, sort_keys=True)

    seen = [identity()]
    (folder / "additional_chat_templates").mkdir()
    for name in (
        "chat_template.jinja", "additional_chat_templates/tools.jinja", "special_tokens_map.json",
        "added_tokens.json", "vocab.txt", "spiece.model", "generation_config.json",
    ):  # fmt: skip
        (folder / name).write_text("{}")
        seen.append(identity())
    change(folder / "tokenizer_config.json", add_bos_token=True)
    seen.append(identity())
    change(folder / "config.json", rms_norm_eps=1e-3)
    seen.append(identity())
    (folder / "deep" / "deeper").mkdir(parents=True)
    for text in ("x = 1", "x = 2"):
        (folder / "deep" / "deeper" / "own.py").write_text(text)
        assert identity() == seen[9]
        seen.append(identity(trusted="org/name"))
    assert len(set(seen)) == len(seen) == 12


@pytest.mark.parametrize("put", [name_other_weights, add_adapter])
def test_what_would_be_loaded_in_place_of_the_weights_or_on_top_is_refused(folder, put):
    import torch
    from transformers import AutoModelForCausalLM

    def query():
        model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)
        layer = model.model.layers[0].self_attn.q_proj
        with torch.no_grad():
            return layer(torch.ones(1, layer.in_features))

    before, sha256 = query(), sha256_file(folder / "model.safetensors")
    put(folder)
    # Transformers takes it, though the file of the weights is what it was.
    assert not torch.allclose(query(), before)
    assert sha256_file(folder / "model.safetensors") == sha256
    with pytest.raises(
        UserInputError, match=r"adapter_config\.json|`transformers_weights` = 'step"
    ):
        read_folder(folder)


def test_a_file_that_goes_away_or_cannot_be_read_costs_one_line(folder):
    found = read_folder(folder)
    (folder / "model.safetensors").rename(folder / "gone")
    with pytest.raises(UserInputError, match=r"cannot be read \(.*no file named model") as caught:
        load_model(found)
    assert "\n" not in str(caught.value)
    (folder / "gone").rename(folder / "model.safetensors")
    assert load_model(found)
    (folder / "tokenizer_config.json").write_text("[")
    with pytest.raises(UserInputError, match=r"no tokenizer that can be read"):
        load_tokenizer(found)


def test_a_network_is_given_back_so_that_one_is_in_memory_at_a_time(made):
    subject = baseline(read_folder(made / "qwen2"))
    held = weakref.ref(subject.answerer("da"))
    assert subject.answerer("de") is held()
    subject.release()
    assert held() is None


def test_an_export_is_a_baseline_and_its_copy_without_a_card_is_not(tmp_path):
    path = support_harness.write_export(tmp_path / "mine")
    assert (read_export(path).role, read_folder(path).role) == ("baseline", "external")
    (path / "README.md").write_text(
        "---\nlibrary_name: transformers\ntags: [skald, mup]\n---\n# x\n"
    )
    assert read_folder(path).role == "baseline"
    (path / "README.md").write_text("---\nlibrary_name: transformers\n---\ntags: [skald, mup]\n")
    assert read_folder(path).role == "external"


def test_an_export_of_another_architecture_is_sent_elsewhere(folder):
    with pytest.raises(UserInputError, match=r"MistralForCausalLM.*with --models"):
        read_export(folder)


def _drop(name):
    return lambda folder: (folder / name).unlink()


def _write(name, text):
    return lambda folder: (folder / name).write_text(text)


def _config(**fields):
    return lambda folder: change(folder / "config.json", **fields)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (shutil.rmtree, "no such folder"),
        (_drop("config.json"), "config.json is missing"),
        (_write("config.json", "{"), "config.json:1: not JSON"),
        (_write("config.json", "[]"), "damaged: not an object with a `model_type`"),
        (_config(model_type="qqq"), "`model_type` = 'qqq' is no causal language model"),
        (_config(model_type="vit"), "`model_type` = 'vit' is no causal language model"),
        (_config(architectures=["MistralForTokenClassification"]), "no causal language model"),
        (_config(num_hidden_layers="two"), "config.json: damaged"),
        (_config(vocab_size=300), "`vocab_size` = 300 but the weights have 320 embedding rows"),
        (_config(quantization_config={"quant_method": "fp8"}), "quantised weights"),
        (_config(configuration_files=["config.9.0.json"]), "only config.json is read"),
        (_config(text_config={"transformers_weights": "a.safetensors"}), "`transformers_weights`"),
        (
            _write("tokenizer_config.json", '{"fast_tokenizer_files": ["tokenizer.4.0.json"]}'),
            "only tokenizer.json is read",
        ),
        (_drop("model.safetensors"), "no *.safetensors weights"),
        (support_architectures.pickle_only, "only pickled weights (pytorch_model.bin), which are"),
        (_write("model.safetensors", "text"), "model.safetensors: damaged weights"),
        (_drop("tokenizer.json"), "no tokenizer that can be read"),
        (_write("tokenizer.json", "{}"), "no tokenizer that can be read"),
        (
            support_architectures.grow_tokenizer,
            "330 tokens but the weights have 320 embedding rows",
        ),
    ],
)
def test_a_spoilt_folder_is_refused_in_one_line(folder, spoil, said):
    read_folder(folder)
    spoil(folder)
    with pytest.raises(UserInputError, match=re.escape(said)) as caught:
        read_folder(folder)
    assert "\n" not in str(caught.value)


def test_a_tokenizer_of_vocabulary_and_merges_is_read_and_sentencepiece_is_named(made, tmp_path):
    folder = shutil.copytree(made / "qwen2", tmp_path / "qwen2")
    whole = Tokenizer.from_file(str(folder / "tokenizer.json"))
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.model").write_bytes(b"a model of sentencepiece")
    with pytest.raises(
        UserInputError, match=r"no tokenizer\.json but tokenizer\.model, and sentenc"
    ):
        read_folder(folder)
    (folder / "tokenizer.model").unlink()
    whole.model.save(str(folder))
    change(folder / "tokenizer_config.json", tokenizer_class="Qwen2Tokenizer")
    found = read_folder(folder)
    assert {"vocab.json", "merges.txt"} < set(found.identity)
    assert load_tokenizer(found)("katten ser")["input_ids"] == whole.encode("katten ser").ids


def test_the_type_is_that_of_the_weights_where_the_configuration_tells_none(folder):
    import torch

    change(folder / "config.json", dtype="bfloat16")
    halved = load_model(read_folder(folder))
    halved.save_pretrained(folder)
    change(folder / "config.json", dtype=None)
    found = read_folder(folder)
    assert found.dtype == "bfloat16"
    assert {p.dtype for p in load_model(found).parameters()} == {torch.bfloat16}


def test_a_lost_tensor_is_named_not_random(folder):
    support_architectures.lose_tensor(folder, "model.layers.1.mlp.up_proj.weight")
    with pytest.raises(UserInputError, match=r"do not fit the model \(model\.layers\.1\.mlp\.up"):
        load_model(read_folder(folder))


def test_lost_shards_and_lost_tensors_of_shards_are_named(shards):
    index = shards / "model.safetensors.index.json"
    names = json.loads(index.read_text())["weight_map"]
    change(index, weight_map=names | {"model.extra.weight": next(iter(names.values()))})
    with pytest.raises(UserInputError, match=r"1 tensors are missing.*model\.extra\.weight"):
        read_folder(shards)
    change(index, weight_map=names | {"model.extra.weight": "../llama/config.json"})
    with pytest.raises(UserInputError, match=r"config\.json is missing"):
        read_folder(shards)
    change(index, weight_map=names)
    (shards / "model-00003-of-00006.safetensors").unlink()
    with pytest.raises(UserInputError, match=r"model-00003-of-00006\.safetensors is missing"):
        read_folder(shards)


def test_code_beside_the_weights_is_never_run_by_a_folder(shards, tmp_path):
    support_architectures.need_code(shards, tmp_path / "it-ran")
    with pytest.raises(
        UserInputError, match=r"configuration_own\.py, modeling_own\.py\), which is"
    ):
        read_folder(shards)
    assert not (tmp_path / "it-ran").exists()


def test_the_code_of_a_tokenizer_counts_and_that_of_others_is_never_run(folder):
    change(folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["own.Tokenizer", None]})
    with pytest.raises(UserInputError, match=r"needs code of its own \(`auto_map`: own\.py\)"):
        read_folder(folder)
    change(folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["a/b--own.Tokenizer"]})
    with pytest.raises(UserInputError, match=r"needs code of another repository \(a/b--own\.py\)"):
        read_folder(folder, trusted="org/name")
