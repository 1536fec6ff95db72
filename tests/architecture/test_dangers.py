"""Nothing of ours unpickles, evaluates, builds shell strings, trusts markup or fetches in the open.

The syntax tree is asked, not the text (`support_dangers`). Each exception is named here with its reason.
"""

import re
from pathlib import Path

import pytest
from support import ROOT
from support_dangers import asserts, problems

SOURCES = sorted(
    [
        *ROOT.glob("packages/*/src/**/*.py"), *ROOT.glob("benchmarks/**/*.py"),
        *ROOT.glob("evals/**/*.py"), *ROOT.glob("containers/**/*.py"), *ROOT.glob("docs/*.py"),
        ROOT / "noxfile.py",
    ]
)  # fmt: skip
SHELL = [ROOT / ".ci" / "run", *sorted((ROOT / "containers").iterdir())]
#: A folder whose files all go through the doors named for it.
_ONE_DOOR = "benchmarks/mutants/"
_PACKAGE = re.compile(r"^packages/\w+/src/")

#: Where a rule does not hold: (file, rule) and why that is safe.
DOORS = {
    ("skald_cli/interrupts.py", "code"): "an empty text, which makes Python forget a Ctrl-C",
    ("skald_corpus/pipeline/hub.py", "network"): "downloads a data set by the Hub's own client",
    ("skald_harness/models/download.py", "network"): "downloads a model by the Hub's own client",
    ("skald_report/cards/check.py", "network"): "names an error of the Hub's client",
    ("skald_report/landscape/importing.py", "network"): "fetches published scores, https alone",
    ("skald_trainer/torchrun.py", "network"): "asks whether the meeting point can be reached",
    ("skald_harness/models/parts.py", "remote code"): "a model named by register and by flag",
    ("skald_harness/models/folder.py", "remote code"): "a model named by register and by flag",
    ("skald_harness/models/loading.py", "remote code"): "a model named by register and by flag",
    ("skald_report/page/html.py", "markup safe"): "our script, and our figures, escaped as drawn",
    ("skald_trainer/bridge/alone.py", "code"): "imports modules named in the table above it",
    ("skald_trainer/bridge/patches.py", "code"): "imports modules named in the same function",
    ("skald_process/hosts.py", "network"): "hears whether the other nodes of a run are there",
    ("skald_specs/plain.py", "yaml"): "reads by a loader below SafeLoader, which its type says",
    ("docs/conf.py", "code"): "imports our own packages, to document them",
    ("noxfile.py", "code"): "runs a file of ours, for nox is outside the environment",
    ("benchmarks/_cut.py", "network"): "gives a command a network without routes",
    ("benchmarks/mutants/", "pickle"): "takes back what its own forks hand over",
    ("benchmarks/mutants/", "code"): "runs modules of ours that it has changed",
    ("benchmarks/proofs/_fuzz_mutate.py", "tls"): "a value to insert into documents, never fetched",
    ("benchmarks/proofs/_fuzz_text.py", "code"): "loads a proof of ours, whose reader is fuzzed",
    ("benchmarks/_dedup_speed.py", "code"): "`query` is that of a MinHash index",
    ("benchmarks/proofs/_parallel_runs.py", "code"): "loads nanotron's own module unpatched",
    ("benchmarks/proofs/_report_html.py", "markup"): "reads the page that Skald wrote",
    ("benchmarks/proofs/_report_names.py", "markup"): "reads figures that Skald drew",
}
#: What is asserted of our own values; input is never checked by a statement that `-O` removes.
OWN = {
    "skald_corpus/cloze.py": "a sentence ends as the grammar made it",
    "skald_corpus/filters/ngrams.py": "a constant's size",
    "skald_corpus/filters/verdict.py": "a filter's own verdict",
    "skald_corpus/generate.py": "the empty seed is that of data/",
    "skald_corpus/grammar/lexicon.py": "our own tables of words",
    "skald_corpus/pipeline/duplicates.py": "two streams that we wrote go side by side",
    "skald_corpus/tokenizer.py": "what a tokenizer that was just trained holds",
    "skald_mup/tensorfile.py": "a tensor that we write",
    "skald_report/page/blocks.py": "a figure that we made has drawings",
    "skald_trainer/bridge/patches.py": "how nanotron calls us",
    "skald_trainer/train.py": "whose checkpoint was just verified",
}


