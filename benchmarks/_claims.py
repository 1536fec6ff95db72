"""`nox -s claims`: all that was measured, in one file (docs/claims.json) and on one page (docs/claims.md).

Takes what `nox -s prove` and `nox -s bench` left under build/ into docs/claims.json, where what they did
not measure stays as it was, and writes the page from that file alone. Of runs of less than the whole claim it
takes those that have the options of `nox -s all`, or none; they stand beside the whole claim, never for it.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from _conclude import PARTIAL
from _everything_steps import STEPS
from _options import Parser
from pydantic import TypeAdapter
from skald_specs.circumstances import Circumstances
from skald_specs.claims import Measure
from skald_specs.files import write_json
from skald_specs.models import Spec

Verb = Literal["prove", "bench"]
ROOT = Path(__file__).parents[1]
DATA = ROOT / "docs" / "claims.json"
PAGE = ROOT / "docs" / "claims.md"
#: Measures the run of all the others, so no other run may begin it.
EVERYTHING = ROOT / "benchmarks" / "_everything.py"
#: What a folder under build/ is called, and what its scripts are called by.
FOLDERS: dict[str, Verb] = {"proofs": "prove", "bench": "bench"}
#: Options that change nothing of what is measured.
_HARMLESS = ("--allow-missing", "--keep")
#: Where the scripts lie.
SCRIPTS: dict[Verb, Path] = {"prove": ROOT / "benchmarks" / "proofs", "bench": ROOT / "benchmarks"}
#: The scripts as the stations come; what belongs to none of them is last.
STATIONS = (
    "data", "ablation", "scale", "corpus", "mup", "sweep", "transfer", "plan", "train", "gpu_train",
    "parallel", "faults", "interrupts", "nodes", "evaluate", "report", "cycle", "fuzz", "rough", "all",
)  # fmt: skip


class Script(NamedTuple):
    """A proof or a benchmark: how it is called, and what it says of itself."""

    verb: Verb
    name: str
    about: str
    path: Path

    @property
    def key(self) -> str:
        """Its section's anchor."""
        return f"{self.verb}-{self.name}"

    @property
    def command(self) -> str:
        """What a reader types."""
        return "nox -s all" if self.path == EVERYTHING else f"nox -s {self.verb} -- {self.name}"


class Claim(Spec):
    """What one script measured; `run` is None where nobody wrote down how it ran.

    `partial`: it was asked for less than what is claimed; `run` says for what.
    """

    verb: Verb
    name: str
    run: Circumstances | None
    measures: tuple[Measure, ...]
    partial: bool = False

    @property
    def script(self) -> str:
        """The key of its script."""
        return f"{self.verb}-{self.name}"

    @property
    def key(self) -> str:
        """Its section's anchor."""
        return partial_key(self.script) if self.partial else self.script

    @property
    def asked(self) -> tuple[str, ...]:
        """The options that decide what is measured."""
        words = () if self.run is None else self.run.arguments
        return tuple(word for word in words if word not in _HARMLESS)


def partial_key(script: str) -> str:
    """Return the anchor of the section for less than a script's whole claim."""
    return f"{script}-{PARTIAL}"


def scripts() -> list[Script]:
    """Return every script that ends in measured claims, in reading order."""
    found = [_script("bench", "all", EVERYTHING)]
    for verb, folder in SCRIPTS.items():
        for path in folder.glob("[a-z]*.py"):
            if "conclude(" in path.read_text(encoding="utf-8"):
                found.append(_script(verb, path.stem, path))
    return sorted(found, key=lambda script: (_place(script.name), script.verb == "bench"))


def _script(verb: Verb, name: str, path: Path) -> Script:
    head = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n\n")[0]
    return Script(verb, name, re.sub(r"^`nox -s [^`]*`: ", "", head.replace("\n", " ")), path)


def _place(name: str) -> int:
    return STATIONS.index(name) if name in STATIONS else len(STATIONS)


def anchor(key: str, measure: str) -> str:
    """Return the anchor of a row, made of the words of its measure.

    Args:
        key: That of its section.
        measure: The row's own name; it holds no figure that another run would change.
    """
    return f"{key}-{'-'.join(re.findall(r'[a-z0-9]+', measure.lower()))}"


def read(path: Path = DATA) -> list[Claim]:
    """Read what was measured; nothing where there is no file."""
    if not path.is_file():
        return []
    return TypeAdapter(list[Claim]).validate_json(path.read_text(encoding="utf-8"))


def gathered(build: Path, known: Sequence[Claim]) -> list[Claim]:
    """Return what was measured, with what lies under build/ in the place of what is known.

    Args:
        build: The folder with `proofs/` and `bench/`.
        known: What was measured before; scripts that are no more are left out.
    """
    claims = {claim.key: claim for claim in known}
    for claim in _built(build):
        claims[claim.key] = claim
    keys = [key for script in scripts() for key in (script.key, partial_key(script.key))]
    return [claims[key] for key in keys if key in claims]


def _built(build: Path) -> Iterator[Claim]:
    for folder, verb in FOLDERS.items():
        yield from _in_folder(build / folder, verb, partial=False)
        for claim in _in_folder(build / folder / PARTIAL, verb, partial=True):
            if claim.asked in ((), _asked_by_all(claim.script)):
                yield claim


def _in_folder(folder: Path, verb: Verb, partial: bool) -> Iterator[Claim]:
    for path in sorted(folder.glob("*.json")):
        if not path.name.endswith(".run.json"):
            ran = path.with_suffix(".run.json")
            yield Claim(
                verb=verb,
                name=path.stem,
                run=Circumstances.load(ran) if ran.is_file() else None,
                measures=tuple(TypeAdapter(list[Measure]).validate_json(path.read_bytes())),
                partial=partial,
            )


def _asked_by_all(script: str) -> tuple[str, ...]:
    """Return the options that `nox -s all` gives a script."""
    return next((step.command[1:] for step in STEPS if step.name == script), ())


def write(claims: Sequence[Claim]) -> None:
    """Write the file and the page."""
    from _claims_page import page

    # Said where it is so, that a claim looks as ever.
    rows = [c.model_dump(mode="json", exclude=None if c.partial else {"partial"}) for c in claims]
    write_json(DATA, rows)
    PAGE.write_text(page(claims, scripts()), encoding="utf-8")


def main(words: Sequence[str]) -> int:
    """Gather from build/, or from the folders named, and write file and page."""
    parser = Parser(prog="nox -s claims --", description=__doc__, allow_abbrev=False)
    parser.add_argument("folders", nargs="*", default=["build"], help="folders like build/")
    claims = read()
    for build in parser.read(words).folders:
        claims = gathered(Path(build), claims)
    write(claims)
    print(f"{sum(len(claim.measures) for claim in claims)} rows of {len(claims)} scripts: {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
