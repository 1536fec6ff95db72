"""Resuming: what is stored is not asked again, what is not stored is, and the bytes are the same."""

import json
import shutil

import pytest
import support_harness
from skald_harness.adapter.network import TrieLM
from skald_harness.scoring.byte_counts import BytesAnswerer
from skald_harness.scoring.rules import RuleAnswerer
from skald_specs.files import read_json, write_json
from skald_specs.records import RequestRecord
from support_harness import CORE_KINDS, N_ANSWERS, N_CHOICES, N_TASKS, evaluate_core

ANSWERERS = (TrieLM, BytesAnswerer, RuleAnswerer)
#: Networks and byte counts, and the rules, which take no documents.
N_MODELS, N_RULES = 6, 3
#: Answers of all models.
N_ALL = N_MODELS * N_ANSWERS + N_RULES * N_CHOICES


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Inputs, and one finished evaluation of them; tests that change something copy it."""
    root = support_harness.write_inputs(tmp_path_factory.mktemp("made"))
    evaluate_core(root)
    return root


@pytest.fixture
def copy(made, tmp_path):
    return shutil.copytree(made, tmp_path / "copy")


@pytest.fixture
def asked(monkeypatch):
    """The number of questions in each chunk that anybody is asked."""
    sizes = []
    for kind in ANSWERERS:

        def counting(self, questions, real=kind.answer):
            sizes.append(len(questions))
            return real(self, questions)

        monkeypatch.setattr(kind, "answer", counting)
    return sizes


def rows(root, model):
    return support_harness.read_rows(root / "out" / "core" / "requests" / f"{model}.jsonl")


def requests(root, model):
    return [RequestRecord.model_validate(row) for row in rows(root, model)]


def stored(root, kind, model="base-a"):
    """Return the file with a model's answers to the Danish task of a kind."""
    (key,) = {row["run_key"] for row in rows(root, model) if f"_{kind}_dan" in row["task"]}
    return root / "out-store" / key / "rank-0.jsonl"


def n_lines(root):
    return sum(
        path.read_bytes().count(b"\n") for path in (root / "out-store").rglob("rank-*.jsonl")
    )


def results(root):
    return support_harness.folder_sha256(root / "out")


def test_a_rerun_asks_nothing_and_a_fresh_run_writes_the_same_bytes(copy, capfd, asked):
    before = results(copy)
    assert n_lines(copy) == N_ALL
    # DVC deletes an output before it runs its command.
    shutil.rmtree(copy / "out")
    evaluate_core(copy)
    captured = capfd.readouterr()
    line = f": {N_TASKS} tasks, {N_ANSWERS} answers, {N_ANSWERS} of them from the store\n"
    assert captured.err.count(line) == N_MODELS and not asked
    assert "text: bits per byte (less is better), mean over 2 languages" in captured.out
    assert results(copy) == before
    shutil.rmtree(copy / "out")
    shutil.rmtree(copy / "out-store")
    evaluate_core(copy)
    assert capfd.readouterr().err.count(f"{N_ANSWERS} answers, 0 of them") == N_MODELS
    assert sum(asked) == N_ALL
    assert results(copy) == before


@pytest.mark.parametrize("stop", [1, 23, 70, 100])
def test_an_interrupted_evaluation_loses_the_chunk_it_was_at(copy, monkeypatch, asked, stop):
    before = results(copy)
    shutil.rmtree(copy / "out")
    shutil.rmtree(copy / "out-store")
    with monkeypatch.context() as patch:
        for kind in ANSWERERS:

            def interrupted(self, questions, counted=kind.answer):
                if len(asked) == stop:
                    raise KeyboardInterrupt
                return counted(self, questions)

            patch.setattr(kind, "answer", interrupted)
        with pytest.raises(KeyboardInterrupt):
            evaluate_core(copy)
    assert n_lines(copy) == sum(asked) > 0
    assert not any((copy / "out").iterdir())
    evaluate_core(copy)
    assert sum(asked) == N_ALL == n_lines(copy), "something was asked twice"
    assert results(copy) == before


def test_a_damaged_line_is_named_and_only_its_answer_added(copy, capfd):
    before = results(copy)
    path = stored(copy, "cloze")
    lines = path.read_bytes().split(b"\n")
    lines[4] = lines[4].replace(b"logprob_nats", b"logprob_mats")
    path.write_bytes(b"\n".join(lines))
    evaluate_core(copy)
    err = capfd.readouterr().err
    assert err.count(": damaged;") == 1
    assert f"{path}:5: damaged; what it answered is asked again\n" in err
    assert (
        f"base-a: {N_TASKS} tasks, {N_ANSWERS} answers, {N_ANSWERS - 1} of them from the store"
        in err
    )
    assert results(copy) == before
    assert n_lines(copy) == N_ALL + 1
    evaluate_core(copy)
    assert ": damaged;" not in capfd.readouterr().err, "what was mended is said again"
    assert results(copy) == before


def test_a_chunk_that_is_partly_known_is_asked_whole_and_written_in_part(copy, asked):
    before = results(copy)
    path = stored(copy, "pairs")
    lines = path.read_bytes().splitlines(keepends=True)
    # Torn in the middle of a line, as a kill may leave it.
    path.write_bytes(b"".join(lines[:10]) + lines[10][:30])
    evaluate_core(copy)
    assert asked == [24], "the whole chunk, so that every answer has the same bits"
    assert results(copy) == before
    again = path.read_bytes().splitlines(keepends=True)
    assert again[:10] == lines[:10]
    kept = [[json.loads(line)["record"] for line in part] for part in (again, lines)]
    assert len(again) == len(lines) and all(record in kept[1] for record in kept[0])


def test_a_model_never_gets_the_answers_of_another_of_the_same_name(copy):
    earlier = requests(copy, "base-a")
    support_harness.write_export(copy / "exports" / "base-a", seed=9)
    evaluate_core(copy)
    later = requests(copy, "base-a")
    assert not {r.run_key for r in earlier} & {r.run_key for r in later}
    assert [r.continuation for r in earlier] == [r.continuation for r in later]
    assert all(a.logprob_nats != b.logprob_nats for a, b in zip(earlier, later, strict=True))


def test_a_renamed_model_keeps_its_answers(copy, asked):
    (copy / "exports" / "base-b").rename(copy / "exports" / "other-name")
    evaluate_core(copy, ("base-a", "other-name"))
    assert not asked


def test_changed_items_are_asked_again_and_only_they(copy, asked):
    path = copy / "items" / "pairs" / "da.jsonl"
    changed = support_harness.read_rows(path)
    changed[0]["bad"] += "!"
    path.write_text("".join(json.dumps(row) + "\n" for row in changed))
    evaluate_core(copy)
    assert asked == [24] * (N_MODELS + N_RULES)


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_a_change_beside_the_weights_is_asked_again(copy, capfd, file):
    path = copy / "exports" / "base-a" / file
    write_json(path, read_json(path) | {"any_other_setting": 1})
    evaluate_core(copy)
    assert f"\nbase-a: {N_TASKS} tasks, {N_ANSWERS} answers, 0 of" in "\n" + capfd.readouterr().err


def test_a_control_may_leave_kinds_out(copy):
    evaluate_core(copy)
    kinds = {row["task"].split("_")[2] for row in rows(copy, "longest-answer")}
    assert kinds == set(CORE_KINDS) - {"text"}
    assert "text" in {row["task"].split("_")[2] for row in rows(copy, "base-a")}
