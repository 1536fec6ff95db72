"""Golden prompts: ours hold, and whatever changes a prompt needs a new version and somebody's yes."""

import json
import shutil

import pytest
from skald_cli import places
from skald_cli.main import main
from skald_harness.running.prompts import GOLDEN, check_prompts
from skald_harness.tasks.listing import COLUMNS, listed, table
from skald_harness.tasks.suites import EVALS, REGISTER, list_tasks
from skald_specs.files import read_json, write_json
from support_harness import write_items

#: Enough of a suite to change: one kind with items of its own, one of a user's.
KEPT = ("pairs_dan_Latn", "cloze_dan_Latn")


@pytest.fixture
def evals(tmp_path):
    """Two tasks of `core` and two of `ud`, with accepted prompts; the items lie in `items`."""
    for suite, names in (("core", KEPT), ("ud", ("swap_dan_Latn", "ntrex_dan_Latn"))):
        folder = tmp_path / "evals" / suite
        folder.mkdir(parents=True)
        for path in (EVALS / suite).glob("*"):
            if path.is_file() and (path.name[0] == "_" or path.stem in (*names, "utils")):
                shutil.copy(path, folder)
    shutil.copy(EVALS / REGISTER, tmp_path / "evals")
    write_items(tmp_path / "items", n=4)
    done = check(tmp_path, accept=True)
    assert not done.problems and len(done.notes) == 4
    return tmp_path / "evals"


def check(root, accept=False):
    return check_prompts(root / "items", root / "evals", accept=accept)


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_our_own_tasks_ask_what_was_accepted(tmp_path):
    # Without items too: toy items show every template.
    done = check_prompts(tmp_path / "nothing")
    assert done.problems == ()
    assert done.notes[0].startswith("72 tasks of suite core were checked on toy items alone")
    assert len(done.notes) == 1, "a user's text is never the repository's"
    for suite in ("core", "ud"):
        golden = read_json(EVALS / suite / GOLDEN)
        assert golden.keys() == {task.name for task in list_tasks(suite)}
        assert all(("items" in row) == (suite == "core") for row in golden.values())


@pytest.mark.skipif(not places.ITEMS.is_dir(), reason="no data/items: run `nox -s data`")
def test_our_own_items_are_those_that_were_accepted():
    assert check_prompts(places.ITEMS) == check_prompts(places.ITEMS, accept=True)
    assert check_prompts(places.ITEMS).problems == ()


def test_a_changed_prompt_needs_a_version_and_then_somebodys_yes(evals):
    root, template = evals.parent, evals / "core" / "_cloze_yaml"
    assert check(root).problems == check(root).notes == ()
    edit(template, "doc_to_text: context", 'doc_to_text: "Q: {{context}}"')
    said = (
        "skald_core_cloze_dan_Latn: prompts or right answers changed: raise metadata.version (1.0 -> 1.1), then "
        "`skald evals check --accept`",
    )
    before = (evals / "core" / GOLDEN).read_bytes()
    assert check(root).problems == said
    # Accepting is no way around the version.
    assert check(root, accept=True).problems == said
    assert (evals / "core" / GOLDEN).read_bytes() == before
    edit(template, "version: 1.0", "version: 1.1")
    (problem,) = check(root).problems
    assert "version 1.1 is not accepted yet, but 1.0. Run `skald evals check --accept`" in problem
    accepted = check(root, accept=True)
    assert accepted.problems == () and accepted.notes == (
        "skald_core_cloze_dan_Latn: accepted, version 1.0 -> 1.1",
    )
    assert check(root).problems == ()
    edit(template, "version: 1.1", "version: 1.0")
    assert "version 1.0 is below the accepted 1.1" in check(root, accept=True).problems[0]


@pytest.mark.parametrize(
    ("name", "old", "new", "tasks"),
    [
        ("core/utils.py", "if second else", "if not second else", ["core_pairs"]),
        ("core/_pairs_yaml", 'target_delimiter: ""', 'target_delimiter: " "', ["core_pairs"]),
        ("ud/utils.py", '"text": row["text"]', '"text": row["text"].strip()', ["ud_ntrex"]),
        ("ud/_swap_yaml", "doc_to_text: context", "doc_to_text: key", ["ud_swap"]),
    ],
)
def test_code_delimiters_and_templates_all_count(evals, name, old, new, tasks):
    edit(evals / name, old, new)
    changed = [problem.split(":")[0] for problem in check(evals.parent).problems]
    assert changed == [f"skald_{task}_dan_Latn" for task in tasks]


def test_a_comment_or_a_metric_changes_no_prompt(evals):
    edit(evals / "core" / "_pairs_yaml", "# Minimal pairs.", "# Pairs.")
    edit(evals / "core" / "utils.py", '"""Items of', '"""The items of')
    assert check(evals.parent).problems == ()


