"""What the tests of the harness share: tiny exports, items, and a corpus, all made here."""

import hashlib
import json
import random
from pathlib import Path

import numpy as np
from skald_specs.corpus import END_OF_TEXT, CorpusManifest, ShardInfo
from skald_specs.files import sha256_file, write_json, write_jsonl
from skald_specs.recipe import CorpusRecipe, TokenizerRecipe
from skald_specs.shards import write_shard

#: The kinds of task in the suite `core`.
CORE_KINDS = (
    "pairs", "cloze", "text", "transfer", "skill", "canary", "number", "calendar", "copy",
)  # fmt: skip
#: Those whose items are pairs.
PAIR_KINDS = ("pairs", "number")
#: Questions to one item of each kind that `write_items` writes.
N_QUESTIONS = {kind: 2 if kind in PAIR_KINDS else 1 if kind == "text" else 4 for kind in CORE_KINDS}
#: Tasks and answers of one model over `write_inputs`, and answers of a rule, which takes no documents.
N_TASKS = 2 * len(CORE_KINDS)
N_ANSWERS = 2 * 12 * sum(N_QUESTIONS.values())
N_CHOICES = N_ANSWERS - 2 * 12
NOUNS = {
    "da": ("katten", "hunden", "fisken", "fuglen", "pigen", "drengen"),
    "de": ("die Katze", "der Hund", "der Fisch", "der Vogel", "die Frau", "der Mann"),
}
VERBS = {"da": ("ser", "finder", "følger", "hører"), "de": ("sieht", "findet", "fängt", "hört")}
PLACES = {"da": ("i skoven", "på broen", "ved søen"), "de": ("im Wald", "auf der Brücke", "am See")}


def sentence(rng: random.Random, language: str) -> str:
    noun, verb, place = (rng.choice(x[language]) for x in (NOUNS, VERBS, PLACES))
    return f"{noun[0].upper()}{noun[1:]} {verb} {rng.choice(NOUNS[language])} {place}."


def document(rng: random.Random, language: str, n_sentences: int) -> str:
    return " ".join(sentence(rng, language) for _ in range(n_sentences))


def write_items(folder: Path, languages=("da", "de"), n: int = 12) -> Path:
    """Write core items: pairs with two words exchanged, cloze with the verb's place, documents."""
    for language in languages:
        rng = random.Random(f"items {language}")
        pairs, cloze, text = [], [], []
        for i in range(n):
            good = sentence(rng, language)
            words = good.split()
            words[0], words[1] = words[1], words[0]
            base = {"id": f"{language}-{i:03}", "key": f"key-{i % 5}"}
            bad = " ".join(words)
            pairs.append(base | {"phenomenon": "order", "good": good, "bad": bad})
            cloze.append(
                base
                | {
                    "context": " ".join(good.split()[:-1]),
                    "choices": [" " + good.split()[-1], " xqz", " wvk", " jjj"],
                    "answer": 0,
                }
            )
            text.append(base | {"text": document(rng, language, 3 + i)})
        for kind in CORE_KINDS:
            rows = pairs if kind in PAIR_KINDS else text if kind == "text" else cloze
            write_jsonl(folder / kind / f"{language}.jsonl", rows)
    return folder


def write_tokenizer(path: Path, languages=("da", "de"), vocab_size: int = 320) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    rng = random.Random("tokenizer")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    texts = [document(rng, language, 5) for language in languages for _ in range(40)]
    tokenizer.train_from_iterator(texts, trainer)
    path.parent.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(path))


def with_begin_token(tokenizer):
    """Let a tokenizer put its begin-of-text token before every text, as Llama's does."""
    from tokenizers.processors import TemplateProcessing

    token, number = tokenizer.bos_token, tokenizer.bos_token_id
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{token} $A", pair=f"{token} $A $B", special_tokens=[(token, number)]
    )
    return tokenizer


def write_export(
    folder: Path,
    seed: int = 1,
    d_model: int = 32,
    n_layers: int = 2,
    vocab_size: int = 320,
    seq_len: int = 64,
    languages=("da", "de"),
) -> Path:
    """Write an export whose weights are large enough that every position has a clear argmax."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=d_model,
        intermediate_size=2 * d_model,
        num_hidden_layers=n_layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=seq_len,
        bos_token_id=0,
        eos_token_id=0,
        initializer_range=0.1,
        tie_word_embeddings=False,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    write_tokenizer(folder / "tokenizer.json", languages, min(vocab_size, 320))
    facts = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": END_OF_TEXT,
        "eos_token": END_OF_TEXT,
        "model_max_length": seq_len,
        "clean_up_tokenization_spaces": False,
    }
    write_json(folder / "tokenizer_config.json", facts)
    return folder


def write_corpus(folder: Path, texts: dict[str, list[str]] | None = None) -> Path:
    """Write a built corpus with a train shard per language."""
    from tokenizers import Tokenizer

    if texts is None:
        rng = random.Random("train")
        texts = {tag: [document(rng, tag, 6) for _ in range(60)] for tag in ("da", "de")}
    write_tokenizer(folder / "tokenizer.json")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    size, shards = tokenizer.get_vocab_size(), []
    for tag, documents in texts.items():
        path = folder / f"{tag}.train.ds"
        ids = [np.array([*tokenizer.encode(text).ids, 0]) for text in documents]
        shards.append(
            ShardInfo(
                language=tag,
                split="train",
                path=path.name,
                n_documents=len(documents),
                n_tokens=write_shard(path, ids, size),
                n_bytes=sum(len(text.encode()) for text in documents),
                sha256=sha256_file(path),
            )
        )
    manifest = CorpusManifest(
        schema_version=1,
        recipe=CorpusRecipe(
            source="made here",
            languages=tuple(texts),
            tokenizer=TokenizerRecipe(vocab_size=size),
        ),
        vocab_size=size,
        tokenizer_sha256=sha256_file(folder / "tokenizer.json"),
        shards=tuple(shards),
    )
    write_json(folder / "corpus.json", manifest.model_dump(mode="json"))
    return folder


def write_inputs(root: Path) -> Path:
    """Write two tiny exports, `base-a` and `base-b`, with a corpus and core items in two languages."""
    write_items(root / "items")
    write_corpus(root / "corpus")
    write_export(root / "exports" / "base-a", seed=1)
    write_export(root / "exports" / "base-b", seed=2, d_model=16)
    return root


def evaluate_core(
    root: Path, names=("base-a", "base-b"), suite="core", languages=None, items: Path | None = None
):
    """Evaluate exports of `write_inputs` into `out`."""
    from skald_harness.running.evaluate import evaluate

    exports = [root / "exports" / name for name in names]
    return evaluate(
        exports, [suite], root / "out", items or root / "items", root / "corpus", languages
    )


def folder_sha256(folder: Path) -> str:
    """Hash every file of a folder with its name."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return digest.hexdigest()


def read_rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
