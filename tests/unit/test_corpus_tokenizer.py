"""Reserved tokens are set aside and none by default; fertility is what counting by hand gives."""

import gzip
import hashlib
import json

import pytest
from skald_corpus.build import build
from skald_corpus.fertility import measure_fertility
from skald_corpus.tokenizer import train_tokenizer
from skald_specs.corpus import END_OF_TEXT, reserved_token
from skald_specs.errors import UserInputError
from skald_specs.recipe import TokenizerRecipe
from support import REAL_TEXT
from support_corpus import small_recipe, some_text, write_rows

#: SHA-256 of the tokenizer that this text gave before tokens could be reserved.
WITHOUT = "48ee94414749a46f99bd97d3b6ccc87adf9a4fc7152c1e65d0564c2fb508eb2e"


def trained(**rest):
    return train_tokenizer({"da": some_text("da")}, TokenizerRecipe(vocab_size=300, **rest))


def test_none_reserved_gives_the_bytes_of_before():
    assert hashlib.sha256(trained().to_str().encode()).hexdigest() == WITHOUT
    assert trained(reserved_tokens=0).to_str() == trained().to_str()
    assert trained(reserved_tokens=1).to_str() != trained().to_str()
    assert "reserved_tokens" not in TokenizerRecipe(vocab_size=300).model_dump(mode="json")
    some = TokenizerRecipe(vocab_size=300, reserved_tokens=3)
    assert TokenizerRecipe.check(some.model_dump(mode="json"), "again") == some


def test_reserved_tokens_follow_the_end_of_text():
    tokenizer = trained(reserved_tokens=5)
    assert tokenizer.get_vocab_size() == 300
    assert tokenizer.token_to_id(END_OF_TEXT) == 0
    assert [tokenizer.token_to_id(reserved_token(i)) for i in range(5)] == [1, 2, 3, 4, 5]
    assert tokenizer.encode(reserved_token(2)).ids == [3]
    tokenizer.encode_special_tokens = True
    assert 3 not in tokenizer.encode(reserved_token(2)).ids
    text = "der stod en å på bakken"
    assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_text_that_spells_a_reserved_token_is_text(tmp_path):
    texts = [f"{text} {reserved_token(1)}" for text in some_text("da")]
    for split in ("train", "dev"):
        write_rows(tmp_path / "text" / "da" / f"{split}.jsonl", texts)
    recipe = small_recipe(("da",), reserved_tokens=4)
    manifest = build(recipe, tmp_path / "text", tmp_path / "out")
    assert manifest.recipe.tokenizer.reserved_tokens == 4
    from skald_specs.shards import read_tokens

    tokens = read_tokens(tmp_path / "out" / "da.train.ds", manifest.vocab_size)
    assert set(range(1, 5)).isdisjoint(tokens.tolist())


def test_a_vocabulary_without_room_is_refused():
    with pytest.raises(UserInputError, match="has no room for 256 bytes"):
        TokenizerRecipe.check({"vocab_size": 260, "reserved_tokens": 4}, "recipe")


def test_fertility_by_hand():
    tokenizer = trained()
    texts = {"en": ["a b", "c"], "da": ["å b c", "d"]}
    da, en = measure_fertility(tokenizer, texts, parallel=True)
    count = {tag: sum(len(tokenizer.encode(t).ids) for t in some) for tag, some in texts.items()}
    assert (da.language, da.n_texts, da.n_words, da.n_bytes) == ("da", 2, 4, 7)
    assert da.tokens_per_word == count["da"] / 4 and da.bytes_per_token == 7 / count["da"]
    assert da.parity == count["da"] / count["en"] and en.parity == 1
    assert measure_fertility(tokenizer, texts)[0].parity is None


@pytest.mark.parametrize(
    ("texts", "parallel", "message"),
    [
        ({"da": ["a"], "en": ["a", "b"]}, True, "not the same texts"),
        ({"da": ["a"]}, True, "not the same texts"),
        ({"da": [" "]}, False, "language 'da': no word in its 1 texts. Add da text"),
        ({"da": []}, False, "no word in its 0 texts"),
    ],
)
def test_fertility_refuses(texts, parallel, message):
    with pytest.raises(UserInputError, match=message):
        measure_fertility(trained(), texts, parallel)


@pytest.mark.real_text
@pytest.mark.skipif(not REAL_TEXT.is_dir(), reason="no real text at $SKALD_REAL_TEXT")
def test_balanced_sampling_serves_small_languages():
    def read(folder, tag):
        path = next((REAL_TEXT / folder).glob(f"{tag}.jsonl.gz"), REAL_TEXT / folder / tag)
        path = path / "train.jsonl.gz" if path.is_dir() else path
        with gzip.open(path, "rt", encoding="utf-8") as stream:
            return [json.loads(line)["text"] for line in stream]

    tags = ("da", "en", "fo", "is")
    train = {tag: read("ud", tag) for tag in tags}
    held_out = {tag: read("ntrex", tag) for tag in tags}
    rows = {}
    for exponent in (1.0, 0.3):
        recipe = TokenizerRecipe(vocab_size=4096, sampling_exponent=exponent, sample_bytes=400_000)
        tokenizer = train_tokenizer(train, recipe)
        rows[exponent] = {
            row.language: row for row in measure_fertility(tokenizer, held_out, parallel=True)
        }
    assert rows[0.3]["fo"].parity < rows[1.0]["fo"].parity
    assert all(1 < row.tokens_per_word < 4 for some in rows.values() for row in some.values())
