"""Shares of languages from their token counts: proportional, temperature, UniMax, or given.

Epochs are computed before anything is trained, and a mixture that repeats a language more often
than allowed is refused: a small language repeated sixty times is learned by heart.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from skald_specs.errors import UserInputError
from skald_specs.languages import language
from skald_specs.mixture import Mixture, MixtureRule, MixtureShare
from skald_specs.recipe import normalised

#: Relative room at the epoch cap, for shares that reach it exactly but for rounding.
_ROUNDING = 1e-9


def proportional(tokens: Mapping[str, int]) -> dict[str, float]:
    """Return shares in proportion to tokens.

    Args:
        tokens: Tokens of each language.
    """
    return temperature(tokens, 1.0)


def temperature(tokens: Mapping[str, int], alpha: float) -> dict[str, float]:
    """Return shares in proportion to tokens^alpha.

    Args:
        tokens: Tokens of each language.
        alpha: From 0 (uniform) to 1 (proportional).

    Source: Conneau and Lample 2019 (arXiv 1901.07291), section 3.1.
    """
    # Relative to the largest, so that no power overflows or loses the smallest.
    largest = max(tokens.values())
    return normalised({tag: (n / largest) ** alpha for tag, n in tokens.items()})


def unimax(tokens: Mapping[str, int], budget_tokens: int, max_epochs: float) -> dict[str, float]:
    """Return shares as equal as a cap on epochs allows.

    From the smallest language up, each gets an equal part of what is left of the budget, or
    `max_epochs` times its text where that is less.

    Args:
        tokens: Tokens of each language.
        budget_tokens: Tokens of the whole run.
        max_epochs: Most repeats of a language.

    Raises:
        UserInputError: All text together, repeated as often as allowed, is less than the budget.

    Source: Chung et al. 2023, UniMax (arXiv 2304.09151), algorithm 1. There the rest of a budget
    that cannot be spent is spent in the same shares, beyond the cap; here it is refused.
    """
    left, taken = float(budget_tokens), {}
    for rank, tag in enumerate(sorted(tokens, key=lambda tag: (tokens[tag], tag))):
        taken[tag] = min(left / (len(tokens) - rank), tokens[tag] * max_epochs)
        left -= taken[tag]
    if left > budget_tokens * _ROUNDING:
        most = int(sum(tokens.values()) * max_epochs)
        raise UserInputError(
            "mixture",
            f"{budget_tokens} tokens asked for, but all text read {max_epochs:g} times is {most}",
            "Lower the budget, raise max_epochs or add text",
        )
    return normalised(taken)


def mix(tokens: Mapping[str, int], rule: MixtureRule, budget_tokens: int) -> Mixture:
    """Compute a mixture, with share and epochs of each language.

    Args:
        tokens: Training tokens of each language, by BCP-47 tag.
        rule: The method and the cap on epochs.
        budget_tokens: Tokens of the whole run.

    Returns:
        The mixture; languages that were given the weight 0 are not in it.

    Raises:
        UserInputError: A language is unknown or has no text, the weights sum to 0 or name other
            languages, or a language would be read more often than `max_epochs`.
    """
    if budget_tokens < 1:
        raise UserInputError("mixture", f"a budget of {budget_tokens} tokens", "Ask for 1 or more")
    chosen = _chosen(tokens, rule)
    match rule.method:
        case "proportional":
            shares = proportional(chosen)
        case "temperature":
            assert rule.alpha is not None
            shares = temperature(chosen, rule.alpha)
        case "unimax":
            shares = unimax(chosen, budget_tokens, rule.max_epochs)
        case "given":
            assert rule.weights is not None
            shares = normalised({tag: rule.weights[tag] for tag in chosen})
    rows = [
        MixtureShare(
            language=tag,
            n_tokens=chosen[tag],
            share=share,
            epochs=share * budget_tokens / chosen[tag],
        )
        for tag, share in shares.items()
    ]
    _refuse_repeats(rows, rule.max_epochs)
    return Mixture(schema_version=1, rule=rule, budget_tokens=budget_tokens, languages=tuple(rows))


def _chosen(tokens: Mapping[str, int], rule: MixtureRule) -> dict[str, int]:
    """Return the token counts of the languages that take part."""
    if not tokens:
        raise UserInputError("mixture", "no language", "Name one or more")
    for tag in sorted({*tokens, *(rule.weights or {})}):
        language(tag, f"mixture.{tag}")
    weights = rule.weights
    if weights is not None:
        if set(weights) != set(tokens):
            sides = {
                "no weight for text in": sorted(set(tokens) - set(weights)),
                "a weight without text for": sorted(set(weights) - set(tokens)),
            }
            raise UserInputError(
                "mixture.weights",
                "; ".join(f"{side} {', '.join(tags)}" for side, tags in sides.items() if tags),
                "Give every language that has text a weight (0 leaves it out), and no other",
            )
        if math.fsum(weights.values()) == 0:
            raise UserInputError("mixture.weights", "they sum to 0", "Give one language a weight")
    chosen = {tag: n for tag, n in tokens.items() if weights is None or weights[tag] > 0}
    for tag, n in chosen.items():
        if n < 1:
            raise UserInputError(
                f"mixture.{tag}",
                f"{n} tokens of text",
                f"Add {tag} text, or leave the language out",
            )
    return chosen


def _refuse_repeats(rows: list[MixtureShare], max_epochs: float) -> None:
    worst = max(rows, key=lambda row: (row.epochs, row.language))
    if worst.epochs > max_epochs * (1 + _ROUNDING):
        beyond = sum(row.epochs > max_epochs * (1 + _ROUNDING) for row in rows)
        more = f" ({beyond} languages are beyond it)" if beyond > 1 else ""
        raise UserInputError(
            f"mixture.{worst.language}",
            f"its text would be read {worst.epochs:.1f} times, the cap is {max_epochs:g}{more}",
            f"Use unimax, lower the budget, raise max_epochs or add {worst.language} text",
        )
