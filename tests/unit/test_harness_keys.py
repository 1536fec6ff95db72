"""The run key: an answer is found again exactly when nothing that could change it has changed."""

import shutil
from pathlib import Path

import pytest
import support_harness
from skald_harness.store import keys
from skald_harness.tasks.items import check_items
from skald_harness.tasks.suites import list_tasks
from skald_specs.fingerprint import fingerprint
from skald_specs.records import EvaluatedModel

TASK = next(task for task in list_tasks("core", "da") if task.kind == "cloze")
OTHER = next(task for task in list_tasks("core", "da") if task.kind == "skill")
MODEL = EvaluatedModel(
    name="m", role="baseline", about="", n_params_total=1, weights_sha256="w", tokenizer_sha256="t",
    dtype="float32", scorer="plain",
)  # fmt: skip


@pytest.fixture
def key(tmp_path):
    """A function that makes the key anew; the facts of the machine can be changed before it."""
    items = check_items(TASK, support_harness.write_items(tmp_path / "items", ["da"]))

    def make(model=MODEL, identity="identity", task=TASK, data=items, questions="q"):
        keys.engine.cache_clear()
        return keys.run_key(model, identity, task, data, questions)

    make.items = items
    yield make
    keys.engine.cache_clear()


def test_the_key_holds_everything_that_answers(key, monkeypatch):
    first = key()
    assert key() == first and fingerprint(first.facts) == first.digest
    changed = [
        key(identity="another"),
        key(MODEL.model_copy(update={"dtype": "bfloat16"})),
        key(MODEL.model_copy(update={"chat_template_sha256": "c"})),
        key(task=OTHER),
        key(data=key.items.__class__(key.items.n_items, "other bytes", key.items.chance)),
        key(questions="other few-shot examples"),
    ]
    with monkeypatch.context() as patch:
        patch.setattr(keys, "device_type", lambda: "another")
        changed.append(key())
    real = keys.metadata.version
    for package in keys.ENGINES:
        versions = {name: real(name) for name in keys.ENGINES} | {package: "0"}
        with monkeypatch.context() as patch:
            patch.setattr(keys.metadata, "version", versions.__getitem__)
            changed.append(key())
    for name, value in (("LM_EVAL_VERSION", "0"), ("FEWSHOT_SEED", 5)):
        with monkeypatch.context() as patch:
            patch.setattr(keys, name, value)
            changed.append(key())
    assert {"torch", "transformers", "tokenizers", "numpy"} == set(keys.ENGINES)
    assert len({first.digest, *(other.digest for other in changed)}) == 1 + len(changed) == 14
    assert key() == first


def test_names_do_not_enter(key):
    model = MODEL.model_copy(update={"name": "other", "about": "other", "revision": "main"})
    assert key(model) == key()


def test_the_key_holds_the_code_that_answers_and_no_other(key, tmp_path, monkeypatch):
    package = shutil.copytree(
        Path(keys.__file__).parents[1],
        tmp_path / "package",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    first = key()
    monkeypatch.setattr(keys, "__file__", str(package / "store" / "keys.py"))
    assert key() == first, "where the package lies does not matter"
    digests = {first.digest}
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package).as_posix()
        answers = name.startswith("scoring/") or name in keys.ANSWERING
        path.write_text(path.read_text() + "\n# changed\n")
        digest = key().digest
        assert (digest in digests) is not answers, path
        digests.add(digest)
    assert len(digests) > 6
