"""Flags on tasks that a control passes: planted leaks are found, fair tasks are left alone."""

import numpy as np
import pytest
from skald_harness.running.flags import flag_lines
from skald_harness.running.table import WIDTH, score_table
from skald_harness.store.flags import LEVEL, control_flags
from skald_specs.controls import BYTE_NGRAM, LONGEST, ORACLE
from skald_specs.records import EvaluatedModel, EvaluationSummary, ItemRecord, TaskInfo

CONTROLS = ("random-init-mini", BYTE_NGRAM, "byte-unigram", LONGEST, "shortest-answer", ORACLE)


def model(name):
    return EvaluatedModel(
        name=name, role="control" if name in CONTROLS else "baseline", about="",
        n_params_total=None, weights_sha256="", tokenizer_sha256="", dtype="", scorer="",
    )  # fmt: skip


def task(name, chance, n_items, kind="pairs", variant=""):
    language = name.rpartition("_")[2]
    family = name.removesuffix(f"_{language}").removesuffix(f"_{variant}") if variant else None
    return TaskInfo(
        name=name, kind=kind, suite="core", language=language, version=1.0, chance=chance,
        n_items=n_items, data_sha256="", metric="acc",
        family=family or name.removesuffix(f"_{language}"), variant=variant,
    )  # fmt: skip


def records(name, info, scores):
    return [
        ItemRecord(
            model=name, task=info.name, kind=info.kind, language=info.language, item_id=str(i),
            key=str(i), group="", score=float(score), n_bytes=10, metrics={"bits": 8.0},
        )
        for i, score in enumerate(scores)
    ]  # fmt: skip


def leaking(n=200, seed=0):
    """Return a task whose right answer is the longer one in seven of ten items."""
    rng = np.random.default_rng(seed)
    info = task("made_pairs_da", 0.5, n)
    items = records(LONGEST, info, rng.random(n) < 0.7)
    items += records("shortest-answer", info, rng.random(n) < 0.3)
    items += records(BYTE_NGRAM, info, rng.random(n) < 0.5)
    items += records(ORACLE, info, np.ones(n))
    items += records("mini", info, np.ones(n))
    return info, items


def test_a_leaking_length_is_flagged_and_nothing_else():
    info, items = leaking()
    flags = control_flags([model(n) for n in ("mini", *CONTROLS)], [info], items)
    assert [(flag.task, flag.control) for flag in flags] == [("made_pairs_da", LONGEST)]
    assert flags[0].score == pytest.approx(0.7, abs=0.1)
    assert flags[0].p_value < 1e-4
    (line,) = flag_lines(flags, [info])
    assert line.startswith(
        f"made_pairs_da: longest-answer {flags[0].score:.2f} against chance 0.50 (p ="
    )
    assert line.endswith("its answers give themselves away by their length")


@pytest.mark.parametrize("chance", [0.25, 0.5])
def test_fair_tasks_are_flagged_as_seldom_as_the_level_says(chance):
    rng, n_suites, n = np.random.default_rng(1), 150, 20
    infos = [task(f"fair_{i}_da", chance, n) for i in range(8)]
    models = [model(name) for name in CONTROLS[:3]]
    flagged = 0
    for _ in range(n_suites):
        items = [
            ItemRecord.model_construct(model=m.name, task=info.name, score=float(right))
            for info in infos
            for m in models
            for right in rng.random(n) < chance
        ]
        flagged += bool(control_flags(models, infos, items))
    # Four standard errors above the level; 24 tests at that level without a correction are far above.
    assert flagged / n_suites <= LEVEL + 4 * (LEVEL / n_suites) ** 0.5


def test_the_correction_grows_with_the_suite():
    n = 100
    hit = task("hit_da", 0.5, n)
    items = records(LONGEST, hit, np.arange(n) < 63)
    assert control_flags([model(LONGEST)], [hit], items)
    others = [task(f"other_{i}_da", 0.5, n) for i in range(9)]
    for info in others:
        items += records(LONGEST, info, np.arange(n) < 50)
    assert not control_flags([model(LONGEST)], [hit, *others], items)


def test_an_oracle_below_one_is_flagged_whatever_the_chance():
    n = 50
    info = task("odd_cloze_da", 0.25, n, "cloze")
    right = records(ORACLE, info, np.ones(n))
    assert control_flags([model(ORACLE)], [info], right) == ()
    wrong = [right[0].model_copy(update={"score": 0.0}), *right[1:]]
    flags = control_flags([model(ORACLE)], [info], wrong)
    assert flags[0].score == 0.98
    assert flag_lines(flags, [info]) == [
        "odd_cloze_da: oracle 0.98 instead of 1: the right answer does not always win"
    ]


