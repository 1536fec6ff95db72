"""Nothing stands in the packages that only its own test calls, or nobody."""

import ast
from pathlib import Path

from support import ROOT
from vulture import Vulture

WHERE = [ROOT / "benchmarks", ROOT / "noxfile.py", *sorted(ROOT.glob("packages/*/src"))]
#: Called by name from outside: by nox and pytest, by libraries whose classes ours subclass (nanotron,
#: transformers, datatrove, libcst, the HTML parser, io), and by templates.
CALLED_BY_OTHERS = [
    *("wheelhouse", "reproduce", "prove", "bench", "own_text", "scrolls"),
    *("init_model_randomly", "get_embeddings_lm_head_tied_names", "tie_custom_params"),
    *("get_block_compute_costs", "pre_init", "_load_model_checkpoint", "setup_log_writers"),
    *("pre_training", "train_step_logs", "get_seq_length", "launch_merge_stats"),
    *("on_step_begin", "on_log", "handle_starttag", "handle_startendtag", "handle_endtag"),
    *("handle_data", "on_visit", "on_leave", "pytest_runtestloop", "readinto"),
]


def unused(paths: list[Path]) -> list[str]:
    """Return functions, classes, methods and properties that no code of these paths names."""
    eye = Vulture(
        ignore_names=CALLED_BY_OTHERS,
        ignore_decorators=["@model_validator*", "@field_validator*", "@nox.session*"],
    )
    eye.scavenge(list(map(str, paths)))
    kinds = {"function", "class", "method", "property"}
    return [f"{item.filename}: {item.name}" for item in eye.get_unused_code() if item.typ in kinds]


def test_nothing_is_dead() -> None:
    assert unused(WHERE) == []


def test_what_is_dead_is_noticed(tmp_path: Path) -> None:
    code = "def called():\n    return 1\n\n\ndef forgotten():\n    return called()\n"
    (tmp_path / "some.py").write_text(code, encoding="utf-8")
    assert unused([tmp_path]) == [f"{tmp_path / 'some.py'}: forgotten"]


def assigned_twice(code: str) -> list[str]:
    """Return the names that a module's own lines assign more than once: the first value is lost."""
    names = [
        target.id
        for node in ast.parse(code).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    ]
    return sorted({name for name in names if names.count(name) > 1})


def test_no_module_assigns_a_name_twice() -> None:
    modules = [
        path for where in WHERE for path in ([where] if where.is_file() else where.rglob("*.py"))
    ]
    found = {path: assigned_twice(path.read_text(encoding="utf-8")) for path in modules}
    assert {path: names for path, names in found.items() if names} == {}
    assert assigned_twice("A = 1\nB = 2\nA = 3\n") == ["A"]
