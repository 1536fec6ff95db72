"""The sections on muP and on time transfer: what their proofs measured, from committed files.

The proofs train for many minutes, so no cycle repeats them; `nox -s prove -- mup` and `-- transfer` do. This
module reads `<folder>/mup/`: measures.json, coordinates.csv, width.csv, depth.csv, optima-*.csv; and
`<folder>/transfer/`: measures.json, and fit.json where a sweep of the proof may be shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from skald_specs.plan import COVERED
from skald_specs.timefit import TimeFit

from skald_report.figures.evidence import coordinate_panels, optimum_lines, transfer_curves
from skald_report.page.blocks import Block, Cell, Gallery, Grid, Paragraph
from skald_report.page.formatting import counted, join, number, of
from skald_report.reading.evidence import read_evidence
from skald_report.sections.fit_figures import fit_drawings
from skald_report.tables.evidence import FAILS, HOLDS, NO_BOUND, UNKNOWN, measures
from skald_report.tables.table import Table

FIT_FILE = "fit.json"
_MARKS = {HOLDS: "better", FAILS: "worse", UNKNOWN: "", NO_BOUND: ""}
#: Beginnings of the measures that a reader needs first; those that do not hold stand before them.
_FIRST = {
    "mup": (
        "muP: drift of the best learning rate",
        "SP: drift of the best learning rate",
        "CompleteP: drift of the best learning rate",
    ),
    "transfer": (
        "90 % intervals that hold the true rate: all tables",
        "held-out regret of Skald less that of argmin, 12 runs",
        "transferred against untransferred rate",
    ),
}
#: So many rows stand open.
_OPEN = 3
#: Figures of the proof's own fit that the page shows; the proof's folder has the others.
_FIGURES = ("surface", "transfer", "held-out")


def mup_evidence(folder: Path | None, table: Table | None = None) -> Iterator[Block]:
    """Yield the section's blocks, or why it is empty.

    Args:
        folder: The evidence folder, or None.
        table: The report's table of measures; None: read it.

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
    shown = table or measures(folder)
    yield Paragraph(
        "Learning rates are tuned on narrow proxies and used at other widths, which is right only if "
        "the parametrisation is. Standard parametrisation (SP) is the negative control: a check that "
        f"it also passed would show nothing. {_held(shown, 'mup')} They were taken once, on the family of "
        "recipes/mup-transfer.yaml and recipes/mup-depth.yaml, not in this cycle; `nox -s prove -- mup` takes "
        "them again."
    )
    coordinates, width, depth = (
        read_evidence(own / f"{name}.csv") for name in ("coordinates", "width", "depth")
    )
    optima = {along: read_evidence(own / f"optima-{along}.csv") for along in ("width", "depth")}
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
    yield from _grids(shown, "mup", "muP")


def transfer_evidence(folder: Path | None, table: Table | None = None) -> Iterator[Block]:
    """Yield what the proof of time transfer measured, or why that is missing.

    Args:
        folder: The evidence folder, or None.
        table: The report's table of measures; None: read it.

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
    shown = table or measures(folder)
    yield Paragraph(
        "The fits above are trusted as far as they found the truth where it was known: on drawn surfaces, "
        f"at horizons left out, and on tables that hold no law to find. {_held(shown, 'transfer')} They were taken "
        "once, not in this cycle; `nox -s prove -- transfer` takes them again."
    )
    if (own / FIT_FILE).is_file():
        fit = TimeFit.load(own / FIT_FILE)
        yield Gallery(
            tuple(fit_drawings(fit, prefix="proof-", only=_FIGURES)),
            f"The proof's own table, {fit.table.source}: {fit.table.n_runs} runs. Whiskers are {COVERED} intervals.",
            "What the proof fitted",
        )
    yield from _grids(shown, "transfer", "time transfer")


def _held(table: Table, proof: str) -> str:
    """Say how many measures hold, which do not, and how many no bound judges."""
    own = table.frame[table.frame["proof"] == proof]
    judged, free = own[own["bounded"]], own[~own["bounded"]]
    held = int((judged["verdict"] == HOLDS).sum())
    text = f"{held} of {counted(len(judged), 'measure')} hold{'s' if len(judged) == 1 else ''}"
    for verdict, words in ((FAILS, "does not"), (UNKNOWN, "was not taken")):
        names = list(judged.loc[judged["verdict"] == verdict, "measure"])
        if names:
            text += f"; {words}: {join(names)}"
    if len(free):
        text += f"; {counted(len(free), 'more figure')} stand{'s' if len(free) == 1 else ''} there without a bound"
    return f"{text}."


def _grids(table: Table, proof: str, subject: str) -> Iterator[Grid]:
    own = table.frame[table.frame["proof"] == proof]
    first = [i for i in own.index if own.at[i, "verdict"] in (FAILS, UNKNOWN)]
    n_first = len(first)
    for start in _FIRST[proof]:
        first += [i for i in own.index if str(own.at[i, "measure"]).startswith(start) and i not in first]  # fmt: skip
    if len(own) <= _OPEN:
        yield _grid(own, proof, f"What the proof of {subject} measured")
        return
    # A proof with other measures still shows some.
    first += [i for i in own.index if i not in first]
    first = first[: max(_OPEN, n_first)]
    yield _grid(own.loc[first], f"{proof}-first", f"Main measures of the proof of {subject}")
    yield _grid(own, proof, f"Every measure of the proof of {subject}", whole=True)


def _grid(rows: pd.DataFrame, name: str, title: str, whole: bool = False) -> Grid:
    """Return measures as a table; the whole of them is folded and has their details."""
    body = tuple(
        (
            Cell(str(r["measure"])),
            Cell("–") if pd.isna(r["value"])
            else Cell(number(r["value"], ".4g") + (f" {r['unit']}" if r["unit"] else ""),
                      mark=_MARKS[r["verdict"]], of=of("measures", int(i), "value", "unit")),
            Cell(str(r["bound"]) or "–"),
            Cell(str(r["verdict"])),
            *([Cell(str(r["detail"]))] if whole else []),
        )
        for i, r in zip(rows.index, rows.to_dict("records"), strict=True)
    )  # fmt: skip
    header = ("measure", "value", "bound", "verdict", *(["detail"] if whole else []))
    signed = "drifts and slopes are signed in the detail"
    caption = f"{counted(len(rows), 'measure')}; {signed if whole else 'the next table has all, with details'}."
    return Grid(name, title, caption, header, body, "tables/measures.csv", whole)
