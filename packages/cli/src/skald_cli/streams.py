"""What a process must have before anything of it runs: three standard streams, and names in UTF-8.

Imports next to nothing, as `interrupts` does.
"""

from __future__ import annotations

import os
import sys
from typing import TextIO

_STREAMS = ("stdin", "stdout", "stderr")


def settle() -> None:
    """Make good what the surroundings of this process lack.

    A closed standard stream (`>&-`) is opened on nothing: the next file to be opened would get its
    number, and what a library prints would go into that file. A character that a terminal or a log
    cannot take is printed as its code. Where Python was told to take names of files for something
    else than UTF-8, it is started again with UTF-8, which torch and tokenizers expect.
    """
    for number, name in enumerate(_STREAMS):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free, which is this one.
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))
    if sys.getfilesystemencoding().lower() != "utf-8":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    for stream in (sys.stdout, sys.stderr):
        _printing_anything(stream)


def _printing_anything(stream: TextIO) -> None:
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")
