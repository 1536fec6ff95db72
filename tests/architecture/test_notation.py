"""docs/notation.md has every number that stands in a format of `skald_specs`, or the parts of its name."""

import importlib
import inspect
import pkgutil
import re

import skald_specs
from skald_specs.models import Spec
from support import ROOT

PAGE = (ROOT / "docs" / "notation.md").read_text(encoding="utf-8")
#: Words that say what they are, or whose values are text.
PLAIN = {
    "accuracy",
    "answer",
    "checkpoints",
    "data",
    "dtype",
    "ours",
    "theirs",
    "verdict",
    "version",
}


def numbers() -> set[str]:
    """Return the names of fields that hold numbers."""
    found = set()
    for module in pkgutil.walk_packages(skald_specs.__path__, "skald_specs."):
        for kind in vars(importlib.import_module(module.name)).values():
            if inspect.isclass(kind) and issubclass(kind, Spec):
                fields = kind.model_fields.items()
                found |= {n for n, f in fields if re.search("int|float", str(f.annotation))}
    return found


def told(page: str) -> tuple[set[str], re.Pattern[str]]:
    """Return the names that a page has, and a pattern of the parts that it explains."""
    parts = re.findall(r"`(\w*)\.\.\.(\w*)(\.*)`", page)
    patterns = [
        f"{before}.*" if before else f".*{after}.*" if dots else f".*{after}"
        for before, after, dots in parts
    ]
    return set(re.findall(r"`([a-zA-Z]\w*)`", page)), re.compile("|".join(patterns))


def untold(page: str) -> list[str]:
    names, parts = told(page)
    return sorted(n for n in numbers() - names - PLAIN if not parts.fullmatch(n))


def test_every_number_of_a_format_is_explained() -> None:
    assert untold(PAGE) == []


def test_a_missing_one_is_noticed() -> None:
    assert untold(PAGE.replace("`grad_clip`", "")) == ["grad_clip"]
    assert "cpu_seconds" in untold(PAGE.replace("`..._seconds`", ""))
