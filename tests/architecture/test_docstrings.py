"""A public function of two and more arguments says of each what its name and type do not."""

import ast
import re
from collections.abc import Iterator

import pytest
from support import ROOT

#: Methods that an engine calls, by the class of the engine that ours derives from: documented there.
ENGINES = {
    "nn.Module": {"forward"},
    "NanotronModel": {"forward"},
    "DistributedTrainer": {"pre_training", "train_step_logs"},
    "HFLM": {"tok_encode", "loglikelihood_rolling", "generate_until", "apply_chat_template"},
    "DynamicCache": {"update"},
    "yaml.CSafeLoader": {"construct_mapping"},
    "argparse.ArgumentParser": {"parse_known_args"},
}
#: What a protocol or a base says of a method is not said again: the docstring ends with its name.
ELSEWHERE = re.compile(r"See `(\w+)\.(\w+)`\.$")
ENTRY = re.compile(r"    \*{0,2}(\w+): ")


def described(doc: str) -> set[str]:
    """Return the arguments that the `Args:` block of a docstring names."""
    _, _, block = doc.partition("\nArgs:\n")
    lines = re.split(r"\n(?=\S)", block)[0].splitlines()
    return {found[1] for line in lines if (found := ENTRY.match(line))}


def public(tree: ast.Module) -> Iterator[tuple[str, set[str], str]]:
    """Yield the name, the arguments and the docstring of each public function and method."""
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    owners: list[ast.Module | ast.ClassDef] = [tree]
    owners += [node for node in classes if not node.name.startswith("_")]
    for owner in owners:
        bases = map(ast.unparse, owner.bases) if isinstance(owner, ast.ClassDef) else ()
        engines = set[str]().union(*(ENGINES.get(base, ()) for base in bases))
        for node in owner.body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if node.name.startswith("_") or node.name in engines:
                continue
            given = node.args
            named = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
            names = {one.arg for one in named if one is not None}
            public_names = {name for name in names - {"self", "cls"} if name.strip("_")}
            yield node.name, public_names, ast.get_docstring(node) or ""


def undescribed(code: str) -> list[str]:
    """Return the public functions of two and more arguments with those that no `Args:` names."""
    found = []
    for name, names, doc in public(ast.parse(code)):
        missing = names - described(doc)
        if len(names) > 1 and missing and not ELSEWHERE.search(doc):
            found.append(f"{name}({', '.join(sorted(missing))})")
    return found


def test_every_argument_is_described() -> None:
    modules = sorted(ROOT.glob("packages/*/src/**/*.py"))
    assert len(modules) > 200
    found = {
        str(path.relative_to(ROOT)): undescribed(path.read_text(encoding="utf-8"))
        for path in modules
    }
    assert {path: names for path, names in found.items() if names} == {}


def test_what_is_documented_elsewhere_is_documented_there() -> None:
    modules = [path.read_text(encoding="utf-8") for path in ROOT.glob("packages/*/src/**/*.py")]
    classes = {
        node.name: {name: doc for name, _, doc in public(ast.Module([node], []))}
        for module in modules
        for node in ast.parse(module).body
        if isinstance(node, ast.ClassDef)
    }
    docs = [doc for methods in classes.values() for doc in methods.values()]
    named = {found.groups() for doc in docs if (found := ELSEWHERE.search(doc))}
    assert ("LayerFactory", "column") in named
    for owner, method in named:
        assert not ELSEWHERE.search(classes[owner][method]), f"{owner}.{method}"


WHOLE = '''
def scaled(length_m, factor, *rest):
    """Return a length.

    Args:
        length_m: The length.
        factor: What it is multiplied with: never zero.
        *rest: More of these.

    Returns:
        factor: Another section names no argument.
    """
'''


@pytest.mark.parametrize(
    ("old", "new", "missing"),
    [
        ("        *rest: More of these.\n", "", "scaled(rest)"),
        ("    Args:\n", "", "scaled(factor, length_m, rest)"),
        ("length_m, factor, *rest", "length_m, factor, *rest, base", "scaled(base)"),
        ("        factor: What it is multiplied with: never zero.\n", "", "scaled(factor)"),
    ],
)  # fmt: skip
def test_a_forgotten_argument_is_noticed(old: str, new: str, missing: str) -> None:
    assert undescribed(WHOLE) == [] and WHOLE.count(old) == 1
    assert undescribed(WHOLE.replace(old, new)) == [missing]


def test_methods_are_looked_at_and_what_others_document_is_left_out() -> None:
    method = '    def show(self, step, fields):\n        """Show."""\n'
    assert undescribed(f"class Screen:\n{method}") == ["show(fields, step)"]
    assert undescribed(f"class _Screen:\n{method}") == []
    there, here = "See `Screen.show`.", "See `Screen.show`, and more."
    assert undescribed(f"class Lines:\n{method.replace('Show.', there)}") == []
    assert undescribed(f"class Lines:\n{method.replace('Show.', here)}") == ["show(fields, step)"]
    forward = method.replace("show", "forward")
    assert undescribed(f"class Block(nn.Module):\n{forward}") == []
    assert undescribed(f"class Block:\n{forward}") == ["forward(fields, step)"]
