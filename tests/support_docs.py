"""What tests of the documents share: the commands of their blocks."""

import re
import shlex
from pathlib import Path


def commands(document: Path) -> list[list[str]]:
    """Return the words of every command in a document's bash blocks."""
    found = []
    text = document.read_text(encoding="utf-8")
    for block in re.findall(r"^ *```(?:bash|sh|console)\n(.*?)^ *```", text, re.S | re.M):
        for line in block.replace("\\\n", " ").splitlines():
            for part in line.split(" && "):
                words = shlex.split(part, comments=True)
                if words:
                    found.append(words)
    return found
