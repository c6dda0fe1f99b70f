"""Reading the document behind a contract: each entry checked, every problem noted."""

import sys
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

from domain.contract.context import ROLES, Context
from domain.contract.feature import DIRECTIONS, KINDS, Feature, Kind, Segment
from domain.contract.file_format import ColumnFormat, FileFormat
from domain.contract.file_format_document import (
    COLUMN_KEYS,
    FLAG_KEYS,
    find_clashes,
    read_column_format,
    read_file_format,
    write_column_format,
    write_file_format,
)
from domain.contract.reserved_names import RESERVED_COLUMNS, RESERVED_FIELDS
from domain.errors import BadContract
from domain.typed_json import Json

TABLES = frozenset({"target", "features", "segments", "retired", "context", "files"})


class Parts(NamedTuple):
    """The fields of a contract; see `domain.contract.contract.Contract`."""

    features: tuple[Feature, ...]
    target: str
    segments: tuple[Segment, ...]
    retired: tuple[Feature, ...]
    context: tuple[Context, ...]
    target_in_files: ColumnFormat
    files: FileFormat


MOST_CATEGORIES = 5_000
"""A feature with more would take a column of the model's input for each of them."""


def read(document: Mapping[str, Any]) -> Parts:
    """What the document says; raises BadContract naming every problem at once."""
    problems: list[str] = []
    unknown = sorted(set(document) - TABLES)
    problems += [f"unknown table [{name}]" for name in unknown]
    features = tuple(
        _feature(index, entry, problems)
        for index, entry in enumerate(_entries(document, "features", problems))
    )
    segments = tuple(
        _segment(index, entry, features, problems)
        for index, entry in enumerate(_entries(document, "segments", problems))
    )
    retired = tuple(
        _retired(index, entry, problems)
        for index, entry in enumerate(_entries(document, "retired", problems))
    )
    context = tuple(
        _context(index, entry, problems)
        for index, entry in enumerate(_entries(document, "context", problems))
    )
    target, target_in_files = _target(document.get("target"), problems)
    if not features:
        problems.append("at least one [[features]] entry is needed")
    problems += _clashes(features, target, retired)
    problems += _context_clashes(context, features, target, retired)
    problems += find_clashes(features, target, target_in_files)
    files = read_file_format(document, [*(f.name for f in features), target], problems)
    if problems:
        raise BadContract("The contract can't be used: " + "; ".join(problems) + ".")
    return Parts(features, target, segments, retired, context, target_in_files, files)


def write(
    features: Sequence[Feature],
    target: str,
    segments: Sequence[Segment],
    target_in_files: ColumnFormat,
    files: FileFormat,
) -> dict[str, Any]:
    """Plain data that `read` takes back."""
    written_files = write_file_format(files)
    return {
        **({"files": written_files} if written_files else {}),
        "target": {"name": target, **write_column_format(target_in_files)},
        "features": [_plain(feature) for feature in features],
        "segments": [
            {"feature": s.feature, **({"bounds": list(s.bounds)} if s.bounds else {})}
            for s in segments
        ],
    }


def _is_name(name: str) -> bool:
    return name.isascii() and name.isidentifier()


def _entries(document: Mapping[str, Any], key: str, problems: list[str]) -> Sequence[Any]:
    entries = document.get(key, [])
    if isinstance(entries, list):
        return entries
    problems.append(f"{key} must be written as [[{key}]] entries")
    return []


def _number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -sys.float_info.max <= value <= sys.float_info.max  # false for NaN, safe for 10**400


def _named(where: str, entry: Any, problems: list[str]) -> tuple[str, Kind | None]:
    """Name and kind of an entry; an empty name or no kind after noting what is wrong with it."""
    if not isinstance(entry, Mapping):
        problems.append(f"{where} must be a table")
        return "", None
    name, kind = entry.get("name"), entry.get("kind")
    if not isinstance(name, str) or not _is_name(name):
        problems.append(f"{where} needs a name of letters, digits and underscores")
        name = ""
    if kind not in KINDS:
        problems.append(f"{name or where}: kind must be one of {', '.join(KINDS)}")
        return name, None
    return name, kind


def _target(entry: object, problems: list[str]) -> tuple[str, ColumnFormat]:
    """The target's name, empty after noting what is wrong with it, and how files write it."""
    table: Mapping[str, Any] = entry if isinstance(entry, Mapping) else {}
    name = table.get("name")
    if not isinstance(name, str) or not _is_name(name):
        problems.append("[target] needs a name of letters, digits and underscores")
        name = ""
    problems += _unknown_keys("[target]", table, FLAG_KEYS | {"name"})
    return name, read_column_format("[target]", table, problems)


def _unknown_keys(where: str, entry: Mapping[str, Any], known: AbstractSet[str]) -> list[str]:
    return [f"{where}: unknown key {key}" for key in sorted(set(entry) - known)]


def _retired(index: int, entry: Any, problems: list[str]) -> Feature:
    """A column that the log keeps for versions whose contract still has the feature."""
    where = f"retired[{index}]"
    name, kind = _named(where, entry, problems)
    if isinstance(entry, Mapping):
        problems += _unknown_keys(name or where, entry, {"name", "kind"})
    return Feature(name=name, kind=kind or "flag")


