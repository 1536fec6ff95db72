"""docs/claims.md is what its generator makes of docs/claims.json, and each row one that a script can measure."""

import ast
import json
import re
from pathlib import Path

import _claims
import pytest
from _claims import DATA, PAGE, SCRIPTS, STATIONS, Claim, anchor, gathered, read, scripts
from _claims_page import number, page
from skald_process.circumstances import circumstances
from skald_specs.claims import Measure
from support import ROOT

#: A text shorter than this could be part of any name.
LEAST_LETTERS = 4


def measure(name, holds=True, **more):
    row = {"measure": name, "value": 1.0, "unit": "", "bound": "<= 2", "holds": holds}
    return Measure(**{**row, **more})


def claim(*measures, name="data"):
    return Claim(verb="prove", name=name, run=None, measures=measures)


def parts(path, seen):
    """Return the texts, fixed and with gaps, that a script and what it imports beside it hold."""
    if path in seen:
        return
    seen.add(path)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        values = node.values if isinstance(node, ast.JoinedStr) else [node]
        texts = [v.value if isinstance(v, ast.Constant) else None for v in values]
        fixed = [text for text in texts if isinstance(text, str)]
        if sum(map(len, fixed)) >= LEAST_LETTERS:
            yield "".join(".*" if text is None else re.escape(str(text)) for text in texts)
        for name in imported(node):
            for base in (*SCRIPTS.values(), ROOT / "packages" / "cli" / "src"):
                beside = base / f"{name.replace('.', '/')}.py"
                if beside.is_file():
                    yield from parts(beside, seen)


def imported(node):
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [one.name for one in node.names] if isinstance(node, ast.Import) else []


def unknown(found):
    """Return the rows of a claim that its script does not name."""
    path = next(script.path for script in scripts() if script.key == found.script)
    known = set(parts(path, set()))
    # A name may be put together of two texts.
    some = "|".join(known)
    whole = re.compile(f"(?:{some})(?:{some})?", re.S)
    return [m.measure for m in found.measures if not whole.fullmatch(m.measure)]


def test_the_page_is_what_the_generator_makes():
    made = page(read(), scripts())
    assert PAGE.read_text(encoding="utf-8") == made, "run `nox -s claims`"
    changed = DATA.read_text(encoding="utf-8").replace('"holds": true', '"holds": false', 1)
    assert page([Claim.model_validate(one) for one in json.loads(changed)], scripts()) != made


@pytest.mark.parametrize("found", read(), ids=lambda found: found.key)
def test_every_row_is_known_by_its_script(found):
    assert unknown(found) == []


def test_a_row_of_no_script_is_noticed():
    assert unknown(claim(measure("a claim that nobody measures"))) == [
        "a claim that nobody measures"
    ]


def test_every_anchor_stands_once():
    anchors = re.findall(r'<a id="([^"]+)"></a>|^## (\S+)$', PAGE.read_text(encoding="utf-8"), re.M)
    names = [a or b for a, b in anchors]
    assert len(names) == len(set(names)) > 200


def test_every_script_has_a_place_among_the_stations():
    assert {script.name for script in scripts()} <= set(STATIONS)
    names = [script.name for script in scripts()]
    assert names.index("data") < names.index("train") < names.index("report")


def test_what_does_not_hold_or_was_not_measured_comes_first():
    told = page(
        [claim(measure("good"), measure("bad", False), measure("unseen", None, value=None))],
        scripts(),
    )
    head = told[: told.index("## prove-data")]
    assert "Of 3 rows **1 hold**, 1 does not, 1 could not be measured" in head
    assert 'href="#prove-data-bad"' in head and 'href="#prove-data-unseen"' in head
    assert "prove-data-good" not in head


def test_a_bound_of_a_dash_is_no_bound_and_scripts_without_figures_are_counted():
    told = page([claim(measure("good"), measure("told", bound="-"))], scripts())
    assert "Of 2 rows **1 hold**, 0 do not, 0 could not be measured, 1 are told" in told
    assert "</a>told | 1 | - | no bound |" in told
    assert f"What {len(scripts()) - 1} scripts claim stands in no row" in told
    assert "but 1 of runs that did not write it down" in told