def test_tasks_without_chance_and_models_that_are_no_controls_are_not_judged():
    text, pairs = task("t_text_da", None, 9, "text"), task("t_pairs_da", 0.5, 99)
    items = records(BYTE_NGRAM, text, np.ones(9)) + records("mini", pairs, np.ones(99))
    assert control_flags([model(BYTE_NGRAM), model("mini")], [text, pairs], items) == ()


def test_languages_of_one_family_share_a_line():
    infos = [task(f"made_pairs_{tag}", 0.5, 80) for tag in ("da", "de", "sv")]
    items = [r for info in infos[:2] for r in records(BYTE_NGRAM, info, np.arange(80) < 70)]
    items += records(BYTE_NGRAM, infos[2], np.arange(80) < 40)
    flags = control_flags([model(BYTE_NGRAM)], infos, items)
    (line,) = flag_lines(flags, infos)
    assert line.startswith("made_pairs in da, de: byte-ngram 0.88 against chance 0.50 (p <=")
    assert line.endswith("counting bytes is enough")


def test_the_table_rules_controls_off_and_shows_wordings_as_mean_and_range():
    infos = [task(f"made_choice_{v}_da", 0.25, 4, "choice", v) for v in ("v1", "v2")]
    infos.append(task("made_text_da", None, 2, "text"))
    models = [model(name) for name in ("mini", BYTE_NGRAM, ORACLE)]
    items = records("mini", infos[0], [1, 1, 1, 0]) + records("mini", infos[1], [1, 0, 0, 0])
    for info in infos[:2]:
        items += records(ORACLE, info, [1, 1, 1, 0])
    items += records("mini", infos[2], [0.8, 0.8]) + records(BYTE_NGRAM, infos[2], [0.8, 0.8])
    flags = control_flags(models, infos, items)
    summary = EvaluationSummary(
        schema_version=1, suite="core", models=tuple(models), tasks=tuple(infos),
        lm_eval_version="", fewshot_seed=0, flags=flags,
    )  # fmt: skip
    about, table, said = score_table(summary, items).split("\n\n")
    assert about.split("\n") == [
        "made_choice: acc, chance 0.25, da, 4 items, mean [smallest, largest] of 2 wordings",
        "made_text: bits per byte (less is better), da, 2 items",
    ]
    head, mini, rule, ngram, oracle = table.split("\n")
    assert head.split() == ["made_choice", "made_text"]
    assert mini.split() == ["mini", "0.500", "[0.250,", "0.750]", "0.800"]
    assert set(rule) == {"-"}
    assert ngram.split() == [BYTE_NGRAM, "-", "0.800"]
    assert oracle.split() == [ORACLE, "0.750", "[0.750,", "0.750]", "-"]
    assert said.count("oracle 0.75 instead of 1") == 2


def test_the_table_is_short_for_many_languages_and_says_what_a_mean_leaves_out():
    tags = ("da", "de", "en", "fo", "is", "nb", "nl", "sv")
    infos = [task(f"skald_core_family{i}_{tag}", 0.5, 4 + i) for i in range(9) for tag in tags]
    names = ("mini", *CONTROLS)
    right = {"da": [1, 1, 0, 0], "de": [1, 1, 1, 1]}
    items = [r for n in names for i in infos for r in records(n, i, right.get(i.language, [0]))]
    items = [r for r in items if r.model != BYTE_NGRAM or r.language != "sv"]
    summary = EvaluationSummary(
        schema_version=1, suite="core", models=tuple(map(model, names)), tasks=tuple(infos),
        lm_eval_version="", fewshot_seed=0, flags=(),
    )  # fmt: skip
    lines = score_table(summary, items).split("\n")
    assert len(lines) <= 60 and max(map(len, lines)) <= WIDTH
    assert lines[1] == "family1: acc, chance 0.50, mean over 8 languages, 5 items each"
    rows = [line.split() for line in lines]
    found = {n: [cell for row in rows if row[:1] == [n] for cell in row[1:]] for n in names}
    assert found["mini"] == ["0.188"] * 9
    assert found[BYTE_NGRAM] == ["0.214*"] * 9
    assert lines[-1] == "* not asked in every language"
    items = [r for r in items if r.language != "sv"]
    fewer = summary.model_copy(update={"tasks": tuple(i for i in infos if i.language != "sv")})
    assert "*" not in score_table(fewer, items)
