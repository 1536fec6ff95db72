"""Plain lm-eval knows the model `skald` where the harness is installed, and at no other cost."""

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "packages" / "harness"
#: With -S no `.pth` file of the environment is read, so that only the folder that is named counts.
PROGRAM = """
import json, site, sys
sys.path += sys.argv[1:2]
before = set(sys.modules)
for folder in sys.argv[2:]:
    site.addsitedir(folder)
started = sorted(set(sys.modules) - before)
import lm_eval.models
from lm_eval.api.registry import model_registry
print(json.dumps({
    "started": started,
    "registered": "skald" in model_registry,
    "heavy": [name for name in ("torch", "transformers", "skald_harness") if name in sys.modules],
    "finders": [type(finder).__name__ for finder in sys.meta_path],
    "loader": type(lm_eval.models.__spec__.loader).__name__,
}))
"""


def start(*folders):
    done = subprocess.run(
        [sys.executable, "-S", "-c", PROGRAM, sysconfig.get_path("purelib"), *map(str, folders)],
        env={}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_the_line_at_start_registers_the_model_and_imports_nothing(tmp_path):
    (tmp_path / "a.pth").write_text(f"{PACKAGE / 'src'}\n")
    (tmp_path / "b.pth").write_text((PACKAGE / "skald_lm_eval.pth").read_text())
    found = start(tmp_path)
    assert found["started"] == ["skald_lm_eval"]
    assert found["registered"]
    assert found["heavy"] == []
    assert "_AfterTable" not in found["finders"]
    assert found["loader"] == "SourceFileLoader"


def test_without_the_line_or_the_package_there_is_no_such_model_and_no_noise(tmp_path):
    assert not start()["registered"]
    (tmp_path / "b.pth").write_text((PACKAGE / "skald_lm_eval.pth").read_text())
    orphan = start(tmp_path)
    assert not orphan["registered"]
    assert orphan["started"] == []
