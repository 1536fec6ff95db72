"""`skald corpus`: write data/, check it against its pin, build the shards."""

from __future__ import annotations

import argparse
from pathlib import Path

from skald_specs.errors import EXIT_DONE

from skald_cli import places
from skald_cli.parser import Verbs


def register(verbs: Verbs) -> None:
    """Add the verbs of this module."""
    group = verbs.group("corpus", "generate the synthetic sources, build shards from any sources")
    parser = group.add("generate", "write the synthetic sources and evaluation items", run_generate)
    parser.add_argument("--out", type=Path, default=places.DATA, help="folder to write")
    parser.add_argument(
        "--pin",
        type=Path,
        metavar="FILE",
        help="a .dvc file: generate only if the folder is missing, then refuse it unless its bytes "
        "are the pinned ones",
    )
    parser = group.add("build", "train the tokenizer and write token shards", run_build)
    parser.add_argument("recipe", type=Path, metavar="RECIPE", help="a file under recipes/")
    parser.add_argument(
        "--source", type=Path, metavar="DIR", help="text folder, instead of the recipe's"
    )
    parser.add_argument("--out", type=Path, default=places.CORPUS, help="folder to write")
    parser.add_argument(
        "--items",
        type=Path,
        nargs="+",
        metavar="PATH",
        help="evaluation items to look for in the training text: folders, or lists that `skald evals "
        f"items` wrote; none: {places.ITEMS}, if it is there",
    )


def run_generate(args: argparse.Namespace) -> int:
    """Write data/ when asked or missing; with a pin, check it."""
    if args.pin is None or not args.out.exists():
        from skald_specs.manifest import recorded

        with recorded("data", "generate"):
            from skald_corpus.generate import generate

            generate(args.out)
        print(f"{args.out}/ written")
    if args.pin is not None:
        from skald_corpus.pin import verify

        verify(args.out, args.pin)
        print(f"{args.out}/ is what {args.pin} pins")
    return EXIT_DONE


def run_build(args: argparse.Namespace) -> int:
    """Build tokenizer, shards and corpus.json; look for evaluation items in the training text."""
    from skald_specs.decontamination import REPORT_FILE, DecontaminationReport
    from skald_specs.manifest import recorded
    from skald_specs.recipe import Recipe

    recipe = Recipe.load(args.recipe)
    with recorded("corpus", recipe.name):
        from skald_corpus.build import build
        from skald_corpus.decontaminate.report import finding, read_items

        source = args.source if args.source is not None else Path(recipe.corpus.source)
        named = args.items or ([places.ITEMS] if places.ITEMS.is_dir() else [])
        items = [item for path in named for item in read_items(path)]
        manifest = build(recipe, source, args.out, items)
    tokens = sum(shard.n_tokens for shard in manifest.shards)
    print(f"{args.out}: {len(recipe.corpus.languages)} languages, {tokens:,} tokens")
    if items:
        print(f"{args.out}: {finding(DecontaminationReport.load(args.out / REPORT_FILE))}")
    else:
        print(f"{args.out}: not searched for evaluation items; name some with --items")
    return EXIT_DONE
