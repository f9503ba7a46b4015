"""Which JSON types a kind of value can have, from its JSON Schema."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from hiperiso.contract.values import Kind


def wrong_type(kind: Kind, raw: Any) -> str:
    """Why a JSON value can never be of this kind, judged by its type; empty if it can."""
    types = _types_of(kind)
    if not types or _JSON_TYPES[type(raw)] in types or (isinstance(raw, int) and _is_number(raw, types)):
        return ""
    if raw is None:
        return "null is not a value here: leave the key out"
    return f"{_ARTICLES[_JSON_TYPES[type(raw)]]} in place of {' or '.join(_ARTICLES[name] for name in types)}"


def valid(kind: Kind, raw: Any) -> Any:
    """The value of `raw`; None if it is invalid."""
    try:
        return None if wrong_type(kind, raw) else kind.parse(raw)
    except ValueError:
        return None


@cache
def _types_of(kind: Kind) -> list[str]:
    return _types(kind.schema())


def _is_number(raw: int, types: list[str]) -> bool:
    return not isinstance(raw, bool) and "number" in types


def _types(schema: dict[str, Any]) -> list[str]:
    """The JSON types that a schema of a kind allows; empty: any."""
    if "anyOf" in schema:
        branches = [_types(branch) for branch in schema["anyOf"]]
        return list(dict.fromkeys(name for branch in branches for name in branch)) if all(branches) else []
    if "type" in schema:
        named = schema["type"]
        return list(named) if isinstance(named, list) else [named]
    values = [schema["const"]] if "const" in schema else schema.get("enum", [])
    return list(dict.fromkeys(_JSON_TYPES[str if isinstance(v, str) else type(v)] for v in values))


_JSON_TYPES: Final[dict[type, str]] = {
    dict: "object",
    list: "array",
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
}
_ARTICLES: Final = {
    "object": "an object",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}
