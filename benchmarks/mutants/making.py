"""Mutants of a module: mutmut's operators, at every place where a change could show.

mutmut itself leaves constants, tables of data and decorated functions alone, which here are half of the
matter; see docs/decisions for why its operators are used without its runner.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators

#: Calls that are for the type checker alone, and calls whose arguments are words for a reader.
_STATIC_CALLS, _WORDS = {"cast", "TypeVar", "NewType"}, {"Basis"}


@dataclass(frozen=True)
class Mutant:
    """One change of one module.

    Attributes:
        id: Hash of module, place and change; the same as long as the statement is.
        module: Path from the repository's root.
        lines: First and last line of the statement that holds it, the header alone of a block.
        place: Qualified name of the function or class around it; empty: the module itself.
        outer: Qualified name of the outermost function whose body holds it; empty: it runs at import.
        body: First and last line of that function's body.
        old: What stood there.
        new: What stands there.
        text: Whether only words for a reader are changed: of an error, of a source.
        source: Makes the whole mutated module; "" where it would not compile.
    """

    id: str
    module: str
    lines: tuple[int, int]
    place: str
    outer: str
    body: tuple[int, int]
    old: str
    new: str
    text: bool
    source: Callable[[], str] = field(compare=False, repr=False)


class _Finder(cst.CSTVisitor):
    """Collects (node, replacement, scope, words of an error) wherever an operator applies."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[cst.CSTNode, cst.CSTNode, str, int, bool]] = []
        self._scope: list[str] = []
        self._raises = 0

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, (cst.Annotation, cst.Decorator, cst.Import, cst.ImportFrom)):
            return False
        kind = node.value if isinstance(node, cst.Assign) else node
        if isinstance(kind, cst.Subscript) and _named(kind.value) == "Literal":
            return False
        if isinstance(node, cst.Expr) and isinstance(node.value, cst.SimpleString):
            return False
        if isinstance(node, cst.Call) and _named(node.func) in _STATIC_CALLS:
            return False
        if isinstance(node, (cst.FunctionDef, cst.ClassDef)):
            self._scope.append(node.name.value)
        self._raises += _tells(node)
        line = self.get_metadata(PositionProvider, node, None)
        for kind, operator in mutation_operators:
            if line is not None and isinstance(node, kind):
                for changed in operator(node):
                    scope = ".".join(self._scope)
                    words = self._raises > 0 and isinstance(
                        node, (cst.BaseString, cst.Call, cst.BaseNumber)
                    )
                    self.found.append((node, changed, scope, line.start.line, words))
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        self._raises -= _tells(original_node)
        if isinstance(original_node, (cst.FunctionDef, cst.ClassDef)):
            self._scope.pop()


def _tells(node: cst.CSTNode) -> bool:
    """Tell whether a node makes an error or another thing whose arguments are words for a reader."""
    name = _named(node.func) if isinstance(node, cst.Call) else ""
    return name.endswith("Error") or name in _WORDS


def _named(node: cst.CSTNode) -> str:
    return node.value if isinstance(node, cst.Name) else ""


def mutants_of(root: Path, module: str) -> Iterator[Mutant]:
    """Yield every mutant of a module, in the order of its lines.

    Args:
        root: The repository.
        module: Path of the module from there.
    """
    source = (root / module).read_text("utf-8")
    wrapper = MetadataWrapper(cst.parse_module(source))
    finder = _Finder()
    wrapper.visit(finder)
    tree, (spans, outer) = wrapper.module, _statements(source)
    seen: dict[str, int] = {}
    for node, changed, scope, line, words in finder.found:
        old, new = (tree.code_for_node(one).strip() for one in (node, changed))
        key = f"{module}|{scope}|{old}|{new}"
        seen[key] = seen.get(key, 0) + 1
        digest = hashlib.sha256(f"{key}|{seen[key]}".encode()).hexdigest()[:12]
        make = partial(_mutated, tree, node, changed)
        name, body = outer.get(line, ("", (0, 0)))
        yield Mutant(digest, module, spans[line], scope, name, body, old, new, words, make)


def _mutated(tree: cst.Module, node: cst.CSTNode, changed: cst.CSTNode) -> str:
    code = str(tree.deep_replace(node, changed).code)
    try:
        compile(code, "", "exec", dont_inherit=True)
    except SyntaxError:
        return ""
    return code


Span = tuple[int, int]


def _statements(source: str) -> tuple[dict[int, Span], dict[int, tuple[str, Span]]]:
    """Return by line the smallest statement around it (of a block its header), and the outermost function."""
    spans: dict[int, Span] = {}
    outer: dict[int, tuple[str, Span]] = {}

    def walk(node: ast.AST, scope: tuple[str, ...], inside: bool) -> None:
        if isinstance(node, (ast.stmt, ast.match_case)):
            head = node.pattern if isinstance(node, ast.match_case) else node
            body: list[ast.stmt] = getattr(node, "body", [])
            last = body[0].lineno - 1 if body else (head.end_lineno or head.lineno)
            span = (head.lineno, max(head.lineno, last))
            spans.update((line, span) for line in range(span[0], (node_end(node)) + 1))
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            scope = (*scope, node.name)
            if isinstance(node, ast.FunctionDef) and not inside:
                inside, lines = True, (node.body[0].lineno, node_end(node))
                name = ".".join(scope)
                outer.update((line, (name, lines)) for line in range(lines[0], lines[1] + 1))
        for child in ast.iter_child_nodes(node):
            walk(child, scope, inside)

    def node_end(node: ast.AST) -> int:
        return max(getattr(one, "end_lineno", 0) or 0 for one in ast.walk(node))

    walk(ast.parse(source), (), False)
    return spans, outer
