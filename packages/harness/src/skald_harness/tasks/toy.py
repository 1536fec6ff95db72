"""Toy items: a fixed folder in the layout of each task, so that a template can be rendered anywhere.

Texts have what a careless template loses: leading spaces, a newline, letters beyond ASCII.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from skald_specs.files import write_jsonl
from skald_specs.records import TaskKind

from skald_harness.tasks.suites import TaskDefinition

_PAIRS = [
    ("Hundene gøer.", "Hundene gø."),
    ("Ég sá þrjár kýr.", "Ég sá þrír kýr."),
    ('She said: "Two!"\nThey left.', 'She said: "Two!"\nThey leaves.'),
]
_CLOZES = [
    ("Først kom én,", (" så to.", " så «to».", "  så to.", " SÅ TO.")),
    ("ein zwei\ndrei", (" vier", " eins", " fünf", " ¼")),
    ("47 + 5 =", (" 52", " 51", " 62", " 61")),
]
_TEXTS = ["Ét.\n\nTvö!", " Drei – vier. ", "“fünf”"]


def write_toy_items(tasks: Sequence[TaskDefinition], folder: Path) -> None:
    """Write the toy items of tasks into a folder, the same for every language.

    Args:
        tasks: Tasks; those that share a file get all that they read of it.
        folder: An items folder.
    """
    files: dict[str, list[dict[str, Any]]] = {}
    for task in tasks:
        settings = task.config["metadata"]
        rows = files.setdefault(task.items_path, [])
        if settings.get("layout") != "user":
            rows += _own(task.kind)
        elif task.kind == "text":
            rows += [
                {"id": f"toy-{n}", "text": text, "doc": "toy"} for n, text in enumerate(_TEXTS)
            ]
        else:
            rows += [
                {"good": good, "bad": bad, "type": settings["select"], "source_id": f"toy-{n}"}
                for n, (good, bad) in enumerate(_PAIRS)
            ]
    for name, rows in files.items():
        write_jsonl(folder / name, rows)


def _own(kind: TaskKind) -> list[dict[str, Any]]:
    names = [{"id": f"toy-{n}", "key": f"toy {n}"} for n in range(3)]
    if kind == "text":
        return [name | {"text": text} for name, text in zip(names, _TEXTS, strict=True)]
    if kind in ("pairs", "number"):
        return [
            name | {"phenomenon": "toy", "good": good, "bad": bad}
            for name, (good, bad) in zip(names, _PAIRS, strict=True)
        ]
    return [
        name | {"context": context, "choices": choices, "answer": answer}
        for answer, (name, (context, choices)) in enumerate(zip(names, _CLOZES, strict=True))
    ]
