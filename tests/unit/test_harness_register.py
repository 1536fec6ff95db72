"""The register of published models, and what a user may call them."""

import re

import pytest
from skald_harness.models.groups import GROUPS, MEDIUM_B, SMALL_B, choose, split_names
from skald_harness.models.register import ModelRegister, load_register
from skald_specs.errors import UserInputError

MODEL = {"hub_id": "org/name", "tuning": "base", "eu": True}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def check(*models, sources=None):
    value = {"schema_version": 2, "sources": sources or {}, "models": list(models)}
    return ModelRegister.check(value, "models.yaml")


def ids(name, register=None):
    return [choice.hub_id for choice in choose(name, register or load_register())]


def test_the_register_holds_the_models_that_europeans_are_compared_with():
    register = load_register()
    found = {model.hub_id for model in register.models}
    families = {
        "TrustLLMeu/baseline-7-8b_1t-tokens_llama", "TrustLLMeu/baseline-7-8b_2-3t-tokens_llama",
        "utter-project/EuroLLM-1.7B", "utter-project/EuroLLM-9B", "utter-project/EuroLLM-22B-2512",
        "BSC-LT/salamandra-2b", "BSC-LT/salamandra-7b", "openGPT-X/Teuken-7B-base-v0.6",
        "LumiOpen/Viking-7B", "LumiOpen/Viking-13B", "LumiOpen/Viking-33B", "LumiOpen/Poro-34B",
        "occiglot/occiglot-7b-eu5", "swiss-ai/Apertus-8B-2509", "swiss-ai/Apertus-70B-2509",
        "AI-Sweden-Models/gpt-sw3-20b", "norallm/normistral-7b-warm", "TildeAI/TildeOpen-30b",
        "norallm/normistral-11b-warm", "NorwAI/NorwAI-Mistral-7B", "mistralai/Mistral-7B-v0.3",
        "sapienzanlp/Minerva-7B-base-v1.0", "mistralai/Ministral-8B-Instruct-2410",
    }  # fmt: skip
    assert families <= found
    owners = {model.hub_id.split("/")[0] for model in register.models if not model.eu}
    assert owners == {"meta-llama", "google", "Qwen", "allenai"}
    assert {key for model in register.models for key in model.sources.values()} == set(
        register.sources
    )
    # A commit that no source shows would be an invention.
    for model in register.models:
        if model.revision is not None:
            source = register.sources[model.sources["revision"]]
            assert model.revision in source or "sha" in source


def test_one_line_is_enough_for_a_model_and_the_rest_is_not_known():
    (model,) = check(MODEL).models
    assert (model.params_b, model.languages, model.license, model.gated) == (None,) * 4
    assert (model.revision, model.revision_pinned, model.trust_remote_code) == (None, False, False)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"license": "mit"}, "`license` has no source"),
        ({"sources": {"license": "card"}}, "`license` has a source but no value"),
        ({"revision": COMMIT, "sources": {"revision": "card"}}, "`revision_pinned` must say"),
        ({"revision": "main", "revision_pinned": True}, "revision"),
        ({"languages": ["da", "fi"], "sources": {"languages": "card"}}, "unknown language 'fi'"),
        ({"params_b": -1}, "params_b"),
        ({"hub_id": "../name"}, "hub_id"),
        ({"hub_id": "org/.."}, "hub_id"),
        ({"tuning": "chat"}, "tuning"),
        ({"licence": "mit"}, "unknown key"),
    ],
)
def test_a_bad_line_is_named(change, said):
    with pytest.raises(UserInputError, match=re.escape(said)):
        check(MODEL | change, sources={"card": "a card"})


def test_a_model_twice_and_an_unknown_source_are_named():
    with pytest.raises(UserInputError, match=r"ORG/name stands twice|org/name stands twice"):
        check(MODEL, MODEL | {"hub_id": "ORG/name"})
    with pytest.raises(UserInputError, match="unknown source 'elsewhere'"):
        check(MODEL | {"license": "mit", "sources": {"license": "elsewhere"}})


def test_groups_follow_from_the_sizes():
    register = check(
        *(
            MODEL | {"hub_id": f"org/m{i}", "params_b": size, "eu": eu, "sources": sources}
            for i, (size, eu) in enumerate(
                [(SMALL_B - 0.1, True), (SMALL_B, True), (MEDIUM_B, True), (None, True), (1, False)]
            )
            for sources in [{} if size is None else {"params_b": "card"}]
        ),
        sources={"card": "a card"},
    )
    found = {group: [i.removeprefix("org/m") for i in ids(group, register)] for group in GROUPS}
    assert found == {
        "all": ["0", "1", "2", "3", "4"],
        "eu": ["0", "1", "2", "3"],
        "eu-small": ["0"],
        "eu-medium": ["1"],
        "eu-large": ["2"],
        "reference": ["4"],
    }


def test_ids_short_names_revisions_and_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert (
        ids("eurollm-1.7b") == ids("utter-project/EuroLLM-1.7B") == ["utter-project/EuroLLM-1.7B"]
    )
    (choice,) = choose("EuroLLM-1.7B@refs/pr/5", load_register())
    assert (choice.revision, choice.known.tuning) == ("refs/pr/5", "base")
    (choice,) = choose("someone/else@main", load_register())
    assert (choice.hub_id, choice.revision, choice.known) == ("someone/else", "main", None)
    # A folder that exists is meant, even where a group or an id is called the same.
    (tmp_path / "someone" / "else").mkdir(parents=True)
    (choice,) = choose("someone/else", load_register())
    assert (str(choice.folder), choice.hub_id) == ("someone/else", "")
    assert split_names(["eu-small,org/a", "b c", "b"]) == ["eu-small", "org/a", "b", "c"]


def test_a_folder_is_taken_whole_whatever_its_name(tmp_path):
    for name in ("my model", "one,two"):
        folder = str(tmp_path / name)
        assert len(split_names([folder])) == 2, "nothing there yet: two names"
        (tmp_path / name).mkdir()
        assert split_names([folder]) == [folder]
    assert split_names([f"org/a,{tmp_path}/my model,b c"]) == [
        "org/a", f"{tmp_path}/my model", "b", "c",
    ]  # fmt: skip
    long = [f"org/{'n' * 90}{i}" for i in range(5)]
    assert split_names([",".join(long), ""]) == long


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("eu-smal", "Did you mean eu-small"),
        ("salamandra7b", "Did you mean salamandra-7b"),
        ("mini-2.6b", "Use a group"),
        ("qqqq", "Use a group (all, eu, eu-small"),
        ("../x", "neither a folder nor a model id"),
        ("/etc/nothing", "neither a folder nor a model id"),
        ("org/..", "neither a folder nor a model id"),
        ("org/a/b", "neither a folder nor a model id"),
        ("org\\name", "neither a folder nor a model id"),
        ("org/näme", "neither a folder nor a model id"),
        ("org/" + "n" * 120, "neither a folder nor a model id"),
    ],
)
def test_a_name_that_means_nothing_is_refused(name, said):
    with pytest.raises(UserInputError, match=re.escape(said)):
        choose(name, load_register())


def test_a_short_name_of_two_models_is_refused():
    register = check(MODEL, MODEL | {"hub_id": "other/name"})
    with pytest.raises(UserInputError, match=r"more than one model\. Name one of: org/name, other"):
        choose("name", register)
