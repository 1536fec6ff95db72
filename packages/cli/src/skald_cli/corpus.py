"""`skald corpus`: write data/, check it against its pin, build the shards."""

from __future__ import annotations

import argparse
from pathlib import Path

from skald_specs.errors import EXIT_DONE, UserInputError

from skald_cli import corpora, places
from skald_cli.parser import Verbs


def register(verbs: Verbs) -> None:
    """Add the verbs of this module."""
    group = verbs.group(
        "corpus",
        "text in, tokenizer and shards out; or what is known of them",
        "The first station. A recipe's text is built as it is; a sources file of real text goes "
        "through rights, language, quality, personal data, duplicates and evaluation items first.",
    )
    parser = group.add(
        "generate",
        "write the synthetic sources and evaluation items of the miniature",
        run_generate,
        more="Once for a checkout, before anything else; `nox -s data` does it for you. Reads nothing "
        "and needs no network. Writes one folder a language, and the items of the suite `core`.",
        examples={
            "write data/ if it is missing, and check it against its pin": (
                "skald corpus generate --pin data.dvc"
            ),
            "into a folder of your own": "skald corpus generate --out build/data",
        },
    )
    parser.add_argument(
        "--out", type=Path, default=places.DATA, metavar="DIR", help="folder to write"
    )
    parser.add_argument(
        "--pin",
        type=Path,
        metavar="FILE",
        help="a .dvc file: generate only if the folder is missing, then refuse it unless its bytes "
        "are the pinned ones",
    )
    parser = group.add(
        "build",
        "make a corpus: tokenizer and shards of a recipe's text, or of a sources file",
        run_build,
        more="Before a sweep and a training. Reads a recipe and its text, one folder a language, or a "
        "sources file, which names texts and their licences (docs/data.md; sources/ has ready-made "
        "ones). Writes tokenizer.json, *.ds and corpus.json; of a sources file also a folder for each "
        "stage with what it removed and why, and a data card. Interrupted, it starts again at the "
        "stage it was in.",
        examples={
            "the miniature's corpus": "skald corpus build recipes/mini-proxy.yaml",
            "your own text, one folder a language": (
                "skald corpus build recipes/own-text.yaml --source my-text --out my-corpus"
            ),
            "real text through every filter": (
                "skald corpus build sources/wikipedia.yaml --workers 8"
            ),
        },
    )
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="a recipe, or a sources file (docs/data.md)"
    )
    parser.add_argument(
        "--source", type=Path, metavar="DIR", help="recipe: text folder, instead of the recipe's"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help=f"folder to write ({places.CORPUS}, or {places.CORPORA}/NAME for sources)",
    )
    parser.add_argument(
        "--items",
        type=Path,
        nargs="+",
        metavar="PATH",
        help="recipe: evaluation items to look for in the training text: folders, or lists that "
        f"`skald evals items` wrote; none: {places.ITEMS}, if it is there",
    )
    parser.add_argument(
        "--stage",
        choices=corpora.ALL_STAGES,
        metavar="STAGE",
        help=f"sources: run this stage alone ({', '.join(corpora.ALL_STAGES)})",
    )
    parser.add_argument(
        "--workers", type=int, default=0, metavar="N", help="sources: processes (0: one a core)"
    )
    parser.add_argument(
        "--engine",
        default="local",
        metavar="WHAT",
        help="sources: what runs the parts: local, datatrove, or a YAML file of Slurm settings; the "
        "bytes are the same",
    )
    parser.add_argument(
        "--keep-going",
        action="store_true",
        help="sources: leave out what cannot be read, and write it down, instead of stopping",
    )
    parser = group.add(
        "contamination",
        "look for more evaluation items in a built corpus",
        run_contamination,
        more="When a suite was added after the corpus was built. Reads the shards and the items; adds "
        "what it finds to decontamination.json and clean-subset.json beside the shards, which stay as "
        "they are. `skald evaluate` reads both.",
        examples={
            "items of a suite of others, then the search": (
                "skald corpus contamination build/hub.jsonl.gz --corpus artifacts/corpus"
            )
        },
    )
    parser.add_argument(
        "items", type=Path, nargs="+", metavar="PATH",
        help="lists that `skald evals items` wrote, or folders of items",
    )  # fmt: skip
    parser.add_argument(
        "--corpus", type=Path, default=places.CORPUS, metavar="DIR", help="built corpus"
    )
    parser = group.add(
        "why",
        "tell what each stage did with one document, and why",
        run_why,
        more="When a document is missing, or should be. Reads the stages' folders that "
        "`skald corpus build SOURCES` wrote; writes nothing.",
        examples={
            "by source and id": "skald corpus why artifacts/corpora/nordic avis/4711",
            "by where it stood": "skald corpus why artifacts/corpora/nordic da.jsonl:12",
        },
    )
    parser.add_argument("corpus", type=Path, metavar="DIR", help="what `build SOURCES` wrote")
    parser.add_argument("id", metavar="ID", help="<source>/<id>, or the file:line it stood at")


