"""`skald corpus ablate`: the same small model on several corpora; which data helps?"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from skald_specs.errors import EXIT_DONE

from skald_cli import places
from skald_cli.parser import Verbs
from skald_cli.scratch import scratch_of_workers

if TYPE_CHECKING:
    from skald_corpus.held_out import HeldOut
    from skald_specs.ablation import Ablation
    from skald_specs.corpus import CorpusManifest
    from skald_specs.recipe import Recipe

RESULT_FILE, PAGE_FILE = "ablation.json", "ablation.md"
_ITEMS_FILE, _RUNS = "items.jsonl", "runs"


def register(verbs: Verbs) -> None:
    """Add the verbs of this module."""
    # The group is the corpus station's; what it says of itself stands there.
    group = verbs.group("corpus")
    parser = group.add(
        "ablate",
        "train the same small model on several corpora and rank them",
        run,
        more="When you ask whether a filter, a source or a mixture earns its place. Reads built corpora "
        "of the same languages and a recipe for model and budget; trains every corpus with several "
        "seeds. Writes ablation.json and ablation.md with the ranks and how sure they are. Finished "
        "runs are kept: run it again to continue.",
        examples={
            "does the filter help? The baseline first": (
                "skald corpus ablate without/corpus with-filter/corpus --recipe recipes/own-text.yaml"
            ),
            "judged on text of your own, with five seeds": (
                "skald corpus ablate a/corpus b/corpus --recipe recipes/own-text.yaml --on held-out "
                "--seeds 5"
            ),
        },
    )
    parser.add_argument(
        "corpora", type=Path, nargs="+", metavar="CORPUS", help="built corpora, the baseline first"
    )
    parser.add_argument(
        "--recipe", type=Path, required=True, metavar="RECIPE", help="model and budget"
    )
    parser.add_argument(
        "--seeds", type=int, default=3, metavar="N", help="runs for each corpus, at least 2"
    )
    parser.add_argument(
        "--on",
        type=Path,
        metavar="DIR",
        help="text to score on, one folder a language; none: the first corpus' validation text",
    )
    parser.add_argument(
        "--pairs", type=Path, metavar="DIR", help="minimal pairs, <language>.jsonl or .jsonl.gz"
    )
    parser.add_argument(
        "--out", type=Path, default=places.ABLATION, metavar="DIR", help="folder to write"
    )


def run(args: argparse.Namespace) -> int:
    """Train, score, compare; write `ablation.json` and `ablation.md`."""
    from skald_process.recording import recorded
    from skald_specs.files import write_json, write_text
    from skald_specs.recipe import Recipe

    recipe = Recipe.load(args.recipe)
    with recorded("ablate", recipe.name) as facts:
        from skald_report.corpora.ablation_page import render

        result = ablate(recipe, args.corpora, args.seeds, args.on, args.pairs, args.out)
        write_json(args.out / RESULT_FILE, result.model_dump(mode="json"))
        write_text(args.out / PAGE_FILE, render(result))
        facts["tokens_seen"] = len(result.corpora) * args.seeds * result.horizon_tokens
    for corpus in sorted(result.corpora, key=lambda corpus: (corpus.rank, corpus.bits_per_byte)):
        print(f"{corpus.rank}. {corpus.name}  {corpus.bits_per_byte:.4f} bits/byte")
    print(f"{args.out / PAGE_FILE}")
    return EXIT_DONE


def ablate(
    recipe: Recipe,
    folders: Sequence[Path],
    n_seeds: int,
    on: Path | None,
    pairs: Path | None,
    out: Path,
) -> Ablation:
    """Train the recipe's model on every corpus and compare them.

    Args:
        recipe: Model, budget and settings; its corpus block is not read.
        folders: Built corpora, the baseline first.
        n_seeds: Runs for each corpus; seeds count from 1.
        on: Held-out text; None for the first corpus' validation text.
        pairs: Minimal pairs, or None.
        out: Folder for the items and the finished runs.

    Raises:
        UserInputError: The corpora cannot be compared, or the text is none that was held out.
        ClaimError: A run diverged.
    """
    from skald_planner.plans.ablation import ablation_plan, check_comparable
    from skald_report.corpora.ablation import Trained, conclude
    from skald_specs.corpus import load_corpus
    from skald_specs.errors import UserInputError
    from skald_specs.files import write_jsonl
    from skald_trainer.ablation import Job, run_ablation

    if len(folders) < 2:
        raise UserInputError("corpora", "one alone", "Name two or more, the baseline first")
    if n_seeds < 2:
        raise UserInputError(
            "--seeds", f"{n_seeds} tells nothing of how much runs differ", "Use 2 or more"
        )
    named = dict(zip(names(folders), folders, strict=True))
    manifests = {name: load_corpus(folder) for name, folder in named.items()}
    check_comparable(recipe, manifests)
    seeds = range(1, n_seeds + 1)
    jobs = [
        Job(ablation_plan(recipe, name, manifests[name], seed), folder)
        for name, folder in named.items()
        for seed in seeds
    ]
    held_out = _held_out(recipe, {named[name]: m for name, m in manifests.items()}, on, pairs)
    rows = (item.model_dump(mode="json") for item in held_out.items)
    write_jsonl(out / _ITEMS_FILE, rows)
    with scratch_of_workers():
        runs = run_ablation(jobs, out / _ITEMS_FILE, out / _RUNS)
    first = next(iter(named))
    return conclude(
        recipe,
        jobs[0].plan.identity.n_params_total.value,
        seeds,
        f"the text of {on}" if on else f"the validation text of the first corpus, {first}",
        held_out.items,
        held_out.texts,
        {
            name: Trained(
                manifests[name],
                jobs[at * n_seeds].plan.epochs,
                runs[at * n_seeds : (at + 1) * n_seeds],
            )
            for at, name in enumerate(named)
        },
    )


def names(folders: Sequence[Path]) -> list[str]:
    """Name corpora by the shortest ends of their paths that tell them apart.

    Args:
        folders: The folders.

    Raises:
        UserInputError: A folder is named twice.
    """
    from skald_specs.errors import UserInputError

    whole = [folder.resolve() for folder in folders]
    if twice := next((folder for folder in whole if whole.count(folder) > 1), None):
        raise UserInputError(str(twice), "named twice", "Name different corpora")
    length = 1
    while len({folder.parts[-length:] for folder in whole}) < len(whole):
        length += 1
    return ["/".join(folder.parts[-length:]) for folder in whole]


def _held_out(
    recipe: Recipe, corpora: dict[Path, CorpusManifest], on: Path | None, pairs: Path | None
) -> HeldOut:
    from skald_corpus.held_out import (
        held_out_text,
        limited,
        read_pairs,
        unseen,
        validation_text,
    )
    from skald_specs.errors import UserInputError

    tags = sorted(recipe.mixture)
    folder, manifest = next(iter(corpora.items()))
    documents = {
        tag: held_out_text(on, tag) if on else validation_text(folder, manifest, tag)
        for tag in tags
    }
    items = [item for tag in tags for item in limited(documents[tag])]
    found = [pair for tag in tags for pair in read_pairs(pairs, tag)] if pairs else []
    if pairs and not found:
        raise UserInputError(
            str(pairs), f"no pairs in {', '.join(tags)}", "Put <language>.jsonl files there"
        )
    return unseen([*items, *found], corpora)
