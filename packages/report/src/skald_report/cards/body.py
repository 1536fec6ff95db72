"""The text of a model card: what the model is, what it read, how it scores, what it is not for, what it took.

Every figure is one of the report's tables or of the plan. What is not known is said in its place.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
from skald_specs import __version__
from skald_specs.controls import RANDOM_INIT
from skald_specs.modelcard import BASE_MODEL, facts, introduction
from skald_specs.plan import COVERED, Plan
from skald_specs.records import EvaluatedModel

from skald_report.page.formatting import interval, join, language_name
from skald_report.page.markdown import escape
from skald_report.reading.inputs import Sources
from skald_report.tables.cells import AGAINST_CHANCE
from skald_report.tables.clean import searched_items
from skald_report.tables.data import is_generated
from skald_report.tables.models import task_checks
from skald_report.tables.table import MACRO, Table

#: Titles of a card's sections, in their order.
SECTIONS = (
    "What it is", "Training text", "Training", "Evaluation", "Intended use", "Limits",
    "Energy and compute", "How to make it again",
)  # fmt: skip


class Card(NamedTuple):
    """What a card is made from.

    Attributes:
        name: The model.
        plan: What was trained.
        model: The export as it was evaluated.
        sources: The report's checked inputs.
        tables: The report's tables.
        scores: The rows of the scores that cards show, of all models.
        command: The command that makes the report again.
    """

    name: str
    plan: Plan
    model: EvaluatedModel
    sources: Sources
    tables: Mapping[str, Table]
    scores: pd.DataFrame
    command: str


def body(card: Card) -> str:
    """Return the Markdown below a card's metadata."""
    parts = [f"# {escape(card.name)}", introduction(card.plan), *_warning(card)]
    written = (_what, _text, _training, _evaluation, _use, _limits, _cost, _again)
    for title, section in zip(SECTIONS, written, strict=True):
        parts += [f"## {title}", *section(card)]
    return "\n\n".join(parts) + "\n"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], numbers: bool = True) -> str:
    rule = "---:" if numbers else "---"
    lines = [
        "| " + " | ".join(header) + " |",
        "|" + "|".join(["---", *[rule] * (len(header) - 1)]) + "|",
    ]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _own_corpus(card: Card) -> bool:
    corpus = card.sources.corpus
    return corpus is not None and corpus.fingerprint == card.plan.identity.data.corpus_fingerprint


def _synthetic(card: Card) -> bool:
    corpus = card.sources.corpus
    return corpus is not None and _own_corpus(card) and is_generated(corpus)


def _warning(card: Card) -> Iterator[str]:
    if _synthetic(card):
        yield (
            "> Trained on synthetic text of a small generator. The scores test the machinery that made the model; they "
            "say nothing about competence in any language."
        )


def _what(card: Card) -> Iterator[str]:
    rows = facts(card.plan, card.plan.identity.data.corpus_fingerprint)
    yield _table(("fact", "value"), rows, numbers=False)


def _text(card: Card) -> Iterator[str]:
    if not _own_corpus(card):
        yield "The corpus of this model is not the one that the report was given, so its amounts are not known."  # fmt: skip
        return
    data = {str(r["language"]): r for r in card.tables["data"].frame.to_dict("records")} if "data" in card.tables else {}  # fmt: skip
    rows = []
    for tag, share in card.plan.identity.data.mixture.items():
        row, times = data.get(tag), card.plan.epochs.get(tag)
        amounts = ["–"] * 3 if row is None else [f"{row[name]:,}" for name in ("n_documents", "n_bytes", "n_tokens")]  # fmt: skip
        rows.append((escape(language_name(tag)), *amounts, f"{share:.3f}",
                     "–" if times is None else f"{times:.2f}"))  # fmt: skip
    header = (
        "language",
        "documents",
        "UTF-8 bytes",
        "tokens",
        "share of training tokens",
        "times read",
    )
    yield _table(header, rows)
    corpus = card.sources.corpus
    assert corpus is not None
    yield (
        f"Source: {'synthetic text of Skald’s generator' if _synthetic(card) else 'the folder ' + escape(repr(corpus.recipe.source))}. "
        f"{_found_items(card.sources)}"
    )
    yield from _licences(card)


