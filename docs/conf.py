"""The docs site: `nox -s docs` makes build/docs/ from docs/, the README and every docstring.

Sphinx' source folder is the checkout, so a link means the same on the site and on a forge. The pages
of the code and of the commands are written to build/api/ first.
"""

from __future__ import annotations

import argparse
import pkgutil
import re
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_origin

from docutils.nodes import raw
from sphinx.addnodes import download_reference, pending_xref
from sphinx.ext.autodoc.mock import mock

if TYPE_CHECKING:
    from docutils.nodes import document
    from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parent.parent
API = ROOT / "build" / "api"
PACKAGES = ("specs", "process", "corpus", "mup", "planner", "trainer", "harness", "report", "cli")
#: The navigation. Sphinx warns of a page that stands in none of these.
CONTENTS = {
    "Start": ["../README", "report", "own-text", "own-model", "own-task", "cluster", "gpu"],
    "Understand": ["how-it-works", "mup", "time-transfer", "cost", "architecture", "statistics", "claims"],
    "Look up": [
        "../build/api/commands", "notation", "data", "data-filters", "synthetic", "../sources/README",
        "parallelism", "evaluation", "scoring", "answers", "other-models", "published",
        "../evals/published/README", "../reports/README", "../reports/reference/README",
        "../reports/reference/cards/*",
    ],
    "Code": [f"../build/api/skald_{short}" for short in PACKAGES],
    "Project": [
        "decisions/README", "negative-results", "fuzzing", "mutants", "../CONTRIBUTING", "../SECURITY",
        "../CHANGELOG",
    ],
}  # fmt: skip
#: A section of a docstring that begins on the line of its name.
SECTION = re.compile(r"(Source|Standing|Shapes): (?=\S)")
#: napoleon would read "a ratio: 1 for gains" below its own names of these as a type and its meaning.
RESULTS = {"Returns:": "Result:", "Yields:": "Results:"}

#: A module of ours, as a link names its file.
MODULE = re.compile(r"packages/\w+/src/(skald_[\w/]+)\.py$")

project = "Skald"
author = copyright = "The Skald authors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "docs/README"
include_patterns = [
    "CHANGELOG.md", "CONTRIBUTING.md", "README.md", "SECURITY.md", "docs/*.md", "docs/decisions/*.md",
    "evals/published/*.md", "reports/README.md", "reports/reference/**.md", "sources/*.md",
    "build/api/*.md",
]  # fmt: skip
exclude_patterns = [".*", "artifacts", "build/docs", "data", "packages", "tests", "wheelhouse"]
myst_heading_anchors = 4

autodoc_class_signature = "separated"
autodoc_member_order = "bysource"
autodoc_mock_imports = ["datatrove"]  # lives in an environment of its own, see `nox -s scale`
autodoc_typehints_format = "short"
napoleon_custom_sections = ["Result", "Results", "Shapes", "Source", "Standing"]
napoleon_use_ivar = True

html_theme = "furo"
html_title = "Skald"
html_copy_source = False
html_show_search_summary = False  # a page opened from a folder may fetch nothing
html_show_sphinx = False


def write_pages(_: Sphinx) -> None:
    """Write a page for each package, one for each room in it, and one of all commands' help."""
    # The bridge's modules import nanotron, which needs its patches before.
    import_module("skald_trainer.bridge.patches").apply("cpu")
    API.mkdir(parents=True, exist_ok=True)
    parser = import_module("skald_cli.main").build_parser()
    write("commands", "\n".join(["# Commands\n", *help_of(parser)]))
    for package in (f"skald_{short}" for short in PACKAGES):
        rooms = defaultdict(list, {package: [package]})
        for found in pkgutil.walk_packages(import_module(package).__path__, f"{package}."):
            # All of them before autodoc reads one: it puts other annotations on pydantic's classes.
            with mock(autodoc_mock_imports):
                import_module(found.name)
            rooms[found.name if found.ispkg else found.name.rpartition(".")[0]].append(found.name)
        for room, modules in rooms.items():
            blocks = [
                f"## {name}\n```{{eval-rst}}\n.. automodule:: {name}\n   :members:\n```\n"
                for name in sorted(modules)
            ]
            beneath = sorted(name for name in rooms if name.rpartition(".")[0] == room)
            tree = [toctree("", beneath)] if beneath else []
            write(room, "\n".join([f"# {room}\n", *tree, *blocks]))


