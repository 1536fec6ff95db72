"""`python docs/pictures.py [REPORT]`: takes the pictures of a report that the documentation shows.

Writes docs/pictures/report-*.png from REPORT/index.html (default: reports/reference) in Debian's Chromium.
Colours are reduced to a palette: text on a plain ground needs few, and a repository keeps every version.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image

_ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(_ROOT / "benchmarks" / "proofs"))
from _report_browser import NoBrowserError, opened, started  # noqa: E402 (benchmarks is no package)

_OUT = _ROOT / "docs" / "pictures"
#: Pictures by the part of the page at their top; none: the page's own.
PICTURES = {"report-top": "", "report-published": "published"}
_COLOURS = 160


def main(report: Path) -> int:
    """Take the pictures.

    Args:
        report: Folder with the page.
    """
    index = report / "index.html"
    if not index.is_file():
        print(f"{index}: no such page; `skald report build` makes one", file=sys.stderr)
        return 2
    try:
        with started() as browser, opened(browser, index) as at:
            for name, part in PICTURES.items():
                if part:
                    at.page.evaluate(
                        """(id) => {
                            document.documentElement.style.scrollBehavior = "auto";
                            document.getElementById(id).scrollIntoView();
                        }""",
                        part,
                    )
                shot = Image.open(io.BytesIO(at.page.screenshot())).convert("RGB")
                path = _OUT / f"{name}.png"
                shot.quantize(_COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
                print(f"{path.relative_to(_ROOT)}: {path.stat().st_size / 1000:.0f} kB")
    except NoBrowserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1] if len(sys.argv) > 1 else _ROOT / "reports/reference")))
