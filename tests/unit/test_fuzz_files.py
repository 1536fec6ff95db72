"""Readers of files and streams take a few broken ones without more than a line; `prove -- fuzz` gives them many."""

import _fuzz_files_records
import _fuzz_files_text
import _fuzz_files_weights
import pytest
from _fuzz_run import run_target

MODULES = (_fuzz_files_text, _fuzz_files_weights, _fuzz_files_records)
TARGETS = {target.name: target for module in MODULES for target in module.TARGETS}
#: Starting a child and making a model's folder is what costs here: one reader of each kind.
FEW = (
    "text jsonl gz", "source parquet", "items gz", "language model", "shard", "checkpoint tensors",
    "nanotron tensor", "export config", "item records", "stored answers", "metrics of a run",
    "wheelhouse manifest", "carried counts",
)  # fmt: skip


@pytest.mark.parametrize("name", FEW)
def test_no_file_makes_more_than_a_line(name):
    found = run_target(TARGETS[name], 40, cover=False)
    assert found.inputs == 40
    assert [(one.kind, one.problem) for one in found.findings] == []


def test_every_reader_has_a_name_of_its_own():
    assert len(TARGETS) == sum(len(module.TARGETS) for module in MODULES)
