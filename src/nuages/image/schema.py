"""The JSON Schema of a plan, made from its dataclasses; `python -m nuages.reference plan` prints it."""

from __future__ import annotations

import dataclasses
import inspect
import json
import types
import typing
from collections.abc import Mapping
from enum import Enum
from typing import Any

from nuages.image.plan import FORMAT, Plan

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PLAIN = {str: "string", bool: "boolean", int: "integer", float: "number"}


def schema() -> str:
    """Return the schema as JSON text; every field is required, for a plan is always written whole."""
    definitions: dict[str, Any] = {}
    root = _object(Plan, definitions)
    root["properties"]["format"] = {"const": FORMAT}
    document = {"$schema": _DIALECT, "title": "The plan of an image, as `nuages plan` prints it", **root,
                "$defs": dict(sorted(definitions.items()))}  # fmt: skip
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _object(kind: type[Any], definitions: dict[str, Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]
    return {
        "type": "object",
        "description": " ".join((inspect.getdoc(kind) or "").split()),
        "properties": {name: _value(hints[name], definitions) for name in names},
        "required": names,
        "additionalProperties": False,
    }


def _value(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_value(one, definitions) for one in arguments]}
    if origin is tuple:
        return {"type": "array", "items": _value(arguments[0], definitions)}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _value(arguments[1], definitions)}
    if hint is type(None):
        return {"type": "null"}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if hint.__name__ not in definitions:
            definitions[hint.__name__] = {}
            definitions[hint.__name__] = _object(hint, definitions)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {"enum": [each.value for each in hint]}
    return {"type": _PLAIN[hint]}
