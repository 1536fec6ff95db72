"""Mixtures: worked examples, the table, and each refusal in one line."""

import pytest
from skald_corpus.mixture import mix, unimax
from skald_specs.errors import UserInputError
from skald_specs.mixture import MixtureRule

TOKENS = {"de": 1000, "da": 100, "fo": 10}


def rule(method, max_epochs=4.0, **rest):
    return MixtureRule.check({"method": method, "max_epochs": max_epochs, **rest}, "mixture")


def test_unimax_by_hand():
    # fo: 10 x 4 = 40 of 600; the other 560 are halved, 280 each; da has 400, de 4,000.
    shares = unimax(TOKENS, 600, 4)
    assert shares == pytest.approx({"fo": 40 / 600, "da": 280 / 600, "de": 280 / 600})
    mixture = mix(TOKENS, rule("unimax"), 600)
    assert [row.language for row in mixture.languages] == ["da", "de", "fo"]
    assert [row.epochs for row in mixture.languages] == pytest.approx([2.8, 0.28, 4.0])
    assert mixture.table().splitlines()[-1].split() == ["fo", "10", "6.67%", "4.000"]


def test_given_weights_are_shares():
    given = rule("given", 10.0, weights={"de": 3, "da": 1, "fo": 0})
    assert mix(TOKENS, given, 100).shares == {"da": 0.25, "de": 0.75}


@pytest.mark.parametrize(
    ("chosen", "tokens", "budget", "message"),
    [
        (("temperature", {"alpha": 0.3}), TOKENS, 2000, "mixture.fo: its text would be read"),
        (("proportional", {}), TOKENS, 9000, r"\(3 languages are beyond it\)"),
        (("unimax", {}), TOKENS, 9000, "all text read 4 times is 4440"),
        (("given", {"weights": dict.fromkeys(TOKENS, 0)}), TOKENS, 9, "they sum to 0"),
        (
            ("given", {"weights": {"de": 1}}),
            TOKENS,
            9,
            "weights: no weight for text in da, fo. Give",
        ),
        (
            ("given", {"weights": dict.fromkeys((*TOKENS, "sv"), 1)}),
            TOKENS,
            9,
            "weights: a weight without text for sv. Give",
        ),
        (
            ("given", {"weights": {"sv": 1, "de": 1, "fo": 1}}),
            TOKENS,
            9,
            "no weight for text in da; a weight without text for sv",
        ),
        (("unimax", {}), {"xx": 5}, 9, "unknown language 'xx'"),
        (("unimax", {}), {"de": 5, "da": 0}, 9, "mixture.da: 0 tokens of text"),
        (("unimax", {}), {}, 9, "no language"),
        (("unimax", {}), TOKENS, 0, "a budget of 0 tokens"),
    ],
)
def test_refusals(chosen, tokens, budget, message):
    method, rest = chosen
    with pytest.raises(UserInputError, match=message) as error:
        mix(tokens, rule(method, **rest), budget)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("method", "rest", "message"),
    [
        ("temperature", {}, "needs `alpha`"),
        ("unimax", {"alpha": 0.5}, "does not take `alpha`"),
        ("given", {}, "needs `weights`"),
        ("temperature", {"alpha": 2}, "alpha"),
        ("given", {"weights": {"de": -1}}, "weights"),
        ("even", {}, "method"),
    ],
)
def test_rules_are_checked(method, rest, message):
    with pytest.raises(UserInputError, match=message):
        rule(method, **rest)


def test_one_token_is_a_budget_and_the_table_has_a_head():
    mixture = mix({"de": 5}, rule("unimax"), 1)
    assert mixture.shares == {"de": 1.0}
    assert mixture.table().splitlines()[0].split() == ["language", "tokens", "share", "epochs"]
    assert len({len(line) for line in mixture.table().splitlines()}) == 1
