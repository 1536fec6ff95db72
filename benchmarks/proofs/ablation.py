"""`nox -s prove -- ablation`: worse text loses, equal text ties; 36 small trainings on real text."""

from __future__ import annotations

import sys

import _data_ablate
from skald_specs.claims import conclude

if __name__ == "__main__":
    sys.exit(conclude("ablation", "proofs", _data_ablate.measures(), "--allow-missing" in sys.argv))
