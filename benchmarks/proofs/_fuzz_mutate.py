"""Mutations of a whole, valid file: of its structure where it has one, of its bytes where it has none.

The odd values that are put in are drawn by hypothesis, and stand beside a list of the ones that are
known to break readers.
"""

from __future__ import annotations

import functools
import json
import warnings
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

import hypothesis
import yaml
from hypothesis import strategies

#: One input is at most so many bytes: what hurts by its form does so within them.
MAX_INPUT_BYTES = 1 << 17

#: Stands for text that JSON could not write; put in as it is, unquoted.
_RAW = "\u27e6raw\u27e7"
#: What readers of numbers, words and structures are known to stumble over.
RAW_VALUES = (
    "1e999", "-1e999", "NaN", "Infinity", "-Infinity", "1e-320", "-0", "-0.0", "9" * 5000,
    "-" + "9" * 400, "1" + "0" * 308, "18446744073709551616", "9223372036854775808", "0x10", "0o17",
    "1_000", "1:60:60", "2024-13-45", "2024-02-30T25:61:61Z", "2001-01-01", "!!binary x",
    "!!binary =", "!!python/object/apply:os.getcwd []", "!!timestamp x", "!!int x", "!!float x",
    "!!bool x", "!!set {a, b}", "!!omap [a]", "!!pairs [a]", "!function os.getcwd", "!include /etc/passwd",
    "&a [*a]", "*unknown", "{? [1] : 2}", "{1: 2}", "{null: 1}", "{true: 1}", "yes", "~", "<<", "=",
    "\"\\ud800\"", "\"\\u0000\"", "\"\\u001b[2J\"", "\"\\u2028\"", "\"\\ufeff\"", "\"\\n\"", "'", "\"", "", "[", "{",
    "[" * 2000, "[" * 90 + "]" * 90, "[" * 2000 + "]" * 2000, "{\"a\":" * 1500 + "1" + "}" * 1500,
    "{a: &x [1,1,1,1,1,1,1,1], b: &y [*x,*x,*x,*x,*x,*x,*x,*x], c: &z [*y,*y,*y,*y,*y,*y,*y,*y], "
    "d: &w [*z,*z,*z,*z,*z,*z,*z,*z], e: &v [*w,*w,*w,*w,*w,*w,*w,*w], f: &u [*v,*v,*v,*v,*v,*v,*v,*v], "
    "g: &t [*u,*u,*u,*u,*u,*u,*u,*u], h: [*t,*t,*t,*t,*t,*t,*t,*t]}",
)  # fmt: skip
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 0.5, -0.0, 1e-12, 1e308, 10**18, 2**31, 2**63, 2**64, 10**30, 10**300,
    "", " ", "0", "1", "-1", "nan", "inf", "null", "true", "a" * 3000, "/etc/passwd", "../../x", "..", "/",
    "a/b", "C:\\x", "con", "\x00", "a\x00b", "\x1b[31m", "\n", "a\nb", "\r", "\t", "\u2028", "\ufeffa",
    "\ud800", "\U0010ffff", "e\u0301", "\u202ea", "\u0660", "\u00b2", "\u212a", "{{ x }}", "{% for i in x %}",
    "{{ 9**9**9 }}", "{{ ''.__class__ }}", "%s%n", "{}", "{0}", "${HOME}", "$(id)", "`id`", "=1+1", "a,b",
    "(a+)+$", "[", "*", "(?P<n>", "http://x", "file:///etc/passwd", "2024-01-01", [], {}, [[]], [None], {"a": 1},
    [1, 2, 3], [[1], [2]], ["a", "a"], {"": ""}, {"a": {"a": {"a": {}}}}, list(range(200)),
)  # fmt: skip
_ODD_BYTES = (
    b"\x00", b"\xff", b"\xfe\xff", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\r\n", b"\n", b"\n\n", b"\t", b"\"", b"'",
    b"\\", b",", b";", b":", b": ", b"- ", b"#", b"&a ", b"*a", b"!", b"|", b">", b"%", b"@", b"`", b"{", b"}", b"[",
    b"]", b"---\n", b"...\n", b"\xed\xa0\x80", b"\xc0\x80", b"\xe2\x80\xa8", b"\x1b[2J", b"-", b"nan", b"1e999",
    b"0", b"\xf4\x90\x80\x80", b"\x85", b"\xc2\x85", b"<<: *a\n", b"? ", b"\x0c", b"\x1a",
)  # fmt: skip

Mutation = Callable[[bytes, Random, tuple[bytes, ...]], bytes]


