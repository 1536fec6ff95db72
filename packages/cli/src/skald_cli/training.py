"""`skald train`, `checkpoint`, `export` and `generate`: from a plan to a model one can use."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from skald_specs.errors import EXIT_DONE

from skald_cli import places
from skald_cli.interrupts import leaving_at_once
from skald_cli.parser import Verbs

_FINAL = "final"


def register(verbs: Verbs) -> None:
    """Add the verbs of this module."""
    parser = verbs.add(
        "train",
        "train a plan, in any layout; run it again after a stop to continue",
        run_train,
        more="The fourth station. Reads a plan, which `skald plan predict` wrote, and the corpus it was "
        "made for. Writes metrics.jsonl, checkpoints/ and, at the end, final/ under the plan's name. "
        "After Ctrl-C, a kill or a lost node the same command goes on from the newest checkpoint. On a "
        "cluster: `skald launch`.",
        examples={
            "a baseline of the miniature": "skald train artifacts/plan/mini-7.8b.yaml",
            "on from a converted model": (
                "skald train build/start/plan.yaml --resume build/start --out build/runs"
            ),
        },
    )
    parser.add_argument("plan", type=Path, metavar="PLAN", help="a file under artifacts/plan/")
    parser.add_argument(
        "--corpus", type=Path, default=places.CORPUS, metavar="DIR", help="built corpus"
    )
    parser.add_argument(
        "--out", type=Path, default=places.RUNS, metavar="DIR", help="folder of all runs"
    )
    parser.add_argument(
        "--resume", type=Path, metavar="CHECKPOINT", help="continue from this very checkpoint"
    )

    group = verbs.group(
        "checkpoint",
        "look into checkpoints, check them, convert them from and to others' formats",
        "A checkpoint is a folder of safetensors with a manifest of checksums; no pickle is ever read.",
    )
    parser = group.add(
        "inspect",
        "print step, fingerprints, sizes and tensors",
        run_inspect,
        more="To see what a checkpoint is. Reads its manifest and headers, no weights; writes nothing.",
        examples={
            "a finished run": "skald checkpoint inspect artifacts/runs/mini-7.8b/final",
            "every tensor, for a program": (
                "skald checkpoint inspect artifacts/runs/mini-7.8b --json"
            ),
        },
    )
    parser.add_argument("checkpoint", type=Path, metavar="PATH", help="a checkpoint or a run")
    parser.add_argument("--json", action="store_true", help="print it as JSON, tensor by tensor")
    parser = group.add(
        "verify",
        "check every checksum, and every tensor against the plan",
        run_verify,
        more="After copying one, or when a disk is in doubt. Reads all of it; writes nothing.",
        examples={"a finished run": "skald checkpoint verify artifacts/runs/mini-7.8b"},
    )
    parser.add_argument("checkpoint", type=Path, metavar="PATH", help="a checkpoint or a run")
    parser = group.add(
        "convert",
        "turn a checkpoint into a Hugging Face folder, or a model of others into a start",
        run_convert,
        more="To use a checkpoint that is not final elsewhere, or to train on from a model of Hugging "
        "Face (Llama) or nanotron. Which of both follows from the source. Reads a checkpoint and the "
        "corpus' tokenizer, or a foreign model and a plan of its shape; writes a folder, and prints the "
        "command that trains on.",
        examples={
            "a checkpoint for Hugging Face": (
                "skald checkpoint convert artifacts/runs/mini-7.8b/final --out build/hf"
            ),
            "a foreign model as a start": (
                "skald checkpoint convert my-llama --plan artifacts/plan/mini-7.8b.yaml "
                "--out build/start"
            ),
        },
    )
    parser.add_argument("source", type=Path, metavar="SOURCE", help="what to convert; recognised")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where to")
    parser.add_argument(
        "--plan", type=Path, metavar="PLAN", help="for a start checkpoint: how to train on"
    )
    parser.add_argument(
        "--weights-dtype", choices=("float32", "bfloat16"), default="float32",
        help="for a Hugging Face folder: type of its weights",
    )  # fmt: skip
    parser.add_argument(
        "--corpus",
        type=Path,
        default=places.CORPUS,
        metavar="DIR",
        help="where a Hugging Face folder's tokenizer is",
    )

    parser = verbs.add(
        "export",
        "turn a finished run into a plain Hugging Face folder",
        run_export,
        more="The fifth station, after training. Reads a finished run and the corpus' tokenizer; folds "
        "the multipliers of muP into the weights, so that any program that reads a Llama reads it. "
        "Writes config.json, model.safetensors, tokenizer and model card under the plan's name.",
        examples={"a baseline of the miniature": "skald export artifacts/runs/mini-7.8b"},
    )
    parser.add_argument("folder", type=Path, metavar="RUN_OR_FINAL", help="a run's folder")
    parser.add_argument(
        "--corpus", type=Path, default=places.CORPUS, metavar="DIR", help="built corpus"
    )
    parser.add_argument(
        "--out", type=Path, default=places.EXPORTS, metavar="DIR", help="folder of all exports"
    )

    parser = verbs.add(
        "generate",
        "sample text from a run or an export",
        run_generate,
        more="To see what a model writes; the same seed gives the same text. Reads a run or an export; "
        "prints the text and writes nothing.",
        examples={
            "an export": 'skald generate artifacts/exports/mini-7.8b --prompt "De hond"',
            "another sample, shorter": (
                'skald generate artifacts/runs/mini-7.8b --prompt "Ik" --tokens 20 --seed 2'
            ),
        },
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="a run or an export")
    parser.add_argument("--prompt", required=True, metavar="TEXT", help="what to continue")
    parser.add_argument("--tokens", type=_count, default=64, metavar="N", help="how many to sample")
    parser.add_argument("--seed", type=_count, default=1, metavar="N", help="seed of the sampling")
    parser.add_argument(
        "--corpus",
        type=Path,
        default=places.CORPUS,
        metavar="DIR",
        help="where the tokenizer of a run lies",
    )


def run_train(args: argparse.Namespace) -> int:
    """Train into `<out>/<plan name>/`."""
    with leaving_at_once():
        from skald_process.recording import recorded
        from skald_specs.plan import Plan
        from skald_trainer.folder import RunFolder
        from skald_trainer.metrics import energy_joules
        from skald_trainer.train import train

    plan = Plan.load(args.plan)
    layout, identity = plan.execution, plan.identity
    with recorded("train", plan.name) as facts:
        train(plan, args.corpus, args.out / plan.name, args.resume)
        facts.update(
            plan_fingerprint=plan.fingerprint,
            layout={"dp": layout.dp, "tp": layout.tp, "pp": layout.pp},
            seeds={"model": identity.model_seed, "data": identity.data.seed},
            tokens_seen=identity.schedule.n_steps.value * identity.global_batch_tokens.value,
            energy_joules=energy_joules(RunFolder(args.out / plan.name).metrics),
        )
    print(f"{args.out / plan.name / _FINAL}")
    return EXIT_DONE


def run_inspect(args: argparse.Namespace) -> int:
    """Print what a checkpoint holds."""
    from skald_trainer.checkpoint_view import inspect, page

    facts = inspect(_final(args.checkpoint))
    print(json.dumps(facts, indent=2) if args.json else page(facts))
    return EXIT_DONE


def run_verify(args: argparse.Namespace) -> int:
    """Check a checkpoint's files and tensors."""
    from skald_process.progress import part
    from skald_trainer.checkpoint_view import verify_tensors

    folder = _final(args.checkpoint)
    with part("reading every byte"):
        manifest, n_tensors = verify_tensors(folder)
    print(
        f"{folder}: {len(manifest.sha256)} files as written, {n_tensors} tensors as planned, "
        f"step {manifest.step}"
    )
    return EXIT_DONE


