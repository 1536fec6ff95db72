"""A sources file as stages of DVC: writes `corpora/NAME/dvc.yaml` and runs it.

`python -m skald_cli.pipelining --from SOURCES.yaml`, for `nox -s data -- --from SOURCES.yaml`. Knows
which stage reads which files and which keys of the sources file, and which folder it writes; what has
to run is DVC's to say.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import yaml
from skald_specs.errors import EXIT_DONE, SkaldError, UserInputError
from skald_specs.files import read_text, read_yaml, write_text
from skald_specs.sources import SourcesFile
from skald_specs.stages import STAGES

from skald_cli import corpora, places
from skald_cli.parser import Parser

_CLI = "packages/cli/src/skald_cli"
#: What every stage's result comes from besides its input; constraints.txt says which libraries.
_CODE = (
    "constraints.txt",
    "packages/corpus/src",
    "packages/specs/src",
    *(f"{_CLI}/{name}.py" for name in ("places", "corpus", "corpora")),
)
_MADE_FROM = "# Made from "
_EDITS = "# Edits are lost: change the sources and run `nox -s data -- --from` again."
#: Beside `dvc.yaml`. DVC sees a value that changes, but not a key or file that is no longer named: what
#: the sources file leaves out and what its patterns match are values here.
INPUTS = "inputs.yaml"


class Compiled(NamedTuple):
    """A sources file as DVC is to have it.

    Args:
        name: The corpus.
        stages: Of `dvc.yaml`.
        inputs: Of `inputs.yaml`.
    """

    name: str
    stages: dict[str, Any]
    inputs: dict[str, Any]


@dataclass(frozen=True)
class Pipeline:
    """One sources file, and the places that its stages read and write.

    Args:
        path: The sources file.
        root: The checkout; paths below it are written relative to it, others as they are.
        keep_going: Whether ingest leaves out what cannot be read instead of stopping.
    """

    path: Path
    root: Path
    keep_going: bool = False

    def compiled(self) -> Compiled:
        """Return the stages, as `dvc.yaml` has them.

        Raises:
            UserInputError: The sources file is wrong, or a source has no file.
        """
        from skald_corpus.pipeline.ingest import source_files

        sources, given = SourcesFile.load(self.path), read_yaml(self.path)
        base = self.path.resolve().parent
        files = {
            source.id: [_plain(self.shown(path)) for path in source_files(source, base)]
            for source in sources.sources
            if source.hub is None
        }
        names = [
            stage
            for stage in corpora.ALL_STAGES
            if stage != corpora.SHARDS or sources.shards is not None
        ]
        stages = {stage: self._stage(stage, sources, given, files) for stage in names}
        left_out = {_flat(key) for name in names for key in _keys(name, sources, given)[1]}
        inputs = {"left_out": dict.fromkeys(sorted(left_out), True), "files": files}
        return Compiled(sources.name, stages, inputs)

    def _stage(
        self,
        stage: str,
        sources: SourcesFile,
        given: Mapping[str, Any],
        files: Mapping[str, list[str]],
    ) -> dict[str, Any]:
        out, me = places.CORPORA / sources.name, self.shown(self.path)
        command = ["skald", "corpus", "build", me, "--out", out.as_posix(), "--stage", stage]
        if stage == "ingest" and self.keep_going:
            command.append("--keep-going")
        base = self.path.resolve().parent
        deps = [*_CODE, *_made_before(stage, sources, out)]
        deps += [_plain(self.shown(base / name)) for name in _named(stage, sources) if name]
        params: list[dict[str, list[str] | None]] = []
        written, left_out = _keys(stage, sources, given)
        seen = [f"left_out.{_flat(key)}" for key in left_out]
        if stage in ("ingest", corpora.CARD):
            deps += [file for mine in files.values() for file in mine]
            seen.append("files")
        if stage == corpora.CARD:
            deps.append("packages/report/src")
            params.append({me: None})
        elif written:
            params.append({me: written})
        if seen:
            params.append({(places.PIPELINES / sources.name / INPUTS).as_posix(): seen})
        return {
            "wdir": "../..",
            "cmd": _plain(shlex.join(command)),
            "deps": list(dict.fromkeys(deps)),
            **({"params": params} if params else {}),
            "outs": _outs(stage, out),
        }

    def shown(self, path: Path) -> str:
        """Return a path as DVC is to know it: from the checkout, or absolute outside of it."""
        full = Path(os.path.normpath(path.absolute()))
        return (full.relative_to(self.root) if full.is_relative_to(self.root) else full).as_posix()


def write(pipeline: Pipeline) -> Path:
    """Write `corpora/NAME/dvc.yaml` unless it is there as it should be.

    Args:
        pipeline: What to write down.

    Returns:
        The file, relative to the checkout.

    Raises:
        UserInputError: The sources file is wrong, the file that stands there is somebody's own or of
            other sources, or the output folder holds other files.
    """
    name, stages, inputs = pipeline.compiled()
    folder = places.PIPELINES / name
    head = f"{_MADE_FROM}{pipeline.shown(pipeline.path)}"
    texts = {
        folder / file: f"{head}\n{_EDITS}\n"
        + yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=1000)
        for file, value in ((INPUTS, inputs), ("dvc.yaml", {"stages": stages}))
    }
    for path in texts:
        _check_ours(pipeline.root / path, path, head, pipeline.root)
    # DVC removes what stands where a stage writes; what is not ours is refused before.
    corpora.claim(pipeline.root / places.CORPORA / name, name)
    new = False
    for path, text in texts.items():
        target = pipeline.root / path
        if not target.is_file() or read_text(target) != text:
            write_text(target, text)
            new = True
    print(f"{folder}/dvc.yaml: {len(stages)} stages{' written' if new else ', as before'}")
    return folder / "dvc.yaml"


def _check_ours(target: Path, shown: Path, head: str, root: Path) -> None:
    if not target.is_file():
        return
    first = read_text(target).split("\n", 1)[0]
    if not first.startswith(_MADE_FROM):
        raise UserInputError(
            str(shown), "was not made by Skald and is not replaced", "Move it, or change `name`"
        )
    # Sources that were moved or renamed are the same sources.
    if first != head and (root / first.removeprefix(_MADE_FROM)).is_file():
        raise UserInputError(
            str(shown),
            f"belongs to {first.removeprefix(_MADE_FROM)}",
            "Change `name` in one of the two sources files",
        )


def _named(stage: str, sources: SourcesFile) -> Iterable[str | None]:
    """Return the files and folders of the user that a stage reads, but for the text itself."""
    language, quality = sources.language, sources.quality
    items = sources.decontamination.against if sources.decontamination else ()
    match stage:
        case "rights":
            return sources.rights.robots, sources.rights.ledger
        case "language" if language:
            return language.reference, language.glotlid
        case "quality" if quality:
            # Limits that are not derived are linted against the reference of the language stage.
            linted = language.reference if language and quality.reference is None else None
            return quality.thresholds, quality.reference, linted
        case "decontaminate":
            return [listed.path for listed in items]
        case corpora.SHARDS if sources.shards:
            # Items are looked for once more, in what is left.
            return [sources.shards.recipe, *(listed.path for listed in items)]
    return ()


def _keys(
    stage: str, sources: SourcesFile, given: Mapping[str, Any]
) -> tuple[list[str], list[str]]:
    """Return the keys of the sources file that a stage uses: those written there, those left out."""
    judged = sources.quality is not None
    linted = sources.quality is not None and sources.quality.reference is None
    uses: dict[str, tuple[str, ...]] = {
        # Ingest refuses a source whose licence is not allowed.
        "ingest": ("sources", "rights.allow_licences"),
        "rights": ("rights", "sources"),
        "language": ("language",),
        "quality": (
            "quality",
            *(("sources",) if judged else ()),
            *(("language.reference",) if linted else ()),
        ),
        "pii": ("pii",),
        # Without the key its default counts, as long as the block is there.
        "exact": (_nearest(given, "duplicates.exact"),),
        "near": (_nearest(given, "duplicates.near"),),
        "decontaminate": ("decontamination",),
        "split": ("validation_fraction",),
        corpora.SHARDS: ("shards", "decontamination.against"),
    }
    mine = uses.get(stage, ())
    return [key for key in mine if _has(given, key)], [key for key in mine if not _has(given, key)]


def _flat(key: str) -> str:
    # A dot would lead DVC into a block.
    return key.replace(".", "_")


def _nearest(given: Mapping[str, Any], key: str) -> str:
    return key if _has(given, key) else key.split(".")[0]


def _has(given: Mapping[str, Any], key: str) -> bool:
    block, _, rest = key.partition(".")
    inner = given.get(block)
    return block in given and (not rest or (isinstance(inner, Mapping) and rest in inner))


def _made_before(stage: str, sources: SourcesFile, out: Path) -> list[str]:
    """Return what a stage reads of the stages before it: the text and all overlays."""
    if stage == corpora.SHARDS:
        return [f"{out.as_posix()}/{STAGES[-1]}"]
    before = STAGES[: STAGES.index(stage)] if stage in STAGES else STAGES
    found = [f"{out.as_posix()}/{name}" for name in before]
    if stage == corpora.CARD and sources.shards:
        found += _outs(corpora.SHARDS, out)
    return found


def _outs(stage: str, out: Path) -> list[Any]:
    if stage == corpora.SHARDS:
        return [f"{out.as_posix()}/{name}" for name in corpora.SHARD_OUTPUTS]
    folder = f"{out.as_posix()}/{stage}"
    if stage != "ingest":
        return [folder]
    # Every stage asks for it, so it stays while ingest runs again, and is pulled with the rest.
    return [folder, {f"{out.as_posix()}/{corpora.MARKER}": {"persist": True}}]


def _plain(text: str) -> str:
    """Keep DVC from reading `${` in a name as one of its templates."""
    return text.replace("${", "\\${")


def _check_data(stages: Mapping[str, Any]) -> int:
    """Bring data/ to its pin where a stage reads it; DVC would take whatever lies there."""
    from skald_cli.main import main as skald
    from skald_cli.pull import pull_missing

    deps = [dep for stage in stages.values() for dep in stage["deps"]]
    if not any(Path(dep).is_relative_to(places.DATA) for dep in deps):
        return EXIT_DONE
    pull_missing(Path.cwd())
    return skald(["corpus", "generate", "--pin", str(places.PIN)])


def main(words: Sequence[str] | None = None) -> int:
    """Write the pipeline and hand over to DVC; an error is put into one line."""
    parser = Parser(prog="nox -s data --", description=__doc__)
    parser.add_argument(
        "--from",
        dest="path",
        type=Path,
        required=True,
        metavar="SOURCES.yaml",
        help="a sources file (docs/data.md)",
    )
    parser.add_argument("--keep-going", action="store_true", help="leave out what cannot be read")
    parser.add_argument("--no-run", action="store_true", help="write the pipeline, run nothing")
    args: argparse.Namespace = parser.parse_args(words)
    root = Path.cwd()
    try:
        if not (root / ".dvc").is_dir():
            raise UserInputError(str(root), "holds no .dvc", "Run this in the checkout's root")
        pipeline = Pipeline(args.path, root, args.keep_going)
        path = write(pipeline)
        if args.no_run:
            return EXIT_DONE
        if code := _check_data(pipeline.compiled().stages):
            return code
    except SkaldError as error:
        print(f"skald: {' '.join(str(error).split())}", file=sys.stderr)
        return error.exit_code
    return _become_dvc(path)


def _become_dvc(path: Path) -> NoReturn:
    sys.stdout.flush()
    # In place of this process: Ctrl-C then reaches DVC, which leaves its files in order.
    os.execv(sys.executable, [sys.executable, "-m", "dvc", "repro", str(path)])


if __name__ == "__main__":
    sys.exit(main())
