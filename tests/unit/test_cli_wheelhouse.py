"""The wheelhouse: gathered by pip, checked before use, installed from without an index.

Its wheels are two that the test makes itself; with $SKALD_WHEELHOUSE set, the image's install part
builds the whole environment from a real one.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from skald_cli import wheelhouse
from skald_cli.jobscript import CONTAINER_PYTHON
from support import ROOT

DEFINITION = (ROOT / "containers" / "skald.def").read_text(encoding="utf-8")
#: Without a network and without what a user has told pip.
OFFLINE = {
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_INDEX_URL": "http://127.0.0.1:9/",
    "PIP_RETRIES": "0",
}
NOX = "import os, sys\n\ndef main():\n    print('nox', *sys.argv[1:], 'in', os.getcwd())\n"


def make_wheel(folder: Path, name: str, code: str, needs: str = "") -> Path:
    """Write a wheel of one module; a module with `main` gets a command of its name."""
    info, path = f"{name}-1.0.dist-info", folder / f"{name}-1.0-py3-none-any.whl"
    needed = f"Requires-Dist: {needs}\n" if needs else ""
    files = {
        f"{name}.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{needed}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if "def main" in code:
        files[f"{info}/entry_points.txt"] = f"[console_scripts]\n{name} = {name}:main\n"
    folder.mkdir(parents=True, exist_ok=True)
    record = ""
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
            record += f"{file},sha256={digest.rstrip(b'=').decode()},{len(text)}\n"
        archive.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")
    return path


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that pip takes for all that can be had."""
    make_wheel(tmp_path / "shop", "nox", NOX, needs="errand")
    make_wheel(tmp_path / "shop", "errand", "value = 1\n")
    for name, value in OFFLINE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "shop"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (tmp_path / "constraints.txt").write_text("errand==1.0\n")
    return tmp_path / "shop"


def test_gathering_brings_what_is_needed_and_checking_finds_what_is_wrong(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, pins = shop.parent / "wheelhouse", shop.parent / "constraints.txt"
    words = ["gather", str(folder), str(pins), "pins-1", "--set", "nox>=1", "--set", "errand"]
    assert wheelhouse.main(words) == 0
    assert sorted(path.name for path in folder.glob("*.whl")) == [
        "errand-1.0-py3-none-any.whl", "nox-1.0-py3-none-any.whl",
    ]  # fmt: skip
    assert "2 wheels" in capsys.readouterr().out
    assert wheelhouse.main(["check", str(folder), "pins-1"]) == 0

    def refused(given: str = "pins-1") -> str:
        assert wheelhouse.main(["check", str(folder), given]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and "nox -s wheelhouse" in said
        return said

    assert "other pins" in refused("pins-2")
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"machine": "Python 2.7, VAX"}))
    assert "gathered for 'Python 2.7, VAX', this is Python 3" in refused()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "errand-1.0-py3-none-any.whl").write_bytes(b"")
    assert "'errand-1.0-py3-none-any.whl' is missing or damaged" in refused()
    shutil.rmtree(folder)
    assert "no wheelhouse" in refused()


def test_a_wheelhouse_that_cannot_be_filled_leaves_the_earlier_one(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, pins = shop.parent / "wheelhouse", shop.parent / "constraints.txt"
    folder.mkdir()
    (folder / "manifest.json").write_text("{}")
    words = ["gather", str(folder), str(pins), "pins", "--set", "nox", "no-such-package"]
    assert wheelhouse.main(words) == 2
    assert "skald: pip could not bring every wheel" in capsys.readouterr().err
    assert (folder / "manifest.json").read_text() == "{}"


def post_section() -> str:
    found = re.search(r"^%post\n(.*?)^%", DEFINITION, re.S | re.M)
    assert found is not None
    return found[1]


def install(root: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the image's install part in a folder that stands for the image's."""
    dropped = ("PIP_FIND_LINKS", "PIP_NO_INDEX", "SKALD_WHEELHOUSE", "PYTHONPATH")
    kept = {key: value for key, value in os.environ.items() if key not in dropped}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["sh", "-c", post_section()], capture_output=True, text=True, check=False,
        env=kept | OFFLINE | {"SKALD_ROOT": str(root), "PATH": path} | more,
    )  # fmt: skip


def test_the_image_installs_from_its_wheelhouse_by_the_commands_of_a_checkout(
    shop: Path, tmp_path: Path
) -> None:
    root = tmp_path / "opt skald"
    root.mkdir()
    shutil.copytree(shop, root / "wheelhouse")
    done = install(root)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"nox -s env in {root}"]
    assert not (root / "wheelhouse").exists(), "it would double the image"
    (root / "wheelhouse").mkdir()
    make_wheel(root / "wheelhouse", "nox", NOX, needs="errand")
    shutil.rmtree(root / ".venv")
    lacking = install(root)
    assert lacking.returncode != 0 and "errand" in lacking.stderr, "nothing comes from elsewhere"


def test_the_definition_and_the_job_script_speak_of_one_place() -> None:
    files = re.search(r"^%files\n(.*?)^%", DEFINITION, re.S | re.M)
    assert files is not None
    pairs = [line.split() for line in files[1].splitlines() if line.strip()]
    assert all(target == f"/opt/skald/{source}" for source, target in pairs)
    here = {source for source, _ in pairs if (ROOT / source).exists()}
    assert here | {"wheelhouse"} == {source for source, _ in pairs}
    assert CONTAINER_PYTHON == "/opt/skald/.nox/env/bin/python"
    assert "export PATH=/opt/skald/.nox/env/bin:$PATH" in DEFINITION


@pytest.mark.slow
@pytest.mark.skipif("SKALD_WHEELHOUSE" not in os.environ, reason="no wheelhouse: SKALD_WHEELHOUSE")
def test_the_image_gets_the_whole_environment_from_a_real_wheelhouse(tmp_path: Path) -> None:
    for name in ("packages", "wheelhouse"):
        source = Path(os.environ["SKALD_WHEELHOUSE"]) if name == "wheelhouse" else ROOT / name
        shutil.copytree(source, tmp_path / name)
    for name in ("noxfile.py", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    done = install(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    skald = tmp_path / ".nox" / "env" / "bin" / "skald"
    said = subprocess.run([skald, "--version"], capture_output=True, text=True, check=True).stdout
    assert said.startswith("skald ")
