"""Made-up data sets with the columns of public ones, to be served by the small Hub of the tests."""

import random
from pathlib import Path

import support_harness
from skald_specs.files import write_json, write_jsonl, write_text
from support_hub import Hub

N_ITEMS = 6
PASSAGES = 3


def publish(hub: Hub, root: Path, repo_id: str, rows: dict[tuple[str, str], list[dict]]) -> str:
    """Publish rows by configuration and split as a data set of JSON lines."""
    folder = root / repo_id
    configs: dict[str, list[str]] = {}
    for (config, split), mine in rows.items():
        write_jsonl(folder / "data" / f"{config}-{split}.jsonl", mine)
        configs.setdefault(config, []).append(
            f"  - split: {split}\n    path: data/{config}-{split}.jsonl\n"
        )
    card = "".join(
        f"- config_name: {config}\n  data_files:\n{''.join(splits)}"
        for config, splits in configs.items()
    )
    write_text(folder / "README.md", f"---\nconfigs:\n{card}---\n")
    return hub.publish(repo_id, folder, "dataset")


def publish_all(hub: Hub, root: Path) -> None:
    """Publish what the tests evaluate."""
    belebele = {(code, "test"): questions(code) for code in ("dan_Latn", "nob_Latn")}
    publish(hub, root, "facebook/belebele", belebele)
    publish(hub, root, "jumelet/multiblimp", {("fao", "train"): pairs()})
    for name, n in (("nonparallel", 2), ("parallel", 4)):
        completed = {("fao_latn", "test"): completions(n)}
        publish(hub, root, f"mrlbenchmarks/global-piqa-{name}", completed)
    judged = {("is", split): judgements(split) for split in ("dev", "test")}
    publish(hub, root, "Geralt-Targaryen/MELA", judged)
    topics = {("afr_Latn", split): sentences(split) for split in ("validation", "test")}
    publish(hub, root, "Davlan/sib200", topics)
    publish(hub, root, "Sprakbanken/Norwegian_idioms", {("default", "test"): idioms()})


def questions(code: str) -> list[dict]:
    rng = random.Random(code)
    rows = []
    for i in range(N_ITEMS):
        passage = i % PASSAGES
        answers = {f"mc_answer{k + 1}": rng.choice(support_harness.NOUNS["da"]) for k in range(4)}
        rows.append(
            {
                "link": f"https://example.org/{passage}",
                "question_number": 1 + i // PASSAGES,
                "flores_passage": support_harness.document(random.Random(passage), "da", 2),
                "question": f"Hvad {rng.choice(support_harness.VERBS['da'])} den?",
                **answers,
                "correct_answer_num": str(1 + i % 4),
                "dialect": code,
            }
        )
    return rows


def pairs() -> list[dict]:
    rng = random.Random("pairs")
    rows = []
    for _ in range(N_ITEMS):
        good = support_harness.sentence(rng, "da")
        rows.append({"sen": good, "wrong_sen": " ".join(reversed(good.split()))})
    return rows


def completions(n_choices: int) -> list[dict]:
    rng = random.Random(f"completions {n_choices}")
    return [
        {
            "prompt": support_harness.sentence(rng, "da"),
            **{f"solution{k}": support_harness.sentence(rng, "da") for k in range(n_choices)},
            "label": i % n_choices,
        }
        for i in range(N_ITEMS)
    ]


def judgements(split: str) -> list[dict]:
    rng = random.Random(split)
    return [
        {"sentence": support_harness.sentence(rng, "da"), "label": i % 2} for i in range(N_ITEMS)
    ]


def sentences(split: str) -> list[dict]:
    rng = random.Random(f"topics {split}")
    return [
        {"text": support_harness.sentence(rng, "da"), "category": rng.choice(("travel", "sports"))}
        for _ in range(N_ITEMS)
    ]


def idioms() -> list[dict]:
    rng = random.Random("idioms")
    return [
        {
            "idiom_start": " ".join(support_harness.sentence(rng, "da").split()[:-1]),
            "completion": "skoven",
            "accepted_completions": ["skoven", "broen"],
            "language": ("nno", "nob")[i % 2],
        }
        for i in range(2 * N_ITEMS)
    ]


def write_instruct(folder: Path, **shape: int) -> Path:
    """Write a model folder whose tokenizer has a chat template."""
    from skald_specs.files import read_json

    support_harness.write_export(folder, seed=3, **shape)
    facts = read_json(folder / "tokenizer_config.json")
    template = (
        "{% for message in messages %}[{{ message.role }}] {{ message.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}[assistant] {% endif %}"
    )
    write_json(folder / "tokenizer_config.json", facts | {"chat_template": template})
    return folder