def write(name: str, text: str) -> None:
    """Write a page unless it is there already, so that Sphinx reads changed ones alone again."""
    path = API / f"{name}.md"
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def help_of(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the help of a command and of all below it."""
    yield f"## {parser.prog}\n```text\n{parser.format_help()}```\n"
    for action in parser._actions:  # no public way leads to them
        if isinstance(action, argparse._SubParsersAction):
            for name, verb in action.choices.items():
                if verb.prog.endswith(f" {name}"):
                    yield from help_of(verb)


def toctree(caption: str, pages: list[str]) -> str:
    """Return a part of the navigation."""
    named = f":caption: {caption}\n" if caption else ""
    return f"```{{toctree}}\n:hidden:\n:glob:\n{named}\n" + "\n".join(pages) + "\n```\n"


def add_contents(_: Sphinx, page: str, text: list[str]) -> None:
    """Append the navigation to the first page; a forge would show it as a block of code."""
    if page == root_doc:
        here = ROOT / "docs"
        for caption, pages in CONTENTS.items():
            known = [p for p in pages if "*" in p or "build/" in p or (here / f"{p}.md").is_file()]
            text[0] += "\n" + toctree(caption, known)
    elif page == "docs/decisions/README":
        text[0] += "\n" + toctree("", ["*"])


def plain_words(_: Sphinx, *about: object) -> None:
    """Keep stars and bars of a docstring as they are, and let a section begin on its own line."""
    lines = about[-1]
    assert isinstance(lines, list)
    told: list[str] = []
    for line in lines:
        words = re.sub(
            r"`[^`]*`|[*|]", lambda m: m[0] if m[0][0] == "`" else f"\\{m[0]}", str(line)
        )
        words = RESULTS.get(words, words)
        match = SECTION.match(words)
        told += [f"{match[1]}:", f"    {words[match.end() :]}"] if match else [words]
    # What a field of a named tuple says where nobody wrote anything.
    lines[:] = [] if told and told[0].startswith("Alias for field number") else told


def links_into_code(app: Sphinx, doctree: document) -> None:
    """Let a link to a module's file lead to its page, and to what the link's text names there."""
    for node in list(doctree.findall(download_reference)):
        file = MODULE.search(node["reftarget"])
        if file:
            module = file[1].replace("/", ".").removesuffix(".__init__")
            named = node.astext().startswith(f"{module}.")
            about = {"reftype": "obj", "reftarget": node.astext()}
            about = about if named else {"reftype": "mod", "reftarget": module}
            link = pending_xref("", *node.children, refdomain="py", refwarn=True, **about)
            link["refdoc"], link["refexplicit"] = app.env.docname, True
            node.replace_self(link)


def exact_references(_: Sphinx, doctree: document) -> None:
    """Let a type's short name lead to the module's own, or nowhere: two modules may have a `Cell`."""
    for node in doctree.findall(pending_xref):
        node.attributes.pop("refspecific", None)


def rows_of_claims(app: Sphinx, doctree: document) -> None:
    """Let links lead to rows of the page of claims, whose anchors stand in cells of tables."""
    if app.env.docname == "docs/claims":
        slugs = app.env.metadata[app.env.docname].setdefault("myst_slugs", {})
        for node in doctree.findall(raw):
            for name in re.findall(r'<a id="([^"]+)">', node.astext()):
                slugs[name] = (0, name, "")
        # A row whose script has no figures yet is its section.
        page, readme = (
            (ROOT / "docs/claims.md").read_text("utf-8"),
            (ROOT / "README.md").read_text("utf-8"),
        )
        empty = re.findall(r"^## (\S+)\n\n[^\n]+\n\nNo figures yet", page, re.M)
        for name in re.findall(r"docs/claims\.md#([\w-]+)", readme):
            for section in empty:
                if name.startswith(f"{section}-"):
                    slugs[name] = (0, section.replace("_", "-"), "")


def is_left_out(_: Sphinx, what: str, name: str, value: object, *more: object) -> bool | None:
    """Leave out names of annotated types, whose patterns are no text, and what tuples bring along."""
    return True if name == "__new__" or get_origin(value) is Annotated else None


def lead_in(app: Sphinx, error: Exception | None) -> None:
    """Let the site's folder open at its first page."""
    if error is None:
        first = '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=docs/README.html">\n'
        (Path(app.outdir) / "index.html").write_text(first, encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Join Sphinx."""
    app.connect("builder-inited", write_pages)
    app.connect("source-read", add_contents)
    # Before napoleon, which reads the sections.
    app.connect("autodoc-process-docstring", plain_words, priority=100)
    app.connect("autodoc-skip-member", is_left_out)
    # Before Sphinx copies the files that pages link to.
    app.connect("doctree-read", links_into_code, priority=100)
    app.connect("doctree-read", exact_references)
    app.connect("doctree-read", rows_of_claims)
    app.connect("build-finished", lead_in)