def _feature(index: int, entry: Any, problems: list[str]) -> Feature:
    """Parse one entry; notes problems and returns a harmless stand-in on the way."""
    name, kind = _named(f"features[{index}]", entry, problems)
    where = name or f"features[{index}]"
    if kind is None:
        return Feature(name=name, kind="flag")
    wanted = {"category": {"categories"}, "number": {"minimum", "maximum"}, "flag": set()}[kind]
    allowed = wanted | {"name", "kind", "nullable"}
    allowed |= FLAG_KEYS if kind == "flag" else COLUMN_KEYS
    if kind != "category":
        allowed.add("monotone")
    problems += _unknown_keys(where, entry, allowed)
    problems += [f"{where}: {key} is missing" for key in sorted(wanted - set(entry))]
    nullable = entry.get("nullable", False)
    if not isinstance(nullable, bool):
        problems.append(f"{where}: nullable must be true or false")
    monotone = entry.get("monotone", "")
    if kind != "category" and not (isinstance(monotone, str) and monotone in DIRECTIONS):
        problems.append(f"{where}: monotone must be increasing or decreasing")
        monotone = ""
    low, high, categories = (
        entry.get("minimum", 0),
        entry.get("maximum", 1),
        entry.get("categories", []),
    )
    if not (_number(low) and _number(high) and low < high):
        problems.append(f"{where}: minimum must be a number below maximum")
        low, high = 0, 1
    is_texts = isinstance(categories, list) and all(isinstance(c, str) and c for c in categories)
    if not is_texts or len(set(categories)) != len(categories):
        problems.append(f"{where}: categories must be different, non-empty texts")
        categories = []
    elif kind == "category" and len(categories) < 2:
        problems.append(f"{where}: at least two categories are needed")
    elif len(categories) > MOST_CATEGORIES:
        problems.append(
            f"{where}: {len(categories):,} categories are more than the {MOST_CATEGORIES:,} that a"
            " feature may have; join the rare ones into one"
        )
    return Feature(
        name=name,
        kind=kind,
        minimum=float(low),
        maximum=float(high),
        categories=tuple(categories),
        nullable=bool(nullable),
        monotone=monotone,
        in_files=read_column_format(where, entry, problems),
    )


def _segment(index: int, entry: Any, features: Sequence[Feature], problems: list[str]) -> Segment:
    where = f"segments[{index}]"
    if not isinstance(entry, Mapping):
        problems.append(f"{where} must be a table")
        return Segment("")
    problems += _unknown_keys(where, entry, {"feature", "bounds"})
    name, bounds = entry.get("feature"), entry.get("bounds", [])
    known = {feature.name: feature for feature in features}
    if not isinstance(name, str) or name not in known:
        problems.append(f"{where}: feature must name a feature")
        return Segment("")
    ascending = (
        isinstance(bounds, list) and all(map(_number, bounds)) and bounds == sorted(set(bounds))
    )
    if not ascending:
        problems.append(f"{where}: bounds must be ascending numbers")
        return Segment(name)
    if bool(bounds) != (known[name].kind == "number"):
        problems.append(f"{where}: bounds are needed for a number and only there")
    return Segment(name, tuple(float(bound) for bound in bounds))


def _clashes(features: Sequence[Feature], target: str, retired: Sequence[Feature]) -> list[str]:
    """Names that would collide once Glue has lower-cased them."""
    problems, seen = [], set(RESERVED_COLUMNS)
    for feature in (*features, *retired):
        if feature.name and feature.column in seen:
            problems.append(f"{feature.name}: the log already has a column {feature.column}")
        seen.add(feature.column)
    if target and (target in RESERVED_FIELDS or target.lower() in {f.column for f in features}):
        problems.append(f"[target] name {target} is taken")
    return problems


def _context(index: int, entry: Any, problems: list[str]) -> Context:
    """Parse one entry; notes problems and returns a harmless stand-in on the way."""
    where = f"context[{index}]"
    if not isinstance(entry, Mapping):
        problems.append(f"{where} must be a table")
        return Context("", "subject")
    name, role = entry.get("name"), entry.get("role")
    if not isinstance(name, str) or not _is_name(name):
        problems.append(f"{where} needs a name of letters, digits and underscores")
        name = ""
    where = name or where
    problems += _unknown_keys(where, entry, {"name", "role"})
    if role not in ROLES:
        problems.append(f"{where}: role must be one of {', '.join(ROLES)}")
        return Context(name, "subject")
    return Context(name, role)


def _context_clashes(
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
        if entry.name and entry.column in taken:
            problems.append(f"{entry.name}: the name belongs to {taken[entry.column]}")
        taken[entry.column] = f"the context column {entry.name}"
    for role in ROLES:
        named = [entry.name for entry in context if entry.name and entry.role == role]
        if len(named) > 1:
            problems.append(f"{', '.join(named)}: only one column may have the role {role}")
    return problems


def _plain(feature: Feature) -> dict[str, Json]:
    plain: dict[str, Json] = {"name": feature.name, "kind": feature.kind}
    if feature.kind == "category":
        plain["categories"] = list(feature.categories)
    if feature.kind == "number":
        plain |= {"minimum": feature.minimum, "maximum": feature.maximum}
    if feature.nullable:
        plain["nullable"] = True
    if feature.monotone:
        plain["monotone"] = feature.monotone
    return plain | write_column_format(feature.in_files)
