"""`nox -s prove -- ablation`: worse text loses, equal text ties; 36 small trainings on real text."""

from __future__ import annotations

import sys
from pathlib import Path

# What all share lies in the folder above.
sys.path.append(str(Path(__file__).parents[1]))

import _data_ablate
from _conclude import conclude
from _options import options

if __name__ == "__main__":
    given = options(__doc__)
    sys.exit(conclude("ablation", "proofs", _data_ablate.measures(), given))
