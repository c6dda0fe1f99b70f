"""JSON Schemas of answers that are encoded dataclasses, driven by their type hints.

They say what `domain.typed_json.encode` writes. An object may get further fields in later releases.
"""

import inspect
import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from typing import Literal

from domain.api.schemas import Schema, ref

SCALARS: Mapping[object, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}


def describe_answers(*kinds: type) -> dict[str, Schema]:
    """Return the schema of each dataclass or TypedDict, and of all that they hold, by its name."""
    found: dict[str, Schema] = {}
    for kind in kinds:
        _describe(kind, found)
    return found


def _describe(kind: type, found: dict[str, Schema]) -> None:
    if kind.__name__ in found:
        return
    found[kind.__name__] = {}  # keeps its place while a recursive type is described
    hints = typing.get_type_hints(kind)
    names = [f.name for f in fields(kind)] if is_dataclass(kind) else list(hints)
    schema: Schema = {
        "type": "object",
        "required": names,
        "properties": {name: _schema(hints[name], found) for name in names},
    }
    summary = (inspect.getdoc(kind) or "").partition("\n\n")[0].replace("\n", " ")
    found[kind.__name__] = schema | ({"description": summary} if summary else {})


def _schema(hint: object, found: dict[str, Schema]) -> Schema:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(hint, type) and is_dataclass(hint):
        _describe(hint, found)
        schema = ref(hint.__name__)
    elif isinstance(hint, type) and issubclass(hint, StrEnum):
        schema = {"enum": [member.value for member in hint]}
    elif origin is Literal:
        schema = {"enum": list(arguments)}
    elif origin in (types.UnionType, typing.Union):
        inner = [part for part in arguments if part is not types.NoneType]
        # A union of several types is any JSON.
        schema = {"anyOf": [_schema(inner[0], found), {"type": "null"}]} if len(inner) == 1 else {}
    elif origin in (Mapping, dict):
        schema = {"type": "object", "additionalProperties": _schema(arguments[1], found)}
    elif origin is tuple and arguments[-1] is not Ellipsis:
        items, length = [_schema(part, found) for part in arguments], len(arguments)
        schema = {"type": "array", "prefixItems": items, "minItems": length, "maxItems": length}
    elif origin in (tuple, list):
        schema = {"type": "array", "items": _schema(arguments[0], found)}
    else:
        schema = {"type": SCALARS[hint]}
    return schema
