"""A mistyped option of a proof or benchmark is one line and exit code 2, and less than a claim never takes its place."""

import ast
import json
import subprocess
import sys

import pytest
from _claims import EVERYTHING, scripts
from _conclude import conclude
from _options import Amount, options
from skald_specs.claims import Measure
from support import ROOT

PARTS = ("surroundings", "denied", "disk")
INPUTS = Amount("inputs", 2_000, 200_000, "for each reader")
GIGABYTES = Amount("gigabytes", 5.0, 5.0, "of text")


def read(*words, amount=INPUTS, **more):
    return options("Shows it.", parts=PARTS, amount=amount, words=words, **more)


def one(holds=True):
    return Measure(measure="a figure", value=1.0, unit="", bound="= 1", holds=holds)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--alow-missing"], "no such option. Did you mean '--allow-missing'?"),
        (["--input=7"], "no such option. Did you mean '--inputs'?"),
        (["rough"], "no such option"),
        (["--only=dennied"], "--only: there is no 'dennied'. Did you mean 'denied'?"),
        (["--only"], "expected one argument"),
        (["--inputs=2k"], "--inputs=2k: no whole number above 0"),
        (["--inputs=1.5"], "no whole number"),
        (["--inputs=0"], "above 0"),
        (["--inputs=-4"], "above 0"),
    ],
)
def test_wrong_words_are_refused_in_one_line(words, told, capsys):
    with pytest.raises(SystemExit) as ended:
        read(*words)
    said = capsys.readouterr()
    assert ended.value.code == 2 and said.out == ""
    assert told in said.err and len(said.err.splitlines()) == 1


@pytest.mark.parametrize("word", ["nan", "inf", "-1", "0", "much"])
def test_an_amount_is_a_number_above_zero(word, capsys):
    with pytest.raises(SystemExit):
        read(f"--gigabytes={word}", amount=GIGABYTES)
    assert "no number above 0" in capsys.readouterr().err


def test_help_names_all_there_is(capsys):
    with pytest.raises(SystemExit) as ended:
        read("--help", flags={"keep": "keep what was made"}, trials={"tiny": "try it"})
    told = capsys.readouterr().out
    assert ended.value.code == 0
    for word in ("Shows it.", "--allow-missing", "denied", "200,000", "--keep", "try it"):
        assert word in told


@pytest.mark.parametrize(
    ("words", "amount", "partial"),
    [
        ([], GIGABYTES, False), (["--allow-missing"], GIGABYTES, False),
        (["--gigabytes=0.1"], GIGABYTES, True), (["--gigabytes=5"], GIGABYTES, False),
        ([], INPUTS, True), (["--inputs=200_000"], INPUTS, False), (["--inputs=199999"], INPUTS, True),
        (["--only=disk"], GIGABYTES, True), ([f"--only={part}" for part in PARTS], GIGABYTES, False),
        (["--keep"], GIGABYTES, False), (["--tiny"], GIGABYTES, True),
    ],
)  # fmt: skip
def test_less_than_the_claim_is_partial(words, amount, partial):
    given = read(*words, amount=amount, flags={"keep": "."}, trials={"tiny": "."})
    assert given.partial is partial


def test_a_partial_run_leaves_the_claim_as_it_is(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    whole = read("--inputs=200000")
    assert conclude("fuzz", "proofs", [one(), one()], whole) == 0
    claim = (tmp_path / "build/proofs/fuzz.json").read_bytes()
    assert conclude("fuzz", "proofs", [one(False)], read("--only=disk")) == 1
    assert (tmp_path / "build/proofs/fuzz.json").read_bytes() == claim
    assert len(json.loads((tmp_path / "build/proofs/partial/fuzz.json").read_bytes())) == 1
    assert "build/proofs/partial/fuzz.json" in capsys.readouterr().out


def test_nothing_measured_is_no_success_and_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert conclude("fuzz", "proofs", [], read("--inputs=200000")) == 1
    assert "nothing was measured" in capsys.readouterr().err
    assert not (tmp_path / "build").exists()


def test_missing_is_forgiven_where_it_is_asked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert conclude("fuzz", "proofs", [one(None)], read()) == 1
    assert conclude("fuzz", "proofs", [one(None)], read("--allow-missing")) == 0


def calls(path):
    """Return the names of the functions that a script calls, and whether it looks at its words itself."""
    tree = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    named = {n.func.id for n in tree if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    looks = [
        n for n in tree
        if isinstance(n, ast.Compare) and "sys.argv" in ast.unparse(n.comparators[-1])
    ]  # fmt: skip
    return named, bool(looks)


@pytest.mark.parametrize("script", scripts(), ids=lambda script: script.key)
def test_every_script_reads_its_words_by_options(script):
    if script.path != EVERYTHING:
        named, looks = calls(script.path)
        assert "options" in named and not looks


@pytest.mark.parametrize(
    ("script", "word", "told"),
    [
        ("cycle", "--kep", "cycle.py: --kep: no such option. Did you mean '--keep'?"),
        ("proofs/scale", "--gigabytes=5G", "scale.py: --gigabytes=5G: no number above 0."),
    ],
)
def test_a_script_itself_refuses_in_one_line(tmp_path, script, word, told):
    ran = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / f"{script}.py"), word],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 2 and ran.stdout == ""
    assert ran.stderr.startswith(told) and len(ran.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