def place_of(path: Path) -> str:
    place = _PACKAGE.sub("", path.relative_to(ROOT).as_posix())
    return place if not place.startswith(_ONE_DOOR) else _ONE_DOOR


def test_nothing_dangerous_is_done_outside_the_named_doors() -> None:
    found = {
        (place_of(path), rule): line
        for path in SOURCES
        for rule, line in problems(path.read_text(encoding="utf-8"))
    }
    assert {key: line for key, line in found.items() if key not in DOORS} == {}
    assert set(DOORS) == set(found), "a door that nothing goes through is closed"


def test_input_is_never_checked_by_an_assertion() -> None:
    packages = [path for path in SOURCES if _PACKAGE.match(path.relative_to(ROOT).as_posix())]
    found = {place_of(path) for path in packages if asserts(path.read_text(encoding="utf-8"))}
    assert found == set(OWN)
    assert asserts("assert x is not None\nassert a is not None and isinstance(b, int)") == []
    assert asserts("assert len(rows) == 3\nassert text") == ["len(rows) == 3", "text"]


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("pickle", "import pickle"),
        ("pickle", "from pickle import loads as read"),
        ("pickle", "import joblib.externals"),
        ("pickle", "import shelve"),
        ("pickle", "import marshal as m"),
        ("pickle", "import importlib\nimportlib.import_module('dill')"),
        ("pickle", "import torch\ntorch.load(path)"),
        ("pickle", "from torch import load as get\nget(path, weights_only=False)"),
        ("pickle", "import numpy as np\nnp.load(path)"),
        ("pickle", "import numpy as np\nnp.load(path, allow_pickle=True)"),
        ("pickle", "import numpy as np\nnp.fromfile(path, allow_pickle=flag)"),
        ("pickle", "import pandas as pd\npd.read_pickle(path)"),
        ("pickle", "table.to_pickle(path)"),
        ("yaml", "import yaml\nyaml.load(text)"),
        ("yaml", "from yaml import load as read\nread(text)"),
        ("yaml", "import yaml as y\ny.unsafe_load(text)"),
        ("yaml", "import yaml\nclass Mine(yaml.FullLoader): ..."),
        ("shell", "import subprocess as sp\nsp.run(words, shell=True)"),
        ("shell", "import subprocess\nsubprocess.run(words, shell=flag)"),
        ("shell", "import os\nos.system('ls')"),
        ("shell", "from os import popen\npopen('ls')"),
        ("shell", "import subprocess\nsubprocess.getstatusoutput('ls')"),
        ("shell", "import subprocess\nsubprocess.run(f'ls {path}')"),
        ("shell", "import subprocess\nsubprocess.run('ls ' + path)"),
        ("shell", "from subprocess import Popen\nPopen(' '.join(words))"),
        ("shell", "import subprocess\nsubprocess.check_call(['/bin/bash', '-c', text])"),
        ("shell", "import asyncio\nasyncio.create_subprocess_shell('ls')"),
        ("code", "eval(text)"),
        ("code", "exec(text, {})"),
        ("code", "import builtins\nbuiltins.compile(text, 'x', 'exec')"),
        ("code", "__import__(name)"),
        ("code", "import importlib\nimportlib.import_module(name)"),
        ("code", "import runpy\nrunpy.run_path(path)"),
        ("code", "spec.loader.exec_module(module)"),
        ("code", "table.query(words)"),
        ("template", "from jinja2 import Environment\nEnvironment(loader=x)"),
        ("template", "import jinja2\njinja2.Environment(autoescape=flag)"),
        ("template", "import jinja2.sandbox as s\ns.SandboxedEnvironment(autoescape=False)"),
        ("template", "from jinja2 import Template\nTemplate(text)"),
        ("markup safe", "from markupsafe import Markup\nMarkup(name)"),
        ("markup safe", "from markupsafe import Markup as M\nM(f'<b>{name}</b>')"),
        ("archive", "tar.extractall(folder)"),
        ("archive", "tar.extractall(folder, filter='fully_trusted')"),
        ("archive", "import zipfile\nzipfile.ZipFile(path).extract(name)"),
        ("archive", "import shutil\nshutil.unpack_archive(path)"),
        ("remote code", "Model.from_pretrained(path, trust_remote_code=True)"),
        ("remote code", "options = {'trust_remote_code': True}"),
        ("temporary name", "from tempfile import mktemp\nmktemp()"),
        ("tls", "ADDRESS = 'http://example.org/data.csv'"),
        ("tls", "session.get(address, verify=False)"),
        ("tls", "import ssl\ncontext = ssl._create_unverified_context()"),
        ("network", "import requests"),
        ("network", "from urllib.request import urlopen"),
        ("network", "from http import client"),
        ("markup", "from xml.etree import ElementTree"),
        ("markup", "from lxml import html"),
    ],
)
def test_what_is_planted_is_found(rule: str, code: str) -> None:
    assert rule in {found for found, _ in problems(code)}


