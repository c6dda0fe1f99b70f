"""Context columns: what is logged with a prediction, or read with a training row, and never scored.

A request carries them in its field ``context``; a file has them as columns of these names. They
are validated like features, but belong to the deployment and not to the model: a version of the
contract doesn't cover them, and no bundle carries them.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

from domain.contract.feature import COLUMN_TYPES, Feature, Kind, Value
from domain.contract.field_problem import FieldProblem, pointer_token
from domain.contract.file_format import ColumnFormat

Role = Literal["row_id", "subject", "reference"]
ROLES: tuple[Role, ...] = ("row_id", "subject", "reference")
LOGGED_ROLES: tuple[Role, ...] = ("reference", "subject")
"""Roles whose column in the log has the role's own name, whatever the contract calls it."""

ContextKind = Literal["text"] | Kind
CONTEXT_KINDS: tuple[ContextKind, ...] = ("text", "category", "number", "flag")

CONTEXT = "context"
"""The field of a request that holds the context columns."""
USUAL_LENGTH = 128
MAXIMUM_LENGTH = 1_024
"""The longest text that a contract may allow, in characters."""

TEXT_PATTERN = r"^[^\x00-\x20\x7f]([^\x00-\x1f\x7f]*[^\x00-\x20\x7f])?$(?!\n)"
"""A text has no control character and no blank at its ends, which files could not keep."""
_TEXT = re.compile(TEXT_PATTERN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One such column.

    `role`: ``row_id`` is a different value in each row of a training file, and isn't logged;
    ``subject`` is a pseudonym of the person, who may have several rows; ``reference`` is the
    caller's own id of a prediction, and may repeat. Columns with a role are texts.

    `values`: the rules for a category, a number or a flag; None for a text, which has up to
    `maximum_length` characters. `nullable`: may be absent or null. `title`, `description`: what
    people call it and what it means; each may be empty.
    """

    name: str
    role: Role | None = None
    values: Feature | None = None
    nullable: bool = False
    maximum_length: int = USUAL_LENGTH
    in_files: ColumnFormat = field(default_factory=ColumnFormat)
    title: str = ""
    description: str = ""

    @property
    def kind(self) -> ContextKind:
        """Kind of its values."""
        return self.values.kind if self.values else "text"

    @property
    def column(self) -> str:
        """Its name in Glue, Athena and Parquet, which know only lower case."""
        return self.role if self.role in LOGGED_ROLES else self.name.lower()

    @property
    def column_type(self) -> str:
        """Type of its column in Glue."""
        return COLUMN_TYPES[self.values.kind] if self.values else "string"

    @property
    def expectation(self) -> str:
        """What a valid value is, as the end of a sentence."""
        if self.values:
            return self.values.expectation
        return (
            f"must be a text of 1 to {self.maximum_length:,} characters, without control"
            " characters and without blanks at its ends"
        )

    def accepts(self, value: object) -> bool:
        """Whether a decoded JSON value (None included) is valid."""
        if value is None:
            return self.nullable
        if self.values:
            return self.values.accepts(value)
        return (
            isinstance(value, str)
            and len(value) <= self.maximum_length
            and _TEXT.search(value) is not None
        )

    def cast(self, value: Value) -> Value:
        """Convert a valid value to its column's own type."""
        return self.values.cast(value) if self.values else value


class LoggedContext(NamedTuple):
    """The context of one prediction; `others` by the log's column, None for missing."""

    reference: str | None = None
    subject: str | None = None
    others: Mapping[str, Value] = {}


NOTHING = LoggedContext()
_Logged = tuple[str, str, Callable[[Value], Value]]
"""The log's column, the name in a request, and what makes the column's type of a value."""


@dataclass(frozen=True)
class RequestContext:
    """The context columns that requests carry and the log keeps: all but the row's id."""

    columns: tuple[Context, ...] = ()

    @classmethod
    def of(cls, context: tuple[Context, ...]) -> "RequestContext":
        """Those of a contract."""
        return cls(tuple(entry for entry in context if entry.role != "row_id"))

    def __bool__(self) -> bool:
        return bool(self.columns)

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(entry.name for entry in self.columns)

    @property
    def required(self) -> bool:
        """Whether a request must have the field."""
        return any(not entry.nullable for entry in self.columns)

    def validate(self, instance: Mapping[str, Any], at: str = "#") -> list[FieldProblem]:
        """Every problem of the field ``context`` of an instance at that JSON pointer."""
        at = f"{at}/{CONTEXT}"
        fields = instance.get(CONTEXT, {})
        if not isinstance(fields, dict):
            return [FieldProblem(at, "must be an object with the context columns as fields")]
        problems = [
            FieldProblem(f"{at}/{pointer_token(name)}", "is not a context column")
            for name in fields
            if name not in self._names
        ]
        for entry in self.columns:
            if not entry.accepts(fields.get(entry.name)):
                detail = entry.expectation
                if entry.name not in fields:
                    detail = f"is required and {detail}"
                pointer = f"{at}/{pointer_token(entry.name)}"
                problems.append(FieldProblem(pointer, detail, entry.name))
        return problems

    def read(self, instance: Mapping[str, Any]) -> LoggedContext:
        """What the log keeps of a valid instance."""
        if not self.columns:
            return NOTHING
        fields = instance.get(CONTEXT, {})
        reference, subject, others = self._logged
        return LoggedContext(
            fields.get(reference),
            fields.get(subject),
            {column: cast(fields.get(name)) for column, name, cast in others},
        )

    @cached_property
    def reference(self) -> Context | None:
        """The column for the caller's own id of a prediction."""
        return next((entry for entry in self.columns if entry.role == "reference"), None)

    @cached_property
    def subject(self) -> Context | None:
        """The column for the person's pseudonym."""
        return next((entry for entry in self.columns if entry.role == "subject"), None)

    @cached_property
    def _logged(self) -> "tuple[str | None, str | None, tuple[_Logged, ...]]":
        """Names of reference and subject in a request, and what the log keeps of the others."""
        return (
            self.reference.name if self.reference else None,
            self.subject.name if self.subject else None,
            tuple((e.column, e.name, e.cast) for e in self.columns if e.role not in LOGGED_ROLES),
        )
