"""Frozen dataclasses to JSON and back, driven by their type hints.

What one component writes and another reads is a dataclass; its fields are the only place where
the JSON's names stand. Supported hints: str, int, float, bool, Literal, a StrEnum,
``T | None``, ``tuple[T, ...]``, ``tuple[T, T]``, ``Mapping[str, T]``, `Json` and other such
dataclasses.
"""

import json
import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, TypeVar

from domain.errors import BadRecord

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")
D = TypeVar("D", bound="DataclassInstance")

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
"""A decoded JSON document."""


def to_json(value: "DataclassInstance") -> bytes:
    """The indented JSON document of a dataclass; raises ValueError for a number without JSON."""
    return json.dumps(encode(value), indent=2, allow_nan=False).encode()


def from_json(kind: type[D], data: bytes) -> D:
    """The inverse of `to_json`; raises BadRecord."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise BadRecord(f"The {kind.__name__} is not JSON.") from None
    return decode(kind, document)


def encode(value: "DataclassInstance") -> dict[str, Json]:
    """A dataclass as plain JSON values, in the order of its fields."""
    return {field.name: _encode(getattr(value, field.name)) for field in fields(value)}


def decode(kind: type[D], document: object) -> D:
    """The inverse of `encode`; raises BadRecord that names the field.

    A field that the dataclass doesn't know is ignored, so that older code reads what newer code
    wrote. A missing field takes its default, if it has one.
    """
    return _decode_dataclass(kind, document, kind.__name__)


def _encode(value: object) -> Json:
    if is_dataclass(value) and not isinstance(value, type):
        return encode(value)
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, Mapping):
        return {str(name): _encode(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [_encode(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{type(value).__name__} has no JSON form.")


def _decode_dataclass(kind: type[D], document: object, place: str) -> D:
    if not isinstance(document, Mapping):
        raise BadRecord(f"{place} is not a JSON object.")
    hints = _type_hints(kind)
    values: dict[str, object] = {}
    for field in fields(kind):
        if field.name in document:
            here = f"{place}.{field.name}"
            values[field.name] = _decode(hints[field.name], document[field.name], here)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise BadRecord(f"{place} lacks {field.name}.")
    return kind(**values)


_type_hints = lru_cache(maxsize=None)(typing.get_type_hints)


def _decode(hint: object, value: object, place: str) -> object:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        inner = [part for part in arguments if part is not types.NoneType]
        is_json = len(inner) > 1  # the only union of several types is `Json`
        return value if value is None or is_json else _decode(inner[0], value, place)
    if origin is tuple:
        return _decode_tuple(arguments, value, place)
    if origin is Mapping:
        return _decode_mapping(arguments[1], value, place)
    if isinstance(hint, type) and is_dataclass(hint):
        return _decode_dataclass(hint, value, place)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _decode_enum(hint, value, place)
    return _decode_scalar(hint, value, place)


def _decode_scalar(hint: object, value: object, place: str) -> object:
    if hint is float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        # False for NaN and infinities, and safe for a whole number that no float holds.
        valid = is_number and -sys.float_info.max <= value <= sys.float_info.max  # type: ignore[operator]  # it is a number
    elif hint in (str, int, bool):
        valid = type(value) is hint
    elif typing.get_origin(hint) is Literal:
        valid = value in typing.get_args(hint)
    else:
        raise TypeError(f"{place}: the type {hint} has no JSON form.")
    if not valid:
        raise BadRecord(f"{place} has a value of the wrong type.")
    return value  # a whole number stays an int where a float is meant, as typing allows


def _decode_enum(hint: type[StrEnum], value: object, place: str) -> StrEnum:
    for member in hint:
        if member == value:
            return member
    raise BadRecord(f"{place} has a value that is not known.")


def _decode_mapping(hint: object, value: object, place: str) -> dict[str, object]:
    if not isinstance(value, Mapping):
        raise BadRecord(f"{place} is not a JSON object.")
    return {name: _decode(hint, item, f"{place}.{name}") for name, item in value.items()}


def _decode_tuple(arguments: tuple[object, ...], value: object, place: str) -> object:
    if not isinstance(value, list | tuple):
        raise BadRecord(f"{place} is not a JSON array.")
    if arguments[-1] is Ellipsis:
        hints: list[object] = [arguments[0]] * len(value)
    else:
        hints = list(arguments)
    if len(hints) != len(value):
        raise BadRecord(f"{place} has {len(value)} entries instead of {len(hints)}.")
    pairs = zip(hints, value, strict=True)
    return tuple(_decode(hint, item, f"{place}[{n}]") for n, (hint, item) in enumerate(pairs))
