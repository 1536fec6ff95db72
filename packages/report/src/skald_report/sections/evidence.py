"""The sections on muP and on time transfer: what their proofs measured, from committed files.

The proofs train for many minutes, so no cycle repeats them; `nox -s prove -- mup` and `-- transfer` do. This
module reads `<folder>/mup/`: measures.json, coordinates.csv, width.csv, depth.csv, optima-*.csv; and
`<folder>/transfer/`: measures.json, and fit.json where a sweep of the proof may be shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
from pydantic import TypeAdapter, ValidationError
from skald_specs.claims import Measure
from skald_specs.errors import UserInputError
from skald_specs.files import read_json
from skald_specs.plan import COVERED
from skald_specs.timefit import TimeFit

from skald_report.figures.evidence import coordinate_panels, optimum_lines, transfer_curves
from skald_report.page.blocks import Block, Cell, Gallery, Grid, Paragraph
from skald_report.sections.transfer import fit_drawings

MEASURES_FILE = "measures.json"
FIT_FILE = "fit.json"
_AGAIN = "Run `nox -s prove -- {}` and copy its files here"
_MARKS = {True: ("holds", "better"), False: ("does not hold", "worse"), None: ("not measured", "")}


def mup_evidence(folder: Path | None) -> Iterator[Block]:
    """Yield the section's blocks, or why it is empty.

    Args:
        folder: The evidence folder, or None.

    Raises:
        UserInputError: A file of the evidence is missing or malformed.
    """
    if folder is None or not (folder / "mup").is_dir():
        yield Paragraph(
            "No evidence on muP was given: this page cannot say whether learning rates carry over "
            "in width and depth.",
            "gap",
        )
        return
    own = folder / "mup"
    measures = _measures(own / MEASURES_FILE)
    held = sum(measure.holds is True for measure in measures)
    yield Paragraph(
        "Learning rates are tuned on narrow proxies and used at other widths, which is right only if "
        "the parametrisation is. Standard parametrisation (SP) is the negative control: a check that "
        f"it also passed would show nothing. {held} of {len(measures)} measures hold. They were taken "
        "once, on the family of recipes/mup-transfer.yaml and recipes/mup-depth.yaml, not in this "
        "cycle; `nox -s prove -- mup` takes them again."
    )
    coordinates, width, depth = (
        _table(own / f"{name}.csv") for name in ("coordinates", "width", "depth")
    )
    optima = {along: _table(own / f"optima-{along}.csv") for along in ("width", "depth")}
    over_width = coordinates[coordinates["axis"] == "width"]
    seeds = width["seed"].nunique()
    yield Gallery(
        (
            coordinate_panels(over_width, "width", "mup-coordinates"),
            transfer_curves(width, optima["width"], "mup-width", "width"),
            optimum_lines(optima["width"], "mup-optimum-width", "width"),
            transfer_curves(depth, optima["depth"], "mup-depth", "depth"),
        ),
        f"First: change of activations after five steps, mean and range over "
        f"{over_width['seed'].nunique()} seeds; level is right. Others: validation bits per byte of "
        f"{len(width)} and {len(depth)} proxy runs, mean of {seeds} paired seeds with its standard "
        "error; dotted: the optimum of a parabola through the points near the lowest.",
    )
    yield _grid("mup", "What the proof of muP measured", measures)


def transfer_evidence(folder: Path | None) -> Iterator[Block]:
    """Yield what the proof of time transfer measured, or why that is missing.

    Args:
        folder: The evidence folder, or None.

    Raises:
        UserInputError: A file of the evidence is missing or malformed.
    """
    if folder is None or not (folder / "transfer").is_dir():
        yield Paragraph(
            "No evidence on time transfer was given: this page cannot say how far its intervals can be "
            "trusted.",
            "gap",
        )
        return
    own = folder / "transfer"
    measures = _measures(own / MEASURES_FILE)
    held = sum(measure.holds is True for measure in measures)
    yield Paragraph(
        "The fits above are trusted as far as they found the truth where it was known: on drawn surfaces, "
        "at horizons left out, and on tables that hold no law to find. "
        f"{held} of {len(measures)} measures hold. They were taken once, not in this cycle; "
        "`nox -s prove -- transfer` takes them again."
    )
    if (own / FIT_FILE).is_file():
        fit = TimeFit.load(own / FIT_FILE)
        yield Gallery(
            tuple(fit_drawings(fit, prefix="proof-")),
            f"The proof's own table, {fit.table.source}: {fit.table.n_runs} runs. Whiskers are {COVERED} intervals.",
        )
    yield _grid("transfer", "What the proof of time transfer measured", measures)


def _grid(name: str, title: str, measures: Sequence[Measure]) -> Grid:
    rows = tuple(
        (
            Cell(m.measure),
            Cell("–" if m.value is None else f"{m.value:.4g} {m.unit}".strip(), mark=_MARKS[m.holds][1]),
            Cell(m.bound),
            Cell(_MARKS[m.holds][0]),
            Cell(m.detail),
        )
        for m in measures
    )  # fmt: skip
    header = ("measure", "value", "bound", "verdict", "detail")
    return Grid(name, title, "Drifts and slopes are signed in the detail.", header, rows)


def _measures(path: Path) -> list[Measure]:
    try:
        return TypeAdapter(list[Measure]).validate_python(read_json(path))
    except ValidationError as error:
        raise UserInputError(
            str(path),
            f"no list of measures ({error.error_count()} problems)",
            _AGAIN.format(path.parent.name),
        ) from None


def _table(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise UserInputError(
            str(path), f"no readable table ({error})", _AGAIN.format("mup")
        ) from None