def run_generate(args: argparse.Namespace) -> int:
    """Write data/ when asked or missing; with a pin, check it."""
    if args.pin is None or not args.out.exists():
        from skald_process.recording import recorded

        with recorded("data", "generate"):
            from skald_corpus.generate import generate
            from skald_process.progress import part

            with part("writing text and items"):
                generate(args.out)
        print(f"{args.out}/ written")
    if args.pin is not None:
        from skald_corpus.pin import verify

        verify(args.out, args.pin)
        print(f"{args.out}/ is what {args.pin} pins")
    return EXIT_DONE


def run_build(args: argparse.Namespace) -> int:
    """Build a corpus of a recipe or of sources, as the file says."""
    from skald_specs.files import read_yaml

    value = read_yaml(args.file)
    if isinstance(value, dict) and "sources" in value:
        return _build_sources(args, value)
    given = {"stage": args.stage, "keep-going": args.keep_going, "workers": args.workers}
    given["engine"] = args.engine != "local"
    for flag, value in given.items():
        if value:
            raise UserInputError(
                f"--{flag}",
                "is for a sources file, not for a recipe",
                "Leave it out",
            )
    return _build_recipe(args)


def _build_recipe(args: argparse.Namespace) -> int:
    """Build tokenizer, shards and corpus.json; look for evaluation items in the training text."""
    from skald_process.recording import recorded
    from skald_specs.decontamination import REPORT_FILE, DecontaminationReport
    from skald_specs.recipe import Recipe

    recipe = Recipe.load(args.file)
    out = args.out or places.CORPUS
    with recorded("corpus", recipe.name):
        from skald_corpus.build import build
        from skald_corpus.decontaminate.report import finding, read_items
        from skald_process.progress import part

        source = Path(recipe.corpus.source) if args.source is None else _source(args.source)
        named = args.items or ([places.ITEMS] if places.ITEMS.is_dir() else [])
        with part("reading evaluation items"):
            items = [item for path in named for item in read_items(path)]
        manifest = build(recipe, source, out, items)
    tokens = sum(shard.n_tokens for shard in manifest.shards)
    print(f"{out}: {len(recipe.corpus.languages)} languages, {tokens:,} tokens")
    if items:
        print(f"{out}: {finding(DecontaminationReport.load(out / REPORT_FILE))}")
    else:
        print(f"{out}: not searched for evaluation items; name some with --items")
    return EXIT_DONE


def _source(folder: Path) -> Path:
    """Refuse what cannot hold one folder a language; what is wrong in those, the corpus says."""
    from skald_specs.languages import BY_TAG

    if folder.exists() and not folder.is_dir():
        raise UserInputError(
            str(folder), "a file, not a folder of text", "Name a folder with one folder a language"
        )
    if folder.is_dir() and not any(path.is_dir() for path in folder.iterdir()):
        above = folder.resolve().parent
        of_one = folder.resolve().name in BY_TAG
        raise UserInputError(
            str(folder),
            "the folder of one language" if of_one else "holds no folder of a language",
            f"Name the folder above it, {above}"
            if of_one
            else "Put the text of each into one, as da/",
        )
    return folder


def _build_sources(args: argparse.Namespace, value: dict[str, object]) -> int:
    from skald_process.recording import recorded

    for flag in ("source", "items"):
        if getattr(args, flag):
            raise UserInputError(
                f"--{flag}", "is for a recipe; a sources file names its own", "Leave it out"
            )
    if args.workers < 0:
        raise UserInputError("--workers", f"{args.workers} processes", "Give 0 or more")
    name = str(value.get("name"))
    out = args.out or places.CORPORA / name
    stages = [args.stage] if args.stage else list(corpora.ALL_STAGES)
    with recorded("corpus", name):
        corpora.build(args.file, out, stages, args.workers, args.keep_going, args.engine)
    print(f"{out}: written")
    return EXIT_DONE


def run_contamination(args: argparse.Namespace) -> int:
    """Add to decontamination.json and clean-subset.json what the training shards have."""
    from skald_corpus.contamination import search_built
    from skald_corpus.decontaminate.report import finding, read_items
    from skald_process.progress import part

    items = [item for path in args.items for item in read_items(path)]
    with part(f"looking for {len(items):,} items"):
        report = search_built(args.corpus, items)
    print(f"{args.corpus}: {finding(report)}")
    return EXIT_DONE


def run_why(args: argparse.Namespace) -> int:
    """Tell what each stage did with a document."""
    from skald_corpus.pipeline.why import why

    if not args.corpus.is_dir():
        raise UserInputError(
            str(args.corpus), "no such folder", "Name one that `skald corpus build SOURCES` wrote"
        )
    for line in why(args.corpus, args.id):
        print(line)
    return EXIT_DONE
