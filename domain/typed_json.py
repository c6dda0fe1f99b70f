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
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from domain.errors import BadRecord
from domain.plural import write_count

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
    found = _reader(kind)(document, None, kind.__name__)
    return typing.cast("D", found)


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


_Outer = tuple[Any, str] | None
"""What a value is inside of: an outer one and its name there, and so on; None for the whole."""
_Reader = Callable[[object, _Outer, str], object]
"""Makes of a JSON value what its hint says; gets what it is inside of, and its name there."""


def _refusal(outer: _Outer, name: str, reason: str) -> BadRecord:
    place = name
    while outer is not None:
        outer, before = outer
        place = before + place
    return BadRecord(f"{place} {reason}.")


@cache
def _reader(hint: Any) -> _Reader:
    """The reader of a type hint; a document may have thousands of values of a few types."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return _optional_reader(arguments)
    if origin is tuple:
        return _tuple_reader(arguments)
    if origin is Mapping:
        return _mapping_reader(arguments[1])
    if isinstance(hint, type) and is_dataclass(hint):
        return _dataclass_reader(hint)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _enum_reader(hint)
    return _scalar_reader(hint)


def _dataclass_reader(kind: type[D]) -> _Reader:
    hints = typing.get_type_hints(kind)
    readers = [(field.name, f".{field.name}", _reader(hints[field.name])) for field in fields(kind)]
    required = [f.name for f in fields(kind) if f.default is f.default_factory is MISSING]

    def read(value: object, outer: _Outer, name: str) -> D:
        if not isinstance(value, Mapping):
            raise _refusal(outer, name, "is not a JSON object")
        if lacking := [n for n in required if n not in value]:
            raise _refusal(outer, name, f"lacks {lacking[0]}")
        here = (outer, name)
        return kind(**{n: read(value[n], here, at) for n, at, read in readers if n in value})

    return read


def _optional_reader(arguments: tuple[object, ...]) -> _Reader:
    inner = [part for part in arguments if part is not types.NoneType]
    if len(inner) > 1:  # the only union of several types is `Json`
        return lambda value, *_: value
    read = _reader(inner[0])
    return lambda value, outer, name: None if value is None else read(value, outer, name)


def _tuple_reader(arguments: tuple[object, ...]) -> _Reader:
    readers = [_reader(hint) for hint in arguments if hint is not Ellipsis]
    is_open = arguments[-1] is Ellipsis

    def read(value: object, outer: _Outer, name: str) -> tuple[object, ...]:
        if not isinstance(value, list | tuple):
            raise _refusal(outer, name, "is not a JSON array")
        wanted = readers * len(value) if is_open else readers
        if len(wanted) != len(value):
            reason = f"has {write_count(len(value), 'entry')} instead of {len(wanted)}"
            raise _refusal(outer, name, reason)
        here, pairs = (outer, name), zip(wanted, value, strict=True)
        return tuple(read(item, here, f"[{n}]") for n, (read, item) in enumerate(pairs))

    return read


def _mapping_reader(hint: object) -> _Reader:
    reader = _reader(hint)

    def read(value: object, outer: _Outer, name: str) -> dict[str, object]:
        if not isinstance(value, Mapping):
            raise _refusal(outer, name, "is not a JSON object")
        here = (outer, name)
        return {key: reader(item, here, f".{key}") for key, item in value.items()}

    return read


def _enum_reader(hint: type[StrEnum]) -> _Reader:
    members = {member.value: member for member in hint}

    def read(value: object, outer: _Outer, name: str) -> StrEnum:
        if not isinstance(value, str) or value not in members:
            raise _refusal(outer, name, "has a value that is not known")
        return members[value]

    return read


def _scalar_reader(hint: Any) -> _Reader:
    if hint is float:
        fits = _is_number
    elif hint in (str, int, bool):
        fits = lambda value: type(value) is hint  # noqa: E731 - one of three of a kind
    elif typing.get_origin(hint) is Literal:
        options = typing.get_args(hint)
        fits = lambda value: value in options  # noqa: E731 - one of three of a kind
    else:
        raise TypeError(f"The type {hint} has no JSON form.")

    def read(value: object, outer: _Outer, name: str) -> object:
        if not fits(value):
            raise _refusal(outer, name, "has a value of the wrong type")
        return value  # a whole number stays an int where a float is meant, as typing allows

    return read


def _is_number(value: object) -> bool:
    """Whether it is a finite number; safe for a whole number that no float holds."""
    if type(value) is not int and type(value) is not float:
        return False
    return -sys.float_info.max <= value <= sys.float_info.max  # false for NaN
