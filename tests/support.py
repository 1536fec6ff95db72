"""What tests share: where the real text lies, and the repository's root."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: $SKALD_REAL_TEXT, see CONTRIBUTING.md; a folder beside the checkout where it is not set.
REAL_TEXT = Path(os.environ.get("SKALD_REAL_TEXT") or ROOT.parent / "shared" / "testdata")
