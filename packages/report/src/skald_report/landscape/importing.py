"""`skald report import-published`: public leaderboard files in, a folder of published scores out.

Knows where bytes come from, which of two figures of one cell stands, and how to say what was left out.
"""

from __future__ import annotations

import csv
import gzip
import http.client
import io
import shutil
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import pandas as pd
from skald_specs.errors import UserInputError
from skald_specs.files import atomic_folder
from skald_specs.languages import BY_TAG
from skald_specs.published import PublishedScore

from skald_report.landscape.boards import Parsed, Row, is_board, read_board
from skald_report.landscape.collection import is_collection, read_collection
from skald_report.reading.published import (
    COLUMNS,
    MODELS_FILE,
    Registered,
    read_published,
    read_register,
)

SCORES_FILE = "scores.csv"
_TIMEOUT_SECONDS = 30
#: Of one file, packed or not: the largest board has 0.4 MB.
MAX_BYTES = 64 << 20
_GZIP = b"\x1f\x8b"
_FORMS = "Give EuroEval's leaderboards/<language>_all.csv, or a collection (docs/published.md)"


class Imported(NamedTuple):
    """What an import wrote, and what it left out and why."""

    n_rows: int
    n_models: int
    n_european: int
    n_unknown_origin: int
    languages: tuple[str, ...]
    skipped: Mapping[str, int]


def import_published(
    places: Sequence[str],
    out: Path,
    *,
    date: str | None = None,
    source: str | None = None,
    register: Path | None = None,
    known: Path | None = None,
) -> Imported:
    """Write the scores of public leaderboard files as a folder that a report reads.

    Args:
        places: Files, folders of CSVs, or https addresses; packed with gzip or not.
        out: The folder; an earlier import there is replaced as a whole.
        date: Day of the boards' snapshot, which they do not tell.
        source: What the rows of boards name as their source, before the file's name; None: the place.
        register: The register of models, which says who is European.
        known: The folder of committed scores, which says so too and holds names for the page.

    Raises:
        UserInputError: A place cannot be read, a file has no known form, or a row is malformed (with
            its line); nothing is written.
    """
    scores: list[PublishedScore] = []
    skipped: Counter[str] = Counter()
    for place in _files(places):
        found = _parsed(_rows(place), place, date, source)
        scores += found.scores
        skipped += found.skipped
    known = known if known is not None and known.is_dir() else None
    register = register if register is not None and register.is_file() else None
    kept, repeated = one_a_cell(scores)
    skipped += repeated
    rows = _with_origin(kept, read_register(register), read_published(known)[0])
    if not rows:
        raise UserInputError(", ".join(places), "no score of a language of the register", _FORMS)
    with atomic_folder(out, marker=SCORES_FILE) as folder:
        (folder / SCORES_FILE).write_text(as_csv(rows), encoding="utf-8", newline="")
        if known is not None and (known / MODELS_FILE).is_file():
            shutil.copyfile(known / MODELS_FILE, folder / MODELS_FILE)
    models = {row.model: row.eu for row in rows}
    return Imported(
        n_rows=len(rows),
        n_models=len(models),
        n_european=sum(eu is True for eu in models.values()),
        n_unknown_origin=sum(eu is None for eu in models.values()),
        languages=tuple(tag for tag in BY_TAG if any(row.language == tag for row in rows)),
        skipped=dict(sorted(skipped.items())),
    )


def one_a_cell(scores: Iterable[PublishedScore]) -> tuple[list[PublishedScore], Counter[str]]:
    """Keep one score of a model, language and task; count the others by what speaks against them.

    The test split goes before the validation split, few-shot before zero-shot, the newest snapshot
    before older ones.
    """
    ranked = sorted(scores, key=lambda s: s.source_date, reverse=True)
    ranked.sort(key=lambda s: (s.split == "val", s.shots == "0"))
    kept: dict[tuple[str, str, str], PublishedScore] = {}
    skipped: Counter[str] = Counter()
    for score in ranked:
        first = kept.setdefault((score.model, score.language, score.task), score)
        if first is score:
            continue
        if first.split != score.split:
            why = "the validation split of a cell that has the test split"
        elif first.shots != score.shots:
            why = "zero-shot in a cell that has few-shot"
        elif first.source_date != score.source_date:
            why = "an older snapshot of a cell that has a newer one"
        else:
            why = "a second figure of one cell in the same snapshot"
        skipped[why] += 1
    place = {tag: number for number, tag in enumerate(BY_TAG)}
    return sorted(kept.values(), key=lambda s: (place[s.language], s.task, s.model)), skipped