def test_other_items_under_the_same_version_are_told(evals):
    path = evals.parent / "items" / "pairs" / "da.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(row | {"good": row["good"] + "!"}) + "\n" for row in rows))
    (problem,) = check(evals.parent).problems
    assert "skald_core_pairs_dan_Latn: its items changed: raise" in problem
    shutil.rmtree(evals.parent / "items")
    done = check(evals.parent)
    assert done.problems == () and "2 tasks of suite core were checked on toy" in done.notes[0]
    edit(evals / "core" / "_pairs_yaml", "version: 1.0", "version: 1.1")
    (problem,) = check(evals.parent, accept=True).problems
    assert "its items are not there to accept" in problem


def test_one_flipped_right_answer_and_a_changed_last_item_are_told(evals):
    root = evals.parent
    path = root / "items" / "cloze" / "da.jsonl"
    before = path.read_text()
    rows = [json.loads(line) for line in before.splitlines()]
    last = rows[-1]
    for changed in (last | {"answer": 1}, last | {"context": last["context"] + " nu"}):
        path.write_text("".join(json.dumps(row) + "\n" for row in [*rows[:-1], changed]))
        (problem,) = check(root).problems
        assert "skald_core_cloze_dan_Latn: its items changed: raise" in problem
        assert check(root, accept=True).problems == (problem,)
    # The file's spelling is not what is asked.
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert path.read_text() != before and check(root).problems == ()


def test_other_right_answers_are_told_on_toy_items_too(evals):
    shutil.rmtree(evals.parent / "items")
    edit(evals / "core" / "utils.py", '"gold": second,', '"gold": 1 - second,')
    edit(evals / "core" / "utils.py", '"gold": row["answer"],', '"gold": 0,')
    told = check(evals.parent).problems
    assert [line.split(":")[0] for line in told] == [
        "skald_core_cloze_dan_Latn", "skald_core_pairs_dan_Latn",
    ]  # fmt: skip
    assert all("prompts or right answers changed" in line for line in told)


def test_new_gone_and_broken_tasks_are_told_each_by_name(evals):
    root, golden = evals.parent, evals / "ud" / GOLDEN
    shutil.copy(EVALS / "ud" / "swap_fao_Latn.yaml", evals / "ud")
    (evals / "ud" / "ntrex_dan_Latn.yaml").unlink()
    edit(evals / "core" / "_cloze_yaml", "doc_to_choice: choices", "doc_to_choice: nowhere")
    lines = check(root).problems
    assert any(line.startswith("skald_ud_swap_fao_Latn: not in golden.json. Run") for line in lines)
    assert any(line.startswith("skald_ud_ntrex_dan_Latn: in ") for line in lines)
    broken = [line for line in lines if "cloze" in line]
    assert "skald_core_cloze_dan_Latn: cannot be rendered (" in broken[0]
    assert all("\n" not in line for line in lines)
    done = check(root, accept=True)
    assert read_json(golden).keys() == {"skald_ud_swap_dan_Latn", "skald_ud_swap_fao_Latn"}
    assert all("cloze" in problem for problem in done.problems)
    # What could not be rendered keeps its golden prompts.
    assert "skald_core_cloze_dan_Latn" in read_json(evals / "core" / GOLDEN)


def test_the_commands_print_a_table_and_an_exit_code(evals, monkeypatch, capsys):
    rows = listed("core", None, evals.parent / "items", evals)
    assert rows[0] == ("skald_core_cloze_dan_Latn", "core", "da", "cloze", "acc", "0.25", "1.0", "")
    assert listed("core", None, evals, evals)[0][5] == "-"
    lines = table(rows).splitlines()
    assert (
        lines[0].split() == list(COLUMNS) and len({line.index("core  ") for line in lines[1:]}) == 1
    )
    assert main(["evals", "list", "--suite", "ud", "--lang", "is"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 5 and shown[1].split()[:4] == ["skald_ud_delete_isl_Latn", "ud", "is", "pairs"]  # fmt: skip
    assert main(["evals", "list", "--language", "xx"]) == 2
    golden = read_json(evals / "ud" / GOLDEN)
    write_json(evals / "ud" / GOLDEN, golden | {"skald_ud_swap_dan_Latn": golden["skald_ud_swap_dan_Latn"] | {"toy": "0"}})  # fmt: skip
    from skald_harness.running import prompts
    from skald_harness.tasks import suites

    monkeypatch.setattr(suites.check_suites, "__defaults__", (evals,))
    monkeypatch.setattr(prompts.check_prompts, "__defaults__", (evals, False))
    assert main(["evals", "check"]) == 1
    assert "prompts or right answers changed: raise metadata.version" in capsys.readouterr().out
    edit(evals / "ud" / "_swap_yaml", "kind: pairs", "kind: essay")
    assert main(["evals", "check"]) == 2
    assert "prompts were not looked at" in capsys.readouterr().out
