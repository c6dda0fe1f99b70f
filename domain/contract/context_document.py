"""Reading and writing the contract's ``[[context]]``; every problem is noted."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from domain.contract.context import (
    CONTEXT_KINDS,
    MAXIMUM_LENGTH,
    ROLES,
    USUAL_LENGTH,
    Context,
)
from domain.contract.feature import Feature
from domain.contract.feature_document import (
    NAME_RULE,
    is_name,
    read_descriptions,
    read_feature,
    unknown_keys,
    write_descriptions,
    write_feature,
)
from domain.contract.file_format_document import read_column_format, write_column_format
from domain.contract.reserved_names import RESERVED_COLUMNS
from domain.typed_json import Json


def write_context(context: Sequence[Context]) -> list[dict[str, Json]]:
    """Plain data that `read_context` takes back, entry by entry."""
    return [_write(entry) for entry in context]


def _write(entry: Context) -> dict[str, Json]:
    if entry.values:
        return write_feature(entry.values)
    written: dict[str, Json] = {"name": entry.name}
    if entry.role:
        written["role"] = entry.role
    if entry.nullable:
        written["nullable"] = True
    if entry.maximum_length != USUAL_LENGTH:
        written["maximum_length"] = entry.maximum_length
    written |= write_descriptions(title=entry.title, description=entry.description)
    return written | write_column_format(entry.in_files)


def read_context(index: int, entry: Any, problems: list[str]) -> Context:
    """Parse one entry; notes problems and returns a harmless stand-in on the way."""
    where = f"context[{index}]"
    if not isinstance(entry, Mapping):
        problems.append(f"{where} must be a table")
        return Context(name="")
    name, role, kind = entry.get("name"), entry.get("role"), entry.get("kind", "text")
    if not isinstance(name, str) or not is_name(name):
        problems.append(f"{where} needs {NAME_RULE}")
        name = ""
    where = name or where
    if role is not None and role not in ROLES:
        problems.append(f"{where}: role must be one of {', '.join(ROLES)}")
        role = None
    if kind not in CONTEXT_KINDS:
        problems.append(f"{where}: kind must be one of {', '.join(CONTEXT_KINDS)}")
        return Context(name=name, role=role)
    if kind == "text":
        return _text_context(where, Context(name=name, role=role), entry, problems)
    if role is not None:
        problems.append(f"{where}: a column with the role {role} must be a text")
    plain = {key: value for key, value in entry.items() if key not in ("role", "monotone")}
    if "monotone" in entry:
        problems.append(f"{where}: unknown key monotone")
    values = read_feature(index, {**plain, "name": name or "unnamed"}, problems)
    return Context(
        name=name,
        values=values,
        nullable=values.nullable,
        in_files=values.in_files,
        title=values.title,
        description=values.description,
    )


def _text_context(
    where: str, context: Context, entry: Mapping[str, Any], problems: list[str]
) -> Context:
    allowed = {"name", "role", "kind", "source", "title", "description"}
    if context.role != "row_id":
        allowed |= {"nullable", "maximum_length"}
    problems += unknown_keys(where, entry, allowed)
    nullable, length = entry.get("nullable", False), entry.get("maximum_length", USUAL_LENGTH)
    if not isinstance(nullable, bool):
        problems.append(f"{where}: nullable must be true or false")
    if type(length) is not int or not 1 <= length <= MAXIMUM_LENGTH:
        problems.append(
            f"{where}: maximum_length must be a whole number from 1 to {MAXIMUM_LENGTH:,}"
        )
        length = USUAL_LENGTH
    texts = read_descriptions(where, {k: v for k, v in entry.items() if k != "unit"}, problems)
    return replace(
        context,
        nullable=nullable is True,
        maximum_length=length,
        in_files=read_column_format(
            where, {k: entry[k] for k in ("source",) if k in entry}, problems
        ),
        title=texts.get("title", ""),
        description=texts.get("description", ""),
    )


def find_context_clashes(
    context: Sequence[Context],
    features: Sequence[Feature],
    target: str,
    retired: Sequence[Feature],
) -> list[str]:
    """Names that something else has already, in any case, and roles that were given twice."""
    problems = []
    taken = {feature.column: f"the feature {feature.name}" for feature in (*features, *retired)}
    taken |= dict.fromkeys(RESERVED_COLUMNS, "a column of the log")
    taken[target.lower()] = "the target"
    for entry in context:
        name = entry.name.lower()
        if name and name in taken and name != entry.role:
            problems.append(f"{entry.name}: the name belongs to {taken[name]}")
        taken[name] = f"the context column {entry.name}"
    for role in ROLES:
        named = [entry.name for entry in context if entry.name and entry.role == role]
        if len(named) > 1:
            problems.append(f"{', '.join(named)}: only one column may have the role {role}")
    return problems