def _found_items(sources: Sources) -> str:
    """Say how many of the items that were asked the text has, by the same count as the report's page."""
    counts = searched_items(sources)
    if counts is None or sources.searched is None:
        return "Evaluation items were not looked for in it."
    if not counts.n_items:
        return "The evaluation items that were asked are none of those that were looked for in it."
    return (
        f"Of {counts.n_items:,} evaluation items looked for, {counts.n_found:,} were found "
        f"(policy: {sources.searched.rule.policy})."
    )


def own_controls(models: pd.DataFrame, name: str) -> list[str]:
    """Return the controls that stand beside a model: another model's untrained twin is none of them.

    Args:
        models: Frame of the table `models`: a row a model, with `model` and `role`.
        name: The model whose card it is.
    """
    controls = models.loc[(models["role"] == "control") & ~task_checks(models), "model"]
    return [c for c in controls if not c.startswith(RANDOM_INIT) or c == f"{RANDOM_INIT}{name}"]


def _licences(card: Card) -> Iterator[str]:
    if "data_licences" not in card.tables:
        yield "The licence of the text is not stated where the report could read it, so none is named for the model."  # fmt: skip
        return
    frame = card.tables["data_licences"].frame
    amounts = frame.groupby("licence")["n_bytes"].sum()
    parts = [f"{escape(str(licence))} ({amount:,} bytes)" for licence, amount in amounts.items()]
    yield f"Licences of the text, as its sources state them: {join(parts)}."


def _training(card: Card) -> Iterator[str]:
    it = card.plan.identity
    rate, schedule = it.optimizer.base_lr, it.schedule
    known = (
        f"{COVERED} interval {interval(*rate.interval, '.3g')}" if rate.interval else "no interval"
    )
    base = _base_shape(card.plan)
    decays = sorted({rule.weight_decay for rule in it.rules.values()})
    rows = [
        ("base learning rate", f"{rate.value:.6g}", f"{rate.standing}; {known}; {escape(rate.source)}"),
        ("batch", f"{it.global_batch_tokens.value:,} tokens", it.global_batch_tokens.standing),
        ("horizon", f"{it.horizon_tokens.value:,} tokens", it.horizon_tokens.standing),
        ("steps", f"{schedule.n_steps.value:,}", f"warmup {schedule.warmup_steps.value:,}, decay {schedule.decay_steps.value:,} "
         f"to {schedule.final_lr_fraction:g} of the peak"),
        ("muP base shape", base or "not in the plan", "the shape at which the base learning rate is expressed"),
        ("optimiser", "AdamW", f"betas {it.optimizer.beta1:g} and {it.optimizer.beta2:g}, clip {it.optimizer.grad_clip:g}, "
         f"weight decay {join(f'{d:g}' for d in decays)} by kind of tensor"),
        ("precision", it.dtype, "as computed; weights are kept in fp32"),
        ("seeds", f"{it.model_seed} and {it.data.seed}", "of the weights and of the data's order; one run"),
    ]  # fmt: skip
    yield _table(("quantity", "value", "where from"), rows, numbers=False)
    last = _last_validation(card)
    if last:
        parts = [f"{escape(language_name(tag))} {bits:.3f}" for tag, bits in last.items()]
        yield f"Validation loss at the end, bits per byte: {join(parts)}."


def _base_shape(plan: Plan) -> str:
    try:
        base = json.loads(plan.family)["parametrisation"]["base"]
        names = (("base_width", "width"), ("base_depth", "depth"), ("base_d_head", "head width"))
        return ", ".join(f"{said} {base[key]}" for key, said in names)
    except (ValueError, KeyError, TypeError):
        return ""


def _last_validation(card: Card) -> dict[str, float]:
    frame = card.sources.validation
    own = frame[frame["model"] == card.name]
    last = own[own["step"] == own["step"].max()]
    return dict(zip(last["language"].astype(str), last["bits_per_byte"].astype(float), strict=True))