def test_new_figures_take_the_place_of_old_ones_and_others_stay(tmp_path: Path):
    known = [claim(measure("old")), claim(measure("other"), name="mup"), claim(name="gone")]
    folder = tmp_path / "proofs"
    folder.mkdir()
    (folder / "data.json").write_text(json.dumps([measure("new").model_dump()]))
    found = gathered(tmp_path, known)
    assert [(one.name, one.measures[0].measure) for one in found] == [
        ("data", "new"),
        ("mup", "other"),
    ]


def partial(folder, name, *words):
    """Leave a run of less than a whole claim in a folder like build/."""
    there = folder / "proofs" / "partial"
    there.mkdir(parents=True, exist_ok=True)
    (there / f"{name}.json").write_text(json.dumps([measure("a part").model_dump()]))
    run = circumstances(0.0).model_copy(update={"arguments": words})
    (there / f"{name}.run.json").write_text(run.model_dump_json())


def test_less_than_a_claim_stands_beside_it_with_what_was_asked(tmp_path: Path):
    known = [claim(measure("whole"), name="scale"), claim(measure("other"), name="mup")]
    partial(tmp_path, "scale", "--gigabytes=0.1", "--allow-missing")
    partial(tmp_path, "fuzz", "--inputs=50")
    found = gathered(tmp_path, known)
    assert [(one.key, one.measures[0].measure) for one in found] == [
        ("prove-scale", "whole"), ("prove-scale-partial", "a part"), ("prove-mup", "other"),
        ("prove-fuzz-partial", "a part"),
    ]  # fmt: skip
    assert gathered(tmp_path / "nothing", found) == found
    told = page(found, scripts())
    assert (
        f"2 of {len(scripts())} scripts have figures. 2 rows are of less than what is claimed"
        in told
    )
    assert "| [prove scale](#prove-scale) |" in told and "| [prove fuzz](#prove-fuzz) |" in told
    assert (
        "| [prove scale](#prove-scale-partial) | in part, run with `--gigabytes=0.1` | 1 |" in told
    )
    whole, part = told.split("\n## prove-scale\n")[1].split("\n## prove-scale-partial\n")
    assert 'id="prove-scale-whole"' in whole and "a part" not in whole
    assert 'id="prove-scale-partial-a-part"' in part.split("\n## ")[0]
    assert "less than what [prove scale](#prove-scale) claims" in part
    assert "no figures yet: [prove fuzz](#prove-fuzz)" in told


@pytest.mark.parametrize(
    ("name", "words", "shown"),
    [
        ("fuzz", ["--inputs=50"], True), ("fuzz", [], True), ("fuzz", ["--inputs=7"], False),
        ("fuzz", ["--target=recipe"], False), ("rough", ["--only=disk"], False),
    ],
)  # fmt: skip
def test_a_trial_of_somebody_is_not_published(tmp_path: Path, name, words, shown):
    partial(tmp_path, name, *words)
    assert bool(gathered(tmp_path, [])) is shown


def test_what_is_whole_is_written_as_ever(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(_claims, "DATA", tmp_path / "claims.json")
    monkeypatch.setattr(_claims, "PAGE", tmp_path / "claims.md")
    both = [claim(measure("a")), claim(measure("b")).model_copy(update={"partial": True})]
    _claims.write(both)
    written = json.loads((tmp_path / "claims.json").read_text())
    assert ["partial" in one for one in written] == [False, True]
    assert [Claim.model_validate(one) for one in written] == both


def test_a_mistyped_option_is_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        _claims.main(["--hlep"])
    assert ended.value.code == 2 and "Did you mean '--help'?" in capsys.readouterr().err


def test_anchors_are_words_and_numbers_are_human():
    assert (
        anchor("prove-mup", "muP: drift, width 32 to 256 (%)")
        == "prove-mup-mup-drift-width-32-to-256"
    )
    assert [number(x) for x in (0.0, 12402.0, 4.768e-07, 0.95074, 13.706, -0.0512, 215000.4)] == [
        "0", "12,402", "4.8e-7", "0.9507", "13.71", "-0.0512", "215,000",
    ]  # fmt: skip


def test_text_stays_in_its_cell():
    told = page([claim(measure("a", detail="x | <b> *y* `a_b` c_d"))], scripts())
    assert r"x \| \<b> \*y\* `a_b` c\_d |" in told
