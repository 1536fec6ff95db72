"""Text made plain: mojibake mended, invisible characters out, NFC, white space.

Knows characters and no words. Curly quotes, dashes, ligatures and case stay as they are: they are how
people write.
"""

from __future__ import annotations

import re
import unicodedata

import ftfy
from ftfy.badness import is_bad

#: Characters that are never text: controls but for tab and line ends, lone surrogates, private use,
#: noncharacters, zero-width space, word joiner, byte order mark, soft hyphen, marks of direction and
#: interlinear annotation. The zero-width joiners stay, emoji are made with them.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff]"
)
_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
#: All that str.split() takes for a blank, but for the plain space.
_ODD_BLANK = re.compile("[\t-\r\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")
_GAPS = re.compile("\n{3,}")
#: What text holds that was decoded wrongly: the first byte of a UTF-8 sequence as a letter, then a
#: second byte as a sign (Latin-1, Windows-1252; MacRoman and code page 437 by their first bytes), or a
#: control of Latin-1. A look of microseconds before ftfy's own, which reads 3 MB/s.
_SUSPECT = re.compile(
    "[\u00c2-\u00f4][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc"
    "\u2013-\u203a\u20ac\u2122]|[\u221a\u00ac\u251c\u252c][^\\x00-\\x7f]|[\x80-\x9f]"
)
#: Mending is only asked to undo one wrong decoding. Quotes, ligatures, entities, width: left alone,
#: and no letter is guessed where its byte was lost.
_MENDING = ftfy.TextFixerConfig(
    unescape_html=False, remove_terminal_escapes=False, replace_lossy_sequences=False, restore_byte_a0=False,
    fix_latin_ligatures=False, fix_character_width=False, uncurl_quotes=False,
    fix_line_breaks=False, fix_surrogates=False, remove_control_chars=False, normalization=None,
    explain=False,
)  # fmt: skip
_ROUNDS = 4


def normalise(text: str, language: str = "") -> tuple[str, list[str]]:
    """Return the text made plain, and the names of the steps that changed it.

    Doing it twice changes nothing more. A text that is clean comes back as it is.

    Args:
        text: Any text, lone surrogates among it.
        language: Not looked at; all filters are called alike.
    """
    done: list[str] = []
    for _ in range(_ROUNDS):
        before = text
        for name, step in _STEPS:
            changed = step(text)
            if changed != text:
                if name not in done:
                    done.append(name)
                text = changed
        if text == before:
            break
    return text, done


def _mend(text: str) -> str:
    if text.isascii() or not _SUSPECT.search(text) or not is_bad(text):
        return text
    return ftfy.fix_encoding(text, _MENDING)


def _remove_invisible(text: str) -> str:
    return text if text.isascii() and text.isprintable() else _INVISIBLE.sub("", text)


def _compose(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _space(text: str) -> str:
    if not _ODD_BLANK.search(text) and "  " not in text and text == text.strip():
        return text
    lines = _LINE_ENDS.sub("\n", text).split("\n")
    return _GAPS.sub("\n\n", "\n".join([" ".join(line.split()) for line in lines])).strip("\n")


_STEPS = (
    ("mojibake", _mend),
    ("invisible", _remove_invisible),
    ("nfc", _compose),
    ("white-space", _space),
)