def run_convert(args: argparse.Namespace) -> int:
    """Convert in the direction that the source asks for."""
    from skald_specs.checkpoint import MANIFEST_FILE, PLAN_FILE
    from skald_specs.errors import UserInputError
    from skald_specs.plan import Plan

    source = _final(args.source)
    if (source / MANIFEST_FILE).is_file():
        from skald_mup.export import export

        export(source, args.corpus, args.out, args.weights_dtype)
        print(f"{args.out}")
        return EXIT_DONE
    from skald_trainer.start import read_foreign, reads_other_tokens, write_start

    foreign = read_foreign(source)
    if args.plan is None:
        raise UserInputError(
            "--plan", "a start checkpoint needs a plan of the model's shape", "Name one with --plan"
        )
    write_start(foreign, Plan.load(args.plan), args.out)
    if reads_other_tokens(source, args.corpus):
        print(
            f"note: {source / 'tokenizer.json'} is not the tokenizer of {args.corpus}: on that corpus "
            "the model meets other tokens than it knows",
            file=sys.stderr,
        )
    print(f"skald train {args.out / PLAN_FILE} --resume {args.out}")
    return EXIT_DONE


def run_export(args: argparse.Namespace) -> int:
    """Export into `<out>/<plan name>/`."""
    from skald_process.recording import recorded
    from skald_specs.checkpoint import PLAN_FILE
    from skald_specs.errors import UserInputError
    from skald_specs.plan import Plan

    final = _final(args.folder)
    if not (final / PLAN_FILE).is_file():
        raise UserInputError(
            str(args.folder), "no finished run here", "Run `skald train` to its end"
        )
    plan = Plan.load(final / PLAN_FILE)
    with recorded("export", plan.name) as facts:
        from skald_mup.export import export
        from skald_process.progress import part

        with part("folding and writing weights"):
            export(final, args.corpus, args.out / plan.name)
        facts["plan_fingerprint"] = plan.fingerprint
    print(f"{args.out / plan.name}")
    return EXIT_DONE


def run_generate(args: argparse.Namespace) -> int:
    """Print sampled text."""
    from skald_specs.errors import UserInputError
    from skald_trainer.generate import generate

    model = _final(args.model)
    try:
        args.prompt.encode()
    except UnicodeEncodeError:
        raise UserInputError("--prompt", "not UTF-8", "Check the terminal's encoding") from None
    print(generate(model, args.prompt, args.tokens, args.seed, args.corpus))
    return EXIT_DONE


def _count(word: str) -> int:
    """Read a whole number from 0 to what a seed may be."""
    number = int(word)
    if not 0 <= number < 1 << 63:
        raise argparse.ArgumentTypeError(f"{word} is not a whole number from 0 to 2^63 - 1")
    return number


def _final(folder: Path) -> Path:
    """Take a run folder for its finished run, and any other folder for itself."""
    return folder / _FINAL if (folder / _FINAL).is_dir() else folder
