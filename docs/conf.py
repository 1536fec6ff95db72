"""The docs site: `nox -s docs` makes build/docs/ from docs/, the README and every docstring.

Sphinx' source folder is the checkout, so a link means the same on the site and on a forge. The pages
of the code are written to build/api/ first, one for each package and each room in it.
"""

from __future__ import annotations

import pkgutil
import re
from collections import defaultdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_origin

from sphinx.addnodes import pending_xref

if TYPE_CHECKING:
    from docutils.nodes import document
    from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parent.parent
API = ROOT / "build" / "api"
PACKAGES = ("specs", "corpus", "mup", "planner", "trainer", "harness", "report", "cli")
#: The navigation: captions and their pages. Sphinx warns of a page that stands in none.
CONTENTS = {
    "Start": ["../README"],
    "Reference": ["notation"],
}
#: A section of a docstring that begins on the line of its name.
SECTION = re.compile(r"(Source|Standing|Shapes): (?=\S)")

project = "Skald"
author = copyright = "The Skald authors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "docs/README"
include_patterns = ["*.md", "docs/*.md", "docs/decisions/*.md", "sources/*.md", "build/api/*.md"]
include_patterns += ["reports/README.md", "reports/reference/README.md", "evals/published/*.md"]
exclude_patterns = [".*", "artifacts", "build/docs", "data", "packages", "tests", "wheelhouse"]
myst_heading_anchors = 4

autodoc_class_signature = "separated"
autodoc_member_order = "bysource"
autodoc_mock_imports = ["datatrove"]  # lives in an environment of its own, see `nox -s scale`
autodoc_typehints_format = "short"
napoleon_custom_sections = ["Shapes", "Source", "Standing"]
napoleon_use_ivar = True

html_theme = "furo"
html_title = "Skald"
html_copy_source = False
html_show_sphinx = False


def write_api(_: Sphinx) -> None:
    """Write a page for each package and each room in it, and one of every command's help."""
    # The bridge's modules import nanotron, which needs its patches before.
    import_module("skald_trainer.bridge.patches").apply("cpu")
    API.mkdir(parents=True, exist_ok=True)
    for package in (f"skald_{short}" for short in PACKAGES):
        rooms = defaultdict(list)
        for found in pkgutil.walk_packages(import_module(package).__path__, f"{package}."):
            rooms[found.name if found.ispkg else found.name.rpartition(".")[0]].append(found.name)
        for room, modules in rooms.items():
            blocks = [
                f"## {name}\n```{{eval-rst}}\n.. automodule:: {name}\n   :members:\n```\n"
                for name in sorted(modules)
            ]
            (API / f"{room}.md").write_text("\n".join([f"# {room}\n", *blocks]), encoding="utf-8")


def add_contents(_: Sphinx, page: str, text: list[str]) -> None:
    """Append the navigation to the first page; a forge would show it as a block of code."""
    if page == root_doc:
        for caption, pages in CONTENTS.items():
            head = f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n"
            text[0] += "\n" + head + "\n".join(pages) + "\n```\n"


def plain_words(_: Sphinx, *about: object) -> None:
    """Keep stars and bars of a docstring as they are, and let a section begin on its own line."""
    lines = about[-1]
    assert isinstance(lines, list)
    told = []
    for line in lines:
        words = re.sub(r"`[^`]*`|[*|]", lambda m: m[0] if m[0][0] == "`" else f"\\{m[0]}", line)
        match = SECTION.match(words)
        told += [f"{match[1]}:", f"    {words[match.end() :]}"] if match else [words]
    lines[:] = told


def exact_references(_: Sphinx, doctree: document) -> None:
    """Let a type's short name lead to the module's own, or nowhere: two modules may have a `Cell`."""
    for node in doctree.findall(pending_xref):
        node.attributes.pop("refspecific", None)


def is_left_out(
    _: Sphinx, what: str, name: str, value: object, skip: bool, options: object
) -> bool | None:
    """Leave out names of annotated types, whose patterns are no text."""
    return True if get_origin(value) is Annotated else None


def setup(app: Sphinx) -> None:
    """Join Sphinx."""
    app.connect("builder-inited", write_api)
    app.connect("source-read", add_contents)
    # Before napoleon, which reads the sections.
    app.connect("autodoc-process-docstring", plain_words, priority=100)
    app.connect("autodoc-skip-member", is_left_out)
    app.connect("doctree-read", exact_references)