def as_csv(rows: Iterable[PublishedScore]) -> str:
    """Return rows as the CSV of a folder of published scores."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        value = row.model_dump()
        eu = {True: "yes", False: "no", None: ""}[row.eu]
        writer.writerow(
            value | {"eu": eu} | {key: "" for key, cell in value.items() if cell is None}
        )
    return out.getvalue()


def _with_origin(
    scores: Sequence[PublishedScore], register: Mapping[str, Registered], committed: pd.DataFrame
) -> list[PublishedScore]:
    """Fill in which models are European, where another row or the register says so."""
    eu = {s.model: s.eu for s in scores if s.eu is not None}
    for model, european in committed[["model", "eu"]].itertuples(index=False):
        if european is not None:
            eu.setdefault(model, european)
    for name in {score.model for score in scores}:
        entry = register.get(name.partition("#")[0])
        if entry is not None:
            eu.setdefault(name, entry.eu)
    return [
        score if score.eu is not None else score.model_copy(update={"eu": eu.get(score.model)})
        for score in scores
    ]


def _parsed(rows: Sequence[Row], place: str, date: str | None, source: str | None) -> Parsed:
    if is_collection(rows):
        return read_collection(rows, place)
    if not is_board(rows):
        raise UserInputError(place, "not a published leaderboard", _FORMS)
    if date is None:
        raise UserInputError(
            place, "a board does not tell its date", "Add --date with the day of the snapshot"
        )
    name = place if _is_address(place) else Path(place).name
    return read_board(rows, place, f"{source} {Path(place).name}" if source else name, date)


def _files(places: Iterable[str]) -> list[str]:
    """Put the CSVs of a folder in its place."""
    found: list[str] = []
    for place in places:
        folder = Path(place)
        if _is_address(place) or not folder.is_dir():
            found.append(place)
            continue
        inside = sorted(p for p in folder.iterdir() if p.name.endswith((".csv", ".csv.gz")))
        if not inside:
            raise UserInputError(place, "holds no CSV", _FORMS)
        found += [str(path) for path in inside]
    return found


def _is_address(place: str) -> bool:
    return "://" in place


def _rows(place: str) -> list[Row]:
    data = _fetched(place) if _is_address(place) else _from_disk(place)
    if data.startswith(_GZIP):
        data = _unpacked(data, place)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserInputError(place, f"not UTF-8 at byte {error.start}", _FORMS) from None
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        return [(reader.line_num, cells) for cells in reader if cells]
    except csv.Error as error:
        raise UserInputError(f"{place}:{reader.line_num}", f"no CSV ({error})", _FORMS) from None


def _from_disk(place: str) -> bytes:
    try:
        with Path(place).open("rb") as stream:
            return _limited(stream, place)
    except FileNotFoundError:
        raise UserInputError(place, "no such file", "Check the path") from None
    except OSError as error:
        raise UserInputError(
            place, f"cannot be read ({error.strerror})", "Check the path"
        ) from None


def _check_encrypted(address: str) -> None:
    """Refuse what somebody on the way could change; this machine's own servers are no way."""
    shown = urllib.parse.urlsplit(address)
    here = shown.scheme == "http" and shown.hostname in ("127.0.0.1", "::1", "localhost")
    if shown.scheme != "https" and not here:
        raise UserInputError(address, f"the scheme {shown.scheme!r} is not fetched", "Use https")


class _EncryptedRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a server to no place that would not be fetched when named."""

    def redirect_request(
        self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: str
    ) -> Any:
        _check_encrypted(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _fetched(address: str) -> bytes:
    _check_encrypted(address)
    try:
        opener = urllib.request.build_opener(_EncryptedRedirects)
        with opener.open(address, timeout=_TIMEOUT_SECONDS) as stream:
            return _limited(stream, address)
    except urllib.error.HTTPError as error:
        problem = f"the server answers {error.code} {error.reason}"
    except urllib.error.URLError as error:
        problem = f"cannot be fetched ({error.reason})"
    except (OSError, http.client.HTTPException, ValueError) as error:
        problem = f"cannot be fetched ({error})"
    raise UserInputError(address, problem, "Check address and network, or give a file")


def _limited(stream: IO[bytes] | gzip.GzipFile, place: str) -> bytes:
    data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise UserInputError(place, f"larger than {MAX_BYTES >> 20} MiB", _FORMS)
    return data


def _unpacked(data: bytes, place: str) -> bytes:
    try:
        with gzip.open(io.BytesIO(data)) as stream:
            return _limited(stream, place)
    except (OSError, EOFError, zlib.error) as error:
        raise UserInputError(place, f"broken gzip ({error})", "Fetch the file again") from None