@pytest.mark.parametrize(
    "code",
    [
        "import numpy as np\nnp.load(path, allow_pickle=False)",
        "import torch\ntorch.load(path, weights_only=True)",
        "import yaml\nyaml.safe_load(text)\nclass Mine(yaml.CSafeLoader): ...",
        "import subprocess\nsubprocess.run(['bash', 'script.sh'])\nsubprocess.run([*words, name])",
        "import re\nre.compile('x')\nmodel.eval()",
        "from jinja2 import Environment\nEnvironment(autoescape=True)",
        "from markupsafe import Markup\nMarkup('<b>{}</b>').format(name)",
        "import tarfile\ntarfile.open(path).extractall(folder, filter='data')",
        "Model.from_pretrained(path, trust_remote_code=False)",
        "NAMESPACE = 'http://www.w3.org/2000/svg'\nHERE = 'http://127.0.0.1:80'",
        "import json\njson.loads(text)",
        "text = 'eval(x) and pickle.loads(y)'  # exec(z)",
    ],
)
def test_what_is_harmless_is_left_alone(code: str) -> None:
    assert problems(code) == []


def unheld(page: str) -> list[str]:
    """Return the statements of a table that name no test, and the tests that are not there."""
    rows = [line for line in page.splitlines() if line.startswith("| ") and "held by" not in line]
    missing = []
    for row in (row.split(" | ") for row in rows if len(row.split(" | ")) == 2):
        named = re.findall(r"\]\((tests/[^)]+)\): ((?:`\w+`(?:, )?)+)", row[1])
        missing += [] if named else [row[0]]
        for file, tests in named:
            text = (ROOT / file).read_text(encoding="utf-8") if (ROOT / file).is_file() else ""
            found = re.findall(r"^(?:def )?(\w+)", text, re.M)
            missing += [test for test in re.findall(r"\w+", tests) if test not in found]
    return missing


def test_every_statement_of_the_trust_model_is_held_by_a_test() -> None:
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert page.count("](tests/") > 15 and unheld(page) == []
    assert unheld("| A claim | because |") == ["| A claim"]
    assert unheld(page.replace("test_a_pickle_is_refused_unread", "test_gone")) == ["test_gone"]


def test_templates_of_the_page_escape_everything() -> None:
    templates = [*ROOT.glob("packages/*/src/**/*.j2"), *ROOT.glob("packages/*/src/**/*.html")]
    assert templates
    trusting = re.compile(r"\|\s*safe\b|autoescape\s+false")
    assert not [path for path in templates if trusting.search(path.read_text(encoding="utf-8"))]
    assert trusting.search("{{ name | safe }}") and trusting.search("{% autoescape false %}")


def test_shell_of_ours_fetches_nothing_to_run() -> None:
    fetching = re.compile(r"\b(curl|wget|eval)\b|http://|--trusted-host|chmod\s+(-R\s+)?777")
    for path in SHELL:
        code = re.sub(r"(?m)^\s*#.*$", "", path.read_text(encoding="utf-8"))
        assert not fetching.search(code), path
    assert fetching.search("curl https://example.org | sh") and fetching.search('eval "$x"')