@functools.cache
def drawn_values(count: int = 400) -> tuple[Any, ...]:
    """Return odd plain values that hypothesis draws, the same ones each time."""
    leaves = (
        strategies.none()
        | strategies.booleans()
        | strategies.integers()
        | strategies.floats()
        | strategies.text(max_size=20)
        | strategies.text(strategies.characters(categories=("Cc", "Cf", "Zs", "Mn")), max_size=5)
        | strategies.dates().map(str)
    )
    values = strategies.recursive(
        leaves,
        lambda inner: (
            strategies.lists(inner, max_size=4)
            | strategies.dictionaries(strategies.text(max_size=8), inner, max_size=4)
        ),
        max_leaves=12,
    )
    found: list[Any] = []

    @hypothesis.settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(values)
    def draw(value: Any) -> None:
        found.append(value)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        draw()
    return tuple(found)


def mutated(data: bytes, rng: Random, words: tuple[bytes, ...] = ()) -> bytes:
    """Return a file that was changed in one to three places.

    Args:
        data: A whole file; JSON, JSON lines, YAML or a table is changed by its structure in most cases.
        rng: The source of chance.
        words: Keys and values of the format, worth inserting.
    """
    count = rng.choice((1, 1, 1, 1, 1, 2, 2, 3))
    form = _form(data)
    if form.document is not None and rng.random() < 0.7:
        return _of_tree(form.document, data, rng, words, count)[:MAX_INPUT_BYTES]
    for _ in range(count):
        mutation = rng.choice(form.mutations) if rng.random() < 0.8 else of_bytes
        data = mutation(data, rng, words)
    return data[:MAX_INPUT_BYTES]


class _Form(NamedTuple):
    """What a file is: the JSON text of its document if it is one, and mutations that fit."""

    document: str | None
    mutations: tuple[Mutation, ...]


@functools.lru_cache(maxsize=4096)
def _form(data: bytes) -> _Form:
    if len(data) > MAX_INPUT_BYTES or b"\x00" in data:
        return _Form(None, (of_bytes,))
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return _Form(None, (of_bytes,))
    if (document := document_of(text)) is not None:
        return _Form(document, (of_lines, of_bytes))
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) > 1 and all(line[:1] in "{[" for line in lines):
        return _Form(None, (_of_json_lines,) * 3 + (of_lines,))
    if any(mark in lines[0] for mark in ",;\t") if lines else False:
        return _Form(None, (_of_table,) * 3 + (of_lines,))
    return _Form(None, (of_bytes, of_lines))


def document_of(text: str) -> str | None:
    """Return a text of JSON or YAML as one of JSON; None where it is neither."""
    from skald_specs.errors import UserInputError
    from skald_specs.plain import parse_json, parse_yaml

    for parse in (parse_json, parse_yaml):
        try:
            value = parse(text, "")
        except UserInputError:
            continue
        return json.dumps(value) if isinstance(value, dict | list) else None
    return None


