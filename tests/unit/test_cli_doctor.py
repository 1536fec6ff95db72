"""The doctor works on broken installations and names what to do."""

from importlib import metadata
from pathlib import Path

import pytest
from skald_cli import doctor
from skald_cli.doctor import Finding, examine, read_pins
from support import ROOT


def by_subject(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.subject: finding for finding in findings}


def test_pins_are_read_by_normalised_name() -> None:
    pins = read_pins(ROOT / "constraints.txt")
    assert pins["torch"] == "2.13.0" and pins["lm-eval"] == "0.4.13"
    assert read_pins(ROOT / "no-such-file") == {}


def test_a_sound_installation_has_no_library_to_mend() -> None:
    findings = by_subject(examine(ROOT))
    for name in ("torch", "nanotron", "lm_eval", "dvc", "skald-cli"):
        assert findings[name].remedy == "", findings[name]


def test_missing_and_differing_versions_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    real = metadata.version

    def version(name: str) -> str:
        if name == "nanotron":
            raise metadata.PackageNotFoundError(name)
        return "0.0.1" if name == "datasets" else real(name)

    monkeypatch.setattr(doctor.metadata, "version", version)
    findings = by_subject(examine(ROOT))
    assert findings["nanotron"] == Finding("nanotron", "not installed", "run `nox -s env`")
    assert findings["datasets"].found.startswith("0.0.1, pinned ")
    assert findings["datasets"].remedy


def test_a_build_tag_is_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.metadata, "version", lambda name: "2.13.0+cpu")
    findings = by_subject(examine(ROOT))
    assert findings["torch"].remedy == ""
    assert findings["nanotron"].remedy != ""


def test_outside_a_checkout_the_doctor_says_so(tmp_path: Path) -> None:
    findings = by_subject(examine(tmp_path))
    assert "root of the checkout" in findings["pins"].remedy
    assert "root of the checkout" in findings["data"].remedy
    assert "git clone" in findings["git"].remedy


def test_data_is_compared_with_its_pin(tmp_path: Path) -> None:
    from skald_corpus.pin import directory_md5

    text = tmp_path / "data" / "text"
    text.mkdir(parents=True)
    (text / "a.jsonl").write_text("{}\n")
    digest = directory_md5(tmp_path / "data")
    pin = tmp_path / "data.dvc"
    pin.write_text(f"outs:\n- md5: {digest}\n  size: 3\n  nfiles: 1\n  hash: md5\n  path: data\n")
    assert by_subject(examine(tmp_path))["data"] == Finding("data", "as pinned by data.dvc")
    (text / "a.jsonl").write_text("{ }\n")
    assert by_subject(examine(tmp_path))["data"].remedy != ""