def _evaluation(card: Card) -> Iterator[str]:
    beside = own_controls(card.tables["models"].frame, card.name)
    own = card.scores[card.scores["model"] == card.name]
    of_controls = card.scores[card.scores["model"].isin(beside)].to_dict("records")
    at = {(r["suite"], r["task"], r["language"], r["model"]): r for r in of_controls}
    rows = []
    for r in own.to_dict("records"):
        others = [at.get((r["suite"], r["task"], r["language"], name)) for name in beside]
        rows.append((
            escape(str(r["label"])), escape(_where(r)), f"{r['score']:.3f}", interval(r["low"], r["high"]),
            f"{r['n_items']:,}", "–" if math.isnan(r["chance"]) else f"{r['chance']:.2f}",
            *("–" if o is None else f"{o['score']:.3f}" for o in others),
        ))  # fmt: skip
    header = ("task", "language", "score", "95 % interval", "items", "chance", *map(escape, beside))
    yield _table(header, rows)
    versions = join(dict.fromkeys(s.lm_eval_version for s in card.sources.summaries))
    yield (
        "Score: accuracy, or bits per byte where the task says so (lower is better). Intervals by "
        f"{join(sorted(set(own['method'].astype(str))))} over groups of items that share a key; the mean over languages is unweighted. "
        "They cover the choice of items, not of seeds: one run was trained. Of tasks with few items a language the mean alone "
        f"is shown. lm-eval {versions}, scored by: {escape(card.model.scorer)}. The last columns are controls, which "
        "learnt nothing or only count; a score near theirs is no skill."
    )
    yield "Comparisons with other models, p values and every figure as CSV stand in the report that this card is part of."  # fmt: skip


def _where(row: Mapping[Any, Any]) -> str:
    tag = str(row["language"])
    return f"mean of {len(str(row['languages']).split())}" if tag == MACRO else language_name(tag)


def _use(card: Card) -> Iterator[str]:
    yield BASE_MODEL
    if _synthetic(card):
        yield (
            "Use it to check a pipeline from data to report. Do not use it to write or judge text of any "
            "language."
        )
    else:
        yield (
            "Use it for research on language models and as a baseline, in the languages it was trained on. Whether it serves "
            "another purpose has not been tested."
        )


def _limits(card: Card) -> Iterator[str]:
    trained = set(card.plan.identity.data.mixture)
    own = card.scores[(card.scores["model"] == card.name) & (card.scores["language"] != MACRO)]
    contest = set(own.loc[~own["kind"].isin(AGAINST_CHANCE), "language"])
    lines = []
    if _synthetic(card):
        lines.append("Its text is synthetic: what it knows of a language is what a generator of a few rules and words wrote.")  # fmt: skip
    if untested := sorted(trained - contest):
        lines.append(f"Trained on but not evaluated in: {join(map(language_name, untested))}.")
    lines += [
        "Other languages than those above were neither trained on nor evaluated.",
        f"It reads at most {card.plan.identity.model.seq_len} tokens at once.",
        "One training run with one seed: how far another seed would lie from these scores is not known from this card.",
        "Bias, toxicity, memorised personal data and safety were not measured.",
    ]
    yield "\n".join(f"- {escape(line)}" for line in lines)


def _cost(card: Card) -> Iterator[str]:
    frame = card.tables["cost"].frame
    r = frame[frame["model"] == card.name].to_dict("records")[0]
    planned = "not in the plan" if pd.isna(r["flops_train"]) else f"{r['flops_train']:.3g}"
    missing = r["measured"] or "not measured"
    rows = [
        ("training tokens", f"{r['tokens']:,}"),
        ("floating-point operations, by formula", planned),
        ("wall time, s", escape(missing) if pd.isna(r["wall_seconds"]) else f"{r['wall_seconds']:.1f}"),
        ("processor time, s", escape(missing) if pd.isna(r["cpu_seconds"]) else f"{r['cpu_seconds']:.1f}"),
        ("energy, kWh", escape(missing) if pd.isna(r["energy_kwh"])
         else f"{r['energy_kwh']:.3g} ({escape(r['energy_of'])})"),
        ("machine", " ".join(filter(None, (escape(r["hardware"]), escape(r["layout"])))) or "not known"),
    ]  # fmt: skip
    yield _table(("training run", "value"), rows)
    yield "The search for the learning rate and the evaluation are not in these figures; the report has them."


def _again(card: Card) -> Iterator[str]:
    yield f"In a checkout of Skald {__version__}:\n\n```\n{' '.join(card.command.split())}\n```"
    rows = [
        ("plan", card.plan.fingerprint),
        ("corpus", card.plan.identity.data.corpus_fingerprint),
        ("weights of the export", card.model.weights_sha256),
        ("tokenizer of the export", card.model.tokenizer_sha256),
    ]
    yield _table(("what", "SHA-256"), [(name, f"`{value}`") for name, value in rows], numbers=False)