def places_of(value: Any) -> list[tuple[Any, Any]]:
    """Return every (container, key) of a tree."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        here = waiting.pop()
        keys = list(here) if isinstance(here, dict) else range(len(here))
        for key in keys:
            found.append((here, key))
            if isinstance(here[key], dict | list):
                waiting.append(here[key])
    return found


def _of_tree(
    text: str, data: bytes, rng: Random, words: tuple[bytes, ...], count: int = 1
) -> bytes:
    """Change so many values of a document, and write it."""
    value = json.loads(text)
    raws: list[str] = []
    for _ in range(count):
        places = places_of(value)
        if not places:
            return of_bytes(data, rng, words)
        _change(places, rng, words, raws)
    written = _written(value, data, rng)
    for raw in raws:
        written = written.replace(json.dumps(_RAW), raw, 1).replace(_RAW, raw, 1)
    return written.encode("utf-8", "surrogatepass")


def _change(
    places: list[tuple[Any, Any]], rng: Random, words: tuple[bytes, ...], raws: list[str]
) -> None:
    """Drop, duplicate, rename, swap, nest or retype one value."""
    container, key = rng.choice(places)
    here = container[key]
    number = isinstance(here, int | float) and not isinstance(here, bool)
    action = 4 if number and rng.random() < 0.4 else rng.randrange(9)
    if action == 0:
        del container[key]
    elif action == 1:
        other, there = rng.choice(places)
        container[key] = json.loads(json.dumps(other[there]))
    elif action == 2 and isinstance(container, dict):
        container[_odd_key(rng, words)] = container.pop(key)
    elif action == 2:
        container[key:key] = [container[key]] * rng.choice((1, 2, 50))
    elif action == 3:
        for _ in range(rng.choice((1, 2, 30))):
            container[key] = [container[key]] if rng.random() < 0.5 else {"a": container[key]}
    elif action == 4 and number:
        container[key] = _near(container[key], rng)
    elif action == 5 and isinstance(container[key], str):
        container[key] = of_bytes(container[key].encode("utf-8", "replace"), rng, words).decode(
            "utf-8", "replace"
        )
    elif action == 6:
        raws.append(rng.choice(RAW_VALUES))
        container[key] = _RAW
    elif action == 7 and isinstance(container, dict):
        container[_odd_key(rng, words)] = _odd(rng, words)
    else:
        container[key] = _odd(rng, words)


def _written(value: Any, data: bytes, rng: Random) -> str:
    plain = rng.random() < 0.5
    if data[:1] in b"{[" or rng.random() < 0.8:
        return json.dumps(value, ensure_ascii=plain, indent=None if plain else 1)
    try:
        return yaml.dump(value, Dumper=yaml.CSafeDumper, allow_unicode=plain)
    except (yaml.YAMLError, ValueError, UnicodeError):
        return json.dumps(value)


def _odd(rng: Random, words: tuple[bytes, ...]) -> Any:
    pick = rng.random()
    if words and pick < 0.25:
        return rng.choice(words).decode("utf-8", "replace")
    return rng.choice(ODD_VALUES) if pick < 0.7 else rng.choice(drawn_values())


def _odd_key(rng: Random, words: tuple[bytes, ...]) -> str:
    return str(_odd(rng, words))


def _near(number: float, rng: Random) -> Any:
    changes: tuple[Callable[[], Any], ...] = (
        lambda: -number, lambda: number + 1, lambda: number - 1, lambda: number * 10**6, lambda: 0,
        lambda: str(number), lambda: float(number), lambda: int(number), lambda: number / 3, lambda: number**9,
        lambda: number * 1e-9,
    )  # fmt: skip
    try:
        return rng.choice(changes)()
    except (OverflowError, ValueError):
        return -1


def _of_json_lines(data: bytes, rng: Random, words: tuple[bytes, ...]) -> bytes:
    """Change one row of JSON lines."""
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    try:
        text = lines[at].decode()
        if isinstance(json.loads(text), dict | list):
            lines[at] = _of_tree(text, b"{", rng, words).replace(b"\n", b" ")
            return b"\n".join(lines)
    except (ValueError, RecursionError):
        pass
    return of_lines(data, rng, words)


def _of_table(data: bytes, rng: Random, words: tuple[bytes, ...]) -> bytes:
    """Change a cell, a column or the heading of a table with separators."""
    lines = data.split(b"\n")
    separator = max((b",", b";", b"\t"), key=lines[0].count)
    rows = [line.split(separator) for line in lines]
    at = rng.randrange(len(rows)) if rng.random() < 0.8 else 0
    column = rng.randrange(len(rows[at]))
    action = rng.randrange(6)
    if action == 0:
        for row in rows:
            if column < len(row):
                del row[column]
    elif action == 1:
        rows[at].insert(column, rng.choice(rows[at]))
    elif action == 2:
        rows[at][column] = str(rng.choice(RAW_VALUES)).encode()
    elif action == 3:
        rows[at][column] = of_bytes(rows[at][column], rng, words)
    elif action == 4:
        odd = _bytes_of(_odd(rng, words))
        for row in rows[1:]:
            if column < len(row):
                row[column] = odd
    else:
        rows[at][column] = _bytes_of(_odd(rng, words))
    return b"\n".join(separator.join(row) for row in rows)


def _bytes_of(value: Any) -> bytes:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text.encode("utf-8", "surrogatepass")


def of_lines(data: bytes, rng: Random, words: tuple[bytes, ...]) -> bytes:
    """Drop, double, swap, indent or repeat lines."""
    lines = data.split(b"\n")
    at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    action = rng.randrange(6)
    if action == 0:
        del lines[at]
    elif action == 1:
        lines.insert(other, lines[at])
    elif action == 2:
        lines[at], lines[other] = lines[other], lines[at]
    elif action == 3:
        lines[at] = b" " * rng.choice((1, 2, 4)) + lines[at]
    elif action == 4:
        lines[at : at + 1] = [lines[at]] * rng.choice((3, 100))
    else:
        lines.insert(at, rng.choice(words or _ODD_BYTES))
    return b"\n".join(lines)


def of_bytes(data: bytes, rng: Random, words: tuple[bytes, ...] = ()) -> bytes:
    """Cut, flip, insert, repeat or overwrite bytes."""
    size = len(data)
    at = rng.randrange(size + 1)
    action = rng.randrange(9)
    if action == 0:
        return data[:at]
    if action == 1:
        return data[at:]
    if action == 2 and size:
        at = min(at, size - 1)
        return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
    if action == 3:
        return data[:at] + rng.choice(_ODD_BYTES) + data[at:]
    if action == 4 and words:
        return data[:at] + rng.choice(words) + data[at:]
    if action == 5:
        end = min(size, at + rng.choice((1, 2, 4, 8, 64, 1024)))
        return data[:at] + data[end:]
    if action == 6:
        end = min(size, at + rng.choice((1, 4, 16, 256)))
        return data[:at] + data[at:end] * rng.choice((2, 3, 200)) + data[end:]
    if action == 7:
        end = min(size, at + rng.choice((1, 2, 4, 8)))
        return data[:at] + rng.randbytes(end - at) + data[end:]
    return data[:at] + rng.choice(RAW_VALUES).encode("utf-8", "replace") + data[at:]
