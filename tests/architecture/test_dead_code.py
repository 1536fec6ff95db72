"""Nothing stands in the packages that only its own test calls, or nobody."""

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
