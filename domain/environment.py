"""Settings of a component as environment variables, whose names are written once.

A component declares a frozen dataclass that inherits `Environment`. `stacks` writes its environment
variables with ``Settings(...).to_env()``; the component reads them with
``Settings.from_env(os.environ)``.
"""

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, Self

from domain.errors import DomainError

_BOOLEANS = {"true": True, "false": False}


class BadSettings(DomainError):
    """A variable is missing from the environment, or can't be read as its type."""


class Environment:
    """Base of settings dataclasses, whose fields are str, int, float, bool, or `... | None`.

    A field's variable is its name in upper case. A field that is None gets no variable.
    """

    def to_env(self) -> dict[str, str]:
        """Variable name → text, for every field that isn't None."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]  # subclasses are dataclasses
        return {name.upper(): _text(v) for name, v in values.items() if v is not None}

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings back; raises BadSettings naming every problem at once."""
        hints = typing.get_type_hints(cls)
        values: dict[str, object] = {}
        problems: list[str] = []
        for field in fields(cls):  # type: ignore[arg-type]  # subclasses are dataclasses
            variable = field.name.upper()
            if variable in environ:
                try:
                    values[field.name] = _value(environ[variable], hints[field.name])
                except (ValueError, KeyError):
                    problems.append(f"{variable} can't be read as {_name(hints[field.name])}")
            elif field.default is MISSING and field.default_factory is MISSING:
                problems.append(f"{variable} is missing")
        if problems:
            raise BadSettings("The environment is incomplete: " + "; ".join(problems) + ".")
        return cls(**values)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _plain(hint: Any) -> Any:
    """The type itself of ``T | None``."""
    if isinstance(hint, types.UnionType):
        return next(part for part in typing.get_args(hint) if part is not types.NoneType)
    return hint


def _name(hint: Any) -> str:
    return str(_plain(hint).__name__)


def _value(text: str, hint: Any) -> Any:
    kind = _plain(hint)
    return _BOOLEANS[text] if kind is bool else kind(text)
