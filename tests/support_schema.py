"""As much of JSON Schema (draft 7) as the schema of Every Eval Ever uses, for one test."""

import re
from collections.abc import Iterator
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "integer": (int,),
    "number": (int, float), "boolean": (bool,), "null": (type(None),),
}  # fmt: skip
_KNOWN = {
    "type", "enum", "const", "required", "properties", "additionalProperties", "items", "minItems",
    "pattern", "minimum", "maximum", "oneOf", "anyOf", "allOf", "not", "if", "then", "else", "$ref",
    "$schema", "$defs", "version", "description", "default",
}  # fmt: skip


def faults(
    value: Any, schema: dict[str, Any], root: dict[str, Any], at: str = "$"
) -> Iterator[str]:
    """Yield where a value breaks a schema; a keyword that is not known here is an error."""
    assert not schema.keys() - _KNOWN, schema.keys() - _KNOWN
    if "$ref" in schema:
        target: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        yield from faults(value, target, root, at)
        return
    if "type" in schema and not _is(value, schema["type"]):
        yield f"{at}: {value!r} is no {schema['type']}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {value!r} is none of {schema['enum']}"
    if "const" in schema and value != schema["const"]:
        yield f"{at}: {value!r} is not {schema['const']!r}"
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{at}: {value!r} does not match"
    if _is(value, "number") and not (
        schema.get("minimum", value) <= value <= schema.get("maximum", value)
    ):
        yield f"{at}: {value!r} out of range"
    if isinstance(value, dict):
        yield from _object(value, schema, root, at)
    if isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            yield f"{at}: too short"
        for number, part in enumerate(value):
            yield from faults(part, schema.get("items", {}), root, f"{at}[{number}]")
    yield from _combined(value, schema, root, at)


def _is(value: Any, kinds: Any) -> bool:
    names = kinds if isinstance(kinds, list) else [kinds]
    return any(
        isinstance(value, _TYPES[name]) and (name == "boolean" or not isinstance(value, bool))
        for name in names
    )


def _object(value: Any, schema: dict[str, Any], root: dict[str, Any], at: str) -> Iterator[str]:
    yield from (f"{at}: lacks {name}" for name in schema.get("required", ()) if name not in value)
    known, others = schema.get("properties", {}), schema.get("additionalProperties", {})
    for name, part in value.items():
        if name in known:
            yield from faults(part, known[name], root, f"{at}.{name}")
        elif others is False:
            yield f"{at}: unknown {name}"
        elif isinstance(others, dict):
            yield from faults(part, others, root, f"{at}.{name}")


def _combined(value: Any, schema: dict[str, Any], root: dict[str, Any], at: str) -> Iterator[str]:
    def holds(part: dict[str, Any]) -> bool:
        return not list(faults(value, part, root, at))

    for part in schema.get("allOf", ()):
        yield from faults(value, part, root, at)
    if "anyOf" in schema and not any(map(holds, schema["anyOf"])):
        yield f"{at}: none of anyOf"
    if "oneOf" in schema and sum(map(holds, schema["oneOf"])) != 1:
        yield f"{at}: not one of oneOf"
    if "not" in schema and holds(schema["not"]):
        yield f"{at}: what must not be"
    if "if" in schema:
        branch = schema.get("then" if holds(schema["if"]) else "else", {})
        yield from faults(value, branch, root, at)
