"""What tests share: where the real text lies, and the repository's root."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REAL_TEXT = ROOT.parent / "shared" / "testdata"
