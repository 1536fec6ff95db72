"""The terms that the page uses, in words for a reader who meets them here."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from skald_specs.sizes import SIZE_LIMITS

from skald_report.page.blocks import Block, Glossary, Term
from skald_report.page.formatting import join


def _classes() -> str:
    """Return the size classes in words, in billions of parameters."""
    *_, largest = limits = [f"{limit / 1e9:g}" for limit in SIZE_LIMITS[:-1]]
    between = (f"{low} to {high}" for low, high in pairwise(limits))
    return join([f"below {limits[0]}", *between, f"above {largest}"])


_TERMS = (
    Term(
        "95 % interval",
        "A range made so that, if the evaluation were repeated with other items of the same kind, 95 "
        "of 100 such ranges would hold the true value. It covers which items were drawn, not which "
        "seed a model was trained with.",
        r"95\s%(?: (?:sampling )?intervals?)?|(?:confidence )?intervals?",
    ),
    Term(
        "Base model",
        "A model trained to continue text and not tuned to follow instructions. It is judged by the "
        "probabilities that it gives to texts, since it has never been asked to answer.",
        r"[Bb]ase models?",
    ),
    Term(
        "Baseline",
        "A model trained here that others are compared with.",
        r"[Bb]aselines?",
    ),
    Term(
        "Benjamini and Hochberg (BH)",
        "A correction for exploring many comparisons: of those called different, at most 5 % are "
        "expected to be false. Used to point at candidates, never for a claim.",
        r"Benjamini(?: and |-)Hochberg|BH|false discovery rate",
    ),
    Term(
        "Bits per byte",
        "How many bits a model needs for one byte of a text it has not seen. Lower is better. Bytes do "
        "not depend on the tokenizer, so that models with different tokenizers can be compared.",
        r"[Bb]its per byte|bits/byte",
    ),
    Term(
        "Branch",
        "North (Danish, Swedish, Norwegian), West (German, Dutch, English, Frisian and others) or "
        "Insular (Icelandic, Faroese): the usual division of the Germanic languages.",
        r"[Bb]ranch(?:es)?",
    ),
    Term(
        "Chance level",
        "The score that guessing gets: one half between two choices, a quarter among four.",
        r"chance levels?",
    ),
    Term(
        "Chance-corrected score",
        "(score − chance) / (1 − chance): 0 is guessing, 1 is perfect, whatever the number of choices. "
        "Tasks with different chance levels can be averaged only in this form.",
        r"[Cc]hance-corrected(?: scores?)?|above chance",
    ),
    Term(
        "Cluster",
        "Items that share a key, such as one word or one template. They are right or wrong together, "
        "so that intervals count whole clusters and are wider than if items were independent.",
        r"[Cc]lusters?",
    ),
    Term(
        "Contamination",
        "Evaluation items that also stand in the training text. A model may have learnt them by heart, "
        "so that scores are also given without them.",
        r"[Cc]ontaminat(?:ion|ed)",
    ),
    Term(
        "Control",
        "Something that must score as expected if the evaluation works: a model that was never trained, "
        "one that only counts bytes, or a rule that answers without reading.",
        r"[Cc]ontrols?",
    ),
    Term(
        "Holm's correction",
        "A correction for making many comparisons at once: the chance of even one false claim in a "
        "family stays below 5 %.",
        r"Holm(?:'s correction)?",
    ),
    Term(
        "Horizon",
        "The number of tokens a model is trained on, fixed before training starts.",
        r"[Hh]orizons?",
    ),
    Term(
        "Language tag",
        "The short name of a language by BCP 47, such as `da` for Danish or `nb` for Norwegian Bokmål.",
    ),
    Term(
        "Mean over languages",
        "Tasks count equally within a language, and languages count equally. Only cells that all "
        "compared models have enter a mean.",
        r"mean over languages|macro-average",
    ),
    Term(
        "Minimum detectable effect (MDE)",
        "The smallest true difference that a comparison of this size would find in four of five cases, "
        "even at the strictest step of the correction for many tests. "
        "A tie says that the difference is likely smaller than this, not that there is none.",
        r"[Mm]inimum detectable effect|MDE|detectable effect",
    ),
    Term(
        "muP",
        "Maximal update parametrisation: rules by which initialisation and learning rates follow a "
        "model's width, so that what was tuned on a small model holds for a large one.",
    ),
    Term(
        "p value",
        "How often a difference at least this large would appear if the two models were equally good.",
        r"p values?",
    ),
    Term(
        "Protocol floor",
        "A score at or near chance because of how a benchmark asks, not because of what a model knows. "
        "Base models often stand there when they must answer with the letter of a choice.",
        r"protocol floors?|floor of the protocol",
    ),
    Term(
        "Seed noise",
        "How far scores of models trained in the same way differ when only the random seed does. A "
        "single seed cannot show it.",
        r"[Ss]eed noise",
    ),
    Term(
        "Signal-to-noise",
        "How far models lie apart on a task, divided by the largest noise known of one score. Whether "
        "two models differ is the paired test's to say, in which what is hard for both cancels.",
        r"[Ss]ignal-to-noise",
    ),
    Term(
        "Size class",
        f"Models with a similar number of parameters: {_classes()} "
        "billion (B). Only within a class is a comparison of quality one of equal cost in use.",
        r"[Ss]ize class(?:es)?",
    ),
    Term(
        "Student's t",
        "An interval or test from the standard error, here found by leaving out one cluster at a time. "
        "It is wider the fewer clusters decide the result.",
        r"(?:paired cluster t|[Pp]aired t|Student's t)",
    ),
    Term(
        "Tie",
        "Two models whose difference is not beyond noise after correction. It is a result of its own.",
        r"[Tt]ie[sd]?",
    ),
    Term(
        "Time transfer",
        "Rules by which the learning rate and the batch follow the number of tokens, fitted on short "
        "runs and used for long ones.",
        r"[Tt]ime transfer",
    ),
    Term(
        "Token",
        "A piece of text, often a word or a part of one, that a model reads and predicts as a unit.",
        r"[Tt]okens?",
    ),
    Term(
        "Wilson interval",
        "An interval for a share that holds also for few items and near 0 or 1.",
        r"Wilson(?: intervals?)?",
    ),
    Term(
        "Wording",
        "One of several ways to ask the same items. A task's score is the mean over them; the range is "
        "shown, the best is never picked.",
        r"[Ww]ordings?",
    ),
)


def glossary() -> Iterator[Block]:
    """Explain the terms."""
    yield Glossary(_TERMS)
